//! What a backup leaves out. `walk` asks by name before it examines an entry, so that what is excluded costs no
//! system call, and by metadata afterwards; excluded directories are not entered.
//!
//! Paths are bytes relative to `/` as in [`DirPath`](crate::entry::DirPath), whatever their encoding.

mod pattern;
mod rules;
#[cfg(test)]
mod tests;

pub use rules::{ExcludeRule, Exclusion, RuleHits};

use crate::entry::{Kind, Meta};
use crate::error::{Error, Result, Usage};
use crate::fsmeta::{BorrowedFd, Names, has_xattr, open_source};
use crate::platform::paths::{from_bytes, from_root, name_bytes};
use chunkstore::error::Operation;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use pattern::{Pattern, Patterns};
use rules::Rules;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest file of patterns that is read, bytes. Beyond it an exclude file is an error and an ignore file in the tree
/// is not applied, which leaves out less.
const PATTERN_FILE_MAX: u64 = 16 << 20;

const CACHEDIR_TAG: (&str, &[u8]) = ("CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55");

/// The user's options. The default leaves out nothing.
#[derive(Clone, Debug)]
pub struct FilterOptions {
    /// Globs: `*` and `?` stay within a component, `**` does not. A pattern that begins with `/` is anchored there,
    /// others match from any component on; one that ends in `/` matches directories only. `!` takes back: the last
    /// pattern that matches an entry decides.
    pub excludes: Vec<String>,
    /// As `excludes`, ASCII letters in either case. They come after `excludes` and the exclude files.
    pub iexcludes: Vec<String>,
    /// Files of patterns, one per line; blank lines and those that begin with `#` are ignored.
    pub exclude_files: Vec<PathBuf>,
    pub iexclude_files: Vec<PathBuf>,
    /// Of a directory with a valid CACHEDIR.TAG, store only itself and the tag.
    pub exclude_caches: bool,
    /// `NAME` or `NAME:HEADER`: of a directory that holds a file NAME (which begins with HEADER), store only itself
    /// and that file.
    pub exclude_if_present: Vec<String>,
    /// Regular files of more bytes than this are left out.
    pub exclude_larger_than: Option<u64>,
    /// Do not enter directories on another file system than the source's; they are stored empty.
    pub one_file_system: bool,
    /// Anything but directories with these extensions, with or without the dot, ASCII letters in either case.
    pub exclude_extensions: Vec<String>,
    /// Store names that begin with a dot.
    pub hidden: bool,
    /// Names of files in the tree (`.gitignore`) whose lines exclude beneath their directory, by gitignore's rules.
    pub ignore_files: Vec<String>,
    /// `NAME` or `NAME=VALUE`: what has an extended attribute NAME (with this value) is left out.
    pub exclude_if_xattr: Vec<String>,
}

impl Default for FilterOptions {
    fn default() -> Self {
        FilterOptions {
            excludes: Vec::new(),
            iexcludes: Vec::new(),
            exclude_files: Vec::new(),
            iexclude_files: Vec::new(),
            exclude_caches: false,
            exclude_if_present: Vec::new(),
            exclude_larger_than: None,
            one_file_system: false,
            exclude_extensions: Vec::new(),
            hidden: true,
            ignore_files: Vec::new(),
            exclude_if_xattr: Vec::new(),
        }
    }
}

/// A pattern as [`FilterOptions`] takes it, of any bytes.
pub fn pattern_text(bytes: &[u8]) -> Cow<'_, str> {
    pattern::text_of(bytes)
}

/// [`FilterOptions`], ready to match.
pub struct Filter {
    patterns: Patterns,
    /// Lower case, without the dot.
    extensions: Vec<Vec<u8>>,
    tags: Vec<Tag>,
    larger_than: Option<u64>,
    one_file_system: bool,
    hidden: bool,
    ignore_files: Vec<Vec<u8>>,
    xattrs: Vec<XattrRule>,
    rules: Rules,
    /// Numbers of the first rule of each kind; those of patterns begin at 0.
    first: FirstRules,
}

struct FirstRules {
    tag: usize,
    extension: usize,
    larger_than: usize,
    hidden: usize,
    ignore_file: usize,
    xattr: usize,
}

