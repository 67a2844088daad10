//! All generations of a repository, as every command that names some starts from. Those that can't be read are said
//! and decide the exit code; the others can be used.

use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output;
use crate::render::{json, text};
use engine::SessionId;
use engine::facts::Facts;
use engine::manifest::Snapshot;
use engine::monitor::{Problem, ProblemKind};
use engine::repo::Repo;
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
            true => json::problem(&problem, "list").to_string(),
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

    /// The code of a command that did what it could.
    pub fn code(&self) -> Code {
        match self.damaged {
            0 => Code::Ok,
            _ => Code::Damage,
        }
    }
}
