//! `history`: the jobs of this machine, one of them, and its files.

use crate::args::runs::{HistoryArgs, HistoryCommand};
use crate::output::Lines;
use crate::render::running;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::runs as report;
use service::catalogue::{Action, Cause, Lang, problem_line};
use service::history::JobKind;
use service::history::files::{BackupFiles, FileStatus, PAGE};
use service::history::journal::Journal;
use service::history::read::HistoryQuery;
use service::json;
use service::runs::WhichSets;
use service::settings::nearest;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &HistoryArgs) -> Result<Status, Failure> {
    let journal = Journal::of(&terminal.context.dirs()?);
    if let Some(status) = args.status.as_deref().filter(|_| !args.files) {
        HistoryQuery::check_status(status)?;
    }
    match (&args.command, &args.id) {
        (Some(HistoryCommand::Rerun(rerun)), _) => again(terminal, &journal, &rerun.id),
        (None, Some(id)) if args.files => files(terminal, &journal, id, args),
        (None, Some(id)) => one(terminal, &journal, id),
        (None, None) => list(terminal, &journal, args),
    }
}

fn list(terminal: &Terminal, journal: &Journal, args: &HistoryArgs) -> Result<Status, Failure> {
    let lang = terminal.lang;
    let known = JobKind::ALL.map(JobKind::word);
    if let Some(kind) = args.kind.as_deref().filter(|kind| !known.contains(kind)) {
        let (near, kind) = (nearest(kind, &known), kind.to_string());
        return Err(Cause::NoSuchJobKind { kind, near }.into());
    }
    let sets = args
        .set
        .as_ref()
        .map(|set| terminal.context.settings.names_of(set));
    let page = journal.rows(&HistoryQuery {
        limit: args.limit as usize,
        id: String::new(),
        sets: sets.unwrap_or_default(),
        kind: args.kind.clone(),
        status: args.status.clone(),
    })?;
    let mut out = Lines::new();
    if terminal.json() {
        for row in &page.rows {
            out.object(&json::object("history", row.for_programs()));
        }
        let count = page.rows.len();
        out.object(&json!({ "message_type": "summary", "jobs": count, "more": page.more }));
        return out.finish().map(|()| Status::Completed);
    }
    match page.rows.is_empty() {
        true if terminal.talks() => out.line(&nothing(terminal, journal, args)?),
        true => {}
        false => out.line(running::history(lang, &page.rows).trim_end()),
    }
    if page.more && terminal.talks() {
        out.line(&report::more_history(lang, args.limit));
    }
    out.finish().map(|()| Status::Completed)
}

/// What is said where no job is listed. A set that is not there was misspelt.
fn nothing(terminal: &Terminal, journal: &Journal, args: &HistoryArgs) -> Result<String, Failure> {
    let (lang, settings) = (terminal.lang, &terminal.context.settings);
    let Some(set) = args.set.as_deref().filter(|set| settings.set(set).is_none()) else {
        return Ok(report::no_history(lang));
    };
    let of_set = journal.rows(&HistoryQuery {
        limit: 1,
        sets: settings.names_of(set),
        ..HistoryQuery::default()
    })?;
    if !of_set.rows.is_empty() {
        return Ok(report::no_history(lang));
    }
    let near = nearest(set, &settings.set_names());
    Ok(report::no_history_of_set(lang, set, near.as_deref()))
}

fn one(terminal: &Terminal, journal: &Journal, id: &str) -> Result<Status, Failure> {
    let lang = terminal.lang;
    let row = journal.row(id)?;
    let kept = journal.problems_of(&row.id);
    let kept = kept.map_err(|e| Failure::from(Cause::system(Action::Read, journal.dir(), e)))?;
    let mut out = Lines::new();
    let left = row.problems.saturating_sub(kept.len() as u64);
    if terminal.json() {
        out.object(&json::object("history", row.for_programs()));
        for problem in &kept {
            let text = problem.text(Lang::En);
            out.object(&json::problem_object(
                &problem.item,
                problem.is_warning,
                text,
                &row.kind,
            ));
        }
        out.object(
            &json!({ "message_type": "summary", "problems": row.problems, "problems_not_kept": left }),
        );
        return out.finish().map(|()| Status::Completed);
    }
    out.line(running::job(lang, &row).trim_end());
    for problem in &kept {
        let line = problem_line(
            lang,
            problem.item.as_bytes(),
            problem.is_warning,
            problem.text(lang),
        );
        out.line(&format!("  {line}"));
    }
    if left > 0 && !row.is_running() {
        out.line(&format!("  {}", report::more_problems(lang, left)));
    }
    out.finish().map(|()| Status::Completed)
}

fn files(terminal: &Terminal, journal: &Journal, id: &str, args: &HistoryArgs) -> Result<Status, Failure> {
    let lang = terminal.lang;
    let wanted = wanted(args.status.as_deref())?;
    let row = journal.row(id)?;
    let files = BackupFiles::open(&terminal.context, &row, terminal)?;
    let first = (args.page - 1).saturating_mul(PAGE);
    let mut found: u64 = 0;
    let mut out = Lines::new();
    let listed = files.each(&mut |file| {
        if !wanted.contains(&file.status) {
            return Ok(());
        }
        let is_shown = (first..first.saturating_add(PAGE)).contains(&found);
        found += 1;
        if is_shown {
            match terminal.json() {
                true => out.object(&file.for_programs()),
                false => out.line(&running::file(lang, file)),
            }
        }
        out.go_on()
    });
    let is_whole = listed.is_ok();
    if is_whole && terminal.json() {
        out.object(&json!({
            "message_type": "summary",
            "files": found,
            "page": args.page,
            "pages": found.div_ceil(PAGE).max(1),
            "compared": !files.is_first(),
        }));
    } else if is_whole && terminal.talks() {
        if files.is_first() {
            out.line(&report::no_parent(lang));
        }
        out.line(&match found == 0 && args.status.is_none() && !files.is_first() {
            true => report::no_file_changed(lang),
            false => report::pages(lang, args.page, found, PAGE),
        });
    }
    match out.closed() {
        true => out.finish().map(|()| Status::Completed),
        false => listed.and(out.finish()).map(|()| Status::Completed),
    }
}

fn wanted(status: Option<&str>) -> Result<Vec<FileStatus>, Failure> {
    let all = FileStatus::ALL.into_iter();
    let Some(text) = status else {
        return Ok(all.filter(|status| *status != FileStatus::Unchanged).collect());
    };
    let known = FileStatus::ALL.map(FileStatus::word);
    if let Some(word) = text.split(',').find(|word| !known.contains(word)) {
        let near = nearest(word, &known);
        let (word, known) = (word.to_string(), known.join(", "));
        return Err(Cause::NoSuchFileStatus { word, known, near }.into());
    }
    Ok(all
        .filter(|status| text.split(',').any(|word| word == status.word()))
        .collect())
}

fn again(terminal: &Terminal, journal: &Journal, id: &str) -> Result<Status, Failure> {
    let row = journal.row(id)?;
    let Some(set) = row.set else {
        let (id, kind) = (row.id, row.kind);
        return Err(Cause::CannotRerun { id, kind }.into());
    };
    // It may have another name by now.
    let settings = &terminal.context.settings;
    let set = settings
        .recorded_as(&set)
        .map_or(set.clone(), |(name, _)| name.to_string());
    let request = service::runs::Request {
        which: WhichSets::Named(vec![set]),
        wait: false,
        dry_run: false,
        allow_empty: false,
    };
    super::run::call(terminal, &request)
}
