//! A request that was admitted, and what the page around its answer shows.

use crate::app::App;
use crate::fields::Fields;
use crate::gate::Neighbour;
use crate::sessions::Session;
use service::catalogue::Lang;
use service::catalogue::report::console::Labels;
use service::history::HistoryRow;
use service::history::journal::Journal;
use service::history::read::HistoryQuery;
use service::runs::status;
use service::{Context, Failure};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A request that may be answered.
#[derive(Clone)]
pub struct Visit {
    pub app: Arc<App>,
    pub from: Neighbour,
    pub session: Option<Arc<Session>>,
    /// The secret of the session, which ends it.
    pub session_id: String,
    /// It is from a program that has a token.
    pub is_by_token: bool,
    /// What the person chose.
    pub chosen_lang: Option<Lang>,
    pub theme: &'static str,
    pub path: String,
    pub raw_query: String,
    /// It asks for a part of a page.
    pub is_partial: bool,
    pub query: Fields,
    pub form: Fields,
}

impl Visit {
    pub fn wants_json(&self) -> bool {
        is_for_programs(&self.path)
    }

    /// What the page around the answer needs; without a context, before anybody is logged in or where it can't be made.
    pub fn frame_in(&self, context: Option<&Context>, lang: Lang, place: &'static str, title: &str) -> Frame {
        let host = context.and_then(|context| context.host(None).ok());
        let here = match self.raw_query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.raw_query),
        };
        Frame {
            t: Labels(lang),
            lang: lang.code(),
            theme: self.theme,
            csrf: self
                .session
                .as_ref()
                .map(|session| session.csrf().to_string())
                .unwrap_or_default(),
            place,
            title: title.to_string(),
            host: host.unwrap_or_default(),
            is_inside: self.session.is_some(),
            here,
            // Without one, the first event says how things stand.
            mark: context
                .and_then(|context| mark(&self.app, context).ok())
                .unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// What every page has.
pub struct Frame {
    pub t: Labels,
    pub lang: &'static str,
    /// `light`, `dark`, or empty for that of the system.
    pub theme: &'static str,
    pub csrf: String,
    /// Which entry of the menu is current.
    pub place: &'static str,
    pub title: String,
    /// This machine's name.
    pub host: String,
    /// Somebody is logged in.
    pub is_inside: bool,
    /// Path and query, to come back to.
    pub here: String,
    /// What the events compare, to see whether the page is out of date.
    pub mark: String,
    /// Ends the names of files that a browser keeps.
    pub version: &'static str,
}

/// Addresses that a token opens.
pub fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics"
}

/// What the pages show, without what changes all the time, as one number: a page of another mark is out of date.
pub fn mark(app: &App, context: &Context) -> Result<String, Failure> {
    let mut mark = DefaultHasher::new();
    let journal = Journal::of(&context.dirs()?);
    for set in status::sets(context)? {
        let asked = |row: &HistoryRow| journal.is_asked_to_stop(&row.id);
        let parts = (
            set.running.as_ref().is_some_and(asked),
            set.name,
            set.running.map(|row| row.id),
            set.last.map(|row| row.id),
            set.paused_until.is_some(),
            set.overdue,
        );
        parts.hash(&mut mark);
        set.schedule.to_string().hash(&mut mark);
    }
    // What any other job did, and what is known of each destination.
    let newest = journal.rows(&HistoryQuery {
        limit: 1,
        ..HistoryQuery::default()
    })?;
    for row in &newest.rows {
        (&row.id, &row.status).hash(&mut mark);
    }
    for remote in status::remotes(context, false)? {
        let parts = (
            remote.reached,
            remote.asked,
            remote.reachable,
            remote.behind,
            remote.used,
        );
        parts.hash(&mut mark);
        format!("{:?}", remote.proofs).hash(&mut mark);
    }
    // Whatever else the file says.
    let text = context.settings.path.as_ref().map(std::fs::read);
    text.and_then(Result::ok).hash(&mut mark);
    for job in app.jobs.running() {
        (job.nr, job.is_stopping()).hash(&mut mark);
    }
    Ok(format!("{:016x}", mark.finish()))
}
