//! What `doctor`, `status`, `support-bundle` and the log say of a machine, and what they keep to themselves.

use kit::program::{Home, number, string};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A home with a repository called `main` and a set `docs`.
fn home(more: &str) -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/letter", "letter");
    settings(&home, "", more);
    home
}

fn settings(home: &Home, of_main: &str, more: &str) {
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    let text = format!(
        "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n{of_main}\n\
         [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n{more}"
    );
    home.write(".config/dedup/dedup.toml", text);
}

const STATE: &str = ".local/state/dedup";

/// The findings of one kind.
#[track_caller]
fn findings(home: &Home, code: i32, check: &str) -> Vec<Value> {
    let mut found = home.ends(code, &["doctor", "--json"]).objects();
    let summary = found.pop().unwrap();
    assert_eq!(number(&summary, "findings"), found.len() as u64);
    found.retain(|one| one["check"] == check);
    found
}

#[track_caller]
fn the_mark(home: &Home, code: i32, check: &str) -> (String, String) {
    let found = findings(home, code, check);
    let worst = |mark: &str| {
        ["ok", "warning", "problem"]
            .iter()
            .position(|known| *known == mark)
    };
    let finding = found
        .iter()
        .max_by_key(|one| worst(&string(one, "mark")))
        .unwrap();
    (string(finding, "mark"), string(finding, "message"))
}

#[test]
fn a_machine_that_is_well() {
    let home = home("");
    home.ok(&["run", "docs"]);
    home.ok(&["-r", "main", "check"]);
    home.ok(&["-r", "main", "restore", "--target", "proof"]);
    let run = home.ok(&["doctor"]);
    assert!(!run.out.contains("\n! "), "{}", run.out);
    for (check, word) in [
        ("settings", "1 remote"),
        ("schedule", "no set has a schedule"),
        ("set", "last completed backup"),
        ("clock", "agrees"),
        ("remote", "unattended"),
        ("recovery", "recovery phrase"),
        ("snapshots", "1 snapshot"),
        ("check", "last check"),
        ("restore", "last restore"),
    ] {
        let found = findings(&home, 0, check);
        let message = string(&found[0], "message");
        assert!(
            message.contains(word) && found[0]["mark"] == "ok",
            "{check}: {found:?}"
        );
    }
    let ja = home.ok(&["--lang", "ja", "doctor"]).out;
    assert!(
        ja.contains("時計は合っています") && !ja.contains("the clock"),
        "{ja}"
    );
    assert!(home.ok(&["doctor", "--quiet"]).out.lines().count() < run.out.lines().count());
}

#[test]
fn nothing_ticks_until_something_does() {
    let home = home("schedule = 'daily 12:30'");
    let (mark, message) = the_mark(&home, 3, "schedule");
    assert!(
        mark == "problem" && message.contains("nothing calls"),
        "{message}"
    );
    home.ok(&["run", "--due"]);
    let found = findings(&home, 0, "schedule");
    assert_eq!(found[0]["mark"], "ok", "{found:?}");
    home.ends(0, &["pause", "4h"]);
    assert_eq!(the_mark(&home, 0, "schedule").0, "warning");
    // The last look was long ago.
    home.write(
        &format!("{STATE}/runs/tick.json"),
        "{\"at\":\"2020-01-01T00:00:00Z\"}",
    );
    assert_eq!(the_mark(&home, 3, "schedule").0, "problem");
}

