//! Options of the commands that are about the program and this machine, not about snapshots.

use super::values;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Directory for test data and a temporary repository, on the disk to be measured (default: the cache's)
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// How much data of each kind
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = values::size)]
    pub size: u64,
    /// How hard to compress: auto, fastest, better, max, or zstd's level from 1 to 19
    #[arg(long, value_name = "LEVEL", default_value = "auto", value_parser = values::compression)]
    pub compression: i32,
}

#[derive(Args, Clone, Debug, Default)]
pub struct StatsArgs {
    /// What total_size in '--json' counts
    #[arg(long, value_enum, default_value_t = StatsMode::RestoreSize)]
    pub mode: StatsMode,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StatsMode {
    /// What restoring every snapshot would write
    #[default]
    RestoreSize,
    /// What the repository stores
    RawData,
}

#[derive(Subcommand, Debug)]
pub enum CacheCommand {
    /// Show where the cache is and how large it is
    Info,
    /// Remove the cache; the next command rebuilds it
    Clear,
}

#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Clone, Debug)]
pub struct HelpArgs {
    /// A command such as 'key add', or env, excludes or exit-codes
    pub topic: Vec<String>,
}
