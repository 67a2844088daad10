//! An event in words: a title, plain text and simple HTML, and the same as data for programs. Names come escaped, so that
//! a file's name can neither break a line nor become markup.

use super::event::Event;
use crate::catalogue::report::notify as words;
use crate::catalogue::{Lang, problem_line};
use crate::context::Context;
use crate::history::HistoryRow;
use crate::history::problems::ProblemRow;
use crate::text::padded;
use engine::run::LocalDirs;
use engine::units::escape;
use serde::{Deserialize, Serialize};

/// Problems that a message lists; the history has them all.
const PROBLEMS_MOST: usize = 10;

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// What is sent, and kept until then, in the language of `lang`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// `completed`, `incomplete`, `recovered`, `overdue`, `usage` or `test`.
    pub event: String,
    pub level: Level,
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// The code of its language.
    pub lang: String,
    pub title: String,
    pub text: String,
    pub html: String,
    /// The run, as the history has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<HistoryRow>,
}

impl Message {
    /// Adds that others before it were given up.
    pub(super) fn add_dropped(&mut self, messages: u64) {
        let lang = Lang::from_code(&self.lang).unwrap_or_default();
        let note = words::dropped(lang, messages);
        self.text += &format!("\n{note}\n");
        let end = "</body></html>";
        self.html = self
            .html
            .replace(end, &format!("<p>{}</p>\n{end}", markup(&note)));
    }
}

pub(super) fn of(context: &Context, dirs: &LocalDirs, event: &Event) -> Message {
    // A message without the machine's name is better than none.
    let host = context.host(None).unwrap_or_default();
    let row = match event {
        Event::Ended(ending) | Event::Recovered(ending) => Some(&ending.row),
        Event::Overdue { .. } | Event::Usage { .. } | Event::Test => None,
    };
    let problems = row.map(|row| super::problems(dirs, row)).unwrap_or_default();
    put(super::language(context), &host, event, &problems)
}

/// A pure function of what is known.
pub(super) fn put(lang: Lang, host: &str, event: &Event, problems: &[ProblemRow]) -> Message {
    let host = escape(host.as_bytes());
    let (level, set, row) = match event {
        Event::Ended(ending) if !ending.completed => (Level::Error, Some(&ending.set), Some(&ending.row)),
        Event::Ended(ending) | Event::Recovered(ending) => {
            (Level::Info, Some(&ending.set), Some(&ending.row))
        }
        Event::Overdue { set, .. } => (Level::Warning, Some(set), None),
        Event::Usage { .. } | Event::Test => (Level::Info, None, None),
    };
    let all = row.map_or(0, |row| row.problems);
    let mut listed: Vec<String> = problems
        .iter()
        .take(PROBLEMS_MOST)
        .map(|one| problem_line(lang, one.item.as_bytes(), one.is_warning, one.text(lang)))
        .collect();
    let more = all.saturating_sub(listed.len() as u64);
    if more > 0 && !listed.is_empty() {
        listed.push(crate::catalogue::report::and_more(lang, more));
    }
    let title = words::title(lang, &host, event);
    let facts = words::facts(lang, &host, event);
    let advice = words::advice(lang, event);
    Message {
        event: event.word().to_string(),
        level,
        set: set.cloned(),
        text: text(&title, &facts, &listed, &advice),
        lang: lang.code().to_string(),
        html: html(lang, &title, &facts, &listed, &advice),
        title,
        host,
        row: row.cloned(),
    }
}

fn text(title: &str, facts: &[(String, String)], problems: &[String], advice: &str) -> String {
    let width = facts.iter().map(|(name, _)| crate::text::width(name)).max();
    let mut text = format!("{title}\n\n");
    for (name, value) in facts {
        text += &format!("{}  {value}\n", padded(name, width.unwrap_or_default()));
    }
    if !problems.is_empty() {
        text += &format!("\n{}\n", problems.join("\n"));
    }
    if !advice.is_empty() {
        text += &format!("\n{advice}\n");
    }
    text
}

fn html(lang: Lang, title: &str, facts: &[(String, String)], problems: &[String], advice: &str) -> String {
    let code = lang.code();
    let title = markup(title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h3>{title}</h3>\n<table>\n"
    );
    for (name, value) in facts {
        let (name, value) = (markup(name), markup(value));
        html += &format!("<tr><td>{name}</td><td>{value}</td></tr>\n");
    }
    html += "</table>\n";
    if !problems.is_empty() {
        html += "<ul>\n";
        for problem in problems {
            html += &format!("<li>{}</li>\n", markup(problem));
        }
        html += "</ul>\n";
    }
    if !advice.is_empty() {
        html += &format!("<p>{}</p>\n", markup(advice));
    }
    html + "</body></html>\n"
}

/// A text as it stands in HTML.
fn markup(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    safe
}
