//! All generations of a repository, as every job that names some starts from. Those that can't be read are reported and
//! decide the status; the others can be used.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Face, Notice};
use crate::failure::Failure;
use crate::paths::{SnapshotSpec, absolute};
use crate::status::Status;
use crate::text;
use engine::facts::SnapshotInfo;
use engine::list;
use engine::manifest::{self, Manifest, Snapshot};
use engine::monitor::Quiet;
use engine::order;
use engine::problem::{ClockWarning, Problem, ProblemKind, Warning};
use engine::repo::{Repo, Survey};
use engine::select::{self, Filter, Wanted};
use engine::{Error, SessionId};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};

pub struct Listing {
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Of `snapshots`, in their order.
    pub facts: Vec<SnapshotInfo>,
    places: HashMap<SessionId, usize>,
    /// Manifests that are damaged.
    pub damaged: usize,
    /// Manifests that can't be read: somebody else's, on a bad sector, or of a newer version.
    pub unread: usize,
}

/// Which snapshots a choice is among: those made by then, and those that the filter lets through.
#[derive(Clone, Debug, Default)]
pub struct Among {
    pub at: Option<Timestamp>,
    pub filter: Filter,
}

/// All generations, each by its manifest: for jobs that go through many of them.
pub fn read(context: &Context, repo: &Repo, face: &dyn Face) -> Result<Listing, Failure> {
    of(repo.survey()?, context, face)
}

/// The same with few requests, for jobs that read few of the manifests: damage to one shows when it is read.
pub fn read_outlines(context: &Context, repo: &Repo, face: &dyn Face) -> Result<Listing, Failure> {
    of(repo.survey_outlines()?, context, face)
}

fn of(survey: Survey, context: &Context, face: &dyn Face) -> Result<Listing, Failure> {
    if let Some(warning) = survey.warning() {
        warn(face, warning);
    }
    let snapshots = survey.snapshots;
    let (mut damaged, mut unread) = (0, 0);
    for (id, error) in survey.unreadable {
        match tell_unreadable(id, &error, face) {
            Status::Damaged => damaged += 1,
            _ => unread += 1,
        }
    }
    let facts = order::facts(&snapshots, context.now.timestamp());
    tell_future(face, &facts);
    Ok(Listing {
        places: places(&facts),
        facts,
        damaged,
        unread,
        snapshots,
    })
}

fn places(facts: &[SnapshotInfo]) -> HashMap<SessionId, usize> {
    let places = facts.iter().enumerate().map(|(place, facts)| (facts.id, place));
    places.collect()
}

/// Says why a manifest can't be read, and returns what that makes of a job that does without it.
fn tell_unreadable(id: SessionId, error: &Error, face: &dyn Face) -> Status {
    let problem = manifest::problem(id, error);
    face.notice(&Notice::Listing(&problem));
    match &problem.what {
        ProblemKind::Unreadable(_) => Status::AccessDenied,
        _ => Status::Damaged,
    }
}

/// Snapshots whose time is still to come are not what `latest` means.
fn tell_future(face: &dyn Face, facts: &[SnapshotInfo]) {
    let mut future = facts.iter().filter(|facts| facts.is_in_future());
    let Some(first) = future.next() else { return };
    let warning = ClockWarning::MadeInFuture {
        snapshot: first.id,
        time: first.time,
        more: future.count() as u64,
    };
    warn(face, Warning::Clock(warning));
}

/// One line of warning about the snapshots as a whole.
pub fn warn(face: &dyn Face, warning: Warning) {
    face.notice(&Notice::Listing(&Problem::general(warning)));
}

impl Listing {
    pub fn snapshot(&self, id: SessionId) -> Option<&Snapshot> {
        self.snapshots.get(*self.places.get(&id)?)
    }

    /// Those that `texts` name; without any, all that the filter lets through.
    pub fn chosen(&self, texts: &[String], filter: &Filter) -> Result<Vec<&SnapshotInfo>, Failure> {
        match texts.is_empty() {
            true => Ok(filter.matching(&self.facts)),
            false => Ok(select::choose_all(&self.facts, texts, filter)?),
        }
    }

    /// Leaves out a snapshot whose manifest turned out to be unreadable.
    fn pass_over(&mut self, id: SessionId, error: &Error, face: &dyn Face) {
        match tell_unreadable(id, error, face) {
            Status::Damaged => self.damaged += 1,
            _ => self.unread += 1,
        }
        self.snapshots.retain(|snapshot| snapshot.id != id);
        self.facts.retain(|facts| facts.id != id);
        self.places = places(&self.facts);
    }

    /// The status of a job that did what it could.
    pub fn status(&self) -> Status {
        match (self.damaged, self.unread) {
            (0, 0) => Status::Completed,
            (0, _) => Status::AccessDenied,
            _ => Status::Damaged,
        }
    }
}

/// One generation that was asked for.
#[derive(Debug)]
pub struct Chosen {
    pub id: SessionId,
    pub manifest: Manifest,
    /// For people and messages: the beginning of the id, and when it was made.
    pub short: String,
    pub time: String,
    /// What else is known to be damaged: a manifest that can't be read might have been the one meant by `latest`.
    pub status: Status,
    /// It is not what `latest` means.
    pub is_older: bool,
    /// Sources of which there are snapshots, too, where nobody said which snapshot is meant.
    pub other_sources: u64,
}

impl Chosen {
    /// Names the snapshot that was taken for a path that newer ones don't hold.
    pub fn tell_age(&self, spec: &SnapshotSpec, face: &dyn Face) {
        if self.is_older && !spec.is_named {
            let (short, time) = (&self.short, &self.time);
            face.notice(&Notice::OlderSnapshot { short, time });
        }
    }

