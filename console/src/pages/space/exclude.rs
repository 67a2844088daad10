//! A path is left out from now on: each set that saves it gets an exclude, shown as the change of the settings file.

use super::{as_text, link, spot_of};
use crate::browse::{self, bad};
use crate::fields::encoded;
use crate::jobs::SpaceSpot;
use crate::pages::set::answers::{DiffLine, diff_lines};
use crate::pages::set::settings_path;
use crate::pages::shown;
use crate::reply::{self, answer, see_other};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::backup::standard::literal;
use service::catalogue::report::console::Labels;
use service::catalogue::{Lang, SetCause};
use service::platform::paths::from_bytes;
use service::settings::edit::{Draft, save_set};
use service::settings::form::{SetForm, command};
use service::{Context, Failure};
use std::ffi::OsStr;

#[derive(Template)]
#[template(path = "space_exclude.html")]
struct ExcludePage {
    f: Frame,
    remote: String,
    coded: String,
    is_dir: bool,
    path: String,
    back: String,
    mark: String,
    settings: String,
    sets: Vec<SetExclude>,
}

/// A set that saves the path, and what its exclude changes.
struct SetExclude {
    name: String,
    diff: Vec<DiffLine>,
    command: String,
}

/// The pattern that leaves out a path and nothing else.
fn pattern(path: &str, is_dir: bool) -> String {
    let end = if is_dir { "/" } else { "" };
    format!("/{}{end}", literal(path.trim_start_matches('/').as_bytes()))
}

/// The sets that are saved at the repository and have the path below one of their sources.
fn sets_with(context: &Context, spot: &SpaceSpot) -> Vec<String> {
    let path = from_bytes(&spot.path);
    let sets = context.settings.sets.0.iter().filter(|(_, set)| {
        let mut destinations = set.destinations.iter();
        let is_here = spot.remote.is_empty() || destinations.any(|name| name.get_ref().0 == spot.remote);
        let holds = |source: &dyn ToString| {
            let source = context.env.expand(OsStr::new(&source.to_string()));
            source.is_ok_and(|source| path.starts_with(&source) && *path != *source)
        };
        is_here && set.sources.iter().any(|source| holds(source))
    });
    sets.map(|(name, _)| name.get_ref().0.clone()).collect()
}

/// The settings file with the exclude, and the same as a command.
fn draft(context: &Context, set: &str, pattern: &str) -> Result<(Draft, String), Failure> {
    let before = SetForm::of(&Draft::open(&context.env)?, set).unwrap_or_default();
    let mut after = before.clone();
    if !after.exclude.iter().any(|known| known == pattern) {
        after.exclude.push(pattern.to_string());
    }
    let changes = after.changes(&before);
    let draft = save_set(&context.env, set, false, &changes)?;
    draft.check(&context.env)?;
    Ok((draft, command(set, false, &changes)))
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, show).await
}

fn show(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let spot = spot_of(context, &visit.query);
    let is_dir = visit.query.text("dir").is_some();
    let pattern = pattern(as_text(&spot.path)?, is_dir);
    let sets = sets_with(context, &spot).into_iter().map(|name| {
        let (draft, command) = draft(context, &name, &pattern)?;
        Ok::<_, Failure>(SetExclude {
            diff: diff_lines(&draft.diff()),
            command,
            name,
        })
    });
    reply::page(&ExcludePage {
        f: visit.frame_in(
            Some(context),
            lang,
            "destinations",
            Labels(lang).exclude_from_now(),
        ),
        coded: encoded(&spot.path),
        is_dir,
        path: shown(&spot.path),
        back: above(&spot),
        mark: Draft::open(&context.env)?.mark(),
        settings: settings_path(context),
        sets: sets.collect::<Result<_, _>>()?,
        remote: spot.remote,
    })
}

/// The page of the folder that it is in.
fn above(spot: &SpaceSpot) -> String {
    let folder = browse::parent(&spot.path).unwrap_or_else(|| b"/".to_vec());
    link("/space", &spot.remote, &folder)
}

pub async fn save(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        let spot = spot_of(context, &visit.form);
        let set = visit.form.text("set").ok_or_else(|| bad("set"))?;
        if !sets_with(context, &spot).iter().any(|known| known == set) {
            return Err(bad("set"));
        }
        let path = as_text(&spot.path)?;
        let pattern = pattern(path, visit.form.text("dir").is_some());
        let (draft, _) = draft(context, set, &pattern)?;
        if draft.mark() != visit.form.text("mark").unwrap_or_default() {
            let path = settings_path(context);
            return Err(SetCause::ChangedMeanwhile { path }.into());
        }
        if draft.is_change() {
            draft.write(&context.env)?;
        }
        let (set, of) = (encoded(set.as_bytes()), encoded(&spot.path));
        Ok(see_other(&format!("{}&excluded={set}&of={of}", above(&spot))))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_one_path() {
        assert_eq!(pattern("/home/me/[old] *", true), "/home/me/\\[old\\] \\*/");
        assert_eq!(pattern("/a", false), "/a");
    }
}
