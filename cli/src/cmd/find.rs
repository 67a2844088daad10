//! `find`: names in all generations.

use crate::args::FindArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use jiff::Timestamp;
use service::catalogue::report::snapshots as report;
use service::entry::Entry;
use service::face::{Activity, Step};
use service::json;
use service::list::{self, FindQuery};
use service::listing;
use service::manifest::Snapshot;
use service::monitor::{Monitor, Problem, ProblemKind};
use service::units::escape;
use service::{Failure, Status};
use service::{SessionId, when};

/// Modified between these, if they are given.
struct Modified {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

pub fn run(terminal: &Terminal, args: &FindArgs) -> Result<Status, Failure> {
    let wanted = FindQuery::new(&args.patterns, args.ignore_case)?;
    let filter = args.filter.filter()?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let period = Modified {
        from: given(&args.oldest)
            .map(|t| when::start_of(&t, &terminal.context.now))
            .transpose()?,
        to: given(&args.newest)
            .map(|t| when::as_of(&t, &terminal.context.now))
            .transpose()?,
    };
    let repo = terminal.open()?;
    let all = listing::read(&terminal.context, &repo, terminal)?;
    let chosen = all.chosen(&args.snapshot, &filter)?;
    let snapshots: Vec<Snapshot> = chosen
        .iter()
        .filter_map(|facts| all.snapshot(facts.id).cloned())
        .collect();
    let watcher = Step::start(terminal, Activity::Find)?;
    let reader = repo.reader(&watcher);
    let mut out = Lines::new();
    let mut hits = 0u64;
    let mut is_found = vec![false; args.patterns.len()];
    let mut shown: Option<SessionId> = None;
    let mut matches = Matches::default();
    let found = list::find(
        &repo,
        &reader,
        &snapshots,
        &wanted,
        &mut |snapshot, path, entry| {
            if period.has(entry) {
                hits += 1;
                for number in wanted.matching(path) {
                    if let Some(is_found) = is_found.get_mut(number) {
                        *is_found = true;
                    }
                }
                match terminal.json() {
                    true => matches.add(snapshot.id, path, entry, &mut out),
                    false => {
                        if shown.replace(snapshot.id) != Some(snapshot.id) {
                            let line = text::snapshot_line(&snapshot.facts());
                            out.line(&report::in_snapshot(terminal.lang, &line));
                        }
                        out.line(&match args.long {
                            true => text::long_entry(terminal.lang, path, entry),
                            false => escape(&text::absolute(path)),
                        });
                    }
                }
            }
            out.go_on()
        },
    );
    drop(reader);
    if terminal.json() && found.is_ok() {
        matches.end(&mut out);
    }
    out.end(found)?;
    for (pattern, _) in wanted
        .patterns()
        .iter()
        .zip(&is_found)
        .filter(|(_, found)| !**found)
    {
        watcher.problem(&Problem {
            path: Vec::new(),
            what: ProblemKind::Restore {
                why: format!("nothing in these snapshots matches '{pattern}'"),
            },
        });
    }
    let code = watcher.finish().status().max(all.status());
    Ok(match hits {
        0 if code == Status::Incomplete => Status::Failed,
        _ => code,
    })
}

impl Modified {
    fn has(&self, entry: &Entry) -> bool {
        let time = entry.meta.mtime;
        let key = (time.secs, i64::from(time.nanos));
        let at = |at: &Timestamp| (at.as_second(), i64::from(at.subsec_nanosecond()));
        self.from.as_ref().is_none_or(|from| key >= at(from))
            && self.to.as_ref().is_none_or(|to| key <= at(to))
    }
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
        out.part(&json::entry(path, entry).to_string());
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
