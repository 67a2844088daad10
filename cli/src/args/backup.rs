//! `backup`: restic's options and meanings where it has them.

use super::values::{self, compression};
use clap::Args;
use jiff::Span;
use service::backup::SourceLists;
use service::settings::values::SourceSnapshot;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(override_usage = "dedup backup [OPTIONS] PATH...\n       \
    dedup backup [OPTIONS] --files-from <FILE> [PATH]...\n       \
    dedup backup [OPTIONS] --stdin\n       \
    dedup backup [OPTIONS] --stdin-from-command -- COMMAND [ARG]...")]
#[command(group = clap::ArgGroup::new("input").multiple(true).required(true)
    .args(["paths", "stdin", "stdin_from_command", "files_from", "files_from_verbatim", "files_from_raw"]))]
pub struct BackupArgs {
    /// Files and directories to save (LINK/ saves the directory that a link points to); with --stdin-from-command: the command and its arguments
    #[arg(value_name = "PATH")]
    pub paths: Vec<OsString>,
    /// Compare with this snapshot to find unchanged files (default: the newest of the same host and paths)
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "force")]
    pub parent: Option<String>,
    /// Read every file again, as if there were no earlier snapshot
    #[arg(short, long)]
    pub force: bool,
    /// Make no snapshot if nothing changed since the last one
    #[arg(long)]
    pub skip_if_unchanged: bool,
    /// Accept that a source is empty, not mounted or not a directory any more where the last snapshot has files in it,
    /// and an empty standard input
    #[arg(long)]
    pub allow_empty: bool,
    /// Ignore changes of inode numbers when looking for changed files
    #[arg(long)]
    pub ignore_inode: bool,
    /// Ignore changes of ctime when looking for changed files
    #[arg(long)]
    pub ignore_ctime: bool,
    /// Read and compare, and show what would be saved; write nothing. With -v each changed file, and what is excluded and
    /// why; with -vv each file
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// How hard to compress: auto, fastest, better, max, or zstd's level from 1 to 19
    #[arg(long, value_name = "LEVEL", default_value = "auto", value_parser = compression)]
    pub compression: i32,
    /// Read the sources in a snapshot of their file system (btrfs, ZFS and LVM, as root): auto if possible, required, or off
    #[arg(long, value_name = "MODE", default_value = "off", value_parser = values::source_snapshot)]
    pub source_snapshot: SourceSnapshot,
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub describe: DescribeArgs,
    #[command(flatten)]
    pub stdin: StdinArgs,
    #[command(flatten)]
    pub also: AlsoArgs,
}

/// Replicas that get the snapshot too.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Replicas")]
pub struct AlsoArgs {
    /// Also save the snapshot, and others missing there, at this replica, or only there if the repository can't be reached
    /// (may be given several times)
    #[arg(long, value_name = "NAME|URL", conflicts_with = "dry_run")]
    pub also: Vec<String>,
    /// How long to wait for replicas after the snapshot is saved; the next run brings what they still lack
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::span)]
    pub also_wait: Span,
}

/// What is saved and what is left out.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Selection")]
pub struct SelectArgs {
    /// Exclude what matches PATTERN; a leading '!' includes it again (may be given several times)
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub exclude: Vec<OsString>,
    /// Like --exclude, ignoring case
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub iexclude: Vec<OsString>,
    /// Read patterns from FILE, one per line
    #[arg(long, value_name = "FILE")]
    pub exclude_file: Vec<PathBuf>,
    /// Like --exclude-file, ignoring case
    #[arg(long, value_name = "FILE")]
    pub iexclude_file: Vec<PathBuf>,
    /// Exclude the content of directories that contain a CACHEDIR.TAG file
    #[arg(long)]
    pub exclude_caches: bool,
    /// Exclude the content of directories that contain FILENAME, which must start with HEADER if one is given
    #[arg(long, value_name = "FILENAME[:HEADER]")]
    pub exclude_if_present: Vec<String>,
    /// Exclude what a file of this name in a directory lists, by the rules of .gitignore; such as .dedupignore or .gitignore
    /// (may be given several times)
    #[arg(long, value_name = "NAME")]
    pub ignore_file: Vec<String>,
    /// Exclude what has this extended attribute, or has it with this value (may be given several times)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub exclude_if_xattr: Vec<String>,
    /// Exclude files larger than SIZE
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub exclude_larger_than: Option<u64>,
    /// Exclude files with these extensions, ignoring case
    #[arg(long, value_name = "EXT[,EXT]", value_delimiter = ',')]
    pub exclude_extension: Vec<String>,
    /// Exclude caches, trash, swap and temporary files ('dedup help excludes' lists them); --exclude '!PATTERN' includes it again
    #[arg(long)]
    pub standard_excludes: bool,
    /// Exclude files and directories whose name starts with a dot
    #[arg(long)]
    pub no_hidden: bool,
    /// Stay in the file systems of the given paths
    #[arg(short = 'x', long)]
    pub one_file_system: bool,
    /// Read sources that are devices or FIFOs, or links to them, and save their content as files
    #[arg(long)]
    pub read_special: bool,
    /// Also save what FILE lists: one pattern per line, # starts a comment ('-' is standard input)
    #[arg(long, value_name = "FILE")]
    pub files_from: Vec<PathBuf>,
    /// Also save what FILE lists: one literal path per line
    #[arg(long, value_name = "FILE")]
    pub files_from_verbatim: Vec<PathBuf>,
    /// Also save what FILE lists: literal paths, each terminated by a NUL byte
    #[arg(long, value_name = "FILE")]
    pub files_from_raw: Vec<PathBuf>,
}

