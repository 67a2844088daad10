//! `prune`: a retention policy if one is given, then the collection of garbage, whose cost is stated first.

use crate::args::PruneArgs;
use crate::args::values::MaxUnused;
use crate::output;
use crate::removal::{self, Removed, removals};
use crate::render::text;
use crate::terminal::Terminal;
use engine::prune::{self, Options, PruneSummary};
use engine::repo::Repo;
use engine::units::format_bytes;
use engine::{Error, GcPolicy, StoreError, Unused};
use jiff::{Span, Timestamp};
use serde_json::json;
use service::face::{Activity, Face, Step, confirm_if_possible};
use service::failure::is_of_this_machine;
use service::{Failure, Status};
use service::{listing, resolve};

/// What `prune` does unless told otherwise.
const KEEP_TRASH_DAYS: i64 = 7;

pub fn run(terminal: &Terminal, args: &PruneArgs) -> Result<Status, Failure> {
    let filter = args.filter.filter()?;
    let policy = args.keep.policy()?;
    if policy.is_none() && args.no_gc {
        return Err(Failure::usage(
            "--no-gc without a --keep-* rule leaves nothing to do",
        ));
    }
    if policy.is_none() && !filter.is_empty() {
        return Err(Failure::usage(
            "--host, --tag and --path say which snapshots a --keep-* rule is for, and none was given",
        ));
    }
    let mut options = options(terminal, args)?;
    let repo = terminal.open()?;
    let mut code = Status::Completed;
    let mut removed = Removed::default();
    if let Some(policy) = &policy {
        let all = listing::read(&terminal.context, &repo, terminal)?;
        let decisions = removal::by_policy(terminal, &all, policy, &args.keep, &filter);
        removal::print(terminal, &decisions, &args.keep, args.dry_run)?;
        removal::check(terminal, &decisions, &args.keep)?;
        if args.dry_run {
            options.assume_gone = removals(&decisions).map(|gone| gone.facts.id).collect();
        }
        removed = removal::remove(terminal, &repo, &decisions, args.dry_run, args.yes)?;
        code = removed.status.max(all.status());
    }
    match args.no_gc {
        false => Ok(code.max(collect(terminal, &repo, &options, args.yes, &removed)?)),
        true => {
            tell(terminal, None, &removed, args.dry_run)?;
            Ok(code)
        }
    }
}

fn options(terminal: &Terminal, args: &PruneArgs) -> Result<Options, Failure> {
    let max_unused = match args.max_unused {
        MaxUnused::Bytes(bytes) => Unused::Bytes(bytes),
        MaxUnused::Share(hundredths) => Unused::Percent(f64::from(hundredths) / 100.0),
        MaxUnused::Unlimited => Unused::Unlimited,
    };
    let gc = GcPolicy {
        max_unused,
        max_repack: args.max_repack.unwrap_or(u64::MAX),
    };
    Ok(Options {
        keep_trash: seconds(terminal, &args.keep_trash)?,
        exclusive: args.exclusive,
        ..with(terminal, gc, args.dry_run)?
    })
}

/// How far back a span reaches from now.
fn seconds(terminal: &Terminal, span: &Span) -> Result<u64, Failure> {
    let then = terminal.context.now.checked_sub(*span);
    let then = then.map_err(|e| Failure::usage(format!("--keep-trash is too long: {e}")))?;
    Ok(terminal
        .context
        .now_secs()
        .saturating_sub(then.timestamp().as_second())
        .max(0)
        .cast_unsigned())
}

fn with(terminal: &Terminal, gc: GcPolicy, dry_run: bool) -> Result<Options, Failure> {
    Ok(Options {
        dry_run,
        host: terminal.context.host()?,
        ..Options::new(gc, terminal.context.now_secs())
    })
}

/// What `forget --prune` does: as `prune` with no option.
pub fn gc_only(terminal: &Terminal, dry_run: bool) -> Result<Options, Failure> {
    let gc = GcPolicy {
        max_unused: Unused::Percent(5.0),
        max_repack: u64::MAX,
    };
    Ok(Options {
        keep_trash: seconds(terminal, &Span::new().days(KEEP_TRASH_DAYS))?,
        ..with(terminal, gc, dry_run)?
    })
}

/// Collects garbage. Where it must ask, it plans first and says what it would cost.
pub fn collect(
    terminal: &Terminal,
    repo: &Repo,
    options: &Options,
    yes: bool,
    removed: &Removed,
) -> Result<Status, Failure> {
    if !options.dry_run && !yes && terminal.can_confirm() {
        let plan = Options {
            dry_run: true,
            ..options.clone()
        };
        let watcher = Step::start(terminal, Activity::Prune)?;
        let planned = prune::run(repo, &plan, &watcher)?;
        watcher.finish();
        output::say(costs(&planned).trim_end());
        confirm_if_possible(terminal, false, "Collect garbage")?;
    }
    let watcher = Step::start(terminal, Activity::Prune)?;
    let summary = prune::run(repo, options, &watcher).map_err(|e| match e {
        Error::Store(StoreError::NoSpace { ref object }) if !is_of_this_machine(object) => Failure::new(
            Status::OutOfSpace,
            format!("{e}: nothing could be freed; a few kilobytes of room are enough to begin"),
        ),
        e => e.into(),
    })?;
    let tally = watcher.finish();
    tell(terminal, Some(&summary), removed, options.dry_run)?;
    Ok(tally.status())
}