/// An extended attribute, with this value if there is one.
struct XattrRule {
    name: Vec<u8>,
    value: Option<Vec<u8>>,
}

struct Tag {
    name: Vec<u8>,
    header: Vec<u8>,
}

/// Rules that hold in one directory because of files in it or above it.
#[derive(Clone, Default)]
pub struct DirRules {
    ignores: Option<Arc<IgnoreFile>>,
    /// The directory is tagged: nothing but this name is stored. With the tag's number.
    only: Option<(Vec<u8>, usize)>,
}

/// The ignore files of one directory, and those above it.
struct IgnoreFile {
    rules: Gitignore,
    above: Option<Arc<IgnoreFile>>,
}

impl Filter {
    /// Fails on a malformed pattern and on an exclude file that can't be read.
    pub fn build(options: FilterOptions) -> Result<Filter> {
        let mut patterns = Vec::new();
        add_patterns(&mut patterns, &options.excludes, &options.exclude_files, false)?;
        add_patterns(&mut patterns, &options.iexcludes, &options.iexclude_files, true)?;
        let mut tags = Vec::new();
        if options.exclude_caches {
            tags.push(Tag {
                name: CACHEDIR_TAG.0.into(),
                header: CACHEDIR_TAG.1.into(),
            });
        }
        for spec in &options.exclude_if_present {
            let (name, header) = spec.split_once(':').unwrap_or((spec, ""));
            tags.push(Tag {
                name: file_name(name)?,
                header: header.into(),
            });
        }
        let ignore_files = options.ignore_files.iter().map(|name| file_name(name));
        let xattrs = options.exclude_if_xattr.iter().map(|spec| XattrRule::parse(spec));
        let extensions = options.exclude_extensions.iter();
        let extensions = extensions.map(|e| e.trim_start_matches('.').to_ascii_lowercase());
        let extensions: Vec<String> = extensions.filter(|e| !e.is_empty()).collect();
        let mut rules = Rules::default();
        rules.add("exclude", patterns.iter().map(Pattern::text));
        let first = FirstRules {
            tag: rules.add("exclude-caches", options.exclude_caches.then_some(CACHEDIR_TAG.0)),
            extension: {
                rules.add("exclude-if-present", &options.exclude_if_present);
                rules.add("exclude-extension", &extensions)
            },
            larger_than: rules.add("exclude-larger-than", options.exclude_larger_than),
            hidden: rules.add("no-hidden", (!options.hidden).then_some("")),
            ignore_file: rules.add("ignore-file", &options.ignore_files),
            xattr: rules.add("exclude-if-xattr", &options.exclude_if_xattr),
        };
        Ok(Filter {
            patterns: Patterns::build(patterns)?,
            extensions: extensions.into_iter().map(String::into_bytes).collect(),
            tags,
            larger_than: options.exclude_larger_than,
            one_file_system: options.one_file_system,
            hidden: options.hidden,
            ignore_files: ignore_files.collect::<Result<_>>()?,
            xattrs: xattrs.collect::<Result<_>>()?,
            rules,
            first,
        })
    }

    /// The rule that left something out.
    pub fn rule(&self, exclusion: &Exclusion) -> Option<&ExcludeRule> {
        self.rules.get(exclusion)
    }

    /// Counts something that was left out for the rule.
    pub fn count(&self, exclusion: &Exclusion) {
        self.rules.count(exclusion);
    }

    /// The rules that left something out.
    pub fn hits(&self) -> Vec<RuleHits> {
        self.rules.hits()
    }

    pub fn one_file_system(&self) -> bool {
        self.one_file_system
    }

    /// No rule looks at names: [`Filter::leaves_out`] need not be asked in a directory with default rules.
    pub fn keeps_all_names(&self) -> bool {
        self.patterns.is_empty() && self.extensions.is_empty() && self.hidden
    }

    /// Whether the entry at `path`, `name` its last component, is left out. `rules` are its directory's; `scratch`
    /// saves allocations between calls.
    pub fn leaves_out(&self, rules: &DirRules, path: &[u8], is_dir: bool, scratch: &mut Vec<usize>) -> bool {
        self.excluding(rules, path, is_dir, scratch).is_some()
    }

