//! A set: the form to add and change one, what it answers while somebody types, and its removal.

pub mod answers;
mod form;
mod retention;
mod tree;

use crate::browse::bad;
use crate::pages::shown;
use crate::reply::{self, answer, see_other};
use crate::visit::{Frame, Visit};
use answers::{DiffLine, diff_lines};
use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use form::{TypedSet, Wrong, wrong};
use service::catalogue::report::console::Labels;
use service::catalogue::report::sets as report;
use service::catalogue::{Lang, SetCause};
use service::face::Nobody;
use service::settings::form::SetForm;
use service::{Context, Failure, Status, sets};
use std::path::{Path, PathBuf};
use tree::{FolderView, toggle};

/// Rows for tiers that are always there.
const TIERS_LEAST: usize = 4;

#[derive(Template)]
#[template(path = "set_form.html")]
struct SetFormPage {
    f: Frame,
    typed: TypedSet,
    tiers: Vec<(String, String)>,
    destinations: Vec<DestinationChoice>,
    folders: Vec<FolderView>,
    wrong: Vec<Wrong>,
    /// The fields that an answer of the tree changes elsewhere on the page.
    is_part: bool,
    settings: String,
}

#[derive(Template)]
#[template(path = "set_sources.html")]
struct SourcesPart {
    f: Frame,
    typed: TypedSet,
    folders: Vec<FolderView>,
    wrong: Vec<Wrong>,
    is_part: bool,
}

struct DestinationChoice {
    name: String,
    is_chosen: bool,
}

/// What is wrong at a field; empty if nothing is.
fn at_field(wrong: &[Wrong], field: &str) -> String {
    let found = wrong.iter().find(|one| one.field == field);
    found.map(|one| one.text.clone()).unwrap_or_default()
}

/// Fields of the form; what is wrong elsewhere stands above it.
const FIELDS: [&str; 16] = [
    "name",
    "sources",
    "exclude",
    "exclude-extensions",
    "destinations",
    "priority",
    "schedule",
    "tags",
    "run-before",
    "run-after",
    "run-failed",
    "run-finally",
    "run-timeout",
    "tiers",
    "max-generations",
    "keep-tags",
];

impl SetFormPage {
    fn at(&self, field: &str) -> String {
        at_field(&self.wrong, field)
    }

    fn elsewhere(&self) -> Vec<&Wrong> {
        let wrong = self.wrong.iter();
        wrong
            .filter(|one| !FIELDS.contains(&one.field.as_str()))
            .collect()
    }
}

impl SourcesPart {
    fn at(&self, field: &str) -> String {
        at_field(&self.wrong, field)
    }
}

fn page(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    typed: TypedSet,
    (status, wrong): (StatusCode, Vec<Wrong>),
) -> Result<Response, Failure> {
    let t = Labels(lang);
    let title = match typed.is_new {
        true => t.add_set().to_string(),
        false => typed.was.clone(),
    };
    let mut tiers = typed.form.tiers.clone();
    tiers.resize(tiers.len().max(TIERS_LEAST - 1) + 1, Default::default());
    reply::html(
        status,
        &SetFormPage {
            f: visit.frame_in(Some(context), lang, "sets", &title),
            tiers,
            destinations: destinations(context, &typed.form),
            folders: tree::folders(&context.env, &typed.picked(), &typed.open),
            typed,
            wrong,
            is_part: false,
            settings: settings_path(context),
        },
    )
}

/// The settings file, for people.
pub fn settings_path(context: &Context) -> String {
    match &context.settings.path {
        Some(path) => shown(path.display().to_string().as_bytes()),
        None => "~/.config/dedup/dedup.toml".to_string(),
    }
}

/// Those of the set in their order, then the others.
fn destinations(context: &Context, form: &SetForm) -> Vec<DestinationChoice> {
    let chosen = form.destinations.iter().map(|name| DestinationChoice {
        name: name.clone(),
        is_chosen: true,
    });
    let remotes = context.settings.remotes.iter();
    let others = remotes.filter(|remote| !form.destinations.contains(&remote.name));
    let others = others.map(|remote| DestinationChoice {
        name: remote.name.clone(),
        is_chosen: false,
    });
    chosen.chain(others).collect()
}

