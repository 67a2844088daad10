//! The guided start, on a terminal, from a home with nothing in it.

use kit::program::Home;
use kit::servers::postbox::{Smtp, SmtpOptions};
use kit::session::in_session;
use kit::terminal::on_terminal;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn empty_home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    for n in 0..5 {
        home.write(&format!("docs/letter{n}"), format!("dear {n}"));
    }
    home
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let home = empty_home();
    home.ends(2, &["setup"])
        .says(&["not a terminal", "dedup init", "dedup set add"]);
    assert!(!home.path(".config/dedup").exists());
}

#[test]
fn from_nothing_to_a_proven_backup() {
    let home = empty_home();
    home.write("taken/letter", "mine");
    let (docs, taken) = (home.text("docs"), home.text("taken"));
    let run = home.on_terminal(
        &[],
        &["setup"],
        &[
            ("What should be backed up.*: $", "/no/such/place"),
            (
                "There is no /no/such/place(?s:.*)What should be backed up.*: $",
                docs.as_str(),
            ),
            ("Anything else.*: $", ""),
            ("Where should backups go.*: $", taken.as_str()),
            ("holds other files(?s:.*)Where should backups go.*: $", ""),
            ("What opens the backup.*: $", ""),
            ("When.*: $", "whenever"),
            ("'whenever'(?s:.*)When.*: $", "daily 12:30"),
            ("Write these words down.*: ", ""),
            (r"Word (\d+): $", "wrong"),
            ("not the word(?s:.*)Write these words down.*: ", ""),
            (r"Word (\d+): $", "{word}"),
            (r"Word (\d+): $", "{word}"),
            (r"Word (\d+): $", "{word}"),
            ("Who gets a mail.*: $", ""),
            ("Install a timer.*: $", "no"),
        ],
    );
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    for words in [
        "Right.",
        "Set docs: completed",
        "is the same as the original",
        "crontab -e",
        "Setup is complete. ",
        "restore --target DIR'",
    ] {
        assert!(run.out.contains(words), "no '{words}' in {}", run.out);
    }
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    for line in [
        "[remotes.main]",
        "[sets.docs]",
        "schedule = \"daily 12:30\"",
        "key-file = ",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(home.ok(&["-r", "main", "snapshots", "--json"]).objects().len(), 1);
    home.ok(&["config", "check"]);
    home.ok(&["run", "docs"]);
    // Somebody has typed words of the recovery phrase back: that stays known, and there is one phrase.
    let found = home.run(&["doctor"]).out;
    assert!(found.contains("it was typed back"), "{found}");
    let slots = home.ok(&["-r", "main", "key", "list", "--json"]).out;
    assert_eq!(slots.matches("recovery").count(), 1, "{slots}");
    let kinds = home.ok(&["history"]).out;
    assert!(kinds.contains("restore"), "{kinds}");
    // Another one beside it.
    let run = home.on_terminal(
        &[],
        &["setup", "--lang", "ja"],
        &[
            ("何をバックアップ.*: $", docs.as_str()),
            ("ほかにも.*: $", ""),
            ("どこに保存.*: $", "second"),
            ("バックアップを開く.*: $", "password"),
            (": $", "sesame"),
            (": $", "sesame"),
            ("いつ実行.*: $", "manual"),
            ("書き写して.*: ", ""),
            (r"(\d+) 番目の単語: $", "{word}"),
            (r"(\d+) 番目の単語: $", "{word}"),
            (r"(\d+) 番目の単語: $", "{word}"),
            ("失敗したとき.*: $", ""),
        ],
    );
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    assert!(run.out.contains("元のファイルと同じ"), "{}", run.out);
    assert!(
        run.out.contains("'dedup -r main2 restore --target DIR'"),
        "{}",
        run.out
    );
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    assert!(
        text.contains("[remotes.main2]") && text.contains("[sets.docs2]"),
        "{text}"
    );
    home.ok(&["run", "--all"]);
}

/// What is typed in answer to a setup that needs nothing but a source.
fn shortest<'a>(docs: &'a str, timer: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("What should be backed up.*: $", docs),
        ("Anything else.*: $", ""),
        ("Where should backups go.*: $", ""),
        ("What opens the backup.*: $", ""),
        ("When.*: $", ""),
        ("Write these words down.*: ", ""),
        (r"Word (\d+): $", "{word}"),
        (r"Word (\d+): $", "{word}"),
        (r"Word (\d+): $", "{word}"),
        ("Who gets a mail.*: $", ""),
        ("Install a timer.*: $", timer),
    ]
}

