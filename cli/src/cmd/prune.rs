//! `prune`: a retention policy, the one that is given or those of the sets, then the collection of garbage, whose cost is stated first.

use crate::args::PruneArgs;
use crate::args::values::MaxUnused;
use crate::output;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::{expiry, retention as report};
use service::expire::Expired;
use service::prune::{self, Collection, PruneSummary, Request, Unused};
use service::removal::Removed;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &PruneArgs) -> Result<Status, Failure> {
    // Of another day, only what its policy keeps can be told.
    let simulates = terminal.context.simulate.is_some();
    let dry_run = args.dry_run || simulates;
    let request = Request {
        filter: args.filter.filter()?,
        retention: args.keep.retention()?,
        of_sets: !args.gc_only,
        collection: (!args.no_gc && !simulates).then(|| collection(args)),
        yes: args.ask.yes,
        dry_run,
    };
    let report = prune::run(&terminal.context, &request, terminal)?;
    let summary = report.collected.as_ref().map(|collected| &collected.summary);
    tell(terminal, summary, (&report.removed, &report.expired), dry_run)?;
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
    (removed, expired): (&Removed, &Expired),
    dry_run: bool,
) -> Result<(), Failure> {
    if terminal.json() {
        let mut object = summary.map_or_else(|| json!({}), |summary| json!(summary));
        object["message_type"] = json!("summary");
        object["dry_run"] = json!(dry_run);
        object["snapshots_removed"] = json!(removed.count);
        object["snapshots_failed"] = json!(removed.failed);
        object["deleted_files_dropped"] = json!(expired.files);
        object["deleted_bytes_dropped"] = json!(expired.bytes);
        object["snapshots_changed"] = json!(expired.snapshots);
        return output::object(&object);
    }
    if !terminal.talks() {
        return Ok(());
    }
    let mut lines = expiry::expired(terminal.lang, expired, dry_run);
    lines.extend(report::pruned(terminal.lang, removed.count, summary, dry_run));
    if lines.is_empty() {
        return Ok(());
    }
    output::write((lines.join("\n") + "\n").as_bytes()).map(|_| ())
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
