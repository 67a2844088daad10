//! History: what this machine's jobs did, and one job with its problems and its files.

use super::{JobRow, Moment, Sign, shown, size};
use crate::fields::encoded;
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::report::console::Labels;
use service::catalogue::report::runs::{self, Field};
use service::catalogue::{Action, Cause, Lang};
use service::face::Nobody;
use service::history::files::{BackupFiles, FileStatus, PAGE};
use service::history::journal::Journal;
use service::history::read::HistoryQuery;
use service::history::{HistoryRow, JobKind};
use service::{Context, Failure, Status, text};

/// Jobs on one page.
const JOBS: usize = 50;
/// Pages that can be turned to: what is older is found by a filter.
const PAGES_MAX: u64 = 200;

/// An entry of a list to choose from.
pub struct Choice {
    pub value: String,
    pub words: String,
    pub is_chosen: bool,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    f: Frame,
    kinds: Vec<Choice>,
    sets: Vec<Choice>,
    statuses: Vec<Choice>,
    rows: Vec<JobRow>,
    is_filtered: bool,
    newer: Option<String>,
    older: Option<String>,
}

pub async fn list(visit: Visit) -> Response {
    answer(visit, history).await
}

fn history(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let chosen = |name: &str| visit.query.text(name).map(String::from);
    let (set, kind, status) = (chosen("set"), chosen("kind"), chosen("status"));
    let page = visit.query.number("page").unwrap_or(1).clamp(1, PAGES_MAX);
    let skip = (page as usize - 1) * JOBS;
    let journal = Journal::of(&context.dirs()?);
    let names = set.as_ref().map(|set| context.settings.names_of(set));
    let found = journal.rows(&HistoryQuery {
        limit: skip + JOBS,
        id: String::new(),
        sets: names.unwrap_or_default(),
        kind: kind.clone(),
        status: status.clone(),
    })?;
    let rows = found.rows.iter().skip(skip);
    let rows: Vec<JobRow> = rows.map(|row| JobRow::of(lang, row, &context.now)).collect();
    let filter = [("set", &set), ("kind", &kind), ("status", &status)];
    let to = |page: u64| {
        let mut to = format!("/history?page={page}");
        for (name, value) in filter {
            if let Some(value) = value {
                to += &format!("&{name}={}", encoded(value.as_bytes()));
            }
        }
        to
    };
    let choice = |value: &str, words: String, chosen: &Option<String>| Choice {
        value: value.to_string(),
        words,
        is_chosen: chosen.as_deref() == Some(value),
    };
    let kinds = JobKind::ALL.iter().map(|known| {
        let words = runs::job_kind(lang, known.word()).to_string();
        choice(known.word(), words, &kind)
    });
    let names = context.settings.set_names();
    let sets = names.iter().map(|name| choice(name, name.to_string(), &set));
    let words = [Status::Completed, Status::Failed, Status::NotRun, Status::Running];
    let statuses = words.iter().map(|known| {
        let words = runs::status(lang, known.word(), None);
        choice(known.word(), words, &status)
    });
    reply::page(&HistoryPage {
        f: visit.frame_in(Some(context), lang, "history", Labels(lang).history()),
        kinds: kinds.collect(),
        sets: sets.collect(),
        statuses: statuses.collect(),
        rows,
        is_filtered: filter.iter().any(|(_, value)| value.is_some()),
        newer: (page > 1).then(|| to(page - 1)),
        older: (found.more && page < PAGES_MAX).then(|| to(page + 1)),
    })
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    f: Frame,
    job: JobRow,
    /// Names and values.
    facts: Vec<(&'static str, String)>,
    problems: Vec<ProblemView>,
    more_problems: String,
    /// A set that can run again.
    rerun: Option<String>,
    /// The row is of a backup that made a snapshot.
    snapshot: Option<String>,
    remote: String,
    files: Option<FilesView>,
    is_running: bool,
}

struct ProblemView {
    item: String,
    text: String,
    is_warning: bool,
}

struct FilesView {
    statuses: Vec<Choice>,
    rows: Vec<FileView>,
    count: String,
    note: Option<String>,
    newer: Option<String>,
    older: Option<String>,
}

struct FileView {
    path: String,
    class: &'static str,
    status: &'static str,
    size: String,
    /// Why it is failed, or nothing.
    why: String,
}

pub async fn one(visit: Visit, id: String) -> Response {
    answer(visit, move |visit, context, lang| job(visit, context, lang, &id)).await
}

fn job(visit: &Visit, context: &Context, lang: Lang, id: &str) -> Result<Response, Failure> {
    let journal = Journal::of(&context.dirs()?);
    let row = journal.row(id)?;
    let kept = journal.problems_of(&row.id);
    let kept = kept.map_err(|e| Failure::from(Cause::system(Action::Read, journal.dir(), e)))?;
    let left = row.problems.saturating_sub(kept.len() as u64);
    let problems = kept.iter().map(|problem| ProblemView {
        item: shown(problem.item.as_bytes()),
        text: shown(problem.text(lang).as_bytes()),
        is_warning: problem.is_warning,
    });
    let is_running = row.is_running();
    let is_backup = row.kind == JobKind::Backup.word() && row.snapshot.is_some();
    let files = match visit.query.text("files") {
        Some(_) if is_backup => Some(files(visit, context, lang, &row)?),
        _ => None,
    };
    let first = row.destinations.first().map(|there| there.name.clone());
    let remote = first.filter(|name| context.settings.remote(name).is_some());
    // It may have another name by now.
    let rerun = row.set.as_ref().filter(|_| !is_running);
    let rerun = rerun.and_then(|set| context.settings.recorded_as(set));
    let rerun = rerun.map(|(name, _)| name.to_string());
    let title = Labels(lang).history();
    reply::page(&JobPage {
        f: visit.frame_in(Some(context), lang, "history", title),
        facts: facts(lang, &row, context),
        problems: problems.collect(),
        more_problems: match left > 0 && !is_running {
            true => runs::more_problems(lang, left),
            false => String::new(),
        },
        rerun,
        snapshot: row.snapshot.clone().filter(|_| is_backup),
        remote: remote.unwrap_or_default(),
        files,
        is_running,
        job: JobRow::of(lang, &row, &context.now),
    })
}

fn facts(lang: Lang, row: &HistoryRow, context: &Context) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add = |field: Field, value: String| {
        if !value.is_empty() {
            facts.push((field.name(lang), value));
        }
    };
    add(Field::Set, row.set.clone().unwrap_or_default());
    add(Field::Cause, runs::run_cause(lang, &row.cause).to_string());
    add(Field::Due, row.slot.map(text::time).unwrap_or_default());
    add(Field::Start, Moment::ago(lang, row.start, &context.now).exact);
    add(Field::End, row.end.map(text::time).unwrap_or_default());
    for source in &row.sources {
        add(Field::Sources, shown(source.as_bytes()));
    }
    if row.more_sources > 0 {
        add(Field::Sources, runs::more(lang, row.more_sources));
    }
    add(
        Field::Target,
        row.target
            .as_ref()
            .map(|target| shown(target.as_bytes()))
            .unwrap_or_default(),
    );
    if row.files > 0 || row.bytes > 0 {
        add(Field::Files, text::grouped(row.files));
        add(Field::Size, size(row.bytes));
    }
    if row.snapshots > 0 {
        add(Field::Removed, text::grouped(row.snapshots));
    }
    add(
        Field::Snapshot,
        row.snapshot
            .as_ref()
            .map(|id| text::short(id))
            .unwrap_or_default(),
    );
    for there in &row.destinations {
        let status = runs::status(lang, &there.status, there.reason.as_deref());
        add(
            Field::Destination,
            runs::destination(lang, &there.name, &status, there.behind),
        );
    }
    facts
}

