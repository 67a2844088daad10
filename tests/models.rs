//! The models of docs/model: each goes through every state of a protocol, finds it safe with all of its rules, and
//! finds the way to a loss without any one of them. [`names`] is one more, written here.

mod names;

use std::path::Path;
use std::process::Command;

fn holds(model: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("docs/model");
    let mut python = Command::new("python3");
    python.arg("-B").arg(model).current_dir(&folder);
    let output = python
        .output()
        .unwrap_or_else(|e| panic!("python3 is needed for docs/model: {e}"));
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{model}: {found}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        found.contains("unsafe") && found.contains(": safe"),
        "{model}: {found}"
    );
    println!("{model}:\n{found}");
}

#[test]
fn of_a_collection_beside_writers_and_others() {
    holds("collection.py");
}

#[test]
fn of_small_files_that_are_moved() {
    holds("files.py");
}
