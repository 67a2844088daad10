//! What a set would save, and what each of its rules leaves out: a look at the sources that opens no file and stops
//! after a time, so that a page can answer while somebody types.

use crate::backup::standard;
use crate::env::Env;
use crate::failure::Failure;
use engine::filter::{DirRules, Filter, FilterOptions};
use engine::platform::paths::to_bytes;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Entries that are looked at between two looks at the clock.
const STRIDE: u64 = 64;
/// Paths that are named of what a rule leaves out.
const EXAMPLES_MAX: usize = 3;
const CACHE_MARK: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// What is looked at.
#[derive(Clone, Debug)]
pub struct WantedFiles {
    pub sources: Vec<String>,
    pub exclude: Vec<String>,
    pub exclude_extensions: Vec<String>,
    pub standard_excludes: bool,
    pub hidden: bool,
}

/// How far the look goes.
#[derive(Clone, Copy, Debug)]
pub struct LookBounds {
    pub time: Duration,
    pub entries: u64,
}

/// What leaves something out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExcludeRule {
    Pattern(String),
    Extensions,
    Hidden,
    Standard,
}

/// What one rule leaves out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    pub rule: ExcludeRule,
    pub files: u64,
    pub bytes: u64,
    pub examples: Vec<PathBuf>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Estimate {
    pub files: u64,
    pub bytes: u64,
    /// Every pattern, in its order, then the other rules that hit anything.
    pub left_out: Vec<LeftOut>,
    /// Sources that are not there.
    pub missing: Vec<String>,
    /// Folders that could not be looked into.
    pub unreadable: u64,
    /// It stopped before the end.
    pub is_partial: bool,
}

/// Looks at the sources.
pub fn run(env: &Env, wanted: &WantedFiles, bounds: LookBounds) -> Result<Estimate, Failure> {
    let mut sources = Vec::new();
    let mut estimate = Estimate::default();
    for text in &wanted.sources {
        let path = env.expand(OsStr::new(text))?;
        match path.symlink_metadata() {
            Ok(_) => sources.push(path),
            Err(_) => estimate.missing.push(text.clone()),
        }
    }
    sources.sort();
    // One that lies in another is seen with it.
    sources.dedup_by(|next, before| next.starts_with(&*before));
    let rules = ExcludeRules::new(wanted, &sources)?;
    estimate.left_out = rules.patterns.iter().map(|(_, text)| of_pattern(text)).collect();
    let mut look = SourceLook {
        rules,
        estimate,
        scratch: Vec::new(),
        seen: 0,
        most: bounds.entries,
        until: Instant::now() + bounds.time,
    };
    for source in sources {
        look.walk(source);
    }
    Ok(look.estimate)
}

fn of_pattern(text: &str) -> LeftOut {
    none_yet(ExcludeRule::Pattern(text.to_string()))
}

fn none_yet(rule: ExcludeRule) -> LeftOut {
    LeftOut {
        rule,
        files: 0,
        bytes: 0,
        examples: Vec::new(),
    }
}

struct ExcludeRules {
    /// All that holds.
    all: Filter,
    /// The user's patterns alone, which say whose doing it is.
    own: Filter,
    /// Those that leave out rather than take back: number and text.
    patterns: Vec<(usize, String)>,
    extensions: Vec<String>,
    hidden: bool,
    standard: bool,
}

impl ExcludeRules {
    fn new(wanted: &WantedFiles, sources: &[PathBuf]) -> Result<ExcludeRules, Failure> {
        let own = Filter::build(FilterOptions {
            excludes: wanted.exclude.clone(),
            ..FilterOptions::default()
        })?;
        let mut options = FilterOptions {
            excludes: wanted.exclude.clone(),
            exclude_extensions: wanted.exclude_extensions.clone(),
            hidden: wanted.hidden,
            ..FilterOptions::default()
        };
        if wanted.standard_excludes {
            standard::add_to(&mut options, sources.iter().map(PathBuf::as_path))?;
        }
        let patterns = own.choosing().map(|(nr, text)| (nr, text.to_string())).collect();
        let plain = |text: &String| text.trim_start_matches('.').to_ascii_lowercase();
        Ok(ExcludeRules {
            all: Filter::build(options)?,
            own,
            patterns,
            extensions: wanted.exclude_extensions.iter().map(plain).collect(),
            hidden: wanted.hidden,
            standard: wanted.standard_excludes,
        })
    }

