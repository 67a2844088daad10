//! The jobs of `service`, called as a scheduler or a console calls them: without a terminal, a command line or an exit
//! code.

use jiff::{Span, Zoned};
use service::backup::{self, Input, SourceLists};
use service::catalogue::{Lang, Question};
use service::check::{self, ReadData};
use service::env::Env;
use service::face::{Activity, Face, Nobody, Notice, Watch};
use service::forget::{self, Which};
use service::init::{self, Bounds};
use service::listing::{self, Among};
use service::paths::SnapshotSpec;
use service::prune::{self, Collection};
use service::removal::Retention;
use service::resolve::{NewSecretOptions, RepositoryOptions};
use service::restore::{self, Overwrite, Patterns, Permissions, RestorePlace};
use service::retain::{Bucket, Count, Policy, Rule};
use service::run::CancelToken;
use service::secret::{Hidden, PasswordPrompt};
use service::select::Filter;
use service::settings::Settings;
use service::tags::{self, TagChange};
use service::{Context, Failure, Status, facts, keys, trash};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// A machine with a folder to back up, and a repository.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.at("docs")).unwrap();
        fs::write(place.at("docs/a"), "first").unwrap();
        place
    }

    fn at(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn context(&self, vars: &[(&str, &str)]) -> Context {
        let text = |below: &str| self.at(below).into_os_string().into_string().unwrap();
        let (cache, state, repo) = (text("cache"), text("state"), text("repo"));
        let own = [
            ("DEDUP_CACHE_DIR", cache.as_str()),
            ("DEDUP_STATE_DIR", &state),
            ("DEDUP_REPOSITORY", &repo),
            ("DEDUP_KEY_CACHE", "0s"),
        ];
        let env = Env::of(&[&own[..], vars].concat());
        let options = RepositoryOptions::default();
        let cancel = CancelToken::new();
        Context::new(env, Settings::default(), options, Zoned::now(), cancel)
    }

    fn backup(&self) -> backup::Request {
        backup::Request {
            host: Some("host".to_string()),
            tags: vec!["job".to_string()],
            also_wait: Span::new().seconds(1),
            ..backup::Request::new(Input::Files {
                paths: vec![self.at("docs").into_os_string()],
                lists: SourceLists::default(),
            })
        }
    }

    fn restore(&self, target: &Path) -> restore::Request {
        restore::Request {
            spec: SnapshotSpec::parse(&[], false),
            among: Among::default(),
            target: RestorePlace::Folder(target.to_path_buf()),
            include: Patterns::default(),
            exclude: Patterns::default(),
            deleted_since: None,
            delete: false,
            overwrite: Overwrite::Always,
            permissions: Permissions::Original,
            also: Vec::new(),
            verify: true,
            in_place: false,
            dry_run: false,
        }
    }
}

const NEW: init::Request = init::Request {
    recovery_phrase: false,
    bounds: Bounds::DEFAULT,
    parity: None,
};

fn keep_last(n: u32) -> Retention {
    let rule = Rule::Newest {
        bucket: Bucket::EACH,
        count: Count::Limited(n),
    };
    Retention {
        policy: Policy::new(vec![rule]).unwrap(),
        group_by: facts::GroupKey::DEFAULT.to_vec(),
        tags: Vec::new(),
        allow_empty: false,
    }
}

#[test]
fn a_repository_lives_without_a_terminal() {
    let place = Place::new();
    let context = place.context(&[("DEDUP_PASSWORD", "sesame")]);
    let made = init::run(&context, &NEW, &Nobody).unwrap();
    assert!(made.has_password && !made.has_recovery_phrase);
    let mut before = place.context(&[("DEDUP_PASSWORD", "sesame")]);
    before.now = context.now.checked_sub(Span::new().hours(1)).unwrap();
    let first = backup::run(&before, place.backup(), &Nobody).unwrap();
    assert_eq!(
        (first.status(), first.backup.summary.files_new),
        (Status::Completed, 1)
    );
    fs::write(place.at("docs/a"), "second").unwrap();
    let second = backup::run(&context, place.backup(), &Nobody).unwrap();
    assert_eq!(
        (second.backup.parent, second.backup.summary.files_changed),
        (first.backup.snapshot, 1)
    );

    let restored = restore::run(&context, &place.restore(&place.at("out")), &Nobody).unwrap();
    assert_eq!(
        (restored.status(), Some(restored.snapshot.id)),
        (Status::Completed, second.backup.snapshot)
    );
    let below = place.at("docs/a");
    let below = place.at("out").join(below.strip_prefix("/").unwrap());
    assert_eq!(fs::read(below).unwrap(), b"second");

    let tagged = tags::Request {
        snapshots: vec!["latest".to_string()],
        filter: Filter::default(),
        change: TagChange::Replace(vec!["kept".to_string()]),
        dry_run: false,
    };
    let tagged = tags::run(&context, &tagged, &Nobody, &mut |_| Ok(())).unwrap();
    assert_eq!((tagged.changed, tagged.status), (1, Status::Completed));

    let request = prune::Request {
        retention: Some(keep_last(1)),
        of_sets: false,
        filter: Filter::default(),
        collection: Some(Collection::default()),
        yes: false,
        dry_run: false,
    };
    let pruned = prune::run(&context, &request, &Nobody).unwrap();
    assert_eq!((pruned.status(), pruned.removed.count), (Status::Completed, 1));
    assert_eq!(trash::list(&context, &Nobody).unwrap().snapshots.len(), 1);

    let all = check::Request {
        read_data: ReadData::All,
        snapshots: Vec::new(),
    };
    let checked = check::run(&context, &all, &Nobody).unwrap();
    assert_eq!(
        (checked.status(), checked.found.snapshots),
        (Status::Completed, 1)
    );
}

