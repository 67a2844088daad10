//! `backup`: one generation of files, or of a stream.

mod also;
mod stream;

use crate::args::BackupArgs;
use crate::args::backup::SelectArgs;
use crate::output;
use crate::render::{json, text};
use crate::terminal::Terminal;
use engine::backup::{self, Ignore, Options, OwnPlaces, Report, Stream};
use engine::filter::{FilterOptions, pattern_text};
use engine::order;
use engine::replicate::Followed;
use engine::repo::{self, Repo};
use engine::select::{self, Filter};
use engine::units::escape;
use engine::{SessionId, when};
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};
use service::face::{Activity, ProblemCounts, Step};
use service::machine;
use service::sources;
use service::{Failure, Status};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use stream::Input;

pub fn run(terminal: &Terminal, args: &BackupArgs) -> Result<Status, Failure> {
    let mut options = options(terminal, args)?;
    let mut input = Input::new(&args.stdin, &args.paths)?;
    let location = terminal.context.location()?;
    let followers = also::followers(terminal, &args.also, &location)?;
    if input.is_none() {
        let collected = sources::collect(&args.paths, &args.select.lists())?;
        (options.sources, options.followed) = (collected.paths, collected.followed);
        let urls = std::iter::once(&location.url).chain(followers.iter().map(|follower| &follower.url));
        let dirs = terminal.context.dirs()?;
        options.own = OwnPlaces {
            repositories: urls
                .filter_map(|url| repo::local_path(url))
                .map(Path::to_path_buf)
                .collect(),
            local: vec![dirs.cache, dirs.state],
        };
    }
    let mut begun = None;
    let repo = terminal.context.open_while(&location, terminal, &mut || {
        begun = input.is_none().then(|| backup::begin(&options)).transpose()?;
        Ok(())
    })?;
    let repo = Arc::new(repo);
    options.parent = parent(terminal, &repo, args)?;
    if let Some(input) = &mut input {
        input.start()?;
    }
    let watcher = Step::start(terminal, Activity::Backup)?;
    let stream = input.as_mut().map(|input| Stream {
        name: input.name(),
        source: input,
    });
    let followers = also::start(terminal, &args.also, &repo, followers)?;
    let report = match begun {
        Some(begun) => backup::run_begun(&repo, &options, begun, &watcher),
        None => backup::run(&repo, &options, stream, &watcher),
    };
    let report = match report {
        Ok(report) => report,
        Err(e) => {
            followers.give_up();
            return Err(e.into());
        }
    };
    repo.tell_damage(&watcher);
    let snapshots = match args.also.also.is_empty() {
        true => 0,
        false => repo.snapshots()?.0.len() as u64,
    };
    let followed = followers.finish(report.snapshot.is_some(), snapshots, &watcher);
    let tally = watcher.finish();
    also::tell_problems(terminal, &followed);
    match terminal.json() {
        true => output::object(&summary(&report, &options, &terminal.context.now, &followed))?,
        false if terminal.talks() => tell(terminal, &report, &options, tally, &followed)?,
        false => {}
    }
    Ok(tally.status().max(also::code(&followed)))
}

fn options(terminal: &Terminal, args: &BackupArgs) -> Result<Options, Failure> {
    let describe = &args.describe;
    let time = describe.time.as_deref().filter(|text| !text.is_empty());
    let time = time
        .map(|text| when::start_of(text, &terminal.context.now))
        .transpose()?;
    let host = machine::host(describe.host.as_deref(), &terminal.context.env)?;
    let options = Options::new(Vec::new(), &host, terminal.context.now.timestamp());
    Ok(Options {
        filter: filter(&args.select),
        user: repo::user_name(),
        tags: describe.tags(),
        description: describe.description.clone().unwrap_or_default(),
        time,
        dry_run: args.dry_run,
        force: args.force,
        ignore: Ignore {
            inode: args.ignore_inode,
            ctime: args.ignore_ctime,
        },
        skip_if_unchanged: args.skip_if_unchanged,
        allow_empty: args.allow_empty,
        read_special: args.select.read_special,
        level: args.compression,
        checkpoint: machine::checkpoint(&terminal.context.env)?.unwrap_or(options.checkpoint),
        ..options
    })
}