    fn has_extension(&self, name: &[u8]) -> bool {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let ends = |extension: &String| {
            let stem = name.strip_suffix(extension.as_str()).unwrap_or_default();
            stem.len() > 1 && stem.ends_with('.')
        };
        self.extensions.iter().any(ends)
    }
}

/// A walk over the sources.
struct SourceLook {
    rules: ExcludeRules,
    estimate: Estimate,
    scratch: Vec<usize>,
    seen: u64,
    most: u64,
    until: Instant,
}

impl SourceLook {
    fn is_over(&mut self) -> bool {
        self.seen += 1;
        let is_late = self.seen.is_multiple_of(STRIDE) && Instant::now() >= self.until;
        if is_late || self.seen > self.most {
            self.estimate.is_partial = true;
        }
        self.estimate.is_partial
    }

    /// Everything below one source.
    fn walk(&mut self, source: PathBuf) {
        // With each path, whether it is the source itself, and the rule that leaves out what is above it.
        let mut ahead = vec![(source, true, None)];
        while let Some((path, is_source, above)) = ahead.pop() {
            if self.is_over() {
                return;
            }
            // One that is gone meanwhile.
            let Ok(meta) = path.symlink_metadata() else {
                continue;
            };
            let rule = match (above, is_source) {
                (None, false) => self.left_out_by(&path, meta.is_dir()),
                (above, _) => above,
            };
            self.count(&path, &meta, rule, above.is_none());
            if !meta.is_dir() {
                continue;
            }
            let Ok(entries) = std::fs::read_dir(&path) else {
                self.estimate.unreadable += u64::from(rule.is_none());
                continue;
            };
            let is_cache = rule.is_none() && self.rules.standard && has_cache_mark(&path);
            let names = entries.flatten().map(|entry| entry.path());
            for below in names.collect::<Vec<PathBuf>>() {
                let is_mark = below.file_name() == Some(OsStr::new("CACHEDIR.TAG"));
                let rule = match is_cache && !is_mark {
                    true => Some(self.place(&ExcludeRule::Standard)),
                    false => rule,
                };
                ahead.push((below, false, rule));
            }
        }
    }

    fn count(&mut self, path: &Path, meta: &Metadata, rule: Option<usize>, is_first: bool) {
        let (files, bytes) = match meta.is_file() {
            true => (1, meta.len()),
            false => (u64::from(!meta.is_dir()), 0),
        };
        let Some(one) = rule.and_then(|place| self.estimate.left_out.get_mut(place)) else {
            self.estimate.files += files;
            self.estimate.bytes += bytes;
            return;
        };
        one.files += files;
        one.bytes += bytes;
        if is_first && one.examples.len() < EXAMPLES_MAX {
            one.examples.push(path.to_path_buf());
        }
    }

    /// The rule's place in the list of what is left out.
    fn left_out_by(&mut self, path: &Path, is_dir: bool) -> Option<usize> {
        let bytes = to_bytes(path);
        let bytes = bytes.strip_prefix(b"/").unwrap_or(&bytes);
        let free = DirRules::default();
        if !self.rules.all.leaves_out(&free, bytes, is_dir, &mut self.scratch) {
            return None;
        }
        let name = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if !self.rules.hidden && name.starts_with(b".") {
            return Some(self.place(&ExcludeRule::Hidden));
        }
        if !is_dir && self.rules.has_extension(name) {
            return Some(self.place(&ExcludeRule::Extensions));
        }
        let mut matching = Vec::new();
        self.rules.own.matching(bytes, is_dir, &mut matching);
        let patterns = &self.rules.patterns;
        let own = patterns.iter().rposition(|(nr, _)| matching.contains(nr));
        Some(own.unwrap_or_else(|| self.place(&ExcludeRule::Standard)))
    }