#[test]
fn a_failure_has_the_status_of_its_cause() {
    let place = Place::new();
    let context = place.context(&[("DEDUP_PASSWORD", "sesame")]);
    let missing = backup::run(&context, place.backup(), &Nobody).unwrap_err();
    assert_eq!(missing.status, Status::NoRepository);
    init::run(&context, &NEW, &Nobody).unwrap();
    let other = place.context(&[("DEDUP_PASSWORD", "other")]);
    let wrong = backup::run(&other, place.backup(), &Nobody).unwrap_err();
    assert_eq!(wrong.status, Status::WrongKey);
    let nobody = place.context(&[]);
    let asked = backup::run(&nobody, place.backup(), &Nobody).unwrap_err();
    assert_eq!(asked.status, Status::BadSettings);
    fs::remove_dir_all(place.at("docs")).unwrap();
    let gone = backup::run(&context, place.backup(), &Nobody).unwrap_err();
    assert_eq!(gone.status, Status::Incomplete);
}

/// Someone who answers, and what was reported to them.
#[derive(Default)]
struct Person {
    passwords: Mutex<VecDeque<&'static str>>,
    says_yes: bool,
    heard: Mutex<Vec<String>>,
}

impl Person {
    fn hear(&self, what: &str) {
        self.heard.lock().unwrap().push(what.to_string());
    }
}

impl Face for Person {
    fn password(&self, prompt: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        self.hear(&format!("{prompt:?}"));
        Ok(self.passwords.lock().unwrap().pop_front().map(Hidden::new))
    }

    fn can_confirm(&self) -> bool {
        true
    }

    fn confirm(&self, question: &Question) -> Result<bool, Failure> {
        let question = question.text(Lang::En);
        self.hear(&question);
        Ok(self.says_yes)
    }

    fn can_show_phrase(&self) -> bool {
        true
    }

    fn show_phrase(&self, phrase: &str) -> Result<(), Failure> {
        self.hear(&format!("{} words", phrase.split(' ').count()));
        Ok(())
    }

    fn notice(&self, notice: &Notice<'_>) {
        match notice {
            Notice::WrongPassword => self.hear("wrong password"),
            Notice::PruneCosts(_) => self.hear("costs"),
            _ => {}
        }
    }

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        self.hear(activity.word());
        Nobody.start(activity)
    }
}

#[test]
fn a_person_is_asked_before_anything_begins() {
    let place = Place::new();
    let context = place.context(&[]);
    let person = |passwords: &[&'static str], says_yes| Person {
        passwords: Mutex::new(passwords.iter().copied().collect()),
        says_yes,
        ..Person::default()
    };
    let heard = |person: Person| person.heard.into_inner().unwrap().join(", ");

    let maker = person(&["sesame"], false);
    let request = init::Request {
        recovery_phrase: true,
        ..NEW
    };
    assert!(init::run(&context, &request, &maker).unwrap().has_recovery_phrase);
    assert_eq!(heard(maker), "First, 24 words");

    let clumsy = person(&["sesam", "sesame"], false);
    backup::run(&context, place.backup(), &clumsy).unwrap();
    assert_eq!(heard(clumsy), "Known, wrong password, Known, backup");

    let which = || Which::Named {
        snapshots: vec!["latest".to_string()],
        group_by: Vec::new(),
    };
    let request = forget::Request {
        which: which(),
        filter: Filter::default(),
        yes: false,
        dry_run: false,
    };
    let no = person(&["sesame"], false);
    let refused = forget::run(&context, &request, &no).err().unwrap();
    assert_eq!(refused.status, Status::BadSettings);
    assert_eq!(heard(no), "Known, Remove 1 snapshot");
    let owner = person(&["sesame"; 3], true);
    let repo = context.open(&owner).unwrap();
    assert_eq!(listing::read(&context, &repo, &owner).unwrap().snapshots.len(), 1);
    let report = forget::run(&context, &request, &owner).unwrap();
    assert_eq!((report.status(), report.removed.count), (Status::Completed, 1));
    let collect = prune::Request {
        retention: None,
        of_sets: false,
        filter: Filter::default(),
        collection: Some(Collection::default()),
        yes: false,
        dry_run: false,
    };
    prune::run(&context, &collect, &owner).unwrap();
    let all = "Known, Known, Remove 1 snapshot, Known, prune, costs, Collect garbage, prune";
    assert_eq!(heard(owner), all);
}

#[test]
fn keys_are_changed_without_a_terminal() {
    let place = Place::new();
    let context = place.context(&[("DEDUP_PASSWORD", "sesame")]);
    init::run(&context, &NEW, &Nobody).unwrap();
    let options = NewSecretOptions {
        key_file: Some(place.at("key").into_os_string()),
        ..NewSecretOptions::default()
    };
    let added = keys::add(&context, &options, &Nobody).unwrap();
    assert_eq!(added.key_file.as_deref(), Some(place.at("key").as_path()));
    assert_eq!(keys::list(&context, &Nobody).unwrap().len(), 2);
    let unsure = keys::remove(&context, &added.id, false, &Nobody).unwrap_err();
    assert_eq!(unsure.status, Status::BadSettings);
    keys::remove(&context, &added.id, true, &Nobody).unwrap();
    assert_eq!(keys::list(&context, &Nobody).unwrap().len(), 1);
    assert_eq!(keys::export(&context, &place.at("keys.tar"), &Nobody).unwrap(), 1);
    let shown = keys::recovery(&context, &Nobody).unwrap_err();
    assert_eq!(shown.status, Status::Failed);
}
