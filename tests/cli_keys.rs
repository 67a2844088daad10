//! Passwords, key files, the recovery phrase: what opens a repository, and that none of it is ever shown.

use crate::cli_start::phrase;
use kit::program::{Home, Run, string};
use std::fs;
use std::time::Duration;

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

const OLD: &str = "correct horse battery";
const NEW: &str = "staple of another kind";

fn hides(run: Run) -> Run {
    for secret in [OLD, NEW] {
        assert!(!run.out.contains(secret) && !run.err.contains(secret), "{run:?}");
    }
    run
}

#[test]
fn passwords() {
    let home = home();
    home.write("docs/a", "a");
    let with = |password: &str, args: &[&str]| {
        let args = [&["-r", "repo"], args].concat();
        hides(home.run_with(&[("DEDUP_PASSWORD", password)], &args))
    };
    let said = with(OLD, &["init", "--no-recovery", "-v"]).ends(0);
    assert!(said.out.contains("no recovery phrase"), "{}", said.out);
    with(OLD, &["backup", "docs", "-v"]).ends(0);
    with("wrong", &["snapshots"])
        .ends(12)
        .says(&["wrong password or key"]);
    with("wrong", &["snapshots", "--json"]).ends(12);
    // No one to ask.
    home.ends(2, &["-r", "repo", "snapshots"])
        .says(&["DEDUP_PASSWORD"]);
    let file = home.write("new password", format!("{NEW}\n"));
    let passwd = ["key", "passwd", "--new-password-file", file.to_str().unwrap()];
    with(OLD, &passwd).ends(0);
    with(OLD, &["snapshots"]).ends(12);
    with(NEW, &["snapshots"]).ends(0);
    let list = with(NEW, &["key", "list", "--json"]).ends(0).objects();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["kind"], "password");
    let id = string(&list[0], "id");
    with(NEW, &["key", "remove", &id, "--yes"])
        .ends(1)
        .says(&["is in use"]);
    for everything in home.contents(&home.path("repo")).into_values() {
        let text = String::from_utf8_lossy(&everything).into_owned();
        assert!(!text.contains(OLD) && !text.contains(NEW));
    }
}

/// Whether the kernel keeps what a password gave for this slot.
fn is_kept(slot: &str) -> bool {
    let all = fs::read_to_string("/proc/keys").unwrap_or_default();
    all.contains(&format!("dedup:{slot}"))
}

/// Other tests have the kernel forget everything, so it is tried again.
#[test]
fn the_kernel_keeps_what_lies_on_this_machine() {
    let home = home();
    let file = home.write("password", OLD);
    let file = file.to_str().unwrap();
    let run =
        |vars: &[(&str, &str)], args: &[&str]| hides(home.run_with(vars, &[&["-r", "repo"], args].concat()));
    let command = format!("cat '{file}'");
    run(&[("DEDUP_PASSWORD", OLD)], &["init", "--no-recovery"]).ends(0);
    let slot = fs::read_dir(home.path("repo/keys")).unwrap().next().unwrap();
    let slot = slot.unwrap().file_name().into_string().unwrap();
    let slot = slot.as_str();
    let hour = ("DEDUP_KEY_CACHE", "1h");
    // What is typed or had from elsewhere is asked for each time, and so is all where that is wanted.
    run(&[hour], &["--password-command", &command, "snapshots"]).ends(0);
    run(&[], &["-p", file, "snapshots"]).ends(0);
    assert!(!is_kept(slot));
    run(&[("DEDUP_KEY_CACHE", "soon")], &["-p", file, "snapshots"])
        .ends(2)
        .says(&["DEDUP_KEY_CACHE"]);
    let kept = (0..3).any(|_| {
        run(&[hour], &["-p", file, "snapshots"]).ends(0);
        is_kept(slot)
    });
    if !kept {
        eprintln!("no keyring can be had from this kernel: not tried");
        return;
    }
    run(&[hour], &["-p", file, "backup", "password"]).ends(0);
    run(&[hour, ("DEDUP_PASSWORD", OLD)], &["snapshots"]).ends(0);
    run(&[hour, ("DEDUP_PASSWORD", "wrong")], &["snapshots"]).ends(12);
    run(&[], &["cache", "clear"]).ends(0);
    // The kernel removes keys that are unlinked when it has the time.
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        !is_kept(slot)
    });
    assert!(gone);
    run(&[hour], &["-p", file, "snapshots"]).ends(0);
}

