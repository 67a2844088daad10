//! Tests of events, messages, the queue and the time limit, without any server.

use super::channel::{Attempt, Channel, ChannelKind, Unsent, limited};
use super::event::{Ending, Event, SentState, UsedByRemote, is_time_for_usage};
use super::message::{Level, Message, put};
use super::queue::Queue;
use super::recipients::Outgoing;
use crate::catalogue::Lang;
use crate::history::HistoryRow;
use crate::history::problems::ProblemRow;
use crate::settings::values::NotifyOn;
use crate::status::Status;
use engine::monitor::{Problem, ProblemKind};
use engine::run::LocalDirs;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ending(status: Status, is_retry: bool) -> Ending {
    let mut row = HistoryRow {
        id: "20261127-000000-0001".to_string(),
        start: at("2026-11-27T00:00:00Z"),
        ..HistoryRow::default()
    };
    row.ended(status, at("2026-11-27T00:01:00Z"));
    Ending {
        set: "docs".to_string(),
        completed: status == Status::Completed,
        is_retry,
        failure: None,
        row,
    }
}

/// Status, whether it is a retry, and what is sent about it.
type Week = [(Status, bool, &'static str)];

#[test]
fn one_word_for_each_run() {
    use NotifyOn::{Always, Failure, Never};
    use Status::{Completed, Network, OutOfSpace};
    let weeks: [(Option<NotifyOn>, &Week); 4] = [
        (
            None,
            &[
                (Completed, false, ""),
                (Network, false, "incomplete"),
                (Network, true, ""),
                (OutOfSpace, true, "incomplete"),
                (OutOfSpace, false, "incomplete"),
                (Completed, false, "recovered"),
                (Completed, false, ""),
            ],
        ),
        (
            Some(Failure),
            &[(Network, true, "incomplete"), (Completed, true, "recovered")],
        ),
        (
            Some(Always),
            &[
                (Completed, false, "completed"),
                (Network, false, "incomplete"),
                (Network, true, "incomplete"),
                (Completed, false, "recovered"),
                (Completed, false, "completed"),
            ],
        ),
        (Some(Never), &[(Network, false, ""), (Completed, false, "")]),
    ];
    for (on, runs) in weeks {
        let mut sent = SentState::default();
        for (nr, (status, is_retry, want)) in runs.iter().enumerate() {
            let event = sent.run_ended(on, ending(*status, *is_retry));
            let got = event.as_ref().map_or("", Event::word);
            assert_eq!(got, *want, "{on:?} {nr}");
        }
    }
}

#[test]
fn overdue_twice_and_then_recovered() {
    let mut sent = SentState::default();
    let limits = (Span::new().days(3), Some(Span::new().days(7)));
    let mut look = |since: &str, now: &str| {
        let now = at(now).to_zoned(TimeZone::UTC);
        sent.overdue("docs", (at(since), false), limits, &now).is_some()
    };
    let since = "2026-11-01T12:00:00Z";
    assert!(!look(since, "2026-11-04T11:59:00Z"));
    assert!(look(since, "2026-11-04T12:00:00Z"));
    assert!(!look(since, "2026-11-11T11:59:00Z"));
    assert!(look(since, "2026-11-11T12:00:00Z"));
    for now in [
        "2026-11-20T12:00:00Z",
        "2027-11-20T12:00:00Z",
        "2026-01-01T00:00:00Z",
    ] {
        assert!(!look(since, now), "{now}");
    }
    // Another backup, and then none again.
    let since = "2027-12-01T12:00:00Z";
    assert!(!look(since, "2027-12-02T12:00:00Z") && look(since, "2027-12-05T12:00:00Z"));
    let event = sent.run_ended(None, ending(Status::Completed, false));
    assert_eq!(event.as_ref().map(Event::word), Some("recovered"));
    assert_eq!(sent, SentState::default());
    // Without a second time there is one warning.
    let now = at("2028-12-01T12:00:00Z").to_zoned(TimeZone::UTC);
    let mut look = || sent.overdue("docs", (at(since), false), (Span::new().days(3), None), &now);
    assert!(look().is_some() && look().is_none());
}

fn problem(nr: u64) -> Problem {
    Problem {
        path: format!("/home/<b>&/a\nb{nr}").into_bytes(),
        what: ProblemKind::SourceMissing { errno: 2 },
    }
}

#[test]
fn a_message_in_both_languages() {
    let mut ending = ending(Status::Network, false);
    ending.row.problems = 25;
    ending.row.files = 1234;
    ending.row.bytes = 1 << 20;
    let problems: Vec<ProblemRow> = (0..25).map(|nr| ProblemRow::from(&problem(nr))).collect();
    let event = Event::Ended(ending);
    let en = put(Lang::En, "pc1", &event, &problems);
    assert_eq!(en.title, "[dedup] pc1: backup of docs incomplete (network)");
    assert_eq!((en.event.as_str(), en.level), ("incomplete", Level::Error));
    for part in [
        "Machine",
        "pc1",
        "1,234 files, 1",
        "25",
        "15 more",
        "dedup history 2026",
    ] {
        assert!(en.text.contains(part), "{part}\n{}", en.text);
    }
    assert!(!en.text.contains("a\nb"), "control characters are escaped");
    assert!(
        en.html.contains("&lt;b&gt;&amp;") && !en.html.contains("<b>"),
        "{}",
        en.html
    );
    let ja = put(Lang::Ja, "pc1", &event, &problems);
    assert_eq!(
        ja.title,
        "[dedup] pc1: docs のバックアップ: 未完了 (ネットワーク)"
    );
    assert!(ja.text.contains("コンピューター  pc1") && ja.html.contains("lang=\"ja\""));
    for lang in Lang::ALL {
        for event in [
            Event::Test,
            Event::Overdue {
                set: "docs".to_string(),
                since: at("2026-11-01T12:00:00Z"),
                never: true,
            },
        ] {
            let message = put(lang, "pc1\r\nBcc: x@y", &event, &[]);
            assert!(!message.title.contains(['\r', '\n']), "{}", message.title);
            assert_eq!(message.title.is_ascii(), lang == Lang::En);
        }
    }
}

/// Sends to a list; those named in `bad` can't be reached.
#[derive(Clone, Default)]
struct Fake {
    sent: Arc<Mutex<Vec<String>>>,
    tried: Arc<Mutex<u32>>,
    bad: Arc<Mutex<Option<Unsent>>>,
}

impl Channel for Fake {
    fn prepare(&self, message: &Message) -> Result<Attempt, Unsent> {
        let (fake, title) = (self.clone(), format!("{}{}", message.title, message.text.len()));
        Ok(Box::new(move || {
            *fake.tried.lock().unwrap() += 1;
            match fake.bad.lock().unwrap().clone() {
                Some(unsent) => Err(unsent),
                None => {
                    fake.sent.lock().unwrap().push(title);
                    Ok(())
                }
            }
        }))
    }
}

#[test]
fn usage_once_a_month() {
    let dir = tempfile::tempdir().unwrap();
    let dirs = LocalDirs {
        cache: dir.path().join("cache"),
        state: dir.path().to_path_buf(),
    };
    let says = |text: &str| is_time_for_usage(&dirs, &at(text).to_zoned(TimeZone::UTC));
    assert!(!says("2026-11-27T00:00:00Z"), "it was turned on just now");
    assert!(!says("2026-11-30T23:59:00Z") && says("2026-12-01T00:00:00Z"));
    assert!(!says("2026-12-01T00:05:00Z") && !says("2026-10-01T00:00:00Z"));
    assert!(says("2027-02-03T00:00:00Z"), "the machine was off for a while");
    // Where nothing can be noted it would be said at every look.
    std::fs::remove_dir_all(dir.path().join("notify")).unwrap();
    std::fs::write(dir.path().join("notify"), "").unwrap();
    assert!(!says("2027-03-01T00:00:00Z") && !says("2027-04-01T00:00:00Z"));
}

#[test]
fn usage_in_both_languages() {
    let one = |name: &str, used, quota| UsedByRemote {
        name: name.to_string(),
        used,
        quota,
        growth_per_week: used.map(|_| 1 << 30),
        full_at: quota.map(|_| at("2027-03-01T12:00:00Z")),
    };
    let remotes = vec![one("main", Some(3 << 30), Some(5 << 30)), one("far", None, None)];
    let event = Event::Usage { remotes };
    let en = put(Lang::En, "host", &event, &[]);
    assert_eq!((en.event.as_str(), en.level), ("usage", Level::Info));
    for word in [
        "3.000 GiB of 5.000 GiB",
        "+1.000 GiB a week",
        "full on 2027-03-01",
        "not measured yet",
    ] {
        assert!(en.text.contains(word), "{word}: {}", en.text);
    }
    let ja = put(Lang::Ja, "host", &event, &[]);
    for word in [
        "バックアップの使用容量",
        "5.000 GiB のうち 3.000 GiB",
        "週に +1.000 GiB",
        "まだ測っていません",
    ] {
        assert!(ja.text.contains(word), "{word}: {}", ja.text);
    }
}

fn queue(dir: &Path) -> Queue {
    Queue::of(&LocalDirs {
        cache: dir.join("cache"),
        state: dir.join("state"),
    })
}

fn message(nr: usize) -> Message {
    let mut message = put(Lang::En, "pc1", &Event::Test, &[]);
    message.title = format!("{nr}:");
    message.text = String::new();
    message
}

#[test]
fn what_waits_is_sent_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let queue = queue(dir.path());
    let fake = Fake::default();
    *fake.bad.lock().unwrap() = Some(Unsent::down("no route"));
    let one = Outgoing::new(ChannelKind::Mail, Some("a@b"), Box::new(fake.clone()));
    let channels = [one];
    for nr in 0..3 {
        queue.add(&channels[0].address(), &message(nr)).unwrap();
    }
    let start = at("2026-11-27T00:00:00Z");
    let failed = queue.send(&channels, start, true);
    assert_eq!(
        (failed[0].name.as_str(), failed[0].why.as_str()),
        ("mail a@b", "no route")
    );
    assert_eq!(*fake.tried.lock().unwrap(), 1, "the others would fare no better");
    // Looks in the pause after it don't try, unless there is something new.
    assert!(
        queue
            .send(&channels, at("2026-11-27T00:04:00Z"), false)
            .is_empty()
    );
    assert_eq!(*fake.tried.lock().unwrap(), 1);
    queue.send(&channels, at("2026-11-27T00:05:00Z"), false);
    assert_eq!(*fake.tried.lock().unwrap(), 2);
    let waiting = queue.waiting();
    assert_eq!((waiting.messages, waiting.channels[0].tries), (3, 2));
    *fake.bad.lock().unwrap() = None;
    assert!(
        queue
            .send(&channels, at("2026-11-27T00:14:00Z"), false)
            .is_empty()
    );
    assert!(!queue.is_empty(), "the pause is twice as long");
    queue.send(&channels, at("2026-11-27T00:15:00Z"), false);
    queue.send(&channels, at("2026-11-27T00:16:00Z"), false);
    assert_eq!(*fake.sent.lock().unwrap(), ["0:0", "1:0", "2:0"]);
    assert_eq!(queue.waiting(), super::queue::Waiting::default());
}

#[test]
fn a_recipient_that_is_refused_keeps_nothing_from_others() {
    let dir = tempfile::tempdir().unwrap();
    let queue = queue(dir.path());
    let (bad, good) = (Fake::default(), Fake::default());
    *bad.bad.lock().unwrap() = Some(Unsent::refused("no such user"));
    let channels = [
        Outgoing::new(ChannelKind::Mail, Some("bad@b"), Box::new(bad.clone())),
        Outgoing::new(ChannelKind::Mail, Some("good@b"), Box::new(good.clone())),
    ];
    for nr in 0..2 {
        for channel in &channels {
            queue.add(&channel.address(), &message(nr)).unwrap();
        }
    }
    let now = at("2026-11-27T00:00:00Z");
    assert_eq!(queue.send(&channels, now, true).len(), 1);
    assert_eq!(
        (*bad.tried.lock().unwrap(), good.sent.lock().unwrap().len()),
        (1, 2)
    );
    // An address that is taken out of the settings gets nothing any more.
    queue.send(&channels[1..], now, true);
    assert!(queue.is_empty() && queue.waiting().channels.is_empty());
}

#[test]
fn the_oldest_are_dropped_with_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let queue = queue(dir.path());
    let fake = Fake::default();
    let channels = [Outgoing::new(ChannelKind::Webhook, None, Box::new(fake.clone()))];
    for nr in 0..103 {
        queue.add(&channels[0].address(), &message(nr)).unwrap();
    }
    let waiting = queue.waiting();
    assert_eq!((waiting.messages, waiting.dropped), (100, 3));
    queue.send(&channels, at("2026-11-27T00:00:00Z"), true);
    let sent = fake.sent.lock().unwrap();
    assert_eq!(sent.len(), 100);
    assert!(
        sent[0].starts_with("3:") && sent[0] != "3:0",
        "it has the note: {}",
        sent[0]
    );
    assert_eq!(sent[1], "4:0");
}

#[cfg(unix)]
#[test]
fn what_waits_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let queue = queue(dir.path());
    let channels = [Outgoing::new(
        ChannelKind::Webhook,
        None,
        Box::new(Fake::default()),
    )];
    queue.add(&channels[0].address(), &message(0)).unwrap();
    let folder = dir.path().join("state/notify/queue");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    // What makes no sense is not kept for ever.
    std::fs::write(&file, "{").unwrap();
    queue.send(&channels, at("2026-11-27T00:00:00Z"), true);
    assert!(queue.is_empty());
}

#[test]
fn an_attempt_has_a_time_limit() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let hangs: Attempt = Box::new(move || {
        let _ = held.recv();
        Ok(())
    });
    let unsent = limited(Duration::from_millis(50), hangs).unwrap_err();
    assert!(unsent.is_down && unsent.why.contains("no answer"), "{unsent:?}");
    drop(hold);
    assert_eq!(limited(Duration::from_secs(60), Box::new(|| Ok(()))), Ok(()));
}
