//! The question before something is removed. Where nobody can answer, what was asked for in so many words is the
//! answer, such as a policy; what can't be taken back needs `--yes`.

use crate::context::Context;
use crate::exit::Failure;
use std::io::{self, BufRead, IsTerminal, Write};

/// Somebody is at the terminal, and reads what is written there.
pub fn can_ask(context: &Context) -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && !context.json()
}

/// Asks, where somebody can answer.
pub fn ask_at_terminal(context: &Context, yes: bool, what: &str) -> Result<(), Failure> {
    match can_ask(context) {
        true => ask(context, yes, what),
        false => Ok(()),
    }
}

/// Goes on if `yes` was given or the person at the terminal says so; `what` is a question without its mark.
pub fn ask(context: &Context, yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !can_ask(context) {
        return Err(Failure::usage(format!(
            "{what}? This is not a terminal, so nobody can answer: add --yes"
        )));
    }
    let mut err = io::stderr();
    let mut answer = String::new();
    let asked = write!(err, "{what}? [y/N] ")
        .and_then(|()| err.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer));
    asked.map_err(|e| Failure::usage(format!("can't ask: {e}; add --yes")))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::usage("not confirmed; nothing was changed")),
    }
}
