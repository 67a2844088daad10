//! Requests that are refused, on the side that sets up: each address without a session, with a wrong token, from
//! elsewhere, and with names that would be code or lead outside.

use super::kit::{Console, HOST, PASSWORD, get, post, run};
use crate::gate::{Gate, Neighbour, Verdict};
use axum::body::Body;
use axum::http::{Request, header};
use std::fs;
use std::time::{Duration, Instant};

const READS: [&str; 18] = [
    "/sets/new",
    "/sets/edit/docs",
    "/sets/remove/docs",
    "/destinations",
    "/destinations/new",
    "/destinations/remove/main",
    "/destinations/job/1",
    "/space?remote=main",
    "/space/exclude?remote=main&path=/a",
    "/space/purge?remote=main&path=/a",
    "/space/job/1",
    "/machines",
    "/settings",
    "/settings/file",
    "/settings/keys",
    "/settings/logs",
    "/settings/about",
    "/metrics",
];

const CHANGES: [(&str, &str); 25] = [
    ("/sets/click", "toggle=/home"),
    ("/sets/save", "name=new&sources=/x&destination=main"),
    ("/sets/remove", "name=docs"),
    ("/sets/answer/files", "sources=/"),
    ("/sets/answer/schedule", "schedule=manual"),
    ("/sets/answer/retention", "was=docs"),
    ("/sets/answer/change", "was=docs"),
    ("/destinations/test", "name=x&url=/tmp/x"),
    ("/destinations/add", "name=x&url=/tmp/x"),
    ("/destinations/measure", "remote=main"),
    ("/destinations/remove", "name=main"),
    ("/destinations/job", "remote=main&kind=prune"),
    ("/space/start", "remote=main"),
    ("/space/exclude", "remote=main&coded=/a/b&set=docs"),
    ("/space/purge", "remote=main&coded=/a"),
    ("/space/purge/go", "nr=1&typed=/a"),
    ("/settings/save", "table=limits&upload=1M"),
    ("/settings/test", ""),
    (
        "/settings/password",
        "current=correct+horse+battery&password=another+horse&again=another+horse",
    ),
    ("/settings/file", "text=&write=yes"),
    ("/settings/tokens/add", "name=x"),
    ("/settings/tokens/revoke", "name=x"),
    ("/settings/keys/check", "remote=main&phrase=a"),
    ("/settings/keys/recovery", "remote=main"),
    ("/settings/bundle", ""),
];

/// What must be as it was after every request that was refused.
fn state(console: &Console) -> (String, Vec<String>, usize) {
    let settings = fs::read_to_string(console.path("config/dedup/dedup.toml")).unwrap();
    let tokens = console.app.tokens.list().unwrap();
    let keys = fs::read_dir(console.path("data/dedup/repository/keys")).map_or(0, Iterator::count);
    (
        settings,
        tokens.into_iter().map(|token| token.name).collect(),
        keys,
    )
}

#[test]
fn nothing_is_shown_or_changed_without_a_session() {
    run(async {
        let console = Console::with_sets().await;
        console.log_in().await;
        let before = state(&console);
        for path in READS.into_iter().chain(["/settings/bundle", "/api/openapi.json"]) {
            for cookie in ["", "dedup-test=", "dedup-test=00", "other=1; dedup-test=' OR 1=1"] {
                let answer = console.get_as(cookie, path).await;
                let is_refused = answer.status == 401 || answer.location == "/login";
                assert!(is_refused, "{path} with {cookie}: {}", answer.status);
                assert!(
                    !answer.text.contains("csrf") && !answer.text.contains("docs"),
                    "{path}"
                );
            }
        }
        for (path, fields) in CHANGES {
            let answer = console.send(post(path).body(Body::from(fields)).unwrap()).await;
            let is_refused = answer.status == 401 || answer.location == "/login";
            assert!(is_refused, "{path}: {}", answer.status);
        }
        assert_eq!(state(&console), before);
    });
}

#[test]
fn forms_of_other_sites() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let csrf = console.csrf(&session);
        let before = state(&console);
        let good = format!("http://{HOST}");
        let evil = "http://evil.example".to_string();
        let rows = [
            ("an origin elsewhere", Some(&evil), None, csrf.as_str()),
            ("no origin", None, None, &csrf),
            ("said to be cross-site", Some(&good), Some("cross-site"), &csrf),
            ("no token", Some(&good), Some("same-origin"), ""),
            ("another token", Some(&good), Some("same-origin"), "00"),
        ];
        for (path, fields) in CHANGES {
            for (what, origin, site, token) in rows {
                let mut request = Request::post(path)
                    .header(header::HOST, HOST)
                    .header(header::COOKIE, &session)
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                if let Some(origin) = origin {
                    request = request.header(header::ORIGIN, origin);
                }
                if let Some(site) = site {
                    request = request.header("sec-fetch-site", site);
                }
                let body = Body::from(format!("{fields}&csrf={token}"));
                let answer = console.send(request.body(body).unwrap()).await;
                assert_eq!(answer.status, 403, "{path}, {what}");
            }
            let read = console.get_as(&session, path).await;
            let is_page = [
                "/settings/file",
                "/settings/bundle",
                "/space/exclude",
                "/space/purge",
            ]
            .contains(&path);
            assert!(
                is_page || [404, 405].contains(&read.status),
                "a link can't change anything: {path}"
            );
        }
        for path in READS {
            let foreign = get(path)
                .header(header::COOKIE, &session)
                .header("sec-fetch-site", "cross-site")
                .header("sec-fetch-mode", "no-cors");
            let answer = console.send(foreign.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 403, "{path}");
        }
        assert_eq!(state(&console), before);
    });
}

