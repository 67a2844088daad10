//! `init`: makes a repository, what opens it, and a recovery phrase that is shown this once.

use crate::args::{Chunker, InitArgs};
use crate::output;
use crate::render::{json, text};
use crate::terminal::Terminal;
use serde_json::json;
use service::init::{self, Bounds, Report, Request};
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
    let shown = |text: &str| escape(text.as_bytes());
    let mut out = String::new();
    let id = text::short(&made.id.to_hex());
    out.push_str(&format!(
        "Created repository {id} at {}\n",
        shown(&repo::shown(&made.location.url))
    ));
    if let Some(file) = &made.key_file {
        let path = shown(&file.path.display().to_string());
        let opens = if file.made {
            "Made the key file"
        } else {
            "Opened by the key file"
        };
        out.push_str(&format!(
            "{opens} {path}: keep a copy of it elsewhere, it opens the repository\n"
        ));
    }
    if !made.has_recovery_phrase && (made.key_file.is_none() || !made.has_password) {
        out.push_str(
            "There is no recovery phrase: without this password or key file nothing can be restored.\n",
        );
    }
    if !terminal.global.quiet {
        let option = match made.location.embedded {
            true => String::new(),
            false => format!("-r {} ", shown(&repo::shown(&made.location.url))),
        };
        out.push_str(&format!("\nNext: dedup {option}backup DIR\n"));
    }
    out
}
