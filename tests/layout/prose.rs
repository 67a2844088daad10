//! No text for people below `service`.

use super::{body, files, is_test_module, none};
use std::collections::{BTreeMap, BTreeSet};

/// String literals of two or more words of letters in a crate's own code, but for those of `#[...]`, of implementations of
/// `Display`, and of tests.
pub(super) fn phrases(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_display = false;
    for line in source.lines().take(body(source)) {
        let code = line.trim_start();
        if line.starts_with("impl") && line.contains("Display for") {
            in_display = true;
        }
        if in_display || code.starts_with("//") || code.starts_with("#[") {
            in_display &= line != "}";
            continue;
        }
        found.extend(literals(code).filter(|text| is_phrase(text)));
    }
    found
}

/// What stands between quotation marks in a line.
fn literals(code: &str) -> impl Iterator<Item = String> {
    let code = code.replace("\\\\", "").replace("\\\"", "").replace("'\"'", "");
    let parts: Vec<String> = code.split('"').map(String::from).collect();
    parts.into_iter().skip(1).step_by(2)
}

fn is_phrase(text: &str) -> bool {
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'');
    text.contains(' ') && text.split([' ', ',', ';', ':', '.']).filter(is_word).count() >= 2
}

/// Below `service` there is no language: what happened is a value there, from which a catalogue makes a text. What is
/// listed here is not shown to people: bytes that are stored or hashed, and words by which others say something.
#[test]
fn there_is_no_prose_below_service() {
    let allowed = BTreeMap::from([
        (
            "chunkstore/src/error.rs",
            &[
                "File too large",
                "Too many open files",
                "No space left on device",
                "Disk quota exceeded",
            ][..],
        ),
        ("chunkstore/src/index.rs", &["dedup index 4"]),
        ("chunkstore/src/index/presence.rs", &["wrong sizes"]),
        (
            "chunkstore/src/keys.rs",
            &[
                "data chunk ids",
                "tree chunk ids",
                "file content hashes",
                "tree cuts",
            ],
        ),
        ("chunkstore/src/object.rs", &["encoding into a vector"]),
        (
            "chunkstore/src/seal.rs",
            &["dedup 2026 v1 nonce", "ChaCha20-Poly1305 takes 32 bytes"],
        ),
        (
            "chunkstore/src/slot/secret.rs",
            &["dedup key file 1", "dedup 2026 v1 slot {}"],
        ),
        (
            "chunkstore/src/remote/network/fault.rs",
            &[
                "no space left",
                "failed to load signing credential",
                "error sending request",
                "client error",
                "tcp connect error",
                "http request failed",
            ],
        ),
        (
            "chunkstore/src/remote/network/http.rs",
            &["Name or service not known", "Name does not resolve"],
        ),
        (
            "chunkstore/src/remote/network/sftp/connection.rs",
            &[
                "Permission denied",
                "Host key verification failed",
                "REMOTE HOST IDENTIFICATION HAS CHANGED",
                "Too many authentication failures",
            ],
        ),
        // The program that starts a child prints it, in the child's place.
        ("chunkstore/src/platform/linux.rs", &["can't start {}: {error}"]),
        // Printed by the compiler.
        (
            "chunkstore/src/platform/mod.rs",
            &["chunkstore knows only Unix and Windows: add a file beside platform/unix.rs"],
        ),
        (
            "chunkstore/src/remote/network/cloud.rs",
            &["https://{account}.blob.core.windows.net"],
        ),
        (
            "engine/src/platform/mod.rs",
            &["engine knows only Unix and Windows: add a file beside platform/unix.rs"],
        ),
        // In the half that only tests have.
        ("chunkstore/src/simulation.rs", &["crashed.new"]),
        ("chunkstore/src/simulation/power.rs", &["the power is cut"]),
        ("engine/src/fsmeta/changes.rs", &["the process has ended"]),
        // Printed by the compiler.
        (
            "engine/src/fsmeta/mod.rs",
            &["fsmeta knows only Linux, and Windows in part: add a folder beside fsmeta/linux"],
        ),
    ]);
    let mut wrong = Vec::new();
    for (path, source) in files("rs") {
        let is_below = path.starts_with("chunkstore/src/") || path.starts_with("engine/src/");
        if !is_below || is_test_module(&path) || path == "engine/src/nobody.rs" {
            continue;
        }
        let allowed = allowed.get(path.as_str()).copied().unwrap_or_default();
        let prose = phrases(&source)
            .into_iter()
            .filter(|text| !allowed.contains(&text.as_str()));
        wrong.extend(prose.map(|text| format!("{path}: \"{text}\"")));
        let fields = ["why", "what", "reason", "message", "said"];
        let types = ["String", "&'static str", "Option<String>"];
        let is_field = |line: &str| {
            fields.iter().any(|field| {
                let given = line.trim_start().trim_start_matches("pub ").strip_prefix(field);
                let given = given.and_then(|rest| rest.strip_prefix(": "));
                given.is_some_and(|kind| types.contains(&kind.trim_end_matches(',')))
            })
        };
        let body = source.lines().take(body(&source)).filter(|line| is_field(line));
        wrong.extend(body.map(|line| format!("{path}: {}", line.trim())));
    }
    none("a text where a value is wanted", wrong);
}

/// What `{:?}` makes is for developers. In the catalogue it would mean that a variant has no text.
#[test]
fn no_text_shows_what_debug_makes() {
    let shown = files("rs").into_iter().filter(|(path, source)| {
        let lines: Vec<&str> = source.lines().take(body(source)).collect();
        let code = lines.join("\n");
        path.starts_with("service/src/catalogue/")
            && !is_test_module(path)
            && (code.contains(":?}") || code.contains(":#?}"))
    });
    none("Debug output in a text", shown.map(|(path, _)| path).collect());
}
