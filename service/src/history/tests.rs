//! Rows that are written, read, cut short, killed and expired.

use super::journal::Journal;
use super::lines::LinesBackwards;
use super::read::HistoryQuery;
use super::record::{Recorded, Recorder};
use super::*;
use crate::catalogue::Lang;
use crate::context::Context;
use crate::env::Env;
use crate::face::{Activity, Nobody, Step};
use crate::failure::Failure;
use crate::resolve::RepositoryOptions;
use crate::settings::Settings;
use engine::monitor::{Lost, Monitor, Problem, ProblemKind};
use engine::run::{CancelToken, LocalDirs};
use std::fs;
use std::path::Path;

fn journal(dir: &Path) -> Journal {
    Journal::of(&LocalDirs {
        cache: dir.join("cache"),
        state: dir.to_path_buf(),
    })
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ended(journal: &Journal, start: &str, status: Status) -> HistoryRow {
    let mut row = JobInfo::of(JobKind::Backup).row(at(start));
    row.ended(status, at(start));
    journal.end(&row, None).unwrap();
    row
}

fn ids(journal: &Journal, limit: usize) -> Vec<String> {
    let query = HistoryQuery {
        limit,
        ..HistoryQuery::default()
    };
    journal
        .rows(&query)
        .unwrap()
        .rows
        .into_iter()
        .map(|row| row.id)
        .collect()
}

#[test]
fn newest_first_across_months() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    assert!(ids(&journal, 10).is_empty());
    let starts = [
        "2026-10-31T23:59:59Z",
        "2026-11-01T00:00:00Z",
        "2026-11-27T12:30:00Z",
    ];
    let rows: Vec<_> = starts
        .iter()
        .map(|start| ended(&journal, start, Status::Completed))
        .collect();
    let want: Vec<String> = rows.iter().rev().map(|row| row.id.clone()).collect();
    assert_eq!(ids(&journal, 10), want);
    assert_eq!(ids(&journal, 3), want);
    let query = HistoryQuery {
        limit: 2,
        ..HistoryQuery::default()
    };
    let page = journal.rows(&query).unwrap();
    assert!(page.more && page.rows == [rows[2].clone(), rows[1].clone()]);
    assert_eq!(journal.row("latest").unwrap(), rows[2]);
    assert_eq!(journal.row("20261031").unwrap(), rows[0]);
    assert!(journal.row("202611").unwrap_err().message().contains("several"));
    assert!(journal.row("2025").unwrap_err().message().contains("no row"));
}

#[test]
fn rows_are_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    ended(&journal, "2026-11-27T12:30:00Z", Status::Completed);
    ended(&journal, "2026-11-27T12:31:00Z", Status::Network);
    ended(&journal, "2026-11-27T12:32:00Z", Status::OutOfSpace);
    let count = |status: &str| {
        let query = HistoryQuery {
            limit: 10,
            status: Some(status.to_string()),
            ..HistoryQuery::default()
        };
        journal.rows(&query).unwrap().rows.len()
    };
    let found = [
        "completed",
        "incomplete",
        "network",
        "Incomplete (Network)",
        "not run",
    ]
    .map(count);
    assert_eq!(found, [1, 2, 1, 1, 0]);
}

/// A crash can leave half a row at the end: what comes then begins a new line, and what can't be read is passed over.
#[test]
fn half_a_row_hurts_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let first = ended(&journal, "2026-11-27T12:30:00Z", Status::Completed);
    let file = dir.path().join("history/2026-11.jsonl");
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend_from_slice(b"{\"id\":\"20261127-12");
    fs::write(&file, &bytes).unwrap();
    let second = ended(&journal, "2026-11-27T12:31:00Z", Status::Completed);
    assert_eq!(ids(&journal, 10), [second.id, first.id]);
}

/// The row of a process that is gone, as its lock is.
#[test]
fn killed_is_interrupted_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let start = at("2026-11-27T12:30:00Z");
    let (row, live) = journal.begin(&JobInfo::of(JobKind::Backup), start).unwrap();
    let running = journal.row("latest").unwrap();
    assert!(running.is_running() && running.id == row.id && running.end.is_none());
    journal.ask_to_stop(&row.id).unwrap();
    assert!(journal.is_asked_to_stop(&row.id));
    let file = dir.path().join("history/live").join(&row.id);
    let kept = fs::read(&file).unwrap();
    drop(live);
    for _ in 0..2 {
        let interrupted = journal.row("latest").unwrap();
        assert_eq!(interrupted.status, "incomplete");
        assert_eq!(interrupted.reason.as_deref(), Some("interrupted"));
        assert!(interrupted.end >= Some(start), "when it was last seen");
        assert_eq!(ids(&journal, 10), std::slice::from_ref(&row.id));
        assert!(!file.exists() && !journal.is_asked_to_stop(&row.id));
        // Killed between writing the row and removing this one.
        fs::write(&file, &kept).unwrap();
    }
    // Cut short, as a power cut leaves it.
    fs::write(&file, &kept[..20]).unwrap();
    assert_eq!(ids(&journal, 10), std::slice::from_ref(&row.id));
    assert!(!file.exists());
}

#[test]
fn lines_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    let lines = |bytes: &[u8]| -> Vec<usize> {
        fs::write(&path, bytes).unwrap();
        LinesBackwards::open(&path)
            .unwrap()
            .map(|line| line.unwrap().len())
            .collect()
    };
    assert!(lines(b"").is_empty() && lines(b"\n\n").is_empty());
    assert_eq!(lines(b"a\nbb\n\nccc"), [3, 2, 1]);
    let long = |n: usize| [vec![b'x'; n], vec![b'\n']].concat();
    assert_eq!(
        lines(&[long(1), long(60_000), long(60_001), long(2)].concat()),
        [2, 60_001, 60_000, 1]
    );
    // What is longer than any row is passed over, and only that.
    assert_eq!(lines(&[long(1), long(500_000), long(2)].concat()), [2, 1]);
}

