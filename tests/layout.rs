//! What CONTRIBUTING.md promises about the tree and no compiler checks: sizes, module docs, which crate may see which,
//! and that documents speak of files, tests and invariants that exist.

mod functions;
mod modules;
mod pages;
mod prose;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lines of a source file without its test module.
const BODY_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Paths relative to the root of all files with this extension, but for what is built or hidden.
fn files(extension: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') || name == "target" || name == "demo-scratch" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_string();
                found.insert(relative, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

/// Modules that hold nothing but tests: `foo/tests.rs` and `foo/tests/*.rs` below a `src`.
fn is_test_module(path: &str) -> bool {
    path.contains("/src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
}

fn body(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"));
    tests.unwrap_or(lines.len())
}

#[track_caller]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn files_are_short() {
    let long = files("rs")
        .into_iter()
        .filter(|(path, _)| !is_test_module(path))
        .map(|(path, source)| (path, body(&source)))
        .filter(|(_, lines)| *lines > BODY_MAX);
    none(
        "too long",
        long.map(|(path, lines)| format!("{path}: {lines}")).collect(),
    );
}

#[test]
fn files_say_what_they_are() {
    let is_silent = |(path, source): &(String, String)| !is_test_module(path) && !source.starts_with("//! ");
    let silent = files("rs").into_iter().filter(is_silent);
    none("no module doc", silent.map(|(path, _)| path).collect());
}

/// `chunkstore` <- `engine` <- `service` <- `console` <- `cli` <- `tests`, and beside them `benches` and `fuzz`: who may name whom among its dependencies.
#[test]
fn crates_see_only_those_below() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("chunkstore", &[][..]),
        ("engine", &["chunkstore"]),
        ("service", &["dedup-engine"]),
        ("console", &["dedup-service"]),
        ("cli", &["dedup-console", "dedup-service"]),
        ("tests", &["chunkstore", "dedup-engine", "dedup-service", "dedup"]),
        ("benches", &["chunkstore", "dedup-engine"]),
        ("fuzz", &["chunkstore", "dedup-engine", "dedup-service"]),
    ]);
    let ours = [
        "chunkstore",
        "engine",
        "dedup-engine",
        "service",
        "dedup-service",
        "dedup-console",
        "dedup",
        "dedup-tests",
    ];
    let manifests = files("toml");
    let crates = manifests
        .iter()
        .filter_map(|(path, text)| Some((path.strip_suffix("/Cargo.toml")?, text)));
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for (name, text) in crates {
        let Some(allowed) = allowed.get(name) else {
            wrong.push(format!("{name}: say here which crates it may see"));
            continue;
        };
        seen.insert(name);
        let named = text.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        let edges = named.filter(|found| ours.contains(found) && !allowed.contains(found));
        wrong.extend(edges.map(|found| format!("{name} -> {found}")));
    }
    assert_eq!(seen.len(), allowed.len());
    none("edges", wrong);
}

#[test]
fn every_test_file_is_listed() {
    let all = std::fs::read_to_string(root().join("tests/all.rs")).unwrap();
    let unlisted = files("rs").into_keys().filter(|path| {
        let name = path
            .strip_prefix("tests/")
            .and_then(|name| name.strip_suffix(".rs"));
        name.is_some_and(|name| {
            name != "all" && !name.contains('/') && !all.contains(&format!("\nmod {name};"))
        })
    });
    none("not in tests/all.rs", unlisted.collect());
}

/// Paths of this repository in a text, with the item after `::` where one is named. Patterns are passed over.
fn mentions(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    const FOLDERS: [&str; 11] = [
        "chunkstore/",
        "engine/",
        "service/",
        "console/",
        "cli/",
        "tests/",
        "docs/",
        "benches/",
        "scripts/",
        "fuzz/",
        ".ci/",
    ];
    let ends = |c: char| c.is_whitespace() || "`()[],;\"'|".contains(c);
    let words = text.split(ends).map(|word| word.trim_end_matches(['.', ':']));
    let paths = words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    paths
        .filter(|word| !word.contains(['<', '*', '{', '#', '$']))
        .map(|word| match word.split_once("::") {
            Some((path, item)) => (path, Some(item)),
            None => (word, None),
        })
}

#[test]
fn what_is_mentioned_exists() {
    let missing = |path: &str, item: Option<&str>| {
        let full = root().join(path);
        let Some(item) = item else { return !full.exists() };
        let source = std::fs::read_to_string(full).unwrap_or_default();
        !source.contains(&format!("fn {item}(")) && !source.contains(&format!("mod {item} "))
    };
    let mut wrong = Vec::new();
    for extension in ["md", "rs", "toml", "sh"] {
        for (file, text) in files(extension) {
            // Only documents in code: strings and imports name other things.
            let prose: String = match extension {
                "rs" => text
                    .lines()
                    .filter(|line| line.trim_start().starts_with("//"))
                    .collect::<Vec<_>>()
                    .join("\n"),
                _ => text,
            };
            for (path, item) in mentions(&prose).filter(|(path, item)| missing(path, *item)) {
                wrong.push(format!("{file}: {path} {}", item.unwrap_or_default()));
            }
        }
    }
    none("mentioned and not there", wrong);
}

