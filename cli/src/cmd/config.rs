//! `config`: what the settings are, where they come from, and their change in an editor.

use crate::args::runs::ConfigCommand;
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::runs as report;
use service::settings::show;
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, command: &ConfigCommand) -> Result<Status, Failure> {
    match command {
        ConfigCommand::Check => check(terminal),
        ConfigCommand::Show => list(terminal),
        ConfigCommand::Edit => super::edit::run(terminal),
    }
}

/// Whatever is wrong was reported when the settings were read, as before every command.
fn check(terminal: &Terminal) -> Result<Status, Failure> {
    let settings = &terminal.context.settings;
    let path = settings
        .path
        .as_ref()
        .map(|path| path.to_string_lossy().into_owned());
    let (remotes, sets) = (settings.remotes.len() as u64, settings.sets.0.len() as u64);
    match terminal.json() {
        true => output::object(&json!({
            "message_type": "summary",
            "file": path,
            "remotes": remotes,
            "sets": sets,
        }))?,
        false => {
            let path = path.map(|path| escape(path.as_bytes()));
            terminal.line(&report::settings_are_right(
                terminal.lang,
                path.as_deref(),
                remotes,
                sets,
            ))?;
        }
    }
    Ok(Status::Completed)
}

fn list(terminal: &Terminal) -> Result<Status, Failure> {
    let file = terminal.context.settings.path.as_deref();
    let shown = show::effective(file)?;
    let from = |line: Option<usize>| match (file, line) {
        (Some(file), Some(line)) => format!("{}:{line}", file.display()),
        _ => "default".to_string(),
    };
    let mut out = Lines::new();
    if terminal.json() {
        for one in &shown {
            out.object(&json!({
                "message_type": "setting",
                "key": one.key,
                "value": one.value,
                "from": from(one.line),
            }));
        }
        out.object(&json!({ "message_type": "summary", "settings": shown.len() }));
    } else {
        let rows = shown.iter().map(|one| {
            let from = match one.line {
                Some(_) => from(one.line),
                None => report::default_value(terminal.lang),
            };
            let value = escape(one.value.as_bytes());
            vec![one.key.clone(), value, escape(from.as_bytes())]
        });
        let rows: Vec<_> = rows.collect();
        out.line(text::table(&report::setting_columns(terminal.lang), &[], &rows).trim_end());
    }
    out.finish().map(|()| Status::Completed)
}
