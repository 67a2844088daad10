//! Every machine that saves into the repositories of the settings, as the snapshots there show it.

use crate::locks::lock;
use crate::pages::{Moment, Sign, shown};
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::report::console::Labels;
use service::catalogue::report::status as texts;
use service::catalogue::{self, Lang};
use service::face::{Activity, Face, Nobody, Notice, Watch};
use service::hosts::{self, HostStatus};
use service::{Context, Failure, text};
use std::sync::{Mutex, PoisonError};

#[derive(Template)]
#[template(path = "machines.html")]
struct MachinesPage {
    f: Frame,
    rows: Vec<MachineRow>,
    /// Repositories that could not be looked into.
    failed: Vec<String>,
}

struct MachineRow {
    host: String,
    sign: Sign,
    state: String,
    newest: Moment,
    complete: Option<Moment>,
    snapshots: String,
    repository: String,
    sources: Vec<String>,
}

/// Keeps what is said of repositories that fail.
struct Ear(Lang, Mutex<Vec<String>>);

impl Face for Ear {
    fn notice(&self, notice: &Notice<'_>) {
        let line = match notice {
            Notice::PartFailed(failure) => failure.text(self.0),
            notice => catalogue::notice(self.0, notice),
        };
        lock(&self.1).push(line);
    }

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        Nobody.start(activity)
    }
}

pub async fn list(visit: Visit) -> Response {
    answer(visit, machines).await
}

fn machines(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let ear = Ear(lang, Mutex::default());
    let report = match context.settings.remotes.is_empty() {
        true => hosts::Report::default(),
        false => hosts::run(context, &ear)?,
    };
    let failed = ear.1.into_inner().unwrap_or_else(PoisonError::into_inner);
    reply::page(&MachinesPage {
        f: visit.frame_in(Some(context), lang, "machines", Labels(lang).machines()),
        rows: report.hosts.iter().map(|one| row(context, lang, one)).collect(),
        failed: failed.iter().map(|line| shown(line.as_bytes())).collect(),
    })
}

fn row(context: &Context, lang: Lang, one: &HostStatus) -> MachineRow {
    let host = shown(one.host.as_bytes());
    MachineRow {
        host: match one.is_here {
            true => texts::here(lang, &host),
            false => host,
        },
        sign: if one.is_complete() { Sign::Good } else { Sign::Warn },
        state: texts::whole(lang, one.partial, one.errors),
        newest: Moment::ago(lang, one.newest, &context.now),
        complete: one.last_complete.map(|at| Moment::ago(lang, at, &context.now)),
        snapshots: text::grouped(one.snapshots),
        repository: shown(one.repository.as_bytes()),
        sources: one.paths.iter().map(|path| shown(path)).collect(),
    }
}
