//! `dump`: one file of a generation as a stream, or a directory as an archive.

use crate::args::{Archive, DumpArgs};
use crate::outfile;
use crate::terminal::Terminal;
use service::catalogue::Cause;
use service::face::{Activity, Step};
use service::listing::{self, Chosen};
use service::monitor::Monitor;
use service::paths::{SnapshotSpec, absolute, from_root};
use service::repo::Repo;
use service::{Error, archive, dump, list};
use service::{Failure, Status};
use std::io::{self, Write};

pub fn run(terminal: &Terminal, args: &DumpArgs) -> Result<Status, Failure> {
    let spec = SnapshotSpec::parse(&args.args, args.choice.at.is_some());
    let path = match (&spec.subpath, spec.paths.as_slice()) {
        (None, [path]) => absolute(path)?,
        (Some(path), []) => from_root(path),
        (None, []) => return Err(Cause::NothingToDump.into()),
        _ => return Err(Cause::DumpsOne.into()),
    };
    let among = args.choice.among(&terminal.context.now)?;
    let repo = terminal.open()?;
    let chosen = listing::choose_for(&terminal.context, &repo, &spec, &among, terminal)?;
    chosen.tell_age(&spec, terminal);
    let watcher = Step::start(terminal, Activity::Dump)?;
    let write = |out: &mut dyn Write| dump_to(&repo, &chosen, &path, args.archive, out, &watcher);
    match &args.target {
        Some(target) => outfile::write(terminal, target, write)?,
        None => match write(&mut io::stdout().lock()) {
            // A reader that went away has what it wanted.
            Err(Error::Output(source)) if source.kind() == io::ErrorKind::BrokenPipe => {}
            done => done?,
        },
    }
    repo.tell_damage(&watcher);
    Ok(watcher.finish().status().max(chosen.status))
}

fn dump_to(
    repo: &Repo,
    chosen: &Chosen,
    path: &[u8],
    form: Archive,
    out: &mut dyn Write,
    monitor: &dyn Monitor,
) -> service::Result<()> {
    match list::is_dir(&repo.reader(monitor), &chosen.manifest, path)? {
        true => match form {
            Archive::Tar => archive::tar(repo, &chosen.manifest, path, out, monitor),
            Archive::Zip => archive::zip(repo, &chosen.manifest, path, out, monitor),
        },
        false => dump::file(repo, &chosen.manifest, path, out, monitor).map(|_| ()),
    }
}