/// The timer is the real one of systemd, which starts a run.
#[test]
fn the_timer_is_installed() {
    let home = empty_home();
    let docs = home.text("docs");
    let program = home.command::<&str>(&[]);
    let script = r#"
        "$DEDUP" setup; code=$?
        systemctl --user is-enabled dedup.timer >"$HOME/enabled"
        systemctl --user is-active dedup.timer >"$HOME/active"
        systemctl --user start --wait dedup.service
        systemctl --user show dedup.service -p Result -p ExecMainStatus -p Nice -p IOSchedulingPriority >"$HOME/result"
        systemctl --user list-timers --no-legend dedup.timer >"$HOME/next"
        systemd-analyze --user verify "$HOME"/.config/systemd/user/dedup.* >"$HOME/verified" 2>&1
        echo $? >>"$HOME/verified"
        exit $code"#;
    let Some(session) = in_session(&program, script, "the_timer_is_installed") else {
        return;
    };
    let run = on_terminal(&session, &shortest(&docs, "yes"));
    let read = |name: &str| fs::read_to_string(home.path(name)).unwrap_or_default();
    assert_eq!(run.code, 0, "{}\n{}\n{}", run.out, run.err, read("systemd.log"));
    for words in ["started the timer", "enable-linger", "Setup is complete. "] {
        assert!(run.out.contains(words), "no '{words}' in {}", run.out);
    }
    assert_eq!(
        (read("enabled").trim(), read("active").trim()),
        ("enabled", "active")
    );
    let result = read("result");
    for line in [
        "Result=success",
        "ExecMainStatus=0",
        "Nice=10",
        "IOSchedulingPriority=7",
    ] {
        assert!(result.contains(line), "{result}");
    }
    assert!(read("next").contains("dedup.service"), "{}", read("next"));
    // systemd itself finds nothing wrong with the files that were written.
    let verified = read("verified");
    assert!(verified.ends_with("\n0\n") || verified == "0\n", "{verified}");
    assert!(!verified.contains("dedup."), "{verified}");
}

