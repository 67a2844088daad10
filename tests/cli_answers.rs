//! What is shown and asked, and what happens if no one sees or answers: recovery phrases, policies, missing passwords.

use kit::program::Home;
use std::fs;
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");

fn home() -> Home {
    Home::new(PROGRAM)
}

/// The number of key slots in the embedded repository.
fn slots(home: &Home) -> usize {
    home.objects("keys").len()
}

#[test]
fn a_phrase_that_nobody_saw_opens_nothing() {
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for json in [&[][..], &["--json", "--print-recovery-phrase"]] {
        let home = home();
        let init = [&["init"][..], json].concat();
        let run = home.command(&init).stdout(full()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(1), "{said}");
        assert!(
            said.contains("recovery phrase") && said.contains("nothing was made"),
            "{said}"
        );
        assert!(!home.repository().join("config").exists() && slots(&home) == 0);
        assert!(!home.path(".config/dedup/default.key").exists());
        let made = home.ok(&init);
        assert_eq!(slots(&home), 2);
        assert!(made.out.starts_with(if json.is_empty() {
            "Recovery phrase"
        } else {
            "{\"message_type\":\"recovery"
        }));
    }
    let home = home();
    home.init();
    for json in [&[][..], &["--json"]] {
        let recovery = [&["key", "recovery"][..], json].concat();
        for out in [full(), Stdio::null()] {
            let run = home.command(&recovery).stdout(out).output().unwrap();
            assert_eq!((run.status.code(), slots(&home)), (Some(1), 2), "{json:?}");
        }
    }
    let closed = |home: &Home, command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec \"$0\" {command} >&-"), PROGRAM]);
        shell
            .env_clear()
            .env("HOME", home.path(""))
            .env("DEDUP_KEY_CACHE", "0s");
        let run = shell.output().unwrap();
        (
            run.status.code(),
            String::from_utf8_lossy(&run.stderr).into_owned(),
        )
    };
    let (code, said) = closed(&home, "key recovery");
    assert!(
        code == Some(1) && said.contains("closed") && slots(&home) == 2,
        "{said}"
    );
    // The repository can be opened by its key file, and a message says that there is no phrase.
    let new = self::home();
    let (code, said) = closed(&new, "init");
    assert!(
        code == Some(0) && said.contains("no recovery phrase was made"),
        "{said}"
    );
    assert_eq!(slots(&new), 1);
    new.ok(&["snapshots"]);
    new.ok(&["key", "recovery"]);
    assert_eq!(slots(&new), 2);
}

#[test]
fn programs_get_a_phrase_only_if_they_ask() {
    let home = home();
    let made = home.ok(&["init", "--json"]);
    assert!(!made.out.contains("recovery_phrase"), "{}", made.out);
    assert_eq!(
        (&made.summary()["recovery"], slots(&home)),
        (&serde_json::json!(false), 1)
    );
    let home = self::home();
    let made = home.ok(&["init", "--json", "--print-recovery-phrase"]);
    let phrase = made.objects()[0]["recovery_phrase"].as_str().unwrap().to_string();
    assert_eq!(phrase.split(' ').count(), 24);
    assert_eq!(
        (&made.summary()["recovery"], slots(&home)),
        (&serde_json::json!(true), 2)
    );
    home.write("phrase", phrase.to_uppercase().replace(' ', ", "));
    home.ok(&["--recovery-phrase-file", "phrase", "snapshots"]);
    home.write("phrase", phrase.replacen(' ', " wrongg ", 1));
    home.ends(12, &["--recovery-phrase-file", "phrase", "snapshots"])
        .says(&["word 2", "'wrongg'"]);
    home.ends(2, &["init", "--json", "--no-recovery", "--print-recovery-phrase"]);
}

#[test]
fn a_policy_is_answer_enough_where_nobody_can_be_asked() {
    let home = home();
    home.init();
    for text in ["a", "b", "c"] {
        home.write("docs/a", text);
        home.ok(&["backup", "docs"]);
    }
    let run = home.ok(&["forget", "--keep-last", "2"]);
    assert!(
        run.out.contains("Snapshots of host") && run.out.contains("Removed 1 snapshot."),
        "{}",
        run.out
    );
    let run = home.ok(&["prune", "--keep-last", "1"]);
    assert!(
        run.out
            .contains("2 snapshots are in the trash, the first until 20"),
        "{}",
        run.out
    );
    home.ok(&["forget", "latest", "--prune"]);
    home.ok(&["prune"]);
    let keys = home.ok(&["key", "list", "--json"]).objects();
    let other = keys.iter().find(|key| key["current"] == false).unwrap();
    home.ends(2, &["key", "remove", other["id"].as_str().unwrap()])
        .says(&["not a terminal", "--yes"]);
    home.ends(2, &["key", "add"])
        .says(&["no new password", "--new-password-file"]);
}
