//! Options of the commands that are about the program and this machine, not about snapshots.

use super::values;
use clap::{ArgGroup, Args, Subcommand};
use std::ffi::OsString;
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

#[derive(Subcommand, Debug)]
pub enum CacheCommand {
    /// Show where the cache is and how large it is
    Info,
    /// Remove the cache; the next command rebuilds it
    Clear,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "In ~/.bashrc: source <(dedup completions bash). In ~/.zshrc, after compinit: source <(dedup completions \
    zsh). In fish: dedup completions fish > ~/.config/fish/completions/dedup.fish. Names of sets and remotes come from \
    the settings, and snapshots from the repository if it opens at once, without a question."
)]
pub struct CompletionsArgs {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Clone, Debug)]
pub struct CompleteArgs {
    /// The line up to the cursor, as bash has it
    #[arg(long, value_name = "LINE", conflicts_with = "words")]
    pub line: Option<String>,
    /// The words after the program's name; the last one is unfinished
    #[arg(value_name = "WORD", last = true)]
    pub words: Vec<OsString>,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "It holds logs, settings, versions, history, and what 'doctor' finds. Passwords, keys, tokens and \
    commands are blanked; names of machines, sets and sources are not. Look through it before you send it."
)]
pub struct SupportBundleArgs {
    /// The file to write; it must not exist (default: dedup-support-DATE-TIME.zip in the current directory)
    #[arg(value_name = "FILE.zip")]
    pub file: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct VersionArgs {
    /// Ask whether there is a newer version, at the URL that dedup.toml has under 'update'
    #[arg(long)]
    pub check: bool,
}

#[derive(Args, Clone, Debug)]
pub struct HelpArgs {
    /// A command such as 'key add', or env, excludes or exit-codes
    pub topic: Vec<String>,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The first start prints a link by which you choose the console's password. It listens on this machine \
    only, unless it has a certificate and a password: see docs/console.md. Ctrl-C ends it; jobs that it started end at \
    their next safe point."
)]
pub struct ConsoleArgs {
    /// Address and port, or unix:/path of a socket (default: that of the settings, then 127.0.0.1:4280)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Print a link by which a new password can be chosen
    #[arg(long)]
    pub reset_password: bool,
    /// Ask for a new password on the terminal, set it, and exit
    #[arg(long, conflicts_with_all = ["listen", "reset_password", "new_token", "revoke_token"])]
    pub set_password: bool,
    /// Make a token for a program that reads /api/ or /metrics, print it, and exit
    #[arg(long, value_name = "NAME", conflicts_with_all = ["listen", "reset_password"])]
    pub new_token: Option<String>,
    /// With --new-token: it may start, stop and pause runs, too
    #[arg(long, requires = "new_token")]
    pub allow_changes: bool,
    /// Revoke a token, and exit
    #[arg(long, value_name = "NAME", conflicts_with_all = ["listen", "reset_password", "new_token"])]
    pub revoke_token: Option<String>,
}

#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("entry").args(["install", "remove"])))]
pub struct TrayArgs {
    /// Have the desktop show the icon with each session from now on, and do nothing else
    #[arg(long)]
    pub install: bool,
    /// Undo --install
    #[arg(long)]
    pub remove: bool,
    /// Wait until there is a panel, as at the beginning of a session
    #[arg(long, conflicts_with = "entry")]
    pub wait: bool,
    /// With --install or --remove: say what would be done
    #[arg(short = 'n', long, requires = "entry")]
    pub dry_run: bool,
}