/// Where nobody runs systemd for this user, the reason is told and setup ends well: backups can be run all the same.
#[test]
fn a_timer_that_cannot_be_installed() {
    let home = empty_home();
    let docs = home.text("docs");
    home.write(
        "bin/systemctl",
        "#!/bin/sh\necho \"$@\" >>\"$HOME/called\"\necho 'Failed to connect to bus' >&2\nexit 1\n",
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(home.path("bin/systemctl"), mode).unwrap();
    let path = format!("{}:{}", home.text("bin"), std::env::var("PATH").unwrap());
    let run = home.on_terminal(&[("PATH", &path)], &["setup"], &shortest(&docs, "yes"));
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    for words in [
        "Failed to connect to bus). To run",
        "crontab -e",
        "Setup is complete except for the timer",
    ] {
        assert!(run.out.contains(words), "no '{words}' in {}", run.out);
    }
    assert_eq!(
        fs::read_to_string(home.path("called")).unwrap(),
        "--user daemon-reload\n"
    );
    assert_eq!(home.ok(&["-r", "main", "snapshots", "--json"]).objects().len(), 1);
}

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

/// What is typed until words of the phrase are asked for. The repository is to be opened by a `key` or `password`.
fn up_to_the_phrase(key: &str) -> Vec<(&'static str, &str)> {
    let mut steps = vec![
        ("What should be backed up.*: $", "~/docs"),
        ("Anything else.*: $", ""),
        ("Where should backups go.*: $", "repo"),
        ("What opens the backup.*: $", key),
    ];
    if key == "password" {
        steps.push((
            "unencrypted in .*main.password, which only you can read, because(?s:.*)New password: $",
            "sesame",
        ));
        steps.push(("Repeat password: $", "sesame"));
    }
    steps.push(("When.*: $", "manual"));
    steps.push(("Write these words down.*: ", ""));
    steps
}

/// The names of the files in the folder of the settings.
fn kept(home: &Home) -> Vec<String> {
    let Ok(files) = fs::read_dir(home.path(".config/dedup")) else {
        return Vec::new();
    };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// What is left early leaves nothing that is half done.
#[test]
fn left_in_the_middle() {
    for (key, typed) in [("key", CTRL_D), ("key", CTRL_C), ("password", CTRL_C)] {
        let home = empty_home();
        let mut steps = up_to_the_phrase(key);
        steps.push((r"Word (\d+): $", typed));
        let run = home.on_terminal(&[], &["setup"], &steps);
        assert!(run.code != 0 && run.code != 99, "{}\n{}", run.out, run.err);
        assert!(!home.path("repo").exists(), "{}", run.out);
        assert_eq!(kept(&home), [""; 0], "{key}: {}", run.out);
    }
}

/// A setup that was interrupted after it made the repository goes on with it, and with what opens it.
#[test]
fn an_interrupted_setup_is_resumed() {
    for (key, file) in [("key", "main.key"), ("password", "main.password")] {
        let home = empty_home();
        let mut steps = up_to_the_phrase(key);
        steps.extend([(r"Word (\d+): $", "{word}"); 3]);
        steps.push(("Who gets a mail.*: $", CTRL_C));
        let run = home.on_terminal(&[], &["setup"], &steps);
        assert!(run.code != 0 && run.code != 99, "{}\n{}", run.out, run.err);
        assert!(home.path("repo/config").exists(), "{}", run.out);
        assert_eq!(kept(&home), [file]);
        let run = home.on_terminal(
            &[],
            &["setup"],
            &[
                ("What should be backed up.*: $", "~/docs"),
                ("Anything else.*: $", ""),
                ("Where should backups go.*: $", "repo"),
                (
                    "repo is used(?s:.*)'dedup -r main key recovery'(?s:.*)When.*: $",
                    "manual",
                ),
                ("Who gets a mail.*: $", ""),
            ],
        );
        assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
        assert_eq!(kept(&home), ["dedup.toml", file]);
        let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
        assert!(text.contains(&format!("/{file}\"")), "{text}");
        assert_eq!(home.ok(&["-r", "main", "snapshots", "--json"]).objects().len(), 1);
        let slots = home.ok(&["-r", "main", "key", "list", "--json"]).out;
        assert_eq!(slots.matches("recovery").count(), 1, "{slots}");
        home.ok(&["-r", "main", "key", "recovery"]);
        // As after one that was interrupted in its first backup: the same answers make nothing twice.
        let run = home.on_terminal(
            &[],
            &["setup"],
            &[
                ("What should be backed up.*: $", "~/docs"),
                ("Anything else.*: $", ""),
                ("Where should backups go.*: $", "repo"),
                ("When.*: $", "manual"),
                ("Who gets a mail.*: $", ""),
            ],
        );
        assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
        let again = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
        assert_eq!(again, text);
    }
}

/// A repository that this machine knows no key of: it is opened by what somebody has.
#[test]
fn a_repository_of_another_machine_is_used() {
    for (opener, kept_file) in [("key", None), ("password", Some("main.password"))] {
        let home = empty_home();
        home.write("given", "sesame\n");
        let both = ["--key-file", "key", "--password-file", "given"];
        home.ok(&[&["-r", "nas"], &both[..], &["init"]].concat());
        let mut steps = vec![
            ("What should be backed up.*: $", "~/docs"),
            ("Anything else.*: $", ""),
            ("Where should backups go.*: $", "nas"),
            ("nas. It can be used if(?s:.*)What opens it.*: $", "other"),
            ("Where should backups go.*: $", "nas"),
            ("What opens it.*: $", "key"),
            ("Path of the key file.*: $", "~/nowhere"),
            ("nowhere(?s:.*)What opens it.*: $", "key"),
            ("Path of the key file.*: $", "~/docs/letter0"),
            ("letter0(?s:.*)What opens it.*: $", "password"),
            ("only you can read(?s:.*)Password: $", "wrong"),
            ("wrong password or key(?s:.*)What opens it.*: $", opener),
        ];
        steps.push(match opener {
            "key" => ("Path of the key file.*: $", "~/key"),
            _ => ("only you can read(?s:.*)Password: $", "sesame"),
        });
        steps.push(("nas is used(?s:.*)When.*: $", "manual"));
        steps.push(("Who gets a mail.*: $", ""));
        let run = home.on_terminal(&[], &["setup"], &steps);
        assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
        let files: Vec<&str> = ["dedup.toml"].into_iter().chain(kept_file).collect();
        assert_eq!(kept(&home), files);
        let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
        let path = kept_file.map_or_else(
            || home.text("key"),
            |file| home.text(&format!(".config/dedup/{file}")),
        );
        assert!(text.contains(&format!("-file = \"{path}\"")), "{text}");
        assert_eq!(home.ok(&["-r", "main", "snapshots", "--json"]).objects().len(), 1);
    }
}

/// Nothing that was answered before is lost by a slip, and the file that the password ends up in is its owner's.
#[test]
fn passwords_that_differ_are_asked_for_again() {
    let home = empty_home();
    let run = home.on_terminal(
        &[],
        &["setup"],
        &[
            ("What should be backed up.*: $", "~/docs"),
            ("Anything else.*: $", ""),
            ("Where should backups go.*: $", "repo"),
            ("What opens the backup.*: $", "password"),
            ("New password: $", ""),
            ("password is empty(?s:.*)What opens the backup.*: $", "password"),
            ("New password: $", "sesame"),
            ("Repeat password: $", "seasme"),
            ("two passwords differ(?s:.*)New password: $", "sesame"),
            ("Repeat password: $", "sesame"),
            ("When.*: $", "manual"),
            ("Write these words down.*: ", ""),
            (r"Word (\d+): $", "{word}"),
            (r"Word (\d+): $", "{word}"),
            (r"Word (\d+): $", "{word}"),
            ("Who gets a mail.*: $", ""),
        ],
    );
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    assert_eq!(kept(&home), ["dedup.toml", "main.password"]);
    let file = home.path(".config/dedup/main.password");
    assert_eq!(fs::read_to_string(&file).unwrap(), "sesame\n");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.ok(&["-r", "main", "snapshots", "--json"]).objects().len(), 1);
}

/// Each answer about mail is checked when it is given, and all of them can be changed after the test mail failed.
#[test]
fn what_is_mistyped_about_mail_is_corrected() {
    let home = empty_home();
    home.init();
    let smtp = Smtp::start(SmtpOptions::default());
    let port = smtp.port.to_string();
    let run = home.on_terminal(
        &[],
        &["setup"],
        &[
            ("What should be backed up.*: $", "~/docs"),
            ("Anything else.*: $", ""),
            ("Where should backups go.*: $", ""),
            ("When.*: $", "manual"),
            ("Who gets a mail.*: $", "not-an-address"),
            (
                "'not-an-address' is not an email address(?s:.*)Who gets a mail.*: $",
                "a@wrong.example",
            ),
            (r"SMTP server \[smtp.wrong.example\]: $", "local host"),
            ("'local host' is not the name(?s:.*)SMTP server.*: $", "localhost"),
            ("Encryption.*: $", "none"),
            ("Port.*: $", "70000"),
            ("'70000' is not a port(?s:.*)Port.*: $", "1"),
            ("User name.*: $", "somebody"),
            ("unencrypted in .*smtp.password(?s:.*)Password: $", "sesame"),
            ("could not be sent(?s:.*)again.*: $", ""),
            (r"Mail address \[a@wrong.example\]: $", "b at example"),
            (
                "'b at example' is not an email address(?s:.*)Mail address.*: $",
                "b@example.jp",
            ),
            (r"SMTP server \[smtp.example.jp\]: $", "localhost"),
            (r"Encryption.*\[starttls\]: $", "none"),
            (r"Port \[587\]: $", port.as_str()),
            ("User name.*: $", ""),
        ],
    );
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    assert!(!run.out.contains("nothing was changed"), "{}", run.out);
    assert_eq!(smtp.letters().len(), 1);
    assert_eq!(kept(&home), ["dedup.toml", "default.key"]);
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    assert!(
        text.contains("to = [\"b@example.jp\"]") && !text.contains("wrong"),
        "{text}"
    );
}

/// A repository that is there, and a mail server that is wrong at first.
#[test]
fn what_is_there_is_used() {
    let home = empty_home();
    home.init();
    let smtp = Smtp::start(SmtpOptions::default());
    let (port, docs) = (smtp.port.to_string(), home.text("docs"));
    let run = home.on_terminal(
        &[],
        &["setup"],
        &[
            ("What should be backed up.*: $", docs.as_str()),
            ("Anything else.*: $", ""),
            ("Where should backups go.*: $", ""),
            ("is used; .*default.key opens it(?s:.*)When.*: $", "manual"),
            ("Who gets a mail.*: $", "a@example.jp"),
            ("SMTP server.*: $", "localhost"),
            ("Encryption.*: $", "none"),
            ("Port.*: $", "1"),
            ("User name.*: $", ""),
            ("could not be sent(?s:.*)again.*: $", "yes"),
            (r"Mail address \[a@example.jp\]: $", ""),
            (r"SMTP server \[localhost\]: $", ""),
            (r"Encryption.*\[none\]: $", ""),
            (r"Port \[1\]: $", port.as_str()),
            ("User name.*: $", ""),
        ],
    );
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    assert!(
        run.out.contains("A test mail was sent to a@example.jp"),
        "{}",
        run.out
    );
    assert_eq!(smtp.letters().len(), 1);
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    assert!(
        text.contains("default.key") && text.contains("[notify.mail]\nserver = \"localhost\""),
        "{text}"
    );
    assert_eq!(home.snapshots().len(), 1);
}