/// Tokens: guessed ones, revoked ones, ones for reading that try to change, and where they open nothing.
#[test]
fn tokens_open_only_what_they_are_for() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let now = jiff::Timestamp::now();
        let reads = console.app.tokens.add("reads", false, now).unwrap().secret;
        let writes = console.app.tokens.add("writes", true, now).unwrap().secret;
        let ask = async |token: &str, path: &str, scheme: &str| {
            let request = get(path).header(header::AUTHORIZATION, format!("{scheme} {token}"));
            console.send(request.body(Body::empty()).unwrap()).await.status
        };
        assert_eq!(ask(&reads, "/api/status", "Bearer").await, 200);
        assert_eq!(ask(&reads, "/metrics", "bearer").await, 200);
        for wrong in [
            "",
            "dedup_",
            &reads[..reads.len() - 1],
            &format!("{reads}0"),
            "dedup_00",
        ] {
            assert_eq!(ask(wrong, "/api/status", "Bearer").await, 401, "{wrong}");
        }
        assert_eq!(ask(&reads, "/api/status", "Basic").await, 401);
        // No page, whatever the token may do.
        for path in READS
            .into_iter()
            .filter(|path| *path != "/metrics")
            .chain(["/", "/sets", "/live"])
        {
            for token in [&reads, &writes] {
                let request = get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
                let answer = console.send(request.body(Body::empty()).unwrap()).await;
                assert!(
                    answer.status == 401 || answer.location == "/login",
                    "{path}: {}",
                    answer.status
                );
            }
        }
        let change = async |token: &str, origin: Option<&str>| {
            let mut request = Request::post("/api/pause")
                .header(header::HOST, HOST)
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            console
                .send(request.body(Body::from("for=1h")).unwrap())
                .await
                .status
        };
        assert_eq!(change(&reads, None).await, 403);
        assert_eq!(change(&writes, Some("http://evil.example")).await, 403);
        assert_eq!(change(&writes, None).await, 200);
        // A wrong token is not made good by the session beside it.
        let both = get("/api/status")
            .header(header::COOKIE, &session)
            .header(header::AUTHORIZATION, "Bearer dedup_00");
        assert_eq!(console.send(both.body(Body::empty()).unwrap()).await.status, 401);
        for address in [
            format!("/api/status?token={reads}"),
            format!("/metrics?token={reads}"),
        ] {
            assert_eq!(console.get(&address).await.status, 401, "{address}");
        }
        let other = Request::get("/metrics")
            .header(header::HOST, "evil.example")
            .header(header::AUTHORIZATION, format!("Bearer {reads}"));
        assert_eq!(console.send(other.body(Body::empty()).unwrap()).await.status, 421);
        console.app.tokens.revoke("reads").unwrap();
        assert_eq!(ask(&reads, "/api/status", "Bearer").await, 401);
    });
}

