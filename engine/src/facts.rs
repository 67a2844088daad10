//! What retention and selection know of a snapshot, and how snapshots are distinguished. Made from manifests; no
//! content, no clock.

use chunkstore::SessionId;
use jiff::Timestamp;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Where a snapshot stands among those of its machine, and what the clock showed when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Made {
    /// The random id of the machine.
    pub machine: [u8; 16],
    /// The machine's count of manifests; 0 where it is not known.
    pub sequence: u64,
    /// When the backup began.
    pub started: Timestamp,
    /// When the backup ended.
    pub ended: Timestamp,
}

/// How far a snapshot's time is believed ([`crate::order`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dated {
    /// The clock agrees with the machine's other snapshots.
    #[default]
    Believed,
    /// The clock was wrong: it does not fit to the snapshots that this machine made before and after.
    Doubtful,
    /// It is still to come.
    Future,
}

/// One snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// The id of the snapshot.
    pub id: SessionId,
    /// The one in its manifest.
    pub time: Timestamp,
    /// The time that it counts as, and how far the one in its manifest is believed.
    pub at: Timestamp,
    /// How far its time is believed.
    pub dated: Dated,
    /// When, and by which machine, it was made.
    pub made: Made,
    /// The name of the machine.
    pub host: String,
    /// The sources, as absolute paths in bytes.
    pub paths: Vec<Vec<u8>>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The set whose run made it, or empty.
    pub set: String,
    /// It is not removed by policies or by mistake.
    pub protected: bool,
    /// A checkpoint of a backup that did not finish.
    pub partial: bool,
    /// The id that it first had, where it has another now.
    pub original: Option<SessionId>,
}

impl SnapshotInfo {
    /// A snapshot that nobody made, to try a policy out. `nr` distinguishes it from others.
    pub fn imagined(nr: u64, at: Timestamp) -> SnapshotInfo {
        SnapshotInfo {
            id: SessionId(u128::from(nr).to_le_bytes()),
            time: at,
            at,
            dated: Dated::Believed,
            made: Made {
                sequence: nr,
                started: at,
                ended: at,
                ..Made::default()
            },
            host: String::new(),
            paths: Vec::new(),
            tags: Vec::new(),
            set: String::new(),
            protected: false,
            partial: false,
            original: None,
        }
    }

    /// Its time is still to come: then it is not the newest of anything, and no rule removes it.
    pub fn is_in_future(&self) -> bool {
        self.dated == Dated::Future
    }

    /// All of `tags` are there; an empty tag stands for a snapshot without any.
    pub fn has_tags(&self, tags: &[String]) -> bool {
        let has = |tag: &String| self.tags.contains(tag) || (tag.is_empty() && self.tags.is_empty());
        tags.iter().all(has)
    }

    /// Whether there may be something at `path` (absolute) by what was backed up.
    pub fn may_hold(&self, path: &[u8]) -> bool {
        let leads_to = |a: &[u8], b: &[u8]| {
            let a = a.strip_suffix(b"/").unwrap_or(a);
            matches!(b.strip_prefix(a), Some([] | [b'/', ..]))
        };
        self.paths
            .iter()
            .any(|source| leads_to(source, path) || leads_to(path, source))
    }
}

/// Newest first; those of one instant by the order in which their machine made them, and then by id, so that every order of
/// listing gives the same answer.
pub fn newest_first(a: &SnapshotInfo, b: &SnapshotInfo) -> Ordering {
    let older = |facts: &SnapshotInfo| (facts.at, facts.made.machine, facts.made.sequence);
    older(b).cmp(&older(a)).then_with(|| a.id.cmp(&b.id))
}

/// By what snapshots are distinguished before a policy looks at them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupKey {
    /// By the name of the machine.
    Host,
    /// By the sources.
    Paths,
    /// By the tags.
    Tags,
    /// By the set whose run made them.
    Set,
}

impl GroupKey {
    /// What is grouped by unless another grouping is asked for.
    pub const DEFAULT: [GroupKey; 2] = [GroupKey::Host, GroupKey::Paths];

    /// Parses `host,paths,tags,set` or part of it; nothing is one group of all.
    pub fn parse_list(text: &str) -> Result<Vec<GroupKey>, GroupByError> {
        let parts = text.split(',').map(str::trim).filter(|_| !text.trim().is_empty());
        parts
            .map(|part| match part {
                "host" | "hosts" => Ok(GroupKey::Host),
                "path" | "paths" => Ok(GroupKey::Paths),
                "tag" | "tags" => Ok(GroupKey::Tags),
                "set" | "sets" => Ok(GroupKey::Set),
                _ => Err(GroupByError(part.to_string())),
            })
            .collect()
    }
}

