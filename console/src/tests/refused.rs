//! Requests that are refused, each named after a kind of failure that web interfaces of backup programs and others had.

use super::kit::{Console, HOST, PASSWORD, form, get, post, run};
use axum::body::Body;
use axum::http::{Method, Request, header};

/// Addresses that show or change something, with values that would be good.
pub const READS: [&str; 26] = [
    "/",
    "/home",
    "/history",
    "/history/latest",
    "/history/latest?files=all",
    "/sets",
    "/search?q=a",
    "/restore",
    "/restore/tree?remote=main&snapshot=00&path=/",
    "/restore/rows?remote=main&snapshot=00&path=/",
    "/restore/target",
    "/restore/job/1",
    "/restore/versions?remote=main&snapshot=00&path=/a",
    "/restore/compare?remote=main&snapshot=00&path=/a&with=now",
    "/restore/changes?remote=main&snapshot=00&path=/",
    "/preview?remote=main&snapshot=00&path=/a",
    "/preview/frame?remote=main&snapshot=00&path=/a",
    "/basket/download",
    "/download?remote=main&snapshot=00&path=/",
    "/live",
    "/api/status",
    "/api/sets",
    "/api/history",
    "/api/history/latest",
    "/api/snapshots?remote=main",
    "/api/entries?remote=main&snapshot=00&path=/",
];

pub const CHANGES: [(&str, &str); 13] = [
    ("/run", "set=docs"),
    ("/stop", "job=1"),
    ("/pause", "for=1h"),
    ("/resume", ""),
    ("/basket/add", "remote=main&snapshot=00&pick=f/a"),
    ("/basket/remove", "nr=0"),
    ("/restore/preview", "place=original"),
    ("/restore/go", "place=original&rule=always"),
    ("/logout", ""),
    ("/api/run", "set=docs"),
    ("/api/stop", "job=1"),
    ("/api/pause", "for=1h"),
    ("/api/resume", ""),
];

/// A download by the id of a snapshot needed no login elsewhere; a backup could be fetched by everybody.
#[test]
fn nothing_is_shown_without_a_session() {
    run(async {
        let console = Console::new("");
        console.log_in().await;
        for path in READS {
            for cookie in [
                "",
                "dedup-test=",
                "dedup-test=00",
                "dedup-4280=x",
                "other=1; dedup-test=' OR 1=1",
            ] {
                let answer = console.get_as(cookie, path).await;
                let is_refused = answer.status == 401 || answer.location == "/login";
                assert!(is_refused, "{path} with {cookie}: {}", answer.status);
                assert!(!answer.text.contains("csrf"), "{path}");
            }
        }
        for (path, fields) in CHANGES {
            let answer = console.send(post(path).body(Body::from(fields)).unwrap()).await;
            assert!(
                answer.status == 401 || answer.location == "/login",
                "{path}: {}",
                answer.status
            );
        }
    });
}

/// A page of another name that resolves to this machine (DNS rebinding), and names that only begin like ours.
#[test]
fn other_hosts() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        for host in [
            "evil.example",
            "evil.example:4280",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:42800",
            "127.0.0.1:4280.evil.example",
            "localhost",
            "localhost:4281",
            "localhost.evil.example:4280",
            "LOCALHOST.:4280",
            "[::1]:4280",
            "0.0.0.0:4280",
            "user@127.0.0.1:4280",
            "",
        ] {
            let request = Request::get("/")
                .header(header::HOST, host)
                .header(header::COOKIE, &session);
            let answer = console.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 421, "{host}");
        }
        let without = Request::get("/").header(header::COOKIE, &session);
        assert_eq!(
            console.send(without.body(Body::empty()).unwrap()).await.status,
            421
        );
        let absolute = Request::get("http://evil.example/")
            .header(header::HOST, HOST)
            .header(header::COOKIE, &session);
        assert_eq!(
            console.send(absolute.body(Body::empty()).unwrap()).await.status,
            421
        );
    });
}

/// What it is, its origin, what the browser says of the site, content type and token.
type ForeignForm<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a str, &'a str);

