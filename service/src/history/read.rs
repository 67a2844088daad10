//! Finds rows of the history, newest first.

use super::HistoryRow;
use super::journal::Journal;
use super::lines::{LinesBackwards, months};
use crate::catalogue::{Action, Cause};
use crate::failure::Failure;
use crate::settings::nearest;
use crate::status::Status;
use std::io;

/// Which rows.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// How many, newest first.
    pub limit: usize,
    /// The beginning of an id.
    pub id: String,
    /// Any of these names of sets; empty for jobs of all, and of none.
    pub sets: Vec<String>,
    pub kind: Option<String>,
    /// A status's word or reason.
    pub status: Option<String>,
}

impl HistoryQuery {
    /// Refuses a status that no job can have: that none is listed would look as if there were none.
    pub fn check_status(status: &str) -> Result<(), Failure> {
        if Status::is_name(status) {
            return Ok(());
        }
        let (names, status) = (Status::names(), status.to_string());
        let near = nearest(&status.to_ascii_lowercase(), &names);
        let known = names.join(", ");
        Err(Cause::NoSuchJobStatus { status, known, near }.into())
    }

    fn matches(&self, row: &HistoryRow) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        row.id.starts_with(&self.id)
            && (self.sets.is_empty() || row.set.as_ref().is_some_and(|set| self.sets.contains(set)))
            && is(&self.kind, Some(&row.kind))
            && self.status.as_deref().is_none_or(|wanted| row.has_status(wanted))
    }

    /// Whether a month's file may hold a row of this id.
    fn may_be_in(&self, month: &str) -> bool {
        let digits = month.replace('-', "");
        let known = self.id.get(..self.id.len().min(digits.len())).unwrap_or_default();
        digits.starts_with(known)
    }
}

/// The newest rows, and whether there are more.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    pub rows: Vec<HistoryRow>,
    pub more: bool,
}

impl Journal {
    /// Newest first; those that run now come before all others.
    pub fn rows(&self, query: &HistoryQuery) -> Result<HistoryPage, Failure> {
        let failed = |e: io::Error| Failure::system(Action::Read, self.dir(), e);
        // Where nothing can be written the rows of killed jobs stay as they are, and are left out.
        let _ = self.settle();
        let mut page = HistoryPage::default();
        let running = self.running().map_err(failed)?;
        page.rows
            .extend(running.into_iter().filter(|row| query.matches(row)));
        for month in months(self.dir()).map_err(failed)? {
            if !query.may_be_in(&month) {
                continue;
            }
            let path = self.dir().join(format!("{month}.jsonl"));
            for line in LinesBackwards::open(&path).map_err(failed)? {
                let line = line.map_err(failed)?;
                // What was cut short by a crash, or is of no version that is known.
                let Ok(row) = serde_json::from_slice::<HistoryRow>(&line) else {
                    continue;
                };
                if query.matches(&row) && page.rows.iter().all(|known| known.id != row.id) {
                    page.rows.push(row);
                }
                if page.rows.len() > query.limit {
                    page.rows.truncate(query.limit);
                    page.more = true;
                    return Ok(page);
                }
            }
        }
        Ok(page)
    }

    /// The one row that the beginning of an id, or `latest`, means.
    pub fn row(&self, id: &str) -> Result<HistoryRow, Failure> {
        let query = HistoryQuery {
            limit: if id == "latest" { 1 } else { 2 },
            id: if id == "latest" {
                String::new()
            } else {
                id.to_string()
            },
            ..HistoryQuery::default()
        };
        let found = self.rows(&query)?.rows;
        match <[HistoryRow; 1]>::try_from(found) {
            Ok([row]) => Ok(row),
            Err(rows) if rows.is_empty() => Err(Cause::NoSuchJob { id: id.to_string() }.into()),
            Err(_) => Err(Cause::SeveralJobs { id: id.to_string() }.into()),
        }
    }
}
