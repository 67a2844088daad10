//! `console`: the local web page.

use crate::args::program::ConsoleArgs;
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use console::{Options, Started};
use serde_json::json;
use service::catalogue::report::console as report;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &ConsoleArgs) -> Result<Status, Failure> {
    crate::signals::catch()?;
    let context = &terminal.context;
    let own = context.for_job(
        context.options.clone(),
        context.now.clone(),
        context.cancel().clone(),
    );
    let options = Options {
        listen: args.listen.clone(),
        reset_password: args.reset_password,
    };
    console::serve(own, &options, &mut |started| tell(terminal, started))?;
    Ok(Status::Completed)
}

fn tell(terminal: &Terminal, started: &Started) -> Result<(), Failure> {
    if terminal.json() {
        return output::object(&json!({
            "message_type": "console",
            "url": started.place,
            "link": started.link,
        }));
    }
    let mut out = Lines::new();
    out.line(&report::listening(terminal.lang, &started.place));
    if let Some(link) = &started.link {
        out.line(&report::first_link(terminal.lang, link));
    }
    out.finish()
}
