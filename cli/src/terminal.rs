//! The face of the command line: the options of every command, the person at the terminal who can be asked, and
//! standard error, where everything that is not the answer goes.

use crate::args::Global;
use crate::output;
use crate::progress::Watcher;
use crate::render::{decisions, expiry};
use serde_json::json;
use service::catalogue::report::{keys as report, retention};
use service::catalogue::{Cause, Lang, Question, notice as notice_text};
use service::face::{Activity, Decisions, ExpiryNews, Face, Notice, Watch};
use service::json;
use service::platform::process::output_leads_nowhere;
use service::repo::Repo;
use service::secret::{Hidden, PasswordPrompt};
use service::{Context, Failure};
use std::io::{self, BufRead, IsTerminal, Write};
use zeroize::Zeroizing;

pub struct Terminal {
    pub global: Global,
    pub context: Context,
    /// What the person reads.
    pub lang: Lang,
}

impl Terminal {
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Prose may be printed: neither JSON nor quiet was asked for.
    pub fn talks(&self) -> bool {
        !self.global.json && !self.global.quiet
    }

    /// Prints one line that is not part of an answer.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        match self.talks() {
            true => output::line(text),
            false => Ok(()),
        }
    }

    /// Opens the repository. One that isn't there is reported before any secret is read or asked for.
    pub fn open(&self) -> Result<Repo, Failure> {
        self.context.open(self)
    }
}

impl Face for Terminal {
    fn password(&self, prompt: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        // Standard input may be data; a run with neither is a scheduled one, where no one could answer.
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            return Ok(None);
        }
        let (first, again) = report::password_prompt(self.lang, prompt != PasswordPrompt::Known);
        let password = prompt_line(first)?;
        match again.filter(|_| !password.expose().is_empty()) {
            Some(again) if prompt_line(again)? != password => Err(Cause::PasswordsDiffer.into()),
            _ => Ok(Some(password)),
        }
    }

    fn can_confirm(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal() && !self.json()
    }

    fn confirm(&self, question: &Question) -> Result<bool, Failure> {
        let question = report::yes_or_no(self.lang, &question.text(self.lang));
        let mut err = io::stderr();
        let mut answer = String::new();
        let asked = write!(err, "{question}")
            .and_then(|()| err.flush())
            .and_then(|()| io::stdin().lock().read_line(&mut answer));
        asked.map_err(|e| Cause::CannotAsk { why: e.into() })?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    fn decided(&self, decisions: &Decisions) -> Result<(), Failure> {
        match (self.json(), decisions.during) {
            // It prints restic's array in the end.
            (true, Activity::Forget) => Ok(()),
            (true, _) => decisions::objects(decisions),
            (false, _) if self.talks() => {
                let (now, day) = (self.context.now.timestamp(), self.context.simulate);
                decisions::tables(self.lang, decisions, now, day)
            }
            (false, _) => Ok(()),
        }
    }

    fn expiry(&self, news: &ExpiryNews<'_>) -> Result<(), Failure> {
        match self.json() {
            true => expiry::objects(news),
            false if self.talks() => expiry::lines(self.lang, news, self.global.verbose > 0),
            false => Ok(()),
        }
    }

    fn can_show_phrase(&self) -> bool {
        !output_leads_nowhere()
    }

    fn show_phrase(&self, phrase: &str) -> Result<(), Failure> {
        match self.json() {
            false => output::show(phrase_text(self.lang, phrase).as_bytes()),
            true => {
                let object = json::object("recovery_phrase", json!({ "recovery_phrase": phrase }));
                output::show(Zeroizing::new(json::line(&object) + "\n").as_bytes())
            }
        }
    }

    fn notice(&self, notice: &Notice<'_>) {
        let (lang, json) = (self.lang, self.json());
        let line = match notice {
            Notice::Listing(problem) if json => json::line(&json::problem(problem, "list")),
            Notice::Warning { during, warning } if json => json::line(&json::warning(warning, during)),
            Notice::PartFailed(failure) => crate::exit::line(failure, lang, json),
            Notice::RestoringFrom(_) | Notice::OlderSnapshot { .. } | Notice::OtherSources { .. }
                if !self.talks() =>
            {
                return;
            }
            Notice::PruneCosts(planned) => retention::costs(lang, planned).join("\n"),
            notice => format!("dedup: {}", notice_text(lang, notice)),
        };
        output::say(&line);
    }

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        Ok(Box::new(Watcher::start(
            &self.global,
            &self.context,
            self.lang,
            activity,
        )?))
    }
}

fn prompt_line(text: &str) -> Result<Hidden, Failure> {
    let line = rpassword::prompt_password(text);
    line.map(Hidden::take)
        .map_err(|e| Cause::CannotAskPassword { why: e.into() }.into())
}

/// The phrase as it is shown, this once: six words a line, so that it can be copied by hand.
fn phrase_text(lang: Lang, phrase: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(1024));
    out.push_str(&report::phrase_heading(lang));
    out.push_str("\n\n");
    let words: Vec<&str> = phrase.split(' ').collect();
    for line in words.chunks(6) {
        out.push_str("    ");
        out.push_str(&line.join(" "));
        out.push('\n');
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_is_whole() {
        let phrase = (0..24).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
        let shown = phrase_text(Lang::En, &phrase);
        let words: Vec<&str> = shown
            .lines()
            .filter(|l| l.starts_with("    "))
            .flat_map(str::split_whitespace)
            .collect();
        assert_eq!(words.join(" "), phrase);
    }
}
