//! `tray`: an icon in the desktop's panel.

use crate::output;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::tray as report;
use service::{Failure, Status};

pub fn run(terminal: &Terminal) -> Result<Status, Failure> {
    crate::signals::catch()?;
    let known = &terminal.context;
    let own = known.for_job(known.options.clone(), known.now.clone(), known.cancel().clone());
    console::show_tray(own, &mut || match terminal.json() {
        true => output::object(&json!({ "message_type": "tray" })),
        false => terminal.line(&report::shown(terminal.lang)),
    })?;
    Ok(Status::Completed)
}
