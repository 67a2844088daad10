//! Known faults of what the program is built of: `advisories.toml` says which there are, cargo-deny whether one of them
//! is in what `Cargo.lock` names.

use std::collections::BTreeSet;
use std::fmt::Write;
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

fn run(command: &mut Command) -> Output {
    let ended = command.output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    ended
}

/// One advisory in the words of RustSec's own files.
fn file_of(advisory: &Table) -> String {
    let mut text = "```toml\n[advisory]\n".to_string();
    for key in ["id", "package", "date", "informational", "withdrawn"] {
        if let Some(value) = advisory.get(key) {
            writeln!(
                text,
                "{key} = {}",
                value.as_value().unwrap().clone().decorated("", "")
            )
            .unwrap();
        }
    }
    if let Some(os) = advisory.get("os") {
        let os = os.as_value().unwrap().clone().decorated("", "");
        writeln!(text, "\n[affected]\nos = {os}").unwrap();
    }
    text += "\n[versions]\n";
    for key in ["patched", "unaffected"] {
        if let Some(value) = advisory.get(key) {
            writeln!(
                text,
                "{key} = {}",
                value.as_value().unwrap().clone().decorated("", "")
            )
            .unwrap();
        }
    }
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
        let name = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"];
        run(Command::new("git").current_dir(&folder).args(name).args(args));
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

/// `None` where cargo-deny is not installed.
fn deny(settings: Option<&Path>) -> Option<Output> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["deny", "--offline"]).current_dir(root());
    match settings {
        None => command.arg("--version"),
        Some(path) => command.arg("--config").arg(path).args(["check", "advisories"]),
    };
    let ended = command.output().unwrap();
    (settings.is_some() || ended.status.success()).then_some(ended)
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
    if deny(None).is_none() {
        eprintln!("cargo deny is not installed: not checked");
        return;
    }
    let known = Document::parse(read("tests/advisories.toml")).unwrap();
    let advisories = known["advisory"].as_array_of_tables().unwrap().iter();
    let mut advisories: Vec<String> = advisories.map(file_of).collect();
    let scratch = tempfile::tempdir().unwrap();
    let good = deny(Some(&database(&scratch.path().join("good"), &advisories))).unwrap();
    let said = String::from_utf8_lossy(&good.stderr);
    assert!(good.status.success(), "{said}");
    // That it would be found.
    let made_up = "```toml\n[advisory]\nid = \"RUSTSEC-2026-9999\"\npackage = \"blake3\"\ndate = \"2026-11-22\"\n\
                   \n[versions]\npatched = [\">= 999.0.0\"]\n```\n\n# made up\n";
    advisories.push(made_up.to_string());
    let bad = deny(Some(&database(&scratch.path().join("bad"), &advisories))).unwrap();
    let said = String::from_utf8_lossy(&bad.stderr);
    assert!(!bad.status.success() && said.contains("made up"), "{said}");
}
