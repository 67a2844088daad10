//! What goes wrong while nobody watches, and what is left of it: a message that says why, a history that tells it, and the next
//! run that works. What is tested beside its own subject is not repeated here.

use crate::cli_notify::header;
use crate::cli_runs::{YEARLY, history, home, known_for_long, set, words};
use kit::program::{Home, number, string};
use kit::servers::postbox::{Certificate, Smtp, SmtpOptions};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const SETTINGS: &str = ".config/dedup/dedup.toml";

fn add(home: &Home, more: &str) {
    let text = fs::read_to_string(home.path(SETTINGS)).unwrap();
    home.write(SETTINGS, format!("{text}\n{more}"));
}

fn mail(port: u16, more: &str) -> String {
    format!(
        "[notify.mail]\nserver = 'localhost'\nport = {port}\nfrom = 'backup@example.jp'\nto = ['a@example.jp']\n{more}\n"
    )
}

/// The backup is none the worse for it, the password is told to nobody, and what was to be sent is not lost.
#[test]
fn the_password_for_mail_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let Some(certificate) = Certificate::new(folder.path(), "the_password_for_mail_is_wrong") else {
        return;
    };
    let root = certificate.path.clone().into_os_string().into_string().unwrap();
    let trusting = [("SSL_CERT_FILE", root.as_str())];
    let smtp = Smtp::start(SmtpOptions {
        certificate: Some(certificate),
        login: Some(("backup", "right")),
        ..SmtpOptions::default()
    });
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    let login = "tls = 'starttls'\nuser = 'backup'\npassword-file = '~/smtp'\n[notify]\non = 'always'";
    add(&home, &mail(smtp.port, login));
    home.write("smtp", "mistaken\n");
    known_for_long(&home, "docs");
    let run = home.run_with(&trusting, &["--quiet", "run", "--due"]).ends(0);
    assert!(run.err.contains("could not notify by mail"), "{}", run.err);
    assert!(
        run.err.contains("535") && !run.err.contains("mistaken"),
        "{}",
        run.err
    );
    assert_eq!(words(&history(&home), "status")[0], "completed");
    let waiting = || home.ok(&["status", "--json"]).summary()["notifications"].clone();
    assert_eq!(number(&waiting(), "waiting"), 1);
    assert!(waiting().to_string().contains("535"), "{}", waiting());
    home.write("smtp", "right\n");
    // Whoever mends it does not wait for the next attempt.
    home.run_with(&trusting, &["notify", "test"]).ends(0);
    let subjects: Vec<String> = smtp
        .letters()
        .iter()
        .map(|letter| header(letter, "Subject"))
        .collect();
    assert!(
        subjects.iter().any(|subject| subject.contains("test")),
        "{subjects:?}"
    );
}

/// Without a state directory nothing would say what has run, so nothing runs by itself, and each look says why.
#[test]
fn the_state_directory_cannot_be_written() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    home.write("file", "");
    let state = home.text("file/state");
    let vars = [("DEDUP_STATE_DIR", state.as_str())];
    for _ in 0..2 {
        let run = home.run_with(&vars, &["--quiet", "run", "--due"]);
        assert_eq!(run.code, 1, "{}", run.err);
        assert!(run.err.contains(&state), "{}", run.err);
    }
    home.run_with(&vars, &["--lang", "ja", "run", "docs"])
        .ends(1)
        .says(&["DEDUP_STATE_DIR"]);
    assert!(home.snapshots().is_empty());
}

#[test]
fn a_command_before_the_backup_that_hangs() {
    let smtp = Smtp::start(SmtpOptions::default());
    let hooks =
        "run-before = 'sleep 1000 | cat'\nrun-timeout = '1s'\nrun-failed = 'echo $DEDUP_STATUS > ~/failed'";
    let home = home(&set(&format!("schedule = '{YEARLY}'\n{hooks}")));
    add(&home, &mail(smtp.port, "tls = 'none'"));
    known_for_long(&home, "docs");
    home.ends(1, &["--quiet", "run", "--due"])
        .says(&["run-before", "longer than", "run-timeout"]);
    assert_eq!(fs::read_to_string(home.path("failed")).unwrap(), "incomplete\n");
    let rows = history(&home);
    assert_eq!(words(&rows, "status")[0], "incomplete");
    assert!(string(&rows[0], "message").contains("run-before"), "{}", rows[0]);
    assert_eq!(smtp.letters().len(), 1);
    assert!(home.snapshots().is_empty());
    let text = fs::read_to_string(home.path(SETTINGS)).unwrap();
    home.write(SETTINGS, text.replace("sleep 1000 | cat", "true"));
    home.ok(&["run", "docs"]);
    assert_eq!(smtp.letters().len(), 2, "and it is told that it works again");
}

/// NTFS as Windows has it, which takes no `:` in a name.
struct Windows(PathBuf);

impl Windows {
    fn mounted(home: &Home) -> Option<Windows> {
        let (image, at) = (home.path("ntfs.img"), home.path("windows"));
        fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        fs::create_dir(&at).unwrap();
        let run = |program: &str, args: &[&str]| {
            let done = Command::new(program).args(args).output();
            done.is_ok_and(|done| done.status.success())
        };
        let (image, place) = (image.to_str().unwrap(), at.to_str().unwrap());
        let made =
            run("mkntfs", &["-F", "-q", image]) && run("ntfs-3g", &["-o", "windows_names", image, place]);
        if !made {
            eprintln!("no NTFS can be mounted here (root, mkntfs, ntfs-3g): nothing was tested");
        }
        made.then_some(Windows(at))
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A name that the place of a restore can't have is told as that; the rest is restored. A repository there has no such names:
/// what is saved is as it was.
#[test]
fn names_that_a_destination_forbids() {
    let home = home(&set(""));
    let Some(_windows) = Windows::mounted(&home) else {
        return;
    };
    home.write("docs/a:b", "forbidden");
    home.write("docs/folder?/inside", "below");
    let key = home.text("windows.key");
    let there = ["-r", "windows/repo", "--key-file", &key];
    let at = |args: &[&str]| -> Vec<String> { there.iter().chain(args).map(ToString::to_string).collect() };
    home.ok(&at(&["init", "--no-recovery"]));
    home.ok(&at(&["backup", "docs"]));
    home.ok(&at(&["check", "--read-data"]));
    home.ok(&at(&["restore", "--target", "out"]));
    let within = |target: &str, name: &str| {
        home.path(target)
            .join(home.path("docs").strip_prefix("/").unwrap())
            .join(name)
    };
    assert_eq!(fs::read(within("out", "a:b")).unwrap(), b"forbidden");
    let run = home.ends(3, &at(&["restore", "--target", "windows/out"]));
    assert!(
        run.err.contains("a:b") && run.err.contains("does not allow this name"),
        "{}",
        run.err
    );
    assert_eq!(fs::read(within("windows/out", "letter")).unwrap(), b"letter");
    let run = home.ends(3, &at(&["--lang", "ja", "restore", "--target", "windows/out"]));
    assert!(run.err.contains("使えない名前"), "{}", run.err);
    let rows = home.ok(&["history", "--json", "--kind", "restore"]).objects();
    assert_eq!(
        (&rows[0]["status"], &rows[0]["reason"]),
        (&json!("incomplete"), &json!("forbidden name")),
        "{}",
        rows[0]
    );
    assert!(home.ok(&["--lang", "ja", "history"]).out.contains("使えない名前"));
}
