//! `find`: names in all generations.

use crate::args::FindArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use jiff::Timestamp;
use service::catalogue::BrowseCause;
use service::catalogue::report::{browse, snapshots as report};
use service::entry::{Entry, Time};
use service::face::{Activity, Step};
use service::find::{self, FindLimits, FindQuery};
use service::json;
use service::listing::{self, Listing};
use service::manifest::Snapshot;
use service::monitor::{Monitor, Problem, ProblemKind};
use service::path_tags::{self, PathTags};
use service::problem::RestoreProblem;
use service::repo::Repo;
use service::select::Filter;
use service::units::{escape, format_bytes};
use service::versions::{Version, Versions};
use service::{Failure, Status};
use service::{SessionId, when};
use std::collections::BTreeMap;

/// Files that are gathered with their versions before any is shown, so that memory stays bounded.
const FILES_MAX: usize = 1 << 18;

pub fn run(terminal: &Terminal, args: &FindArgs) -> Result<Status, Failure> {
    let mut filter = args.filter.filter()?;
    // What is wrong with a pattern needs no repository.
    query(terminal, args, &args.patterns)?;
    let repo = terminal.open()?;
    let tagged = Tagged::of(terminal, args, &repo, &mut filter)?;
    let patterns = tagged.patterns(args)?;
    let wanted = query(terminal, args, &patterns)?;
    let all = listing::read(&terminal.context, &repo, terminal)?;
    let chosen = all.chosen(&args.snapshot, &filter)?;
    let snapshots = chosen.iter().filter_map(|facts| all.snapshot(facts.id));
    let mut snapshots: Vec<Snapshot> = snapshots.cloned().collect();
    let mut out = Lines::new();
    let mut view = FindView::new(terminal, args);
    if matches!(view, FindView::Files(_)) {
        // Versions are told apart oldest first.
        snapshots.reverse();
    }
    let watcher = Step::start(terminal, Activity::Find)?;
    let reader = repo.reader(&watcher);
    let mut hits = 0u64;
    let mut is_found = vec![false; patterns.len()];
    let found = find::find(
        &repo,
        &reader,
        &snapshots,
        &wanted,
        &mut |snapshot, path, entry| {
            if !tagged.lets_pass(snapshot, path) {
                return out.go_on();
            }
            hits += 1;
            note_found(&wanted, path, &mut is_found);
            let tags = tagged.of_path(snapshot, path);
            match view.add(terminal, args, &mut out, (snapshot, path, entry), &tags) {
                true => out.go_on(),
                false => Err(service::Error::Interrupted),
            }
        },
    );
    drop(reader);
    if let FindView::Files(files) = &view
        && files.len() > FILES_MAX
    {
        let most = FILES_MAX as u64;
        return Err(BrowseCause::TooManyMatches { most }.into());
    }
    if found.is_ok() {
        view.end(terminal, args, &all, &mut out);
    }
    out.end(found)?;
    tell_unmatched(&watcher, &wanted, &is_found);
    let code = watcher.finish().status().max(all.status());
    Ok(match hits {
        0 if code == Status::Incomplete => Status::Failed,
        _ => code,
    })
}

/// Notes which patterns a path matches.
fn note_found(wanted: &FindQuery, path: &[u8], is_found: &mut [bool]) {
    if !is_found.contains(&false) {
        return;
    }
    for number in wanted.matching(path) {
        if let Some(is_found) = is_found.get_mut(number) {
            *is_found = true;
        }
    }
}

fn tell_unmatched(watcher: &Step<'_>, wanted: &FindQuery, is_found: &[bool]) {
    let patterns = wanted.patterns().iter().zip(is_found);
    for (pattern, _) in patterns.filter(|(_, found)| !**found) {
        watcher.problem(&Problem {
            path: Vec::new(),
            what: ProblemKind::Restore(RestoreProblem::NothingFound {
                pattern: pattern.clone(),
            }),
        });
    }
}

fn query(terminal: &Terminal, args: &FindArgs, patterns: &[String]) -> Result<FindQuery, Failure> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let now = &terminal.context.now;
    let time = |at: Timestamp| Time {
        secs: at.as_second(),
        nanos: at.subsec_nanosecond().unsigned_abs(),
    };
    let oldest = given(&args.oldest).map(|t| when::start_of(&t, now));
    let newest = given(&args.newest).map(|t| when::as_of(&t, now));
    let mut wanted = FindQuery::new(patterns, args.ignore_case)?;
    wanted.limits = FindLimits {
        smallest: args.larger_than,
        largest: args.smaller_than,
        oldest: oldest.transpose()?.map(time),
        newest: newest.transpose()?.map(time),
    };
    Ok(wanted)
}

/// The tags of paths, and which of them are asked for.
struct Tagged {
    tags: PathTags,
    /// Empty where tags decide nothing, or are those of snapshots alone.
    wanted: Vec<Vec<String>>,
}

impl Tagged {
    /// Tags are read only where they are shown or asked for. What only snapshots have stays in the filter.
    fn of(terminal: &Terminal, args: &FindArgs, repo: &Repo, filter: &mut Filter) -> Result<Tagged, Failure> {
        let is_shown = terminal.json() || args.long;
        let tags = match is_shown || !filter.tags.is_empty() {
            true => path_tags::read(repo)?,
            false => PathTags::default(),
        };
        let is_of_paths = !tags.paths(&filter.tags).is_empty();
        let wanted = match is_of_paths || args.patterns.is_empty() {
            true => std::mem::take(&mut filter.tags),
            false => Vec::new(),
        };
        Ok(Tagged { tags, wanted })
    }

