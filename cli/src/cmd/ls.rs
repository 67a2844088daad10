//! `ls`: the files of one generation.

use crate::args::LsArgs;
use crate::args::snapshot::{Spec, absolute, from_root};
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::Lines;
use crate::render::{json, text};
use crate::{listing, output};
use engine::list;
use engine::monitor::Quiet;
use engine::{Error, StoreError};

pub fn run(context: &Context, args: &LsArgs) -> Result<Code, Failure> {
    let spec = Spec::parse(&args.args, args.choice.at.is_some());
    let mut paths: Vec<(Option<Vec<u8>>, bool)> = Vec::new();
    for path in &spec.paths {
        paths.push((Some(absolute(path)?), args.recursive));
    }
    if paths.is_empty() {
        paths.push((spec.subpath.as_deref().map(from_root), true));
    }
    let repo = context.open()?;
    let chosen = listing::choose(context, &repo, &spec.snapshot, &args.choice)?;
    let reader = repo.reader(&Quiet);
    let mut out = Lines::new();
    for (path, recursive) in &paths {
        let mut each = |path: &[u8], entry: &engine::entry::Entry| {
            let written = match (context.json(), args.long) {
                (true, _) => out.object(&json::node(path, entry)),
                (false, true) => out.line(&text::long_entry(path, entry)),
                (false, false) => out.line(&engine::units::escape(&text::absolute(path))),
            };
            carry(written, out.closed())
        };
        let listed = list::entries(&reader, &chosen.manifest, path.as_deref(), *recursive, &mut each);
        match listed {
            Err(Error::NoSuchPath { path, .. }) => {
                let (path, snapshot) = (format!("/{path}"), chosen.short.clone());
                return Err(Error::NoSuchPath { path, snapshot }.into());
            }
            listed => uncarried(listed)?,
        }
    }
    out.finish()?;
    Ok(chosen.code)
}

/// Takes the end of output through the engine, whose callbacks give its own errors: `Interrupted` where nobody reads
/// any more.
pub fn carry(written: Result<(), Failure>, closed: bool) -> engine::Result<()> {
    match written {
        Ok(()) if closed => Err(Error::Interrupted),
        Ok(()) => Ok(()),
        Err(failure) => Err(StoreError::Refused(failure.message).into()),
    }
}

/// The other end of [`carry`].
pub fn uncarried<T: Default>(result: engine::Result<T>) -> Result<T, Failure> {
    match result {
        Err(Error::Interrupted) if !crate::signals::interrupted() => Ok(T::default()),
        result => Ok(result?),
    }
}