    /// Says that it is not all there is.
    pub fn tell_others(&self, face: &dyn Face) {
        if self.other_sources > 0 {
            let sources = self.other_sources;
            face.notice(&Notice::OtherSources { sources });
        }
    }
}

/// The generation that `snapshot` (`latest`, an id) means.
pub fn choose(
    context: &Context,
    repo: &Repo,
    snapshot: &str,
    among: &Among,
    face: &dyn Face,
) -> Result<Chosen, Failure> {
    choose_of(
        &mut read_outlines(context, repo, face)?,
        repo,
        snapshot,
        among,
        face,
    )
}

/// The same of those that were listed, for who chooses several. One that turns out to be unreadable is left out from then on.
pub fn choose_of(
    all: &mut Listing,
    repo: &Repo,
    snapshot: &str,
    among: &Among,
    face: &dyn Face,
) -> Result<Chosen, Failure> {
    loop {
        let id = match select::choose(&all.facts, snapshot, &among.filter, among.at) {
            Ok(facts) => facts.id,
            // It may be among those that can't be read: then that is the answer.
            Err(e) if all.damaged > 0 => {
                return Err(Failure {
                    status: Status::Damaged,
                    ..Failure::from(e)
                });
            }
            Err(e) => return Err(e.into()),
        };
        let by_id = matches!(Wanted::parse(snapshot), Some(Wanted::Id(_)));
        let status = if by_id { Status::Completed } else { all.status() };
        match repo.manifest(id) {
            // Another one may be meant if this one can't be read.
            Err(e) if !by_id && concerns_manifest(&e) => all.pass_over(id, &e, face),
            manifest => return Ok(chosen(id, manifest?, status, false)),
        }
    }
}

/// Trouble with one manifest, while others can be read.
fn concerns_manifest(error: &Error) -> bool {
    matches!(error, Error::Store(e) if e.concerns_one_object())
}

fn chosen(id: SessionId, manifest: Manifest, status: Status, is_older: bool) -> Chosen {
    Chosen {
        id,
        short: text::short(&id.to_hex()),
        time: text::time(manifest.time()),
        manifest,
        status,
        is_older,
        other_sources: 0,
    }
}

/// The newest of all, and whether it is all there is.
fn newest(
    context: &Context,
    repo: &Repo,
    spec: &SnapshotSpec,
    among: &Among,
    face: &dyn Face,
) -> Result<Chosen, Failure> {
    let mut all = read_outlines(context, repo, face)?;
    let chosen = choose_of(&mut all, repo, &spec.snapshot, among, face)?;
    let other_sources = other_sources(&all.facts, &among.filter, chosen.id);
    Ok(Chosen {
        other_sources,
        ..chosen
    })
}

/// How many other machines' or lists of sources there are snapshots of.
fn other_sources(facts: &[SnapshotInfo], filter: &Filter, chosen: SessionId) -> u64 {
    let chosen = facts.iter().find(|one| one.id == chosen).map(sources_of);
    let all: BTreeSet<_> = filter.matching(facts).into_iter().map(sources_of).collect();
    all.iter().filter(|one| Some(*one) != chosen.as_ref()).count() as u64
}

/// A list of sources may be long, so it is not copied.
fn sources_of(one: &SnapshotInfo) -> (&str, &[Vec<u8>]) {
    (&one.host, &one.paths)
}

/// The generation that a command is about: the one that was named, or else the newest that holds all the paths.
pub fn choose_for(
    context: &Context,
    repo: &Repo,
    spec: &SnapshotSpec,
    among: &Among,
    face: &dyn Face,
) -> Result<Chosen, Failure> {
    if spec.is_named {
        return choose(context, repo, &spec.snapshot, among, face);
    }
    if spec.paths.is_empty() {
        return newest(context, repo, spec, among, face);
    }
    let paths = spec.paths.iter().map(|path| absolute(path));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let mut all = read_outlines(context, repo, face)?;
    let mut status = all.status();
    let candidates = select::candidates(&all.facts, &among.filter, among.at);
    let reader = repo.reader(&Quiet);
    let mut is_anywhere = vec![false; paths.len()];
    for (number, facts) in candidates.iter().enumerate() {
        if !paths.iter().any(|path| facts.may_hold(path)) {
            continue;
        }
        let manifest = match repo.manifest(facts.id) {
            Err(e) if concerns_manifest(&e) => {
                status = status.max(tell_unreadable(facts.id, &e, face));
                continue;
            }
            manifest => manifest?,
        };
        let mut holds_all = true;
        for (path, is_anywhere) in paths.iter().zip(&mut is_anywhere) {
            let holds = facts.may_hold(path) && list::may_hold(&reader, &manifest, path)?;
            *is_anywhere |= holds;
            holds_all &= holds;
        }
        if holds_all {
            return Ok(chosen(facts.id, manifest, status, number > 0));
        }
    }
    if candidates.is_empty() {
        // That there is none has its own words.
        return choose_of(&mut all, repo, &spec.snapshot, among, face);
    }
    let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    let nowhere = paths
        .iter()
        .zip(&is_anywhere)
        .find(|(_, is_anywhere)| !**is_anywhere);
    Err(Failure {
        status: status.max(Status::Failed),
        cause: match nowhere {
            Some((path, _)) => Cause::PathNowhere { path: shown(path) },
            None => Cause::PathsNotTogether,
        },
    })
}
