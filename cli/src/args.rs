//! What was typed: the commands and their options, as clap reads them. No defaults from the environment here
//! ([`service::resolve`]), no work; a value that can be judged alone is parsed here, so that it is a usage error.

pub mod backup;
pub mod browse;
pub mod forget;
pub mod init;
pub mod keys;
pub mod paths;
pub mod program;
pub mod remotes;
pub mod repair;
pub mod retention;
pub mod runs;
pub mod sets;
pub mod snapshot;
pub mod stats;
pub mod values;

pub use backup::BackupArgs;
pub use browse::{
    Archive, DiffArgs, DumpArgs, FindArgs, LsArgs, MountArgs, Overwrite, Permissions, RestoreArgs, ServeArgs,
    SortKey, VersionsArgs,
};
use clap::{Arg, ArgAction, Args, CommandFactory, Id, Parser, Subcommand};
pub use forget::ForgetArgs;
pub use init::{Chunker, InitArgs};
use jiff::Span;
pub use keys::{KeyCommand, KeyExportArgs, KeyRemoveArgs, NewSecretArgs};
pub use program::{BenchArgs, CacheCommand, CompletionsArgs, HelpArgs};
use retention::KeepArgs;
use service::rates::RateSchedule;
use service::resolve::RepositoryOptions;
use snapshot::FilterArgs;
pub use stats::{StatsArgs, StatsMode};
use std::ffi::OsString;
use std::path::PathBuf;
use values::{GroupBy, MaxUnused, SampleSize, Subset, TagList};

/// Content-addressed, deduplicating, encrypted backup
#[derive(Parser, Debug)]
#[command(
    name = "dedup",
    version,
    propagate_version = false,
    disable_help_subcommand = true
)]
#[command(arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "To start: 'dedup setup', or 'dedup init', then 'dedup backup DIR'.\n\
    More: 'dedup help COMMAND', 'dedup help env', 'dedup help exit-codes'."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The parser. The help of a command shows its own options; those of every command are in the help of the program.
pub fn parser() -> clap::Command {
    let mut root = Cli::command();
    // Gives subcommands their full names and the global options.
    root.build();
    let global = root.get_arguments().filter(|arg| arg.is_global_set());
    let global: Vec<Id> = global.map(|arg| arg.get_id().clone()).collect();
    root.mut_subcommands(|command| without_global(command, &global))
}

fn without_global(command: clap::Command, global: &[Id]) -> clap::Command {
    let hide = |arg: Arg| {
        let is_global = global.contains(arg.get_id());
        arg.hide(is_global)
    };
    let mut after = command
        .get_after_help()
        .map(|text| format!("{text}\n\n"))
        .unwrap_or_default();
    after += "Options of every command: 'dedup --help'.";
    command
        .mut_args(hide)
        .after_help(after)
        .mut_subcommands(|command| without_global(command, global))
}

