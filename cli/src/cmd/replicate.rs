//! `replicate`: brings replicas up to the repository, each on a thread of its own.

use crate::args::remotes::ReplicateArgs;
use crate::cmd::remote::behind_by;
use crate::exit;
use crate::output::{self, Lines};
use crate::render::text;
use crate::terminal::Terminal;
use engine::replicate::{self, Noted, Options, Replicated};
use engine::repo::Repo;
use engine::units::{escape, format_bytes};
use engine::{Error, StoreError};
use serde_json::{Value, json};
use service::face::{Activity, Step};
use service::resolve;
use service::{Failure, Status};

/// One replica to be brought up to date.
struct Target {
    name: String,
    url: String,
    /// It was asked for, not just found among those that have names.
    named: bool,
}

/// What became of one.
struct Ended {
    name: String,
    done: Replicated,
    failure: Option<Failure>,
}

pub fn run(terminal: &Terminal, args: &ReplicateArgs) -> Result<Status, Failure> {
    let location = terminal.context.location()?;
    let targets = targets(terminal, args, &resolve::absolute(&location.url)?)?;
    let options = Options {
        all: args.all,
        dry_run: args.dry_run,
        host: terminal.context.host()?,
        now: terminal.context.now_secs(),
    };
    let first = terminal.context.open_at(&location, terminal)?;
    let watcher = Step::start(terminal, Activity::Replicate)?;
    let ended: Vec<Ended> = std::thread::scope(|scope| {
        let one = |target| {
            let (first, options, watcher) = (&first, &options, &watcher);
            let thread = std::thread::Builder::new().name("replica".to_string());
            thread.spawn_scoped(scope, move || bring(terminal, first, target, options, watcher))
        };
        let started: Vec<_> = targets.into_iter().map(one).collect();
        let joined = started.into_iter().map(|one| {
            let one =
                one.map_err(|e| Failure::new(Status::Failed, format!("no thread could be started: {e}")))?;
            // A panic has been printed by its thread.
            Ok(one.join().ok().flatten())
        });
        joined
            .filter_map(Result::transpose)
            .collect::<Result<Vec<Ended>, Failure>>()
    })?;
    watcher.finish();
    tell(terminal, &ended, args.dry_run)?;
    Ok(code(&ended, args.dry_run))
}

fn targets(terminal: &Terminal, args: &ReplicateArgs, first: &str) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    for text in &args.to {
        targets.push(Target {
            name: text.clone(),
            url: terminal.context.remote(text)?.url,
            named: true,
        });
    }
    if args.to.is_empty() {
        let all = terminal.context.settings.remotes.clone().into_iter();
        targets.extend(all.filter(|remote| remote.url != first).map(|remote| Target {
            name: remote.name,
            url: remote.url,
            named: false,
        }));
    }
    match targets.is_empty() {
        true => Err(Failure::usage(
            "no other remote has a name: give --to, or see 'dedup remote add'",
        )),
        false => Ok(targets),
    }
}

/// Nothing for one that is no replica and was not asked for.
fn bring(
    terminal: &Terminal,
    first: &Repo,
    target: Target,
    options: &Options,
    watcher: &Step<'_>,
) -> Option<Ended> {
    let mut done = Replicated::default();
    let brought = terminal.context.dirs().and_then(|dirs| {
        let to = first.open_replica(&target.url, &dirs).map_err(|e| (e, &dirs));
        match to {
            Err((e, _)) => Ok(Err(e)),
            Ok(to) => {
                let run = replicate::run(first, &to, options, watcher, &mut done);
                let (behind, reached) = (done.behind, options.now);
                replicate::note(&dirs, &target.url, &Noted { behind, reached })?;
                Ok(run)
            }
        }
    });
    let failure = match brought {
        Err(failure) => Some(failure),
        Ok(Err(Error::Store(StoreError::Refused(_)))) if !target.named => return None,
        Ok(Err(e)) => Some(e.into()),
        Ok(Ok(())) => None,
    };
    Some(Ended {
        name: target.name,
        done,
        failure,
    })
}

fn tell(terminal: &Terminal, ended: &[Ended], dry_run: bool) -> Result<(), Failure> {
    let mut out = Lines::new();
    for one in ended {
        if let Some(failure) = &one.failure {
            let said = Failure::new(failure.status, format!("{}: {}", one.name, failure.message));
            output::say(&exit::line(&said, terminal.json()));
        }
        if terminal.json() {
            out.object(&object(one));
        } else if terminal.talks() {
            out.line(&line(one, dry_run));
        }
    }
    if terminal.json() {
        let replicas: Vec<Value> = ended.iter().map(object).collect();
        out.object(&json!({ "message_type": "summary", "dry_run": dry_run, "replicas": replicas }));
    }
    out.finish()
}

fn object(one: &Ended) -> Value {
    let mut object = json!(one.done);
    object["message_type"] = json!("replica");
    object["name"] = json!(one.name);
    object["error"] = json!(one.failure.as_ref().map(|failure| &failure.message));
    object
}

fn line(one: &Ended, dry_run: bool) -> String {
    let name = escape(one.name.as_bytes());
    let done = &one.done;
    let snapshots = text::count(done.snapshots, "snapshot");
    if dry_run {
        return format!("{name}: would bring {snapshots}");
    }
    let came = match done.snapshots {
        0 => String::new(),
        _ => format!("{snapshots} came, {} sent; ", format_bytes(done.bytes)),
    };
    match &one.failure {
        Some(_) if done.behind == 0 => format!("{name}: {came}failed"),
        _ => format!("{name}: {came}{}", behind_by(done.behind)),
    }
}

/// Damage first, then what one failure alone says, and else that it was done in part.
fn code(ended: &[Ended], dry_run: bool) -> Status {
    let mut failures = ended.iter().filter_map(|one| one.failure.as_ref());
    if ended.iter().any(|one| one.done.hurt > 0) {
        return Status::Damaged;
    }
    match (failures.next(), ended.len()) {
        (Some(failure), 1) => failure.status,
        (Some(_), _) => Status::Incomplete,
        _ if !dry_run && ended.iter().any(|one| one.done.behind > 0) => Status::Incomplete,
        _ => Status::Completed,
    }
}
