//! A week of a machine, from an empty home on: somebody follows the README, answers `dedup setup` and has the timer installed.
//! Then the clock is moved on by libfaketime, the command of the timer's unit is run every hour, and a repository that is
//! away, a day of sleep and a battery that is low happen to it. What the owner sees of it: history, status, mails and
//! metrics, in each language.

use crate::cli_notify::header;
use crate::cli_runs::{history, words};
use jiff::{SignedDuration, Timestamp, Zoned};
use kit::program::{Home, Run, at_moment, string};
use kit::servers::postbox::{Smtp, SmtpOptions};
use kit::terminal::on_terminal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A home whose clock the test moves.
struct Week {
    home: Home,
    lang: &'static str,
    now: Zoned,
    /// What the timer's unit starts: a program, its arguments, and the environment that is set for it.
    tick: (Vec<String>, Vec<(String, String)>),
    /// Exit codes of ticks that were not 0, by the moment.
    codes: BTreeMap<String, i32>,
}

/// What is asked, as it begins in each language, and what is answered.
fn answers(port: &str) -> [(&'static str, &'static str, &str); 15] {
    [
        ("What should be backed up", "何をバックアップ", "~/docs"),
        ("Anything else", "ほかにも", ""),
        ("Where should backups go", "どこに保存", ""),
        ("What opens the backup", "バックアップを開く", ""),
        ("When", "いつ実行", "daily 12:30"),
        ("Write these words down", "書き写して", ""),
        (r"Word (\d+)", r"(\d+) 番目の単語", "{word}"),
        (r"Word (\d+)", r"(\d+) 番目の単語", "{word}"),
        (r"Word (\d+)", r"(\d+) 番目の単語", "{word}"),
        ("Who gets a mail", "失敗したとき", "a@example.jp"),
        ("SMTP server", "SMTP サーバー", "localhost"),
        ("Encryption", "暗号化", "none"),
        ("Port", "ポート", port),
        ("User name", "利用者名", ""),
        ("Install a timer", "タイマーを", "yes"),
    ]
}

/// Words of a line in a unit file, which may be in quotes.
fn unit_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_string());
        rest = after.trim_start();
    }
    words
}

impl Week {
    fn begin(lang: &'static str, port: u16) -> Week {
        let mut week = Week {
            home: Home::new(env!("CARGO_BIN_EXE_dedup-under-test")),
            lang,
            now: "2026-12-07T09:30[Asia/Tokyo]".parse().unwrap(),
            tick: (Vec::new(), Vec::new()),
            codes: BTreeMap::new(),
        };
        week.home.write("docs/letter", "letter");
        // Takes the place of systemd, which can't be told another time.
        let called = "#!/bin/sh\necho \"$@\" >>\"$HOME/systemctl\"\n";
        let systemctl = week.home.write("bin/systemctl", called);
        fs::set_permissions(systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        week.set_up(&port.to_string());
        week.read_units();
        // What the README's reader adds by hand.
        let file = ".config/dedup/dedup.toml";
        let text = fs::read_to_string(week.home.path(file)).unwrap();
        let metrics = week.home.text("dedup.prom");
        let more = format!(
            "[limits]\nbattery-min = 20\n[notify]\noverdue-after = '2d'\n[notify.prometheus]\ntextfile = '{metrics}'\n"
        );
        week.home.write(file, format!("{text}\n{more}"));
        week.run(&["config", "check"]).ends(0);
        week
    }

    fn set_up(&self, port: &str) {
        let all = answers(port);
        let steps: Vec<(String, &str)> = all
            .iter()
            .map(|(en, ja, answer)| {
                let asked = if self.lang == "ja" { ja } else { en };
                (format!("{asked}.*: ?$"), *answer)
            })
            .collect();
        let steps: Vec<(&str, &str)> = steps
            .iter()
            .map(|(asked, answer)| (asked.as_str(), *answer))
            .collect();
        let run = on_terminal(&self.command(&["setup"]), &steps);
        assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
        let called = fs::read_to_string(self.home.path("systemctl")).unwrap();
        assert_eq!(called, "--user daemon-reload\n--user enable --now dedup.timer\n");
    }

    /// What systemd would do at each tick.
    fn read_units(&mut self) {
        let unit = |name: &str| {
            let path = self.home.path(".config/systemd/user").join(name);
            fs::read_to_string(path).unwrap()
        };
        let (service, timer) = (unit("dedup.service"), unit("dedup.timer"));
        assert!(
            timer.contains("OnCalendar=*:0/5") && timer.contains("Persistent=true"),
            "{timer}"
        );
        let values = |key: &'static str| {
            let lines = service.lines().filter_map(move |line| line.strip_prefix(key));
            lines.map(unit_words).collect::<Vec<_>>()
        };
        let start = values("ExecStart=").remove(0);
        assert_eq!(start[1..], ["--quiet", "run", "--due"]);
        let variables = values("Environment=").concat();
        let variables = variables.iter().map(|variable| {
            let (name, value) = variable.split_once('=').unwrap();
            (name.to_string(), value.to_string())
        });
        self.tick = (start, variables.collect());
    }

