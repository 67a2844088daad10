//! Tags on files and directories: who has them, what finds them, how several machines change them, and what is stored.

use chunkstore::id::RecordName;
use chunkstore::remote::{Memory, ObjectName, Remote};
use engine::machines::{self, RecordContent};
use engine::monitor::Quiet;
use engine::path_tags::{self, PathTagChange, PathTagEdit, PathTags};
use engine::repo::Repo;
use engine::{GcPolicy, StoreError, Unused, prune};
use jiff::Timestamp;
use kit::machine::{self, Machine};
use kit::program::{Home, Run, number};
use kit::remotes::Refusing;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/plan", "plan");
    home.write("docs/contracts/a", "a");
    home.write("docs/contracts/b", "b");
    home
}

fn paths(run: &Run) -> Vec<Value> {
    let mut rows = run.objects();
    rows.retain(|row| row["message_type"] == "tagged_path");
    rows
}

/// The paths that a search finds, each once.
fn found(home: &Home, args: &[&str]) -> Vec<String> {
    let rows = home.ok(&[&["find", "--json"], args].concat()).objects();
    let matches = rows
        .iter()
        .flat_map(|row| row["matches"].as_array().unwrap().clone());
    let mut found: Vec<String> = matches
        .map(|one| one["path"].as_str().unwrap().to_string())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn files_have_tags_in_all_snapshots() {
    let home = home();
    home.ok(&["backup", "docs", "--tag", "office"]);
    let ids = home.snapshots();
    let (plan, contracts) = (home.text("docs/plan"), home.text("docs/contracts"));
    let dry = home.ok(&["tag", "--on", "docs/plan", "--add", "urgent", "-n"]);
    assert!(dry.out.contains("Dry run: the tags of 1 path"), "{}", dry.out);
    assert!(paths(&home.ok(&["tag", "--list", "--json"])).is_empty());
    let done = home.ok(&["tag", "--on", "docs/plan", "--add", "urgent,2026", "--json"]);
    assert_eq!(paths(&done)[0]["tags"], json!(["2026", "urgent"]));
    assert_eq!(number(&done.summary(), "changed_paths"), 1);
    home.ok(&[
        "tag",
        "--on",
        "docs/contracts",
        "--on",
        "docs/plan",
        "--add",
        "law",
    ]);
    assert_eq!(home.snapshots(), ids, "no snapshot is changed by it");
    home.write("docs/contracts/c", "c");
    home.ok(&["backup", "docs"]);

    let list = home.ok(&["tag", "--list"]);
    assert!(list.out.contains(&format!(":{contracts}  [law]")), "{}", list.out);
    assert!(
        list.out.contains(&format!(":{plan}  [2026, law, urgent]")),
        "{}",
        list.out
    );
    assert_eq!(
        paths(&home.ok(&["tag", "--list", "--tag", "2026", "--json"])).len(),
        1
    );
    assert!(paths(&home.ok(&["tag", "--list", "--host", "nobody", "--json"])).is_empty());

    assert_eq!(found(&home, &["--tag", "law"]), [contracts.clone(), plan.clone()]);
    assert_eq!(
        found(&home, &["--tag", "law,urgent"]),
        std::slice::from_ref(&plan)
    );
    let below: Vec<String> = ["a", "b", "c"].map(|name| format!("{contracts}/{name}")).into();
    assert_eq!(found(&home, &["--tag", "law", "?"]), below);
    // Tags of snapshots are as ever.
    assert_eq!(found(&home, &["--tag", "office", "?"]), below[..2]);
    home.ends(1, &["find", "--tag", "office"])
        .says(&["office", "tag --list"]);
    home.ends(2, &["find"]);

    let node = home
        .ok(&["ls", "latest~1", "docs/plan", "--json"])
        .objects()
        .remove(1);
    assert_eq!(node["tags"], json!(["2026", "law", "urgent"]));
    let long = home.ok(&["ls", "-l", "docs"]);
    assert!(long.out.contains("docs/contracts  [law]"), "{}", long.out);
    let find = home.ok(&["find", "-l", "plan"]);
    assert!(
        find.out.contains("docs/plan  [2026, law, urgent]"),
        "{}",
        find.out
    );

    home.ok(&["tag", "--on", "docs/plan", "--remove", "urgent"]);
    assert!(home.run(&["find", "--tag", "urgent"]).code == 1);
    home.ok(&["tag", "--on", "docs/plan", "--set", "new"]);
    assert_eq!(
        paths(&home.ok(&["tag", "--list", "--tag", "new", "--json"]))[0]["tags"],
        json!(["new"])
    );
    home.ok(&["tag", "--on", "docs/plan", "--set", ""]);
    assert_eq!(paths(&home.ok(&["tag", "--list", "--json"])).len(), 1);
    home.ends(2, &["tag", "--on", "docs/plan"]);
    home.ends(2, &["tag", "latest", "--on", "docs/plan", "--add", "x"]);
    home.ok(&["check", "--read-data"]);
}

/// The same path of another machine has none of them, and a replica has them all.
#[test]
fn tags_are_those_of_a_host_and_go_to_replicas() {
    let home = home();
    home.ok(&["backup", "docs"]);
    home.run_with(&[("DEDUP_HOST", "other")], &["backup", "docs"])
        .ends(0);
    home.ok(&["tag", "--on", "docs/plan", "--add", "mine"]);
    home.ok(&["tag", "--on", "docs/plan", "--add", "theirs", "--host", "other"]);
    let rows = |tag: &str| home.ok(&["find", "--tag", tag, "--json"]).objects();
    assert_eq!((rows("mine").len(), rows("theirs").len()), (1, 1));
    assert_ne!(rows("mine")[0]["snapshot"], rows("theirs")[0]["snapshot"]);
    home.ok(&["remote", "add", "copy", "replica"]);
    home.ok(&["replicate"]);
    let there = home.ok(&["-r", "copy", "tag", "--list", "--json"]);
    assert_eq!(paths(&there).len(), 2);
    // A machine that has never tagged anything removes what another one said.
    std::fs::remove_dir_all(home.path(".local/state/dedup")).unwrap();
    home.ok(&["tag", "--on", "docs/plan", "--remove", "mine"]);
    assert_eq!(paths(&home.ok(&["tag", "--list", "--json"])).len(), 1);
    home.ok(&["tag", "--on", "docs/plan", "--add", "mine"]);
    assert_eq!(rows("mine").len(), 1);
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn of_x(edit: PathTagEdit) -> PathTagChange {
    PathTagChange {
        host: "h".to_string(),
        path: b"/x".to_vec(),
        edit,
    }
}

fn adding(tag: &str) -> PathTagChange {
    let (add, remove) = (vec![tag.to_string()], Vec::new());
    of_x(PathTagEdit::Edit { add, remove })
}

fn removing(tag: &str) -> PathTagChange {
    let (add, remove) = (Vec::new(), vec![tag.to_string()]);
    of_x(PathTagEdit::Edit { add, remove })
}

/// Two machines at once, and what seem to be several processes of each: nothing that was said is lost.
#[test]
fn changes_at_once_are_all_kept() {
    let memory = Memory::new();
    machine::create_small(&memory).unwrap();
    let remote: Arc<dyn Remote> = Arc::new(memory);
    let machines = [Machine::new("alpha"), Machine::new("beta")];
    let repos: Vec<_> = machines
        .iter()
        .map(|one| one.open(remote.clone()).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let repo = &repos[thread % 2];
            scope.spawn(move || {
                for number in 0..3 {
                    let change = adding(&format!("{thread}-{number}"));
                    path_tags::change(repo, &[change], at(5), false).unwrap();
                }
            });
        }
    });
    let tags = PathTags::read(&repos[0]).unwrap();
    assert_eq!(tags.of("h", b"/x").len(), 18);
    assert_eq!(PathTags::read(&repos[1]).unwrap().of("h", b"/x").len(), 18);
}

