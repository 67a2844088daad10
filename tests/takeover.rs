//! Machines record their settings and the state of their sets in the repository: another machine takes one's place with
//! nothing but the URL and a key, and `status --all-hosts` shows a machine that never completed a backup.

mod failing;
mod replica;

use chunkstore::id::RecordName;
use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::{Error as StoreError, RepoId};
use engine::machines::{self, MachineState, RecordContent, SetRecord};
use engine::prune;
use engine::repo::Repo;
use engine::{GcPolicy, Unused};
use jiff::{SignedDuration, Timestamp};
use kit::machine::{self, Machine};
use kit::program::{Home, Run, number, string};
use kit::remotes::{Refusing, contents, listed};
use serde_json::Value;
use std::fs;
use std::sync::Arc;

const SETTINGS: &str = ".config/dedup/dedup.toml";

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// A machine called alpha, with a repository and a key file in `shared`, which another home can also see.
fn alpha(shared: &Home, more: &str) -> Home {
    let home = home();
    let (repo, key) = (shared.text("repo"), shared.text("main.key"));
    home.ok(&["init", "-r", &repo, "--key-file", &key]);
    home.write("docs/letter", "dear");
    settings(&home, &repo, &key, more);
    home
}

fn settings(home: &Home, repo: &str, key: &str, more: &str) {
    let docs = home.text("docs");
    home.write(
        SETTINGS,
        format!(
            "# mine\n[remotes.main] # first\nurl = '{repo}'\nkey-file = '{key}'\n\n[sets.docs]\nsources = ['{docs}']\n\
             destinations = ['main']\nschedule = 'daily 12:30'\n{more}"
        ),
    );
}

fn run_as(home: &Home, host: &str, args: &[&str]) -> Run {
    home.run_with(&[("DEDUP_HOST", host)], args)
}

fn text(home: &Home) -> String {
    fs::read_to_string(home.path(SETTINGS)).unwrap()
}

/// The rows of one type.
fn rows(run: &Run, message_type: &str) -> Vec<Value> {
    let mut rows = run.objects();
    rows.retain(|row| row["message_type"] == message_type);
    rows
}