/// Forms of other sites (CSRF), with everything right but one thing.
#[test]
fn forms_of_other_sites() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        let csrf = console.csrf(&session);
        let good = format!("http://{HOST}");
        let kind = "application/x-www-form-urlencoded";
        let rows: [ForeignForm<'_>; 12] = [
            (
                "an origin elsewhere",
                Some("http://evil.example"),
                None,
                kind,
                &csrf,
            ),
            ("no origin", None, None, kind, &csrf),
            ("an opaque origin", Some("null"), None, kind, &csrf),
            ("https", Some("https://127.0.0.1:4280"), None, kind, &csrf),
            ("another port", Some("http://127.0.0.1:4281"), None, kind, &csrf),
            (
                "a name that begins like ours",
                Some("http://127.0.0.1:4280.evil.example"),
                None,
                kind,
                &csrf,
            ),
            (
                "said to be cross-site",
                Some(&good),
                Some("cross-site"),
                kind,
                &csrf,
            ),
            (
                "said to be same-site",
                Some(&good),
                Some("same-site"),
                kind,
                &csrf,
            ),
            ("no token", Some(&good), Some("same-origin"), kind, ""),
            ("another token", Some(&good), Some("same-origin"), kind, "00"),
            ("JSON", Some(&good), None, "application/json", &csrf),
            (
                "text, as a simple request may be",
                Some(&good),
                None,
                "text/plain",
                &csrf,
            ),
        ];
        for (path, fields) in CHANGES {
            for (what, origin, site, kind, token) in rows {
                let mut request = Request::post(path)
                    .header(header::HOST, HOST)
                    .header(header::COOKIE, &session)
                    .header(header::CONTENT_TYPE, kind);
                if let Some(origin) = origin {
                    request = request.header(header::ORIGIN, origin);
                }
                if let Some(site) = site {
                    request = request.header("sec-fetch-site", site);
                }
                let body = format!("{fields}&csrf={token}");
                let answer = console.send(request.body(Body::from(body)).unwrap()).await;
                assert!(
                    [403, 415].contains(&answer.status),
                    "{path}, {what}: {}",
                    answer.status
                );
            }
        }
        let home = console.get_as(&session, "/").await;
        assert!(
            home.status == 200 && !home.text.contains("Paused"),
            "still inside, and nothing happened"
        );
    });
}

/// A token that is right, in the address, where logs and the history would keep it.
#[test]
fn tokens_in_addresses() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        let csrf = console.csrf(&session);
        let id = session.split('=').nth(1).unwrap();
        let in_query = post(&format!("/pause?csrf={csrf}&for=1h")).header(header::COOKIE, &session);
        let answer = console.send(in_query.body(Body::from("for=1h")).unwrap()).await;
        assert_eq!(answer.status, 403);
        for path in [
            format!("/?dedup-test={id}"),
            format!("/api/status?token={id}"),
            format!("/;dedup-test={id}"),
        ] {
            let answer = console.get(&path).await;
            assert!(answer.status == 401 || answer.location == "/login", "{path}");
        }
        let link = console.app.gate.new_link(std::time::Instant::now()).unwrap();
        let fields = form(&[("password", PASSWORD), ("again", PASSWORD)]);
        let in_query = post(&format!("/start?link={link}"))
            .body(Body::from(fields))
            .unwrap();
        assert_eq!(console.send(in_query).await.status, 403);
    });
}

/// Another site that embeds, fetches or opens.
#[test]
fn requests_from_other_sites() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        for (site, mode, is_answered) in [
            ("cross-site", "no-cors", false),
            ("cross-site", "cors", false),
            ("same-site", "no-cors", false),
            ("cross-site", "websocket", false),
            ("cross-site", "navigate", true),
            ("none", "navigate", true),
            ("same-origin", "cors", true),
        ] {
            let request = get("/api/status")
                .header(header::COOKIE, &session)
                .header("sec-fetch-site", site)
                .header("sec-fetch-mode", mode);
            let answer = console.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status == 200, is_answered, "{site} {mode}");
        }
        let foreign = get("/api/status")
            .header(header::COOKIE, &session)
            .header(header::ORIGIN, "http://evil.example");
        let answer = console.send(foreign.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 403);
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        for path in READS {
            let answer = console.raw(get(path).header(header::COOKIE, &session)).await;
            let policy = answer.headers()["content-security-policy"].to_str().unwrap();
            assert!(
                policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
                "{path}"
            );
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        }
    });
}

