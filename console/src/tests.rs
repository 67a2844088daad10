//! Requests to the whole router, without a network: what is refused, and what is answered.

mod everyday;
pub mod kit;
mod refused;
mod restoring;
mod secure;
mod setting_up;
mod setup_refused;
mod space;

use crate::api;
use crate::gate::Neighbour;
use kit::{Console, PASSWORD, body, run};
use serde_json::Value;
use std::fs;
use std::time::Duration;

#[test]
fn the_first_visit() {
    run(async {
        let console = Console::new("");
        let page = console.get("/").await;
        assert_eq!((page.status, page.location.as_str()), (303, "/login"));
        let page = console.get("/login").await;
        assert!(
            page.text.contains("dedup console"),
            "it says where the link is: {}",
            page.text
        );
        let link = console.app.gate.new_link(std::time::Instant::now()).unwrap();
        let wrong = console
            .post(
                "/start",
                &[("link", "x"), ("password", PASSWORD), ("again", PASSWORD)],
            )
            .await;
        assert_eq!(wrong.status, 403);
        let differ = console
            .post(
                "/start",
                &[("link", &link), ("password", PASSWORD), ("again", "x")],
            )
            .await;
        assert!(
            differ.status == 403 && differ.text.contains("differ"),
            "{}",
            differ.text
        );
        let set = console
            .post(
                "/start",
                &[("link", &link), ("password", PASSWORD), ("again", PASSWORD)],
            )
            .await;
        assert_eq!((set.status, set.location.as_str()), (303, "/"));
        let cookie = &set.cookies[0];
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
            "{cookie}"
        );
        let again = console
            .post(
                "/start",
                &[("link", &link), ("password", PASSWORD), ("again", PASSWORD)],
            )
            .await;
        assert_eq!(again.status, 403, "it works once");
        let inside = console.get_as(&set.session(), "/").await;
        assert!(
            inside.status == 200 && inside.text.contains("No set yet"),
            "{}",
            inside.text
        );
    });
}

#[test]
fn logging_in_and_out() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        assert_eq!(console.get_as(&session, "/").await.status, 200);
        let wrong = console.post("/login", &[("password", "wrong horse")]).await;
        assert!(wrong.status == 403 && wrong.cookies.is_empty());
        // However slow this machine is.
        let later = std::time::Instant::now() + Duration::from_secs(3600);
        console
            .app
            .gate
            .check("wrong again", Neighbour::default(), later)
            .unwrap();
        let early = console.post("/login", &[("password", PASSWORD)]).await;
        assert_eq!(early.status, 429);
        assert!(early.headers.contains_key("retry-after"));
        let out = console.change(&session, "/logout", &[]).await;
        assert_eq!(out.location, "/login");
        assert_eq!(console.get_as(&session, "/").await.location, "/login");
    });
}

/// Every page in both languages, with and without anything to show.
#[test]
fn pages() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let before = console.get_as(&session, "/").await;
        assert!(
            before.text.contains("Waiting for the first backup"),
            "{}",
            before.text
        );
        console.back_up(&session, "docs").await;
        let id = console.rows().remove(0).id;
        for path in [
            "/",
            "/home",
            "/history",
            &format!("/history/{id}?files=all"),
            "/sets",
            "/restore",
            "/search?q=letter",
        ] {
            for lang in ["en", "ja"] {
                let cookie = format!("{session}; dedup-test-lang={lang}");
                let page = console.get_as(&cookie, path).await;
                assert_eq!(page.status, 200, "{path}: {}", page.text);
                assert!(
                    page.headers["content-security-policy"]
                        .to_str()
                        .unwrap()
                        .contains("script-src 'self'")
                );
                if path != "/home" {
                    assert!(page.text.contains(&format!("<html lang=\"{lang}\"")), "{path}");
                    // Nothing inline, and nothing from elsewhere.
                    for word in [
                        "<style",
                        " style=",
                        "onclick",
                        "javascript:",
                        "http://",
                        "https://",
                    ] {
                        assert!(!page.text.contains(word), "{path}: {word}");
                    }
                    assert_eq!(
                        page.text.matches("<script").count(),
                        page.text.matches("<script src=\"/assets/").count()
                    );
                }
            }
        }
        let home = console.get_as(&session, "/").await;
        assert!(home.text.contains("Everything is backed up"), "{}", home.text);
    });
}