    /// The same, and what leaves it out.
    pub fn excluding(
        &self,
        rules: &DirRules,
        path: &[u8],
        is_dir: bool,
        scratch: &mut Vec<usize>,
    ) -> Option<Exclusion> {
        let name = path.rsplit(|&b| b == b'/').next().unwrap_or(path);
        if let Some((only, tag)) = &rules.only
            && only != name
        {
            return Some(Exclusion::by(self.first.tag + tag));
        }
        if !self.hidden && name.starts_with(b".") {
            return Some(Exclusion::by(self.first.hidden));
        }
        if !is_dir && let Some(extension) = self.extension_of(name) {
            return Some(Exclusion::by(self.first.extension + extension));
        }
        match self.patterns.excluding(path, is_dir, scratch) {
            Some(pattern) => Some(Exclusion::by(pattern)),
            None => self.ignored(rules.ignores.as_deref(), path, is_dir),
        }
    }

    /// The innermost file with a matching rule decides.
    fn ignored(&self, mut file: Option<&IgnoreFile>, path: &[u8], is_dir: bool) -> Option<Exclusion> {
        file?;
        let path = from_root(path);
        while let Some(at) = file {
            match at.rules.matched(&path, is_dir) {
                Match::Ignore(line) => {
                    let from = line.from().unwrap_or(Path::new(""));
                    let name = from.file_name().map(name_bytes);
                    let number = self
                        .ignore_files
                        .iter()
                        .position(|known| name == Some(known.as_slice()));
                    let rule = self.first.ignore_file + number.unwrap_or(0);
                    return Some(Exclusion::in_file(rule, from, line.original()));
                }
                Match::Whitelist(_) => return None,
                Match::None => file = at.above.as_deref(),
            }
        }
        None
    }

    /// The patterns that choose something rather than take it back, by number.
    pub fn choosing(&self) -> impl Iterator<Item = (usize, &str)> {
        self.patterns.choosing()
    }

    /// Replaces `matching` by the numbers of the patterns that match the entry at `path`.
    pub fn matching(&self, path: &[u8], is_dir: bool, matching: &mut Vec<usize>) {
        self.patterns.matching(path, is_dir, matching);
    }

    /// Whether the patterns name this source itself. Other rules are not for what the user asked for by name, and
    /// a pattern that matches a directory above a source does not apply to the source.
    pub fn leaves_out_source(&self, path: &[u8], is_dir: bool) -> bool {
        self.excluding_source(path, is_dir).is_some()
    }

    /// The same, and which of them.
    pub fn excluding_source(&self, path: &[u8], is_dir: bool) -> Option<Exclusion> {
        let pattern = self.patterns.excluding(path, is_dir, &mut Vec::new());
        pattern.map(Exclusion::by)
    }

    fn too_large(&self, kind: &Kind, meta: &Meta) -> bool {
        *kind == Kind::File && self.larger_than.is_some_and(|limit| meta.size > limit)
    }

    /// What excludes the entry `name` of `dir` by its metadata.
    pub fn excluding_by_meta(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        kind: &Kind,
        meta: &Meta,
    ) -> Option<Exclusion> {
        if self.too_large(kind, meta) {
            return Some(Exclusion::by(self.first.larger_than));
        }
        // One that can't be read has no effect: more is stored, and storing the entry reports it.
        let has = |rule: &XattrRule| has_xattr(dir, name, &rule.name, rule.value.as_deref());
        let xattr = self.xattrs.iter().position(has);
        xattr.map(|number| Exclusion::by(self.first.xattr + number))
    }

    /// Rules in the directory at `path`, which lists `names` (sorted), below one with rules `above`.
    ///
    /// A tag or ignore file that can't be read has no effect: more is stored, and storing that file reports it.
    pub fn enter(&self, above: &DirRules, dir: BorrowedFd<'_>, path: &[u8], names: &Names) -> DirRules {
        let mut tags = self.tags.iter().enumerate();
        let only = tags.find(|(_, tag)| tag.is_in(dir, names));
        let mut ignores = above.ignores.clone();
        let mut present = self
            .ignore_files
            .iter()
            .filter(|name| names.contains(name))
            .peekable();
        if present.peek().is_some() {
            let root = from_root(path);
            let mut builder = GitignoreBuilder::new(&root);
            for name in present {
                let from = root.join(&*from_bytes(name));
                add_ignore_file(&mut builder, dir, name, &from);
            }
            if let Ok(rules) = builder.build()
                && !rules.is_empty()
            {
                let above = ignores.take();
                ignores = Some(Arc::new(IgnoreFile { rules, above }));
            }
        }
        DirRules {
            ignores,
            only: only.map(|(number, tag)| (tag.name.clone(), number)),
        }
    }

