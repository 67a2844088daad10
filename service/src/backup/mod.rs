//! The job `backup`: one snapshot of files or of a stream, and the replicas that get it too.

mod destinations;
mod glob;
mod outputs;
mod sources;
pub mod standard;
mod stream;

use crate::catalogue::{SetCause, SetupWarning};
use crate::context::Context;
use crate::face::{Activity, Face, Notice, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{DestinationRow, HistoryRow, JobInfo, JobKind, shown_path};
use crate::machine;
use crate::resolve::Location;
use crate::settings::values::SourceSnapshot;
use crate::status::Status;
use crate::usage;
use destinations::{Destinations, Opened};
pub use destinations::{FollowerReport, OpenRepository};
use engine::backup as run;
pub use engine::backup::BackupReport;
pub use engine::backup::Ignore;
pub use engine::backup::LEVEL;
pub use engine::filter::FilterOptions;
use engine::filter::pattern_text;
use engine::platform::process;
use engine::problem::{Problem, ProblemKind};
use engine::replicate::Followers;
use engine::repo::{self, Repo};
use engine::run::RunContext;
use engine::select::{self, Filter};
use engine::snapshots::SourceSnapshots;
use engine::{Monitor, SessionId, order};
use jiff::{SignedDuration, Span, Timestamp};
pub use outputs::CommandSource;
use outputs::Commands;
use sources::CollectedSources;
pub use sources::SourceLists;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
pub use stream::Input;
use stream::RunningInput;

/// What to back up, and how.
pub struct Request {
    pub input: Input,
    pub filter: FilterOptions,
    /// Whether sources are read in a snapshot of their file system.
    pub source_snapshot: SourceSnapshot,
    /// This machine's name in the snapshot; without one, the environment's or the system's.
    pub host: Option<String>,
    pub tags: Vec<String>,
    pub description: String,
    /// The set whose run this is; empty for none.
    pub set: String,
    /// Leave out what the standard list names.
    pub standard_excludes: bool,
    /// The snapshot's time; without one, now.
    pub time: Option<Timestamp>,
    pub dry_run: bool,
    /// Read every file again.
    pub force: bool,
    /// The snapshot to compare with; without one, the newest of the same host and paths.
    pub parent: Option<String>,
    pub ignore: Ignore,
    pub skip_if_unchanged: bool,
    pub allow_empty: bool,
    pub read_special: bool,
    /// zstd's level.
    pub level: i32,
    /// Commands whose output is saved beside files.
    pub commands: Vec<CommandSource>,
    /// Names or URLs of replicas that get the snapshot too.
    pub also: Vec<String>,
    /// How long they may go on once it is saved.
    pub also_wait: Span,
}

impl Request {
    /// A backup of this, and otherwise what is usual.
    pub fn new(input: Input) -> Request {
        Request {
            input,
            filter: FilterOptions::default(),
            source_snapshot: SourceSnapshot::Off,
            host: None,
            tags: Vec::new(),
            description: String::new(),
            set: String::new(),
            standard_excludes: false,
            time: None,
            dry_run: false,
            force: false,
            parent: None,
            ignore: Ignore::default(),
            skip_if_unchanged: false,
            allow_empty: false,
            read_special: false,
            level: LEVEL,
            commands: Vec::new(),
            also: Vec::new(),
            also_wait: Span::new().hours(1),
        }
    }
}

/// What a backup did, here and at the replicas.
#[derive(Debug)]
pub struct Report {
    pub backup: BackupReport,
    pub problems: ProblemCounts,
    pub(crate) repository: OpenRepository,
    /// Where the snapshot is, if the repository that was asked for could not be reached.
    pub saved_at: Option<String>,
    pub replicas: Vec<FollowerReport>,
    /// Commands whose output is not saved, and why.
    pub failed_commands: Vec<SetCause>,
    /// Nearly all files of the snapshot before are gone from the source.
    pub lost_files: Option<LostFiles>,
}

/// How many files a source had, and has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostFiles {
    pub before: u64,
    pub now: u64,
}

/// Whether nearly all files of a source are gone is looked at.
#[derive(Clone, Copy)]
pub(crate) struct LossWatch {
    /// How many there were before it was told, if it was, and nobody has accepted it: else it would be told once, and
    /// the next run would seem to be well.
    pub before: Option<u64>,
}

impl LossWatch {
    fn look(self, repo: &Repo, done: &BackupReport) -> Result<Option<LostFiles>, Failure> {
        let before = match (self.before, done.parent) {
            (None, Some(parent)) => Some(repo.manifest(parent)?.summary.total_files_processed),
            (before, _) => before,
        };
        let now = done.summary.total_files_processed;
        Ok(before.and_then(|before| LostFiles::between(before, now)))
    }
}

impl LostFiles {
    /// Few files may well be gone.
    const LEAST: u64 = 10;

    /// `None` if at least a tenth is still there.
    fn between(before: u64, now: u64) -> Option<LostFiles> {
        let is_lost = before >= LostFiles::LEAST && now.saturating_mul(10) < before;
        is_lost.then_some(LostFiles { before, now })
    }
}

