//! `copy`: generations into a repository with other keys.

use crate::args::remotes::CopyArgs;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::listing;
use crate::output::Lines;
use crate::progress::Watcher;
use crate::render::text;
use crate::resolve::{self, Location};
use engine::copy::{self, Copied, Options};
use engine::units::format_bytes;
use engine::{SessionId, select};
use serde_json::{Value, json};

pub fn run(context: &Context, args: &CopyArgs) -> Result<Code, Failure> {
    let source = source(context, args)?;
    let options = Options {
        all: args.all,
        dry_run: args.dry_run,
        level: args.compression,
        host: resolve::host(None, &context.env)?,
        now: context.now_secs(),
    };
    let to = context.open()?;
    let sources = resolve::opening_source(args, &context.env, &source)?;
    let from = context.open_with(&source, sources)?;
    let all = listing::read(context, &from)?;
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
            Code::Failed,
            "no snapshot matches; nothing was copied",
        ));
    }
    let watcher = Watcher::start(context, "copy")?;
    let copied = copy::run(&from, &to, &chosen, &options, &watcher)?;
    watcher.finish();
    tell(context, args, &copied)?;
    Ok(match (copied.hurt, copied.unread) {
        (0, 0) => all.code(),
        (0, _) => all.code().max(Code::Failed),
        _ => Code::Damage,
    })
}

/// Where it is copied from: --from, or DEDUP_FROM_REPOSITORY.
fn source(context: &Context, args: &CopyArgs) -> Result<Location, Failure> {
    let given = match &args.from {
        Some(text) => Some(text.as_str()),
        None => context.env.text("DEDUP_FROM_REPOSITORY")?,
    };
    match given.filter(|text| !text.is_empty()) {
        Some(text) => resolve::remote(text, &context.env),
        None => Err(Failure::usage(
            "say where to copy from: --from, or DEDUP_FROM_REPOSITORY",
        )),
    }
}

fn tell(context: &Context, args: &CopyArgs, copied: &Copied) -> Result<(), Failure> {
    let mut out = Lines::new();
    for copy in &copied.snapshots {
        let (from, to) = (copy.from.to_hex(), copy.to.map(|id| id.to_hex()));
        if context.json() {
            out.object(&json!({ "message_type": "copied", "source_id": from, "snapshot_id": to }));
        } else if context.talks() {
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
    if context.json() {
        out.object(&summary(args, copied));
    } else if context.talks() {
        out.line(&match copied.snapshots.len() as u64 {
            0 if copied.hurt + copied.unread > 0 => "No snapshot was copied".to_string(),
            0 => "Nothing to copy: every snapshot is there already".to_string(),
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
        "unread": copied.unread,
        "data_blobs": copied.chunks,
        "data_added": copied.data_added,
        "data_added_packed": copied.data_added_packed,
        "total_bytes_processed": copied.bytes_read,
    })
}
