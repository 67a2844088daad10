//! `restore`: files back from one generation.

use crate::args::{self, RestoreArgs};
use crate::render::text;
use crate::terminal::Terminal;
use crate::{exit, output};
use engine::repo::{self, Repo};
use engine::restore::{self, Options, Overwrite, Patterns, Permissions, Summary};
use engine::units::{escape, format_bytes};
use serde_json::{Value, json};
use service::face::{Activity, ProblemCounts, Step};
use service::listing::{self, Among, Chosen};
use service::paths::{SnapshotSpec, absolute, from_root};
use service::resolve::{self, Location};
use service::{Failure, Status};
use std::time::Duration;

pub fn run(terminal: &Terminal, args: &RestoreArgs) -> Result<Status, Failure> {
    let spec = SnapshotSpec::parse(&args.args, args.choice.at.is_some());
    let options = options(args, &spec)?;
    let among = args.choice.among(&terminal.context.now)?;
    let (repo, chosen) = nearest(terminal, args, &spec, &among)?;
    let watcher = Step::start(terminal, Activity::Restore)?;
    let summary = restore::run(&repo, &chosen.manifest, &options, &watcher)?;
    repo.tell_damage(&watcher);
    let tally = watcher.finish();
    match terminal.json() {
        true => output::object(&object(&summary, &chosen, args))?,
        false if terminal.talks() => tell(&summary, &chosen, args, tally)?,
        false => {}
    }
    Ok(tally.status().max(chosen.status))
}

/// The first of the replicas, in the order in which they were named, that can be opened and has the snapshot. It reads
/// from the others what it lacks, and then from those that have names.
fn nearest(
    terminal: &Terminal,
    args: &RestoreArgs,
    spec: &SnapshotSpec,
    among: &Among,
) -> Result<(Repo, Chosen), Failure> {
    let mut places = vec![(String::new(), terminal.context.location()?)];
    for name in &args.also {
        places.push((name.clone(), terminal.context.remote(name)?));
    }
    let dirs = terminal.context.dirs()?;
    let mut failures = Vec::new();
    for (number, (_, place)) in places.iter().enumerate() {
        let found = terminal.context.open_at(place, terminal).and_then(|repo| {
            let chosen = listing::choose_for(&terminal.context, &repo, spec, among, terminal)?;
            Ok((repo, chosen))
        });
        match found {
            Ok((repo, chosen)) => {
                for failure in &failures {
                    output::say(&exit::line(failure, terminal.json()));
                }
                if number > 0 && terminal.talks() {
                    output::say(&format!("dedup: restoring from {}", repo.location()));
                }
                let others = others(terminal, &places, &resolve::absolute(&place.url)?);
                return Ok((repo.or_from(others, &dirs), chosen));
            }
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures.swap_remove(0))
}

/// Names and places of the replicas to turn to. A remote with a name that is no replica is passed over when it is.
fn others(terminal: &Terminal, places: &[(String, Location)], chosen: &str) -> Vec<(String, String)> {
    let asked = places
        .iter()
        .map(|(name, place)| (name.clone(), place.url.clone()));
    let named = terminal.context.settings.remotes.iter();
    let named = named.map(|remote| (remote.name.clone(), remote.url.clone()));
    let mut others: Vec<(String, String)> = Vec::new();
    for (name, url) in asked.chain(named) {
        if url != chosen && !others.iter().any(|(_, known)| *known == url) {
            let name = if name.is_empty() { repo::shown(&url) } else { name };
            others.push((name, url));
        }
    }
    others
}

fn options(args: &RestoreArgs, spec: &SnapshotSpec) -> Result<Options, Failure> {
    let patterns = |list: &[String]| Patterns {
        patterns: list.to_vec(),
        ..Patterns::default()
    };
    if args.target.as_os_str().is_empty() {
        return Err(Failure::usage("--target is empty"));
    }
    let paths = spec.paths.iter().map(|path| absolute(path));
    Ok(Options {
        subpath: spec.subpath.as_deref().map(from_root),
        paths: paths.collect::<Result<_, _>>()?,
        exclude: patterns(&args.exclude),
        include: patterns(&args.include),
        overwrite: match args.overwrite {
            args::Overwrite::Always => Overwrite::Always,
            args::Overwrite::IfChanged => Overwrite::IfChanged,
            args::Overwrite::IfNewer => Overwrite::IfNewer,
            args::Overwrite::Never => Overwrite::Never,
            args::Overwrite::Rename => Overwrite::Rename,
        },
        permissions: match args.permissions {
            args::Permissions::Original => Permissions::Original,
            args::Permissions::Current => Permissions::Current,
        },
        verify: args.verify,
        dry_run: args.dry_run,
        ..Options::new(&args.target)
    })
}

fn object(summary: &Summary, chosen: &Chosen, args: &RestoreArgs) -> Value {
    let mut object = json!(summary);
    object["message_type"] = json!("summary");
    object["snapshot_id"] = json!(chosen.id.to_hex());
    object["snapshot_time"] = json!(chosen.manifest.time().to_string());
    object["target"] = json!(args.target.to_string_lossy());
    object["dry_run"] = json!(args.dry_run);
    object
}

fn tell(s: &Summary, chosen: &Chosen, args: &RestoreArgs, tally: ProblemCounts) -> Result<(), Failure> {
    let target = escape(args.target.as_os_str().as_encoded_bytes());
    let took = text::took(Duration::try_from_secs_f64(s.seconds_elapsed).unwrap_or_default());
    let files = text::count(s.files_restored, "file");
    let bytes = format_bytes(s.bytes_restored);
    let from = format!("snapshot {} of {}", chosen.short, chosen.time);
    let mut out = match args.dry_run {
        true => format!("Would restore {files}, {bytes} from {from} to {target}\n"),
        false => format!("Restored {files}, {bytes} from {from} to {target} in {took}\n"),
    };
    if s.files_unchanged > 0 {
        let equal = text::grouped(s.files_unchanged);
        let bytes = format_bytes(s.bytes_unchanged);
        out += &match args.dry_run {
            true => format!("Would skip {equal} equal, {bytes}\n"),
            false => format!("Skipped {equal} equal, {bytes}\n"),
        };
    }
    let left = s.files_skipped - s.files_unchanged.min(s.files_skipped);
    if left > 0 {
        let bytes = format_bytes(s.bytes_skipped - s.bytes_unchanged.min(s.bytes_skipped));
        let left = text::count(left, "file");
        out += &format!("Left {left}, {bytes} as they are there\n");
    }
    if args.verify && !args.dry_run {
        let verified = text::count(s.files_verified, "file");
        out += &format!("Verified {verified}: read again from the target, and as they were saved\n");
    }
    let problems = tally.paths + tally.unreadable + tally.damage;
    if problems > 0 {
        let problems = text::count(problems, "problem");
        out += &format!("{problems}: what is named above was not restored, or not wholly\n");
    }
    output::write(out.as_bytes()).map(|_| ())
}