fn filter(select: &SelectArgs) -> FilterOptions {
    FilterOptions {
        excludes: patterns(&select.exclude),
        iexcludes: patterns(&select.iexclude),
        exclude_files: select.exclude_file.clone(),
        iexclude_files: select.iexclude_file.clone(),
        exclude_caches: select.exclude_caches,
        exclude_if_present: select.exclude_if_present.clone(),
        exclude_larger_than: select.exclude_larger_than,
        one_file_system: select.one_file_system,
        exclude_extensions: select.exclude_extension.clone(),
        hidden: !select.no_hidden,
        ignore_files: Vec::new(),
    }
}

fn patterns(given: &[OsString]) -> Vec<String> {
    let text = |pattern: &OsString| pattern_text(pattern.as_encoded_bytes()).into_owned();
    given.iter().map(text).collect()
}

fn parent(terminal: &Terminal, repo: &Repo, args: &BackupArgs) -> Result<Option<SessionId>, Failure> {
    let Some(text) = args.parent.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let (snapshots, _) = repo.snapshots()?;
    let facts = order::facts(&snapshots, terminal.context.now.timestamp());
    Ok(Some(select::choose(&facts, text, &Filter::default(), None)?.id))
}

fn tell(
    terminal: &Terminal,
    report: &Report,
    options: &Options,
    tally: ProblemCounts,
    followed: &[Followed],
) -> Result<(), Failure> {
    let mut out = String::new();
    if let Some(parent) = report.parent {
        out += &format!("Compared with snapshot {}\n", text::short(&parent.to_hex()));
    }
    out += &text::backup(&report.summary, report.elapsed, options.dry_run);
    out += &match (&report.snapshot, report.unchanged) {
        (Some(id), _) => format!("snapshot {} saved\n", text::short(&id.to_hex())),
        (None, true) => "Nothing changed: no snapshot made\n".to_string(),
        (None, false) => "Dry run: nothing was written\n".to_string(),
    };
    if !report.left_out.is_empty() {
        out += &match terminal.global.verbose {
            0 => format!(
                "Left out what belongs to the backup itself: {} (-v names them)\n",
                text::count(report.left_out.len() as u64, "folder")
            ),
            _ => report.left_out.iter().fold(String::new(), |told, path| {
                told + &format!("Left out, as it belongs to the backup itself: {}\n", escape(path))
            }),
        };
    }
    out += &also::lines(followed);
    if tally.paths > 0 {
        let problems = text::count(tally.paths, "problem");
        out += &format!(
            "{problems}: what is named above could not be saved, or not wholly; the rest is saved\n"
        );
    }
    output::write(out.as_bytes()).map(|_| ())
}

fn summary(report: &Report, options: &Options, start: &Zoned, followed: &[Followed]) -> Value {
    let mut object = json::summary(&report.summary);
    let end: Option<Timestamp> = jiff::SignedDuration::try_from(report.elapsed)
        .ok()
        .and_then(|elapsed| start.timestamp().checked_add(elapsed).ok());
    object.insert("message_type".into(), json!("summary"));
    object.insert("backup_start".into(), json!(start.timestamp().to_string()));
    object.insert("backup_end".into(), json!(end.map(|end| end.to_string())));
    object.insert("total_duration".into(), json!(report.elapsed.as_secs_f64()));
    object.insert("dry_run".into(), json!(options.dry_run));
    object.insert("unchanged".into(), json!(report.unchanged));
    object.insert("left_out".into(), json!(json::names(&report.left_out)));
    if let Some(id) = report.parent {
        object.insert("parent".into(), json!(id.to_hex()));
    }
    if !followed.is_empty() {
        object.insert("replicas".into(), also::objects(followed));
    }
    if let Some(id) = report.snapshot {
        object.insert("snapshot_id".into(), json!(id.to_hex()));
    }
    Value::Object(object)
}