/// Options of every command. An empty value overrides the environment.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Location of the repository (default: DEDUP_REPOSITORY, then ~/.local/share/dedup/repository, then the only remote of
    /// the settings)
    #[arg(
        short,
        long,
        global = true,
        value_name = "URL",
        conflicts_with = "repository_file"
    )]
    pub repo: Option<OsString>,
    /// Read the location of the repository from the first line of FILE
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
    /// Run COMMAND in a shell and use the first line of its output as the password
    #[arg(long, global = true, value_name = "COMMAND")]
    pub password_command: Option<OsString>,
    /// Open the repository with this key file
    #[arg(long, global = true, value_name = "FILE")]
    pub key_file: Option<OsString>,
    /// Open the repository with the recovery phrase in FILE
    #[arg(long, global = true, value_name = "FILE")]
    pub recovery_phrase_file: Option<OsString>,
    /// Read the settings from NAME.toml instead of dedup.toml (default: DEDUP_PROFILE)
    #[arg(short = 'P', long, global = true, value_name = "NAME")]
    pub profile: Option<OsString>,
    /// Send at most RATE bytes a second to a repository on a network: 10M, or by the time of day 08:00=1M,18:00=unlimited
    #[arg(long, global = true, value_name = "RATE", value_parser = RateSchedule::parse)]
    pub limit_upload: Option<RateSchedule>,
    /// Receive at most RATE bytes a second from a repository on a network
    #[arg(long, global = true, value_name = "RATE", value_parser = RateSchedule::parse)]
    pub limit_download: Option<RateSchedule>,
    /// Print JSON, and errors as JSON on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print what happened to each file (twice: unchanged files too)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Language of messages: en or ja (default: that of the locale)
    #[arg(long, global = true, value_name = "LANG", value_parser = ["en", "ja"])]
    pub lang: Option<String>,
    /// Show no progress
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Without effect, because there are no locks; for scripts written for restic
    #[arg(long, global = true, hide = true)]
    pub no_lock: bool,
    /// Without effect, because there are no locks; for scripts written for restic
    #[arg(long, global = true, hide = true, value_name = "DURATION")]
    pub retry_lock: Option<String>,
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
    /// Show each set's last and next run, what is overdue, and how full the destinations are
    Status(runs::StatusArgs),
    /// Check whether backups can be relied on, and say what to do if not
    Doctor,
    /// Write a ZIP of logs, settings and history that helps to find a fault; secrets are blanked
    SupportBundle(program::SupportBundleArgs),
    /// Manage sets: what is backed up together, where and when
    #[command(subcommand)]
    Set(sets::SetCommand),
    /// Set everything up by answering questions: what to back up, where, when, and who gets a mail if it fails
    Setup,
    /// Show when sets run, and have the operating system look for what is due
    #[command(subcommand)]
    Schedule(runs::ScheduleCommand),
    /// Open the console: a local web page to watch, browse and restore
    Console(program::ConsoleArgs),
    /// Show an icon in the desktop's panel: the state of the backups, with a menu to open the console, pause and stop
    #[command(after_help = TRAY_HELP)]
    Tray(program::TrayArgs),
    /// Run what is due, every minute, until stopped: for machines without a usable scheduler
    #[command(after_help = AGENT_HELP)]
    Agent,
    /// Test the messages that are sent about runs
    #[command(subcommand)]
    Notify(runs::NotifyCommand),
    /// Check, show and edit the settings
    #[command(subcommand)]
    Config(runs::ConfigCommand),
    /// List what this machine's jobs did: backups, restores, deletions
    History(runs::HistoryArgs),
    /// Pause scheduled runs for a while; one that is running ends at its next safe point
    Pause(runs::PauseArgs),
    /// End a pause
    Resume,
    /// Stop running backups at their next safe point
    Stop(runs::StopArgs),
    /// Take the place of another machine: write the settings that it recorded in the repository
    #[command(after_help = TAKEOVER_HELP)]
    Takeover(TakeoverArgs),
    /// List snapshots
    #[command(visible_aliases = ["list", "generations"])]
    Snapshots(SnapshotsArgs),
    /// List the files of a snapshot
    Ls(LsArgs),
    /// Search for files in snapshots
    Find(FindArgs),
    /// List the versions of a file in all snapshots, and restore them side by side
    Versions(VersionsArgs),
    /// Show what changed between two snapshots, or since one
    Diff(DiffArgs),
    /// Write a file of a snapshot to standard output, or a directory as an archive
    Dump(DumpArgs),
    /// Show all snapshots as directories, read-only, until they are unmounted
    Mount(MountArgs),
    /// Show all snapshots as directories over WebDAV and HTTP, read-only, to programs on this machine
    Serve(ServeArgs),
    /// Restore files from a snapshot
    Restore(RestoreArgs),
    /// Remove snapshots by id or by a policy; a prune frees their data after 7 days in the trash
    Forget(ForgetArgs),
    /// Bring removed snapshots back while they are in the trash
    Undelete(UndeleteArgs),
    /// Change the tags of snapshots
    Tag(TagArgs),
    /// Keep snapshots from being removed, by policies and by their ids
    Protect(ProtectArgs),
    /// Let snapshots be removed again
    Unprotect(ProtectArgs),
    /// Remove files and directories from all snapshots; a prune frees their data after 7 days in the trash
    Purge(paths::PurgeArgs),
    /// Apply a retention policy, the one that is given or those of the sets, then free the data that no snapshot needs
    Prune(PruneArgs),
    /// Check the repository for damage
    Check(CheckArgs),
    /// Prove that files can be restored: restore some, compare them with the backup and with the originals, remove them
    Drill(DrillArgs),
    /// Repair what 'check' found, as far as possible; never deletes anything
    #[command(subcommand)]
    Repair(repair::RepairCommand),
    /// Manage named remotes and replicas
    #[command(subcommand)]
    Remote(remotes::RemoteCommand),
    /// Bring replicas up to date
    Replicate(remotes::ReplicateArgs),
    /// Repair a repository from its replicas; never deletes anything
    Heal(remotes::HealArgs),
    /// Copy snapshots from a repository that has different keys
    Copy(remotes::CopyArgs),
    /// Manage passwords, key files and the recovery phrase
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show how much data the repository holds
    Stats(StatsArgs),
    /// Show how much space removing a path, set or snapshot would free
    Space(paths::SpaceArgs),
    /// Manage the local cache, which can be cleared at any time
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Measure how fast this machine could be, and how close a backup and a restore get
    Bench(BenchArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print what can follow an unfinished command line; for the scripts that 'completions' prints
    #[command(hide = true)]
    Complete(program::CompleteArgs),
    /// Do nothing, because there are no locks; for scripts written for restic
    #[command(hide = true)]
    Unlock,
    /// Print the version
    Version(program::VersionArgs),
    /// Print the version and the licences of what this program is built from
    About,
    /// Explain a command, 'env', 'excludes' or 'exit-codes'
    Help(HelpArgs),
}

