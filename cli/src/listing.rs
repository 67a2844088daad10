//! All generations of a repository, as every command that names some starts from. Those that can't be read are said
//! and decide the exit code; the others can be used.

use crate::args::snapshot::ChoiceArgs;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output;
use crate::render::{json, text};
use engine::SessionId;
use engine::facts::Facts;
use engine::manifest::{Manifest, Snapshot};
use engine::monitor::{Problem, ProblemKind};
use engine::repo::Repo;
use engine::select::{self, Filter, Wanted};
use std::collections::HashMap;

pub struct Listing {
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Of `snapshots`, in their order.
    pub facts: Vec<Facts>,
    places: HashMap<SessionId, usize>,
    /// Manifests that can't be read.
    pub damaged: usize,
}

pub fn read(context: &Context, repo: &Repo) -> Result<Listing, Failure> {
    let (snapshots, damaged) = repo.snapshots()?;
    for (id, error) in &damaged {
        let problem = Problem {
            path: format!("snapshots/{id}").into_bytes(),
            what: ProblemKind::Damage {
                why: error.to_string(),
            },
        };
        output::say(&match context.json() {
            true => json::line(&json::problem(&problem, "list")),
            false => format!("dedup: {}", text::problem(&problem)),
        });
    }
    let facts: Vec<Facts> = snapshots.iter().map(Snapshot::facts).collect();
    let places = facts.iter().enumerate().map(|(place, facts)| (facts.id, place));
    Ok(Listing {
        places: places.collect(),
        facts,
        damaged: damaged.len(),
        snapshots,
    })
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
        match self.damaged {
            0 => Code::Ok,
            _ => Code::Damage,
        }
    }
}

/// One generation that was asked for.
pub struct Chosen {
    pub id: SessionId,
    pub manifest: Manifest,
    /// For people and messages: the beginning of the id.
    pub short: String,
    /// What else is known to be hurt: a manifest that can't be read might have been the one meant by `latest`.
    pub code: Code,
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
    Ok(Chosen {
        id,
        manifest: repo.manifest(id)?,
        short: text::short(&id.to_hex()),
        code: if by_id { Code::Ok } else { all.code() },
    })
}
