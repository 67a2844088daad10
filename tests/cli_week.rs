//! A week of a machine: its clock is moved on by libfaketime, the scheduler ticks every hour, and a repository that is away,
//! a day of sleep and a battery that is low happen to it. What the owner sees of it: history, status, mails and metrics,
//! in each language.

use crate::cli_notify::header;
use crate::cli_runs::{history, words};
use jiff::{SignedDuration, Timestamp, Zoned};
use kit::program::{Home, Run, string};
use kit::servers::postbox::{Smtp, SmtpOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A home whose clock the test moves.
struct Week {
    home: Home,
    now: Zoned,
    /// Exit codes of ticks that were not 0, by the moment.
    codes: BTreeMap<String, i32>,
}

impl Week {
    fn begin(lang: &str, port: u16) -> Week {
        let week = Week {
            home: Home::new(env!("CARGO_BIN_EXE_dedup-under-test")),
            now: "2026-12-07T09:30[Asia/Tokyo]".parse().unwrap(),
            codes: BTreeMap::new(),
        };
        week.run(&["init"]).ends(0);
        let home = &week.home;
        home.write("docs/letter", "letter");
        let (repo, key) = (
            home.text(".local/share/dedup/repository"),
            home.text(".config/dedup/default.key"),
        );
        let text = format!(
            "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n\
             [sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nschedule = 'daily 12:30'\n\
             [limits]\nbattery-min = 20\n\
             [notify]\noverdue-after = '2d'\n\
             [notify.mail]\nserver = 'localhost'\nport = {port}\ntls = 'none'\nfrom = 'backup@example.jp'\n\
             to = ['a@example.jp']\n\
             [notify.prometheus]\ntextfile = '{}'\n[console]\nlang = '{lang}'\n",
            home.text("dedup.prom"),
        );
        home.write(".config/dedup/dedup.toml", text);
        week
    }

    /// The program, as it runs at this moment.
    fn command(&self, args: &[&str]) -> Command {
        let program = self.home.command(args);
        let mut command = Command::new("faketime");
        command
            .args(["-f", &format!("@{}", self.now.strftime("%Y-%m-%d %H:%M:%S"))])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(self.home.path("."))
            .env_clear()
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DEDUP_SYSTEM_ROOT", self.home.path("machine"))
            .stdin(Stdio::null());
        for (name, value) in program.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        let output = self.command(args).output();
        Run::of(output.unwrap_or_else(|e| panic!("faketime is needed (make setup): {e}")))
    }

    /// One tick an hour, up to this moment.
    fn until(&mut self, moment: &str) {
        let end: Zoned = format!("{moment}[Asia/Tokyo]").parse().unwrap();
        while self.now <= end {
            let run = self.run(&["--quiet", "run", "--due"]);
            if run.code != 0 {
                let when = self.now.strftime("%d %H:%M").to_string();
                self.codes.insert(when, run.code);
            }
            self.now = self.now.checked_add(HOUR).unwrap();
        }
    }

    /// Off, or asleep.
    fn sleep_until(&mut self, moment: &str) {
        self.now = format!("{moment}[Asia/Tokyo]").parse().unwrap();
    }

    fn battery(&self, percent: &str) {
        for (name, value) in [
            ("type", "Battery"),
            ("status", "Discharging"),
            ("capacity", percent),
        ] {
            self.home
                .write(&format!("machine/sys/class/power_supply/BAT0/{name}"), value);
        }
    }
}

/// What happens in the week.
fn live(week: &mut Week) {
    let home = |week: &Week, name: &str| week.home.path(name);
    week.until("2026-12-07T23:30");
    // Tuesday: the disk with the repository is away until the afternoon.
    fs::rename(week.home.repository(), home(week, "away")).unwrap();
    week.until("2026-12-08T13:30");
    fs::rename(home(week, "away"), week.home.repository()).unwrap();
    week.until("2026-12-08T23:30");
    // Wednesday: the machine is off.
    week.sleep_until("2026-12-10T08:30");
    week.until("2026-12-10T23:30");
    // From Friday on it is carried around.
    week.battery("15");
    week.until("2026-12-13T20:30");
    week.battery("90");
    week.until("2026-12-14T13:30");
}

fn moments(rows: &[Value], field: &str) -> Vec<String> {
    let local = |text: &str| {
        let at: Timestamp = text.parse().unwrap();
        let zoned = at.in_tz("Asia/Tokyo").unwrap();
        zoned.strftime("%d %H").to_string()
    };
    rows.iter()
        .map(|row| local(row[field].as_str().unwrap()))
        .collect()
}

fn check_history(week: &Week) {
    let mut rows = history(&week.home);
    rows.reverse();
    let told: Vec<(String, String, String)> = rows
        .iter()
        .zip(moments(&rows, "start"))
        .map(|(row, at)| (at, string(row, "status"), string(row, "cause")))
        .collect();
    let told: Vec<(&str, &str, &str)> = told
        .iter()
        .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("07 12", "completed", "regular"),
            ("08 12", "incomplete", "regular"),
            ("08 13", "incomplete", "retry"),
            ("08 14", "completed", "retry"),
            ("10 08", "completed", "catch-up"),
            ("10 12", "completed", "regular"),
            ("11 12", "not run", "regular"),
            ("13 21", "completed", "catch-up"),
            ("14 12", "completed", "regular"),
        ]
    );
    let reasons = words(&rows, "reason");
    assert_eq!(reasons[1..3], ["no repository", "no repository"]);
    assert!(string(&rows[6], "message").contains("battery is at 15%"));
    assert_eq!(week.home.snapshots().len(), 6);
    let soft = week.codes.values().filter(|code| **code == 4).count();
    assert!(
        soft > 50,
        "every tick says that it is held back: {:?}",
        week.codes
    );
    let hard = week.codes.iter().filter(|(_, code)| **code != 4);
    let hard: Vec<&str> = hard.map(|(at, _)| at.as_str()).collect();
    assert_eq!(hard, ["08 12:30", "08 13:30"]);
}