impl Report {
    /// Completes its row in the history, and returns its status.
    pub(crate) fn note(&self, first: &str, row: &mut HistoryRow) -> Status {
        row.files = self.backup.summary.total_files_processed;
        row.bytes = self.backup.summary.total_bytes_processed;
        row.snapshot = self.backup.snapshot.map(|id| id.to_hex());
        let leader = DestinationRow {
            status: self.problems.status().word().to_string(),
            ..DestinationRow::of(self.saved_at.as_deref().unwrap_or(first), 0, None)
        };
        let follower = |one: &FollowerReport| DestinationRow::of(&one.name, one.behind, one.failure.as_ref());
        let followers = self.replicas.iter().map(follower);
        row.destinations = std::iter::once(leader).chain(followers).collect();
        self.status()
    }

    /// The snapshot is saved; but a user who asked for several places and does not have them must not be told that all
    /// is done.
    pub fn status(&self) -> Status {
        let is_behind = |one: &FollowerReport| one.behind > 0 || one.failure.is_some();
        let replicas = match self.replicas.iter().any(is_behind) {
            true => Status::Incomplete,
            false => Status::Completed,
        };
        let lost = match self.lost_files {
            Some(_) => Status::Incomplete,
            None => Status::Completed,
        };
        self.problems.status().max(replicas).max(lost)
    }
}

/// Patterns as they were given, which need not be UTF-8.
pub fn patterns(given: &[OsString]) -> Vec<String> {
    let text = |pattern: &OsString| pattern_text(pattern.as_encoded_bytes()).into_owned();
    given.iter().map(text).collect()
}

pub fn run(context: &Context, request: Request, face: &dyn Face) -> Result<Report, Failure> {
    let sources = match &request.input {
        Input::Files { paths, .. } => paths.iter().map(|path| shown_path(path.as_ref())).collect(),
        Input::Stream { name, .. } | Input::Command { name, .. } => vec![name.to_string_lossy().into_owned()],
    };
    let job = JobInfo {
        sources,
        ..JobInfo::of(JobKind::Backup)
    };
    let location = context.location()?;
    let first = repo::shown(&location.url);
    recorded(
        context,
        (!request.dry_run).then_some(job),
        face,
        |face| perform(context, &location, request, None, face),
        |report, row| report.note(&first, row),
    )
}

/// The same without a row in the history.
pub(crate) fn perform(
    context: &Context,
    location: &Location,
    request: Request,
    watch: Option<LossWatch>,
    face: &dyn Face,
) -> Result<Report, Failure> {
    let mut options = options(context, &request)?;
    let own = RunContext {
        host: context.host(request.host.as_deref())?,
        user: process::user_name(),
        ..context.run_within_quotas()?
    };
    let stream = RunningInput::of(&request.input)?;
    let mut destinations = Destinations::new(context, location, &request.also, !request.set.is_empty())?;
    let urls: Vec<String> = destinations.urls().map(String::from).collect();
    let dry_run = request.dry_run;
    find_sources(context, &request, &destinations, &mut options)?;
    let commands = Commands::new(&request.commands, context.cancel());
    options.outputs = commands.outputs();
    let source_snapshot = match stream.is_none() && !dry_run {
        true => request.source_snapshot,
        false => SourceSnapshot::Off,
    };
    let attempts = BackupAttempts {
        context,
        own: &own,
        face,
        parent: request.parent,
        also_wait: request.also_wait,
        source_snapshot,
    };
    let saved = attempts.save_at_first(&mut destinations, &mut options, stream, request.input)?;
    let Saved {
        opened,
        followers,
        step,
        done,
    } = saved;
    let repo = opened.leader.clone();
    repo.tell_damage(&step);
    let (saved_at, repository) = (opened.instead.clone(), opened.repository());
    let replicas = opened.finish(followers, destinations.into_away(), done.snapshot)?;
    if !dry_run {
        usage::note_after(context, urls.iter().map(String::as_str), false);
    }
    let lost_files = match watch {
        Some(watch) => watch.look(&repo, &done)?,
        None => None,
    };
    Ok(Report {
        backup: done,
        lost_files,
        failed_commands: commands.failures(),
        problems: step.finish(),
        repository,
        saved_at,
        replicas,
    })
}

/// What the attempts of one backup share.
struct BackupAttempts<'a> {
    context: &'a Context,
    own: &'a RunContext,
    face: &'a dyn Face,
    parent: Option<String>,
    also_wait: Span,
    source_snapshot: SourceSnapshot,
}

/// A backup that is saved at one destination, while the others still follow.
struct Saved<'a> {
    opened: Opened,
    followers: Followers,
    step: Step<'a>,
    done: BackupReport,
}