/// What docs/format.md says of subject 3.
#[test]
fn what_is_stored() {
    let memory = Memory::new();
    machine::create_small(&memory).unwrap();
    let machine = Machine::new("alpha");
    let repo = machine.open(Arc::new(memory)).unwrap();
    path_tags::change(&repo, &[adding("t")], at(1_000), false).unwrap();
    let [name] = repo.store.records().unwrap().try_into().unwrap();
    let body = repo.store.read_record(name).unwrap();
    let content = [
        0x81, 0x85, 0x61, b'h', 0x42, b'/', b'x', 0x61, b't', 0x19, 0x03, 0xe8, 0xf5,
    ];
    let mut wanted = vec![0x86, 0x03, 0x50];
    wanted.extend(repo.machine());
    wanted.extend([0x65, b'a', b'l', b'p', b'h', b'a', 0x60, 0x19, 0x03, 0xe8, 0x4d]);
    wanted.extend(content);
    assert_eq!(body, wanted);
    let record = machines::read(&repo.store, name).unwrap();
    assert!(matches!(record.content, RecordContent::PathTags(rows) if rows.len() == 1));
    // More than a record holds is refused, and what was there stays.
    let many: Vec<PathTagChange> = (0..60_000)
        .map(|n| adding(&format!("a tag with the number {n}")))
        .collect();
    assert!(path_tags::change(&repo, &many, at(1_001), false).is_err());
    assert_eq!(PathTags::read(&repo).unwrap().of("h", b"/x"), ["t"]);
}

/// Which tags go shows only when nobody else changes them: of several replacements at once one is left.
#[test]
fn replacements_at_once_leave_one() {
    let memory = Memory::new();
    machine::create_small(&memory).unwrap();
    let machine = Machine::new("alpha");
    let repo = machine.open(Arc::new(memory)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let repo = &repo;
            scope.spawn(move || {
                for number in 0..3 {
                    let tags = vec![format!("{thread}-{number}")];
                    let change = of_x(PathTagEdit::Replace(tags));
                    path_tags::change(repo, &[change], at(5), false).unwrap();
                }
            });
        }
    });
    assert_eq!(PathTags::read(&repo).unwrap().of("h", b"/x").len(), 1);
}