/// Text that names nothing to group by.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("can't group by '{0}'")]
pub struct GroupByError(pub String);

/// Snapshots that agree in what they were grouped by; the rest is `None`. Paths and tags are sorted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group<'a> {
    /// The name of the machine they share.
    pub host: Option<String>,
    /// The sources they share.
    pub paths: Option<Vec<Vec<u8>>>,
    /// The tags they share.
    pub tags: Option<Vec<String>>,
    /// The set they share.
    pub set: Option<String>,
    /// Newest first.
    pub members: Vec<&'a SnapshotInfo>,
}

/// Groups in the order of their keys.
pub fn group_by<'a>(list: &[&'a SnapshotInfo], keys: &[GroupKey]) -> Vec<Group<'a>> {
    fn sorted<T: Ord + Clone>(items: &[T]) -> Vec<T> {
        let mut items = items.to_vec();
        items.sort();
        items.dedup();
        items
    }
    let mut groups: BTreeMap<_, Vec<&SnapshotInfo>> = BTreeMap::new();
    for facts in list {
        let host = keys.contains(&GroupKey::Host).then(|| facts.host.clone());
        let paths = keys.contains(&GroupKey::Paths).then(|| sorted(&facts.paths));
        let tags = keys.contains(&GroupKey::Tags).then(|| sorted(&facts.tags));
        let set = keys.contains(&GroupKey::Set).then(|| facts.set.clone());
        groups.entry((host, paths, tags, set)).or_default().push(facts);
    }
    let group = |((host, paths, tags, set), mut members): (_, Vec<&'a SnapshotInfo>)| {
        members.sort_by(|a, b| newest_first(a, b));
        Group {
            host,
            paths,
            tags,
            set,
            members,
        }
    };
    groups.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouping() {
        let one = |id: u8, host: &str, paths: &[&str], tags: &[&str]| SnapshotInfo {
            id: SessionId([id; 16]),
            time: Timestamp::from_second(i64::from(id)).unwrap(),
            at: Timestamp::from_second(i64::from(id)).unwrap(),
            dated: Dated::default(),
            made: Made::default(),
            host: host.into(),
            paths: paths.iter().map(|p| p.as_bytes().to_vec()).collect(),
            tags: tags.iter().map(|t| t.to_string()).collect(),
            set: tags.first().map(|t| t.to_string()).unwrap_or_default(),
            protected: false,
            partial: false,
            original: None,
        };
        let list = [
            one(1, "b", &["/x", "/y"], &["t"]),
            one(2, "a", &["/x"], &[]),
            one(3, "b", &["/y", "/x"], &["u", "t"]),
            one(4, "b", &["/x"], &["t", "u"]),
        ];
        let group = |keys: &str| -> Vec<Vec<u8>> {
            let refs: Vec<&SnapshotInfo> = list.iter().collect();
            let groups = group_by(&refs, &GroupKey::parse_list(keys).unwrap());
            groups
                .iter()
                .map(|g| g.members.iter().map(|f| f.id.0[0]).collect())
                .collect()
        };
        assert_eq!(group("host,paths"), [vec![2], vec![4], vec![3, 1]]);
        assert_eq!(group("host"), [vec![2], vec![4, 3, 1]]);
        assert_eq!(group("tags"), [vec![2], vec![1], vec![4, 3]]);
        assert_eq!(group("set"), [vec![2], vec![4, 1], vec![3]]);
        assert_eq!(group(""), [vec![4, 3, 2, 1]]);
        assert_eq!(GroupKey::parse_list("host, path").unwrap(), GroupKey::DEFAULT);
        for text in ["hots", "host,", ",", "host;paths"] {
            assert!(
                matches!(GroupKey::parse_list(text), Err(GroupByError(_))),
                "{text}"
            );
        }
        let refs: Vec<&SnapshotInfo> = list.iter().collect();
        let first = &group_by(&refs, &GroupKey::DEFAULT)[2];
        assert_eq!(first.host.as_deref(), Some("b"));
        assert_eq!(first.paths, Some(vec![b"/x".to_vec(), b"/y".to_vec()]));
        assert_eq!(first.tags, None);
    }
}
