//! Options of the commands that are about paths in all snapshots: `purge`, `space`.

use super::{AskArgs, values};
use clap::{Args, ValueEnum};
use jiff::Span;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A name or pattern without / is looked for in every directory, as 'dedup find' does; one that begins \
    with / is a whole path. What is below a directory goes with it. Each snapshot that is changed gets a new id. \
    'dedup prune' frees the space, and replicas are purged on their own, with --repo."
)]
pub struct PurgeArgs {
    /// Names, paths or patterns to remove
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,
    /// Change protected snapshots, too; they stay protected
    #[arg(long)]
    pub force_protected: bool,
    /// With 0s: the old forms of the snapshots can't be brought back (otherwise 'dedup prune' decides how long they can)
    #[arg(long, value_name = "0s", value_parser = no_span)]
    pub keep_trash: Option<Span>,
    #[command(flatten)]
    pub ask: AskArgs,
    /// Show which snapshots would be changed; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

fn no_span(text: &str) -> Result<Span, String> {
    let span = values::span(text).map_err(|e| e.to_string())?;
    match span.is_zero() {
        true => Ok(span),
        false => Err("only 0s is possible: otherwise the next prune decides".to_string()),
    }
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The sizes are bytes as stored, compressed and without duplicates, in all snapshots together. Data \
    that something else needs, too, is not counted, because it would stay. Snapshots in the trash count as gone."
)]
pub struct SpaceArgs {
    /// Show what is in this directory (default: the one that all sources are in)
    #[arg(value_name = "PATH", conflicts_with = "by")]
    pub path: Option<PathBuf>,
    /// What is compared
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = SpaceBy::Path)]
    pub by: SpaceBy,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpaceBy {
    /// Files and directories
    Path,
    /// Sets of the settings
    Set,
    /// Single snapshots
    Snapshot,
}