const TAKEOVER_HELP: &str = "A machine records its settings at the destinations of its sets whenever it runs them; secrets \
    are not recorded. On a new machine, say where the repository is and what opens it:\n\n    \
    dedup -r URL --key-file FILE takeover HOST\n\nIt lists what this machine still needs: keys, passwords, sources.";
const TRAY_HELP: &str = "It needs a panel that shows icons by StatusNotifierItem: KDE, Xfce, Cinnamon, MATE and others, and GNOME with \
    the extension AppIndicator. It ends with your session; with --install the next one starts it again.";

const AGENT_HELP: &str = "Start it with your session, or let a supervisor keep it running. SIGTERM ends it, and a run at its next safe \
    point. Beside a timer it does no harm: no run begins twice.";

impl Command {
    /// It must work whatever is wrong with the settings: it uses none, and helps to put them right.
    pub fn only_explains(&self) -> bool {
        match self {
            Command::Version(args) => !args.check,
            command => matches!(
                command,
                Command::Help(_) | Command::About | Command::Completions(_) | Command::Complete(_)
            ),
        }
    }

    /// The day for which it is to show what a policy would keep.
    pub fn simulated_day(&self) -> Option<&str> {
        match self {
            Command::Forget(args) => args.keep.simulate.as_deref(),
            Command::Prune(args) => args.keep.simulate.as_deref(),
            _ => None,
        }
    }