/// What comments link to, as in [`none`], is in the code: nothing that was renamed or removed.
#[test]
fn links_in_comments_name_what_exists() {
    let (mut words, mut links) = (BTreeSet::new(), Vec::new());
    let sources = files("rs");
    for (path, source) in &sources {
        for line in source.lines() {
            match line.trim_start().strip_prefix("//") {
                None => words.extend(line.split(|c: char| !c.is_alphanumeric() && c != '_')),
                Some(comment) => {
                    let linked = comment.split("[`").skip(1);
                    let linked = linked.filter_map(|rest| Some(rest.split_once("`]")?.0));
                    links.extend(linked.map(|name| (path, name)));
                }
            }
        }
    }
    assert!(links.len() > 100);
    let is_there = |name: &str| {
        let name = name.split_once('@').map_or(name, |(_, name)| name);
        let name = name.trim_end_matches("()").trim_end_matches('!');
        name.split("::").all(|part| words.contains(part))
    };
    let gone = links.into_iter().filter(|(_, name)| !is_there(name));
    let gone = gone.map(|(path, name)| format!("{path}: {name}"));
    none("linked and not there", gone.collect());
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for (file, text) in files("md") {
        let folder = root().join(&file).parent().unwrap().to_path_buf();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                broken.push(format!("{file}: {target}"));
            }
        }
    }
    none("broken links", broken);
}

/// Numbers n of every "I-n" in a text.
fn invariants(text: &str) -> BTreeSet<u32> {
    let starts = text
        .match_indices("I-")
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_alphanumeric()));
    let digits = starts.map(|(at, _)| {
        text[at + 2..]
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default()
    });
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

#[test]
fn invariants_in_code_are_defined() {
    let text = std::fs::read_to_string(root().join("docs/invariants.md")).unwrap();
    let headings = text.lines().filter(|line| line.starts_with("### I-"));
    let defined: BTreeSet<u32> = headings
        .flat_map(|line| invariants(line).into_iter().next())
        .collect();
    assert!(defined.len() >= 17);
    let mut unknown = Vec::new();
    for (file, text) in files("rs").into_iter().chain(files("md")) {
        let numbers: Vec<u32> = invariants(&text).difference(&defined).copied().collect();
        if !numbers.is_empty() {
            unknown.push(format!("{file}: {numbers:?}"));
        }
    }
    none("not in docs/invariants.md", unknown);
}

/// A face translates: it reaches `service` and what that re-exports, not past it. And `service` knows no face.
#[test]
fn faces_and_service_keep_apart() {
    let source = files("rs");
    let bodies = |folder: &'static str| {
        let ours = source.iter().filter(move |(path, _)| path.starts_with(folder));
        ours.map(|(path, source)| {
            let lines: Vec<&str> = source.lines().take(body(source)).collect();
            (path, lines.join("\n"))
        })
    };
    let named = |folder, words: &[&str]| -> Vec<String> {
        let named = |text: &str| words.iter().find(|word| text.contains(**word)).copied();
        let found = |(path, text): (&String, String)| Some(format!("{path}: {}", named(&text)?));
        bodies(folder).filter_map(found).collect()
    };
    none(
        "a face reaches past service",
        named("cli/src/", &["chunkstore", "engine::", ".store.", ".store\n"]),
    );
    none(
        "the console reaches past service, or knows a terminal",
        named(
            "console/src/",
            &[
                "chunkstore",
                "engine::",
                ".store.",
                ".store\n",
                "clap",
                "println!",
                "std::process",
            ],
        ),
    );
    none(
        "service knows a face",
        named(
            "service/src/",
            &[
                "clap",
                "indicatif",
                "rpassword",
                "is_terminal",
                "exit_code",
                "ExitCode",
            ],
        ),
    );
    let manifest = std::fs::read_to_string(root().join("service/Cargo.toml")).unwrap();
    let faces = ["clap", "indicatif", "rpassword"];
    none(
        "service depends on what is a face's",
        faces
            .iter()
            .filter(|name| manifest.contains(**name))
            .map(|name| name.to_string())
            .collect(),
    );
}

/// Names of the types that a crate's own code defines.
fn types(source: &str) -> impl Iterator<Item = &str> {
    let lines = source.lines().take(body(source));
    lines.filter_map(|line| {
        let scopes = ["pub ", "pub(crate) ", "pub(super) "];
        let scoped = scopes.iter().find_map(|scope| line.strip_prefix(scope));
        let line = scoped.unwrap_or(line);
        let keywords = ["struct ", "enum ", "trait "];
        let name = keywords.iter().find_map(|keyword| line.strip_prefix(keyword))?;
        name.split(|c: char| !c.is_alphanumeric()).next()
    })
}

