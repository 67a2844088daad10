//! `drill`: proves that files can be restored.

use crate::args::DrillArgs;
use crate::args::values::SampleSize;
use crate::output::Lines;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::drill as report;
use service::drill::{self, DrillReport, DrilledSnapshot, Report, Request, Sample};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &DrillArgs) -> Result<Status, Failure> {
    let request = Request {
        what: args.what.clone(),
        sample: args.sample.map(|sample| match sample {
            SampleSize::Files(files) => Sample::Files(files),
            SampleSize::Bytes(bytes) => Sample::Bytes(bytes),
            SampleSize::Share(hundredths) => Sample::Percent(f64::from(hundredths) / 100.0),
        }),
        scratch: args.scratch.clone(),
    };
    let done = drill::run(&terminal.context, &request, terminal)?;
    let mut out = Lines::new();
    if terminal.json() {
        done.drilled.iter().for_each(|one| out.object(&snapshot(one)));
        out.object(&summary(&done));
    } else if terminal.talks() {
        report::drilled(terminal.lang, &done)
            .iter()
            .for_each(|line| out.line(line));
    }
    out.finish().map(|()| done.status())
}

fn snapshot(one: &DrilledSnapshot) -> Value {
    let mut object = json!(one.found);
    object["message_type"] = json!("drilled");
    object["set"] = json!(one.set);
    object["snapshot_id"] = json!(one.snapshot.id.to_hex());
    object["snapshot_time"] = json!(one.snapshot.manifest.time().to_string());
    object
}

fn summary(done: &Report) -> Value {
    let sum = |of: fn(&DrillReport) -> u64| done.drilled.iter().map(|one| of(&one.found)).sum::<u64>();
    json!({
        "message_type": "summary",
        "snapshots": done.drilled.len(),
        "files": sum(|found| found.files),
        "bytes": sum(|found| found.bytes),
        "different": sum(|found| found.different),
        "live_files": sum(|found| found.live_files),
        "live_changed": sum(|found| found.live_changed),
        "status": done.status().word(),
        "reason": done.status().reason(),
    })
}
