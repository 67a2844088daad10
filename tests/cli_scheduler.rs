//! The entry in the operating system's scheduler: for each system what it says, as a reader of that format understands it;
//! for systemd the real thing, in a namespace of its own; and the agent that takes its place.

use crate::cli_bad::Disk;
use crate::cli_runs::{YEARLY, history, home, known_for_long, set, words};
use kit::program::{Home, Run, string};
use kit::session::in_session;
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A script of Python's that reads standard input and prints JSON.
fn python(script: &str, input: &str) -> Value {
    use std::io::Write;
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn launchd_reads_it() {
    let home = home("");
    let vars = [("DEDUP_STATE_DIR", "/s & <t>"), ("DEDUP_PASSWORD", "secret")];
    let shown = home
        .run_with(&vars, &["schedule", "show", "--for", "launchd"])
        .ends(0)
        .out;
    let read = "import sys, json, plistlib; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
    let list = python(read, &shown);
    let arguments = list["ProgramArguments"].as_array().unwrap();
    assert_eq!(arguments[1..], [json!("--quiet"), json!("run"), json!("--due")]);
    assert!(arguments[0].as_str().unwrap().ends_with("dedup-under-test"));
    assert_eq!(
        list["EnvironmentVariables"],
        json!({ "DEDUP_STATE_DIR": "/s & <t>", "TZ": "Asia/Tokyo" })
    );
    for (key, value) in [
        ("Label", json!("dedup.run-due")),
        ("StartInterval", json!(300)),
        ("RunAtLoad", json!(true)),
        ("ExitTimeOut", json!(30)),
        ("ProcessType", json!("Background")),
        ("LowPriorityIO", json!(true)),
        ("Nice", json!(10)),
    ] {
        assert_eq!(list[key], value, "{key}");
    }
    // No key but these, which launchd.plist(5) has.
    assert_eq!(list.as_object().unwrap().len(), 9, "{list}");
    let known = home
        .ok(&["schedule", "show", "--for", "launchd", "--json"])
        .summary();
    assert!(string(&known, "plist").starts_with("<?xml"));
}

/// The elements of a task with text, by their path, in the order of the file.
const TASK: &str = r#"
import sys, json, xml.etree.ElementTree as tree
space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
found = []
def walk(element, path):
    assert element.tag.startswith(space), element.tag
    path = path + [element.tag[len(space):]]
    if len(element) == 0:
        found.append(["/".join(path), element.text or ""])
    for child in element:
        walk(child, path)
walk(tree.fromstring(sys.stdin.read()), [])
print(json.dumps(found))
"#;

#[test]
fn task_scheduler_reads_it() {
    let home = home("");
    let shown = home.ok(&["schedule", "show", "--for", "task-scheduler"]).out;
    let found = python(TASK, &shown);
    let found: Vec<(String, String)> = serde_json::from_value(found).unwrap();
    let value = |path: &str| {
        let mut all = found.iter().filter(|(known, _)| known == &format!("Task/{path}"));
        let one = all.next().unwrap_or_else(|| panic!("no {path}"));
        assert!(all.next().is_none(), "{path} twice");
        one.1.as_str()
    };
    for (setting, wanted) in [
        ("StartWhenAvailable", "true"),
        ("DisallowStartIfOnBatteries", "false"),
        ("StopIfGoingOnBatteries", "false"),
        ("ExecutionTimeLimit", "PT0S"),
        ("MultipleInstancesPolicy", "IgnoreNew"),
        ("Hidden", "true"),
        ("RunOnlyIfIdle", "false"),
        ("RunOnlyIfNetworkAvailable", "false"),
        ("WakeToRun", "false"),
        ("Enabled", "true"),
        ("AllowHardTerminate", "true"),
        ("AllowStartOnDemand", "true"),
        ("Priority", "7"),
    ] {
        assert_eq!(value(&format!("Settings/{setting}")), wanted, "{setting}");
    }
    assert_eq!(value("Triggers/TimeTrigger/Repetition/Interval"), "PT5M");
    assert_eq!(
        value("Triggers/TimeTrigger/Repetition/StopAtDurationEnd"),
        "false"
    );
    assert!(
        value("Triggers/TimeTrigger/StartBoundary")
            .parse::<jiff::civil::DateTime>()
            .is_ok()
    );
    assert_eq!(value("Principals/Principal/LogonType"), "InteractiveToken");
    assert_eq!(value("Principals/Principal/RunLevel"), "LeastPrivilege");
    // A console program without a window.
    assert_eq!(value("Actions/Exec/Command"), "conhost.exe");
    let arguments = value("Actions/Exec/Arguments");
    assert!(
        arguments.starts_with("--headless \"/")
            && arguments.ends_with("dedup-under-test\" --quiet run --due"),
        "{arguments}"
    );
    // The schema (MS-TSCH, 2.5.3.1) has a trigger's elements in this order, and all others in any.
    let triggers = found
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("Task/Triggers/TimeTrigger/"));
    assert_eq!(
        triggers.collect::<Vec<_>>(),
        [
            "Enabled",
            "StartBoundary",
            "Repetition/Interval",
            "Repetition/StopAtDurationEnd"
        ]
    );
    // No element but these, which it has.
    assert_eq!(found.len(), 13 + 4 + 2 + 2 + 1, "{found:#?}");
}

