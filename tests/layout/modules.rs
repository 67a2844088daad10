//! Modules that use each other in a circle can only be understood, tested and changed together.

use super::{body, files, is_test_module, none};
use std::collections::{BTreeMap, BTreeSet};

/// Modules that hold what all others of their crate can say. They name the types of everybody, and everybody names
/// theirs.
const WORDS: [(&str, &str); 4] = [
    ("chunkstore", "error"),
    ("engine", "error"),
    ("engine", "problem"),
    ("service", "catalogue"),
];

/// A module's path in its crate; the crate's root is empty.
type Module = Vec<String>;

/// Calls `each` with each path that a `use` tree stands for.
fn expand(tree: &str, each: &mut impl FnMut(String)) {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        return each(tree.split(" as ").next().unwrap_or_default().trim().to_string());
    };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    expand(&format!("{prefix}{}", inner[start..at].trim()), each);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The paths that a module imports, with those that are written out in its code, and the names it passes on.
fn paths(source: &str) -> (Vec<String>, Vec<String>) {
    let code = source.lines().take(body(source));
    let code = code.take_while(|line| !line.starts_with("#[cfg(all(test"));
    let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let (mut used, mut passed_on) = (Vec::new(), Vec::new());
    for statement in code.split(';') {
        let Some((before, tree)) = statement.rsplit_once("use ") else {
            continue;
        };
        let before = before.lines().last().unwrap_or_default().trim();
        if before.is_empty() || before.starts_with("pub") {
            expand(tree, &mut |path| {
                if before.starts_with("pub") {
                    passed_on.push(path.clone());
                }
                used.push(path);
            });
        }
    }
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let is_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let ends = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
            let path = code[at..].split(ends).next().unwrap_or_default();
            if is_start && !path.ends_with("::") {
                used.push(path.to_string());
            }
        }
    }
    (used, passed_on)
}

/// The modules of a crate, and for each those that it uses.
struct Graph {
    modules: BTreeMap<Module, BTreeSet<Module>>,
}

impl Graph {
    fn of(sources: &BTreeMap<Module, String>) -> Graph {
        let mut aliases: BTreeMap<Module, Module> = BTreeMap::new();
        for (module, source) in sources {
            for path in paths(source).1 {
                if let Some(full) = absolute(module, &path, sources) {
                    let name = full.last().cloned().unwrap_or_default();
                    aliases.insert([&module[..], &[name]].concat(), full);
                }
            }
        }
        let modules = sources.iter().map(|(module, source)| {
            let used = paths(source).0;
            let used = used.iter().filter_map(|path| absolute(module, path, sources));
            let used = used.map(|path| owner(path, &aliases, sources));
            (module.clone(), used.filter(|used| used != module).collect())
        });
        Graph {
            modules: modules.collect(),
        }
    }

    /// Which children of `parent` use which others, where `is_counted`. What is below a child counts as the child.
    fn uses(&self, parent: &[String], is_counted: impl Fn(&str, &str) -> bool) -> Uses {
        let child = |module: &Module| {
            let child = module.strip_prefix(parent)?.first()?.clone();
            Some([parent, &[child]].concat().join("::"))
        };
        let mut uses = Uses::new();
        for (from, used) in &self.modules {
            let Some(from) = child(from) else { continue };
            let used = used.iter().filter_map(child);
            let used = used.filter(|to| *to != from && is_counted(&from, to));
            let used: Vec<String> = used.collect();
            uses.entry(from).or_default().extend(used);
        }
        uses
    }
}

type Uses = BTreeMap<String, BTreeSet<String>>;

