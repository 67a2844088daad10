//! `serve`: snapshots over WebDAV and HTTP.

use crate::args::ServeArgs;
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use console::{DavOptions, DavStarted, serve_snapshots};
use serde_json::json;
use service::catalogue::report::browse as report;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &ServeArgs) -> Result<Status, Failure> {
    let options = DavOptions {
        listen: args.listen.clone(),
        filter: args.filter.filter()?,
    };
    let mut started = |started: &DavStarted| tell(terminal, started);
    serve_snapshots(&terminal.context, &options, terminal, &mut started)
}

fn tell(terminal: &Terminal, started: &DavStarted) -> Result<(), Failure> {
    let whole = format!("{}{}/", started.url, started.token);
    if terminal.json() {
        return output::object(&json!({
            "message_type": "serving",
            "url": whole,
            "token": started.token,
            "snapshots": started.snapshots,
        }));
    }
    // The address is the result, so it is printed with --quiet too.
    let mut out = Lines::new();
    out.line(&report::serving(terminal.lang, started.snapshots, &whole));
    if terminal.talks() {
        out.line(&report::serving_with_password(terminal.lang, &started.url));
    }
    out.finish()
}
