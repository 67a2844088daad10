//! `dedup about` names every package that the program is built from, with its licence.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What cargo says of the packages that `dedup` is built from, on any system: name, a tab, licence.
fn built_from(metadata: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .map(|package| (text(&package["id"]), package))
        .collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (text(&node["id"]), node))
        .collect();
    let root = packages.iter().find(|(_, package)| package["name"] == "dedup");
    let mut open = vec![root.unwrap().0.clone()];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for edge in list(&nodes[&id]["deps"]) {
            // Neither for tests only nor for the build.
            if list(&edge["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                open.push(text(&edge["pkg"]));
            }
        }
    }
    let others = seen
        .iter()
        .map(|id| &packages[id])
        .filter(|package| !package["source"].is_null());
    let lines: BTreeSet<(String, String)> = others
        .map(|package| (text(&package["name"]), text(&package["license"])))
        .collect();
    lines
        .iter()
        .map(|(name, licence)| format!("{name}\t{licence}\n"))
        .collect()
}

/// `DEDUP_WRITE_DOCS=1` writes the list anew.
#[test]
fn the_list_of_licences_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let said = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let want = built_from(&serde_json::from_slice(&said.stdout).unwrap());
    let path = root.join("cli/src/cmd/licences.txt");
    if std::env::var_os("DEDUP_WRITE_DOCS").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let lines = |text: &str| text.lines().map(String::from).collect::<BTreeSet<_>>();
    let (want, have) = (lines(&want), lines(&std::fs::read_to_string(&path).unwrap()));
    let differing: Vec<_> = want.symmetric_difference(&have).collect();
    assert!(
        differing.is_empty(),
        "write cli/src/cmd/licences.txt anew: {differing:?}"
    );
}