impl<'a> BackupAttempts<'a> {
    /// Saves it at the first destination that can be reached: once, and again for each that goes away meanwhile.
    fn save_at_first(
        &self,
        destinations: &mut Destinations,
        options: &mut run::BackupOptions,
        mut stream: Option<RunningInput>,
        input: Input,
    ) -> Result<Saved<'a>, Failure> {
        let mut input = Some(input);
        // Deleted when nothing is read any more.
        let mut frozen = None;
        loop {
            let mut begun = None;
            let mut opened = destinations.open((self.context, self.own), self.face, &mut || {
                if frozen.is_none() && self.source_snapshot != SourceSnapshot::Off {
                    frozen = Some(freeze(self.source_snapshot, options, self.face)?);
                }
                begun = stream
                    .is_none()
                    .then(|| run::begin(options, self.own))
                    .transpose()?;
                Ok(())
            })?;
            options.parent = parent(self.context, &opened.leader, self.parent.as_deref())?;
            if let (Some(stream), Some(input)) = (&mut stream, input.take()) {
                stream.start(input)?;
            }
            let step = Step::start(self.face, Activity::Backup)?;
            let followers = opened.start(self.also_wait)?;
            options.intakes = followers.intakes();
            match save(&opened.leader, options, begun, stream.as_mut(), &step) {
                Ok(done) => {
                    let lost = frozen.iter().flat_map(SourceSnapshots::lost);
                    lost.for_each(|root| step.problem(&Problem::new(&root, ProblemKind::SnapshotLost)));
                    return Ok(Saved {
                        opened,
                        followers,
                        step,
                        done,
                    });
                }
                Err(e) => {
                    followers.give_up();
                    match stream {
                        None => destinations.failed(e.into())?,
                        // It can't be read twice.
                        Some(_) => return Err(destinations.explain(e.into())),
                    }
                }
            }
        }
    }
}

fn save(
    repo: &Repo,
    options: &run::BackupOptions,
    begun: Option<run::Begun>,
    stream: Option<&mut RunningInput>,
    step: &Step<'_>,
) -> Result<BackupReport, engine::Error> {
    match (begun, stream) {
        (Some(begun), _) => run::run_begun(repo, options, begun, step),
        (None, stream) => {
            let stream = stream.map(|stream| run::Stream {
                name: stream.name(),
                source: stream,
            });
            run::run(repo, options, stream, step)
        }
    }
}

fn options(context: &Context, request: &Request) -> Result<run::BackupOptions, Failure> {
    let options = run::BackupOptions::new(Vec::new());
    Ok(run::BackupOptions {
        filter: request.filter.clone(),
        tags: request.tags.clone(),
        description: request.description.clone(),
        set: request.set.clone(),
        time: request.time,
        dry_run: request.dry_run,
        force: request.force,
        ignore: request.ignore,
        skip_if_unchanged: request.skip_if_unchanged,
        allow_empty: request.allow_empty,
        read_special: request.read_special,
        level: request.level,
        checkpoint: machine::checkpoint(&context.env)?.unwrap_or(options.checkpoint),
        ..options
    })
}

/// Makes snapshots of what the sources are on, in which the backup reads them.
fn freeze(
    mode: SourceSnapshot,
    options: &mut run::BackupOptions,
    face: &dyn Face,
) -> Result<SourceSnapshots, Failure> {
    let snapshots = SourceSnapshots::take(&options.sources, &options.followed);
    for why in &snapshots.without {
        let why = why.clone();
        match mode {
            SourceSnapshot::Required => return Err(SetCause::NoSourceSnapshot { why }.into()),
            SourceSnapshot::Auto | SourceSnapshot::Off => face.notice(&Notice::Warning {
                during: "backup",
                warning: &SetupWarning::NoSourceSnapshot { why },
            }),
        }
    }
    options.grafts = snapshots.grafts();
    Ok(snapshots)
}

/// What is backed up of this machine, and what is not.
fn find_sources(
    context: &Context,
    request: &Request,
    destinations: &Destinations,
    options: &mut run::BackupOptions,
) -> Result<(), Failure> {
    let Input::Files { paths, lists } = &request.input else {
        return Ok(());
    };
    let collected = match paths.is_empty() && !request.commands.is_empty() {
        true => CollectedSources::default(),
        false => sources::collect(paths, lists)?,
    };
    (options.sources, options.followed) = (collected.paths, collected.followed);
    if request.standard_excludes {
        let sources = options.sources.iter().map(|path| path.as_path());
        standard::add_to(&mut options.filter, sources)?;
    }
    options.own = own_places(context, destinations)?;
    Ok(())
}

/// What is not backed up because it is the backup.
fn own_places(context: &Context, destinations: &Destinations) -> Result<run::OwnPlaces, Failure> {
    let dirs = context.dirs()?;
    Ok(run::OwnPlaces {
        repositories: destinations
            .urls()
            .filter_map(repo::local_path)
            .map(Path::to_path_buf)
            .collect(),
        local: vec![dirs.cache, dirs.state],
    })
}

fn parent(context: &Context, repo: &Repo, given: Option<&str>) -> Result<Option<SessionId>, Failure> {
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let (snapshots, _) = repo.outlines()?;
    let facts = order::facts(&snapshots, context.now.timestamp());
    Ok(Some(select::choose(&facts, text, &Filter::default(), None)?.id))
}

/// When the backup ended, whose start is the job's "now".
pub fn ended(start: Timestamp, elapsed: Duration) -> Option<Timestamp> {
    let elapsed = SignedDuration::try_from(elapsed).ok()?;
    start.checked_add(elapsed).ok()
}
