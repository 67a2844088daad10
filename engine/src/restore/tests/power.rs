//! Power failures in a restore. Of what was changed since the last sync anything may be there afterwards: names come and
//! go in order, as with a journal of metadata, or each for itself; and the bytes and metadata of a file may be old or new
//! or torn, whatever its name. What has its own name is whole all the same, and the next restore completes the rest.

use super::deaths::{Life, MODES, Story};
use super::kit::{Kit, seeds};
use crate::fsmeta::{Changes, End, Event, How, Watch};
use crate::restore::RestoreOptions;
use parking_lot::Mutex;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Names = BTreeMap<PathBuf, u64>;

/// The first directory of a window, by which its file system is known, is moved away before the window is on disk.
#[test]
fn what_gets_its_name_is_on_disk_wherever_directories_go() {
    let kit = Kit::new();
    for dir in ["a", "b"] {
        fs::create_dir(kit.source().join(dir)).unwrap();
        fs::write(kit.source().join(dir).join("file"), dir.repeat(1000)).unwrap();
    }
    let manifest = kit.backup();
    let (target, elsewhere) = (kit.target(), kit.source().join("elsewhere"));
    let seen = Arc::new(Mutex::new((false, false)));
    let noted = seen.clone();
    let watch = move |event| {
        let mut seen = noted.lock();
        let begun = |dir: &str| fs::read_dir(target.join(dir)).is_ok_and(|names| names.count() > 0);
        if begun("a") && begun("b") {
            fs::rename(target.join("a"), &elsewhere).unwrap();
            seen.0 = false;
        }
        match event {
            Event::Synced => seen.0 = true,
            Event::Changed if target.join("b/file").exists() => {
                assert!(seen.0, "it has its name and may not be on disk");
                seen.1 = true;
            }
            Event::Changed => {}
        }
    };
    let changes = Changes {
        watch: Some(Watch::new(watch)),
        ..Changes::default()
    };
    let options = RestoreOptions {
        changes,
        ..kit.options()
    };
    let _some_of_it = kit.restore(&manifest, &options).0;
    assert_eq!(*seen.lock(), (true, true));
}

/// What a name leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Node {
    kind: What,
    mode: u32,
    mtime: (i64, i64),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Dir,
    File(Vec<u8>),
    Link(PathBuf),
}

impl Node {
    fn read(path: &Path, meta: &Metadata) -> Node {
        Node {
            kind: match meta.file_type() {
                kind if kind.is_dir() => What::Dir,
                kind if kind.is_symlink() => What::Link(fs::read_link(path).unwrap()),
                _ => What::File(fs::read(path).unwrap()),
            },
            mode: meta.mode() & 0o7777,
            mtime: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

fn each(root: &Path, see: &mut dyn FnMut(PathBuf, &Path, &Metadata)) {
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(root.join(&dir)).unwrap() {
            let entry = entry.unwrap();
            let (name, path) = (dir.join(entry.file_name()), entry.path());
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                dirs.push(name.clone());
            }
            see(name, &path, &meta);
        }
    }
}

fn names(root: &Path) -> Names {
    let mut names = Names::new();
    each(root, &mut |name, _, meta| {
        names.insert(name, meta.ino());
    });
    names
}

fn nodes(root: &Path) -> BTreeMap<u64, Node> {
    let mut nodes = BTreeMap::new();
    each(root, &mut |_, path, meta| {
        nodes.entry(meta.ino()).or_insert_with(|| Node::read(path, meta));
    });
    nodes
}

/// What is on the disk of the target, and the names since then.
struct Disk {
    root: PathBuf,
    /// Of the last sync, and after each change since.
    names: Vec<Names>,
    nodes: BTreeMap<u64, Node>,
}

impl Disk {
    /// All that is there is on the disk.
    fn new(root: &Path) -> Arc<Mutex<Disk>> {
        Arc::new(Mutex::new(Disk {
            root: root.to_path_buf(),
            names: vec![names(root)],
            nodes: nodes(root),
        }))
    }

    fn watch(disk: &Arc<Mutex<Disk>>) -> Arc<Watch> {
        let disk = disk.clone();
        Watch::new(move |event| {
            let mut disk = disk.lock();
            let now = names(&disk.root);
            if event == Event::Synced {
                disk.names.clear();
                disk.nodes = nodes(&disk.root);
            }
            disk.names.push(now);
        })
    }

    /// The power fails.
    fn cut(&self, dice: &mut Dice, in_order: bool) {
        let live = nodes(&self.root);
        let left = match in_order {
            true => self.names[dice.below(self.names.len())].clone(),
            false => self.any_names(dice),
        };
        let mut inodes = BTreeMap::new();
        for ino in left.values() {
            inodes
                .entry(*ino)
                .or_insert_with(|| survivor(self.nodes.get(ino), live.get(ino), dice));
        }
        rebuild(&self.root, &left, &inodes);
    }

