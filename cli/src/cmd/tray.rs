//! `tray`: an icon in the desktop's panel.

use super::schedule::program;
use crate::args::program::TrayArgs;
use crate::output;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::tray as report;
use service::desktop::autostart;
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &TrayArgs) -> Result<Status, Failure> {
    match (args.install, args.remove) {
        (true, _) => install(terminal, args.dry_run),
        (_, true) => remove(terminal, args.dry_run),
        _ => show(terminal, args.wait),
    }
}

fn show(terminal: &Terminal, waits: bool) -> Result<Status, Failure> {
    crate::signals::catch()?;
    let known = &terminal.context;
    let own = known.for_job(known.options.clone(), known.now.clone(), known.cancel().clone());
    console::show_tray(own, waits, &mut || match terminal.json() {
        true => output::object(&json!({ "message_type": "tray" })),
        false => terminal.line(&report::shown(terminal.lang)),
    })?;
    Ok(Status::Completed)
}

fn install(terminal: &Terminal, dry_run: bool) -> Result<Status, Failure> {
    let env = &terminal.context.env;
    let place = autostart::place(env)?;
    match dry_run {
        true => drop(autostart::entry(&program()?, env)?),
        false => autostart::install(&program()?, env)?,
    }
    match terminal.json() {
        true => output::object(&json!({
            "message_type": "summary",
            "file": place.to_string_lossy(),
            "dry_run": dry_run,
        }))?,
        false => {
            let shown = escape(place.as_os_str().as_encoded_bytes());
            terminal.line(&report::installed(terminal.lang, &shown, dry_run))?;
        }
    }
    Ok(Status::Completed)
}

fn remove(terminal: &Terminal, dry_run: bool) -> Result<Status, Failure> {
    let env = &terminal.context.env;
    let place = autostart::place(env)?;
    let removed = match dry_run {
        true => place.exists(),
        false => autostart::remove(env)?,
    };
    match terminal.json() {
        true => output::object(&json!({
            "message_type": "summary",
            "file": place.to_string_lossy(),
            "removed": removed,
            "dry_run": dry_run,
        }))?,
        false => {
            let shown = escape(place.as_os_str().as_encoded_bytes());
            terminal.line(&report::removed(terminal.lang, &shown, removed, dry_run))?;
        }
    }
    Ok(Status::Completed)
}