/// Two cookies of one name: one was set by a page of another port, or of a name above.
#[test]
fn cookies_of_others() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        for cookie in [
            format!("dedup-test=00; {session}"),
            format!("{session}; dedup-test=00"),
        ] {
            assert_eq!(console.get_as(&cookie, "/api/status").await.status, 401);
        }
        // A cookie that was there before somebody logs in is not the session afterwards (session fixation).
        let planted = "dedup-test=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let request = post("/login").header(header::COOKIE, planted);
        let entered = console
            .send(request.body(Body::from(form(&[("password", PASSWORD)]))).unwrap())
            .await;
        assert_ne!(entered.session(), planted);
        assert_eq!(console.get_as(planted, "/api/status").await.status, 401);
    });
}

/// Methods that nothing here has, and forms and addresses without an end.
#[test]
fn methods_and_sizes() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        for method in [
            Method::PUT,
            Method::DELETE,
            Method::PATCH,
            Method::OPTIONS,
            Method::TRACE,
            Method::CONNECT,
        ] {
            let request = Request::builder()
                .method(&method)
                .uri("/run")
                .header(header::HOST, HOST);
            let request = request
                .header(header::COOKIE, &session)
                .header(header::ORIGIN, format!("http://{HOST}"));
            let answer = console.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 405, "{method}");
        }
        for (path, _) in CHANGES {
            let answer = console.get_as(&session, path).await;
            assert!(
                [404, 405].contains(&answer.status),
                "a link can't change anything: {path}"
            );
        }
        let large = post("/pause").header(header::COOKIE, &session);
        let answer = console
            .send(large.body(Body::from("a=1&".repeat(1 << 20))).unwrap())
            .await;
        assert_eq!(answer.status, 413);
        let long = format!("/search?q={}", "a".repeat(60_000));
        assert_eq!(console.get_as(&session, &long).await.status, 413);
    });
}

/// Paths and names that lead elsewhere.
#[test]
fn places_that_are_not_ours() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        for path in [
            "/assets/../../Cargo.toml",
            "/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
            "/assets/console.css/../../../etc/passwd",
            "/assets//etc/passwd",
            "/assets/.htaccess",
            "/../etc/passwd",
            "/.env",
            "/console/password",
        ] {
            let answer = console.get_as(&session, path).await;
            assert!(answer.status == 404, "{path}: {}", answer.status);
            assert!(!answer.text.contains("root:"));
        }
        console.back_up(&session, "docs").await;
        let snapshot = console.rows()[0].snapshot.clone().unwrap();
        // What is not in the snapshot is not read from the disk.
        for path in [
            "/etc/passwd",
            "/../../etc/passwd",
            "docs/../../../etc/passwd",
            "%00",
            "/proc/self/environ",
        ] {
            let answer = console
                .get_as(
                    &session,
                    &format!("/download?remote=main&snapshot={snapshot}&path={path}"),
                )
                .await;
            assert!(answer.status == 404, "{path}: {}", answer.status);
        }
        for (remote, id) in [
            ("main", "latest"),
            ("main", ""),
            ("main", "../../x"),
            ("main", "00000000000000000000000000000000"),
            ("file:///etc", snapshot.as_str()),
            ("/etc", snapshot.as_str()),
            ("s3://x/y?endpoint=http://127.0.0.1:1", snapshot.as_str()),
            ("nobody", snapshot.as_str()),
        ] {
            let remote = crate::fields::encoded(remote.as_bytes());
            let answer = console
                .get_as(
                    &session,
                    &format!("/download?remote={remote}&snapshot={id}&path=/"),
                )
                .await;
            assert!(answer.status >= 400, "{remote} {id}: {}", answer.status);
        }
        for (name, value) in [
            ("folder", "out"),
            ("folder", ""),
            ("rule", "x"),
            ("place", "x"),
            ("permissions", "x"),
        ] {
            let path = crate::fields::encoded(console.path("docs").as_os_str().as_encoded_bytes());
            let pick = [
                ("remote", "main"),
                ("snapshot", snapshot.as_str()),
                ("pick", &format!("d{path}")),
            ];
            console.change(&session, "/basket/add", &pick).await;
            let mut fields = vec![("place", "other"), ("folder", "/nowhere/x"), ("rule", "never")];
            fields.retain(|field| field.0 != name);
            fields.push((name, if value.is_empty() { " " } else { value }));
            let answer = console.change(&session, "/restore/go", &fields).await;
            assert_eq!(answer.status, 400, "{name}={value}: {}", answer.text);
        }
        let run = console
            .change(&session, "/run", &[("set", "docs; touch /tmp/x")])
            .await;
        assert_eq!(run.status, 404, "{}", run.text);
        for back in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
        ] {
            let answer = console.change(&session, "/resume", &[("back", back)]).await;
            assert_eq!(answer.location, "/", "{back}");
        }
    });
}