    /// Each name as it was at one of the moments since the last sync, for itself.
    fn any_names(&self, dice: &mut Dice) -> Names {
        let all: BTreeSet<&PathBuf> = self.names.iter().flat_map(Names::keys).collect();
        let mut left = Names::new();
        for name in all {
            let parent = name.parent().unwrap();
            let is_there = parent == Path::new("") || left.contains_key(parent);
            if let Some(ino) = self.names[dice.below(self.names.len())]
                .get(name)
                .filter(|_| is_there)
            {
                left.insert(name.clone(), *ino);
            }
        }
        left
    }
}

/// What may be left of an object that was one thing at the last sync and is another now.
fn survivor(durable: Option<&Node>, live: Option<&Node>, dice: &mut Dice) -> Node {
    let created = Node {
        kind: What::File(Vec::new()),
        mode: 0o600,
        mtime: (1, 0),
    };
    let (old, new) = match (durable, live) {
        (Some(old), Some(new)) if old == new => return old.clone(),
        (Some(old), Some(new)) => (old.clone(), new.clone()),
        // It was replaced or removed since, and that is not on the disk: what was there is never written into.
        (Some(old), None) => return old.clone(),
        (None, Some(new)) => (created, new.clone()),
        (None, None) => return created,
    };
    let kind = match (&old.kind, &new.kind) {
        (What::File(old), What::File(new)) => What::File(torn(old, new, dice)),
        (_, kind) => kind.clone(),
    };
    let mut either = || dice.below(2) == 0;
    Node {
        kind,
        mode: if either() { old.mode } else { new.mode },
        mtime: if either() { old.mtime } else { new.mtime },
    }
}

fn torn(old: &[u8], new: &[u8], dice: &mut Dice) -> Vec<u8> {
    let middle = dice.below(new.len() + 1);
    match dice.below(6) {
        0 => old.to_vec(),
        1 => new.to_vec(),
        2 => new[..middle].to_vec(),
        3 => vec![0; new.len()],
        4 => {
            let mut bytes = new.to_vec();
            bytes[middle..].fill(0);
            bytes
        }
        _ => {
            let mut bytes = new.to_vec();
            let end = (middle + 4096).min(bytes.len());
            bytes[middle..end].fill(0);
            bytes
        }
    }
}

/// Makes the directory hold exactly this.
fn rebuild(root: &Path, names: &Names, nodes: &BTreeMap<u64, Node>) {
    fs::remove_dir_all(root).unwrap();
    fs::create_dir(root).unwrap();
    let mut first: BTreeMap<u64, &PathBuf> = BTreeMap::new();
    for (name, ino) in names {
        let path = root.join(name);
        match (&nodes[ino].kind, first.get(ino)) {
            (What::Dir, _) => fs::create_dir(&path).unwrap(),
            (_, Some(first)) => fs::hard_link(root.join(first), &path).unwrap(),
            (What::File(bytes), None) => fs::write(&path, bytes).unwrap(),
            (What::Link(to), None) => symlink(to, &path).unwrap(),
        }
        first.entry(*ino).or_insert(name);
    }
    for (name, ino) in names.iter().rev() {
        let (path, node) = (root.join(name), &nodes[ino]);
        if !matches!(node.kind, What::Link(_)) {
            fs::set_permissions(&path, Permissions::from_mode(node.mode)).unwrap();
        }
        let time = Timespec {
            tv_sec: node.mtime.0,
            tv_nsec: node.mtime.1,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

#[test]
fn a_power_failure_in_a_restore_leaves_whole_files_and_is_made_good_by_the_next() {
    let story = Story::new();
    let (lives, seeds) = (Life::all(), seeds(250));
    let (mut cuts, mut ends) = (0, 0);
    for seed in seeds.clone() {
        let mut dice = Dice(seed);
        let life = lives[dice.below(lives.len())];
        let second = MODES[dice.below(MODES.len())];
        let how = [How::Before, How::Within, How::After][dice.below(3)];
        let in_order = dice.below(2) == 0;
        story.prepare(life.over);
        let disk = Disk::new(&story.kit.target());
        // Some come to their end: that they are acknowledged means that all is on the disk.
        let end = End::new(dice.below(80) as u64, how);
        let changes = Changes {
            end: Some(end.clone()),
            watch: Some(Disk::watch(&disk)),
            ..Changes::default()
        };
        let ended_well = life.run(&story, changes);
        disk.lock().cut(&mut dice, in_order);
        let what = format!("seed {seed}: {life:?} at {how:?}, in order: {in_order}, then {second:?}");
        life.assert_whole(&story, &what);
        if ended_well {
            life.assert_good(&story, life.first, !in_order, &what);
            ends += 1;
        } else {
            cuts += u64::from(end.ended());
        }
        // Where names come and go as they like, the journal may be lost and what it names not.
        life.make_good(&story, second, !in_order, &what);
    }
    println!(
        "power: {} cases, seeds {} to {}; {cuts} failures in the middle, {ends} right after the end",
        seeds.end - seeds.start,
        seeds.start,
        seeds.end - 1
    );
    let few = seeds.end - seeds.start < 100;
    assert!(few || cuts > ends && ends > 0, "{cuts} {ends}");
}
