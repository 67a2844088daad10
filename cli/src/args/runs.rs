//! Options of the commands about sets, their runs and the history.

use super::values;
use clap::{Args, Subcommand};
use jiff::Span;
use service::scheduler::SchedulerKind;

#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["sets", "all", "due"]))]
#[command(
    after_help = "Sets are the tables [sets.NAME] of dedup.toml (docs/running.md). Exit code 4: a run is held back by \
    a pause, by [limits] or by run-before; 11: the set is running already."
)]
pub struct RunArgs {
    /// Sets to run now
    #[arg(value_name = "SET")]
    pub sets: Vec<String>,
    /// Run all sets, those with a higher priority first
    #[arg(long)]
    pub all: bool,
    /// Run the sets that are due by their schedule: for cron or a timer, every few minutes
    #[arg(long)]
    pub due: bool,
    /// Wait for a set that is running already
    #[arg(long, conflicts_with = "due")]
    pub wait: bool,
    /// Accept that a source is empty, or that nearly all of its files are gone
    #[arg(long, conflicts_with = "due")]
    pub allow_empty: bool,
    /// Show which sets would run; run nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Ask every remote how much it takes up, instead of showing what this machine last measured
    #[arg(long, conflicts_with = "all_hosts")]
    pub refresh: bool,
    /// Show the newest snapshot of every machine, from the repositories alone
    #[arg(long)]
    pub all_hosts: bool,
}

#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HistoryArgs {
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
    /// Show one job with its problems: its id or the beginning of it, or latest
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// List what became of each file of a backup, from its snapshot
    #[arg(long, requires = "id")]
    pub files: bool,
    /// Only jobs with this status or reason (completed, incomplete, network, 'not run'; failed: all that neither completed,
    /// nor run, nor were held back); with --files: new, changed, unchanged, deleted or failed (default: all but unchanged)
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// Only jobs of this set
    #[arg(long, value_name = "SET", conflicts_with = "id")]
    pub set: Option<String>,
    /// Only jobs of this kind: backup, restore, delete, prune, check, replicate, copy, heal, repair, drill, undelete, tag,
    /// init, 'key add', 'key remove', 'key passwd' or 'key recovery'
    #[arg(long, value_name = "KIND", conflicts_with = "id")]
    pub kind: Option<String>,
    /// How many jobs to list, newest first
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// With --files: which page of 100
    #[arg(long, value_name = "N", default_value_t = 1, requires = "files", value_parser = clap::value_parser!(u64).range(1..))]
    pub page: u64,
}

#[derive(Subcommand, Clone, Debug)]
pub enum HistoryCommand {
    /// Run the set of an earlier run again
    Rerun(RerunArgs),
}

#[derive(Args, Clone, Debug)]
pub struct RerunArgs {
    /// The run's id or the beginning of it, or latest
    pub id: String,
}

#[derive(Args, Clone, Debug)]
pub struct PauseArgs {
    /// How long: 1h, 4h, 1d
    #[arg(value_name = "DURATION", value_parser = values::span)]
    pub duration: Span,
}

#[derive(Args, Clone, Debug)]
pub struct StopArgs {
    /// Sets, or ids of jobs in the history (default: every backup that runs)
    #[arg(value_name = "SET|ID")]
    pub names: Vec<String>,
    /// Don't wait until they have ended
    #[arg(long)]
    pub no_wait: bool,
}

/// Messages about runs, by the channels that dedup.toml has under 'notify'.
#[derive(Subcommand, Clone, Debug)]
pub enum NotifyCommand {
    /// Send a test message through every channel; exit code 1 if one fails
    Test(NotifyTestArgs),
}

#[derive(Args, Clone, Debug)]
pub struct NotifyTestArgs {
    /// Only this channel
    #[arg(long, value_name = "CHANNEL", value_enum)]
    pub channel: Option<NotifyChannel>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotifyChannel {
    Mail,
    Webhook,
    Desktop,
    Ping,
    Prometheus,
}

/// The settings.
#[derive(Subcommand, Clone, Debug)]
pub enum ConfigCommand {
    /// Check the settings for errors
    Check,
    /// Show every setting that has a value, and where that comes from
    Show,
    /// Edit the settings file; it is replaced only by one that is valid
    Edit,
}

/// When sets run by themselves.
#[derive(Subcommand, Clone, Debug)]
pub enum ScheduleCommand {
    /// List the next runs of each set
    List(ScheduleListArgs),
    /// Show what an operating system's scheduler needs
    Show(SchedulerArgs),
    /// Have this system's scheduler look for what is due: a systemd timer, a launchd agent, or a task
    Install(ScheduleInstallArgs),
    /// Remove that entry
    Remove(ScheduleInstallArgs),
}

#[derive(Args, Clone, Debug)]
pub struct ScheduleListArgs {
    /// How many runs of each set
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub next: u16,
}

#[derive(Args, Clone, Debug)]
pub struct SchedulerArgs {
    /// For which scheduler (default: this system's)
    #[arg(long, visible_alias = "for", value_enum)]
    pub scheduler: Option<Scheduler>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheduler {
    /// A timer and a service of the user's
    Systemd,
    /// A line for crontab -e
    Cron,
    /// An agent of macOS
    Launchd,
    /// A task of Windows
    TaskScheduler,
}

impl From<Scheduler> for SchedulerKind {
    fn from(scheduler: Scheduler) -> SchedulerKind {
        match scheduler {
            Scheduler::Systemd => SchedulerKind::Systemd,
            Scheduler::Cron => SchedulerKind::Cron,
            Scheduler::Launchd => SchedulerKind::Launchd,
            Scheduler::TaskScheduler => SchedulerKind::TaskScheduler,
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct ScheduleInstallArgs {
    /// Say what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
