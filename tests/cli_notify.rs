//! Messages about runs as somebody gets them: by mail, webhook and ping, from servers on loopback that write down what
//! comes.

mod ntfy;

use kit::program::{Home, number, string};
use kit::servers::ports;
use kit::servers::postbox::{Certificate, Letter, Smtp, SmtpOptions, Web, base64};
use serde_json::{Value, json};
use std::fs;

/// A home with a repository called `main` and a set `docs`.
fn home(notify: &str) -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/letter", "letter");
    settings(&home, notify);
    home
}

fn settings(home: &Home, notify: &str) {
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    let text = format!(
        "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n\
         [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n{notify}"
    );
    home.write(".config/dedup/dedup.toml", text);
}

fn mail(port: u16, more: &str) -> String {
    format!(
        "[notify.mail]\nserver = 'localhost'\nport = {port}\nfrom = 'backup@example.jp'\n\
         to = ['a@example.jp']\n{more}\n"
    )
}

fn webhook(port: u16, more: &str) -> String {
    format!("[notify.webhook]\nurl = 'http://127.0.0.1:{port}/hook?token=SECRET'\n{more}\n")
}

/// Makes the next runs fail, or work again.
fn break_it(home: &Home) {
    fs::rename(home.repository(), home.path("away")).unwrap();
}

fn mend_it(home: &Home) {
    fs::rename(home.path("away"), home.repository()).unwrap();
}

/// A header in the text that encoded words (RFC 2047) stand for.
pub fn header(letter: &Letter, name: &str) -> String {
    let mut lines = letter.data.lines();
    let prefix = format!("{name}: ");
    let first = lines.find(|line| line.starts_with(&prefix)).unwrap();
    let mut words = first[prefix.len()..].to_string();
    for line in lines.take_while(|line| line.starts_with(' ')) {
        words += line;
    }
    let mut bytes = Vec::new();
    let mut was_encoded = false;
    for (nr, word) in words.split_ascii_whitespace().enumerate() {
        let encoded = word
            .strip_prefix("=?utf-8?b?")
            .and_then(|word| word.strip_suffix("?="));
        // White space between encoded words is none.
        if nr > 0 && !(was_encoded && encoded.is_some()) {
            bytes.push(b' ');
        }
        was_encoded = encoded.is_some();
        bytes.extend(encoded.map_or(word.as_bytes().to_vec(), base64));
    }
    String::from_utf8(bytes).unwrap()
}

fn waiting(home: &Home) -> Value {
    home.ok(&["status", "--json"]).summary()["notifications"].clone()
}

#[test]
fn mail_when_it_fails_and_once_when_it_works_again() {
    let smtp = Smtp::start(SmtpOptions::default());
    let home = home(&mail(smtp.port, "tls = 'none'"));
    home.ok(&["run", "docs"]);
    assert!(smtp.letters().is_empty(), "nothing is said of what works");
    break_it(&home);
    home.ends(10, &["run", "docs"]);
    mend_it(&home);
    home.ok(&["run", "docs"]);
    home.ok(&["run", "docs"]);
    let letters = smtp.letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(
        (letters[0].from.as_str(), &letters[0].to),
        ("backup@example.jp", &vec!["a@example.jp".to_string()])
    );
    let subjects: Vec<String> = letters.iter().map(|letter| header(letter, "Subject")).collect();
    assert!(
        subjects[0].contains("backup of docs incomplete (no repository)"),
        "{subjects:?}"
    );
    assert!(subjects[1].contains("backup of docs works again"), "{subjects:?}");
    assert_eq!(header(&letters[0], "Auto-Submitted"), "auto-generated");
    assert!(letters[0].data.contains("text/plain") && letters[0].data.contains("text/html"));
    assert_eq!(number(&waiting(&home), "waiting"), 0);
}

