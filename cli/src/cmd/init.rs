//! `init`: makes a repository, what opens it, and a recovery phrase that is shown this once.

use crate::args::{Chunker, InitArgs};
use crate::output;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::keys as report;
use service::init::{self, Bounds, Report, Request};
use service::json;
use service::repo;
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &InitArgs) -> Result<Status, Failure> {
    let request = Request {
        // A program would keep what it is given.
        recovery_phrase: !args.no_recovery && (!terminal.json() || args.print_recovery_phrase),
        bounds: match args.chunker {
            Chunker::Default => Bounds::DEFAULT,
            Chunker::Fine => Bounds::FINE,
        },
        parity: args.parity,
    };
    let made = init::run(&terminal.context, &request, terminal)?;
    match terminal.json() {
        true => tell_json(&made)?,
        false => output::write(tell(terminal, &made).as_bytes()).map(|_| ())?,
    }
    Ok(Status::Completed)
}

fn tell_json(made: &Report) -> Result<(), Failure> {
    let object = json!({
        "id": made.id.to_hex(),
        "repository": repo::shown(&made.location.url),
        "key_file": made.key_file.as_ref().map(|file| file.path.display().to_string()),
        "recovery": made.has_recovery_phrase,
    });
    output::object(&json::object("initialized", object.clone()))?;
    output::object(&json::object("summary", object))
}

fn tell(terminal: &Terminal, made: &Report) -> String {
    let (lang, url) = (terminal.lang, shown(&repo::shown(&made.location.url)));
    let mut lines = vec![report::created(lang, &made.id.to_hex(), &url)];
    if let Some(file) = &made.key_file {
        let path = shown(&file.path.display().to_string());
        lines.push(report::opened_by(lang, &path, file.made));
    }
    if !made.has_recovery_phrase && (made.key_file.is_none() || !made.has_password) {
        lines.push(report::no_phrase(lang));
    }
    if !terminal.global.quiet {
        let option = match made.location.embedded {
            true => String::new(),
            false => format!("-r {url} "),
        };
        lines.push(String::new());
        lines.push(report::next_backup(lang, &option));
    }
    lines.join("\n") + "\n"
}

fn shown(text: &str) -> String {
    escape(text.as_bytes())
}
