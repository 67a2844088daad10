//! `bench`: what this machine can do, and what a backup and a restore get of it.

use crate::args::BenchArgs;
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::json;
use service::bench::{self, BenchOptions, BenchReport};
use service::catalogue::en;
use service::face::{Activity, Step};
use service::machine;
use service::units::format_bytes;
use service::{Failure, Status};
use std::io;

pub fn run(terminal: &Terminal, args: &BenchArgs) -> Result<Status, Failure> {
    let on = match &args.scratch {
        Some(dir) => dir.clone(),
        None => machine::cache_dir(&terminal.context.env)?,
    };
    // Goes with everything in it, however this ends.
    let scratch = std::fs::create_dir_all(&on)
        .and_then(|()| tempfile::Builder::new().prefix("bench-").tempdir_in(&on))
        .map_err(|e| failed(&on, e))?;
    let watcher = Step::start(terminal, Activity::Bench)?;
    let options = BenchOptions {
        scratch: scratch.path().to_path_buf(),
        size: args.size,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(64)),
        level: args.compression,
        now: Timestamp::now(),
    };
    let report = bench::run(&options, &watcher);
    let code = watcher.finish().status();
    let report = report?;
    scratch.close().map_err(|e| failed(&on, e))?;
    match terminal.json() {
        true => {
            let mut object = json!(report);
            object["message_type"] = json!("summary");
            output::object(&object)?;
        }
        false => output::write(tell(&report).as_bytes()).map(|_| ())?,
    }
    Ok(code)
}

fn failed(dir: &std::path::Path, source: io::Error) -> Failure {
    Failure::io("use for scratch", dir, &source)
}

fn per_second(rate: f64) -> String {
    format!("{}/s", format_bytes(rate as u64))
}

fn tell(report: &BenchReport) -> String {
    let s = &report.stages;
    let rates = [
        ("read from memory", s.read),
        ("cut", s.cut),
        ("hash", s.hash),
        ("compress text", s.compress_text),
        ("compress noise", s.compress_noise),
        ("decompress text", s.decompress),
        ("seal", s.seal),
        ("open", s.open),
        ("write to disk", s.write),
    ];
    let mut rows: Vec<Vec<String>> = rates
        .iter()
        .map(|(name, rate)| vec![name.to_string(), per_second(*rate)])
        .collect();
    let micros = |seconds: f64| format!("{:.1} us", seconds * 1e6);
    rows.push(vec!["read a small file".to_string(), micros(s.small)]);
    rows.push(vec!["examine a file".to_string(), micros(s.examine)]);
    rows.push(vec!["make a file safe".to_string(), micros(s.sync)]);
    let mut out = text::table(&["Stage, one thread", "Rate"], &[1], &rows);
    let runs: Vec<Vec<String>> = report
        .runs
        .iter()
        .map(|run| {
            let part = format!("{:.0}%", 100.0 * run.rate / run.limit);
            let seconds = format!("{:.2} s", run.seconds);
            vec![
                en::measured_run(run.what).to_string(),
                seconds,
                per_second(run.rate),
                per_second(run.limit),
                part,
            ]
        })
        .collect();
    let threads = text::count(report.threads as u64, "thread");
    out += &format!("\nWhole runs with {threads}, beside what the stages allow\n");
    let head = ["Run", "Time", "Rate", "Limit", "Reached"];
    out += &text::table(&head, &[1, 2, 3, 4], &runs);
    out
}
