//! The question before something is removed. Nobody is asked where nobody could answer: then `--yes` must have said it.

use crate::context::Context;
use crate::exit::Failure;
use std::io::{self, BufRead, IsTerminal, Write};

/// Whether [`ask`] could: to be called before long work that ends in a question.
pub fn possible(context: &Context, yes: bool, what: &str) -> Result<(), Failure> {
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    match yes || (terminal && !context.json()) {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "{what}? Nobody can be asked here: --yes says so, --dry-run shows what would be done"
        ))),
    }
}

/// Goes on if `yes` was given or the person at the terminal says so; `what` is a question without its mark.
pub fn ask(context: &Context, yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    possible(context, yes, what)?;
    let mut err = io::stderr();
    let mut answer = String::new();
    let asked = write!(err, "{what}? [y/N] ")
        .and_then(|()| err.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer));
    asked.map_err(|e| Failure::usage(format!("can't ask: {e}; --yes says so")))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::usage("not confirmed; nothing was changed")),
    }
}
