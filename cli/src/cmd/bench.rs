//! `bench`: what this machine can do, and what a backup and a restore get of it.

use crate::args::BenchArgs;
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::bench::{self, BenchReport, Request};
use service::catalogue::report::space::{self as say, Stage};
use service::catalogue::{Lang, measured_run};
use service::units::format_bytes;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &BenchArgs) -> Result<Status, Failure> {
    let request = Request {
        scratch: args.scratch.clone(),
        size: args.size,
        level: args.compression,
    };
    let report = bench::run(&terminal.context, &request, terminal)?;
    match terminal.json() {
        true => {
            let mut object = json!(report.bench);
            object["message_type"] = json!("summary");
            output::object(&object)?;
        }
        false => output::write(tell(terminal.lang, &report.bench).as_bytes()).map(|_| ())?,
    }
    Ok(report.status)
}

fn per_second(rate: f64) -> String {
    format!("{}/s", format_bytes(rate as u64))
}

fn tell(lang: Lang, report: &BenchReport) -> String {
    let s = &report.stages;
    let rates = [
        (Stage::Read, s.read),
        (Stage::Cut, s.cut),
        (Stage::Hash, s.hash),
        (Stage::CompressText, s.compress_text),
        (Stage::CompressNoise, s.compress_noise),
        (Stage::DecompressText, s.decompress),
        (Stage::Seal, s.seal),
        (Stage::Open, s.open),
        (Stage::WriteToDisk, s.write),
    ];
    let name = |stage| say::stage(lang, stage).to_string();
    let mut rows: Vec<Vec<String>> = rates
        .iter()
        .map(|(stage, rate)| vec![name(*stage), per_second(*rate)])
        .collect();
    for (stage, seconds) in [
        (Stage::ReadSmallFile, s.small),
        (Stage::ExamineFile, s.examine),
        (Stage::SyncFile, s.sync),
    ] {
        rows.push(vec![name(stage), format!("{:.1} us", seconds * 1e6)]);
    }
    let mut out = text::table(&say::stage_columns(lang), &[1], &rows);
    let runs: Vec<Vec<String>> = report
        .runs
        .iter()
        .map(|run| {
            let part = format!("{:.0}%", 100.0 * run.rate / run.limit);
            let seconds = format!("{:.2} s", run.seconds);
            vec![
                measured_run(lang, run.what).to_string(),
                seconds,
                per_second(run.rate),
                per_second(run.limit),
                part,
            ]
        })
        .collect();
    out += &format!("\n{}\n", say::whole_runs(lang, report.threads as u64));
    out + &text::table(&say::run_columns(lang), &[1, 2, 3, 4], &runs)
}