    /// It finds out what is wrong, or puts it right, and so goes on without the settings if they are of no use.
    pub fn diagnoses(&self) -> bool {
        match self {
            Command::Doctor | Command::SupportBundle(_) => true,
            Command::Config(command) => matches!(command, runs::ConfigCommand::Edit),
            Command::Set(sets::SetCommand::Edit(args)) => args.source.is_empty() && args.keys.is_empty(),
            _ => false,
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct TakeoverArgs {
    /// The machine, as its snapshots are named
    #[arg(value_name = "HOST")]
    pub host: String,
    #[command(flatten)]
    pub ask: AskArgs,
    /// Show the settings and what is missing; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct SnapshotsArgs {
    /// Snapshots to list (default: all)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Group snapshots with the same host, paths or tags
    #[arg(short, long, value_name = "host,paths,tags")]
    pub group_by: Option<GroupBy>,
    /// Only the newest N of each host and set of paths, or of each group
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub latest: Option<u32>,
}

#[derive(Args, Clone, Debug)]
pub struct UndeleteArgs {
    /// Snapshots to bring back (default: list those that can be)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("change").multiple(true).required(true).args(["add", "remove", "set", "list"]))]
#[command(
    after_help = "A snapshot gets a new id when its tags change. With --on, a file or directory gets them, and has them in every snapshot \
    of its host, older and later ones; 'dedup find --tag' finds it."
)]
pub struct TagArgs {
    /// Snapshots to change (default: all that match the filters)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// Add these tags
    #[arg(long, value_name = "TAG[,TAG]", conflicts_with = "set")]
    pub add: Vec<TagList>,
    /// Remove these tags
    #[arg(long, value_name = "TAG[,TAG]", conflicts_with = "set")]
    pub remove: Vec<TagList>,
    /// Replace all tags with these; '' removes all
    #[arg(long, value_name = "TAG[,TAG]")]
    pub set: Vec<TagList>,
    /// Change the tags of this file or directory, instead of those of snapshots (may be given several times)
    #[arg(long, value_name = "PATH", conflicts_with_all = ["snapshots", "tag", "path", "list"])]
    pub on: Vec<PathBuf>,
    /// List the files and directories that have tags
    #[arg(long, conflicts_with_all = ["snapshots", "path", "add", "remove", "set"])]
    pub list: bool,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct ProtectArgs {
    /// Snapshots
    #[arg(value_name = "SNAPSHOT", required = true)]
    pub snapshots: Vec<String>,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct PruneArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Remove no snapshots, only data that none needs
    #[arg(long, conflicts_with_all = ["no_gc", "KeepArgs"])]
    pub gc_only: bool,
    /// Only remove snapshots; their data goes with a later prune
    #[arg(long)]
    pub no_gc: bool,
    /// How long removed snapshots can be brought back; 0s deletes them now
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = values::span)]
    pub keep_trash: Span,
    /// Leave this much unused data instead of rewriting packs: a share such as 5%, a size, or unlimited
    #[arg(long, value_name = "LIMIT", default_value = "5%")]
    pub max_unused: MaxUnused,
    /// Rewrite at most this much in this run
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub max_repack: Option<u64>,
    /// Assume exclusive access to the repository: required on storage without atomic create
    #[arg(long)]
    pub exclusive: bool,
    #[command(flatten)]
    pub ask: AskArgs,
    /// Show what would be removed and what it would cost; change nothing
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
    /// Check only what these snapshots need (default: all)
    #[arg(value_name = "SNAPSHOT")]
    pub snapshots: Vec<String>,
    /// Also read all stored data
    #[arg(long, conflicts_with_all = ["read_data_subset", "max_age"])]
    pub read_data: bool,
    /// Read part of the stored data: 1/7 (the first of seven), 10%, or 50G
    #[arg(long, value_name = "PART")]
    pub read_data_subset: Option<Subset>,
    /// Read the data that this machine has not read within this time, such as 30d, oldest first; with
    /// --read-data-subset at most that much of it
    #[arg(long, value_name = "DURATION", value_parser = values::span)]
    pub max_age: Option<Span>,
}

#[derive(Args, Clone, Debug)]
pub struct DrillArgs {
    /// Set or snapshot to restore completely (default: a sample of each set's newest snapshot, or else of the newest)
    #[arg(value_name = "SET|SNAPSHOT")]
    pub what: Option<String>,
    /// Restore a random sample: so many files, a share of all files such as 5%, or about so many bytes such as 2G
    #[arg(long, value_name = "N|SIZE|PERCENT")]
    pub sample: Option<SampleSize>,
    /// Restore into a new folder below DIR, which is removed afterwards (default: below the cache or state directory)
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