pub async fn new(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let typed = TypedSet::from_settings(context, None)?;
        page(visit, context, lang, typed, (StatusCode::OK, Vec::new()))
    })
    .await
}

pub async fn edit(visit: Visit, name: String) -> Response {
    answer(visit, move |visit, context, lang| {
        let typed = TypedSet::from_settings(context, Some(&name))?;
        page(visit, context, lang, typed, (StatusCode::OK, Vec::new()))
    })
    .await
}

/// A click in the tree: a folder is opened, closed, ticked or unticked. Without script the whole page comes back.
pub async fn click(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let mut typed = TypedSet::of(&visit.form);
        let path = |name| visit.form.text(name).map(PathBuf::from);
        if let Some(at) = path("unfold") {
            typed.open.push(at);
        }
        if let Some(at) = path("fold") {
            typed.open.retain(|open| !open.starts_with(&at));
        }
        if let Some(at) = path("toggle") {
            if !is_plain(&at) {
                return Err(bad("toggle"));
            }
            let next = toggle(&context.env, &typed.picked(), &at);
            (typed.form.sources, typed.form.exclude) = (next.sources, next.exclude);
        }
        if !visit.is_partial {
            return page(visit, context, lang, typed, (StatusCode::OK, Vec::new()));
        }
        let mut part = reply::page(&SourcesPart {
            f: visit.frame_in(None, lang, "sets", ""),
            folders: tree::folders(&context.env, &typed.picked(), &typed.open),
            typed,
            wrong: Vec::new(),
            is_part: true,
        })?;
        // The answers beside the other fields follow.
        let event = HeaderValue::from_static("set-changed");
        part.headers_mut()
            .insert(HeaderName::from_static("hx-trigger-after-swap"), event);
        Ok(part)
    })
    .await
}

/// Absolute, and without `..`.
fn is_plain(path: &Path) -> bool {
    use std::path::Component::{Normal, RootDir};
    path.is_absolute() && path.components().all(|part| matches!(part, RootDir | Normal(_)))
}

pub async fn save(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let typed = TypedSet::of(&visit.form);
        match store(context, &typed) {
            Ok(()) => Ok(see_other("/sets")),
            Err((status, failure)) => {
                let wrong = vec![wrong(lang, &failure)];
                page(visit, context, lang, typed, (status, wrong))
            }
        }
    })
    .await
}

/// Writes the form, unless it is not valid or the file is not the one that the form was made of.
fn store(context: &Context, typed: &TypedSet) -> Result<(), (StatusCode, Failure)> {
    let invalid = |failure| (StatusCode::UNPROCESSABLE_ENTITY, failure);
    let mark = service::settings::edit::Draft::open(&context.env)
        .map_err(invalid)?
        .mark();
    if mark != typed.mark {
        let path = settings_path(context);
        return Err((StatusCode::CONFLICT, SetCause::ChangedMeanwhile { path }.into()));
    }
    let change = typed.change(context).map_err(invalid)?;
    answers::check_patterns(context, typed).map_err(invalid)?;
    if change.draft.is_change() {
        let written = match typed.is_renamed() {
            true => sets::write_renamed(context, &typed.was, &typed.name, &change.draft),
            false => change.draft.write(&context.env),
        };
        written.map_err(|failure| match failure.status {
            Status::Busy => (StatusCode::CONFLICT, failure),
            _ => invalid(failure),
        })?;
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "set_remove.html")]
struct SetRemovePage {
    f: Frame,
    name: String,
    what: String,
    diff: Vec<DiffLine>,
}

pub async fn remove_page(visit: Visit, name: String) -> Response {
    answer(visit, move |visit, context, lang| {
        let draft = sets::remove(context, &name)?;
        reply::page(&SetRemovePage {
            f: visit.frame_in(Some(context), lang, "sets", Labels(lang).remove_set()),
            what: report::removed_when_asked(lang),
            diff: diff_lines(&draft.diff()),
            name,
        })
    })
    .await
}

pub async fn remove(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        let name = visit.form.text("name").ok_or_else(|| bad("name"))?;
        let draft = sets::remove(context, name)?;
        sets::write_removal(context, name, &draft, true, &Nobody)?;
        Ok(see_other("/sets"))
    })
    .await
}
