//! Arguments of `stats`.

use super::snapshot::FilterArgs;
use clap::{Args, ValueEnum};

#[derive(Args, Clone, Debug, Default)]
pub struct StatsArgs {
    /// Count only what these snapshots hold (default: the whole repository)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// What total_size in '--json' counts
    #[arg(long, value_enum, default_value_t = StatsMode::RestoreSize)]
    pub mode: StatsMode,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StatsMode {
    /// What restoring every one of the snapshots would write
    #[default]
    RestoreSize,
    /// What is stored for them
    RawData,
}