fn tell(
    terminal: &Terminal,
    summary: Option<&PruneSummary>,
    removed: &Removed,
    dry_run: bool,
) -> Result<(), Failure> {
    if terminal.json() {
        let mut object = summary.map_or_else(|| json!({}), |summary| json!(summary));
        object["message_type"] = json!("summary");
        object["dry_run"] = json!(dry_run);
        object["snapshots_removed"] = json!(removed.count);
        object["snapshots_failed"] = json!(removed.failed);
        return output::object(&object);
    }
    if !terminal.talks() {
        return Ok(());
    }
    let mut out = String::new();
    if removed.count > 0 {
        let what = text::count(removed.count, "snapshot");
        out += &match dry_run {
            true => format!("Would remove {what}\n"),
            false => format!("Removed {what}: in the trash, where 'dedup undelete' finds them\n"),
        };
    }
    if let Some(summary) = summary {
        out += &match dry_run {
            true => costs(summary),
            false => done(summary),
        };
    }
    if dry_run {
        out += "Dry run: nothing was changed\n";
    }
    output::write(out.as_bytes()).map(|_| ())
}

/// What a collection will do and what it takes, before it begins.
fn costs(s: &PruneSummary) -> String {
    let mut out = format!(
        "Needed by {}: {} of {} in {}\n",
        text::count(s.snapshots, "snapshot"),
        format_bytes(s.bytes_needed),
        format_bytes(s.bytes_total),
        text::count(s.packs_total, "pack"),
    );
    if s.trash_discarded > 0 {
        let ended = text::count(s.trash_discarded, "removed snapshot");
        out += &format!("{ended} could no longer be undeleted\n");
    }
    if s.trash_kept > 0 {
        let kept = text::count(s.trash_kept, "removed snapshot");
        out += &format!(
            "{kept} can be undeleted for now, and what only they need stays ('--keep-trash 0s' frees it)\n"
        );
    }
    if s.packs_unneeded == 0 && s.packs_repack == 0 {
        return out + "Nothing to free\n" + &waiting(s);
    }
    out += &format!(
        "To free: {}, by deleting {} and rewriting {}\n",
        format_bytes(s.bytes_freed),
        text::count(s.packs_unneeded, "pack"),
        text::count(s.packs_repack, "pack"),
    );
    out += &format!(
        "Cost: {} read and written again, about {}, at most {} more space meanwhile\n",
        format_bytes(s.bytes_moved),
        text::count(s.requests, "request"),
        format_bytes(s.bytes_peak_extra),
    );
    out += &format!("Left unused: {}\n", format_bytes(s.bytes_kept_unused));
    out += &waiting(s);
    out
}

fn done(s: &PruneSummary) -> String {
    let mut out = match s.packs_deleted {
        0 if s.trash_kept > 0 && s.trash_discarded == 0 => return nothing_yet(s) + &waiting(s),
        0 => "No data to delete\n".to_string(),
        packs => format!(
            "Deleted {}, {}\n",
            text::count(packs, "pack"),
            format_bytes(s.bytes_deleted)
        ),
    };
    if s.bytes_moved > 0 && !s.no_space {
        out += &format!("Rewrote {}\n", format_bytes(s.bytes_moved));
    }
    if s.trash_discarded > 0 {
        let ended = text::count(s.trash_discarded, "removed snapshot");
        out += &format!("{ended} can no longer be undeleted\n");
    }
    if s.trash_kept > 0 {
        let kept = text::count(s.trash_kept, "removed snapshot");
        out += &format!("{kept} can still be undeleted, so that their data stays\n");
    }
    if s.no_space {
        out +=
            "The repository was full, so only whole packs were deleted: run it again to rewrite the others\n";
    }
    out += &waiting(s);
    out
}

/// Nothing could be deleted, as what was removed can still be undeleted.
fn nothing_yet(s: &PruneSummary) -> String {
    let kept = text::count(s.trash_kept, "snapshot");
    let until = match (s.trash_kept, Timestamp::from_second(s.trash_until)) {
        (1, Ok(at)) => format!("is in the trash until {}", text::time(at)),
        (_, Ok(at)) => format!("are in the trash, the first until {}", text::time(at)),
        (1, Err(_)) => "is in the trash".to_string(),
        (_, Err(_)) => "are in the trash".to_string(),
    };
    format!("Nothing freed yet: {kept} {until}; '--keep-trash 0s' ends them now\n")
}

fn waiting(s: &PruneSummary) -> String {
    match s.pending {
        false => String::new(),
        true => format!(
            "Waiting for {}: run it again when they have ended, to delete the rest\n",
            text::count(s.sessions_waited_for, "running backup")
        ),
    }
}
