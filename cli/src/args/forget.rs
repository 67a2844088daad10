//! `forget`: which snapshots go to the trash.

use super::AskArgs;
use super::retention::KeepArgs;
use super::snapshot::FilterArgs;
use clap::Args;

#[derive(Args, Clone, Debug)]
pub struct ForgetArgs {
    /// Snapshots to remove; then no policy may be given
    #[arg(value_name = "SNAPSHOT", conflicts_with = "KeepArgs")]
    pub snapshots: Vec<String>,
    /// Give up the named snapshots, which can't be read: the next prune frees what only they need
    #[arg(long, requires = "snapshots", conflicts_with_all = ["KeepArgs", "FilterArgs", "prune"])]
    pub unreadable: bool,
    /// Accept that snapshots known to this machine are gone from the storage (all, or the named ones): they no longer
    /// stop 'prune', and are no longer reported
    #[arg(long, conflicts_with_all = ["KeepArgs", "FilterArgs", "prune", "unreadable"])]
    pub lost: bool,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Collect garbage afterwards, as 'prune --gc-only' does
    #[arg(long)]
    pub prune: bool,
    #[command(flatten)]
    pub ask: AskArgs,
    /// Show what would be removed and why; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub keep: KeepArgs,
}
