//! The engine as a library, as a program of somebody else uses it: only what its root exports.

#[path = "../engine/examples/backup.rs"]
#[allow(dead_code)]
mod example;

use engine::facts::GroupKey;
use engine::monitor::{ProblemList, Quiet};
use engine::retain::{Bucket, Count, Policy, Rule};
use engine::select::Filter;
use engine::{
    BackupRequest, CreateRequest, Error, LocalDirs, PruneRequest, ReadData, Repository, RestoreRequest,
    RunContext, Secret, StoreError, key,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Scene {
    dir: tempfile::TempDir,
    secret: Secret,
    run: RunContext,
}

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("source/sub")).unwrap();
        std::fs::write(dir.path().join("source/a"), "first").unwrap();
        std::fs::write(dir.path().join("source/sub/b"), [7; 100_000]).unwrap();
        Scene {
            run: RunContext::new(LocalDirs::below(dir.path().join("local"))),
            secret: key::new_key_file().unwrap().1,
            dir,
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn location(&self) -> String {
        self.path("repository").display().to_string()
    }

    fn create(&self) -> Repository {
        let request = CreateRequest::new(self.secret.clone()).parity(5);
        Repository::create(&self.location(), request, &self.run).unwrap()
    }

    fn source(&self) -> BackupRequest {
        BackupRequest::new([self.path("source")])
    }
}

/// Everything that the facade offers, through one open value.
#[test]
fn from_creation_to_prune() {
    let scene = Scene::new();
    assert!(!Repository::exists(&scene.location(), &scene.run).unwrap());
    let repository = scene.create();
    assert!(Repository::exists(&scene.location(), &scene.run).unwrap());
    let first = repository.backup(scene.source().tag("one"), &Quiet).unwrap();
    let first = first.snapshot.unwrap();
    std::fs::write(scene.path("source/a"), "second").unwrap();
    std::fs::remove_dir_all(scene.path("source/sub")).unwrap();
    let second = repository
        .backup(scene.source(), &Quiet)
        .unwrap()
        .snapshot
        .unwrap();

    let list = repository.snapshots().unwrap();
    assert_eq!(
        list.snapshots.iter().map(|s| s.id).collect::<Vec<_>>(),
        [first, second]
    );
    assert!(list.unreadable.is_empty() && list.lost.unwrap().is_empty());
    assert!(
        list.snapshots[0].time < list.snapshots[1].time,
        "each backup has its own time"
    );
    assert!(!list.snapshots[0].host.is_empty());
    assert_eq!(repository.find("latest").unwrap().id, second);
    assert_eq!(repository.find("latest~1").unwrap().id, first);
    assert_eq!(repository.find(&first.to_hex()[..12]).unwrap().tags, ["one"]);

    let mut names = Vec::new();
    let source = scene.path("source");
    repository
        .entries(first, Some(&source), true, &mut |path, _| {
            names.push(String::from_utf8(path.to_vec()).unwrap());
            Ok(())
        })
        .unwrap();
    assert_eq!(names.len(), 4, "{names:?}");
    let mut content = Vec::new();
    let length = repository
        .read_file(first, source.join("a"), &mut content, &Quiet)
        .unwrap();
    assert_eq!((length, content.as_slice()), (5, &b"first"[..]));

    let request = RestoreRequest::new(scene.path("target"))
        .below(&source)
        .verify()
        .in_place();
    let restored = repository.restore(first, request, &Quiet).unwrap();
    assert_eq!((restored.files_restored, restored.problems), (2, 0));
    assert_eq!(std::fs::read(scene.path("target/sub/b")).unwrap(), [7; 100_000]);

    let policy = Policy::new(vec![Rule::Newest {
        bucket: Bucket::EACH,
        count: Count::Limited(1),
    }]);
    let decisions = repository
        .apply_policy(
            &policy.unwrap(),
            &GroupKey::DEFAULT,
            &Filter::default(),
            &jiff::tz::TimeZone::UTC,
        )
        .unwrap();
    let removed = decisions
        .iter()
        .filter(|d| d.action == engine::ForgetAction::Remove)
        .map(|d| d.facts.id)
        .collect::<Vec<_>>();
    assert_eq!(removed, [first]);
    repository.forget(&removed).unwrap();
    let request = PruneRequest::new()
        .keep_trash(Duration::ZERO)
        .max_unused(engine::Unused::Bytes(0));
    let pruned = repository.prune(request, &Quiet).unwrap();
    assert!(pruned.packs_deleted > 0 && !pruned.pending, "{pruned:?}");
    let checked = repository.check(ReadData::All, &Quiet).unwrap();
    assert_eq!((checked.num_errors, checked.snapshots), (0, 1));
    assert_eq!(repository.find("latest").unwrap().id, second);
}

#[test]
fn keys_and_refusals() {
    let scene = Scene::new();
    let absent = Repository::open(&scene.location(), &scene.secret, &scene.run);
    assert!(matches!(
        absent,
        Err(Error::Store(StoreError::NoRepository { .. }))
    ));
    let repository = scene.create();
    let again = Repository::create(
        &scene.location(),
        CreateRequest::new(scene.secret.clone()),
        &scene.run,
    );
    assert!(matches!(
        again,
        Err(Error::Store(StoreError::RepositoryExists { .. }))
    ));
    let other = key::new_key_file().unwrap().1;
    let wrong = Repository::open(&scene.location(), &other, &scene.run);
    assert!(matches!(wrong, Err(Error::Store(StoreError::WrongKey))));
    repository.add_key(&other, "other").unwrap();
    let opened = Repository::open(&scene.location(), &other, &scene.run).unwrap();
    assert_eq!((opened.id(), opened.keys().unwrap().len()), (repository.id(), 2));
    let old = opened
        .keys()
        .unwrap()
        .into_iter()
        .find(|slot| !slot.current)
        .unwrap();
    opened.remove_key(old.id).unwrap();
    assert!(Repository::open(&scene.location(), &scene.secret, &scene.run).is_err());
}

/// A relative source is one of the current directory; a repository in its own source is left out, and so is what this
/// machine keeps.
#[test]
fn streams_problems_and_own_places() {
    let scene = Scene::new();
    let repository = scene.create();
    let problems = ProblemList::new();
    let all = BackupRequest::new([scene.dir.path().join(".")]);
    let report = repository.backup(all, &problems).unwrap();
    assert_eq!(report.summary.total_files_processed, 2, "{:?}", problems.list());
    assert_eq!(report.left_out.len(), 3, "repository, cache, state");
    assert_eq!(problems.count(), 0);
    let mut bytes: &[u8] = b"from a pipe";
    let request = BackupRequest::new(Vec::<PathBuf>::new());
    let report = repository
        .backup_stream("/dump.sql", &mut bytes, request, &Quiet)
        .unwrap();
    let mut content = Vec::new();
    repository
        .read_file(
            report.snapshot.unwrap(),
            Path::new("/dump.sql"),
            &mut content,
            &Quiet,
        )
        .unwrap();
    assert_eq!(content, b"from a pipe");
}

#[test]
fn the_example_backs_up_and_restores() {
    let scene = Scene::new();
    for name in ["one", "two"] {
        let target = scene.path(name);
        let (key, source) = (scene.path("key"), scene.path("source"));
        example::backup_and_restore(&scene.location(), &key, &source, &target, &scene.run).unwrap();
        assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "first");
    }
    let secret = key::parse_key_file(&std::fs::read_to_string(scene.path("key")).unwrap()).unwrap();
    let repository = Repository::open(&scene.location(), &secret, &scene.run).unwrap();
    assert_eq!(repository.snapshots().unwrap().snapshots.len(), 2);
}
