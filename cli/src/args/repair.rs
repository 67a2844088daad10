//! Options of `repair`.

use clap::{Args, Subcommand};

/// In this order each makes the next mend more.
#[derive(Subcommand, Clone, Debug)]
pub enum RepairCommand {
    /// List the packs again that no sound index segment lists
    Index(RepairArgs),
    /// Copy what is whole in damaged packs; what is lost, the next backup stores again if it still has it
    Packs(RepairPacksArgs),
    /// Make a successor of each snapshot that lost something, with the rest; the old one stays
    #[command(visible_alias = "manifests")]
    Snapshots(RepairSnapshotsArgs),
}

#[derive(Args, Clone, Debug)]
pub struct RepairArgs {
    /// Only show what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct RepairPacksArgs {
    /// Packs that 'check' named (default: read all data and find them)
    #[arg(value_name = "PACK")]
    pub packs: Vec<String>,
    #[command(flatten)]
    pub how: RepairArgs,
}

#[derive(Args, Clone, Debug)]
pub struct RepairSnapshotsArgs {
    /// Snapshots to look through (default: all)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    #[command(flatten)]
    pub how: RepairArgs,
}
