//! The directories above the snapshots: by id, by time, by host, by set and by tag, each with a link `latest` where that
//! means something. They are made from the list of snapshots, and hold nothing of what is in these. When there are other
//! snapshots, they are made again, and what was there before keeps its number.

use crate::facts::SnapshotInfo;
use crate::select::{self, Filter};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// Digits of an id in a name.
const SHORT: usize = 8;

/// What a name in such a directory is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum LayoutEntry {
    /// A directory of these, by its number.
    Dir(usize),
    /// A snapshot, by its place in the list.
    Snapshot(usize),
    /// A link to another name in the same directory, by its number.
    Link(usize),
}

#[derive(Default, Debug)]
pub(super) struct ViewLayout {
    /// The first is the top.
    pub dirs: Vec<BTreeMap<Vec<u8>, LayoutEntry>>,
    /// The directory that each link is in, and where it leads: one that leads elsewhere is another link.
    links: Vec<(usize, Vec<u8>)>,
    /// Numbers of directories by the one that they are in, and their names.
    numbers: BTreeMap<(usize, Vec<u8>), usize>,
}

impl ViewLayout {
    /// The layout for these snapshots, oldest first, of which each has its number.
    pub fn renewed(&self, facts: &[SnapshotInfo], numbers: &[usize]) -> ViewLayout {
        let mut layout = ViewLayout {
            dirs: vec![BTreeMap::new(); self.dirs.len().max(1)],
            links: self.links.clone(),
            numbers: self.numbers.clone(),
        };
        layout.fill(facts);
        for entry in layout.dirs.iter_mut().flat_map(BTreeMap::values_mut) {
            if let LayoutEntry::Snapshot(at) = entry {
                *at = numbers.get(*at).copied().unwrap_or(*at);
            }
        }
        layout
    }

    /// Where a link leads.
    pub fn target(&self, link: usize) -> Option<&Vec<u8>> {
        self.links.get(link).map(|(_, target)| target)
    }

    /// Snapshots by their places among `facts`.
    fn fill(&mut self, facts: &[SnapshotInfo]) {
        let layout = self;
        let all: Vec<usize> = (0..facts.len()).collect();
        let ids = layout.dir(0, b"ids");
        for (at, facts) in facts.iter().enumerate() {
            let hex = facts.id.to_hex();
            let (long, short) = (hex.clone().into_bytes(), hex.into_bytes());
            let short = short.get(..SHORT).unwrap_or(&short).to_vec();
            let taken = layout.dirs.get(ids).is_some_and(|dir| dir.contains_key(&short));
            let name = if taken { long } else { short };
            layout.put(ids, name, LayoutEntry::Snapshot(at));
        }
        let times = layout.dir(0, b"snapshots");
        layout.by_time(times, facts, &all);
        let hosts = layout.dir(0, b"hosts");
        let names: BTreeSet<&str> = facts.iter().map(|facts| facts.host.as_str()).collect();
        for host in names {
            let of_host = all.iter().copied();
            let of_host = of_host.filter(|at| facts.get(*at).is_some_and(|facts| facts.host == host));
            let dir = layout.dir(hosts, &component(host));
            layout.by_time(dir, facts, &of_host.collect::<Vec<_>>());
        }
        let sets = layout.dir(0, b"sets");
        let names: BTreeSet<&String> = facts.iter().map(|facts| &facts.set).collect();
        for set in names.into_iter().filter(|set| !set.is_empty()) {
            let of_set = all.iter().copied();
            let of_set = of_set.filter(|at| facts.get(*at).is_some_and(|facts| facts.set == *set));
            let dir = layout.dir(sets, &component(set));
            layout.by_time(dir, facts, &of_set.collect::<Vec<_>>());
        }
        let tags = layout.dir(0, b"tags");
        let names: BTreeSet<&String> = facts.iter().flat_map(|facts| &facts.tags).collect();
        for tag in names {
            let tagged = all.iter().copied();
            let tagged = tagged.filter(|at| facts.get(*at).is_some_and(|facts| facts.tags.contains(tag)));
            let dir = layout.dir(tags, &component(tag));
            layout.by_time(dir, facts, &tagged.collect::<Vec<_>>());
        }
    }

    /// A directory in another; that of an earlier call if there is one of this name.
    fn dir(&mut self, within: usize, name: &[u8]) -> usize {
        let known = self.dirs.get(within).and_then(|dir| dir.get(name));
        if let Some(LayoutEntry::Dir(known)) = known {
            return *known;
        }
        let dirs = &mut self.dirs;
        let number = *self.numbers.entry((within, name.to_vec())).or_insert_with(|| {
            dirs.push(BTreeMap::new());
            dirs.len() - 1
        });
        self.put(within, name.to_vec(), LayoutEntry::Dir(number));
        number
    }

    fn put(&mut self, within: usize, name: Vec<u8>, target: LayoutEntry) {
        if let Some(dir) = self.dirs.get_mut(within) {
            dir.insert(name, target);
        }
    }