    /// The number of the extension that it has.
    fn extension_of(&self, name: &[u8]) -> Option<usize> {
        self.extensions.iter().position(|extension| {
            let Some(stem) = name.len().checked_sub(extension.len() + 1) else {
                return false;
            };
            // A name that is nothing but an extension (`.iso`) is a hidden file's name.
            let (stem, end) = name.split_at(stem);
            !stem.is_empty()
                && end.starts_with(b".")
                && end.get(1..).is_some_and(|e| e.eq_ignore_ascii_case(extension))
        })
    }
}

impl DirRules {
    /// Nothing in or above the directory excludes anything.
    pub fn is_empty(&self) -> bool {
        self.ignores.is_none() && self.only.is_none()
    }

    /// The rules that directories below start from.
    pub fn inherited(&self) -> DirRules {
        DirRules {
            ignores: self.ignores.clone(),
            only: None,
        }
    }
}

impl Tag {
    fn is_in(&self, dir: BorrowedFd<'_>, names: &Names) -> bool {
        names.contains(&self.name) && (self.header.is_empty() || self.header_matches(dir).unwrap_or(false))
    }

    fn header_matches(&self, dir: BorrowedFd<'_>) -> io::Result<bool> {
        let file = open_source(dir, &self.name)?;
        if !file.metadata()?.is_file() {
            return Ok(false);
        }
        let mut found = Vec::new();
        file.take(self.header.len() as u64).read_to_end(&mut found)?;
        Ok(found == self.header)
    }
}

impl XattrRule {
    fn parse(spec: &str) -> Result<XattrRule> {
        let (name, value) = match spec.split_once('=') {
            Some((name, value)) => (name, Some(value.as_bytes().to_vec())),
            None => (spec, None),
        };
        match name.is_empty() || name.contains('\0') {
            true => Err(Error::Usage(Usage::NotAnAttribute {
                text: spec.to_string(),
            })),
            false => Ok(XattrRule {
                name: name.into(),
                value,
            }),
        }
    }
}

fn add_ignore_file(builder: &mut GitignoreBuilder, dir: BorrowedFd<'_>, name: &[u8], from: &Path) {
    let read = || -> io::Result<Vec<u8>> {
        let file = open_source(dir, name)?;
        if !file.metadata()?.is_file() {
            return Ok(Vec::new());
        }
        read_patterns(file)
    };
    for line in read().unwrap_or_default().split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // As git does, go on after a line that is no valid pattern.
        let _ = builder.add_line(Some(from.to_path_buf()), &String::from_utf8_lossy(line));
    }
}

fn read_patterns(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(PATTERN_FILE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > PATTERN_FILE_MAX {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    let start = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    Ok(text.split_off(start))
}

fn add_patterns(to: &mut Vec<Pattern>, given: &[String], files: &[PathBuf], either_case: bool) -> Result<()> {
    for text in given {
        to.push(Pattern::parse(text, either_case)?);
    }
    for path in files {
        let failed = |e: io::Error| Error::io(Operation::ReadExcludeFile, path, e);
        let bytes = File::open(path).and_then(read_patterns).map_err(failed)?;
        for line in pattern_text(&bytes).lines().map(str::trim) {
            if !line.is_empty() && !line.starts_with('#') {
                to.push(Pattern::parse(line, either_case)?);
            }
        }
    }
    Ok(())
}

fn file_name(name: &str) -> Result<Vec<u8>> {
    match crate::fsmeta::check_name(name.as_bytes()) {
        Ok(()) => Ok(name.into()),
        Err(_) => Err(Error::Usage(Usage::NotAFileName {
            name: name.to_string(),
        })),
    }
}
