//! What this machine records about itself at the destinations of its sets after it has run some: the text of its settings
//! whenever it changed, so that another machine can take its place ([`crate::takeover`]), and how its sets are doing, for
//! `status --all-hosts`.
//!
//! Nothing depends on a record, so one that can't be written only leaves a line in the log. Nothing is asked for it: a
//! destination whose password somebody typed is written to while it is open.

use super::SetReport;
use super::status::{self, SetStatus};
use crate::backup::OpenRepository;
use crate::context::Context;
use crate::face::Nobody;
use crate::failure::Failure;
use crate::history::journal::Journal;
use crate::log::LogLevel;
use crate::maintenance;
use crate::redact;
use crate::settings;
use crate::status::Status;
use engine::machines::{self, MachineState, RecordContent, SetRecord};
use engine::repo::Repo;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

/// A longer settings file is not recorded.
const SETTINGS_MAX: u64 = 256 << 10;

/// Destinations that the runs of some sets reached, by name.
#[derive(Default)]
pub(crate) struct Reached(BTreeMap<String, Option<OpenRepository>>);

impl Reached {
    /// Adds the destinations of a set that ran; `names` as its settings have them, the first one first.
    pub fn add(&mut self, names: &[String], done: &SetReport) {
        match (&done.backup, &done.failure) {
            (Some(backup), _) => {
                let away = |name: &String| {
                    let mut replicas = backup.replicas.iter();
                    replicas.any(|one| one.name == *name && one.failure.is_some())
                };
                for name in names.iter().filter(|name| !away(name)) {
                    let known = self.0.entry(name.clone()).or_default();
                    known.get_or_insert_with(|| backup.repository.clone());
                }
            }
            // Trying again what did not answer would take as long as the run did.
            (None, Some(failure))
                if failure.status != Status::Network && failure.status != Status::NotRun =>
            {
                for name in names.iter().take(1) {
                    self.0.entry(name.clone()).or_default();
                }
            }
            (None, _) => {}
        }
    }

    /// Records also what maintenance proved, which may have taken long.
    pub fn record_again(&self, context: &Context, done: &[maintenance::Report]) {
        if !done.is_empty() {
            self.record(context);
        }
    }

    /// Records at each of them what this machine says about itself.
    pub fn record(&self, context: &Context) {
        if self.0.is_empty() {
            return;
        }
        let settings = settings_text(context);
        for (name, open) in &self.0 {
            let recorded = at(context, name, open.as_ref(), settings.as_deref());
            if let Err(failure) = recorded {
                let fields = json!({ "remote": name, "why": failure.message() });
                context.log().add(LogLevel::Info, "machine-not-recorded", fields);
            }
        }
    }
}

fn at(
    context: &Context,
    name: &str,
    open: Option<&OpenRepository>,
    settings: Option<&str>,
) -> Result<(), Failure> {
    let location = context.remote(name)?;
    let opened;
    let repo: &Repo = match open {
        Some(open) if open.url == location.url => &open.repo,
        Some(open) => {
            opened = open.repo.open_replica(&location.url)?;
            &opened
        }
        None => {
            opened = context.open_at(&location, &Nobody)?;
            &opened
        }
    };
    let state = state(context, name)?;
    let mut contents = vec![RecordContent::State(state)];
    contents.extend(settings.map(|text| RecordContent::Settings(text.to_string())));
    machines::keep(
        repo,
        settings::profile(&context.env)?,
        &contents,
        Timestamp::now(),
    )?;
    Ok(())
}

/// The settings file as it is, without values that are secrets. `None` if there is none, or it is no more what was read.
fn settings_text(context: &Context) -> Option<String> {
    let path = context.settings.path.as_ref()?;
    let size = std::fs::metadata(path).ok()?.len();
    let text = std::fs::read_to_string(path)
        .ok()
        .filter(|_| size <= SETTINGS_MAX)?;
    redact::settings(&context.settings, &text)
}

/// How the sets with this destination are doing.
fn state(context: &Context, name: &str) -> Result<MachineState, Failure> {
    let secs = |at: Option<Timestamp>| at.map(Timestamp::as_second);
    let is_there = |set: &&SetStatus<'_>| set.set.destinations.iter().any(|one| one.get_ref().0 == name);
    let sets = status::sets(context)?;
    let sets = sets.iter().filter(is_there).map(|set| SetRecord {
        name: set.name.to_string(),
        last_run: set.last.as_ref().map(|row| row.start.as_second()),
        status: set
            .last
            .as_ref()
            .map(|row| row.status.clone())
            .unwrap_or_default(),
        detail: set.last.as_ref().and_then(|row| row.reason.clone()),
        last_success: secs(set.last_success),
        next_run: secs(set.next_run),
    });
    let proofs = Journal::of(&context.dirs()?).proofs(name);
    Ok(MachineState {
        sets: sets.collect(),
        last_check: secs(proofs.check),
        last_restore: secs(proofs.restore),
        program: format!("dedup {}", env!("CARGO_PKG_VERSION")),
    })
}
