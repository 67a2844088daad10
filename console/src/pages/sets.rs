//! Sets as the settings have them, and when each runs next.

use super::Moment;
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::runs::hooks::Hook;
use service::runs::status;
use service::settings::tables::SetTable;
use service::{Context, Failure};

/// Runs that are told ahead.
const RUNS: usize = 10;

#[derive(Template)]
#[template(path = "sets.html")]
struct SetsPage {
    f: Frame,
    sets: Vec<SetFacts>,
    settings: String,
}

struct SetFacts {
    name: String,
    sources: Vec<String>,
    excludes: Vec<String>,
    is_without_hidden: bool,
    schedule: String,
    written: String,
    next: Vec<Moment>,
    destinations: Vec<String>,
    tags: Vec<String>,
    priority: i32,
    /// Keys and commands.
    hooks: Vec<(&'static str, String)>,
    is_running: bool,
}

pub async fn list(visit: Visit) -> Response {
    answer(visit, sets).await
}

fn sets(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let now = &context.now;
    let sets = status::sets(context)?;
    let facts = sets.iter().map(|one| SetFacts {
        name: one.name.to_string(),
        sources: one.set.sources.iter().map(ToString::to_string).collect(),
        excludes: excludes(one.set),
        is_without_hidden: one.set.hidden == Some(false),
        schedule: texts::schedule(lang, &one.schedule),
        written: one.schedule.to_string(),
        next: status::next_slots(&one.schedule, now, RUNS)
            .iter()
            .map(|slot| Moment::day(lang, slot.timestamp(), now))
            .collect(),
        destinations: one
            .set
            .destinations
            .iter()
            .map(|name| name.get_ref().0.clone())
            .collect(),
        tags: one.set.tags.clone(),
        priority: one.set.priority,
        hooks: hooks(one.set),
        is_running: one.running.is_some(),
    });
    reply::page(&SetsPage {
        f: visit.frame_in(Some(context), lang, "sets", Labels(lang).sets()),
        sets: facts.collect(),
        settings: match &context.settings.path {
            Some(path) => path.display().to_string(),
            None => "~/.config/dedup/dedup.toml".to_string(),
        },
    })
}

fn excludes(set: &SetTable) -> Vec<String> {
    let extensions = set
        .exclude_extensions
        .iter()
        .map(|extension| format!("*.{extension}"));
    set.exclude.iter().cloned().chain(extensions).collect()
}

fn hooks(set: &SetTable) -> Vec<(&'static str, String)> {
    let all = [
        (Hook::Before, &set.run_before),
        (Hook::After, &set.run_after),
        (Hook::Failed, &set.run_failed),
        (Hook::Finally, &set.run_finally),
    ];
    let given = all
        .into_iter()
        .filter_map(|(hook, command)| Some((hook.key(), command.clone()?)));
    given.collect()
}