#[test]
fn one_message_for_many_problems_and_for_every_run_if_wanted() {
    let web = Web::start();
    let home = home(&format!("[notify]\non = 'always'\n{}", webhook(web.port, "")));
    for nr in 0..30 {
        home.write(&format!("docs/<b>{nr}"), "x");
    }
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    let sources = (0..30).map(|nr| format!(", '~/gone{nr}'")).collect::<String>();
    home.write(
        ".config/dedup/dedup.toml",
        text.replace("['~/docs']", &format!("['~/docs'{sources}]")),
    );
    home.ends(3, &["run", "docs"]);
    let requests = web.requests();
    assert_eq!(requests.len(), 1);
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(
        (&body["event"], &body["level"], &body["set"]),
        (&json!("incomplete"), &json!("error"), &json!("docs"))
    );
    assert_eq!(number(&body["run"], "problems"), 30);
    let told = string(&body, "text");
    assert!(told.contains("gone0") && told.contains("20 more"), "{told}");
    settings(
        &home,
        &format!("[notify]\non = 'always'\n{}", webhook(web.port, "")),
    );
    home.ok(&["run", "docs"]);
    home.ok(&["run", "docs"]);
    let events: Vec<String> = web.requests()[1..]
        .iter()
        .map(|request| string(&serde_json::from_str(&request.body).unwrap(), "event"))
        .collect();
    assert_eq!(events, ["recovered", "completed"]);
    settings(
        &home,
        &format!("[notify]\non = 'never'\n{}", webhook(web.port, "")),
    );
    break_it(&home);
    home.ends(10, &["run", "docs"]);
    assert_eq!(web.requests().len(), 3);
}

#[test]
fn what_cannot_be_sent_waits_and_is_sent_once() {
    let web = Web::start();
    *web.status.lock().unwrap() = 503;
    let [nobody] = ports();
    let home = home(&(mail(nobody, "tls = 'none'") + &webhook(web.port, "")));
    break_it(&home);
    let run = home.ends(10, &["run", "docs"]);
    let run = run.says(&[
        "could not notify by mail a@example.jp",
        "could not notify by webhook",
        "503",
    ]);
    assert!(!run.err.contains("SECRET"), "{}", run.err);
    let waits = waiting(&home);
    assert_eq!(number(&waits, "waiting"), 2);
    assert_eq!(waits["failing"].as_array().unwrap().len(), 2);
    let status = home.ok(&["status"]).out;
    assert!(
        status.contains("Not sent yet: 2 messages") && !status.contains("SECRET"),
        "{status}"
    );
    for path in home.contents(&home.path(".local/state/dedup/notify")).keys() {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("SECRET"), "{}", path.display());
    }
    // A look of the scheduler keeps a pause; the next run with something to send does not.
    *web.status.lock().unwrap() = 200;
    home.ok(&["run", "--due"]);
    assert_eq!(web.requests().len(), 1);
    let smtp = Smtp::start(SmtpOptions::default());
    settings(&home, &(mail(smtp.port, "tls = 'none'") + &webhook(web.port, "")));
    mend_it(&home);
    home.ok(&["run", "docs"]);
    let subjects: Vec<String> = smtp
        .letters()
        .iter()
        .map(|letter| header(letter, "Subject"))
        .collect();
    assert!(
        subjects.len() == 2 && subjects[0].contains("no repository") && subjects[1].contains("works again"),
        "{subjects:?}"
    );
    assert_eq!(web.requests().len(), 3);
    assert_eq!(number(&waiting(&home), "waiting"), 0);
    home.ok(&["run", "docs"]);
    home.ok(&["run", "--due"]);
    assert_eq!((smtp.letters().len(), web.requests().len()), (2, 3));
}

