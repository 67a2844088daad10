//! Messages on the desktop, over a private D-Bus, the monthly report of usage by mail, and a set whose first destination holds
//! another repository than before.

use kit::program::{Home, Run, number};
use kit::servers::Bus;
use kit::servers::postbox::{Smtp, SmtpOptions};
use std::fs;

fn home(notify: &str) -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/a & b", "letter");
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    let text = format!(
        "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n\
         [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n{notify}"
    );
    home.write(".config/dedup/dedup.toml", text);
    home
}

fn on(bus: &Bus, home: &Home, args: &[&str]) -> Run {
    home.run_with(&[("DBUS_SESSION_BUS_ADDRESS", &bus.address)], args)
}

#[test]
fn a_failure_is_shown_on_the_desktop() {
    let home = home("[notify]\ndesktop = true\n");
    let bus = Bus::start(&home.path("."), true);
    on(&bus, &home, &["notify", "test"]).ends(0);
    let [(title, _, urgency)] = bus.notified().try_into().unwrap();
    assert!(title.contains("dedup") && urgency == 1, "{title}");
    on(&bus, &home, &["run", "docs"]).ends(0);
    assert_eq!(bus.notified().len(), 1, "nothing is said of what works");
    fs::rename(home.repository(), home.path("a & b")).unwrap();
    on(&bus, &home, &["run", "docs"]).ends(10);
    let (title, text, urgency) = bus.notified().pop().unwrap();
    assert!(title.contains("docs") && urgency == 2, "{title}");
    assert!(text.contains("no repository") && !text.contains(&title), "{text}");
    assert!(
        !text.contains('<') && !text.contains("& "),
        "the desktop takes it for markup: {text}"
    );
}

/// A user who is not logged in sees it after the next login.
#[test]
fn without_a_desktop_the_message_waits() {
    let home = home("[notify]\ndesktop = true\non = 'always'\n");
    let gone = format!("unix:path={}", home.text("no-bus"));
    let vars = [("DBUS_SESSION_BUS_ADDRESS", gone.as_str())];
    let run = home.run_with(&vars, &["run", "docs"]).ends(0);
    assert!(run.err.contains("desktop"), "{}", run.err);
    home.run_with(&vars, &["notify", "test", "--channel", "desktop"])
        .ends(1);
    let waiting = || {
        number(
            &home.ok(&["status", "--json"]).summary()["notifications"],
            "waiting",
        )
    };
    assert_eq!(waiting(), 1);
    // A bus without a desktop is as good as none.
    let bus = Bus::start(&home.path("."), false);
    on(&bus, &home, &["notify", "test", "--channel", "desktop"]).ends(1);
}

#[test]
fn usage_is_mailed_once_a_month() {
    let smtp = Smtp::start(SmtpOptions::default());
    let home = home(&format!(
        "[notify]\nmonthly-usage = true\n[notify.mail]\nserver = 'localhost'\nport = {}\ntls = 'none'\n\
         from = 'backup@example.jp'\nto = ['a@example.jp', 'b@example.jp']\n",
        smtp.port
    ));
    home.ok(&["run", "docs"]);
    home.ok(&["run", "--due"]);
    // The month in which it begins has nothing to report yet, or has been reported.
    let before = smtp.letters().len();
    home.write(".local/state/dedup/notify/usage.json", "{\"month\":\"2020-01\"}");
    home.ok(&["run", "--due"]);
    let letters = smtp.letters();
    assert_eq!(letters.len(), before + 2, "one for each recipient");
    let text = letters
        .iter()
        .map(|letter| letter.data.clone())
        .collect::<String>();
    assert!(text.contains("main"), "{text}");
    home.ok(&["run", "--due"]);
    assert_eq!(smtp.letters().len(), before + 2, "once a month");
}

/// The wrong disk is mounted where the repository was: the run says so, and saves nothing there.
#[test]
fn another_repository_at_the_first_destination() {
    let smtp = Smtp::start(SmtpOptions::default());
    let home = home(&format!(
        "[notify.mail]\nserver = 'localhost'\nport = {}\ntls = 'none'\nfrom = 'backup@example.jp'\n\
         to = ['a@example.jp']\n",
        smtp.port
    ));
    home.ok(&["run", "docs"]);
    fs::rename(home.repository(), home.path("away")).unwrap();
    let key = home.text(".config/dedup/default.key");
    home.ok(&["init", "--key-file", &key, "--no-recovery"]);
    for _ in 0..2 {
        home.ends(2, &["run", "docs"])
            .says(&["another repository", "main"]);
    }
    assert!(home.snapshots().is_empty());
    let row = &home.ok(&["history", "--json", "--kind", "backup"]).objects()[0];
    assert_eq!(
        (&row["status"], &row["reason"]),
        (&"incomplete".into(), &"bad settings".into())
    );
    let letters = smtp.letters();
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|letter| letter.data.contains("docs")));
    // Whoever is asked may say that it is meant.
    let asked = home.on_terminal(&[], &["run", "docs"], &[("Another repository", "yes")]);
    assert_eq!(asked.code, 0, "{}", asked.out);
    home.ok(&["run", "docs"]);
    assert_eq!(home.snapshots().len(), 2);
}
