//! `heal`: mends one replica from others.

use crate::args::remotes::HealArgs;
use crate::output::Lines;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::damage as report;
use service::heal::{self, Healed, Request};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &HealArgs) -> Result<Status, Failure> {
    let request = Request {
        from: args.from.clone(),
        read_data: args.read_data,
        dry_run: args.dry_run,
    };
    let report = heal::run(&terminal.context, &request, terminal)?;
    tell(terminal, args, &report.healed)?;
    Ok(report.status())
}

fn tell(terminal: &Terminal, args: &HealArgs, healed: &Healed) -> Result<(), Failure> {
    let mut out = Lines::new();
    if terminal.json() {
        let mut object = json!(healed);
        object["message_type"] = json!("summary");
        object["dry_run"] = json!(args.dry_run);
        object["whole"] = json!(healed.is_whole());
        out.object(&object);
    } else if terminal.talks() {
        let lines = report::healed(terminal.lang, healed, args.read_data, args.dry_run);
        lines.iter().for_each(|line| out.line(line));
    }
    out.finish()
}
