//! The table of causes and commands in docs/reliability.md, and what a run must print to be as it has it.

use kit::program::Run;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A row of the table in the document.
pub struct Row {
    pub cause: String,
    /// By command, each that is allowed; commands that the cause does not concern are left out.
    pub codes: BTreeMap<String, Vec<i32>>,
    /// What may be printed with a code.
    phrases: Vec<(i32, String)>,
}

impl Row {
    fn is_damage(&self) -> bool {
        self.phrases.iter().any(|(code, _)| *code == 13)
    }

    /// What is wrong with a run.
    pub fn judge(&self, codes: &[i32], run: &Run) -> Option<String> {
        let mut phrases = self.phrases.iter().filter(|(of, _)| *of == run.code);
        if !codes.contains(&run.code) {
            return Some(format!("ended with {} instead of {codes:?}", run.code));
        }
        if run.code != 0 && !phrases.any(|(_, phrase)| run.err.contains(phrase)) {
            return Some("says something else".to_string());
        }
        if let Some(line) = run.err.lines().find(|line| is_clumsy(line)) {
            return Some(format!("is clumsy: {line}"));
        }
        // A success may print on standard output that no damage was found.
        let out = if run.code == 0 { "" } else { &run.out };
        let blames = |text: &str| ["damage", "missing"].iter().any(|word| text.contains(word));
        (!self.is_damage() && (blames(&run.err) || blames(out))).then(|| "speaks of damage".to_string())
    }
}

/// Whether a message has a name twice, or what only a library's author understands.
fn is_clumsy(line: &str) -> bool {
    let mut names: Vec<&str> = line
        .split(|c: char| !c.is_ascii_hexdigit())
        .filter(|word| word.len() >= 32)
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    let foreign = [
        "IO error",
        "error sending request",
        "client error",
        "connect error",
    ];
    let stilted = ["told", "nobody", "wholly", "anew", "can't be asked"];
    names.len() < all || foreign.iter().chain(&stilted).any(|words| line.contains(words))
}

/// The rows of the table under "Causes and what is said".
pub fn rows(names: &[&str]) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n## Causes and what is said\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut lines = section.lines().filter(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_string()).collect()
    };
    let columns = cells(lines.next().unwrap());
    assert_eq!(columns[1..columns.len() - 1], *names);
    lines
        .skip(1)
        .map(|line| {
            let cells = cells(line);
            assert_eq!(cells.len(), columns.len(), "{line}");
            let codes = names.iter().zip(&cells[1..]).filter(|(_, code)| *code != "-");
            Row {
                cause: cells[0].clone(),
                codes: codes
                    .map(|(name, codes)| {
                        let codes = codes.split('/').map(|code| code.parse().unwrap());
                        (name.to_string(), codes.collect())
                    })
                    .collect(),
                phrases: phrases(&cells[cells.len() - 1]),
            }
        })
        .collect()
}

/// Of "1: `a`, `b`; 13: `c`".
fn phrases(text: &str) -> Vec<(i32, String)> {
    let of_a_code = |part: &str| {
        let (code, phrases) = part.split_once(':').unwrap();
        let code: i32 = code.trim().parse().unwrap();
        let phrases = phrases.split('`').skip(1).step_by(2);
        phrases
            .map(|phrase| (code, phrase.to_string()))
            .collect::<Vec<_>>()
    };
    let parts = text.split("; ").filter(|part| !part.is_empty());
    parts.flat_map(of_a_code).collect()
}
