//! Where what is in the basket goes, what that would do, and the restore itself.

use super::basket::{BasketRow, basket};
use super::{shown, size};
use crate::browse;
use crate::jobs::{Outcome, Standing, What};
use crate::reply::{self, answer, see_other};
use crate::runner;
use crate::sessions::Picked;
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::report::{backup, runs};
use service::catalogue::{Cause, ConsoleFault, Lang};
use service::face::Nobody;
use service::listing::Among;
use service::paths::SnapshotSpec;
use service::platform::paths::from_bytes;
use service::restore::{self, Overwrite, Patterns, Permissions, Request, RestorePlace};
use service::run::CancelToken;
use service::{Context, Failure, Status, machine};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The answers of the panel.
#[derive(Clone, Debug)]
struct Answers {
    /// `original`, `desktop`, `downloads` or `other`.
    place: String,
    folder: String,
    rule: String,
    permissions: String,
}

impl Answers {
    fn of(visit: &Visit) -> Answers {
        let text = |name, otherwise: &str| visit.form.text(name).unwrap_or(otherwise).to_string();
        Answers {
            place: text("place", "other"),
            folder: text("folder", "~/restored"),
            rule: text("rule", "rename"),
            permissions: text("permissions", "original"),
        }
    }

    fn overwrite(&self) -> Result<Overwrite, Failure> {
        Ok(match self.rule.as_str() {
            "rename" => Overwrite::Rename,
            "never" => Overwrite::Never,
            "if-newer" => Overwrite::IfNewer,
            "if-changed" => Overwrite::IfChanged,
            "always" => Overwrite::Always,
            _ => return Err(browse::bad("rule")),
        })
    }

    fn permissions(&self) -> Result<Permissions, Failure> {
        match self.permissions.as_str() {
            "original" => Ok(Permissions::Original),
            "current" => Ok(Permissions::Current),
            _ => Err(browse::bad("permissions")),
        }
    }

    /// An absolute path; `/` for the original place.
    fn target(&self, context: &Context) -> Result<PathBuf, Failure> {
        match self.place.as_str() {
            "original" => return Ok(PathBuf::from("/")),
            "desktop" => return desktop(context).ok_or_else(|| browse::bad("place")),
            "downloads" => return downloads(context).ok_or_else(|| browse::bad("place")),
            "other" => {}
            _ => return Err(browse::bad("place")),
        }
        let path = context.env.expand(self.folder.trim().as_ref())?;
        match path.is_absolute() {
            true => Ok(path),
            false => {
                let path = self.folder.clone();
                let fault = ConsoleFault::TargetNotAbsolute { path };
                Err(Cause::Console { fault }.into())
            }
        }
    }
}

fn desktop(context: &Context) -> Option<PathBuf> {
    machine::desktop_folder(&context.env, "DESKTOP", "Desktop")
}

fn downloads(context: &Context) -> Option<PathBuf> {
    machine::desktop_folder(&context.env, "DOWNLOAD", "Downloads")
}

#[derive(Template)]
#[template(path = "target.html")]
struct TargetPage {
    f: Frame,
    basket: Vec<BasketRow>,
    /// Folders that this user has.
    desktop: Option<String>,
    downloads: Option<String>,
    answers: Answers,
    /// What would happen, if that was asked.
    preview: Option<Vec<String>>,
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| panel(visit, context, lang, None)).await
}

fn panel(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    preview: Option<Vec<String>>,
) -> Result<Response, Failure> {
    reply::page(&TargetPage {
        f: visit.frame_in(Some(context), lang, "restore", Labels(lang).restore_title()),
        basket: basket(visit),
        desktop: desktop(context).map(|path| path.display().to_string()),
        downloads: downloads(context).map(|path| path.display().to_string()),
        answers: Answers::of(visit),
        preview,
    })
}

/// One request for each snapshot in the basket. A single path lands in the folder itself; of several, each keeps its
/// whole path below it.
fn requests(
    visit: &Visit,
    context: &Context,
    cancel: &CancelToken,
) -> Result<Vec<(Context, Request)>, Failure> {
    let answers = Answers::of(visit);
    let target = answers.target(context)?;
    let picked: Vec<Picked> = match &visit.session {
        Some(session) => session.basket().clone(),
        None => Vec::new(),
    };
    if picked.is_empty() {
        let fault = ConsoleFault::EmptyBasket;
        return Err(Cause::Console { fault }.into());
    }
    let is_single = picked.len() == 1 && answers.place != "original";
    let mut requests = Vec::new();
    for (remote, snapshot, of_it) in by_snapshot(&picked) {
        let mut context = visit.app.context_with(cancel.clone())?;
        if !remote.is_empty() {
            context.settings.named(remote)?;
            context.options.repo = Some(remote.into());
            context.options.repository_file = None;
        }
        let paths = of_it.iter().map(|one| from_bytes(&one.path).into_owned());
        let (subpath, paths, target) = match (is_single, of_it.first()) {
            (true, Some(one)) => {
                let path = from_bytes(&one.path).into_owned();
                let target = own_folder(one, &path, &target);
                (Some(path), Vec::new(), target)
            }
            _ => (None, paths.collect(), target.clone()),
        };
        let spec = SnapshotSpec {
            snapshot: snapshot.to_string(),
            is_named: true,
            subpath,
            paths,
        };
        requests.push((context, request(&answers, spec, target)?));
    }
    Ok(requests)
}

/// What is picked of each repository and snapshot.
type OfSnapshot<'a> = (&'a str, &'a str, Vec<&'a Picked>);