    /// What was asked for, or else the paths that have the tags themselves.
    fn patterns(&self, args: &FindArgs) -> Result<Vec<String>, Failure> {
        if !args.patterns.is_empty() {
            return Ok(args.patterns.clone());
        }
        let paths = path_tags::list(&self.tags, &self.wanted, &args.filter.host);
        let texts = paths.iter().filter_map(|one| std::str::from_utf8(&one.path).ok());
        let mut patterns: Vec<String> = texts.map(FindQuery::literal).collect();
        patterns.sort();
        patterns.dedup();
        match patterns.is_empty() {
            true => Err(path_tags::nothing_tagged(&self.wanted)),
            false => Ok(patterns),
        }
    }

    /// The snapshot has the tags, or the path, or a directory above it.
    fn lets_pass(&self, snapshot: &Snapshot, path: &[u8]) -> bool {
        if self.wanted.is_empty() {
            return true;
        }
        let facts = snapshot.facts();
        self.wanted.iter().any(|tags| facts.has_tags(tags))
            || self
                .tags
                .has_any(&facts.host, &text::absolute(path), &self.wanted)
    }

    fn of_path(&self, snapshot: &Snapshot, path: &[u8]) -> Vec<&str> {
        path_tags::of_entry(&self.tags, &snapshot.manifest.host, path)
    }
}

/// How matches are shown.
enum FindView {
    Json(Matches),
    /// By snapshot, with the one shown last.
    Snapshots(Option<SessionId>),
    Files(BTreeMap<Vec<u8>, FoundFile>),
}

/// A file with its versions, and its tags as they are shown.
#[derive(Default)]
struct FoundFile {
    versions: Versions,
    tags: String,
}

impl FindView {
    fn new(terminal: &Terminal, args: &FindArgs) -> FindView {
        match (terminal.json(), args.by_snapshot) {
            (true, _) => FindView::Json(Matches::default()),
            (false, true) => FindView::Snapshots(None),
            (false, false) => FindView::Files(BTreeMap::new()),
        }
    }

    /// False where there are too many.
    fn add(
        &mut self,
        terminal: &Terminal,
        args: &FindArgs,
        out: &mut Lines,
        (snapshot, path, entry): (&Snapshot, &[u8], &Entry),
        tags: &[&str],
    ) -> bool {
        match self {
            FindView::Json(matches) => {
                matches.add(snapshot.id, &json::entry_text(path, entry, tags), out);
            }
            FindView::Snapshots(shown) => {
                if shown.replace(snapshot.id) != Some(snapshot.id) {
                    let line = text::snapshot_line(&snapshot.facts());
                    out.line(&report::in_snapshot(terminal.lang, &line));
                }
                let line = match args.long {
                    true => text::long_entry(terminal.lang, path, entry, false),
                    false => escape(&text::absolute(path)),
                };
                out.line(&(line + &text::tags(tags)));
            }
            FindView::Files(files) => {
                let file = match files.get_mut(path) {
                    Some(known) => known,
                    None => files.entry(path.to_vec()).or_default(),
                };
                file.versions.add(snapshot.id, entry);
                file.tags = text::tags(tags);
                return files.len() <= FILES_MAX;
            }
        }
        true
    }

    fn end(self, terminal: &Terminal, args: &FindArgs, all: &Listing, out: &mut Lines) {
        match self {
            FindView::Json(matches) => matches.end(out),
            FindView::Snapshots(_) => {}
            FindView::Files(files) => {
                for (path, file) in files {
                    out.line(&(escape(&text::absolute(&path)) + &file.tags));
                    for version in file.versions.into_vec().iter().rev() {
                        out.line(&version_line(terminal, args, all, version));
                    }
                }
            }
        }
    }
}

/// One version of a file, and which snapshots hold it.
fn version_line(terminal: &Terminal, args: &FindArgs, all: &Listing, version: &Version) -> String {
    let name = |id: Option<SessionId>| match id.and_then(|id| all.snapshot(id)) {
        Some(snapshot) => format!("{} {}", snapshot.short_id(), text::time(snapshot.manifest.time())),
        None => String::new(),
    };
    let holdings = &version.holdings;
    let newest = name(holdings.last().map(|last| last.snapshot));
    let oldest = name(holdings.first().map(|first| first.snapshot));
    let held = browse::held_by(terminal.lang, holdings.len() as u64, &newest, &oldest);
    let look = match args.long {
        true => text::look(&version.entry) + " ",
        false => String::new(),
    };
    let size = format_bytes(version.entry.meta.size);
    let modified = text::file_time(version.entry.meta.mtime);
    format!("    {look}{size:>12}  {modified}  {held}")
}

/// One array with an object for each snapshot that has matches, written as they are found.
#[derive(Default)]
struct Matches {
    begun: bool,
    /// The snapshot whose object is open, and its matches.
    open: Option<(SessionId, u64)>,
}

impl Matches {
    fn add(&mut self, id: SessionId, object: &str, out: &mut Lines) {
        if self.open.is_some_and(|(open, _)| open != id) {
            self.close(out);
        }
        let (_, hits) = self.open.get_or_insert((id, 0));
        *hits += 1;
        out.part(match (*hits, std::mem::replace(&mut self.begun, true)) {
            (1, false) => "[{\"matches\":[",
            (1, true) => ",{\"matches\":[",
            _ => ",",
        });
        out.part(object);
    }

    fn close(&mut self, out: &mut Lines) {
        if let Some((id, hits)) = self.open.take() {
            out.part(&format!("],\"hits\":{hits},\"snapshot\":\"{}\"}}", id.to_hex()));
        }
    }

    fn end(mut self, out: &mut Lines) {
        self.close(out);
        out.line(if self.begun { "]" } else { "[]" });
    }
}
