//! `prune`: a retention policy if one is given, then the collection of garbage, whose cost is stated first.

use crate::args::PruneArgs;
use crate::args::values::MaxUnused;
use crate::output;
use crate::render::text;
use crate::terminal::Terminal;
use jiff::Timestamp;
use serde_json::json;
use service::prune::{self, Collection, PruneSummary, Request, Unused};
use service::removal::Removed;
use service::units::format_bytes;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &PruneArgs) -> Result<Status, Failure> {
    let request = Request {
        filter: args.filter.filter()?,
        retention: args.keep.retention()?,
        collection: (!args.no_gc).then(|| collection(args)),
        yes: args.ask.yes,
        dry_run: args.dry_run,
    };
    let report = prune::run(&terminal.context, &request, terminal)?;
    let summary = report.collected.as_ref().map(|collected| &collected.summary);
    tell(terminal, summary, &report.removed, args.dry_run)?;
    Ok(report.status())
}

fn collection(args: &PruneArgs) -> Collection {
    Collection {
        keep_trash: args.keep_trash,
        max_unused: match args.max_unused {
            MaxUnused::Bytes(bytes) => Unused::Bytes(bytes),
            MaxUnused::Share(hundredths) => Unused::Percent(f64::from(hundredths) / 100.0),
            MaxUnused::Unlimited => Unused::Unlimited,
        },
        max_repack: args.max_repack.unwrap_or(u64::MAX),
        exclusive: args.exclusive,
    }
}

/// What was removed and collected.
pub fn tell(
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
        let them = if removed.count == 1 { "it" } else { "them" };
        out += &match dry_run {
            true => format!("Would remove {what}\n"),
            false => format!("Removed {what}; 'dedup undelete' brings {them} back\n"),
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
pub fn costs(s: &PruneSummary) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    /// What `--help` shows as defaults are the defaults of a job.
    #[test]
    fn defaults_are_those_of_the_job() {
        let Command::Prune(args) = Cli::try_parse_from(["dedup", "prune"]).unwrap().command else {
            panic!("not prune")
        };
        let (typed, own) = (collection(&args), Collection::default());
        assert_eq!(format!("{typed:?}"), format!("{own:?}"));
    }
}