    /// Snapshots by their local times, and the latest of them.
    fn by_time(&mut self, dir: usize, facts: &[SnapshotInfo], these: &[usize]) {
        let mut names = BTreeMap::new();
        for at in these {
            let Some(one) = facts.get(*at) else { continue };
            let time = one.time.to_zoned(TimeZone::system());
            let name = time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
            let free = (1u32..).map(|n| match n {
                1 => name.clone(),
                n => format!("{name}-{n}"),
            });
            let taken = |name: &String| {
                self.dirs
                    .get(dir)
                    .is_some_and(|dir| dir.contains_key(name.as_bytes()))
            };
            let Some(name) = free.into_iter().find(|name| !taken(name)) else {
                continue;
            };
            names.insert(one.id, name.clone());
            self.put(dir, name.into_bytes(), LayoutEntry::Snapshot(*at));
        }
        let list: Vec<SnapshotInfo> = these.iter().filter_map(|at| facts.get(*at)).cloned().collect();
        // Without any there is no latest.
        let Ok(latest) = select::choose(&list, "latest", &Filter::default(), None) else {
            return;
        };
        if let Some(name) = names.remove(&latest.id) {
            let link = (dir, name.into_bytes());
            let known = self.links.iter().rposition(|known| *known == link);
            let number = known.unwrap_or_else(|| {
                self.links.push(link);
                self.links.len() - 1
            });
            self.put(dir, b"latest".to_vec(), LayoutEntry::Link(number));
        }
    }
}

/// As it can be the name of a directory.
fn component(name: &str) -> Vec<u8> {
    let plain: String = name
        .chars()
        .map(|c| if matches!(c, '/' | '\0') { '_' } else { c })
        .collect();
    match plain.as_str() {
        "" | "." | ".." => format!("_{plain}").into_bytes(),
        _ => plain.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Dated, Made};
    use chunkstore::SessionId;
    use jiff::Timestamp;

    fn snapshot(id: u8, secs: i64, host: &str, tags: &[&str]) -> SnapshotInfo {
        SnapshotInfo {
            set: String::new(),
            id: SessionId([id; 16]),
            time: Timestamp::from_second(secs).unwrap(),
            at: Timestamp::from_second(secs).unwrap(),
            dated: Dated::default(),
            made: Made::default(),
            host: host.into(),
            paths: Vec::new(),
            tags: tags.iter().map(|tag| tag.to_string()).collect(),
            protected: false,
            partial: false,
            original: None,
        }
    }

    fn names(layout: &ViewLayout, path: &[&str]) -> Vec<String> {
        let mut at = 0;
        for name in path {
            let Some(LayoutEntry::Dir(next)) = layout.dirs[at].get(name.as_bytes()) else {
                panic!("no {name}")
            };
            at = *next;
        }
        let names = layout.dirs[at].keys();
        names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    #[test]
    fn snapshots_by_everything() {
        let facts = [
            snapshot(1, 100, "a/b", &["x"]),
            snapshot(2, 200, "c", &["x", ".."]),
            snapshot(3, 200, "c", &[]),
        ];
        let layout = ViewLayout::default().renewed(&facts, &[0, 1, 2]);
        assert_eq!(names(&layout, &[]), ["hosts", "ids", "sets", "snapshots", "tags"]);
        assert_eq!(names(&layout, &["ids"]), ["01010101", "02020202", "03030303"]);
        assert_eq!(names(&layout, &["hosts"]), ["a_b", "c"]);
        assert_eq!(names(&layout, &["hosts", "c"]).len(), 3);
        assert!(names(&layout, &["hosts", "c"])[1].ends_with("-2"));
        assert_eq!(names(&layout, &["tags"]), ["_..", "x"]);
        assert_eq!(names(&layout, &["tags", "x"]).len(), 3);
        assert_eq!(names(&layout, &["snapshots"]).len(), 4);
        let none = ViewLayout::default().renewed(&[], &[]);
        assert_eq!(names(&none, &["snapshots"]), [""; 0]);
        assert_eq!(names(&layout, &["sets"]), [""; 0]);
    }
    fn entry<'l>(layout: &'l ViewLayout, path: &[&str]) -> &'l LayoutEntry {
        let (name, above) = path.split_last().unwrap();
        let mut at = 0;
        for name in above {
            let Some(LayoutEntry::Dir(next)) = layout.dirs[at].get(name.as_bytes()) else {
                panic!("no {name}")
            };
            at = *next;
        }
        &layout.dirs[at][name.as_bytes()]
    }

    /// Numbers are what the system knows things by.
    #[test]
    fn what_stays_keeps_its_number() {
        let (old, mut new) = (snapshot(1, 100, "m", &["z"]), snapshot(2, 200, "a", &["a"]));
        new.set = "letters".into();
        let before = ViewLayout::default().renewed(std::slice::from_ref(&old), &[0]);
        let after = before.renewed(&[old.clone(), new], &[0, 7]);
        for path in [
            &["hosts", "m"][..],
            &["tags", "z"],
            &["ids", "01010101"],
            &["hosts", "m", "latest"],
        ] {
            assert_eq!(entry(&before, path), entry(&after, path), "{path:?}");
        }
        assert_eq!(*entry(&after, &["ids", "02020202"]), LayoutEntry::Snapshot(7));
        assert_eq!(names(&after, &["sets", "letters"]).len(), 2);
        // It leads elsewhere.
        assert_ne!(
            entry(&before, &["snapshots", "latest"]),
            entry(&after, &["snapshots", "latest"])
        );
        let again = after.renewed(&[old], &[0]);
        assert_eq!(
            entry(&before, &["snapshots", "latest"]),
            entry(&again, &["snapshots", "latest"])
        );
        assert_eq!(names(&again, &["sets"]), [""; 0]);
    }
}