#[test]
fn a_file_comes_back() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let docs = console.path("docs");
        console.back_up(&session, "docs").await;
        fs::write(docs.join("letter <b>&\"x.txt"), "changed").unwrap();
        let page = console.get_as(&session, "/restore").await;
        assert!(
            page.text.contains("letter &#60;b&#62;&#38;&#34;x.txt"),
            "{}",
            page.text
        );
        assert!(!page.text.contains("<b>&"));
        let snapshot = console.rows()[0].snapshot.clone().unwrap();
        let path = crate::fields::encoded(docs.join("letter <b>&\"x.txt").as_os_str().as_encoded_bytes());
        let place = format!("remote=main&snapshot={snapshot}&path={path}");
        let file = console.get_as(&session, &format!("/download?{place}")).await;
        assert_eq!((file.status, file.text.as_str()), (200, "Dear all"));
        assert!(
            file.headers["content-disposition"]
                .to_str()
                .unwrap()
                .starts_with("attachment")
        );
        let folder = crate::fields::encoded(docs.as_os_str().as_encoded_bytes());
        let tar = console
            .get_as(
                &session,
                &format!("/download?remote=main&snapshot={snapshot}&path={folder}"),
            )
            .await;
        assert!(
            tar.text.contains("Dear all")
                && tar.headers["content-disposition"]
                    .to_str()
                    .unwrap()
                    .contains("docs.tar")
        );
        let fields = [
            ("remote", "main"),
            ("snapshot", &snapshot),
            ("pick", &format!("f{path}")),
            ("back", "/restore"),
        ];
        assert_eq!(
            console.change(&session, "/basket/add", &fields).await.location,
            "/restore"
        );
        let out = console.path("out");
        let out = out.to_str().unwrap();
        let panel = [
            ("place", "other"),
            ("folder", out),
            ("rule", "rename"),
            ("permissions", "original"),
        ];
        let preview = console.change(&session, "/restore/preview", &panel).await;
        assert!(
            preview.text.contains("1 file (8 B) would be written"),
            "{}",
            preview.text
        );
        assert!(!console.path("out").exists(), "nothing is written yet");
        let job = console.change(&session, "/restore/go", &panel).await;
        assert!(job.location.starts_with("/restore/job/"), "{}", job.text);
        let done = console.until_ended(&session, &job.location).await;
        assert!(done.contains("1 file (8 B) restored"), "{done}");
        assert_eq!(
            fs::read_to_string(console.path("out").join("letter <b>&\"x.txt")).unwrap(),
            "Dear all"
        );
        let empty = console.change(&session, "/restore/go", &panel).await;
        assert!(
            empty.status == 400 && empty.text.contains("nothing is selected"),
            "{}",
            empty.text
        );
    });
}

#[test]
fn pausing() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let paused = console
            .change(&session, "/pause", &[("for", "4h"), ("back", "/sets")])
            .await;
        assert_eq!(paused.location, "/sets");
        let home = console.get_as(&session, "/").await;
        assert!(home.text.contains("Paused until"), "{}", home.text);
        let resumed = console.change(&session, "/api/resume", &[]).await;
        assert_eq!(resumed.json()["was_paused"], true);
        assert_eq!(
            console
                .change(&session, "/pause", &[("for", "soon")])
                .await
                .status,
            400
        );
    });
}

#[test]
fn what_a_command_started_is_seen() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let before = console.seen();
        let journal = service::history::journal::Journal::of(&console.app.context().unwrap().dirs().unwrap());
        let job = service::history::JobInfo {
            set: Some("docs".to_string()),
            ..service::history::JobInfo::of(service::history::JobKind::Backup)
        };
        let (row, live) = journal.begin(&job, jiff::Timestamp::now()).unwrap();
        assert_ne!(console.seen()["mark"], before["mark"]);
        let home = console.get_as(&session, "/").await;
        assert!(
            home.text.contains("Backing up now") && home.text.contains("started by a command"),
            "{}",
            home.text
        );
        let stopped = console.change(&session, "/stop", &[("row", &row.id)]).await;
        assert_eq!(stopped.status, 303);
        assert!(journal.is_asked_to_stop(&row.id));
        journal.withdraw(Some(live));
        assert_eq!(console.seen()["mark"], before["mark"]);
    });
}