#[test]
fn a_bare_machine_takes_over_with_url_and_key() {
    let (shared, bare) = (home(), home());
    let old = alpha(&shared, "[sets.docs.retention]\nmax-generations = 2\n");
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    let (repo, key) = (shared.text("repo"), shared.text("main.key"));
    let at = ["-r", repo.as_str(), "--key-file", key.as_str(), "takeover"];
    let with = |more: &[&str]| bare.run(&[&at[..], more].concat());
    with(&["beta"]).ends(1).says(&["beta", "alpha"]);
    let shown = with(&["alpha", "--dry-run"]).ends(0);
    assert!(shown.out.contains("+[sets.docs]"), "{}", shown.out);
    assert!(!bare.path(SETTINGS).exists(), "a dry run");
    let done = with(&["alpha", "--json"]).ends(0);
    let summary = done.summary();
    assert_eq!(
        (string(&summary, "host").as_str(), &summary["written"]),
        ("alpha", &Value::Bool(true))
    );
    assert_eq!(
        (number(&summary, "snapshots"), &summary["sets"][0]),
        (1, &Value::from("docs"))
    );
    assert!(
        rows(&done, "needed").is_empty(),
        "the sources of the old home are still there"
    );
    assert_eq!(text(&bare), format!("host = \"alpha\"\n\n{}", text(&old)));
    // The next run is one more snapshot of the same machine and set, and it compares with the last.
    let before = bare.ok(&["-r", "main", "snapshots", "--json"]).objects();
    let run = bare.ok(&["run", "docs", "--json"]);
    let report = rows(&run, "set").pop().unwrap();
    assert_eq!(number(&report["backup"], "files_unmodified"), 1, "{report}");
    let after = bare.ok(&["-r", "main", "snapshots", "--json"]).objects();
    assert_eq!((before.len(), after.len()), (1, 2));
    assert_eq!(after[1]["hostname"], "alpha");
    assert_eq!(after[1]["parent"], before[0]["id"]);
    // Its retention counts the snapshots of the machine that is gone.
    bare.ok(&["run", "docs"]);
    bare.ok(&["-r", "main", "prune", "--yes"]);
    assert_eq!(bare.ok(&["-r", "main", "snapshots", "--json"]).objects().len(), 2);
    // Again: it is as it was recorded.
    let again = with(&["alpha", "--json"]).ends(0).summary();
    assert_eq!(
        (&again["changed"], &again["written"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
}

#[test]
fn settings_that_are_there_are_not_replaced_unasked() {
    let (shared, other) = (home(), home());
    let old = alpha(&shared, "");
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    let mine = "[limits]\nupload = '1M'\n";
    other.write(SETTINGS, mine);
    let (repo, key) = (shared.text("repo"), shared.text("main.key"));
    let at = [
        "-r",
        repo.as_str(),
        "--key-file",
        key.as_str(),
        "takeover",
        "alpha",
    ];
    other.ends(2, &at).says(&["--yes"]);
    assert_eq!(text(&other), mine);
    let steps = [("Replace", "no")];
    assert_ne!(other.on_terminal(&[], &at, &steps).code, 0);
    assert_eq!(text(&other), mine);
    other.ok(&[&at[..], &["--yes"]].concat());
    assert!(text(&other).contains("[sets.docs]"));
}

/// Whatever is secret in the file is not recorded, and is asked for after a takeover, with files and sources that are missing.
#[test]
fn secrets_are_not_recorded_and_what_is_missing_is_listed() {
    let (shared, bare) = (home(), home());
    let old = alpha(
        &shared,
        "run-before = 'true --password=hunter2hunter2'\n[remotes.far]\nurl = 'sftp://me:pa55pa55word@127.0.0.1:1/x'\n\
         password-file = '/nowhere/far.password'\n[notify]\non = 'never'\n[notify.webhook]\nurl = 'https://127.0.0.1:1/T0KEN-T0KEN'\n",
    );
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    fs::rename(old.path("docs"), old.path("gone")).unwrap();
    fs::rename(shared.path("main.key"), shared.path("moved.key")).unwrap();
    let (repo, key) = (shared.text("repo"), shared.text("moved.key"));
    let at = [
        "-r",
        repo.as_str(),
        "--key-file",
        key.as_str(),
        "takeover",
        "alpha",
        "--json",
    ];
    let done = bare.ok(&at);
    for secret in ["hunter2hunter2", "pa55pa55word", "T0KEN-T0KEN"] {
        assert!(
            !text(&bare).contains(secret) && !done.out.contains(secret),
            "{secret}"
        );
    }
    let needed = rows(&done, "needed");
    let of = |kind: &str| needed.iter().filter(|row| row["kind"] == kind).count();
    assert_eq!(
        [
            of("key-file"),
            of("password-file"),
            of("secret"),
            of("source"),
            of("repository")
        ],
        [1, 1, 3, 1, 0],
        "{needed:?}"
    );
}

#[test]
fn a_machine_that_never_completed_a_backup_is_seen() {
    let shared = home();
    let old = alpha(&shared, "run-before = 'false'\n");
    run_as(&old, "alpha", &["run", "docs"]).ends(1);
    let (repo, key) = (shared.text("repo"), shared.text("main.key"));
    let bare = home();
    let seen = bare.ok(&["-r", &repo, "--key-file", &key, "status", "--all-hosts", "--json"]);
    assert_eq!(
        (
            number(&seen.summary(), "hosts"),
            number(&seen.summary(), "machines")
        ),
        (0, 1)
    );
    let [machine] = rows(&seen, "machine").try_into().unwrap();
    let set = &machine["sets"][0];
    assert_eq!(string(&machine, "host"), "alpha");
    assert_eq!(
        (string(set, "name").as_str(), string(set, "last_status").as_str()),
        ("docs", "incomplete")
    );
    assert!(
        set["last_success"].is_null() && !set["next_run"].is_null(),
        "{set}"
    );
    let table = bare
        .ok(&["-r", &repo, "--key-file", &key, "status", "--all-hosts"])
        .out;
    assert!(table.contains("alpha") && table.contains("docs"), "{table}");
    // Its settings are there, too.
    bare.ok(&["-r", &repo, "--key-file", &key, "takeover", "alpha", "--dry-run"]);
}

/// A later run records its new state; the settings only if they changed.
#[test]
fn records_follow_the_runs() {
    let shared = home();
    let old = alpha(&shared, "");
    let count = || fs::read_dir(shared.path("repo/machines")).unwrap().count();
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    assert_eq!(count(), 2);
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    assert_eq!(count(), 3, "a state, and no settings");
    old.write(SETTINGS, text(&old) + "# a comment\n");
    run_as(&old, "alpha", &["run", "docs"]).ends(0);
    assert_eq!(count(), 5);
    run_as(&old, "alpha", &["run", "docs", "--dry-run"]).ends(0);
    run_as(&old, "alpha", &["-r", "main", "check"]).ends(0);
    assert_eq!(count(), 5);
}

/// Whether anybody has the recovery phrase is known in the repository: to every machine.
#[test]
fn a_recovery_phrase_is_confirmed_by_typing_words_of_it() {
    let home = home();
    home.init();
    let says = |home: &Home, words: &str| {
        let found = home.run(&["doctor"]).out;
        assert!(found.contains(words), "{found}");
    };
    says(&home, "nobody has confirmed");
    let steps = [
        ("Write these words down.*: ", ""),
        (r"Word (\d+): $", "{word}"),
        (r"Word (\d+): $", "{word}"),
        (r"Word (\d+): $", "{word}"),
    ];
    let made = home.on_terminal(&[], &["key", "recovery"], &steps);
    assert_eq!(made.code, 0, "{}", made.out);
    says(&home, "it was typed back");
    // The same for a machine that knows nothing.
    let elsewhere = [("DEDUP_STATE_DIR", "other"), ("DEDUP_CACHE_DIR", "other-cache")];
    let found = home.run_with(&elsewhere, &["doctor"]).out;
    assert!(found.contains("it was typed back"), "{found}");
}

// What is stored, and what becomes of it.

struct Scene {
    memory: Memory,
    machine: Machine,
}

impl Scene {
    fn new() -> Scene {
        let memory = Memory::new();
        machine::create(&memory, chunkstore::chunker::Bounds::FINE).unwrap();
        Scene {
            memory,
            machine: Machine::quick("alpha"),
        }
    }

    fn repo(&self) -> Repo {
        self.machine.open(Arc::new(self.memory.clone())).unwrap()
    }

    fn keep(&self, content: RecordContent, now: Timestamp) -> usize {
        machines::keep(&self.repo(), "", &[content], now).unwrap()
    }

    fn names(&self) -> Vec<ObjectName> {
        let mut names: Vec<ObjectName> = listed(&self.memory, Kind::Machine)
            .unwrap()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names
    }

    /// The newest settings, and how many records could not be read.
    fn settings(&self) -> (Option<String>, usize) {
        let records = machines::newest(&self.repo()).unwrap();
        let mut texts = records.newest.into_iter().filter_map(|one| match one.content {
            RecordContent::Settings(text) => Some(text),
            RecordContent::State(_) | RecordContent::PathTags(_) => None,
        });
        (texts.next_back(), records.unreadable.len())
    }
}

fn now() -> Timestamp {
    "2026-11-27T12:00:00Z".parse().unwrap()
}

fn text_of(n: usize) -> RecordContent {
    RecordContent::Settings(format!("# {n}\n"))
}

fn state(status: &str) -> RecordContent {
    RecordContent::State(MachineState {
        sets: vec![SetRecord {
            name: "docs".to_string(),
            status: status.to_string(),
            last_run: Some(now().as_second()),
            ..SetRecord::default()
        }],
        ..MachineState::default()
    })
}

#[test]
fn the_last_ten_are_kept_and_a_damaged_one_is_replaced() {
    let scene = Scene::new();
    for n in 0..15 {
        assert_eq!(scene.keep(text_of(n), now()), 1);
        assert_eq!(scene.keep(text_of(n), now()), 0, "the same again");
    }
    assert_eq!(scene.names().len(), 10);
    assert_eq!(scene.settings(), (Some("# 14\n".to_string()), 0));
    let last = scene.names().pop().unwrap();
    let mut bytes = scene.memory.get(&last, 1 << 20).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    scene.memory.replace(&last, &bytes).unwrap();
    assert_eq!(
        scene.settings(),
        (Some("# 13\n".to_string()), 1),
        "an older one stands in"
    );
    assert_eq!(scene.keep(text_of(14), now()), 1);
    assert_eq!(scene.settings(), (Some("# 14\n".to_string()), 0));
    assert_eq!(scene.names().len(), 10);
}

/// A later version's record is neither damaged nor replaced (I-15), whether its head or its subject is unknown.
#[test]
fn a_record_of_a_later_version_is_newer_and_never_damaged() {
    let scene = Scene::new();
    scene.keep(text_of(1), now());
    let [name] = scene.names().try_into().unwrap();
    let id = RecordName::from_hex(name.id()).unwrap();
    let bytes = scene.memory.get(&name, 1 << 20).unwrap();
    let mut newer = bytes.clone();
    newer[6] = 2;
    // As its writer would, it seals what it writes: no seal of this version's holds.
    *newer.last_mut().unwrap() ^= 1;
    scene.memory.replace(&name, &newer).unwrap();
    let read = scene.repo().store.read_record(id);
    assert!(matches!(read, Err(StoreError::NewerFormat(_))), "{read:?}");
    assert_eq!(scene.keep(text_of(2), now()), 0, "it is left alone");
    assert_eq!((scene.names().len(), scene.settings()), (1, (None, 1)));
    // A head that only looks like that is damaged.
    let mut hurt = bytes.clone();
    hurt[6] = 2;
    scene.memory.replace(&name, &hurt).unwrap();
    assert!(scene.repo().store.read_record(id).is_err_and(|e| e.is_damage()));
    scene.memory.replace(&name, &bytes).unwrap();
    // An unknown subject in a sound record.
    let repo = scene.repo();
    let body = chunkstore::object::cbor(&(
        9u8,
        minicbor::bytes::ByteArray::from([1u8; 16]),
        "alpha",
        "",
        5i64,
        minicbor::bytes::ByteVec::from(vec![1u8]),
    ));
    let other = RecordName {
        series: [7; 8],
        number: 1,
    };
    assert!(repo.store.put_record(other, &body).unwrap());
    let error = machines::read(&repo.store, other).unwrap_err();
    assert!(
        matches!(error, engine::Error::Store(StoreError::NewerFormat(_))),
        "{error:?}"
    );
    assert_eq!(scene.settings(), (Some("# 1\n".to_string()), 1));
}

#[test]
fn records_cut_or_changed_at_every_byte_are_refused() {
    let scene = Scene::new();
    scene.keep(state("completed"), now());
    let [name] = scene.names().try_into().unwrap();
    let id = RecordName::from_hex(name.id()).unwrap();
    let bytes = scene.memory.get(&name, 1 << 20).unwrap();
    assert_eq!(bytes.len(), 1024);
    let repo = scene.repo();
    for at in 0..bytes.len() {
        let mut hurt = bytes.clone();
        hurt[at] ^= 0x20;
        scene.memory.replace(&name, &hurt).unwrap();
        assert!(
            repo.store.read_record(id).is_err_and(|e| e.is_object_local()),
            "{at}"
        );
        scene.memory.replace(&name, &bytes[..at]).unwrap();
        assert!(
            repo.store.read_record(id).is_err_and(|e| e.is_object_local()),
            "{at}"
        );
    }
    // Under another name it is refused, too: nobody can put an old one in a new one's place.
    let later = RecordName {
        number: id.number + 1,
        ..id
    };
    scene.memory.replace(&ObjectName::machine(later), &bytes).unwrap();
    assert!(repo.store.read_record(later).is_err_and(|e| e.is_damage()));
}

/// Where nothing can be deleted, records are added, states once a day.
#[test]
fn storage_that_deletes_nothing_gets_few_records() {
    let scene = Scene::new();
    let refusing: Arc<dyn Remote> = Arc::new(Refusing::append_only(Arc::new(scene.memory.clone())));
    let repo = || scene.machine.open(refusing.clone()).unwrap();
    let keep = |content: RecordContent, at: Timestamp| machines::keep(&repo(), "", &[content], at).unwrap();
    let minute = |n: i64| now().checked_add(SignedDuration::from_mins(n)).unwrap();
    let added: usize = (0..100).map(|n| keep(state("completed"), minute(n))).sum();
    assert_eq!(added, 20);
    assert_eq!(keep(state("incomplete"), minute(101)), 1, "that is news");
    assert_eq!(keep(state("incomplete"), minute(102)), 0);
    assert_eq!(keep(state("incomplete"), minute(101 + 24 * 60)), 1, "a day later");
    assert_eq!(keep(text_of(1), minute(103)), 1);
}

/// A prune keeps what is needed, and deletes what later records replaced and what belongs to machines that are no more.
#[test]
fn a_prune_neither_loses_nor_leaks_records() {
    let scene = Scene::new();
    let refusing: Arc<dyn Remote> = Arc::new(Refusing::append_only(Arc::new(scene.memory.clone())));
    let repo = scene.machine.open(refusing).unwrap();
    for n in 0..15 {
        machines::keep(&repo, "", &[text_of(n)], now()).unwrap();
    }
    assert_eq!(scene.names().len(), 15);
    let prune = |at: Timestamp| {
        let mut repo = scene.repo();
        repo.run_mut().now = at;
        let policy = GcPolicy {
            max_unused: Unused::Bytes(0),
            max_repack: u64::MAX,
        };
        prune::run(&repo, &prune::PruneOptions::new(policy), &engine::monitor::Quiet).unwrap();
    };
    prune(now());
    assert_eq!(scene.names().len(), 10);
    assert_eq!(scene.settings().0.as_deref(), Some("# 14\n"));
    // A damaged one goes once a later one has taken its place.
    let old = scene.names()[4].clone();
    let mut bytes = scene.memory.get(&old, 1 << 20).unwrap();
    bytes[500] ^= 1;
    scene.memory.replace(&old, &bytes).unwrap();
    prune(now());
    assert!(scene.names().len() == 9 && !scene.names().contains(&old));
    prune(now().checked_add(SignedDuration::from_hours(24 * 360)).unwrap());
    assert_eq!(scene.names().len(), 9, "not a year old");
    prune(now().checked_add(SignedDuration::from_hours(24 * 366)).unwrap());
    assert_eq!(scene.names().len(), 0, "no snapshot is left of it");
}

/// Names tell the storage nothing about machines, and no two repositories have the same.
#[test]
fn names_do_not_tell_which_machine_it_is() {
    let (one, other) = (Scene::new(), Scene::new());
    one.keep(text_of(1), now());
    let machine = one.repo().machine();
    let series = |repo: &Repo| repo.store.record_series(&machine, &[1]);
    assert_ne!(series(&one.repo()), series(&other.repo()));
    assert_ne!(
        one.repo().store.record_series(&machine, &[2]),
        series(&one.repo())
    );
    let hex: String = machine.iter().map(|byte| format!("{byte:02x}")).collect();
    let stored = contents(&one.memory).unwrap();
    assert!(stored.iter().all(|(name, _)| !name.id().contains(&hex[..16])));
    let _: &RepoId = one.repo().store.id();
}