fn class_of(status: FileStatus) -> &'static str {
    match status {
        FileStatus::New => "new",
        FileStatus::Changed => "changed",
        FileStatus::Unchanged => "unchanged",
        FileStatus::Deleted => "deleted",
        FileStatus::Failed => "failed",
    }
}

fn files(visit: &Visit, context: &Context, lang: Lang, row: &HistoryRow) -> Result<FilesView, Failure> {
    let chosen = visit.query.text("files").unwrap_or_default();
    let wanted = |status: FileStatus| match FileStatus::ALL.iter().find(|known| known.word() == chosen) {
        Some(one) => status == *one,
        None => status != FileStatus::Unchanged,
    };
    let page = visit.query.number("page").unwrap_or(1).max(1);
    let first = (page - 1).saturating_mul(PAGE);
    let listed = BackupFiles::open(context, row, &Nobody)?;
    let (mut count, mut rows) = (0u64, Vec::new());
    listed.each(&mut |file| {
        if !wanted(file.status) {
            return Ok(());
        }
        if (first..first.saturating_add(PAGE)).contains(&count) {
            rows.push(FileView {
                path: shown(&text::absolute(file.path)),
                class: class_of(file.status),
                status: runs::file_status(lang, file.status),
                size: size(file.size),
                why: file.why.map(|why| why.text(lang)).unwrap_or_default(),
            });
        }
        count += 1;
        Ok(())
    })?;
    let to = |page: u64| {
        format!(
            "/history/{}?files={}&page={page}#files",
            row.id,
            encoded(chosen.as_bytes())
        )
    };
    let statuses = FileStatus::ALL.iter().map(|known| Choice {
        value: known.word().to_string(),
        words: runs::file_status(lang, *known).to_string(),
        is_chosen: known.word() == chosen,
    });
    Ok(FilesView {
        statuses: statuses.collect(),
        rows,
        count: runs::pages(lang, page, count, PAGE),
        note: listed.is_first().then(|| runs::no_parent(lang)),
        newer: (page > 1).then(|| to(page - 1)),
        older: (first.saturating_add(PAGE) < count).then(|| to(page + 1)),
    })
}

impl JobPage {
    /// How its heading is coloured.
    fn sign(&self) -> Sign {
        self.job.sign
    }
}
