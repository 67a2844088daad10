//! The same console over a network: by TLS, under a name of its own, where more people can try more things.

use super::kit::{Console, HOST, NAME, PASSWORD, form, run};
use super::refused::{CHANGES, READS};
use crate::gate::Neighbour;
use axum::body::Body;
use axum::http::{Request, header, request};
use futures_util::{StreamExt, stream};
use std::convert::Infallible;

fn get(path: &str) -> request::Builder {
    Request::get(path).header(header::HOST, NAME)
}

fn post(path: &str) -> request::Builder {
    Request::post(path)
        .header(header::HOST, NAME)
        .header(header::ORIGIN, format!("https://{NAME}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

async fn log_in(console: &Console) -> String {
    console.choose_password();
    let entered = post("/login").body(Body::from(form(&[("password", PASSWORD)])));
    let entered = console.send(entered.unwrap()).await;
    assert_eq!(entered.status, 303, "{}", entered.text);
    entered.session()
}

#[test]
fn a_visit_by_tls() {
    run(async {
        let console = Console::secure();
        let session = log_in(&console).await;
        let csrf = console.csrf(&session);
        let page = get("/").header(header::COOKIE, &session);
        let page = console.send(page.body(Body::empty()).unwrap()).await;
        assert_eq!(page.status, 200);
        for word in ["http://", "https://"] {
            assert!(!page.text.contains(word), "pages name no scheme: {word}");
        }
        let change = post("/pause").header(header::COOKIE, &session);
        let change = change.body(Body::from(format!("for=1h&csrf={csrf}"))).unwrap();
        assert_eq!(console.send(change).await.status, 303);
        // Every cookie, whatever sets it.
        let look = post("/look").body(Body::from("lang=ja&theme=dark")).unwrap();
        let look = console.send(look).await;
        let out = post("/logout").header(header::COOKIE, &session);
        let out = console
            .send(out.body(Body::from(format!("csrf={csrf}"))).unwrap())
            .await;
        let cookies: Vec<&String> = look.cookies.iter().chain(&out.cookies).collect();
        assert_eq!(cookies.len(), 3);
        for cookie in cookies {
            for word in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
                assert!(cookie.contains(word), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
    });
}

/// What is right without TLS is not right with it: an origin of the same name without TLS is another site, which anybody
/// on the network can make up.
#[test]
fn forms_of_other_sites() {
    run(async {
        let console = Console::secure();
        let session = log_in(&console).await;
        let csrf = console.csrf(&session);
        for (path, fields) in CHANGES {
            for origin in [
                "http://backup.example.jp",
                "http://127.0.0.1:4280",
                "https://127.0.0.1:4280",
                "https://backup.example.jp:4281",
                "https://sub.backup.example.jp",
                "https://backup.example.jp.evil.example",
                "https://evil.example",
                "HTTPS://backup.example.jp",
                "backup.example.jp",
                "null",
                "",
            ] {
                let request = Request::post(path)
                    .header(header::HOST, NAME)
                    .header(header::ORIGIN, origin)
                    .header(header::COOKIE, &session)
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                let body = Body::from(format!("{fields}&csrf={csrf}"));
                let answer = console.send(request.body(body).unwrap()).await;
                assert_eq!(answer.status, 403, "{path} from '{origin}'");
            }
        }
    });
}

#[test]
fn other_hosts() {
    run(async {
        let console = Console::secure();
        let session = log_in(&console).await;
        for host in [
            "evil.example",
            "backup.example.jp.",
            "backup.example.jp.evil.example",
            "sub.backup.example.jp",
            "backup.example.jp:",
            "backup.example.jp:4280x",
            "backup.example.jp:-1",
            "user@backup.example.jp",
            "backup.example.jp/",
            "backup.example.jp, evil.example",
            "",
        ] {
            for path in READS {
                let request = Request::get(path)
                    .header(header::HOST, host)
                    .header(header::COOKIE, &session);
                let answer = console.send(request.body(Body::empty()).unwrap()).await;
                assert_eq!(answer.status, 421, "{path} as '{host}'");
            }
        }
        for forwarded in [
            "x-forwarded-host",
            "forwarded",
            "x-host",
            "x-original-url",
            "x-rewrite-url",
        ] {
            let request = Request::get("/")
                .header(header::HOST, "evil.example")
                .header(forwarded, NAME)
                .header(header::COOKIE, &session);
            let answer = console.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 421, "{forwarded} is nobody's word");
        }
    });
}

/// Two of what there is one of: a proxy in front could have looked at the other one.
#[test]
fn headers_that_are_there_twice() {
    run(async {
        let console = Console::secure();
        let session = log_in(&console).await;
        let csrf = console.csrf(&session);
        let token = console
            .app
            .tokens
            .add("reads", false, jiff::Timestamp::now())
            .unwrap()
            .secret;
        for (first, second) in [
            (NAME, HOST),
            (NAME, NAME),
            (NAME, "evil.example"),
            ("evil.example", NAME),
        ] {
            let request = Request::get("/")
                .header(header::HOST, first)
                .header(header::HOST, second)
                .header(header::COOKIE, &session);
            let answer = console.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 421, "{first}, {second}");
        }
        let origins = post("/pause")
            .header(header::ORIGIN, "https://evil.example")
            .header(header::COOKIE, &session);
        let origins = origins.body(Body::from(format!("for=1h&csrf={csrf}"))).unwrap();
        assert_eq!(console.send(origins).await.status, 403);
        let tokens = get("/api/status")
            .header(header::AUTHORIZATION, "Bearer dedup_00")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        assert_eq!(
            console.send(tokens.body(Body::empty()).unwrap()).await.status,
            401
        );
        let sites = get("/api/status")
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-site", "cross-site")
            .header(header::COOKIE, &session);
        let answer = console.send(sites.body(Body::empty()).unwrap()).await;
        assert_ne!(answer.status, 200);
    });
}

/// Who guesses from elsewhere is shut out, and nobody else.
#[test]
fn guesses_from_elsewhere() {
    run(async {
        let console = Console::secure();
        console.choose_password();
        let ask = async |password: &str, from: &str| {
            let from = Neighbour::of(from.parse().unwrap());
            let request = post("/login").extension(from);
            let body = Body::from(form(&[("password", password)]));
            console.send(request.body(body).unwrap()).await.status
        };
        assert_eq!(ask("wrong horse", "198.51.100.1").await, 403);
        // However slow this machine is.
        let later = std::time::Instant::now() + std::time::Duration::from_secs(3600);
        let stranger = Neighbour::of("198.51.100.1".parse().unwrap());
        console.app.gate.check("wrong again", stranger, later).unwrap();
        assert_eq!(ask(PASSWORD, "198.51.100.1").await, 429);
        assert_eq!(ask(PASSWORD, "198.51.100.2").await, 303);
        assert_eq!(ask(PASSWORD, "127.0.0.1").await, 303);
        // What a header says of an address is nobody's word.
        let claim = post("/login")
            .extension(stranger)
            .header("x-forwarded-for", "127.0.0.1")
            .header("x-real-ip", "127.0.0.1");
        let claim = claim.body(Body::from(form(&[("password", PASSWORD)]))).unwrap();
        assert_eq!(console.send(claim).await.status, 429);
    });
}

/// Nobody on the network has a link, and none can be made up.
#[test]
fn no_link_opens_it() {
    run(async {
        let console = Console::secure();
        console.choose_password();
        for link in ["", "x", "0", &"0".repeat(64), &"a".repeat(100_000)] {
            let fields = form(&[
                ("link", link),
                ("password", "another horse"),
                ("again", "another horse"),
            ]);
            let answer = console
                .send(post("/start").body(Body::from(fields)).unwrap())
                .await;
            assert!(
                answer.status == 403 && answer.cookies.is_empty(),
                "{}",
                answer.status
            );
        }
        let old = form(&[("password", PASSWORD)]);
        let entered = console.send(post("/login").body(Body::from(old)).unwrap()).await;
        assert_eq!(entered.status, 303, "the password is the one before");
    });
}

/// A form that begins, and never comes to its end.
#[test]
fn forms_without_an_end() {
    run(async {
        let console = Console::secure();
        let begun = stream::iter([Ok::<_, Infallible>("password=")]).chain(stream::pending());
        let answer = console
            .send(post("/login").body(Body::from_stream(begun)).unwrap())
            .await;
        assert_eq!(answer.status, 408);
    });
}
