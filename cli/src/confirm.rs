//! The question before something is removed. Nobody is asked where nobody could answer: then `--yes` must have said it.

use crate::context::Context;
use crate::exit::Failure;
use std::io::{self, BufRead, IsTerminal, Write};

/// Goes on if `yes` was given or the person at the terminal says so; `what` is a question without its mark.
pub fn ask(context: &Context, yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if context.json() || !terminal {
        return Err(Failure::usage(format!(
            "{what}? Nobody can be asked here: --yes says so, --dry-run shows what would be done"
        )));
    }
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
