//! Options of the commands that read snapshots: `ls`, `find`, `versions`, `diff`, `dump`, `restore`.

use super::snapshot::{ChoiceArgs, FilterArgs};
use super::values;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

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
    /// With --long: sizes as 1.5 GiB
    #[arg(long)]
    pub human_readable: bool,
    /// With paths: also list everything below their directories
    #[arg(long)]
    pub recursive: bool,
    /// Sort by this instead of by folder, the smallest or oldest first; everything is read before anything is listed
    #[arg(short, long, value_enum, value_name = "KEY")]
    pub sort: Option<SortKey>,
    /// With --sort: the other way round
    #[arg(long, requires = "sort")]
    pub reverse: bool,
    /// Write what ncdu reads: dedup ls --ncdu | ncdu -f -
    #[arg(long, conflicts_with_all = ["long", "sort", "recursive"])]
    pub ncdu: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortKey {
    Name,
    Size,
    /// When the content was modified
    #[value(alias = "mtime", alias = "atime")]
    Time,
    /// When the content or the metadata was changed
    Ctime,
    Extension,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "--tag finds files and directories that have the tags ('dedup tag --on'), what is below such directories, and \
    what is in snapshots that have them."
)]
pub struct FindArgs {
    /// Names, paths or patterns to look for (default with --tag: the paths that have the tags)
    #[arg(value_name = "PATTERN", required_unless_present = "tag")]
    pub patterns: Vec<String>,
    /// Ignore case
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
    /// Only files of at least SIZE
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub larger_than: Option<u64>,
    /// Only files of at most SIZE
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub smaller_than: Option<u64>,
    /// List the matches of each snapshot, instead of each file with its versions
    #[arg(long)]
    pub by_snapshot: bool,
    /// Only in this snapshot (may be given several times)
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub snapshot: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Each line is one content that the file had, the newest first. With -v every snapshot that holds \
    it is listed, and whether the file was changed since the snapshot before."
)]
pub struct VersionsArgs {
    /// The file
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Look at snapshots of all hosts (default: of this one)
    #[arg(long, conflicts_with = "host")]
    pub all_hosts: bool,
    /// Restore every version into DIR, each with the time of its modification in its name; nothing is overwritten
    #[arg(long, value_name = "DIR")]
    pub restore_all: Option<PathBuf>,
    /// With --restore-all: show what would be restored; write nothing
    #[arg(short = 'n', long, requires = "restore_all")]
    pub dry_run: bool,
}

#[derive(Args, Clone, Debug)]
pub struct DiffArgs {
    /// The snapshot before
    #[arg(value_name = "SNAPSHOT[:SUBPATH]")]
    pub before: OsString,
    /// The snapshot after (default: the files on this machine as they are now)
    #[arg(value_name = "SNAPSHOT[:SUBPATH]")]
    pub after: Option<OsString>,
    /// Of the files on this machine, leave out what matches PATTERN (may be given several times)
    #[arg(short, long, value_name = "PATTERN", conflicts_with = "after")]
    pub exclude: Vec<OsString>,
    /// Read patterns to exclude from FILE, one per line
    #[arg(long, value_name = "FILE", conflicts_with = "after")]
    pub exclude_file: Vec<PathBuf>,
    /// Leave out what files of this name list, such as .dedupignore (may be given several times)
    #[arg(long, value_name = "NAME", conflicts_with = "after")]
    pub ignore_file: Vec<String>,
    /// Leave out what has this extended attribute (may be given several times)
    #[arg(long, value_name = "NAME[=VALUE]", conflicts_with = "after")]
    pub exclude_if_xattr: Vec<String>,
    /// Read all files on this machine, also those whose size and times say that they are unchanged
    #[arg(long, conflicts_with = "after")]
    pub content: bool,
    /// Also show files of which only metadata changed
    #[arg(long)]
    pub metadata: bool,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Snapshots are directories below ids/, snapshots/ (by time), hosts/HOST/, sets/SET/ and tags/TAG/; each \
    but ids/ has a link 'latest'. Runs until it is unmounted, by umount or Ctrl-C; snapshots that are made meanwhile \
    appear. Needs FUSE."
)]
pub struct MountArgs {
    /// An existing directory
    #[arg(value_name = "DIR")]
    pub mountpoint: PathBuf,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Let other users look too, as far as recorded permissions allow (needs user_allow_other in /etc/fuse.conf)
    #[arg(long)]
    pub allow_other: bool,
}

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The directories are those of 'dedup mount'. The address that is printed holds a token, which is made anew at \
    each start and lets whoever knows it read all snapshots; a client that asks for a user and a password gets it as \
    the password, with any user. Symbolic links and special files are not shown. Runs until Ctrl-C."
)]
pub struct ServeArgs {
    /// Where to listen, on this machine alone (default: 127.0.0.1:4281; port 0 chooses a free one)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
}

