//! `bench`: what this machine can do, and what a backup and a restore get of it.

use crate::args::BenchArgs;
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::bench::{self, BenchOptions, BenchReport};
use service::catalogue::Lang;
use service::catalogue::report::space::{self as say, Stage};
use service::face::{Activity, Step};
use service::machine;
use service::units::format_bytes;
use service::{Failure, Status};
use std::io;
use std::path::PathBuf;

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
        run: terminal.context.run()?,
        level: args.compression,
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
        false => output::write(tell(terminal.lang, &report).as_bytes()).map(|_| ())?,
    }
    Ok(code)
}

fn failed(dir: &std::path::Path, source: io::Error) -> Failure {
    service::Error::Io {
        what: "use for scratch",
        path: PathBuf::from(dir),
        source,
    }
    .into()
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
                run.what.to_string(),
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
