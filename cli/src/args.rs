//! What was typed: the commands and their options, as clap reads them. No defaults from the environment here
//! ([`service::resolve`]), no work; a value that can be judged alone is parsed here, so that it is a usage error.

pub mod backup;
pub mod forget;
pub mod program;
pub mod remotes;
pub mod repair;
pub mod retention;
pub mod runs;
pub mod snapshot;
pub mod values;

pub use backup::BackupArgs;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
pub use forget::ForgetArgs;
use jiff::Span;
pub use program::{BenchArgs, CacheCommand, CompletionsArgs, HelpArgs, StatsArgs, StatsMode};
use retention::KeepArgs;
use service::rates::RateSchedule;
use service::resolve::{NewSecretOptions, RepositoryOptions};
use service::units::{parse_size, parse_span};
use snapshot::{ChoiceArgs, FilterArgs};
use std::ffi::OsString;
use std::path::PathBuf;
use values::{GroupBy, MaxUnused, Subset, TagList};

/// Content-addressed, deduplicating, encrypted backup
#[derive(Parser, Debug)]
#[command(
    name = "dedup",
    version,
    propagate_version = false,
    disable_help_subcommand = true
)]
#[command(arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "To start: 'dedup init', then 'dedup backup DIR'.\n\
    More: 'dedup help COMMAND', 'dedup help env', 'dedup help exit-codes'.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command. An empty value overrides the environment.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Where the repository is (default: DEDUP_REPOSITORY, then one under ~/.local/share/dedup)
    #[arg(
        short,
        long,
        global = true,
        value_name = "URL",
        conflicts_with = "repository_file"
    )]
    pub repo: Option<OsString>,
    /// Read the repository's place from the first line of FILE
    #[arg(long, global = true, value_name = "FILE")]
    pub repository_file: Option<OsString>,
    /// Read the password from the first line of FILE
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        conflicts_with = "password_command"
    )]
    pub password_file: Option<OsString>,
    /// Run COMMAND in a shell; the first line it prints is the password
    #[arg(long, global = true, value_name = "COMMAND")]
    pub password_command: Option<OsString>,
    /// Open the repository with this key file
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<OsString>,
    /// Open the repository with the recovery phrase in FILE
    #[arg(long, global = true, value_name = "FILE")]
    pub recovery_phrase_file: Option<OsString>,
    /// Send at most RATE bytes a second to a repository on a network: 10M, or by the time of day 08:00=1M,18:00=unlimited
    #[arg(long, global = true, value_name = "RATE", value_parser = RateSchedule::parse)]
    pub limit_upload: Option<RateSchedule>,
    /// Receive at most RATE bytes a second from a repository on a network
    #[arg(long, global = true, value_name = "RATE", value_parser = RateSchedule::parse)]
    pub limit_download: Option<RateSchedule>,
    /// Print JSON; errors too, on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only what was asked for, and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more (given twice: every file)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Show no progress
    #[arg(long, global = true)]
    pub no_progress: bool,
}