#[test]
fn the_phrase_opens_when_all_else_is_lost() {
    let home = home();
    let words = phrase(&home.init().out);
    home.write("docs/a", "a");
    home.ok(&["backup", "docs"]);
    fs::remove_file(home.path(".config/dedup/default.key")).unwrap();
    home.ends(2, &["snapshots"]).says(&["default.key", "no terminal"]);
    home.write("phrase", words.to_uppercase());
    let opened = ["--recovery-phrase-file", "phrase"];
    home.ok(&[&opened[..], &["restore", "--target", "out"]].concat());
    // A new key file for the time to come; the phrase stays.
    let key = home.text(".config/dedup/default.key");
    home.ends(
        2,
        &[&opened[..], &["key", "passwd", "--new-key-file", &key]].concat(),
    );
    home.ok(&[&opened[..], &["key", "add", "--new-key-file", &key]].concat());
    home.ok(&["snapshots"]);
    home.ok(&[&opened[..], &["snapshots"]].concat());
    home.write("phrase", words.replacen(' ', " abandon ", 1));
    home.ends(12, &[&opened[..], &["snapshots"]].concat());
    let second = home.ok(&["key", "recovery"]);
    home.write("phrase", phrase(&second.out));
    home.ok(&[&opened[..], &["snapshots"]].concat());
    let third = home.ok(&["key", "recovery", "--json"]).objects();
    home.write("phrase", string(&third[0], "recovery_phrase"));
    home.ok(&[&opened[..], &["snapshots"]].concat());
}

#[test]
fn exported_keys_bring_a_repository_back() {
    let home = home();
    home.init();
    home.write("docs/a", "a");
    home.ok(&["backup", "docs"]);
    home.ok(&["key", "export", "keys.tar"]);
    home.ends(1, &["key", "export", "keys.tar"])
        .says(&["exists already"]);
    fs::remove_dir_all(home.repository().join("keys")).unwrap();
    fs::remove_file(home.repository().join("config")).unwrap();
    home.ends(10, &["snapshots"]);
    let tar = std::process::Command::new("tar")
        .args(["-xf", &home.text("keys.tar"), "-C"])
        .arg(home.repository())
        .status();
    assert!(tar.unwrap().success());
    assert_eq!(home.snapshots().len(), 1);
    home.ok(&["check"]);
}

#[test]
fn keys_are_found_by_their_beginning() {
    let home = home();
    home.init();
    home.ends(1, &["key", "remove", "zz", "--yes"])
        .says(&["no key 'zz'"]);
    home.ends(1, &["key", "remove", "", "--yes"]);
    let list = home.ok(&["key", "list", "--json"]).objects();
    let recovery = list.iter().find(|slot| slot["kind"] == "recovery").unwrap();
    let id = string(recovery, "id");
    home.ends(2, &["key", "remove", &id[..8]]).says(&["--yes"]);
    home.ok(&["key", "remove", &id[..8], "--yes"]);
    let left = home.ok(&["key", "list", "--json"]).objects();
    assert_eq!(left.len(), 1);
    assert!(left[0]["current"] == true && left[0]["kind"] == "key-file");
}

/// Removing the key in one's hand locks oneself out.
#[test]
fn the_key_that_opened_stays() {
    let home = home();
    home.init();
    let slots = home.ok(&["key", "list", "--json"]).objects();
    let current = slots.iter().find(|slot| slot["current"] == true).unwrap();
    let id = string(current, "id");
    home.ends(1, &["key", "remove", &id, "--yes"])
        .says(&["is in use", "passwd"]);
    home.ok(&["snapshots"]);
    // With another key it can go.
    let phrase = phrase(&home.ok(&["key", "recovery"]).out);
    home.write("phrase", phrase);
    home.ok(&["--recovery-phrase-file", "phrase", "key", "remove", &id, "--yes"]);
    home.ends(12, &["snapshots"]);
    // Changing a key replaces it.
    home.write("new", "another password");
    let opened = ["--recovery-phrase-file", "phrase"];
    home.ok(&[&opened[..], &["key", "add", "--new-password-file", "new"]].concat());
    home.write("newer", "yet another password");
    let passwd = ["-p", "new", "key", "passwd", "--new-password-file", "newer"];
    home.ok(&passwd);
    home.ends(12, &["-p", "new", "snapshots"]);
    home.ok(&["-p", "newer", "snapshots"]);
}
