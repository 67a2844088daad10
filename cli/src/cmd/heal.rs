//! `heal`: mends one replica from others.

use crate::args::remotes::HealArgs;
use crate::exit;
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use engine::heal::{self, Healed, Options};
use engine::repo::Repo;
use engine::units::{escape, format_bytes};
use engine::{Error, StoreError};
use serde_json::json;
use service::face::{Activity, Step};
use service::resolve;
use service::{Failure, Status};
use std::path::Path;

pub fn run(terminal: &Terminal, args: &HealArgs) -> Result<Status, Failure> {
    let location = terminal.context.location()?;
    let options = Options {
        read_data: args.read_data,
        dry_run: args.dry_run,
        threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
        host: terminal.context.host()?,
        now: terminal.context.now_secs(),
    };
    let repo = terminal.context.open_at(&location, terminal)?;
    let from = sources(terminal, args, &repo, &resolve::absolute(&location.url)?)?;
    let watcher = Step::start(terminal, Activity::Heal)?;
    let healed = heal::run(&repo, &from, &options, &watcher)?;
    watcher.finish();
    tell(terminal, args, &healed)?;
    Ok(match healed.is_whole() {
        true => Status::Completed,
        false => Status::Damaged,
    })
}

/// The replicas that were named, all of which must be there; or what can be had of those that have names, and of the
/// usual repository.
fn sources(terminal: &Terminal, args: &HealArgs, repo: &Repo, own: &str) -> Result<Vec<Repo>, Failure> {
    let dirs = terminal.context.dirs()?;
    let mut found = Vec::new();
    for text in &args.from {
        let url = terminal.context.remote(text)?.url;
        found.push(repo.open_replica(&url, &dirs)?);
    }
    if args.from.is_empty() {
        for (name, url) in known(terminal)? {
            if url == own {
                continue;
            }
            match repo.open_replica(&url, &dirs) {
                Ok(replica) => found.push(replica),
                // Another repository, which has a name too.
                Err(Error::Store(StoreError::Refused(_))) => {}
                Err(e) => {
                    let why = Failure::from(e).message;
                    let said = Failure::new(Status::Failed, format!("{name}: {why}"));
                    output::say(&exit::line(&said, terminal.json()));
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
fn known(terminal: &Terminal) -> Result<Vec<(String, String)>, Failure> {
    let location = resolve::usual(&terminal.context.env, &terminal.context.settings)?;
    let usual = resolve::absolute(&location.url)?;
    let remotes = terminal.context.settings.remotes.clone().into_iter();
    let mut known: Vec<_> = remotes.map(|remote| (remote.name, remote.url)).collect();
    let is_there = !location.embedded || Path::new(&usual).exists();
    if is_there && known.iter().all(|(_, url)| *url != usual) {
        known.push(("the usual repository".to_string(), usual));
    }
    Ok(known)
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
        (false, _) => format!(
            "Still lost: {} and {}, {} damaged. A backup stores again what its source still has; 'dedup repair' \
             recovers what it can of the rest",
            text::count(healed.chunks_lost, "chunk"),
            text::count(healed.snapshots_lost, "snapshot"),
            text::count(healed.damaged_paths, "path"),
        ),
    }
}