impl From<&Global> for RepositoryOptions {
    fn from(global: &Global) -> RepositoryOptions {
        RepositoryOptions {
            repo: global.repo.clone(),
            repository_file: global.repository_file.clone(),
            password_file: global.password_file.clone(),
            password_command: global.password_command.clone(),
            key_file: global.key_file.clone(),
            recovery_phrase_file: global.recovery_phrase_file.clone(),
        }
    }
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Create a repository
    Init(InitArgs),
    /// Save files and directories as a new snapshot
    Backup(Box<BackupArgs>),
    /// Run configured sets: by name, all, or those that are due
    Run(runs::RunArgs),
    /// Show each set's last and next run, and what is overdue; opens no repository
    Status,
    /// Manage sets
    #[command(subcommand)]
    Set(runs::SetCommand),
    /// Show when sets run, and have the operating system look for what is due
    #[command(subcommand)]
    Schedule(runs::ScheduleCommand),
    /// Check and show the settings
    #[command(subcommand)]
    Config(runs::ConfigCommand),
    /// List what this machine's jobs did: backups, restores, deletions
    History(runs::HistoryArgs),
    /// Let nothing run by itself for a while; what runs by itself now ends at its next safe point
    Pause(runs::PauseArgs),
    /// End a pause
    Resume,
    /// Stop running backups at their next safe point
    Stop(runs::StopArgs),
    /// List snapshots
    #[command(visible_aliases = ["list", "generations"])]
    Snapshots(SnapshotsArgs),
    /// List the files of a snapshot
    Ls(LsArgs),
    /// Search for files in snapshots
    Find(FindArgs),
    /// Show what changed between two snapshots
    Diff(DiffArgs),
    /// Write a file of a snapshot to standard output, or a directory as an archive
    Dump(DumpArgs),
    /// Bring files back from a snapshot
    Restore(RestoreArgs),
    /// Remove snapshots, by id or by a policy; their data goes with the next prune
    Forget(ForgetArgs),
    /// Bring forgotten snapshots back, while they are in the trash
    Undelete(UndeleteArgs),
    /// Change the tags of snapshots
    Tag(TagArgs),
    /// Remove snapshots by a policy, if one is given, and then the data that no snapshot needs
    Prune(PruneArgs),
    /// Look for damage in the repository
    Check(CheckArgs),
    /// Mend what 'check' found, as far as it can be: only adds, and deletes nothing
    #[command(subcommand)]
    Repair(repair::RepairCommand),
    /// Give remotes names, and make replicas
    #[command(subcommand)]
    Remote(remotes::RemoteCommand),
    /// Bring replicas up to date
    Replicate(remotes::ReplicateArgs),
    /// Mend a replica from others: only adds
    Heal(remotes::HealArgs),
    /// Copy snapshots from a repository with other keys
    Copy(remotes::CopyArgs),
    /// Manage passwords, key files and the recovery phrase
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show how much the repository holds
    Stats(StatsArgs),
    /// Manage what is kept on this machine to be fast; it may be cleared at any time
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Measure this machine, and how much of what it can do a backup and a restore get
    Bench(BenchArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Do nothing: there are no locks. For scripts that were written for programs with some
    #[command(hide = true)]
    Unlock,
    /// Print the version
    Version,
    /// Explain a command, 'env' or 'exit-codes'
    Help(HelpArgs),
}

impl Command {
    /// It must work whatever is wrong with the settings: it uses none, and helps to put them right.
    pub fn only_explains(&self) -> bool {
        matches!(
            self,
            Command::Help(_) | Command::Version | Command::Completions(_)
        )
    }
}

#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Make no recovery phrase: without the password or key file nothing can be restored
    #[arg(long)]
    pub no_recovery: bool,
    /// With --json: make a recovery phrase and print it, which is otherwise not done, as output of programs is often kept
    #[arg(long, requires = "json", conflicts_with = "no_recovery")]
    pub print_recovery_phrase: bool,
    /// How files are cut into chunks; it can't be changed later
    #[arg(long, value_enum, default_value_t = Chunker::Default)]
    pub chunker: Chunker,
    /// Store so much more with each pack, from which damage of up to that much of it can be repaired: 5%
    #[arg(long, value_name = "N%", value_parser = repair::percent)]
    pub parity: Option<u8>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunker {
    /// 128 KiB to 2 MiB, about 512 KiB
    Default,
    /// 16 to 256 KiB, about 64 KiB: for databases and disk images; more memory and requests
    Fine,
}

#[derive(Args, Clone, Debug)]
pub struct SnapshotsArgs {
    /// Snapshots to list (default: all)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Put snapshots with the same host, paths or tags together
    #[arg(short, long, value_name = "host,paths,tags")]
    pub group_by: Option<GroupBy>,
    /// Only the newest N of each host and paths, or of each group
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub latest: Option<u32>,
}

#[derive(Args, Clone, Debug)]
#[command(override_usage = "dedup ls [OPTIONS] [SNAPSHOT[:SUBPATH]] [PATH]...")]
pub struct LsArgs {
    /// Snapshot (default: latest, or the newest that holds the paths), and the paths to list (default: all)
    #[arg(value_name = "SNAPSHOT|PATH")]
    pub args: Vec<OsString>,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Show mode, owner, size and time
    #[arg(short, long)]
    pub long: bool,
    /// With paths: list also what is below their directories
    #[arg(long)]
    pub recursive: bool,
}

#[derive(Args, Clone, Debug)]
pub struct FindArgs {
    /// Names, paths or patterns to look for
    #[arg(value_name = "PATTERN", required = true)]
    pub patterns: Vec<String>,
    /// Take upper and lower case for the same
    #[arg(short, long)]
    pub ignore_case: bool,
    /// Show mode, owner, size and time
    #[arg(short, long)]
    pub long: bool,
    /// Only files modified at TIME or later
    #[arg(short = 'O', long, value_name = "TIME")]
    pub oldest: Option<String>,
    /// Only files modified at TIME or before
    #[arg(short = 'N', long, value_name = "TIME")]
    pub newest: Option<String>,
    /// Only in this snapshot (may be given several times)
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub snapshot: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
}

#[derive(Args, Clone, Debug)]
pub struct DiffArgs {
    /// The snapshot before
    #[arg(value_name = "SNAPSHOT[:SUBPATH]")]
    pub before: OsString,
    /// The snapshot after
    #[arg(value_name = "SNAPSHOT[:SUBPATH]")]
    pub after: OsString,
    /// Show also where only metadata changed
    #[arg(long)]
    pub metadata: bool,
}

#[derive(Args, Clone, Debug)]
#[command(override_usage = "dedup dump [OPTIONS] [SNAPSHOT[:SUBPATH]] [PATH]")]
pub struct DumpArgs {
    /// Snapshot (default: the newest that holds it), and the file or directory
    #[arg(value_name = "SNAPSHOT|PATH", required = true, num_args = 1..=2)]
    pub args: Vec<OsString>,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// The form in which a directory is written
    #[arg(short, long, value_enum, default_value_t = Archive::Tar)]
    pub archive: Archive,
    /// Write to FILE instead of standard output; a regular file is replaced once it is whole, anything else written to
    #[arg(short, long, value_name = "FILE")]
    pub target: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Archive {
    Tar,
}

#[derive(Args, Clone, Debug)]
#[command(override_usage = "dedup restore [OPTIONS] --target <DIR> [SNAPSHOT[:SUBPATH]] [PATH]...")]
#[command(
    after_help = "Each source keeps its whole path below the target (TARGET/home/u/docs); with \
    SNAPSHOT:SUBPATH the content of SUBPATH lands directly in it. The first argument is a snapshot if it looks like \
    one: write ./cafe for a path of that name."
)]
pub struct RestoreArgs {
    /// Snapshot (default: latest, or the newest that holds the paths), and the paths to restore (default: all)
    #[arg(value_name = "SNAPSHOT|PATH")]
    pub args: Vec<OsString>,
    /// Where to put the files
    #[arg(short, long, value_name = "DIR")]
    pub target: PathBuf,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Restore only what matches PATTERN (may be given several times)
    #[arg(short, long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Don't restore what matches PATTERN (may be given several times)
    #[arg(short, long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// What to do where a file is already there
    #[arg(long, value_enum, default_value_t = Overwrite::Always)]
    pub overwrite: Overwrite,
    /// Give restored files the permissions they were saved with, or those that new files get here
    #[arg(long, value_enum, default_value_t = Permissions::Original)]
    pub permissions: Permissions,
    /// Read from this replica what is lost or damaged, or everything if the first is away (may be given several times)
    #[arg(long, value_name = "NAME|URL")]
    pub also: Vec<String>,
    /// Read every restored file again and compare it, also those that were equal already
    #[arg(long)]
    pub verify: bool,
    /// Say what would be done; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overwrite {
    /// Replace it unless it is equal
    Always,
    /// Replace it if size or modification time differ and it is not equal
    IfChanged,
    /// Replace it if the saved one was modified later
    IfNewer,
    /// Leave it as it is
    Never,
    /// Leave it, and restore under another name
    Rename,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permissions {
    Original,
    Current,
}

#[derive(Args, Clone, Debug)]
pub struct UndeleteArgs {
    /// Snapshots to bring back (default: list those that can be)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// Say what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("change").multiple(true).required(true).args(["add", "remove", "set"]))]
pub struct TagArgs {
    /// Snapshots to change (default: all that the filters let pass)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// Add these tags
    #[arg(long, value_name = "TAG[,TAG]", conflicts_with = "set")]
    pub add: Vec<TagList>,
    /// Remove these tags
    #[arg(long, value_name = "TAG[,TAG]", conflicts_with = "set")]
    pub remove: Vec<TagList>,
    /// Replace all tags by these; '' leaves none
    #[arg(long, value_name = "TAG[,TAG]")]
    pub set: Vec<TagList>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Say what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct PruneArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Remove no snapshot, only data that none needs
    #[arg(long, conflicts_with_all = ["no_gc", "KeepArgs"])]
    pub gc_only: bool,
    /// Only remove snapshots; their data goes with a later prune
    #[arg(long)]
    pub no_gc: bool,
    /// How long forgotten snapshots can be brought back; 0s removes them now
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = parse_span)]
    pub keep_trash: Span,
    /// Leave so much unused data rather than rewrite packs: a share such as 5%, a size, or unlimited
    #[arg(long, value_name = "LIMIT", default_value = "5%")]
    pub max_unused: MaxUnused,
    /// Rewrite at most so much in this run
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub max_repack: Option<u64>,
    /// Assume exclusive access to the repository: required on storage without atomic create
    #[arg(long)]
    pub exclusive: bool,
    #[command(flatten)]
    pub ask: AskArgs,
    /// Say what would be removed, and what it would cost; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub keep: KeepArgs,
}