/// Whatever a command did makes pages out of date: any job, and what is learnt of a destination.
#[test]
fn what_a_command_did_is_seen() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        for page in ["/", "/history", "/sets", "/destinations"] {
            let page = console.get_as(&session, page).await;
            assert!(page.text.contains(" data-live"), "{}", page.text);
        }
        let mut before = console.seen()["mark"].clone();
        let mut changed = async |job: fn(&service::Context)| {
            let context = console
                .app
                .context_at("main", console.app.cancel().child())
                .unwrap();
            tokio::task::spawn_blocking(move || job(&context)).await.unwrap();
            let now = console.seen()["mark"].clone();
            assert_ne!(now, before);
            assert_eq!(now, console.seen()["mark"], "once");
            before = now;
        };
        changed(|context| {
            let request = service::check::Request {
                read_data: service::check::ReadData::None,
                snapshots: Vec::new(),
            };
            service::check::run(context, &request, &service::face::Nobody).unwrap();
        })
        .await;
        changed(|context| {
            let remote = context.settings.named("main").unwrap();
            service::usage::measure(context, remote).unwrap();
        })
        .await;
    });
}

/// Settings that can't be read are said on every page; once they are mended, all is well.
#[test]
fn settings_are_read_anew() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let file = console.path("config/dedup/dedup.toml");
        let good = fs::read_to_string(&file).unwrap();
        fs::write(&file, "[sets.docs]\nsauces = []\n").unwrap();
        let broken = console.get_as(&session, "/").await;
        assert!(
            broken.status == 400 && broken.text.contains("sauces"),
            "{}",
            broken.text
        );
        fs::write(&file, good.replace("sets.docs", "sets.papers")).unwrap();
        let mended = console.get_as(&session, "/").await;
        assert!(
            mended.status == 200 && mended.text.contains("papers"),
            "{}",
            mended.text
        );
    });
}

#[test]
fn events() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let answer = console.raw(kit::get("/live").header("cookie", &session)).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut events = answer.into_body().into_data_stream();
        let next = async || {
            use futures_util::StreamExt;
            let piece = tokio::time::timeout(Duration::from_secs(60), events.next()).await;
            String::from_utf8(piece.unwrap().unwrap().unwrap().to_vec()).unwrap()
        };
        let mut next = next;
        let first = next().await;
        assert!(
            first.contains("event: seen") && first.contains("\"jobs\":[]"),
            "{first}"
        );
        console.change(&session, "/pause", &[("for", "1h")]).await;
        assert!(next().await.contains("event: seen"));
    });
}

/// A browser with many tabs (a program that kept a connection for each stopped answering at the fourth).
#[test]
fn many_tabs() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let mut streams = Vec::new();
        for _ in 0..12 {
            let answer = console.raw(kit::get("/live").header("cookie", &session)).await;
            assert_eq!(answer.status(), 200);
            streams.push(answer);
        }
        assert_eq!(console.get_as(&session, "/").await.status, 200);
    });
}

/// `docs/console-api.md` describes every address, and there is no other.
#[test]
fn addresses_are_documented() {
    run(async {
        let page =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/console-api.md")).unwrap();
        let headings: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## `"))
            .collect();
        let want: Vec<String> = api::ADDRESSES
            .iter()
            .map(|(method, path)| format!("{method} {path}`"))
            .collect();
        assert_eq!(headings, want);
        let router = include_str!("router.rs");
        assert_eq!(router.matches("\"/api/").count(), want.len());
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        let row = console.rows().remove(0);
        let place = format!("remote=main&snapshot={}&path=/", row.snapshot.unwrap());
        for (method, path) in api::ADDRESSES {
            if method == "POST" {
                continue;
            }
            let path = path.replace("{id}", &row.id);
            let answer = console.get_as(&session, &format!("{path}?{place}")).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            let object = answer.json();
            for (name, value) in object.as_object().unwrap() {
                assert!(
                    page.contains(&format!("`{name}`")),
                    "{path}: {name} is not documented"
                );
                for row in value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_object)
                {
                    let of_command = ["history", "node", "set", "file"];
                    let known = row.get("message_type").and_then(Value::as_str);
                    let is_known =
                        known.is_some_and(|kind| of_command.contains(&kind)) || row.contains_key("tree");
                    let is_documented = row.keys().all(|name| page.contains(&format!("`{name}`")));
                    assert!(is_known || is_documented, "{path}: {row:?}");
                }
            }
        }
        assert!(
            body(&console, &session, "/api/nothing")
                .await
                .contains("no such address")
        );
    });
}