    /// The program, as it runs at this moment for somebody who is logged in.
    fn command(&self, args: &[&str]) -> Command {
        let mut program = self.home.command(args);
        let locale = if self.lang == "ja" {
            "ja_JP.UTF-8"
        } else {
            "C.UTF-8"
        };
        program.env("LANG", locale);
        self.now(program)
    }

    fn now(&self, mut program: Command) -> Command {
        let path = std::env::var("PATH").unwrap();
        program
            .env("PATH", format!("{}:{path}", self.home.text("bin")))
            .env("DEDUP_SYSTEM_ROOT", self.home.path("machine"));
        at_moment(&program, &self.now.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// What the timer starts at this moment, with no more than the unit gives it.
    fn tick(&self) -> Run {
        let (start, variables) = &self.tick;
        let mut program = Command::new(&start[0]);
        program
            .args(&start[1..])
            .current_dir(self.home.path("."))
            .env("HOME", self.home.path("."))
            .env("DEDUP_KEY_CACHE", "0s")
            .envs(variables.iter().map(|(name, value)| (name, value)));
        let output = self.now(program).output();
        Run::of(output.unwrap_or_else(|e| panic!("faketime is needed (make setup): {e}")))
    }

    fn run(&self, args: &[&str]) -> Run {
        let output = self.command(args).output();
        Run::of(output.unwrap_or_else(|e| panic!("faketime is needed (make setup): {e}")))
    }

    /// One tick an hour, up to this moment.
    fn until(&mut self, moment: &str) {
        let end: Zoned = format!("{moment}[Asia/Tokyo]").parse().unwrap();
        while self.now <= end {
            let run = self.tick();
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
    rows.retain(|row| row["kind"] == "backup");
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
            ("07 09", "completed", "manual"),
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
    assert_eq!(reasons[2..4], ["no repository", "no repository"]);
    assert!(string(&rows[7], "message").contains("battery is at 15%"));
    let snapshots = week.run(&["-r", "main", "snapshots", "--json"]).ends(0);
    assert_eq!(snapshots.objects().len(), 7);
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
            "test message",
            "backup of docs incomplete (no repository)",
            "backup of docs works again",
            "no backup of docs since 2026-12-10 12:30",
            "backup of docs works again",
        ],
    );
    all_in(
        &subjects(&japanese),
        &[
            "テストメッセージ",
            "docs のバックアップ: 未完了 (リポジトリーなし)",
            "docs のバックアップが回復しました",
            "docs は 2026-12-10 12:30:",
            "docs のバックアップが回復しました",
        ],
    );
    for (week, lang, success) in [(&weeks[0], "en", "completed"), (&weeks[1], "ja", "完了")] {
        let shown = week.run(&["status"]).ends(0).out;
        assert!(
            shown.contains(success) && shown.contains("2026-12-15 12:30"),
            "{shown}"
        );
        let listed = week.run(&["history"]).ends(0).out;
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
        for line in [
            format!(
                "dedup_last_success_timestamp_seconds{{set=\"docs\"}} {}",
                success.as_second()
            ),
            "dedup_last_completed{set=\"docs\"} 1".to_string(),
        ] {
            assert!(metrics.contains(&line), "no {line} in {metrics}");
        }
        // What the list says is what happened on the other days.
        let next = week.run(&["schedule", "list", "--json"]).ends(0).objects();
        let next = next[0]["next"].as_array().unwrap();
        assert_eq!((next.len(), &next[0]), (10, &json!("2026-12-15T03:30:00Z")));
        // Doctor notices the clock that was moved, and that systemd has no such timer, and finds no other problem.
        let found = week.run(&["doctor", "--json"]).objects();
        let problems = found.iter().filter(|one| one["mark"] == "problem");
        let checks: Vec<&str> = problems.map(|one| one["check"].as_str().unwrap()).collect();
        assert_eq!(checks, ["schedule", "clock"], "{found:#?}");
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
    rows.retain(|row| row["status"] == "completed" && row["cause"] != "manual" && row["kind"] == "backup");
    assert_eq!(
        moments(&rows, "start"),
        ["07 12", "08 12", "07 12", "08 00", "08 12"],
        "{rows:#?}"
    );
    assert!(week.codes.is_empty(), "{:?}", week.codes);
}
