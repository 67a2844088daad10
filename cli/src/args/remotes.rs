//! Options of the commands on several remotes.

use super::snapshot::FilterArgs;
use super::values::compression;
use clap::{Args, Subcommand};
use service::resolve::CopySourceOptions;
use std::ffi::OsString;

/// Remotes that have names, in dedup.toml.
#[derive(Subcommand, Clone, Debug)]
pub enum RemoteCommand {
    /// Name a remote; if nothing is there yet, create a replica: a repository with the same keys
    Add(RemoteAddArgs),
    /// List the remotes, and how far behind the replicas are
    List,
    /// Remove the name of a remote; what is stored there stays
    Remove(RemoteRemoveArgs),
}

#[derive(Args, Clone, Debug)]
pub struct RemoteAddArgs {
    /// Letters, digits, - and _
    pub name: String,
    pub url: String,
    /// The remote to make a replica of (default: the repository given with -r)
    #[arg(long, value_name = "NAME|URL")]
    pub like: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub struct RemoteRemoveArgs {
    pub name: String,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A replica is behind by the snapshots that are newer than the newest it has of the same host and paths. \
    Older ones that it lacks were removed by its own retention; --all brings them, too."
)]
pub struct ReplicateArgs {
    /// Replica to bring up to date (may be given several times; default: all that have names)
    #[arg(long, value_name = "NAME|URL")]
    pub to: Vec<String>,
    /// Also bring what the replica has removed, and what is older than what it has
    #[arg(long)]
    pub all: bool,
    /// Show what would be replicated; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Never deletes anything. What no replica has intact is stored again by the next backup whose source \
    still has it. Exit code 13 means that something is still lost."
)]
pub struct HealArgs {
    /// Replica to repair from (may be given several times; default: all named remotes)
    #[arg(long, value_name = "NAME|URL")]
    pub from: Vec<String>,
    /// Read all stored data to find what is damaged; otherwise only trees, and what is missing
    #[arg(long)]
    pub read_data: bool,
    /// Show what would be repaired; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The target is the repository given with -r. All data is decrypted, cut again and encrypted with the keys of \
    the target. For a repository with the same keys see 'dedup remote add' and 'dedup replicate'."
)]
pub struct CopyArgs {
    /// Snapshots to copy (default: what is newer than what the target has of the same host and paths)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// The repository to copy from (or DEDUP_FROM_REPOSITORY)
    #[arg(long, value_name = "NAME|URL")]
    pub from: Option<String>,
    /// Read the password of --from from the first line of FILE
    #[arg(long, value_name = "FILE", conflicts_with = "from_password_command")]
    pub from_password_file: Option<OsString>,
    /// Run COMMAND in a shell and use the first line of its output as the password of --from
    #[arg(long, value_name = "COMMAND")]
    pub from_password_command: Option<OsString>,
    /// Open --from with this key file
    #[arg(long, value_name = "FILE")]
    pub from_key_file: Option<OsString>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Also copy what the target has removed, and what is older than what it has
    #[arg(long)]
    pub all: bool,
    /// How hard to compress: auto, fastest, better, max, or zstd's level from 1 to 19
    #[arg(long, value_name = "LEVEL", default_value = "auto", value_parser = compression)]
    pub compression: i32,
    /// Read and compare, and show what would be stored; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

impl From<&CopyArgs> for CopySourceOptions {
    fn from(args: &CopyArgs) -> CopySourceOptions {
        CopySourceOptions {
            password_file: args.from_password_file.clone(),
            password_command: args.from_password_command.clone(),
            key_file: args.from_key_file.clone(),
        }
    }
}
