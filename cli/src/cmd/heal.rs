//! `heal`: mends one replica from others.

use crate::args::remotes::HealArgs;
use crate::config::Config;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::{self, Lines};
use crate::progress::Watcher;
use crate::render::text;
use crate::resolve;
use engine::heal::{self, Healed, Options};
use engine::repo::Repo;
use engine::units::{escape, format_bytes};
use engine::{Error, StoreError};
use serde_json::json;
use std::path::Path;

pub fn run(context: &Context, args: &HealArgs) -> Result<Code, Failure> {
    let location = context.location()?;
    let options = Options {
        read_data: args.read_data,
        dry_run: args.dry_run,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
        host: resolve::host(None, &context.env)?,
        now: context.now_secs(),
    };
    let repo = context.open_at(&location)?;
    let from = sources(context, args, &repo, &resolve::absolute(&location.url)?)?;
    let watcher = Watcher::start(context, "heal")?;
    let healed = heal::run(&repo, &from, &options, &watcher)?;
    watcher.finish();
    tell(context, args, &healed)?;
    Ok(match healed.is_whole() {
        true => Code::Ok,
        false if healed.is_lacking() => Code::Damage,
        false => Code::Failed,
    })
}

/// The replicas that were named, all of which must be there; or what can be had of those that have names, and of the
/// usual repository.
fn sources(context: &Context, args: &HealArgs, repo: &Repo, own: &str) -> Result<Vec<Repo>, Failure> {
    let mut found = Vec::new();
    for text in &args.from {
        let url = resolve::remote(text, &context.env)?.url;
        found.push(repo.open_replica(&url)?);
    }
    if args.from.is_empty() {
        for (name, url) in known(context)? {
            if url == own {
                continue;
            }
            match repo.open_replica(&url) {
                Ok(replica) => found.push(replica),
                // Another repository, which has a name too.
                Err(Error::Store(StoreError::Refused(_))) => {}
                Err(e) => {
                    let why = Failure::from(e).message;
                    let said = Failure::new(Code::Failed, format!("{name}: {why}"));
                    output::say(&said.line(context.json()));
                }
            }
        }
    }
    match found.is_empty() {
        true => Err(Failure::usage(
            "there is no replica to mend it from: give --from, or see 'dedup remote list'; a backup stores again what \
             its source still has",
        )),
        false => Ok(found),
    }
}

/// Names and URLs of what may be a replica.
fn known(context: &Context) -> Result<Vec<(String, String)>, Failure> {
    let location = resolve::usual(&context.env)?;
    let usual = resolve::absolute(&location.url)?;
    let remotes = Config::read(&context.env)?.remotes.into_iter();
    let mut known: Vec<_> = remotes.map(|remote| (remote.name, remote.url)).collect();
    let is_there = !location.embedded || Path::new(&usual).exists();
    if is_there && known.iter().all(|(_, url)| *url != usual) {
        known.push(("the usual repository".to_string(), usual));
    }
    Ok(known)
}

fn tell(context: &Context, args: &HealArgs, healed: &Healed) -> Result<(), Failure> {
    let mut out = Lines::new();
    if context.json() {
        let mut object = json!(healed);
        object["message_type"] = json!("summary");
        object["dry_run"] = json!(args.dry_run);
        object["whole"] = json!(healed.is_whole());
        out.object(&object);
    } else if context.talks() {
        lines(healed, args).iter().for_each(|line| out.line(line));
    }
    out.finish()
}

fn lines(healed: &Healed, args: &HealArgs) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        healed
            .mended
            .iter()
            .map(|name| format!("Mended {}", escape(name.as_bytes()))),
    );
    let packs = text::count(healed.packs_listed, "pack");
    match (healed.segments_damaged, healed.packs_listed) {
        (0, 0) => {}
        (0, _) => lines.push(format!("{packs} that no index segment listed: listed again")),
        (segments, _) => {
            let segments = text::count(segments, "damaged index segment");
            lines.push(format!("{segments}: {packs} listed again"));
        }
    }
    if healed.packs_damaged > 0 {
        let packs = text::count(healed.packs_damaged, "damaged pack");
        lines.push(format!(
            "{packs}, {} replaced by a good copy",
            text::grouped(healed.packs_mended)
        ));
    }
    if healed.chunks_brought > 0 {
        let chunks = text::count(healed.chunks_brought, "chunk");
        let came = if args.dry_run { "would come" } else { "came" };
        lines.push(format!(
            "{chunks} {came} from other replicas, {} sent",
            format_bytes(healed.bytes)
        ));
    }
    if healed.packs_unneeded > 0 {
        let packs = text::count(healed.packs_unneeded, "damaged pack");
        lines.push(format!(
            "{packs} that no snapshot needs: 'dedup prune' removes them"
        ));
    }
    lines.push(end(healed, args));
    if !args.read_data {
        lines.push("Only trees and what is missing was looked at: --read-data reads everything".to_string());
    }
    if args.dry_run {
        lines.push("Dry run: nothing was changed".to_string());
    }
    lines
}

/// What can be said in the end, and no more.
fn end(healed: &Healed, args: &HealArgs) -> String {
    match (healed.is_whole(), healed.was_whole()) {
        (true, true) => "Nothing that any snapshot needs was found lost or damaged".to_string(),
        (true, false) if args.dry_run => {
            "The replicas hold everything that is lost or damaged here".to_string()
        }
        (true, false) if args.read_data => "All that any snapshot needs is there again".to_string(),
        (true, false) => "All that was found lost or damaged is there again".to_string(),
        (false, _) if !healed.is_lacking() => format!(
            "{} could not be read, so nothing is known of their content. Run 'dedup heal' again when that is mended",
            text::count(healed.packs_unreadable, "pack")
        ),
        (false, _) => format!(
            "Still lost: {} and {}, {} damaged. A backup stores again what its source still has; 'dedup repair' \
             recovers what it can of the rest",
            text::count(healed.chunks_lost, "chunk"),
            text::count(healed.snapshots_lost, "snapshot"),
            text::count(healed.damaged_paths, "path"),
        ),
    }
}
