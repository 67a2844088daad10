//! `copy`: generations into a repository with other keys.

use crate::args::remotes::CopyArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use engine::copy::{self, Copied, Options};
use engine::units::format_bytes;
use engine::{SessionId, select};
use serde_json::{Value, json};
use service::face::{Activity, Step};
use service::listing;
use service::resolve::{self, Location};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &CopyArgs) -> Result<Status, Failure> {
    let source = source(terminal, args)?;
    let options = Options {
        all: args.all,
        dry_run: args.dry_run,
        level: args.compression,
        host: terminal.context.host()?,
        now: terminal.context.now_secs(),
    };
    let to = terminal.open()?;
    let sources = resolve::opening_source(&args.into(), &terminal.context.env, &source)?;
    let from = terminal.context.open_with(&source, sources, terminal)?;
    let all = listing::read(&terminal.context, &from, terminal)?;
    let filter = args.filter.filter()?;
    let chosen: Vec<SessionId> = match args.snapshots.is_empty() && filter.is_empty() {
        true => Vec::new(),
        false if args.snapshots.is_empty() => filter.matching(&all.facts).iter().map(|f| f.id).collect(),
        false => {
            let chosen = select::choose_all(&all.facts, &args.snapshots, &filter)?;
            chosen.iter().map(|facts| facts.id).collect()
        }
    };
    if chosen.is_empty() && !filter.is_empty() {
        return Err(Failure::new(
            Status::Failed,
            "no snapshot matches; nothing was copied",
        ));
    }
    let watcher = Step::start(terminal, Activity::Copy)?;
    let copied = copy::run(&from, &to, &chosen, &options, &watcher)?;
    watcher.finish();
    tell(terminal, args, &copied)?;
    Ok(match copied.hurt {
        0 => all.status(),
        _ => Status::Damaged,
    })
}

/// Where it is copied from: --from, or DEDUP_FROM_REPOSITORY.
fn source(terminal: &Terminal, args: &CopyArgs) -> Result<Location, Failure> {
    let given = match &args.from {
        Some(text) => Some(text.as_str()),
        None => terminal.context.env.text("DEDUP_FROM_REPOSITORY")?,
    };
    match given.filter(|text| !text.is_empty()) {
        Some(text) => terminal.context.remote(text),
        None => Err(Failure::usage(
            "say where to copy from: --from, or DEDUP_FROM_REPOSITORY",
        )),
    }
}

fn tell(terminal: &Terminal, args: &CopyArgs, copied: &Copied) -> Result<(), Failure> {
    let mut out = Lines::new();
    for copy in &copied.snapshots {
        let (from, to) = (copy.from.to_hex(), copy.to.map(|id| id.to_hex()));
        if terminal.json() {
            out.object(&json!({ "message_type": "copied", "source_id": from, "snapshot_id": to }));
        } else if terminal.talks() {
            out.line(&match to {
                Some(to) => format!(
                    "Snapshot {} is copied as {}",
                    text::short(&from),
                    text::short(&to)
                ),
                None => format!("Snapshot {} would be copied", text::short(&from)),
            });
        }
    }
    if terminal.json() {
        out.object(&summary(args, copied));
    } else if terminal.talks() {
        out.line(&match copied.snapshots.len() as u64 {
            0 => "Nothing to copy: all is there".to_string(),
            n => format!(
                "{} {}: {} read, {} new at the target ({} stored)",
                text::count(n, "snapshot"),
                if args.dry_run { "to copy" } else { "copied" },
                format_bytes(copied.bytes_read),
                format_bytes(copied.data_added),
                format_bytes(copied.data_added_packed),
            ),
        });
        if args.dry_run {
            out.line("Dry run: nothing was written");
        }
    }
    out.finish()
}

fn summary(args: &CopyArgs, copied: &Copied) -> Value {
    json!({
        "message_type": "summary",
        "dry_run": args.dry_run,
        "snapshots": copied.snapshots.len(),
        "hurt": copied.hurt,
        "data_blobs": copied.chunks,
        "data_added": copied.data_added,
        "data_added_packed": copied.data_added_packed,
        "total_bytes_processed": copied.bytes_read,
    })
}