/// Names that would be code where they are shown, and headers that a name would end.
#[test]
fn names_are_only_names() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let script = "\"><script>alert(1)</script>";
        let query = crate::fields::encoded(script.as_bytes());
        for path in [
            format!("/search?q={query}"),
            format!("/history?set={query}&kind={query}&status={query}"),
            format!("/history/{query}"),
            format!("/restore?remote=main&path={query}&day={query}&month={query}"),
            format!("/{query}"),
        ] {
            let answer = console.get_as(&session, &path).await;
            assert!(!answer.text.contains("<script>alert"), "{path}: {}", answer.text);
        }
        let dir = console.path("docs").join("<script>alert(1)<");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("page.html"), "<script>alert(1)</script>").unwrap();
        std::fs::write(dir.join("image.svg"), "<svg onload='alert(1)'/>").unwrap();
        console.back_up(&session, "docs").await;
        let snapshot = console.rows()[0].snapshot.clone().unwrap();
        for name in ["page.html", "image.svg"] {
            let path = crate::fields::encoded(dir.join(name).as_os_str().as_encoded_bytes());
            let place = format!("/download?remote=main&snapshot={snapshot}&path={path}");
            let answer = console.get_as(&session, &place).await;
            assert_eq!(answer.headers["content-type"], "application/octet-stream");
            assert!(
                answer.headers["content-disposition"]
                    .to_str()
                    .unwrap()
                    .starts_with("attachment;")
            );
            assert!(
                answer.headers["content-security-policy"]
                    .to_str()
                    .unwrap()
                    .contains("sandbox")
            );
        }
        let folder = crate::fields::encoded(console.path("docs").as_os_str().as_encoded_bytes());
        let page = console
            .get_as(&session, &format!("/restore?remote=main&path={folder}"))
            .await;
        assert!(
            page.text.contains("&#60;script&#62;") && !page.text.contains("<script>alert"),
            "{}",
            page.text
        );
    });
}

/// Guessing: many at once are no more than one.
#[test]
fn guessing_side_by_side() {
    run(async {
        let console = Console::new("");
        console.log_in().await;
        let tries = (0..20).map(|nr| {
            let (router, body) = (
                console.router.clone(),
                form(&[("password", &format!("guess number {nr}"))]),
            );
            tokio::spawn(async move {
                use tower::ServiceExt;
                let request = post("/login").body(Body::from(body)).unwrap();
                router.oneshot(request).await.unwrap().status().as_u16()
            })
        });
        let mut looked_at = 0;
        for one in tries.collect::<Vec<_>>() {
            match one.await.unwrap() {
                403 => looked_at += 1,
                status => assert_eq!(status, 429),
            }
        }
        assert!(looked_at <= 2, "{looked_at} were looked at");
    });
}
