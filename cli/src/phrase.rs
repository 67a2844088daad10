//! A recovery phrase that is shown on a terminal, and some words of which must be typed back: whoever does that has written
//! it down.

use crate::output;
use crate::terminal::Terminal;
use service::Failure;
use service::catalogue::report::setup as say;
use service::catalogue::{Question, SetCause};
use service::face::{Activity, Decisions, Face, Notice, Watch};
use service::secret::{Hidden, PasswordPrompt};
use std::io::{self, BufRead, Write};

/// Words of the recovery phrase that must be typed.
const WORDS: usize = 3;

/// The terminal, but for the recovery phrase, which must be typed back.
pub struct Confirming<'a> {
    terminal: &'a Terminal,
    /// Was asked for already.
    password: Option<Hidden>,
}

impl<'a> Confirming<'a> {
    pub fn new(terminal: &'a Terminal) -> Confirming<'a> {
        let password = None;
        Confirming { terminal, password }
    }

    /// The same, with a password that is not asked for again.
    pub fn with_password(terminal: &'a Terminal, password: Hidden) -> Confirming<'a> {
        let password = Some(password);
        Confirming { terminal, password }
    }

    /// Three words of the phrase, in their order.
    fn confirm_words(&self, phrase: &str) -> Result<bool, Failure> {
        let words: Vec<&str> = phrase.split_whitespace().collect();
        for number in places(words.len()) {
            let answer = Hidden::take(line(&say::which_word(self.terminal.lang, number + 1))?);
            let typed = answer.expose().to_lowercase();
            if words.get(number).is_none_or(|word| typed != *word) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Which words are asked for: one of each third, so that all of the paper is looked at.
fn places(words: usize) -> Vec<usize> {
    let third = (words / WORDS).max(1);
    let mut places = Vec::new();
    for part in 0..WORDS {
        // Not a secret: which of the words is of no help to anybody.
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), part);
        let within = usize::try_from(random % third as u64).unwrap_or_default();
        places.push((part * third + within).min(words.saturating_sub(1)));
    }
    places
}

/// What is typed after a prompt. The end of the input ends the setup.
pub fn line(prompt: &str) -> Result<String, Failure> {
    let mut err = io::stderr();
    let mut answer = String::new();
    let read = write!(err, "{prompt}")
        .and_then(|()| err.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer));
    match read {
        Ok(0) => Err(SetCause::SetupEnded.into()),
        Ok(_) => Ok(answer.trim().to_string()),
        Err(e) => Err(SetCause::CannotType { why: e.into() }.into()),
    }
}

impl Face for Confirming<'_> {
    fn password(&self, prompt: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        match &self.password {
            Some(password) => Ok(Some(password.clone())),
            None => self.terminal.password(prompt),
        }
    }

    fn can_confirm(&self) -> bool {
        self.terminal.can_confirm()
    }

    fn confirm(&self, question: &Question) -> Result<bool, Failure> {
        self.terminal.confirm(question)
    }

    fn decided(&self, decisions: &Decisions) -> Result<(), Failure> {
        self.terminal.decided(decisions)
    }

    fn can_show_phrase(&self) -> bool {
        self.terminal.can_show_phrase()
    }

    fn show_phrase(&self, phrase: &str) -> Result<(), Failure> {
        loop {
            self.terminal.show_phrase(phrase)?;
            line(&format!("{}: ", say::write_down(self.terminal.lang)))?;
            // Off the screen, and out of what can be scrolled back to.
            output::show(b"\x1b[H\x1b[2J\x1b[3J")?;
            if self.confirm_words(phrase)? {
                output::say(&say::phrase_confirmed(self.terminal.lang));
                return Ok(());
            }
            output::say(&say::wrong_word(self.terminal.lang));
        }
    }

    fn confirms_phrase(&self) -> bool {
        true
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.terminal.notice(notice);
    }

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        self.terminal.start(activity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_whole_phrase_are_asked_for() {
        for _ in 0..100 {
            let places = places(24);
            let thirds: Vec<usize> = places.iter().map(|place| place / 8).collect();
            assert_eq!(thirds, [0, 1, 2], "{places:?}");
        }
    }
}