#[test]
fn remotes_that_are_gone_or_others_or_ask() {
    let home = home("");
    home.ok(&["run", "docs"]);
    fs::rename(home.repository(), home.path("away")).unwrap();
    let (mark, message) = the_mark(&home, 3, "remote");
    assert!(
        mark == "problem" && message.contains("no repository"),
        "{message}"
    );
    // Another one is where it was.
    let key = home.text(".config/dedup/default.key");
    home.ok(&["init", "--key-file", &key, "--no-recovery"]);
    assert!(the_mark(&home, 3, "remote").1.contains("another repository"));
    assert_eq!(the_mark(&home, 3, "recovery").0, "warning");
    fs::remove_dir_all(home.repository()).unwrap();
    fs::rename(home.path("away"), home.repository()).unwrap();
    assert_eq!(the_mark(&home, 0, "remote").0, "ok");
    // Nobody is asked for a password.
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    let text = text
        .lines()
        .filter(|line| !line.starts_with("key-file"))
        .collect::<Vec<_>>();
    home.write(".config/dedup/dedup.toml", text.join("\n"));
    assert!(the_mark(&home, 3, "remote").1.contains("needs a typed password"));
}

#[test]
fn settings_that_are_wrong_are_a_finding() {
    let home = home("");
    home.write(".config/dedup/dedup.toml", "[remotes.main]\nurll = '/x'\n");
    let (mark, message) = the_mark(&home, 3, "settings");
    assert!(
        mark == "problem" && message.contains("dedup.toml:2:1"),
        "{message}"
    );
    home.ends(2, &["status"]);
}

#[test]
fn a_clock_that_was_set_back_and_a_history_with_junk() {
    let home = home("");
    home.ok(&["run", "docs"]);
    let month = fs::read_dir(home.path(format!("{STATE}/history"))).unwrap();
    let month = month.map(|entry| entry.unwrap().path());
    let month = month
        .into_iter()
        .find(|path| path.extension().is_some_and(|found| found == "jsonl"))
        .unwrap();
    let mut text = fs::read_to_string(&month).unwrap();
    text += "garbage\n{\"id\":7}\n\u{0}\u{1}\n";
    fs::write(&month, text).unwrap();
    let found = findings(&home, 0, "state");
    let junk = found.iter().find(|one| one["mark"] == "warning").unwrap();
    assert!(string(junk, "message").contains(": 3"), "{junk}");
    assert_eq!(home.ok(&["history", "--json"]).objects().len(), 3);
    home.write(
        &format!("{STATE}/runs/tick.json"),
        "{\"at\":\"2099-01-01T00:00:00Z\"}",
    );
    let (mark, message) = the_mark(&home, 3, "clock");
    assert!(mark == "problem" && message.contains("2099"), "{message}");
}

#[test]
fn a_state_directory_that_is_of_no_use() {
    let home = home("");
    home.write("file", "");
    let state = home.text("file/state");
    let vars = [("DEDUP_STATE_DIR", state.as_str())];
    let run = home.run_with(&vars, &["doctor", "--json"]).ends(3);
    let found = run.objects();
    assert!(
        found
            .iter()
            .any(|one| one["check"] == "state" && one["mark"] == "problem"),
        "{found:?}"
    );
    // A backup says so, too: what it must note about the repository can't be noted.
    let run = home.run_with(&vars, &["-r", "main", "backup", "docs"]).ends(1);
    run.says(&["DEDUP_STATE_DIR"]);
}

