//! The fourth golden repository: what two machines recorded about themselves, one of which has a snapshot.

use super::replicas::{NOW, by_hand, create, digest, open, place};
use super::sound;
use chunkstore::remote::{Kind, Local, Memory, Remote};
use engine::machines::{self, MachineRecord, MachineState, PathTag, RecordContent, SetRecord};
use engine::order;
use kit::machine::{self, Machine, copy_dir};
use kit::remotes::{contents, listed};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SOURCE: &str = "/tmp/dedup-golden-records/source";
const LARGEST: u64 = 30_000;
const SETTINGS: &str = "[sets.documents]\npaths = [\"~/Documents\"]\n";
const OF_WORK: &str = "[sets.\"büro\"]\npaths = [\"/srv/büro\"]\n";
/// Hosts and ids of the machines.
const MACHINES: [(&str, [u8; 16]); 2] = [("alpha", [0xa1; 16]), ("beta", [0xb2; 16])];

/// What a machine recorded last, by profile.
fn recorded(host: &str) -> Vec<(&'static str, RecordContent)> {
    let settings = |text: &str| RecordContent::Settings(text.to_string());
    match host {
        "alpha" => vec![
            ("", settings(SETTINGS)),
            ("", RecordContent::State(state(true))),
            ("", RecordContent::PathTags(path_tags())),
            ("work", settings(OF_WORK)),
        ],
        _ => vec![("", RecordContent::State(state(false)))],
    }
}

fn state(has_run: bool) -> MachineState {
    let mut sets = vec![SetRecord {
        name: "documents".to_string(),
        next_run: Some(NOW + 3600),
        ..SetRecord::default()
    }];
    if has_run {
        sets.push(SetRecord {
            name: "büro".to_string(),
            last_run: Some(NOW - 60),
            status: "failed".to_string(),
            detail: Some("no space left".to_string()),
            last_success: Some(NOW - 86_460),
            next_run: None,
        });
    }
    MachineState {
        sets,
        last_check: has_run.then_some(NOW - 7200),
        last_restore: None,
        program: "dedup 0.1.0".to_string(),
    }
}

/// One that a path has, and one that was taken away.
fn path_tags() -> Vec<PathTag> {
    let tag = |tag: &str, time, is_there| PathTag {
        host: "alpha".to_string(),
        path: "/srv/büro/Ordner".into(),
        tag: tag.to_string(),
        time,
        is_there,
    };
    vec![tag("taxes", NOW - 5, true), tag("重要", NOW - 3, false)]
}

/// All that machines recorded last, in the order of `(host, profile, subject)`.
fn all_recorded() -> Vec<MachineRecord> {
    let of_machine = |(host, machine): (&'static str, [u8; 16])| {
        recorded(host)
            .into_iter()
            .map(move |(profile, content)| MachineRecord {
                machine,
                host: host.to_string(),
                profile: profile.to_string(),
                time: order::at(NOW),
                content,
            })
    };
    MACHINES.into_iter().flat_map(of_machine).collect()
}

fn sorted(mut records: Vec<MachineRecord>) -> Vec<MachineRecord> {
    let subject = |record: &MachineRecord| match record.content {
        RecordContent::Settings(_) => 1,
        RecordContent::State(_) => 2,
        RecordContent::PathTags(_) => 3,
    };
    records.sort_by_key(|record| (record.host.clone(), record.profile.clone(), subject(record)));
    records
}

#[test]
fn records_of_machines_are_read_and_collected() {
    let work = tempfile::tempdir().unwrap();
    copy_dir(&place("records"), &work.path().join("records"));
    let remote: Arc<dyn Remote> = Arc::new(Local::new(work.path().join("records")));
    let repo = open(&Machine::new("reader"), &remote);
    let expected = fs::read_to_string(place("expected-records")).unwrap();
    assert_eq!(digest(&repo), expected, "not as it was");
    sound(&repo, "as found");
    let read = || {
        let found = machines::newest(&repo).unwrap();
        assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
        sorted(found.newest)
    };
    assert_eq!(read(), all_recorded());
    for _ in 0..2 {
        machine::prune(&repo, Duration::ZERO).unwrap();
    }
    // What a machine without a snapshot recorded years ago goes.
    let mut left = all_recorded();
    left.retain(|record| record.host == "alpha");
    assert_eq!(read(), left);
    assert_eq!(digest(&repo), expected, "after a collection");
    sound(&repo, "after a collection");
}

