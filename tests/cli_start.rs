//! The start as the documents describe it: two commands in a fresh home, then back again.

use kit::oracle::{assert_same, walk};
use kit::program::{Home, string};
use kit::tree::{Shape, TreeMaker};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// The words of the phrase that was shown.
pub fn phrase(text: &str) -> String {
    let lines = text.lines().filter(|line| line.starts_with("    "));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    assert_eq!(words.len(), 24, "{text}");
    words.join(" ")
}

#[test]
fn two_commands_then_back_to_any_time() {
    let home = home();
    let mut tree = TreeMaker::new(&home.path("docs"), 11, Shape::SMALL);
    tree.populate();
    let init = home.init();
    assert!(init.out.contains("Next: dedup backup DIR"), "{}", init.out);
    phrase(&init.out);
    let key = fs::metadata(home.path(".config/dedup/default.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let first = walk(&home.path("docs"));
    let said = home.ok(&["backup", "docs"]);
    assert!(
        said.out.contains("Files:") && said.out.contains(" saved"),
        "{}",
        said.out
    );
    assert_eq!(said.err, "");
    let time = string(&home.ok(&["snapshots", "--json"]).objects()[0], "time");
    tree.edit(60);
    let second = walk(&home.path("docs"));
    home.ok(&["backup", "docs"]);
    home.ok(&["restore", "--target", "now"]);
    home.ok(&["restore", "--target", "then", "--at", &time]);
    home.ok(&[
        "restore",
        &format!("latest:{}", home.text("docs")),
        "--target",
        "part",
    ]);
    let below = |target: &str| {
        home.path(target)
            .join(home.path("docs").strip_prefix("/").unwrap())
    };
    assert_same(&second, &walk(&below("now")), "the newest");
    assert_same(&first, &walk(&below("then")), "as of the first");
    // The target is the user's own directory, and keeps its time.
    let within = |mut tree: kit::oracle::Tree| {
        tree.remove(&b""[..]);
        tree
    };
    assert_same(
        &within(second),
        &within(walk(&home.path("part"))),
        "a subpath lands directly",
    );
    home.ok(&["check", "--read-data"]);
}

#[test]
fn a_home_in_a_home_does_not_back_up_itself() {
    let home = home();
    home.init();
    home.write("letter", "dear");
    let here = home.text("");
    home.ok(&["backup", &here]);
    home.ok(&["backup", &here]);
    let listed = home.ok(&["ls"]).out;
    assert!(
        listed.contains("/letter\n") && listed.contains("/default.key\n"),
        "{listed}"
    );
    assert!(
        !listed.contains("/repository/") && !listed.contains(".cache/dedup/"),
        "{listed}"
    );
    home.ends(2, &["backup", home.repository().to_str().unwrap()])
        .says(&["itself"]);
}

#[test]
fn where_a_repository_may_be_made() {
    let home = home();
    home.write("full/letter", "dear");
    home.ends(1, &["-r", "full", "--key-file", "key", "init"])
        .says(&["other files"]);
    assert!(!home.path("key").exists(), "a key for no repository");
    home.ends(1, &["-r", "full/letter", "--key-file", "key", "init"]);
    home.ends(2, &["-r", "ftp:x", "--key-file", "key", "init"])
        .says(&["ftp:"]);
    home.ends(2, &["-r", "new", "--key-file", "new/key", "init"]);
    home.ok(&["-r", "new", "--key-file", "key", "init", "--no-recovery"]);
    home.ends(1, &["-r", "new", "--key-file", "other", "init"])
        .says(&["already exists"]);
    assert!(!home.path("other").exists());
    home.ok(&["-r", "file:new", "--key-file", "key", "snapshots"]);
    // The same key may open another repository.
    home.ok(&["-r", "second", "--key-file", "key", "init"]);
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let home = home();
    home.init();
    home.write("docs/evil\n\u{1b}[2J\u{7}\u{202e}name", "x");
    home.ok(&[
        "backup",
        "docs",
        "--tag",
        "bad\u{1b}[31mtag",
        "--host",
        "host\u{1b}]0;x",
    ]);
    let evil = "docs/evil\n\u{1b}[2J\u{7}\u{202e}gone";
    let missing = home.ends(3, &["backup", "docs", evil]);
    for run in [
        missing,
        home.ok(&["ls"]),
        home.ok(&["ls", "-l"]),
        home.ok(&["find", "evil*"]),
        home.ok(&["snapshots"]),
        home.ok(&["diff", "latest~1", "latest"]),
        home.ok(&["forget", "--keep-last", "1", "--dry-run"]),
        home.ends(1, &["ls", "latest", evil]),
        home.ends(1, &["restore", "--target", "t", evil]),
    ] {
        let bad = |c: &char| c.is_control() && *c != '\n' || *c == '\u{202e}';
        let text = run.out + &run.err;
        assert_eq!(text.chars().find(bad), None, "{text}");
    }
    assert!(
        home.ok(&["ls"])
            .out
            .contains("evil\\x0a\\x1b[2J\\x07\\u{202e}name")
    );
}

#[test]
fn what_is_quiet_and_what_helps() {
    let home = home();
    home.init();
    home.write("docs/a", "a");
    assert_eq!(home.ok(&["backup", "docs", "-q"]).out, "");
    let told = home.ok(&["backup", "docs", "-vv", "--force"]);
    assert!(told.out.contains("docs/a") && told.err.is_empty(), "{told:?}");
    assert!(!home.ok(&["snapshots", "-q"]).out.is_empty());
    assert!(home.ok(&["help", "exit-codes"]).out.contains("130"));
    assert!(home.ok(&["help", "env"]).out.contains("DEDUP_PASSWORD_FD"));
    assert!(home.ok(&["completions", "bash"]).out.contains("dedup complete"));
    assert!(home.ok(&["version", "--json"]).objects()[0]["version"].is_string());
    let help = home.ok(&["--help"]).out;
    let (_, commands) = help.split_once("\nCommands:\n").unwrap();
    let names = commands.lines().map_while(|line| line.strip_prefix("  "));
    let names: Vec<&str> = names
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.len() > 15 && names.contains(&"undelete"), "{names:?}");
    for name in names {
        assert!(home.ok(&["help", name]).out.contains("Usage"), "{name}");
    }
}
