//! Options of the commands on several remotes.

use clap::{Args, Subcommand};

/// Remotes that have names, in dedup.toml.
#[derive(Subcommand, Clone, Debug)]
pub enum RemoteCommand {
    /// Give a remote a name; where nothing is yet, make a replica there: a repository with the same keys
    Add(RemoteAddArgs),
    /// List the remotes, and how far behind the replicas are
    List,
    /// Take a remote's name back; what is stored there stays
    Remove(RemoteRemoveArgs),
}

#[derive(Args, Clone, Debug)]
pub struct RemoteAddArgs {
    /// Letters, digits, - and _
    pub name: String,
    pub url: String,
    /// The remote to make a replica of (default: the repository that -r says)
    #[arg(long, value_name = "NAME|URL")]
    pub like: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub struct RemoteRemoveArgs {
    pub name: String,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A replica is behind by what is newer than the newest that it has of the same host and paths. \
    What is older and not there, its own retention removed: --all brings that too."
)]
pub struct ReplicateArgs {
    /// Replica to bring up to date (may be given several times; default: all that have names)
    #[arg(long, value_name = "NAME|URL")]
    pub to: Vec<String>,
    /// Bring also what the replica has removed, and what is older than what it has
    #[arg(long)]
    pub all: bool,
    /// Say what would be brought; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
