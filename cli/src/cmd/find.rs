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
use service::problem::RestoreProblem;
use service::units::{escape, format_bytes};
use service::versions::{Version, Versions};
use service::{Failure, Status};
use service::{SessionId, when};
use std::collections::BTreeMap;

/// Files that are gathered with their versions before any is shown, so that memory stays bounded.
const FILES_MAX: usize = 1 << 18;

pub fn run(terminal: &Terminal, args: &FindArgs) -> Result<Status, Failure> {
    let wanted = query(terminal, args)?;
    let filter = args.filter.filter()?;
    let repo = terminal.open()?;
    let all = listing::read(&terminal.context, &repo, terminal)?;
    let chosen = all.chosen(&args.snapshot, &filter)?;
    let snapshots = chosen.iter().filter_map(|facts| all.snapshot(facts.id));
    let mut snapshots: Vec<Snapshot> = snapshots.cloned().collect();
    let mut out = Lines::new();
    let mut view = match (terminal.json(), args.by_snapshot) {
        (true, _) => FindView::Json(Matches::default()),
        (false, true) => FindView::Snapshots(None),
        (false, false) => {
            // Versions are told apart oldest first.
            snapshots.reverse();
            FindView::Files(BTreeMap::new())
        }
    };
    let watcher = Step::start(terminal, Activity::Find)?;
    let reader = repo.reader(&watcher);
    let mut hits = 0u64;
    let mut is_found = vec![false; args.patterns.len()];
    let found = find::find(
        &repo,
        &reader,
        &snapshots,
        &wanted,
        &mut |snapshot, path, entry| {
            hits += 1;
            if is_found.contains(&false) {
                for number in wanted.matching(path) {
                    if let Some(is_found) = is_found.get_mut(number) {
                        *is_found = true;
                    }
                }
            }
            match view.add(terminal, args, &mut out, snapshot, path, entry) {
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

fn query(terminal: &Terminal, args: &FindArgs) -> Result<FindQuery, Failure> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let now = &terminal.context.now;
    let time = |at: Timestamp| Time {
        secs: at.as_second(),
        nanos: at.subsec_nanosecond().unsigned_abs(),
    };
    let oldest = given(&args.oldest).map(|t| when::start_of(&t, now));
    let newest = given(&args.newest).map(|t| when::as_of(&t, now));
    let mut wanted = FindQuery::new(&args.patterns, args.ignore_case)?;
    wanted.limits = FindLimits {
        smallest: args.larger_than,
        largest: args.smaller_than,
        oldest: oldest.transpose()?.map(time),
        newest: newest.transpose()?.map(time),
    };
    Ok(wanted)
}

/// How matches are shown.
enum FindView {
    Json(Matches),
    /// By snapshot, with the one shown last.
    Snapshots(Option<SessionId>),
    Files(BTreeMap<Vec<u8>, Versions>),
}

impl FindView {
    /// False where there are too many.
    fn add(
        &mut self,
        terminal: &Terminal,
        args: &FindArgs,
        out: &mut Lines,
        snapshot: &Snapshot,
        path: &[u8],
        entry: &Entry,
    ) -> bool {
        match self {
            FindView::Json(matches) => matches.add(snapshot.id, path, entry, out),
            FindView::Snapshots(shown) => {
                if shown.replace(snapshot.id) != Some(snapshot.id) {
                    let line = text::snapshot_line(&snapshot.facts());
                    out.line(&report::in_snapshot(terminal.lang, &line));
                }
                out.line(&match args.long {
                    true => text::long_entry(terminal.lang, path, entry, false),
                    false => escape(&text::absolute(path)),
                });
            }
            FindView::Files(files) => {
                if let Some(versions) = files.get_mut(path) {
                    versions.add(snapshot.id, entry);
                } else {
                    let mut versions = Versions::default();
                    versions.add(snapshot.id, entry);
                    files.insert(path.to_vec(), versions);
                }
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
                for (path, versions) in files {
                    out.line(&escape(&text::absolute(&path)));
                    for version in versions.into_vec().iter().rev() {
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
    fn add(&mut self, id: SessionId, path: &[u8], entry: &Entry, out: &mut Lines) {
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
        out.part(&json::entry_text(path, entry));
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