#[test]
fn encrypted_and_with_a_password() {
    for implicit in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let Some(certificate) = Certificate::new(folder.path(), "encrypted_and_with_a_password") else {
            return;
        };
        let root = certificate.path.clone().into_os_string().into_string().unwrap();
        let trusting = [("SSL_CERT_FILE", root.as_str())];
        let smtp = Smtp::start(SmtpOptions {
            certificate: Some(certificate),
            implicit,
            login: Some(("backup", "right")),
            ..SmtpOptions::default()
        });
        let tls = if implicit { "implicit" } else { "starttls" };
        let more = format!("tls = '{tls}'\nuser = 'backup'\npassword-file = '~/smtp'");
        let home = home(&mail(smtp.port, &more));
        home.write("smtp", "wrong\n");
        let test = home.run_with(&trusting, &["notify", "test"]).ends(1);
        assert!(
            test.out.contains("mail a@example.jp: failed") && test.out.contains("535"),
            "{}",
            test.out
        );
        assert!(!(test.out + &test.err).contains("wrong"));
        home.write("smtp", "right\n");
        home.run_with(&trusting, &["notify", "test"]).ends(0);
        let letters = smtp.letters();
        assert_eq!(letters.len(), 1, "{tls}");
        assert!(letters[0].encrypted && letters[0].login.as_deref() == Some("backup:right"));
        // A server with an untrusted certificate gets neither password nor mail.
        let tried = smtp.logins.lock().unwrap().len();
        home.ends(1, &["notify", "test"]);
        assert_eq!(smtp.logins.lock().unwrap().len(), tried);
        assert_eq!(smtp.letters().len(), 1);
    }
}

#[test]
fn a_server_without_starttls_gets_nothing() {
    let smtp = Smtp::start(SmtpOptions {
        login: Some(("backup", "right")),
        ..SmtpOptions::default()
    });
    let home = home(&mail(smtp.port, "user = 'backup'\npassword-file = '~/smtp'"));
    home.write("smtp", "right\n");
    home.ends(1, &["notify", "test"]);
    assert!(smtp.letters().is_empty() && smtp.logins.lock().unwrap().is_empty());
}

#[test]
fn a_server_that_hangs_holds_nothing_up_for_long() {
    let smtp = Smtp::start(SmtpOptions {
        hangs: true,
        ..SmtpOptions::default()
    });
    let home = home(&format!(
        "[notify]\non = 'always'\n{}",
        mail(smtp.port, "tls = 'none'")
    ));
    home.ok(&["run", "docs"])
        .says(&["could not notify by mail a@example.jp"]);
    assert_eq!(home.snapshots().len(), 1);
    assert_eq!(number(&waiting(&home), "waiting"), 1);
}