/// Names that would be code where they are shown, would end a line of the settings, or lead elsewhere.
#[test]
fn names_and_paths_are_only_that() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let script = "\"><script>alert(1)</script>";
        let query = crate::fields::encoded(script.as_bytes());
        for path in [
            format!("/sets/edit/{query}"),
            format!("/sets/remove/{query}"),
            format!("/destinations/remove/{query}"),
            format!("/settings/logs?level={query}"),
        ] {
            let answer = console.get_as(&session, &path).await;
            assert!(!answer.text.contains("<script>alert"), "{path}: {}", answer.text);
        }
        let fields = [
            ("name", script),
            ("was", ""),
            ("sources", script),
            ("exclude", script),
            ("schedule", script),
            ("tags", script),
            ("run-before", script),
            ("until", script),
            ("every", script),
            ("destination", script),
            ("url", script),
            ("key-file", script),
            ("table", "limits"),
            ("upload", script),
            ("text", script),
            ("open", "/"),
            ("mark", script),
        ];
        for path in [
            "/sets/save",
            "/sets/click",
            "/sets/answer/files",
            "/sets/answer/schedule",
            "/sets/answer/retention",
            "/sets/answer/change",
            "/destinations/test",
            "/destinations/add",
            "/settings/save",
            "/settings/file",
            "/settings/tokens/add",
        ] {
            let before = state(&console);
            let answer = console.change(&session, path, &fields).await;
            assert!(!answer.text.contains("<script>alert"), "{path}: {}", answer.text);
            assert_eq!(state(&console), before, "{path}");
        }
        // A value can't become a line of its own.
        let line = [
            ("table", "limits"),
            (
                "proxy",
                "http://h\"\n[sets.evil]\nrun-before = \"touch /tmp/x\"\nx=\"",
            ),
            ("mark", &mark(&console)),
        ];
        let answer = console.change(&session, "/settings/save", &line).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        for at in ["../../etc", "/home/../etc", "", "relative"] {
            let answer = console.change(&session, "/sets/click", &[("toggle", at)]).await;
            assert!(answer.status == 400 || at.is_empty(), "{at}: {}", answer.status);
        }
        for (path, fields) in [
            ("/destinations/job", [("remote", "/etc"), ("kind", "check")]),
            ("/destinations/job", [("remote", "main"), ("kind", "forget")]),
            (
                "/destinations/measure",
                [("remote", "s3://x?endpoint=http://127.0.0.1:1"), ("kind", "")],
            ),
            ("/settings/keys/check", [("remote", "/etc"), ("phrase", "x")]),
            (
                "/settings/keys/recovery",
                [("remote", "file:///etc"), ("phrase", "")],
            ),
            ("/settings/save", [("table", "sets"), ("docs", "x")]),
            ("/destinations/remove", [("name", "nobody"), ("x", "")]),
            ("/sets/remove", [("name", "nobody"), ("x", "")]),
        ] {
            let answer = console.change(&session, path, &fields).await;
            assert!(
                [400, 404].contains(&answer.status),
                "{path} {fields:?}: {}",
                answer.status
            );
        }
    });
}

fn mark(console: &Console) -> String {
    let context = console.app.context().unwrap();
    service::settings::edit::Draft::open(&context.env).unwrap().mark()
}

/// The password is asked for where it is changed, and a guess there waits as at the door.
#[test]
fn another_password_needs_the_one_before() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        let another = [("password", "another horse"), ("again", "another horse")];
        let with = |current: &'static str| [[("current", current)].as_slice(), &another].concat();
        let wrong = console
            .change(&session, "/settings/password", &with("guess"))
            .await;
        assert_eq!(wrong.status, 403);
        // However slow this machine is: a guess of an hour later makes the next one wait longer than that.
        let later = Instant::now() + Duration::from_secs(3600);
        console
            .app
            .gate
            .check("another guess", Neighbour::default(), later)
            .unwrap();
        let early = console
            .change(&session, "/settings/password", &with(PASSWORD))
            .await;
        assert_eq!(early.status, 429);
        // The right one makes up for wrong ones.
        let later = Instant::now() + Duration::from_secs(2 * 3600);
        assert_eq!(
            console.app.gate.check(PASSWORD, Neighbour::default(), later),
            Ok(Verdict::Right)
        );
        let short = [("current", PASSWORD), ("password", "short"), ("again", "short")];
        assert_eq!(
            console
                .change(&session, "/settings/password", &short)
                .await
                .status,
            403
        );
        let done = console
            .change(&session, "/settings/password", &with(PASSWORD))
            .await;
        assert_eq!(done.location, "/login", "{}", done.text);
        assert_eq!(
            console.get_as(&session, "/").await.location,
            "/login",
            "all are logged out"
        );
        let old = console.post("/login", &[("password", PASSWORD)]).await;
        assert_eq!(old.status, 403);
        let later = Instant::now() + Duration::from_secs(3600);
        assert_eq!(
            console
                .app
                .gate
                .check("another horse", Neighbour::default(), later),
            Ok(Verdict::Right)
        );
    });
}

/// A command sets it while the console runs. Whoever was logged in is logged out, and a link that was not used yet is void.
#[test]
fn a_password_that_a_command_sets() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        let link = console.app.gate.new_link(Instant::now()).unwrap();
        assert_eq!(console.get_as(&session, "/").await.status, 200);
        let context = console.app.context().unwrap();
        let command = Gate::of(&context.dirs().unwrap());
        command.change(PASSWORD).unwrap().unwrap();
        let page = console.get_as(&session, "/").await;
        assert_eq!(page.location, "/login", "although it is the same password");
        let another = [
            ("link", link.as_str()),
            ("password", "another horse"),
            ("again", "another horse"),
        ];
        assert_eq!(console.post("/start", &another).await.status, 403);
        let entered = console.post("/login", &[("password", PASSWORD)]).await;
        assert_eq!(console.get_as(&entered.session(), "/").await.status, 200);
    });
}
