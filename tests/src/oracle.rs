//! What a tree of files is, by means of its own: read from a file system with plain system calls, or from a
//! generation with the store's read side, into one map that can be compared. Restore is not used here; it is one of
//! the things under test.

use crate::machine::Noting;
use chunkstore::error::{Flaw, Object};
use chunkstore::frame::Decoder;
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, SessionId};
use engine::entry::{Entry, Extent, Kind, Trouble, join};
use engine::error::{Error, Result};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::restore;
use engine::trees;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    File,
    Dir,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

/// All of an entry that a backup must bring back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    pub what: What,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
    /// Of a regular file.
    pub size: u64,
    pub content: Option<[u8; 32]>,
    pub target: Vec<u8>,
    pub rdev: u64,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Number of the group of names for one file, counted in path order; only for files of several names.
    pub group: Option<usize>,
}

/// Path relative to the root, which itself is the empty path.
pub type Tree = BTreeMap<Vec<u8>, Node>;

/// Numbers for hard-linked files, in the order they are met.
#[derive(Default)]
struct Groups(HashMap<(u64, u64), Vec<Vec<u8>>>);

impl Groups {
    fn note(&mut self, dev: u64, ino: u64, path: &[u8]) {
        self.0.entry((dev, ino)).or_default().push(path.to_vec());
    }

    /// A group of one name, whose others are outside the tree, is none.
    fn number(self, tree: &mut Tree) {
        let mut groups: Vec<Vec<Vec<u8>>> = self.0.into_values().filter(|names| names.len() > 1).collect();
        groups.iter_mut().for_each(|names| names.sort());
        groups.sort();
        for (number, names) in groups.iter().enumerate() {
            for name in names {
                tree.get_mut(name).unwrap().group = Some(number);
            }
        }
    }
}

/// Reads what is at `root` now.
pub fn walk(root: &Path) -> Tree {
    let (mut tree, mut groups) = (Tree::new(), Groups::default());
    let mut todo = vec![(root.to_path_buf(), Vec::new())];
    while let Some((path, name)) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            for child in fs::read_dir(&path).unwrap() {
                let child = child.unwrap().file_name();
                todo.push((path.join(&child), join(&name, child.as_bytes())));
            }
        } else if meta.nlink() > 1 {
            groups.note(meta.dev(), meta.ino(), &name);
        }
        tree.insert(name, node(&path, &meta));
    }
    groups.number(&mut tree);
    tree
}

fn node(path: &Path, meta: &fs::Metadata) -> Node {
    let file_type = meta.file_type();
    let what = if file_type.is_file() {
        What::File
    } else if file_type.is_dir() {
        What::Dir
    } else if file_type.is_symlink() {
        What::Symlink
    } else if file_type.is_char_device() {
        What::CharDevice
    } else if file_type.is_block_device() {
        What::BlockDevice
    } else if file_type.is_fifo() {
        What::Fifo
    } else {
        What::Socket
    };
    let is_device = matches!(what, What::CharDevice | What::BlockDevice);
    Node {
        what,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: (meta.mtime(), meta.mtime_nsec() as u32),
        size: if what == What::File { meta.size() } else { 0 },
        content: (what == What::File).then(|| hash_file(path)),
        target: match what {
            What::Symlink => fs::read_link(path).unwrap().into_os_string().into_vec(),
            _ => Vec::new(),
        },
        rdev: if is_device { meta.rdev() } else { 0 },
        xattrs: xattrs(path),
        group: None,
    }
}

fn hash_file(path: &Path) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return *hasher.finalize().as_bytes(),
            read => hasher.update(&buffer[..read]),
        };
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 1 << 16];
    let len = rustix::fs::llistxattr(path, &mut names[..]).unwrap();
    let names = names[..len].split(|b| *b == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 1 << 16];
            let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(len);
            (name.to_vec(), value)
        })
        .collect()
}

