//! What goes into the program and what must not come out: no unsafe code, no hook for tests, no secret in anything
//! that is shown or kept.

use crate::advisories::deny;
use chunkstore::keys::{Keys, MasterKey, SessionKeys};
use chunkstore::seal::SealKey;
use chunkstore::slot::Secret;
use kit::program::Home;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use zeroize::ZeroizeOnDrop;

/// Modules of ours that may hold unsafe code.
const UNSAFE: [&str; 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Lines of code without comments and texts.
fn code(source: &str) -> impl Iterator<Item = String> {
    source.lines().map(|line| {
        let line = line.split("//").next().unwrap_or_default();
        line.split('"').step_by(2).collect::<Vec<_>>().join(" ")
    })
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    let mut found = Vec::new();
    for folder in ["chunkstore/src", "engine/src", "service/src", "cli/src"] {
        sources(&root().join(folder), &mut found);
    }
    assert!(found.len() > 50);
    let is_word = |word: &str| ["unsafe", "allow(unsafe_code)"].contains(&word);
    let mut wrong = Vec::new();
    for path in found {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let unsafe_lines = code(&text).filter(|line| line.split([' ', '{', '(']).any(is_word));
        if unsafe_lines.count() > 0 && !UNSAFE.contains(&&*name) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Only the test kit asks for the hooks of `chunkstore/src/simulation.rs`.
#[test]
fn the_program_has_no_hooks_for_tests() {
    for (manifest, expected) in [
        ("Cargo.toml", 0),
        ("engine/Cargo.toml", 0),
        ("service/Cargo.toml", 0),
        ("cli/Cargo.toml", 0),
        ("benches/Cargo.toml", 0),
        ("chunkstore/Cargo.toml", 1),
        ("tests/Cargo.toml", 1),
    ] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        assert_eq!(text.matches("simulation").count(), expected, "{manifest}");
    }
    let manifest = fs::read_to_string(root().join("chunkstore/Cargo.toml")).unwrap();
    assert!(!manifest.contains("default ="), "no feature is on by itself");
}

/// Does not compile with a type that has `Debug`: `some` is then there twice.
macro_rules! has_no_debug {
    ($($of:ty),*) => {$({
        trait IsShown<A> {
            fn some() {}
        }
        impl<T: ?Sized> IsShown<()> for T {}
        impl<T: ?Sized + std::fmt::Debug> IsShown<u8> for T {}
        <$of as IsShown<_>>::some();
    })*};
}

#[test]
fn secrets_are_not_shown_and_are_zeroed() {
    has_no_debug!(MasterKey, SessionKeys, Keys, SealKey, Secret);
    fn is_zeroed<T: ZeroizeOnDrop>() {}
    is_zeroed::<MasterKey>();
    is_zeroed::<SealKey>();
    fn holds_zeroizing(secret: &Secret) -> &dyn ZeroizeOnDrop {
        match secret {
            Secret::Password(password) => password,
            Secret::KeyFile(key) | Secret::Phrase(key) => key,
        }
    }
    let secret = Secret::KeyFile([7; 32].into());
    let _zeroed: &dyn ZeroizeOnDrop = holds_zeroizing(&secret);
}

const PASSWORD: &str = "a password that nobody would guess";

/// Neither password nor key is in what a command prints, whatever is asked for, nor in what it leaves on this machine
/// and in the repository.
#[test]
fn secrets_stay_where_they_are() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let phrase = crate::cli_start::phrase(&home.init().out);
    home.write("docs/a", "a");
    let password = home.write("secrets/password", PASSWORD);
    let password = password.to_str().unwrap();
    let key = fs::read_to_string(home.path(".config/dedup/default.key")).unwrap();
    let key = key.lines().nth(1).unwrap().to_string();
    let docs = home.text("docs");
    let mut said = String::new();
    for args in [
        &["key", "add", "--new-password-file", password][..],
        &["key", "list"],
        &["backup", &docs, "-vv"],
        &["snapshots", "-p", password],
        &["check", "-vv", "-p", password],
        &["prune", "--gc-only", "--yes", "-vv"],
        &["stats"],
        &["key", "list", "-p", "nowhere"],
    ] {
        for json in [&["--json"][..], &[]] {
            let run = home.run(&[args, json].concat());
            said.extend([run.out, run.err]);
        }
    }
    assert!(said.len() > 1000);
    let mut kept = String::from_utf8_lossy(said.as_bytes()).into_owned();
    for folder in [".local", ".cache"] {
        for bytes in home.contents(&home.path(folder)).into_values() {
            kept.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    let words: Vec<&str> = phrase.split_whitespace().collect();
    for secret in [PASSWORD, &key, &words[..4].join(" ")] {
        assert!(!kept.contains(secret), "{secret} is told");
    }
}

/// A secret is never an argument: no option takes one, and no process that the program starts is given one.
#[test]
fn secrets_are_no_arguments() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    for command in ["init", "backup", "key add", "key passwd", "restore", "prune"] {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = home.ok(&args).out;
        for value in ["<PASSWORD>", "<KEY>", "<PHRASE>", "<SECRET>"] {
            assert!(!help.contains(value), "{command} {value}");
        }
    }
    home.init();
    home.write("password", PASSWORD);
    let mut child = home
        .command(&["key", "add", "--new-password-file", "password"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let line = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&line).contains(PASSWORD));
    assert!(child.wait().unwrap().success());
}

/// Licences, sources and bans as `deny.toml` has them, where `cargo deny` is installed.
#[test]
fn dependencies_are_allowed() {
    let Some(found) = deny(&["check", "bans", "licenses", "sources"]) else {
        return;
    };
    assert!(
        found.status.success(),
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
}
