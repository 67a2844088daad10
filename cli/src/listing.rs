//! All generations of a repository, as every command that names some starts from. Those that can't be read are said
//! and decide the exit code; the others can be used.

use crate::args::snapshot::{ChoiceArgs, Spec, absolute};
use crate::context::Context;
use crate::exit::{Code, Failure, advice};
use crate::output;
use crate::render::{json, text};
use engine::facts::Facts;
use engine::list;
use engine::manifest::{self, Manifest, Snapshot};
use engine::monitor::{Problem, ProblemKind, Quiet};
use engine::order;
use engine::repo::Repo;
use engine::select::{self, Filter, Wanted};
use engine::{Error, SessionId};
use std::collections::HashMap;

pub struct Listing {
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Of `snapshots`, in their order.
    pub facts: Vec<Facts>,
    places: HashMap<SessionId, usize>,
    /// Manifests that are damaged.
    pub damaged: usize,
    /// Manifests that can't be read: somebody else's, on a bad sector, or of a newer version.
    pub unread: usize,
}

pub fn read(context: &Context, repo: &Repo) -> Result<Listing, Failure> {
    let survey = repo.survey()?;
    if let Some(why) = survey.warning() {
        warn(context, why);
    }
    let snapshots = survey.snapshots;
    let (mut damaged, mut unread) = (0, 0);
    for (id, error) in survey.unreadable {
        let mut problem = manifest::problem(id, &error);
        match &mut problem.what {
            ProblemKind::Unreadable { why } => {
                unread += 1;
                if let Error::Store(error) = &error
                    && let Some(advice) = advice(error)
                {
                    *why = format!("{why}; {advice}");
                }
            }
            _ => damaged += 1,
        }
        say(context, &problem);
    }
    let facts = order::facts(&snapshots, context.now.timestamp());
    tell_future(context, &facts);
    let places = facts.iter().enumerate().map(|(place, facts)| (facts.id, place));
    Ok(Listing {
        places: places.collect(),
        facts,
        damaged,
        unread,
        snapshots,
    })
}

/// Snapshots whose time is still to come are not what `latest` means.
fn tell_future(context: &Context, facts: &[Facts]) {
    let mut future = facts.iter().filter(|facts| facts.is_in_future());
    let Some(first) = future.next() else { return };
    let short = text::short(&first.id.to_hex());
    let others = match future.count() {
        0 => String::new(),
        more => format!(" and {} like it", text::count(more as u64, "snapshot")),
    };
    let why = format!(
        "snapshot {short} says that it was made in the future, at {}{others}: until then it is not 'latest', and no \
         --keep-* rule removes it; 'dedup forget {short}' does",
        text::time(first.time),
    );
    warn(context, why);
}

/// One line of warning about the snapshots as a whole.
pub fn warn(context: &Context, why: String) {
    tell(context, String::new(), ProblemKind::Warning { why });
}

fn tell(context: &Context, object: String, what: ProblemKind) {
    let problem = Problem {
        path: object.into_bytes(),
        what,
    };
    say(context, &problem);
}

fn say(context: &Context, problem: &Problem) {
    output::say(&match context.json() {
        true => json::line(&json::problem(problem, "list")),
        false => format!("dedup: {}", text::problem(problem)),
    });
}

impl Listing {
    pub fn snapshot(&self, id: SessionId) -> Option<&Snapshot> {
        self.snapshots.get(*self.places.get(&id)?)
    }

    /// Those that `texts` name; without any, all that the filter lets through.
    pub fn chosen(&self, texts: &[String], filter: &Filter) -> Result<Vec<&Facts>, Failure> {
        match texts.is_empty() {
            true => Ok(filter.matching(&self.facts)),
            false => Ok(select::choose_all(&self.facts, texts, filter)?),
        }
    }

    /// The code of a command that did what it could.
    pub fn code(&self) -> Code {
        match (self.damaged, self.unread) {
            (0, 0) => Code::Ok,
            (0, _) => Code::Failed,
            _ => Code::Damage,
        }
    }
}

