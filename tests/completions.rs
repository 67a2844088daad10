//! What shells complete: names from the settings, snapshots from a repository that opens by itself, and never a question.

use kit::program::Home;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");

const SETTINGS: &str = r#"
[remotes.disk]
url = "/no/such/disk"

[remotes.office]
url = "/no/such/office"

[sets.documents]
sources = ["~/docs"]
destinations = ["disk"]

[sets.photos]
sources = ["~/docs"]
destinations = ["office"]
"#;

fn home() -> Home {
    let home = Home::new(PROGRAM);
    home.write(".config/dedup/dedup.toml", SETTINGS);
    home.write(".config/dedup/away.toml", "");
    home.write("docs/a", "a");
    home
}

/// The words that are offered, with nothing on standard error.
#[track_caller]
fn offered(home: &Home, vars: &[(&str, &str)], line: &[&str]) -> Vec<String> {
    let run = home.run_with(vars, &[&["complete", "--"], line].concat()).ends(0);
    assert_eq!(run.err, "", "{line:?}");
    let words = run
        .out
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_string());
    words.collect()
}

#[test]
fn names_come_from_the_settings() {
    let home = home();
    assert_eq!(offered(&home, &[], &["run", ""]), ["documents", "photos"]);
    assert_eq!(offered(&home, &[], &["run", "documents", "p"]), ["photos"]);
    assert_eq!(offered(&home, &[], &["remote", "remove", "o"]), ["office"]);
    assert_eq!(offered(&home, &[], &["-r", "d"]), ["disk", "#folders"]);
    assert_eq!(offered(&home, &[], &["-P", ""]), ["away", "dedup"]);
    assert_eq!(offered(&home, &[], &["-P", "away", "run", ""]), [""; 0]);
    assert_eq!(offered(&home, &[], &["undel"]), ["undelete"]);
    assert_eq!(
        offered(&home, &[], &["snapshots", "--group-by=host,t"]),
        ["--group-by=host,tags"]
    );
    home.write(".config/dedup/dedup.toml", "nonsense");
    assert_eq!(
        offered(&home, &[], &["run", ""]),
        [""; 0],
        "the command itself says what is wrong"
    );
    assert_eq!(offered(&home, &[], &["undel"]), ["undelete"]);
}

#[test]
fn snapshots_come_from_what_opens_by_itself() {
    let home = home();
    home.init();
    home.ok(&["backup", "docs", "--tag", "x,$(reboot)"]);
    let short = home.snapshots()[0][..8].to_string();
    assert_eq!(offered(&home, &[], &["snapshots", ""]), ["latest", &short]);
    assert_eq!(offered(&home, &[], &["snapshots", &short[..3]]), [&*short]);
    assert_eq!(offered(&home, &[], &["ls", "l"]), ["latest", "#files"]);
    assert_eq!(
        offered(&home, &[], &["forget", "--tag", ""]),
        ["x"],
        "nothing that a shell would run"
    );
    let locked = home.text("locked");
    let password = [("DEDUP_PASSWORD", "sesame")];
    home.run_with(&password, &["-r", &locked, "init", "--no-recovery"])
        .ends(0);
    home.run_with(&password, &["-r", &locked, "backup", "docs"])
        .ends(0);
    let line = ["-r", &locked, "ls", ""];
    assert_eq!(
        offered(&home, &password, &line).len(),
        3,
        "latest, a snapshot, files"
    );
    assert_eq!(offered(&home, &[], &line), ["latest", "#files"]);
    let asked = home.path("asked");
    let ask = format!("touch {}; echo sesame", asked.display());
    let line = ["-r", &locked, "--password-command", &ask, "snapshots", ""];
    assert_eq!(offered(&home, &[], &line), ["latest"]);
    assert!(!asked.exists(), "a command may ask somebody");
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let home = home();
    home.init();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("webdav://127.0.0.1:{}/x", silent.local_addr().unwrap().port());
    let key = home.text(".config/dedup/default.key");
    let started = Instant::now();
    let line = ["-r", &url, "--key-file", &key, "snapshots", ""];
    assert_eq!(offered(&home, &[], &line), ["latest"]);
    assert!(started.elapsed() < Duration::from_secs(30));
}

/// bash calls the function as it does for somebody who types.
#[test]
fn bash_completes() {
    let home = home();
    let bin = home.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(PROGRAM, bin.join("dedup")).unwrap();
    let script = home.ok(&["completions", "bash"]).out;
    let complete = |line: &str, words: &str, at: usize| {
        let asks = format!(
            "{script}\nCOMP_LINE='{line}' COMP_WORDS=({words}) COMP_CWORD={at}\n\
             COMP_POINT=${{#COMP_LINE}}; _dedup dedup; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &asks])
            .current_dir(home.path(""))
            .env_clear();
        bash.env("HOME", home.path("")).stdin(Stdio::null());
        bash.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
        let output = bash.output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        out.lines().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(complete("dedup run d", "dedup run d", 2), ["documents"]);
    assert_eq!(complete("dedup undel", "dedup undel", 1), ["undelete"]);
    let line = "dedup set edit documents --destination=o";
    let words = "dedup set edit documents --destination = o";
    assert_eq!(complete(line, words, 6), ["office"], "'=' ends a word for bash");
    assert_eq!(
        complete("dedup restore -t do", "dedup restore -t do", 3),
        ["docs"]
    );
}
