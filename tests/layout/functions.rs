//! A function fits on a screen.

use super::{body, files, is_test_module, none};

/// Lines of a function, with its signature and its closing brace.
const LINES_MAX: usize = 60;

/// The functions of a source file, with their lines, but for those in its test module.
fn functions(source: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = source.lines().take(body(source)).collect();
    let starts = lines.iter().enumerate().filter_map(|(at, line)| {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.trim_start().split([' ', '(', '<']).collect();
        let keyword = words.iter().position(|word| *word == "fn")?;
        let modifiers = ["pub", "crate)", "super)", "const", "async", "unsafe"];
        let is_function = words[..keyword].iter().all(|word| modifiers.contains(word));
        (is_function && words.len() > keyword + 1).then(|| (at, indent, words[keyword + 1].to_string()))
    });
    let ends = |line: &str, indent: usize| {
        let code = line.trim_start();
        line.len() - code.len() == indent && (code.starts_with('}') || code.ends_with(';'))
    };
    let length = |(at, indent, name): (usize, usize, String)| {
        let is_one_line = lines[at].ends_with(['}', ';']);
        let rest = lines[at + 1..].iter().position(|line| ends(line, indent));
        (
            name,
            if is_one_line {
                1
            } else {
                rest.map_or(1, |rest| rest + 2)
            },
        )
    };
    starts.map(length).collect()
}

#[test]
fn functions_fit_on_a_screen() {
    let mut long = Vec::new();
    let mut count = 0;
    for (path, source) in files("rs") {
        let is_ours = ["chunkstore/", "engine/", "service/", "cli/", "console/"]
            .iter()
            .any(|folder| path.starts_with(folder));
        if !is_ours || is_test_module(&path) {
            continue;
        }
        for (name, lines) in functions(&source) {
            count += 1;
            if lines > LINES_MAX {
                long.push(format!("{path}: {name} has {lines} lines"));
            }
        }
    }
    assert!(count > 2000, "{count} functions were found");
    none("split them", long);
}

#[test]
fn functions_are_measured() {
    let source = "pub(crate) const fn a() -> u8 { 1 }\nimpl X {\n    fn b(\n        self,\n    ) -> u8 {\n        if self.c {\n        }\n        1\n    }\n}\ntrait T {\n    fn d(&self);\n}\n";
    let found = functions(source);
    let found: Vec<(&str, usize)> = found
        .iter()
        .map(|(name, lines)| (name.as_str(), *lines))
        .collect();
    assert_eq!(found, [("a", 1), ("b", 7), ("d", 1)]);
}