/// One generation that was asked for.
pub struct Chosen {
    pub id: SessionId,
    pub manifest: Manifest,
    /// For people and messages: the beginning of the id, and when it was made.
    pub short: String,
    pub time: String,
    /// What else is known to be hurt: a manifest that can't be read might have been the one meant by `latest`.
    pub code: Code,
    /// It is not what `latest` means.
    pub is_older: bool,
}

impl Chosen {
    /// Says which snapshot was taken for a path that newer ones don't hold.
    pub fn tell_age(&self, context: &Context, spec: &Spec) {
        if self.is_older && !spec.is_named && context.talks() {
            output::say(&format!(
                "dedup: taken from snapshot {} of {}, the newest that holds it",
                self.short, self.time
            ));
        }
    }
}

/// The generation that `snapshot` (`latest`, an id) means among those that `choice` lets pass.
pub fn choose(
    context: &Context,
    repo: &Repo,
    snapshot: &str,
    choice: &ChoiceArgs,
) -> Result<Chosen, Failure> {
    let at = choice.at(&context.now)?;
    let filter = choice.filter.filter()?;
    let all = read(context, repo)?;
    let id = match select::choose(&all.facts, snapshot, &filter, at) {
        Ok(facts) => facts.id,
        // It may be among those that can't be read: then that is the answer.
        Err(e) if all.damaged > 0 => {
            return Err(Failure::new(Code::Damage, Failure::from(e).message));
        }
        Err(e) => return Err(e.into()),
    };
    let by_id = matches!(Wanted::parse(snapshot), Some(Wanted::Id(_)));
    let code = if by_id { Code::Ok } else { all.code() };
    chosen(repo, id, code, false)
}

fn chosen(repo: &Repo, id: SessionId, code: Code, is_older: bool) -> Result<Chosen, Failure> {
    let manifest = repo.manifest(id)?;
    Ok(Chosen {
        id,
        short: text::short(&id.to_hex()),
        time: text::time(manifest.time()),
        manifest,
        code,
        is_older,
    })
}

/// The generation that a command is about: the one that was named, or else the newest that holds all the paths.
pub fn choose_for(
    context: &Context,
    repo: &Repo,
    spec: &Spec,
    choice: &ChoiceArgs,
) -> Result<Chosen, Failure> {
    if spec.is_named || spec.paths.is_empty() {
        return choose(context, repo, &spec.snapshot, choice);
    }
    let paths = spec.paths.iter().map(|path| absolute(path));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let at = choice.at(&context.now)?;
    let all = read(context, repo)?;
    let filter = choice.filter.filter()?;
    let candidates = select::candidates(&all.facts, &filter, at);
    let reader = repo.reader(&Quiet);
    let mut is_anywhere = vec![false; paths.len()];
    for (number, facts) in candidates.iter().enumerate() {
        if !paths.iter().any(|path| facts.may_hold(path)) {
            continue;
        }
        let manifest = repo.manifest(facts.id)?;
        let mut holds_all = true;
        for (path, is_anywhere) in paths.iter().zip(&mut is_anywhere) {
            let holds = facts.may_hold(path) && list::may_hold(&reader, &manifest, path)?;
            *is_anywhere |= holds;
            holds_all &= holds;
        }
        if holds_all {
            return chosen(repo, facts.id, all.code(), number > 0);
        }
    }
    if candidates.is_empty() {
        // That there is none has its own words.
        return choose(context, repo, &spec.snapshot, choice);
    }
    let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    let nowhere = paths
        .iter()
        .zip(&is_anywhere)
        .find(|(_, is_anywhere)| !**is_anywhere);
    Err(Failure::new(
        all.code().max(Code::Failed),
        match nowhere {
            Some((path, _)) => format!(
                "{} is in no snapshot; 'dedup find' searches all of them for a name",
                shown(path)
            ),
            None => "no single snapshot holds all these paths; name fewer at a time".to_string(),
        },
    ))
}
