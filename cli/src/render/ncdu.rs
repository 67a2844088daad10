//! The format that ncdu reads (its manual's "export file format", version 1.2): directories as nested arrays, written as
//! entries come, each directory before what is in it.

use crate::output::Lines;
use jiff::Timestamp;
use serde_json::{Value, json};
use service::entry::{Entry, Kind};
use service::json;

pub struct Ncdu {
    /// What is listed, relative to `/`; the root is empty.
    top: Vec<u8>,
    head: Option<String>,
    /// Directories that are open, each relative to `/`; the first is the top.
    open: Vec<Vec<u8>>,
}

impl Ncdu {
    pub fn new(top: &[u8], time: Timestamp, paths: &[Vec<u8>]) -> Ncdu {
        let about = json!({
            "progname": "dedup",
            "progver": env!("CARGO_PKG_VERSION"),
            "timestamp": time.as_second(),
            "time": time.to_string(),
            "paths": json::names(paths),
        });
        let top = top.strip_prefix(b"/").unwrap_or(top).to_vec();
        let name = json!({ "name": format!("/{}", json::name(&top)) });
        Ncdu {
            head: Some(format!("[1, 2, {about},\n[{name}")),
            open: vec![top.clone()],
            top,
        }
    }

    pub fn add(&mut self, path: &[u8], entry: &Entry, out: &mut Lines) {
        if let Some(head) = self.head.take() {
            out.part(&head);
        }
        // It has the head's line.
        if path == self.top {
            return;
        }
        let dir = path.get(..path.len() - entry.name.len()).unwrap_or_default();
        let dir = dir.strip_suffix(b"/").unwrap_or(dir);
        while self.open.len() > 1 && self.open.last().is_some_and(|open| open != dir) {
            self.open.pop();
            out.part("]");
        }
        let node = node(entry);
        match entry.kind {
            Kind::Dir => {
                self.open.push(path.to_vec());
                out.part(&format!(",\n[{node}"));
            }
            _ => out.part(&format!(",\n{node}")),
        }
    }

    pub fn end(mut self, out: &mut Lines) {
        if let Some(head) = self.head.take() {
            out.part(&head);
        }
        out.line(&"]".repeat(self.open.len() + 1));
    }
}

fn node(entry: &Entry) -> Value {
    let meta = &entry.meta;
    json!({
        "name": json::name(&entry.name),
        "asize": meta.size,
        "dsize": meta.size,
        "dev": meta.dev,
        "ino": meta.ino,
        "nlink": meta.nlink,
        "hlnkc": meta.nlink > 1 && entry.kind != Kind::Dir,
        "notreg": !matches!(entry.kind, Kind::Dir | Kind::File),
        "uid": meta.uid,
        "gid": meta.gid,
        "mode": meta.mode,
        "mtime": meta.mtime.secs,
    })
}
