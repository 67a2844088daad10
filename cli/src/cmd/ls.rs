//! `ls`: the files of one generation.

use crate::args::{LsArgs, SortKey};
use crate::output::Lines;
use crate::render::ncdu::Ncdu;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::entry::{Entry, Time};
use service::error::NamedSnapshot;
use service::json;
use service::listing::{self, Chosen};
use service::monitor::Quiet;
use service::path_tags::{self, PathTags};
use service::paths::{SnapshotSpec, absolute, from_root};
use service::units::escape;
use service::{Error, list};
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &LsArgs) -> Result<Status, Failure> {
    let spec = SnapshotSpec::parse(&args.args, args.choice.at.is_some());
    let mut paths: Vec<(Option<Vec<u8>>, bool)> = Vec::new();
    for path in &spec.paths {
        paths.push((Some(absolute(path)?), args.recursive || args.ncdu));
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
    let mut view = LsView::new(terminal, args, &chosen, paths.first());
    if (terminal.json() || args.long) && !args.ncdu {
        view.tags = path_tags::read(&repo)?;
    }
    let mut list = || -> service::Result<()> {
        for (path, recursive) in &paths {
            let mut each = |path: &[u8], entry: &Entry| {
                view.add(terminal, args, path, entry, &mut out);
                out.go_on()
            };
            list::entries(&reader, &chosen.manifest, path.as_deref(), *recursive, &mut each)?;
        }
        Ok(())
    };
    let listed = list().map_err(|e| match e {
        Error::NoSuchPath { path, .. } => Error::NoSuchPath {
            path: format!("/{path}"),
            snapshot: NamedSnapshot::Text(chosen.short.clone()),
        },
        e => e,
    });
    if listed.is_ok() {
        view.end(args, &mut out);
    }
    out.end(listed)?;
    Ok(chosen.status)
}

/// How entries are shown.
struct LsView {
    /// The snapshot comes first, once it is known to hold what was asked for.
    head: Option<Value>,
    ncdu: Option<Ncdu>,
    /// Lines that wait until all can be sorted.
    sorted: Option<Vec<(Key, String)>>,
    host: String,
    /// Of paths; read only where they are shown.
    tags: PathTags,
}

/// What lines are sorted by: a number, such as a size, and then text.
type Key = (i128, Vec<u8>, Vec<u8>);

impl LsView {
    fn new(
        terminal: &Terminal,
        args: &LsArgs,
        chosen: &Chosen,
        first: Option<&(Option<Vec<u8>>, bool)>,
    ) -> LsView {
        let head = || {
            let tree = chosen.manifest.tree();
            let mut snapshot = json::object("snapshot", json::snapshot(chosen.id, &chosen.manifest, tree));
            snapshot["struct_type"] = json!("snapshot");
            snapshot
        };
        let top = first.and_then(|(path, _)| path.as_deref()).unwrap_or_default();
        LsView {
            ncdu: args
                .ncdu
                .then(|| Ncdu::new(top, chosen.manifest.time(), &chosen.manifest.paths)),
            head: (terminal.json() && !args.ncdu).then(head),
            sorted: args.sort.map(|_| Vec::new()),
            host: chosen.manifest.host.clone(),
            tags: PathTags::default(),
        }
    }

    fn add(&mut self, terminal: &Terminal, args: &LsArgs, path: &[u8], entry: &Entry, out: &mut Lines) {
        if let Some(ncdu) = &mut self.ncdu {
            return ncdu.add(path, entry, out);
        }
        if let Some(head) = self.head.take() {
            out.object(&head);
        }
        let line = match (terminal.json(), args.long) {
            (true, _) => json::node_line(path, entry, &self.tags_of(path)),
            (false, true) => {
                let line = text::long_entry(terminal.lang, path, entry, args.human_readable);
                line + &text::tags(&self.tags_of(path))
            }
            (false, false) => escape(&text::absolute(path)),
        };
        match (&mut self.sorted, args.sort) {
            (Some(sorted), Some(by)) => sorted.push((key(by, path, entry), line)),
            _ => out.line(&line),
        }
    }

    fn tags_of(&self, path: &[u8]) -> Vec<&str> {
        path_tags::of_entry(&self.tags, &self.host, path)
    }

    fn end(self, args: &LsArgs, out: &mut Lines) {
        if let Some(head) = self.head {
            out.object(&head);
        }
        if let Some(ncdu) = self.ncdu {
            ncdu.end(out);
        }
        let mut sorted = self.sorted.unwrap_or_default();
        sorted.sort_unstable();
        if args.reverse {
            sorted.reverse();
        }
        for (_, line) in &sorted {
            out.line(line);
        }
    }
}

fn key(by: SortKey, path: &[u8], entry: &Entry) -> Key {
    let time = |time: Time| i128::from(time.secs) * 1_000_000_000 + i128::from(time.nanos);
    let path = path.to_vec();
    match by {
        SortKey::Name => (0, entry.name.clone(), path),
        SortKey::Size => (entry.meta.size.into(), path, Vec::new()),
        SortKey::Time => (time(entry.meta.mtime), path, Vec::new()),
        SortKey::Ctime => (time(entry.meta.ctime), path, Vec::new()),
        SortKey::Extension => {
            let dot = entry.name.iter().rposition(|b| *b == b'.').filter(|dot| *dot > 0);
            let extension = dot.and_then(|dot| entry.name.get(dot..)).unwrap_or_default();
            (0, extension.to_ascii_lowercase(), path)
        }
    }
}