#[test]
fn who_is_refused_keeps_nothing_from_the_others() {
    let smtp = Smtp::start(SmtpOptions {
        refuses: Some("gone@example.jp"),
        ..SmtpOptions::default()
    });
    let text = mail(smtp.port, "tls = 'none'").replace("['a@", "['gone@example.jp', 'a@");
    let home = home(&text);
    let test = home.ends(1, &["notify", "test", "--json"]);
    let rows = test.objects();
    assert_eq!(
        (&rows[0]["sent"], &rows[1]["sent"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(number(&test.summary(), "sent"), 1);
    break_it(&home);
    home.ends(10, &["run", "docs"])
        .says(&["mail gone@example.jp", "550"]);
    assert_eq!(smtp.letters().len(), 2);
    assert_eq!(number(&waiting(&home), "waiting"), 1);
}

#[test]
fn in_japanese() {
    let smtp = Smtp::start(SmtpOptions::default());
    let home = home(&(mail(smtp.port, "tls = 'none'") + "[console]\nlang = 'ja'\n"));
    break_it(&home);
    home.ends(10, &["run", "docs"]);
    home.ends(10, &["run", "docs", "--lang", "en"]);
    let letters = smtp.letters();
    let subject = header(&letters[0], "Subject");
    assert!(
        subject.contains("docs のバックアップ: 未完了 (リポジトリーなし)"),
        "{subject}"
    );
    let raw = letters[0]
        .data
        .lines()
        .find(|line| line.starts_with("Subject:"))
        .unwrap();
    assert!(raw.is_ascii() && raw.contains("=?utf-8?b?"), "{raw}");
    assert!(header(&letters[1], "Subject").contains("incomplete"));
}

#[test]
fn overdue_twice_by_the_schedulers_look() {
    let web = Web::start();
    let text = webhook(web.port, "");
    let home = home(&format!(
        "[notify]\noverdue-after = '3d'\noverdue-again = '7d'\n{text}"
    ));
    let file = |what: &str| format!(".local/state/dedup/{what}/sets/docs.json");
    home.ok(&["run", "--due"]);
    assert!(
        web.requests().is_empty(),
        "of a set that is not known nothing is missed"
    );
    let state = json!({ "schedule": "manual", "since": "2020-01-01T00:00:00Z", "last_success": "2020-02-01T00:00:00Z" });
    home.write(&file("runs"), state.to_string());
    home.ok(&["run", "--due", "--dry-run"]);
    assert!(web.requests().is_empty());
    for _ in 0..2 {
        assert_eq!(home.ok(&["run", "--due"]).out, "");
    }
    assert_eq!(web.requests().len(), 1);
    for want in [2, 2] {
        let told = fs::read(home.path(file("notify"))).unwrap();
        let mut told: Value = serde_json::from_slice(&told).unwrap();
        told["overdue_said"] = json!("2020-03-01T00:00:00Z");
        home.write(&file("notify"), told.to_string());
        home.ok(&["run", "--due"]);
        assert_eq!(web.requests().len(), want);
    }
    home.ok(&["run", "docs"]);
    home.ok(&["run", "docs"]);
    let events: Vec<String> = web
        .requests()
        .iter()
        .map(|request| string(&serde_json::from_str(&request.body).unwrap(), "event"))
        .collect();
    assert_eq!(events, ["overdue", "overdue", "recovered"]);
}

#[test]
fn pings_and_metrics() {
    let web = Web::start();
    let home = home("");
    let (port, file) = (web.port, home.text("metrics/dedup.prom"));
    fs::create_dir(home.path("metrics")).unwrap();
    settings(
        &home,
        &format!(
            "[notify.ping]\nurl = 'http://127.0.0.1:{port}/key/{{set}}'\n[notify.prometheus]\ntextfile = '{file}'\n"
        ),
    );
    home.ok(&["run", "docs"]);
    break_it(&home);
    home.ends(10, &["run", "docs"]);
    home.ok(&["notify", "test"]);
    let requests = web.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/key/docs/start",
            "/key/docs",
            "/key/docs/start",
            "/key/docs/fail",
            "/key/docs/log"
        ]
    );
    assert!(requests[3].body.contains("no repository"), "{}", requests[3].body);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("dedup_last_completed{set=\"docs\"} 0"), "{text}");
    assert!(
        text.contains("dedup_last_success_timestamp_seconds{set=\"docs\"} 1"),
        "{text}"
    );
    assert!(text.contains("reason=\"no repository\""), "{text}");
    let left: Vec<_> = fs::read_dir(home.path("metrics")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
    // A folder that is not there is a warning.
    fs::remove_dir_all(home.path("metrics")).unwrap();
    mend_it(&home);
    home.ok(&["run", "docs"])
        .says(&["could not notify by prometheus"]);
}

#[test]
fn what_each_receiver_understands() {
    let web = Web::start();
    let home = home("");
    for preset in ["ntfy", "slack", "discord", "gotify"] {
        settings(&home, &webhook(web.port, &format!("preset = '{preset}'")));
        home.ok(&["notify", "test", "--channel", "webhook"]);
    }
    let requests = web.requests();
    assert!(requests[0].path.contains("title=") && requests[0].path.contains("token=SECRET"));
    assert!(requests[0].body.contains("test message"));
    let key = |nr: usize, key: &str| {
        let body: Value = serde_json::from_str(&requests[nr].body).unwrap();
        body[key].clone()
    };
    assert!(key(1, "text").is_string() && key(2, "content").is_string() && key(3, "message").is_string());
    assert_eq!(key(2, "allowed_mentions"), json!({ "parse": [] }));
    assert_eq!(key(3, "priority"), 3);
    settings(&home, "");
    home.ends(2, &["notify", "test"]).says(&["[notify.mail]"]);
}

/// If no state can be kept the run fails, and that is reported.
#[test]
fn without_a_state_directory_it_is_sent_all_the_same() {
    let web = Web::start();
    let home = home(&webhook(web.port, ""));
    home.write("file", "");
    let state = home.text("file");
    let run = home.run_with(&[("DEDUP_STATE_DIR", state.as_str())], &["run", "docs"]);
    run.ends(1).says(&["DEDUP_STATE_DIR"]);
    let requests = web.requests();
    assert!(
        requests.len() == 1 && requests[0].body.contains("DEDUP_STATE_DIR"),
        "{requests:?}"
    );
}