#[test]
fn the_oldest_months_go() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path());
    let months = (0..30).map(|n| format!("{}-{:02}-01T00:00:00Z", 2024 + n / 12, n % 12 + 1));
    let rows: Vec<_> = months
        .map(|start| {
            let folder = dir.path().join("history").join(&start[..7]);
            fs::create_dir_all(&folder).unwrap();
            ended(&journal, &start, Status::Completed)
        })
        .collect();
    let kept = ids(&journal, 100);
    assert_eq!(kept.len(), 25);
    assert!(kept.iter().rev().eq(rows[5..].iter().map(|row| &row.id)));
    assert!(!dir.path().join("history/2024-05").exists() && dir.path().join("history/2024-06").exists());
}

fn context(state: &Path) -> Context {
    let state = state.to_str().unwrap();
    let env = Env::of(&[("DEDUP_STATE_DIR", state), ("DEDUP_CACHE_DIR", state)]);
    let now = jiff::Zoned::now();
    Context::new(
        env,
        Settings::default(),
        RepositoryOptions::default(),
        now,
        CancelToken::new(),
    )
}

fn run(context: &Context, what: &[ProblemKind]) -> (Result<Status, Failure>, HistoryRow) {
    let recorder = Recorder::new(context, &JobInfo::of(JobKind::Backup), &|| false).unwrap();
    let recorded = recorder.run(
        &Nobody,
        |face| {
            let step = Step::start(face, Activity::Backup)?;
            for what in what {
                step.problem(&Problem {
                    path: b"/a".to_vec(),
                    what: what.clone(),
                });
            }
            Ok(step.finish().status())
        },
        |status, _| *status,
    );
    (recorded.done, recorded.row)
}

#[test]
fn problems_are_kept_and_are_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let lost = ProblemKind::Lost {
        how: Lost::Unmounted,
        last_complete: 7,
    };
    let unreadable = ProblemKind::Source(engine::entry::Trouble::Unreadable { errno: 13 });
    let reason = |what: &[ProblemKind]| run(&context, what).1.reason.unwrap_or_default();
    assert_eq!(reason(&[]), "");
    assert_eq!(reason(std::slice::from_ref(&lost)), "bad settings");
    assert_eq!(reason(std::slice::from_ref(&unreadable)), "access denied");
    assert_eq!(reason(&[lost.clone(), unreadable.clone()]), "several");
    let (_, row) = run(&context, &vec![lost.clone(); 1200]);
    assert_eq!(row.problems, 1200);
    assert_eq!(row.kept_id(), Some(row.id.as_str()));
    let journal = journal(dir.path());
    let kept = journal.problems_of(&row.id).unwrap();
    assert_eq!(kept.len(), 1000);
    assert!(kept[0].item == "/a" && kept[0].en.contains("not a mounted file system any more"));
    assert!(kept[0].text(Lang::Ja) != kept[0].en && !kept[0].is_warning);
    assert!(journal.problems_of("20261127-000000-0000").unwrap().is_empty());
}

/// Nothing can be kept, and the job is done all the same.
#[test]
fn what_cannot_be_kept_does_not_matter_to_the_job() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("history"), "not a folder").unwrap();
    let (done, row) = run(&context(dir.path()), &[ProblemKind::SourceMissing { errno: 2 }]);
    assert_eq!(done, Ok(Status::Incomplete));
    assert_eq!(row.problems, 1);
    assert_eq!(row.kept_id(), None, "nobody can look it up");
}

#[test]
fn a_job_is_stopped_from_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let recorder = Recorder::new(&context, &JobInfo::of(JobKind::Backup), &|| false).unwrap();
    let journal = journal(dir.path());
    let Recorded { done, row, stopped } = recorder.run(
        &Nobody,
        |face| -> Result<(), Failure> {
            let _step = Step::start(face, Activity::Backup)?;
            journal.ask_to_stop(&journal.running().unwrap()[0].id).unwrap();
            while !context.cancel().is_cancelled() {
                std::thread::yield_now();
            }
            Err(engine::Error::Interrupted.into())
        },
        |(), _| Status::Completed,
    );
    assert!(stopped && done.unwrap_err().message().contains("dedup stop"));
    assert_eq!(row.reason.as_deref(), Some("interrupted"));
    assert!(journal.running().unwrap().is_empty());
}

#[test]
fn a_job_that_panics_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let recorder = Recorder::new(&context, &JobInfo::of(JobKind::Backup), &|| false).unwrap();
    let run = || {
        recorder.run(
            &Nobody,
            |_| -> Result<(), Failure> { panic!("a fault") },
            |(), _| Status::Completed,
        )
    };
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err();
            done.send(panicked).unwrap();
        });
        let panicked = is_done.recv_timeout(std::time::Duration::from_secs(60));
        assert_eq!(panicked, Ok(true), "it waits for ever");
    });
}

/// What programs read is in English, and always names the set.
#[test]
fn rows_for_programs() {
    let mut row = HistoryRow::default();
    row.tell(&crate::catalogue::Cause::NoSets.into());
    let object = row.for_programs();
    assert!(object["message"].is_string() && object["set"].is_null());
    assert!(object.get("set").is_some() && object.get("message_ja").is_none());
    assert_ne!(row.told(Lang::Ja), row.told(Lang::En));
}
