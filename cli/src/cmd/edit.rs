//! The settings file in the user's editor, as visudo does it: a copy is edited, and replaces the file only if it is valid.

use crate::output;
use crate::terminal::Terminal;
use service::catalogue::report::sets as report;
use service::catalogue::{CommandEnd, Question, SetCause};
use service::face::Face;
use service::platform::child;
use service::settings::edit::Draft;
use service::units::escape;
use service::{Failure, Status};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// What most systems have.
const USUAL_EDITORS: [&str; 3] = ["editor", "vi", "nano"];

pub fn run(terminal: &Terminal) -> Result<Status, Failure> {
    if !terminal.can_confirm() {
        return Err(SetCause::NobodyEdits.into());
    }
    let env = &terminal.context.env;
    let mut draft = Draft::open(env)?;
    let folder = tempfile::tempdir().map_err(|e| editor_failed("", CommandEnd::System(e.into())))?;
    let copy = folder.path().join("dedup.toml");
    let at_copy = |e: std::io::Error| editor_failed("", CommandEnd::System(e.into()));
    std::fs::write(&copy, &draft.before).map_err(at_copy)?;
    loop {
        open_editor(terminal, &copy)?;
        let bytes = std::fs::read(&copy).map_err(at_copy)?;
        // What is not UTF-8 is refused by the check.
        draft.after = String::from_utf8_lossy(&bytes).into_owned();
        if !draft.is_change() {
            terminal.line(&report::unchanged(terminal.lang))?;
            return Ok(Status::Completed);
        }
        let Err(failure) = draft.check(env) else { break };
        output::say(&crate::exit::line(&failure, terminal.lang, terminal.json()));
        if !terminal.confirm(&Question::EditAgain)? {
            return Err(failure.with(SetCause::NothingWritten.into()));
        }
    }
    draft.write(env)?;
    let file = escape(draft.path.display().to_string().as_bytes());
    terminal.line(&report::written(terminal.lang, &file))?;
    Ok(Status::Completed)
}

/// Waits until the user has closed it.
fn open_editor(terminal: &Terminal, file: &Path) -> Result<(), Failure> {
    let given = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| terminal.context.env.get(name));
    let usual = || {
        let found = USUAL_EDITORS
            .into_iter()
            .find(|name| child::command(name).is_ok());
        found.map(OsStr::new)
    };
    let editor = given.or_else(usual).ok_or(SetCause::NoEditor)?;
    // As git does: the variable may hold options, so the shell takes it apart, and not the path.
    let mut line = OsString::from(editor);
    line.push(" \"$1\"");
    let name = editor.to_string_lossy().into_owned();
    let failed = |e: std::io::Error| editor_failed(&name, CommandEnd::System(e.into()));
    let mut command = child::shell(&line).map_err(failed)?;
    command.arg("sh").arg(file);
    let mut child = child::start(move || command.spawn()).map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    match status.success() {
        true => Ok(()),
        false => Err(editor_failed(&name, CommandEnd::Status(status))),
    }
}

fn editor_failed(command: &str, why: CommandEnd) -> Failure {
    let command = command.to_string();
    SetCause::Editor { command, why }.into()
}
