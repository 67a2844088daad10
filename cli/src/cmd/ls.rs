//! `ls`: the files of one generation.

use crate::args::LsArgs;
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::json;
use service::entry::Entry;
use service::json;
use service::listing;
use service::monitor::Quiet;
use service::paths::{SnapshotSpec, absolute, from_root};
use service::units::escape;
use service::{Error, list};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &LsArgs) -> Result<Status, Failure> {
    let spec = SnapshotSpec::parse(&args.args, args.choice.at.is_some());
    let mut paths: Vec<(Option<Vec<u8>>, bool)> = Vec::new();
    for path in &spec.paths {
        paths.push((Some(absolute(path)?), args.recursive));
    }
    if paths.is_empty() {
        paths.push((spec.subpath.as_deref().map(from_root), true));
    }
    let among = args.choice.among(&terminal.context.now)?;
    let repo = terminal.open()?;
    let chosen = listing::choose_for(&terminal.context, &repo, &spec, &among, terminal)?;
    chosen.tell_age(&spec, terminal);
    let reader = repo.reader(&Quiet);
    let mut out = Lines::new();
    // The snapshot comes first, once it is known to hold what was asked for.
    let mut head = terminal.json().then(|| {
        let tree = chosen.manifest.tree();
        let mut snapshot = json::object("snapshot", json::snapshot(chosen.id, &chosen.manifest, tree));
        snapshot["struct_type"] = json!("snapshot");
        snapshot
    });
    let mut list = || -> service::Result<()> {
        for (path, recursive) in &paths {
            let mut each = |path: &[u8], entry: &Entry| {
                if let Some(head) = head.take() {
                    out.object(&head);
                }
                match (terminal.json(), args.long) {
                    (true, _) => out.object(&json::node(path, entry)),
                    (false, true) => out.line(&text::long_entry(terminal.lang, path, entry)),
                    (false, false) => out.line(&escape(&text::absolute(path))),
                }
                out.go_on()
            };
            list::entries(&reader, &chosen.manifest, path.as_deref(), *recursive, &mut each)?;
        }
        Ok(())
    };
    let listed = list().map_err(|e| match e {
        Error::NoSuchPath { path, .. } => Error::NoSuchPath {
            path: format!("/{path}"),
            snapshot: chosen.short.clone(),
        },
        e => e,
    });
    if let (Ok(()), Some(head)) = (&listed, head) {
        out.object(&head);
    }
    out.end(listed)?;
    Ok(chosen.status)
}