    fn place(&mut self, rule: &ExcludeRule) -> usize {
        let all = &mut self.estimate.left_out;
        let found = all.iter().position(|one| one.rule == *rule);
        found.unwrap_or_else(|| {
            all.push(none_yet(rule.clone()));
            all.len() - 1
        })
    }
}

/// A folder of a program that says itself that it can be made again.
fn has_cache_mark(folder: &Path) -> bool {
    let mut found = Vec::new();
    let file = std::fs::File::open(folder.join("CACHEDIR.TAG"));
    let read = file.and_then(|file| file.take(CACHE_MARK.len() as u64).read_to_end(&mut found));
    read.is_ok() && found == CACHE_MARK
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: LookBounds = LookBounds {
        time: Duration::from_secs(60),
        entries: 1000,
    };

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, size) in [
            ("d/a.txt", 10),
            ("d/b.tmp", 20),
            ("d/.hidden/x", 30),
            ("d/build/deep/o.o", 40),
            ("d/film.ISO", 50),
            ("d/cache/CACHEDIR.TAG", 0),
            ("d/cache/junk", 60),
            ("other", 5),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![b'x'; size]).unwrap();
        }
        std::fs::write(dir.path().join("d/cache/CACHEDIR.TAG"), CACHE_MARK).unwrap();
        dir
    }

    fn wanted(dir: &Path, exclude: &[&str]) -> WantedFiles {
        let text = |below: &str| dir.join(below).to_str().unwrap().to_string();
        WantedFiles {
            sources: vec![text("d"), text("other"), text("d/build"), text("none")],
            exclude: exclude.iter().map(|text| (*text).to_string()).collect(),
            exclude_extensions: Vec::new(),
            standard_excludes: false,
            hidden: true,
        }
    }

    #[test]
    fn what_each_rule_leaves_out() {
        let dir = tree();
        let all = run(&Env::of(&[]), &wanted(dir.path(), &[]), BOUNDS).unwrap();
        assert_eq!((all.files, all.bytes), (8, 10 + 20 + 30 + 40 + 50 + 43 + 60 + 5));
        assert_eq!(all.missing, [dir.path().join("none").to_str().unwrap()]);
        assert!(all.left_out.is_empty() && !all.is_partial);
        let some = WantedFiles {
            exclude_extensions: vec!["iso".into()],
            standard_excludes: true,
            hidden: false,
            ..wanted(dir.path(), &["*.tmp", "build", "!x", "nothing"])
        };
        let some = run(&Env::of(&[]), &some, BOUNDS).unwrap();
        let of = |rule: ExcludeRule| {
            let one = some.left_out.iter().find(|one| one.rule == rule).unwrap();
            (one.files, one.bytes)
        };
        let pattern = |text: &str| ExcludeRule::Pattern(text.to_string());
        assert_eq!(of(pattern("*.tmp")), (1, 20));
        assert_eq!(of(pattern("build")), (1, 40));
        assert_eq!(of(pattern("nothing")), (0, 0));
        assert_eq!(
            (of(ExcludeRule::Hidden), of(ExcludeRule::Extensions)),
            ((1, 30), (1, 50))
        );
        assert_eq!(of(ExcludeRule::Standard), (1, 60));
        assert_eq!((some.files, some.bytes), (3, 10 + 43 + 5));
        let build = some
            .left_out
            .iter()
            .find(|one| one.rule == pattern("build"))
            .unwrap();
        assert_eq!(build.examples, [dir.path().join("d/build")]);
    }

    #[test]
    fn it_stops() {
        let dir = tree();
        let few = LookBounds { entries: 3, ..BOUNDS };
        assert!(
            run(&Env::of(&[]), &wanted(dir.path(), &[]), few)
                .unwrap()
                .is_partial
        );
        let bad = run(&Env::of(&[]), &wanted(dir.path(), &["[a"]), BOUNDS);
        assert!(bad.unwrap_err().message().contains("[a"));
    }
}