#[test]
fn lingering_is_told() {
    let home = home("");
    home.write("machine/run/systemd/system/x", "");
    let root = home.text("machine");
    let install = |lang: &str| {
        let vars = [("DEDUP_SYSTEM_ROOT", root.as_str())];
        home.run_with(&vars, &["--lang", lang, "schedule", "install", "--dry-run"])
            .ends(0)
            .out
    };
    let off = install("en");
    assert!(off.contains("loginctl enable-linger"), "{off}");
    let name = off
        .rsplit("enable-linger ")
        .next()
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    home.write(&format!("machine/var/lib/systemd/linger/{name}"), "");
    assert!(install("en").contains("while you are logged out, because"));
    assert!(install("ja").contains("常に動きます"));
}

/// What is done with systemd of this user.
const INSTALLING: &str = r#"
set -e
"$DEDUP" schedule install >"$HOME/installed"
systemctl --user is-enabled dedup.timer >"$HOME/enabled"
systemctl --user is-active dedup.timer >"$HOME/active"
"$DEDUP" schedule install
# It is as good as a tick.
systemctl --user start --wait dedup.service || true
systemctl --user show dedup.service -p Result -p ExecMainStatus -p Nice >"$HOME/result"
"$DEDUP" schedule remove >"$HOME/removed"
systemctl --user list-unit-files --no-legend 'dedup*' >"$HOME/left" || true
"$DEDUP" schedule remove >>"$HOME/removed"
"#;

#[test]
fn systemd_runs_what_is_due() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    known_for_long(&home, "docs");
    let program = home.command::<&str>(&[]);
    let Some(mut session) = in_session(&program, INSTALLING, "systemd_runs_what_is_due") else {
        return;
    };
    let done = Run::of(session.output().unwrap());
    let read = |name: &str| fs::read_to_string(home.path(name)).unwrap_or_default();
    assert_eq!(done.code, 0, "{}\n{}", done.err, read("systemd.log"));
    assert!(read("installed").contains("started the timer") && read("installed").contains("enable-linger"));
    assert_eq!(
        (read("enabled").trim(), read("active").trim()),
        ("enabled", "active")
    );
    let result = read("result");
    assert!(
        result.contains("Result=success") && result.contains("Nice=10"),
        "{result}"
    );
    assert_eq!(home.snapshots().len(), 1);
    assert_eq!(words(&history(&home), "cause")[0], "catch-up");
    assert!(read("removed").contains("Stopped and removed") && read("removed").contains("No timer"));
    assert_eq!(read("left"), "");
    assert!(!home.path(".config/systemd/user/dedup.timer").exists());
}

/// Waits until something is so.
fn until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn terminate(child: &std::process::Child) {
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
}

