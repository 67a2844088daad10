//! The job `space`: what paths, sets or snapshots hold alone, so what dropping them frees.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Activity, Face, ProblemCounts, Step};
use crate::failure::Failure;
use crate::listing;
use crate::paths::absolute;
use crate::status::Status;
use engine::SessionId;
use engine::alone::{self, Holdings, PathHoldings};
use engine::facts::SnapshotInfo;
use engine::list::relative;
use engine::manifest::Snapshot;
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub enum Request {
    /// Everything in a directory; without one, in the one that all sources are in.
    Path(Option<PathBuf>),
    Sets,
    Snapshots,
}

/// Something that holds data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holder {
    /// An absolute path, of a directory in any of the snapshots, or of something else in all of them.
    Path {
        path: Vec<u8>,
        is_folder: bool,
    },
    /// What is in a directory beyond what can be told apart.
    Rest,
    /// A set's name; empty for snapshots of none.
    Set(String),
    Snapshot(Box<SnapshotInfo>),
}

#[derive(Debug)]
pub struct Report {
    /// The directory, absolute.
    pub path: Option<Vec<u8>>,
    /// Each with the stored bytes that only it needs, the largest first.
    pub rows: Vec<(Holder, u64)>,
    /// Bytes that several of them need, and nothing else.
    pub together: u64,
    /// What goes if all of them do.
    pub all: u64,
    problems: ProblemCounts,
    listed: Status,
}

impl Report {
    pub fn status(&self) -> Status {
        self.problems.status().max(self.listed)
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let repo = context.open(face)?;
    let listing = listing::read(context, &repo, face)?;
    let snapshots = &listing.snapshots;
    let step = Step::start(face, Activity::Space)?;
    let reader = repo.reader(&step);
    let mut path = None;
    let (mut rows, holdings) = match request {
        Request::Path(given) => {
            let top = match given {
                Some(path) => relative(&absolute(path)?).to_vec(),
                None => alone::top(snapshots),
            };
            let absolute = [b"/", &top[..]].concat();
            let found = alone::by_path(&repo, &reader, snapshots, &top, &step)?;
            if !found.is_found {
                let path = String::from_utf8_lossy(&absolute).into_owned();
                return Err(Cause::PathNowhere { path }.into());
            }
            let holders = holders(&found, &absolute);
            path = Some(absolute.clone());
            (beside(holders, &found.holdings), found.holdings)
        }
        Request::Sets => {
            let (names, groups) = sets(snapshots);
            let holdings = alone::by_group(&repo, &reader, &groups, &step)?;
            let holders = names.into_iter().map(Holder::Set).collect();
            (beside(holders, &holdings), holdings)
        }
        Request::Snapshots => {
            let groups = (0u32..).zip(snapshots).map(|(number, one)| (one.id, number));
            let groups: Vec<(SessionId, u32)> = groups.collect();
            let holdings = alone::by_group(&repo, &reader, &groups, &step)?;
            let facts = listing.facts.iter().cloned().map(Box::new);
            (beside(facts.map(Holder::Snapshot).collect(), &holdings), holdings)
        }
    };
    sort(&mut rows, path.as_deref());
    drop(reader);
    Ok(Report {
        path,
        rows,
        together: holdings.together,
        all: holdings.all(),
        problems: step.finish(),
        listed: listing.status(),
    })
}

/// The largest first. A directory itself is no more than an entry, so it only counts if it holds something.
fn sort(rows: &mut Vec<(Holder, u64)>, directory: Option<&[u8]>) {
    let is_directory =
        |holder: &Holder| matches!(holder, Holder::Path { path, .. } if Some(&path[..]) == directory);
    rows.retain(|(holder, bytes)| *bytes > 0 || !is_directory(holder));
    rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
}

/// What each owner is, by its number.
fn holders(found: &PathHoldings, absolute: &[u8]) -> Vec<Holder> {
    let holder = |(number, name): (u32, &Option<Vec<u8>>)| {
        let Some(name) = name else { return Holder::Rest };
        let path = match (name.is_empty(), absolute) {
            (true, _) => absolute.to_vec(),
            (false, b"/") => [b"/", &name[..]].concat(),
            (false, _) => [absolute, b"/", name].concat(),
        };
        let is_folder = found.folders.contains(&number);
        Holder::Path { path, is_folder }
    };
    (0u32..).zip(&found.names).map(holder).collect()
}

fn beside(holders: Vec<Holder>, holdings: &Holdings) -> Vec<(Holder, u64)> {
    holders.into_iter().zip(holdings.alone.iter().copied()).collect()
}

/// The names of sets, and which each snapshot is of.
fn sets(snapshots: &[Snapshot]) -> (Vec<String>, Vec<(SessionId, u32)>) {
    let mut names: Vec<String> = Vec::new();
    let mut groups = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        let name = snapshot.manifest.set.clone().unwrap_or_default();
        let number = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        groups.push((snapshot.id, number as u32));
    }
    (names, groups)
}