impl SelectArgs {
    pub fn lists(&self) -> SourceLists {
        SourceLists {
            patterns: self.files_from.clone(),
            verbatim: self.files_from_verbatim.clone(),
            raw: self.files_from_raw.clone(),
        }
    }
}

/// What is written on the snapshot.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Description")]
pub struct DescribeArgs {
    /// Tags for the snapshot (may be given several times)
    #[arg(long, value_name = "TAG[,TAG]", value_delimiter = ',')]
    pub tag: Vec<String>,
    /// The name of this machine in the snapshot (default: DEDUP_HOST, then the system's)
    #[arg(short = 'H', long, value_name = "HOST")]
    pub host: Option<String>,
    /// The snapshot's time (default: now); a date alone means the start of that day
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
    /// Description of the snapshot, one line
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
}

impl DescribeArgs {
    /// Without the empty ones, each once, in their order.
    pub fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self
            .tag
            .iter()
            .map(|tag| tag.trim())
            .filter(|tag| !tag.is_empty())
        {
            if !tags.iter().any(|known| known == tag) {
                tags.push(tag.to_string());
            }
        }
        tags
    }
}

/// Saving a stream instead of files.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Standard input")]
pub struct StdinArgs {
    /// Save standard input as one file
    #[arg(long, conflicts_with_all = ["paths", "stdin_from_command"])]
    pub stdin: bool,
    /// The name of that file
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    pub stdin_filename: OsString,
    /// Run the command given as arguments and save its output as one file; no snapshot is made if it fails
    #[arg(long, requires = "paths", conflicts_with_all = ["files_from", "files_from_verbatim", "files_from_raw"])]
    pub stdin_from_command: bool,
}

#[cfg(test)]
mod tests {
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn backup(args: &[&str]) -> Result<super::BackupArgs, clap::Error> {
        let cli = Cli::try_parse_from(["dedup", "backup"].iter().chain(args))?;
        let Command::Backup(backup) = cli.command else {
            panic!("not backup")
        };
        Ok(*backup)
    }

    #[test]
    fn something_must_be_given() {
        assert!(backup(&[]).is_err());
        assert!(backup(&["-x"]).is_err());
        for args in [
            ["/a"].as_slice(),
            &["--stdin"],
            &["--files-from", "-"],
            &["--files-from-raw", "x", "/a"],
        ] {
            assert!(backup(args).is_ok(), "{args:?}");
        }
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let got = backup(&[
            "--stdin-from-command",
            "--stdin-filename",
            "db",
            "--",
            "pg_dump",
            "-Fc",
            "--host=x",
        ])
        .unwrap();
        assert_eq!(got.paths, ["pg_dump", "-Fc", "--host=x"]);
        assert_eq!(got.stdin.stdin_filename, "db");
        assert!(backup(&["--stdin-from-command"]).is_err());
        assert!(backup(&["--stdin", "/a"]).is_err());
        assert!(backup(&["--stdin", "--stdin-from-command", "/a"]).is_err());
    }

    #[test]
    fn restics_options() {
        let line = "-e *.tmp --exclude !keep.tmp --iexclude *.BAK --exclude-file f --iexclude-file g --exclude-caches \
            --exclude-if-present .nobackup:yes --ignore-file .dedupignore --exclude-if-xattr user.skip=1 --exclude-larger-than 1.5G --exclude-extension iso,img --no-hidden -x \
            --tag a,b --tag c,a, -H host --time 2026-11-01 --description text --parent abc --skip-if-unchanged \
            --ignore-inode --ignore-ctime -n /a /b";
        let got = backup(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
        assert_eq!(got.select.exclude, ["*.tmp", "!keep.tmp"]);
        assert_eq!(got.select.exclude_larger_than, Some(3 << 29));
        assert_eq!(got.select.exclude_extension, ["iso", "img"]);
        assert_eq!(got.select.ignore_file, [".dedupignore"]);
        assert_eq!(got.select.exclude_if_xattr, ["user.skip=1"]);
        assert_eq!(got.describe.tags(), ["a", "b", "c"]);
        assert_eq!(got.describe.host.as_deref(), Some("host"));
        assert_eq!(got.paths, ["/a", "/b"]);
        assert!(got.dry_run && got.skip_if_unchanged && got.ignore_inode && got.ignore_ctime);
        assert!(backup(&["--exclude-larger-than", "many", "/a"]).is_err());
        assert!(backup(&["--parent", "abc", "--force", "/a"]).is_err());
    }
}