/// What a generation holds at `root` and below it. An error is damage: the generation can't be read whole.
pub fn generation(repo: &Repo, id: SessionId, root: &Path) -> Result<Tree> {
    let root = root.strip_prefix("/").unwrap().as_os_str().as_bytes();
    let (mut tree, mut groups) = (Tree::new(), Groups::default());
    let reader = repo.reader(&Quiet);
    let mut contents = Contents::new(&reader)?;
    let mut cursor = trees::cursor(&reader, &repo.manifest(id)?.root()?)?;
    while let Some(item) = cursor.next()? {
        let path = join(&item.dir, &item.entry.name);
        let Some(rest) = path.strip_prefix(root) else {
            continue;
        };
        let name = match rest {
            [] => rest,
            [b'/', name @ ..] => name,
            _ => continue,
        };
        let meta = &item.entry.meta;
        if item.entry.kind != Kind::Dir && meta.nlink > 1 {
            groups.note(meta.dev, meta.ino, name);
        }
        let node = contents.node(&item.entry)?;
        let before = tree.insert(name.to_vec(), node);
        assert!(before.is_none(), "{} is listed twice", name.escape_ascii());
    }
    groups.number(&mut tree);
    Ok(tree)
}

/// What `engine::restore` makes of a generation's `source` in `target`, which is made. Nothing may go wrong.
pub fn restored(repo: &Repo, id: SessionId, source: &Path, target: &Path) -> Tree {
    let mut options = restore::RestoreOptions::new(target);
    options.subpath = Some(source.as_os_str().as_bytes().to_vec());
    options.verify = true;
    let told = Noting::default();
    let summary = restore::run(repo, &repo.manifest(id).unwrap(), &options, &told).unwrap();
    assert!(summary.problems == 0, "{summary:?} {:?}", told.problems());
    walk(target)
}

/// Reads every byte of a generation.
pub fn read_all(repo: &Repo, id: SessionId) -> Result<usize> {
    generation(repo, id, Path::new("/")).map(|tree| tree.len())
}

struct Contents<'a> {
    reader: &'a Reader<'a>,
    decoder: Decoder,
    last: Option<(ChunkId, Vec<u8>)>,
}

impl<'a> Contents<'a> {
    fn new(reader: &'a Reader<'a>) -> Result<Self> {
        Ok(Contents {
            reader,
            decoder: Decoder::new()?,
            last: None,
        })
    }

    fn chunk(&mut self, id: ChunkId) -> Result<&[u8]> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != id) {
            let located = self.reader.locate(&id)?.filter(|at| at.class == Class::Data);
            let located =
                located.ok_or_else(|| chunkstore::Error::missing(chunkstore::error::Object::Chunk(id)))?;
            let store = self.reader.store();
            let mut plain = Vec::new();
            self.decoder.read(
                store.remote(),
                store.keys(),
                Class::Data,
                id,
                &located.place,
                &mut plain,
            )?;
            self.last = Some((id, plain));
        }
        Ok(&self.last.as_ref().unwrap().1)
    }

    fn node(&mut self, entry: &Entry) -> Result<Node> {
        let (what, target, rdev) = match &entry.kind {
            Kind::File => (What::File, Vec::new(), 0),
            Kind::Dir => (What::Dir, Vec::new(), 0),
            Kind::Symlink { target } => (What::Symlink, target.clone(), 0),
            Kind::CharDevice { rdev } => (What::CharDevice, Vec::new(), *rdev),
            Kind::BlockDevice { rdev } => (What::BlockDevice, Vec::new(), *rdev),
            Kind::Fifo => (What::Fifo, Vec::new(), 0),
            Kind::Socket => (What::Socket, Vec::new(), 0),
        };
        let meta = &entry.meta;
        let content = match what {
            What::File => Some(self.hash(entry)?),
            _ => None,
        };
        Ok(Node {
            what,
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            mtime: (meta.mtime.secs, meta.mtime.nanos),
            size: meta.size,
            content,
            target,
            rdev,
            xattrs: meta
                .xattrs
                .iter()
                .map(|attribute| (attribute.name.clone(), attribute.value.clone()))
                .collect(),
            group: None,
        })
    }

    fn hash(&mut self, entry: &Entry) -> Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        if let Some(file) = entry.content.small_file() {
            let keys = self.reader.store().clone();
            let now = self.reader.index()?.find_file(&file)?;
            let now = now.map_or(file, |(now, _)| now);
            let bytes = now.slice(self.chunk(now.bundle)?);
            let bytes = bytes
                .ok_or_else(|| chunkstore::Error::corrupt(Object::Chunk(now.bundle), Flaw::Truncated))?;
            if keys.keys().content_hash(bytes) != file.hash {
                return Err(chunkstore::Error::corrupt(Object::Chunk(now.bundle), Flaw::HashMismatch).into());
            }
            hasher.update(bytes);
            size = bytes.len() as u64;
        }
        let mut extents = Vec::new();
        trees::for_each_extent(self.reader, &mut self.decoder, &entry.content, &mut |extent| {
            extents.push(extent);
            Ok(())
        })?;
        for extent in extents {
            size += extent.len();
            match extent {
                Extent::Chunk { id, len } => {
                    let bytes = self.chunk(id)?;
                    assert_eq!(bytes.len(), len as usize);
                    hasher.update(bytes);
                }
                Extent::Zero { len } => {
                    let zeros = [0; 4096];
                    let mut left = len;
                    while left > 0 {
                        let now = left.min(4096);
                        hasher.update(&zeros[..now as usize]);
                        left -= now;
                    }
                }
            }
        }
        // A repair leaves the size of what it could not keep.
        let is_lost = matches!(entry.trouble, Some(Trouble::Unreadable { .. }));
        if size != entry.meta.size && !is_lost {
            let name = entry.name.escape_ascii().to_string();
            let flaw = Flaw::SizeMismatch {
                indexed: entry.meta.size,
                found: size,
            };
            return Err(Error::Store(chunkstore::Error::corrupt(name, flaw)));
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

/// What differs, a line for each path, in words.
pub fn differences(expected: &Tree, found: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, node) in expected {
        let name = path.escape_ascii();
        match found.get(path) {
            None => lines.push(format!("{name}: missing, was {:?}", node.what)),
            Some(other) if node != other => lines.push(format!("{name}: {}", compare(node, other))),
            Some(_) => {}
        }
    }
    for (path, node) in found.iter().filter(|(path, _)| !expected.contains_key(*path)) {
        lines.push(format!(
            "{}: should not be there ({:?})",
            path.escape_ascii(),
            node.what
        ));
    }
    lines
}