fn subjects(smtp: &Smtp) -> Vec<String> {
    smtp.letters()
        .iter()
        .map(|letter| header(letter, "Subject"))
        .collect()
}

#[track_caller]
fn all_in(texts: &[String], words: &[&str]) {
    assert_eq!(texts.len(), words.len(), "{texts:#?}");
    for (text, word) in texts.iter().zip(words) {
        assert!(text.contains(word), "no '{word}' in {text}");
    }
}

#[test]
fn a_week() {
    let (english, japanese) = (
        Smtp::start(SmtpOptions::default()),
        Smtp::start(SmtpOptions::default()),
    );
    let mut weeks = [Week::begin("en", english.port), Week::begin("ja", japanese.port)];
    // Side by side: most of a tick is waiting for the disk.
    std::thread::scope(|scope| {
        for week in &mut weeks {
            scope.spawn(|| live(week));
        }
    });
    weeks.iter().for_each(check_history);
    all_in(
        &subjects(&english),
        &[
            "backup of docs incomplete (no repository)",
            "backup of docs works again",
            "no backup of docs since 2026-12-10 12:30",
            "backup of docs works again",
        ],
    );
    all_in(
        &subjects(&japanese),
        &[
            "docs のバックアップ: 未完了 (リポジトリーなし)",
            "docs のバックアップが回復しました",
            "docs は 2026-12-10 12:30:",
            "docs のバックアップが回復しました",
        ],
    );
    for (week, lang, success) in [(&weeks[0], "en", "completed"), (&weeks[1], "ja", "完了")] {
        let shown = week.run(&["--lang", lang, "status"]).ends(0).out;
        assert!(
            shown.contains(success) && shown.contains("2026-12-15 12:30"),
            "{shown}"
        );
        let listed = week.run(&["--lang", lang, "history"]).ends(0).out;
        let held = if lang == "ja" { "未実行" } else { "not run" };
        assert_eq!(listed.matches(held).count(), 1, "{listed}");
        let status = week.run(&["status", "--json"]).ends(0).summary();
        let set = &status["sets"][0];
        assert_eq!(
            (&set["last_status"], &set["overdue"]),
            (&json!("completed"), &json!(false))
        );
        let success: Timestamp = string(set, "last_success").parse().unwrap();
        let due: Timestamp = "2026-12-14T03:30:00Z".parse().unwrap();
        assert!(
            (0..60).contains(&success.duration_since(due).as_secs()),
            "{success}"
        );
        let metrics = fs::read_to_string(week.home.path("dedup.prom")).unwrap();
        assert!(metrics.contains(&success.as_second().to_string()), "{metrics}");
    }
}

#[test]
fn a_clock_that_is_set_back_and_a_machine_that_slept() {
    let smtp = Smtp::start(SmtpOptions::default());
    let mut week = Week::begin("en", smtp.port);
    week.until("2026-12-07T13:30");
    // A month back: the next slot comes at its time all the same, and only once.
    week.sleep_until("2026-11-07T09:30");
    week.until("2026-11-08T13:30");
    // And right again, after a month asleep.
    week.sleep_until("2026-12-08T00:30");
    week.until("2026-12-08T13:30");
    let mut rows = history(&week.home);
    // By what the clock said, which is how they are kept.
    rows.sort_by_key(|row| string(row, "start"));
    rows.retain(|row| row["status"] == "completed");
    assert_eq!(
        moments(&rows, "start"),
        ["07 12", "08 12", "07 12", "08 00", "08 12"],
        "{rows:#?}"
    );
    assert!(week.codes.is_empty(), "{:?}", week.codes);
}