/// Two machines at a storage that can refuse to give their records.
struct Unread {
    refusing: Refusing,
    alpha: Repo,
    beta: Repo,
    _machines: [Machine; 2],
}

impl Unread {
    fn new() -> Unread {
        let memory = Memory::new();
        machine::create_small(&memory).unwrap();
        let refusing = Refusing::new(Arc::new(memory));
        let machines = [Machine::new("alpha"), Machine::new("beta")];
        let open = |machine: &Machine| machine.open(Arc::new(refusing.clone())).unwrap();
        Unread {
            alpha: open(&machines[0]),
            beta: open(&machines[1]),
            _machines: machines,
            refusing,
        }
    }

    fn records(&self) -> Vec<RecordName> {
        self.alpha.store.records().unwrap()
    }

    /// From now on exactly these can't be read.
    fn refuse(&self, names: &[RecordName]) {
        let names = names.iter().map(|name| ObjectName::machine(*name));
        self.refusing
            .refuse(names, || io::ErrorKind::PermissionDenied.into());
    }

    fn tags(&self) -> Vec<String> {
        let tags = PathTags::read(&self.alpha).unwrap();
        tags.of("h", b"/x").into_iter().map(String::from).collect()
    }
}

/// What this machine said before is part of what it says next, and would be lost.
#[test]
fn a_record_that_cannot_be_read_is_not_replaced() {
    let scene = Unread::new();
    let change = |change: PathTagChange| path_tags::change(&scene.alpha, &[change], at(10), false);
    change(adding("t")).unwrap();
    let before = scene.records();
    scene.refuse(&before);
    let error = change(adding("u")).unwrap_err();
    assert!(
        matches!(&error, engine::Error::Store(StoreError::Unreadable { .. })),
        "{error:?}"
    );
    assert_eq!(scene.records(), before);
    scene.refuse(&[]);
    assert_eq!(scene.tags(), ["t"]);
    change(adding("u")).unwrap();
    assert_eq!(scene.tags(), ["t", "u"]);
}

/// Another machine may have said the same, which can't be read now.
#[test]
fn a_tag_that_was_removed_stays_away() {
    let scene = Unread::new();
    let change = |repo: &Repo, change: PathTagChange, second: i64| {
        path_tags::change(repo, &[change], at(second), false).unwrap();
    };
    change(&scene.alpha, adding("t"), 5);
    let of_alpha = scene.records();
    scene.refuse(&of_alpha);
    change(&scene.beta, adding("t"), 6);
    change(&scene.beta, adding("u"), 6);
    let mut of_beta = scene.records();
    of_beta.retain(|name| !of_alpha.contains(name));
    scene.refuse(&of_beta);
    assert_eq!(scene.tags(), ["t"]);
    change(&scene.alpha, removing("t"), 10);
    change(&scene.alpha, removing("u"), 10);
    scene.refuse(&[]);
    assert!(scene.tags().is_empty(), "{:?}", scene.tags());
}

/// A machine without snapshots, such as one that only looks after others, may have tagged the paths of one that has some.
#[test]
fn a_prune_keeps_tags_of_hosts_with_snapshots() {
    let memory = Memory::new();
    machine::create_small(&memory).unwrap();
    let remote: Arc<dyn Remote> = Arc::new(memory);
    let machines = [Machine::new("alpha"), Machine::new("beta"), Machine::new("gamma")];
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("file"), "x").unwrap();
    machines[0].backup(remote.clone(), source.path()).unwrap();
    // Long ago, and in each case another host's.
    for (machine, tag, hosts) in [(1, "t", &["gone", "alpha"][..]), (2, "u", &["gone"][..])] {
        let repo = machines[machine].open(remote.clone()).unwrap();
        for host in hosts {
            let change = PathTagChange {
                host: host.to_string(),
                ..adding(tag)
            };
            path_tags::change(&repo, &[change], at(1_000), false).unwrap();
        }
    }
    let repo = machines[0].open(remote).unwrap();
    let series = || {
        let all = repo.store.records().unwrap().into_iter();
        let all: std::collections::BTreeSet<[u8; 8]> = all.map(|name| name.series).collect();
        all.len()
    };
    assert_eq!(series(), 2);
    let policy = GcPolicy {
        max_unused: Unused::Bytes(0),
        max_repack: u64::MAX,
    };
    prune::run(&repo, &prune::PruneOptions::new(policy), &Quiet).unwrap();
    assert_eq!(series(), 1, "what is only about hosts that are no more");
    let tags = PathTags::read(&repo).unwrap();
    assert_eq!(tags.of("alpha", b"/x"), ["t"]);
}