fn compare(a: &Node, b: &Node) -> String {
    let mut parts = Vec::new();
    let mut part = |what: &str, a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| {
        let (a, b) = (format!("{a:?}"), format!("{b:?}"));
        if a != b {
            parts.push(format!("{what} {b} instead of {a}"));
        }
    };
    part("kind", &a.what, &b.what);
    part("mode", &format!("{:o}", a.mode), &format!("{:o}", b.mode));
    part("uid", &a.uid, &b.uid);
    part("gid", &a.gid, &b.gid);
    part("mtime", &a.mtime, &b.mtime);
    part("size", &a.size, &b.size);
    let short = |hash: &Option<[u8; 32]>| hash.map(|hash| [hash[0], hash[1], hash[2], hash[3]]);
    part("content", &short(&a.content), &short(&b.content));
    part(
        "target",
        &a.target.escape_ascii().to_string(),
        &b.target.escape_ascii().to_string(),
    );
    part("device", &a.rdev, &b.rdev);
    part("attributes", &a.xattrs, &b.xattrs);
    part("hard links", &a.group, &b.group);
    parts.join(", ")
}

/// Panics with the differences, if there are any.
#[track_caller]
pub fn assert_same(expected: &Tree, found: &Tree, what: &str) {
    let lines = differences(expected, found);
    let shown = lines.iter().take(20).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(
        lines.is_empty(),
        "{what}: {} paths differ\n  {shown}",
        lines.len()
    );
}

/// What rsync would do to make `b` like `a`: a second opinion on what "the same" means. `None` without rsync.
pub fn rsync_differences(a: &Path, b: &Path) -> Option<String> {
    let slash = |path: &Path| path.join("").into_os_string();
    let run = Command::new("rsync")
        .args(["-aHAXSnc", "--delete", "--itemize-changes"])
        .args([slash(a), slash(b)])
        .output();
    match run {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        run => {
            let run = run.unwrap();
            let said = [run.stdout, run.stderr].concat();
            assert!(run.status.success(), "rsync: {}", String::from_utf8_lossy(&said));
            Some(String::from_utf8_lossy(&said).into_owned())
        }
    }
}