fn by_snapshot(picked: &[Picked]) -> Vec<OfSnapshot<'_>> {
    let mut groups: Vec<OfSnapshot<'_>> = Vec::new();
    for one in picked {
        let (remote, snapshot) = (one.remote.as_str(), one.snapshot.as_str());
        let known = groups
            .iter_mut()
            .find(|group| (group.0, group.1) == (remote, snapshot));
        match known {
            Some(group) => group.2.push(one),
            None => groups.push((remote, snapshot, vec![one])),
        }
    }
    groups
}

fn request(answers: &Answers, spec: SnapshotSpec, target: PathBuf) -> Result<Request, Failure> {
    Ok(Request {
        spec,
        among: Among::default(),
        target: RestorePlace::Folder(target),
        include: Patterns::default(),
        exclude: Patterns::default(),
        deleted_since: None,
        delete: false,
        overwrite: answers.overwrite()?,
        permissions: answers.permissions()?,
        also: Vec::new(),
        verify: false,
        in_place: false,
        dry_run: false,
    })
}

/// A folder comes as itself, not as what is in it.
fn own_folder(one: &Picked, path: &Path, target: &Path) -> PathBuf {
    match (one.is_dir, path.file_name()) {
        (true, Some(name)) => target.join(name),
        _ => target.to_path_buf(),
    }
}

pub async fn preview(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let cancel = visit.app.cancel().child();
        let mut lines = Vec::new();
        let (mut files, mut bytes, mut left) = (0, 0, 0);
        for (context, request) in requests(visit, context, &cancel)? {
            let request = Request {
                dry_run: true,
                ..request
            };
            let report = restore::run(&context, &request, &Nobody)?;
            files += report.summary.files_restored;
            bytes += report.summary.bytes_restored;
            left += report.summary.files_skipped;
        }
        lines.push(texts::would_restore(lang, files, &size(bytes)));
        if left > 0 {
            lines.push(texts::would_leave(lang, left));
        }
        lines.push(Labels(lang).nothing_written_yet().to_string());
        panel(visit, context, lang, Some(lines))
    })
    .await
}

pub async fn go(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        let cancel = visit.app.cancel().child();
        let requests = requests(visit, context, &cancel)?;
        let target = Answers::of(visit).target(context)?;
        let shown = target.display().to_string();
        let nr = runner::bring_back(&visit.app, shown, cancel, requests)?;
        if let Some(session) = &visit.session {
            session.basket().clear();
        }
        Ok(see_other(&format!("/restore/job/{nr}")))
    })
    .await
}

#[derive(Template)]
#[template(path = "restore_job.html")]
struct RestoreJobPage {
    f: Frame,
    nr: u64,
    to: String,
    standing: Standing,
    is_running: bool,
    is_stopping: bool,
    is_good: bool,
    lines: Vec<String>,
    said: Vec<String>,
}

pub async fn job(visit: Visit, nr: u64) -> Response {
    answer(visit, move |visit, context, lang| {
        restore_job(visit, context, lang, nr)
    })
    .await
}

fn restore_job(visit: &Visit, context: &Context, lang: Lang, nr: u64) -> Result<Response, Failure> {
    let t = Labels(lang);
    let Some(job) = visit.app.jobs.find(nr) else {
        // The console was started again; the history has it.
        return Ok(see_other("/history?kind=restore"));
    };
    let What::Restore(target) = &job.what else {
        return Ok(see_other("/"));
    };
    let outcome = job.outcome();
    let title = if outcome.is_some() {
        t.restore_done()
    } else {
        t.restoring()
    };
    let lines = outcome.as_ref().map(|outcome| result_lines(lang, outcome));
    reply::page(&RestoreJobPage {
        f: visit.frame_in(Some(context), lang, "restore", title),
        nr,
        to: texts::restored_to(lang, target),
        standing: job.standing(lang, Instant::now()),
        is_running: outcome.is_none(),
        is_stopping: job.is_stopping(),
        is_good: outcome
            .as_ref()
            .is_some_and(|outcome| outcome.status == Status::Completed),
        lines: lines.unwrap_or_default(),
        said: job.lines(lang),
    })
}

/// What came back and what did not, for people.
fn result_lines(lang: Lang, outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for s in &outcome.restored {
        let took = Duration::try_from_secs_f64(s.seconds_elapsed).unwrap_or_default();
        lines.push(texts::came_back(
            lang,
            s.files_restored,
            &size(s.bytes_restored),
            &service::text::clock(took),
        ));
        if s.bytes_reused > 0 {
            lines.push(backup::reused(lang, s.bytes_reused));
        }
        if s.files_unchanged > 0 {
            lines.push(backup::skipped_equal(
                lang,
                s.files_unchanged,
                s.bytes_unchanged,
                false,
            ));
        }
        let left = s.files_skipped.saturating_sub(s.files_unchanged);
        if left > 0 {
            let bytes = s.bytes_skipped.saturating_sub(s.bytes_unchanged);
            lines.push(backup::left_as_is(lang, left, bytes));
        }
    }
    match &outcome.failure {
        Some(failure) => lines.push(shown(failure.text(lang).as_bytes())),
        None if outcome.status != Status::Completed => {
            lines.push(runs::status(lang, outcome.status.word(), outcome.status.reason()));
        }
        None => {}
    }
    lines
}

impl RestoreJobPage {
    fn percent(&self) -> String {
        percent(&self.standing)
    }
}

/// The value of a bar; empty while the total is not known.
pub fn percent(standing: &Standing) -> String {
    standing
        .percent
        .map(|percent| format!("{percent:.1}"))
        .unwrap_or_default()
}