fn is_asleep(id: u32) -> bool {
    // Whoever waits for a signal or for time has nothing to do: no thread of it runs.
    let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    tasks.flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('S'))
    })
}

#[test]
fn an_agent_runs_what_is_due() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    known_for_long(&home, "docs");
    let start = || {
        let mut command = home.command(&["--quiet", "agent"]);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut agent = start();
    until(|| home.snapshots().len() == 1);
    until(|| is_asleep(agent.id()));
    terminate(&agent);
    assert_eq!(agent.wait().unwrap().code(), Some(0));
    assert_eq!(words(&history(&home), "cause")[0], "catch-up");
    // Settings that are wrong are told, and may be right at the next tick.
    home.write("docs/more", "more");
    let text = fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap();
    home.write(
        ".config/dedup/dedup.toml",
        text.replace("daily", "dayly") + "nonsense = 1\n",
    );
    home.ends(2, &["agent"]).says(&["nonsense"]);
}

#[test]
fn an_agent_that_is_ended_ends_its_run() {
    let waits =
        "run-before = 'touch ~/begun; while [ ! -e ~/go ]; do sleep 0.05; done'\nrun-finally = 'touch ~/end'";
    let home = home(&set(&format!("schedule = '{YEARLY}'\n{waits}")));
    known_for_long(&home, "docs");
    let mut command = home.command(&["agent"]);
    let mut agent = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(|| home.path("begun").exists());
    terminate(&agent);
    assert_eq!(agent.wait().unwrap().code(), Some(0));
    assert!(home.path("end").exists());
    assert_eq!(history(&home)[0]["reason"], "interrupted");
}

#[test]
fn two_ticks_at_once() {
    let home = home(&set(&format!("schedule = '{YEARLY}'")));
    known_for_long(&home, "docs");
    let tick = || {
        let mut command = home.command(&["run", "--due"]);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let ticks: Vec<_> = (0..6).map(|_| tick()).collect();
    for mut tick in ticks {
        assert_eq!(tick.wait().unwrap().code(), Some(0));
    }
    assert_eq!(home.snapshots().len(), 1);
    let completed = history(&home)
        .iter()
        .filter(|row| row["status"] == "completed")
        .count();
    assert_eq!(completed, 1);
}

#[test]
fn a_state_disk_that_is_full() {
    let home: Home = home(&set(&format!("schedule = '{YEARLY}'")));
    let Some(disk) = Disk::of(home.path("state"), "256k") else {
        assert!(!rustix::process::geteuid().is_root() || std::env::var_os("CI").is_none());
        eprintln!("passed over: no file system can be mounted here");
        return;
    };
    let vars = [("DEDUP_STATE_DIR", disk.0.to_str().unwrap().to_string())];
    let vars: Vec<(&str, &str)> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let place = "state/runs/sets/docs.json";
    home.write(
        place,
        json!({ "schedule": YEARLY, "since": "2020-01-01T00:00:00Z" }).to_string(),
    );
    let mut nr = 0;
    while fs::write(home.path(format!("state/filler{nr}")), vec![1; 4096]).is_ok() {
        nr += 1;
    }
    // Without its notes on the repository this machine can't back up safely; which disk is full is told.
    let run = home.run_with(&vars, &["run", "--due"]).ends(14);
    run.says(&[
        "not in the history",
        "notes on the repository can't be kept",
        "DEDUP_STATE_DIR",
    ]);
    assert!(home.snapshots().is_empty());
    for nr in 0..nr {
        fs::remove_file(home.path(format!("state/filler{nr}"))).unwrap();
    }
    let _ = fs::remove_file(home.path(format!("state/filler{nr}")));
    // The slot could not be noted, so it comes once more, and then no more.
    home.run_with(&vars, &["run", "--due"]).ends(0);
    home.run_with(&vars, &["run", "--due"]).ends(0);
    assert_eq!(home.snapshots().len(), 1);
    let known: Value = serde_json::from_slice(&fs::read(home.path(place)).unwrap()).unwrap();
    assert!(known["slot"].is_string() && known["running"].is_null(), "{known}");
}
