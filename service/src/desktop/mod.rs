//! What the desktop of the user who runs this is asked for.

pub mod autostart;

use crate::catalogue::{Action, Cause};
use crate::failure::Failure;
use engine::platform::child;
use std::path::Path;
use std::process::Stdio;

/// The program by which desktops open what their user has chosen a program for.
const OPENER: &str = "xdg-open";

/// Opens a page in the user's browser.
pub fn open_page(url: &str) -> Result<(), Failure> {
    let url = url.to_string();
    let opened = child::command(OPENER).and_then(|mut command| {
        command.arg(url);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        child::start(move || command.spawn())
    });
    let mut browser = opened.map_err(|e| Cause::system(Action::Use, Path::new(OPENER), e))?;
    // Whether a page comes up is for its user to see.
    std::thread::spawn(move || browser.wait());
    Ok(())
}

/// The name on the session's bus of this process's icon in the panel.
pub fn icon_name() -> String {
    format!("org.kde.StatusNotifierItem-{}-1", std::process::id())
}