/// One name for one idea in each crate. Requests and reports are each job's own.
#[test]
fn types_have_names_of_their_own() {
    let mut places: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (path, source) in files("rs") {
        let folder = path.split('/').next().unwrap_or_default();
        let is_ours = ["chunkstore", "engine", "service", "console", "cli"].contains(&folder);
        for name in types(&source).filter(|_| is_ours && !is_test_module(&path)) {
            let key = (folder.to_string(), name.to_string());
            places.entry(key).or_default().push(path.clone());
        }
    }
    let requests = places.get(&("service".to_string(), "Request".to_string()));
    assert!(requests.is_some_and(|places| places.len() > 5));
    let shared = places
        .into_iter()
        .filter(|((_, name), places)| places.len() > 1 && !["Request", "Report"].contains(&name.as_str()));
    none(
        "defined more than once",
        shared
            .map(|((_, name), places)| format!("{name}: {}", places.join(", ")))
            .collect(),
    );
}

/// A child that is started elsewhere would be given our secrets, and could outlive us.
#[test]
fn children_are_started_in_one_place() {
    let ours = [
        "chunkstore/src/",
        "engine/src/",
        "service/src/",
        "console/src/",
        "cli/src/",
    ];
    let started = files("rs").into_iter().filter(|(path, source)| {
        let lines: Vec<&str> = source.lines().take(body(source)).collect();
        let is_ours = ours.iter().any(|folder| path.starts_with(folder)) && !is_test_module(path);
        let is_there = path.starts_with("chunkstore/src/platform/");
        is_ours && !is_there && lines.join("\n").contains("Command::new(")
    });
    none(
        "use chunkstore/src/platform/child.rs",
        started.map(|(path, _)| path).collect(),
    );
}

/// Every question to the operating system is asked in a room of its own, so that another system needs a file there and
/// no change elsewhere (docs/decisions/0032-platform-rooms.md). Test modules may ask themselves.
#[test]
fn the_system_is_asked_in_its_rooms() {
    const ROOMS: [&str; 6] = [
        "chunkstore/src/platform/",
        "chunkstore/src/remote/local.rs",
        "chunkstore/src/remote/local/",
        "engine/src/platform/",
        "engine/src/fsmeta/",
        "engine/src/mount/",
    ];
    // Signals are the command line's own: nothing below it knows of them.
    const SIGNALS: &str = "cli/src/signals.rs";
    const WORDS: [&str; 14] = [
        "std::os::",
        "rustix",
        "libc::",
        "nix::",
        "uzers",
        "linux_keyutils",
        "raw_os_error",
        "process_group",
        "cfg(unix",
        "cfg(not(unix",
        "cfg(windows",
        "cfg!(unix",
        "cfg!(windows",
        "target_os",
    ];
    let asks = |path: &str, text: &str| {
        let code = text.lines().take(body(text));
        let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        let word = WORDS.into_iter().find(|word| code.contains(word));
        word.or((path != SIGNALS && code.contains("signal_hook")).then_some("signal_hook"))
    };
    let crates = [
        "chunkstore/src/",
        "engine/src/",
        "service/src/",
        "console/src/",
        "cli/src/",
    ];
    let sources = files("rs");
    let ours = sources.iter().filter(|(path, _)| {
        let is_in = |folders: &[&str]| folders.iter().any(|folder| path.starts_with(folder));
        is_in(&crates) && !is_in(&ROOMS) && !is_test_module(path)
    });
    let found = ours.filter_map(|(path, text)| Some(format!("{path}: {}", asks(path, text)?)));
    none("put it into a platform room", found.collect());
    let rooms = sources
        .iter()
        .filter(|(path, text)| ROOMS.iter().any(|room| path.starts_with(room)) && asks(path, text).is_some());
    assert!(rooms.count() > 10, "these words are found where they may be");
}

#[test]
fn these_tests_find_what_they_look_for() {
    let source = "#[error(\"no way\")]\nErr(wrong(\"it is gone\"))\nopen(\"config\")\nimpl Display for X {\n  \"a b c\"\n}\n";
    let source = source.replace("a b c", "some words") + "x(\"a-b {x} 12 c\")\n";
    assert_eq!(
        prose::phrases(&source),
        BTreeSet::from(["it is gone".to_string()])
    );
    assert_eq!(invariants("I-3, (I-14) AI-7 I-n"), BTreeSet::from([3, 14]));
    assert_eq!(body("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    let found: Vec<_> = mentions("see `docs/x.md`. engine/src/a.rs::b, cli/src/<x>.rs other/y").collect();
    assert_eq!(found, [("docs/x.md", None), ("engine/src/a.rs", Some("b"))]);
}
