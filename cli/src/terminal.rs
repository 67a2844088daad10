//! The face of the command line: the options of every command, the person at the terminal who can be asked, and
//! standard error, where everything that is not the answer goes.

use crate::args::Global;
use crate::output;
use crate::progress::Watcher;
use crate::render::{json, text};
use engine::repo::Repo;
use serde_json::json;
use service::face::{Activity, Face, Notice, Watch};
use service::secret::{Hidden, PasswordPrompt};
use service::{Context, Failure};
use std::io::{self, BufRead, IsTerminal, Write};

pub struct Terminal {
    pub global: Global,
    pub context: Context,
}

impl Terminal {
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Prose may be printed: neither JSON nor quiet was asked for.
    pub fn talks(&self) -> bool {
        !self.global.json && !self.global.quiet
    }

    /// Opens the repository. One that isn't there is told before any secret is read or asked for.
    pub fn open(&self) -> Result<Repo, Failure> {
        self.context.open(self)
    }
}

impl Face for Terminal {
    fn password(&self, prompt: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        // Standard input may be data; a run with neither is a scheduled one, where nobody could answer.
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            return Ok(None);
        }
        let (first, again) = match prompt {
            PasswordPrompt::Known => ("Password: ", None),
            PasswordPrompt::New | PasswordPrompt::First => ("New password: ", Some("Repeat password: ")),
        };
        let password = prompt_line(first)?;
        match again.filter(|_| !password.expose().is_empty()) {
            Some(again) if prompt_line(again)? != password => Err(Failure::usage("the two passwords differ")),
            _ => Ok(Some(password)),
        }
    }

    fn can_confirm(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal() && !self.json()
    }

    fn confirm(&self, question: &str) -> Result<bool, Failure> {
        let mut err = io::stderr();
        let mut answer = String::new();
        let asked = write!(err, "{question}? [y/N] ")
            .and_then(|()| err.flush())
            .and_then(|()| io::stdin().lock().read_line(&mut answer));
        asked.map_err(|e| Failure::usage(format!("can't ask: {e}; add --yes")))?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    fn notice(&self, notice: &Notice<'_>) {
        match notice {
            Notice::WrongPassword => output::say("dedup: wrong password; try again"),
            Notice::NoKeyFile(path) => output::say(&format!(
                "dedup: there is no key file at {}: give another key, a password or the recovery phrase",
                path.display()
            )),
            Notice::Listing(problem) => output::say(&match self.json() {
                true => json::line(&json::problem(problem, "list")),
                false => format!("dedup: {}", text::problem(problem)),
            }),
            Notice::PartFailed(failure) => output::say(&crate::exit::line(failure, self.json())),
            Notice::RestoringFrom(location) if self.talks() => {
                output::say(&format!("dedup: restoring from {location}"));
            }
            Notice::OlderSnapshot { short, time } if self.talks() => output::say(&format!(
                "dedup: taken from snapshot {short} of {time}, the newest that holds it"
            )),
            Notice::RestoringFrom(_) | Notice::OlderSnapshot { .. } => {}
            Notice::Warning { during, why } => output::say(&match self.json() {
                true => json::line(&json::object(
                    "warning",
                    json!({ "error": { "message": why }, "during": during }),
                )),
                false => format!("dedup: warning: {}", service::units::escape(why.as_bytes())),
            }),
        }
    }

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        Ok(Box::new(Watcher::start(self, activity.word())?))
    }
}

fn prompt_line(text: &str) -> Result<Hidden, Failure> {
    let line = rpassword::prompt_password(text);
    line.map(Hidden::take)
        .map_err(|e| Failure::usage(format!("can't ask for the password: {e}")))
}