#[derive(Args, Clone, Debug)]
#[command(override_usage = "dedup dump [OPTIONS] [SNAPSHOT[:SUBPATH]] [PATH]")]
pub struct DumpArgs {
    /// Snapshot (default: the newest that holds the path), and the file or directory
    #[arg(value_name = "SNAPSHOT|PATH", required = true, num_args = 1..=2)]
    pub args: Vec<OsString>,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// The form in which a directory is written
    #[arg(short, long, value_enum, default_value_t = Archive::Tar)]
    pub archive: Archive,
    /// Write to FILE instead of standard output; a regular file is replaced only when the new one is complete
    #[arg(short, long, value_name = "FILE")]
    pub target: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Archive {
    /// With owners, attributes, ACLs and holes
    Tar,
    /// Files, folders and symbolic links; not compressed
    Zip,
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
    #[arg(short, long, value_name = "DIR", required_unless_present = "to")]
    pub target: Option<PathBuf>,
    /// The same by name: original (where the files were), desktop, downloads, or a folder
    #[arg(
        long,
        value_name = "original|desktop|downloads|DIR",
        conflicts_with = "target"
    )]
    pub to: Option<OsString>,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Restore only what matches PATTERN (may be given several times)
    #[arg(short, long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Don't restore what matches PATTERN (may be given several times)
    #[arg(short, long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Like --include, ignoring case
    #[arg(long, value_name = "PATTERN")]
    pub iinclude: Vec<String>,
    /// Like --exclude, ignoring case
    #[arg(long, value_name = "PATTERN")]
    pub iexclude: Vec<String>,
    /// Read patterns to include from FILE, one per line
    #[arg(long, value_name = "FILE")]
    pub include_file: Vec<PathBuf>,
    /// Read patterns to exclude from FILE, one per line
    #[arg(long, value_name = "FILE")]
    pub exclude_file: Vec<PathBuf>,
    /// Like --include-file, ignoring case
    #[arg(long, value_name = "FILE")]
    pub iinclude_file: Vec<PathBuf>,
    /// Like --exclude-file, ignoring case
    #[arg(long, value_name = "FILE")]
    pub iexclude_file: Vec<PathBuf>,
    /// Also restore files that were deleted since TIME and are not in the snapshot, each from the newest snapshot that
    /// holds it
    #[arg(long, value_name = "TIME")]
    pub deleted_since: Option<String>,
    /// Delete what is in the restored directories of the target and not in the snapshot; -n -v shows what
    #[arg(long)]
    pub delete: bool,
    /// What to do where a file is already there
    #[arg(long, value_enum, default_value_t = Overwrite::Always)]
    pub overwrite: Overwrite,
    /// Permissions of restored files: as saved, or as for new files here
    #[arg(long, value_enum, default_value_t = Permissions::Original)]
    pub permissions: Permissions,
    /// Read what is lost or damaged from this replica, or everything if the first can't be reached (may be given several times)
    #[arg(long, value_name = "NAME|URL")]
    pub also: Vec<String>,
    /// Read every file back and compare it, including those that were already equal
    #[arg(long)]
    pub verify: bool,
    /// Change files of 16 MiB and more that are already there, instead of writing a new copy beside each; until it is
    /// complete again, such a file has a temporary name
    #[arg(long, alias = "inplace")]
    pub in_place: bool,
    /// Show what would be done; write nothing
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