#[test]
fn a_backup_ends_before_its_quota_is_exceeded() {
    let home = home("");
    home.ok(&["run", "docs"]);
    let used = |home: &Home| home.ok(&["status", "--refresh", "--json"]).summary()["remotes"][0].clone();
    let before = number(&used(&home), "used");
    settings(&home, &format!("quota = '{}'", before + 1000), "");
    let noise: Vec<u8> = (0..1_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    home.write("docs/noise", noise);
    let run = home.ends(14, &["run", "docs"]);
    run.says(&["the quota is reached", "dedup prune"]);
    let remote = used(&home);
    // Sessions and their like are not refused.
    assert!(number(&remote, "used") < before + 10_000, "{remote}");
    assert_eq!(number(&remote, "quota"), before + 1000);
    assert_eq!(remote["reachable"], true);
    let row = home.ok(&["history", "--json"]).objects()[0].clone();
    assert_eq!(
        (&row["status"], &row["reason"]),
        (&json!("incomplete"), &json!("out of space"))
    );
    assert_ne!(the_mark(&home, 3, "quota").0, "ok");
    // What frees space is never refused.
    home.ok(&["-r", "main", "prune", "--gc-only"]);
    settings(&home, "quota = '1G'", "");
    home.ok(&["run", "docs"]);
}

#[test]
fn status_says_what_is_used_and_proven() {
    let home = home("");
    let remote = || home.ok(&["status", "--json"]).summary()["remotes"][0].clone();
    let first = remote();
    assert!(first["used"].is_null() && first["reachable"].is_null() && first["last_check"].is_null());
    home.ok(&["run", "docs"]);
    home.ok(&["-r", "main", "check"]);
    let then = remote();
    assert!(number(&then, "used") > 0 && then["last_check"].is_string() && then["last_restore"].is_null());
    // Two weeks of growth.
    let note = home.path(format!("{STATE}/usage/main.json"));
    let mut known: Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    known["samples"] = json!([
        { "at": "2020-01-01T00:00:00Z", "used": 1 << 20 },
        { "at": "2020-01-15T00:00:00Z", "used": 3 << 20 },
    ]);
    fs::write(&note, known.to_string()).unwrap();
    settings(&home, "quota = '10M'", "");
    let grown = remote();
    assert_eq!(
        (number(&grown, "growth_per_week"), number(&grown, "quota")),
        (1 << 20, 10 << 20)
    );
    assert!(string(&grown, "full_at").starts_with("2020-03-04"), "{grown}");
    let table = home.ok(&["status"]).out;
    assert!(
        table.contains("10.000 MiB") && table.contains("2020-03-04"),
        "{table}"
    );
    fs::rename(home.repository(), home.path("away")).unwrap();
    let gone = home.ok(&["status", "--refresh", "--json"]).summary()["remotes"][0].clone();
    assert!(string(&gone, "error").contains("no repository"));
}

#[test]
fn every_machine_of_a_repository() {
    let home = home("");
    home.ok(&["run", "docs"]);
    for host in ["alpha", "beta"] {
        home.ok(&["-r", "main", "backup", "--host", host, "docs"]);
    }
    home.ok(&["-r", "main", "backup", "--host", "beta", "docs"]);
    let mut rows = home.ok(&["status", "--all-hosts", "--json"]).objects();
    assert_eq!(number(&rows.pop().unwrap(), "hosts"), 3);
    let beta = rows.iter().find(|row| row["host"] == "beta").unwrap();
    assert_eq!((number(beta, "snapshots"), &beta["complete"]), (2, &json!(true)));
    assert!(rows.iter().filter(|row| row["here"] == true).count() == 1);
    let table = home.ok(&["status", "--all-hosts"]).out;
    assert!(
        table.contains("alpha") && table.contains("(this one)") && table.contains("complete"),
        "{table}"
    );
}

#[test]
fn the_log_says_why_and_no_secret() {
    let home = home("run-before = 'echo hook-token-123456 >&2; false'");
    home.ends(1, &["run", "docs"]);
    let vars = [("DEDUP_PASSWORD", "hunter2secret")];
    home.run_with(
        &vars,
        &["-r", "sftp://u:hunter2secret@127.0.0.1:1/x", "snapshots"],
    );
    let log = fs::read_to_string(home.path(format!("{STATE}/logs/dedup.log"))).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ended = lines
        .iter()
        .find(|line| line["event"] == "job-ended" && line["kind"] == "backup")
        .unwrap();
    assert_eq!(
        (&ended["set"], &ended["level"]),
        (&json!("docs"), &json!("error"))
    );
    assert!(string(ended, "cause").starts_with("HookFailed"), "{ended}");
    assert!(
        lines
            .iter()
            .any(|line| line["event"] == "command-failed" && line["command"] == "snapshots")
    );
    assert!(!log.contains("hunter2secret") && !log.contains("letter"), "{log}");
    home.run_with(&[("DEDUP_LOG", "off")], &["run", "docs"]).ends(1);
    let again = fs::read_to_string(home.path(format!("{STATE}/logs/dedup.log"))).unwrap();
    assert_eq!(again, log);
    home.run_with(&[("DEDUP_LOG", "loud")], &["status"])
        .ends(2)
        .says(&["DEDUP_LOG"]);
}

/// Names and texts of what is in a ZIP, by a reader that is not ours.
fn unzipped(path: &Path) -> Vec<(String, String)> {
    let reader = "import json, sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
        print(json.dumps([[n, z.read(n).decode()] for n in z.namelist()]))";
    let read = Command::new("python3")
        .args(["-c", reader])
        .arg(path)
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

#[test]
fn a_bundle_has_what_helps_and_no_secret() {
    // One secret in each place in which one may stand.
    let home = home(
        "run-before = 'curl -H \"X: PLANTED-01-hook\" https://h/x; false'\nrun-finally = 'PLANTED-02-hook'\n\
         [notify.mail]\nserver = '127.0.0.1'\nport = 1\ntls = 'none'\nuser = 'PLANTED-03-user'\n\
         password-file = '~/smtp'\nfrom = 'a@example.jp'\nto = ['b@example.jp']\n\
         [notify.webhook]\nurl = 'http://127.0.0.1:1/PLANTED-05-path?token=PLANTED-06-query'\n\
         [notify.ping]\nurl = 'http://127.0.0.1:1/PLANTED-07-ping/{set}'\n\
         [limits]\nupload = '1G'\n",
    );
    home.write("smtp", "PLANTED-04-smtp\n");
    home.write("password", "PLANTED-08-file\n");
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    let text = format!(
        "# PLANTED-09-comment\n{text}\n[remotes.far]\nurl = 'sftp://me:PLANTED-10-url@127.0.0.1:1/x'\n\
         password-command = 'echo PLANTED-11-command'\n\
         [remotes.other]\nurl = '/nowhere/x'\npassword-file = '~/password'\n"
    );
    home.write(".config/dedup/dedup.toml", text);
    let vars = [
        ("DEDUP_PASSWORD", "PLANTED-12-env"),
        ("DEDUP_NEW_PASSWORD_COMMAND", "echo PLANTED-13-env"),
        ("AWS_SECRET_ACCESS_KEY", "PLANTED-14-aws"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("HTTPS_PROXY", "http://me:PLANTED-15-proxy@127.0.0.1:1"),
        ("MY_TOKEN", "PLANTED-16-token"),
    ];
    home.run_with(&vars, &["run", "docs"]);
    home.run_with(
        &vars,
        &[
            "-r",
            "sftp://me:PLANTED-12-env@127.0.0.1:1/PLANTED-12-env",
            "snapshots",
        ],
    );
    let run = home.run_with(&vars, &["support-bundle", "out.zip"]).ends(0);
    assert!(
        run.out.contains("history.jsonl") && run.out.contains("Blanked"),
        "{}",
        run.out
    );
    let parts = unzipped(&home.path("out.zip"));
    for (name, text) in &parts {
        assert!(!text.contains("PLANTED"), "{name}: {text}");
    }
    let part = |name: &str| {
        let found = parts.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.as_str()
    };
    assert!(part("README.txt").contains("settings.txt"));
    assert!(part("settings.txt").contains("sets.docs.run-before = (removed)"));
    assert!(
        part("settings.txt").contains("127.0.0.1:1/..."),
        "{}",
        part("settings.txt")
    );
    assert!(part("environment.txt").contains("DEDUP_PASSWORD=(removed)"));
    assert!(part("environment.txt").contains("AWS_ACCESS_KEY_ID=AKID"));
    assert!(part("versions.json").contains("\"version\""));
    assert!(part("history.jsonl").contains("\"set\":\"docs\"") && part("doctor.jsonl").contains("\"mark\""));
    assert!(part("logs/dedup.log").contains("job-ended"));
    let mode = {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(home.path("out.zip")).unwrap().permissions().mode()
    };
    assert_eq!(mode & 0o777, 0o600);
    // It replaces nothing.
    home.ends(1, &["support-bundle", "out.zip"]).says(&["exists"]);
    home.ok(&["support-bundle"]);
    let names = fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        names
            .into_iter()
            .any(|name| name.to_string_lossy().starts_with("dedup-support-"))
    );
}

#[test]
fn changes_are_in_the_history() {
    let home = home("");
    home.ok(&["run", "docs"]);
    let id = home.snapshots()[0].clone();
    home.ok(&["-r", "main", "tag", "--add", "x", &id]);
    home.ok(&["-r", "main", "key", "recovery"]);
    home.write("new", "another password\n");
    home.ok(&["-r", "main", "key", "add", "--new-password-file", "new"]);
    home.ok(&["-r", "main", "repair", "index"]);
    let id = home.snapshots()[0].clone();
    home.ok(&["-r", "main", "forget", &id]);
    home.ok(&["-r", "main", "undelete", &id]);
    let rows = home.ok(&["history", "--json"]).objects();
    let kinds: Vec<String> = rows.iter().rev().skip(1).map(|row| string(row, "kind")).collect();
    let want = [
        "init",
        "backup",
        "tag",
        "key recovery",
        "key add",
        "repair",
        "delete",
        "undelete",
    ];
    assert_eq!(kinds, want);
    assert!(
        rows.iter().take(6).all(|row| row["repository"] == "main"),
        "{rows:?}"
    );
    let added = home.ok(&["history", "--kind", "key add", "--json"]).objects();
    assert_eq!((added.len(), &added[0]["status"]), (2, &json!("completed")));
    assert!(home.ok(&["--lang", "ja", "history"]).out.contains("鍵の追加"));
}

#[test]
fn versions_and_licences() {
    let home = home("");
    let about = home.ok(&["about"]).out;
    assert!(
        about.contains("MIT OR Apache-2.0") && about.contains("blake3"),
        "{about}"
    );
    home.ends(2, &["version", "--check"]).says(&["[update]"]);
    settings(&home, "", "[update]\nurl = 'http://127.0.0.1:1/x'\n");
    home.ends(2, &["version", "--check"]).says(&["https://"]);
    settings(&home, "", "[update]\nurl = 'https://127.0.0.1:1/TOKEN'\n");
    let run = home.ends(1, &["version", "--check"]);
    assert!(!run.err.contains("TOKEN"), "{}", run.err);
    home.ok(&["version"]);
}

#[test]
fn a_newer_version_is_told() {
    use kit::servers::postbox::{Certificate, https};
    let home = home("");
    let Some(certificate) = Certificate::new(&home.path(""), "a_newer_version_is_told") else {
        return;
    };
    let said = |answer: &str| {
        let port = https(&certificate, answer);
        settings(
            &home,
            "",
            &format!("[update]\nurl = 'https://localhost:{port}/v'\n"),
        );
        let file = certificate.path.to_str().unwrap();
        home.run_with(&[("SSL_CERT_FILE", file)], &["version", "--check", "--json"])
    };
    let newer = said("{\"version\":\"99.0.0\"}").ends(0).objects()[0].clone();
    assert_eq!(
        (&newer["newer"], &newer["latest"]),
        (&json!(true), &json!("99.0.0"))
    );
    let same = said(env!("CARGO_PKG_VERSION")).ends(0).objects()[0].clone();
    assert_eq!(same["newer"], false);
    said("<html>").ends(1).says(&["names no version"]);
    // Nobody vouches for the server.
    let port = https(&certificate, "99.0.0");
    settings(
        &home,
        "",
        &format!("[update]\nurl = 'https://localhost:{port}/v'\n"),
    );
    home.ends(1, &["version", "--check"]);
}
