//! Known faults of what the program is built of: `advisories.toml` lists them, cargo-deny finds whether one of them
//! is in what `Cargo.lock` names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use toml_edit::{Document, Table};

/// Where cargo-deny looks for a copy of its usual database.
const FOLDER: &str = "advisory-db-3157b0e258782691";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// One advisory in the words of RustSec's own files.
fn file_of(advisory: &Table) -> String {
    let lines = |keys: &[&str]| -> String {
        let line = |key: &&str| {
            let value = advisory.get(key)?.as_value()?.clone().decorated("", "");
            Some(format!("{key} = {value}\n"))
        };
        keys.iter().filter_map(line).collect()
    };
    let text = format!(
        "```toml\n[advisory]\n{}\n[affected]\n{}\n[versions]\n{}",
        lines(&["id", "package", "date", "informational", "withdrawn"]),
        lines(&["os"]),
        lines(&["patched", "unaffected"]),
    );
    let title = advisory["title"].as_str().unwrap();
    text + &format!("```\n\n# {title}\n")
}

/// A database as cargo-deny wants one, and settings that name it.
fn database(below: &Path, advisories: &[String]) -> PathBuf {
    let folder = below.join(FOLDER);
    for text in advisories {
        let field = |key: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{key} = \"")));
            line.unwrap().trim_end_matches('"').to_string()
        };
        let package = folder.join("crates").join(field("package"));
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join(field("id") + ".md"), text).unwrap();
    }
    let git = |args: &[&str]| {
        // Whatever the user's own settings are.
        let ended = Command::new("git")
            .current_dir(&folder)
            .args(["-c", "user.name=tests", "-c", "user.email=tests@localhost"])
            .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
            .args(args)
            .output()
            .unwrap();
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stderr)
        );
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "advisories"]);
    let settings = read("deny.toml");
    let section = "[advisories]\n";
    assert_eq!(settings.matches(section).count(), 1);
    let place = format!("{section}db-path = {:?}\n", below.to_str().unwrap());
    let changed = below.join("deny.toml");
    fs::write(&changed, settings.replace(section, &place)).unwrap();
    changed
}

/// What cargo-deny reports offline; `None` if it is not installed.
pub fn deny(args: &[&str]) -> Option<Output> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |args: &[&str]| {
        let mut command = Command::new(&cargo);
        command
            .arg("deny")
            .args(args)
            .current_dir(root())
            .output()
            .unwrap()
    };
    match run(&["--version"]).status.success() {
        true => Some(run(&[&["--offline"], args].concat())),
        false => {
            eprintln!("cargo deny is not installed: not checked");
            None
        }
    }
}

fn deny_advisories(settings: &Path) -> Option<Output> {
    deny(&["--config", settings.to_str().unwrap(), "check", "advisories"])
}

/// Such as `windows-sys` and `winapi-util`.
fn is_for_windows(name: &str) -> bool {
    name.starts_with("win") && !name.starts_with("winnow")
}

/// A new dependency is looked up when it comes.
#[test]
fn every_dependency_was_looked_up() {
    let known = Document::parse(read("tests/advisories.toml")).unwrap();
    let looked_up = known["looked-up"].as_array().unwrap();
    let looked_up: BTreeSet<&str> = looked_up.iter().map(|name| name.as_str().unwrap()).collect();
    let lock = Document::parse(read("Cargo.lock")).unwrap();
    let packages = lock["package"].as_array_of_tables().unwrap().iter();
    let ours = packages.filter(|package| package.contains_key("source"));
    let new: Vec<&str> = ours
        .map(|package| package["name"].as_str().unwrap())
        .filter(|name| !looked_up.contains(name) && !is_for_windows(name))
        .collect();
    assert!(new.is_empty(), "look up the advisories of {new:?}");
}

#[test]
fn no_dependency_has_a_known_fault() {
    let known = Document::parse(read("tests/advisories.toml")).unwrap();
    let advisories = known["advisory"].as_array_of_tables().unwrap().iter();
    let mut advisories: Vec<String> = advisories.map(file_of).collect();
    let scratch = tempfile::tempdir().unwrap();
    let Some(good) = deny_advisories(&database(&scratch.path().join("good"), &advisories)) else {
        return;
    };
    let said = String::from_utf8_lossy(&good.stderr);
    assert!(good.status.success(), "{said}");
    // That it would be found.
    let made_up = "```toml\n[advisory]\nid = \"RUSTSEC-2026-9999\"\npackage = \"blake3\"\ndate = \"2026-11-22\"\n\
                   \n[versions]\npatched = [\">= 999.0.0\"]\n```\n\n# made up\n";
    advisories.push(made_up.to_string());
    let bad = deny_advisories(&database(&scratch.path().join("bad"), &advisories)).unwrap();
    let said = String::from_utf8_lossy(&bad.stderr);
    assert!(!bad.status.success() && said.contains("made up"), "{said}");
}
