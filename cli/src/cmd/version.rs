//! `version` and `about`: which build this is, whether there is a newer one, and what it is made of.

use crate::args::program::VersionArgs;
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::about as words;
use service::json;
use service::{Failure, Status, update};

/// The crates in this program and their licences, one a line.
pub const LICENCES: &str = include_str!("licences.txt");
/// This program's own.
const LICENCE: &str = env!("CARGO_PKG_LICENSE");

pub fn run(terminal: &Terminal, args: &VersionArgs) -> Result<Status, Failure> {
    match args.check {
        false => output::write(text(terminal.json()).as_bytes()),
        true => check(terminal),
    }
}

fn check(terminal: &Terminal) -> Result<Status, Failure> {
    let report = update::run(&terminal.context)?;
    match terminal.json() {
        true => output::object(&json::object(
            "version",
            json!({
                "version": report.current,
                "latest": report.latest,
                "newer": report.is_newer,
            }),
        ))?,
        false => output::line(&words::compared(terminal.lang, &report))?,
    }
    Ok(Status::Completed)
}

fn text(json: bool) -> String {
    let (version, os, arch) = (
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
    );
    if json {
        // Those that begin with `go_` are for readers of restic's.
        let object = serde_json::json!({
            "message_type": "version",
            "version": version,
            "os": os,
            "arch": arch,
            "go_version": "none",
            "go_os": if os == "macos" { "darwin" } else { os },
            "go_arch": match arch {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            },
        });
        return json::line(&object) + "\n";
    }
    format!("dedup {version} on {os}/{arch}\n")
}

/// Names and licences of the crates.
fn licences() -> impl Iterator<Item = (&'static str, &'static str)> {
    LICENCES.lines().filter_map(|line| line.split_once('\t'))
}

pub fn about(terminal: &Terminal) -> Result<Status, Failure> {
    let mut out = Lines::new();
    if terminal.json() {
        let crates: Vec<Value> = licences()
            .map(|(name, licence)| json!({ "name": name, "licence": licence }))
            .collect();
        out.object(&json::object(
            "about",
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "licence": LICENCE,
                "dependencies": crates,
            }),
        ));
    } else {
        out.line(text(false).trim_end());
        out.line(&words::licence(terminal.lang, LICENCE));
        out.line("");
        out.line(&words::dependencies(terminal.lang));
        for (name, licence) in licences() {
            out.line(&format!("  {name}  {licence}"));
        }
    }
    out.finish().map(|()| Status::Completed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        assert!(text(false).starts_with(concat!("dedup ", env!("CARGO_PKG_VERSION"))));
        let json: serde_json::Value = serde_json::from_str(&text(true)).unwrap();
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn every_crate_has_a_licence() {
        assert_eq!(licences().count(), LICENCES.lines().count());
        assert!(licences().any(|(name, licence)| name == "blake3" && licence.contains("Apache-2.0")));
    }
}