#[test]
fn records_of_machines_are_read_by_hand() {
    let text = by_hand("records").text;
    let count = |what: &str| text.matches(what).count();
    // The settings of one machine were recorded twice.
    assert_eq!((count("\nrecord "), count("\n  settings ")), (6, 3), "{text}");
    for line in [
        format!("machine {}, host alpha, profile \"\", time {NOW}\n", "a1".repeat(16)),
        format!("machine {}, host alpha, profile \"work\", time {NOW}\n", "a1".repeat(16)),
        format!("machine {}, host beta, profile \"\", time {NOW}\n", "b2".repeat(16)),
        format!("  settings {SETTINGS:?}\n"),
        format!("  settings {OF_WORK:?}\n"),
        "  set documents: last run None \"\", reason None, last success None, next Some(1700003600)\n".to_string(),
        "  set büro: last run Some(1699999940) \"failed\", reason Some(\"no space left\"), last success Some(1699913540), \
         next None\n"
            .to_string(),
        "  tag \"taxes\" of /srv/büro/Ordner on alpha, time 1699999995, there true\n".to_string(),
        "  tag \"重要\" of /srv/büro/Ordner on alpha, time 1699999997, there false\n".to_string(),
        "  checked Some(1699992800), restored None, program dedup 0.1.0\n".to_string(),
        "  checked None, restored None, program dedup 0.1.0\n".to_string(),
    ] {
        assert!(text.contains(&line), "{line}is not in\n{text}");
    }
}

// How it is made.

#[test]
#[ignore = "writes tests/golden/v1/records"]
fn regenerate_golden_records() {
    let _not_there = fs::remove_dir_all(place("records"));
    let _not_there = fs::remove_dir_all(Path::new(SOURCE).parent().unwrap());
    fs::create_dir_all(SOURCE).unwrap();
    fs::write(Path::new(SOURCE).join("letter"), b"Dear reader").unwrap();
    let memory = Memory::new();
    create(&memory, None);
    let remote: Arc<dyn Remote> = Arc::new(memory.clone());
    for (host, id) in MACHINES {
        let machine = Machine::new(host);
        fs::create_dir_all(machine.dirs().state).unwrap();
        fs::write(machine.dirs().state.join("machine"), id).unwrap();
        if host == "alpha" {
            machine.backup(remote.clone(), Path::new(SOURCE)).unwrap();
        }
        let repo = open(&machine, &remote);
        if host == "alpha" {
            let before = RecordContent::Settings("# nothing yet\n".to_string());
            machines::keep(&repo, "", &[before], order::at(NOW - 1)).unwrap();
        }
        for (profile, content) in recorded(host) {
            assert_eq!(
                machines::keep(&repo, profile, &[content], order::at(NOW)).unwrap(),
                1
            );
        }
    }
    assert_eq!(listed(&memory, Kind::Machine).unwrap().len(), 6);
    let folder = Local::new(place("records"));
    let mut size = 0;
    for (object, bytes) in contents(&memory).unwrap() {
        folder.put(&object, &bytes).unwrap();
        size += bytes.len() as u64;
    }
    assert!(size < LARGEST, "{size} bytes are too many to keep");
    let _nothing = fs::remove_dir_all(place("records").join("tmp"));
    fs::write(
        place("expected-records"),
        digest(&open(&Machine::new("reader"), &remote)),
    )
    .unwrap();
    fs::remove_dir_all(Path::new(SOURCE).parent().unwrap()).unwrap();
}