/// Uses by which modules can be reached from themselves.
fn circular(uses: &Uses) -> Vec<(&str, &str)> {
    let reach = |start: &str| {
        let (mut found, mut next) = (BTreeSet::new(), vec![start.to_string()]);
        while let Some(at) = next.pop() {
            for to in uses.get(&at).into_iter().flatten() {
                if found.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        found
    };
    let reached: BTreeMap<&str, BTreeSet<String>> = uses.keys().map(|at| (at.as_str(), reach(at))).collect();
    let leads_back = |from: &str, to: &str| {
        reached
            .get(to)
            .is_some_and(|from_there| from_there.contains(from))
    };
    let all = uses
        .iter()
        .flat_map(|(from, used)| used.iter().map(move |to| (from.as_str(), to.as_str())));
    all.filter(|(from, to)| leads_back(from, to)).collect()
}

/// A path from the crate's root; `None` where it leads to another crate.
fn absolute(module: &[String], path: &str, sources: &BTreeMap<Module, String>) -> Option<Module> {
    let mut parts = path.split("::").map(|part| part.trim().to_string()).peekable();
    let mut base = match parts.peek().map(String::as_str) {
        Some("crate") => Vec::new(),
        Some("self" | "super") => module.to_vec(),
        Some(first) => {
            let child = [module, &[first.to_string()]].concat();
            sources.contains_key(&child).then(|| module.to_vec())?
        }
        None => return None,
    };
    for part in parts {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => drop(base.pop()),
            _ => base.push(part),
        }
    }
    Some(base)
}

/// The module that a path leads into, through what modules pass on.
fn owner(mut path: Module, aliases: &BTreeMap<Module, Module>, sources: &BTreeMap<Module, String>) -> Module {
    for _ in 0..8 {
        let passed_on = (1..=path.len()).find_map(|len| Some((len, aliases.get(&path[..len])?)));
        match passed_on {
            Some((len, to)) if *to != path[..len] => path = [&to[..], &path[len..]].concat(),
            _ => break,
        }
    }
    while !path.is_empty() && !sources.contains_key(&path) {
        path.pop();
    }
    path
}

/// The modules of a crate by their paths.
fn modules(krate: &str) -> BTreeMap<Module, String> {
    let prefix = format!("{krate}/src/");
    let ours = files("rs").into_iter().filter(|(path, _)| !is_test_module(path));
    let ours = ours.filter_map(|(path, source)| {
        let path = path.strip_prefix(&prefix)?.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        let path = if path == "lib" { "" } else { path };
        let parts = path.split('/').filter(|part| !part.is_empty());
        (path != "main").then(|| (parts.map(String::from).collect(), source))
    });
    ours.collect()
}

/// Modules beside each other use each other in one direction. A module and those below it may use each other.
#[test]
fn modules_use_each_other_in_one_direction() {
    let mut found = Vec::new();
    for krate in ["chunkstore", "engine", "service", "console", "cli"] {
        let sources = modules(krate);
        assert!(sources.len() > 20, "{krate}");
        let graph = Graph::of(&sources);
        let has_words = |from: &str| WORDS.contains(&(krate, from));
        for parent in sources.keys() {
            let uses = graph.uses(parent, |from, _| !has_words(from));
            let circular = circular(&uses);
            found.extend(
                circular
                    .iter()
                    .map(|(from, to)| format!("{krate}: {from} -> {to}")),
            );
        }
    }
    none(
        "these modules use each other in a circle: turn a use round",
        found,
    );
}

#[test]
fn circles_are_found() {
    let source = |text: &str| text.to_string();
    let path = |text: &str| -> Module {
        text.split("::")
            .filter(|p| !p.is_empty())
            .map(String::from)
            .collect()
    };
    let sources = BTreeMap::from([
        (path(""), source("pub use a::{One, deep::Two};\n")),
        (path("a"), source("use crate::{b::Three, c};\n")),
        (path("a::deep"), source("fn f() { super::super::b::g() }\n")),
        (path("b"), source("use crate::Two;\n")),
        (
            path("c"),
            source("// use crate::a::One;\nuse std::io;\n#[cfg(test)]\nmod tests {\nuse crate::a;\n}\n"),
        ),
    ]);
    let graph = Graph::of(&sources);
    assert_eq!(circular(&graph.uses(&[], |_, _| true)), [("a", "b"), ("b", "a")]);
    assert!(circular(&graph.uses(&[], |from, _| from != "b")).is_empty());
    assert!(circular(&graph.uses(&path("a"), |_, _| true)).is_empty());
}