/// Whether to ask before something is removed.
#[derive(Args, Clone, Debug)]
pub struct AskArgs {
    /// Don't ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Read all stored data too
    #[arg(long, conflicts_with = "read_data_subset")]
    pub read_data: bool,
    /// Read part of the stored data: 1/7 (the first of seven), 10%, or 50G
    #[arg(long, value_name = "PART")]
    pub read_data_subset: Option<Subset>,
}

#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Add a password or key file that opens the repository
    Add(NewSecretArgs),
    /// List what opens the repository
    List,
    /// Remove a password, key file or recovery phrase
    Remove(KeyRemoveArgs),
    /// Replace the password or key file that the repository was opened with
    Passwd(NewSecretArgs),
    /// Save the sealed keys to FILE, against the loss of those in the repository; a secret is still needed
    Export(KeyExportArgs),
    /// Make a recovery phrase and print it, this once
    Recovery,
}

/// Without any of these, a new password is asked for, twice.
#[derive(Args, Clone, Debug, Default)]
pub struct NewSecretArgs {
    /// Read the new password from the first line of FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_password_command", "new_key_file"])]
    pub new_password_file: Option<OsString>,
    /// Run COMMAND in a shell; the first line it prints is the new password
    #[arg(long, value_name = "COMMAND", conflicts_with = "new_key_file")]
    pub new_password_command: Option<OsString>,
    /// Use this key file; it is made where there is none
    #[arg(long, value_name = "FILE")]
    pub new_key_file: Option<OsString>,
}

impl From<&NewSecretArgs> for NewSecretOptions {
    fn from(args: &NewSecretArgs) -> NewSecretOptions {
        NewSecretOptions {
            password_file: args.new_password_file.clone(),
            password_command: args.new_password_command.clone(),
            key_file: args.new_key_file.clone(),
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct KeyRemoveArgs {
    /// The slot, as 'key list' shows it; the beginning is enough
    pub slot: String,
    #[command(flatten)]
    pub ask: AskArgs,
}

#[derive(Args, Clone, Debug)]
pub struct KeyExportArgs {
    pub file: PathBuf,
}

#[cfg(test)]
mod tests;
