//! Which snapshot a text means: `latest`, `latest~2`, the beginning of an id, or a point in time. Shared by every
//! command that reads; retention has its own way ([`crate::retain`]).
//!
//! `latest` means the newest complete snapshot, in the order in which they were made ([`crate::order`]): one that is
//! partial (its backup did not finish) or whose time is still to come stands in only if there is no other. An id means
//! that snapshot whatever it is, and whatever the filters; so does the id that it had before it was restated, undeleted
//! or brought to a replica under another name.

use crate::error::{Error, Result, Usage};
use crate::facts::{SnapshotInfo, newest_first};
use chunkstore::SessionId;
use jiff::Timestamp;

/// Which snapshots are looked at; an empty list lets all pass.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Any of these hosts.
    pub hosts: Vec<String>,
    /// All of these paths were sources.
    pub paths: Vec<Vec<u8>>,
    /// All tags of any of these lists; an empty tag stands for "without tags".
    pub tags: Vec<Vec<String>>,
    /// Made by a run of any of these sets.
    pub sets: Vec<String>,
}

impl Filter {
    /// Whether it lets all pass.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.paths.is_empty() && self.tags.is_empty() && self.sets.is_empty()
    }

    /// Whether it lets this snapshot pass.
    pub fn lets_pass(&self, facts: &SnapshotInfo) -> bool {
        let host = self.hosts.is_empty() || self.hosts.contains(&facts.host);
        let paths = self.paths.iter().all(|path| facts.paths.contains(path));
        let tags = self.tags.is_empty() || self.tags.iter().any(|tags| facts.has_tags(tags));
        let set = self.sets.is_empty() || self.sets.contains(&facts.set);
        host && paths && tags && set
    }

    /// What passes, newest first.
    pub fn matching<'a>(&self, list: &'a [SnapshotInfo]) -> Vec<&'a SnapshotInfo> {
        let mut found: Vec<&SnapshotInfo> = list.iter().filter(|facts| self.lets_pass(facts)).collect();
        found.sort_by(|a, b| newest_first(a, b));
        found
    }
}

/// What a text asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// So many before the newest.
    Latest(usize),
    /// The beginning of an id: 1 to 32 lower-case hexadecimal digits.
    Id(String),
}

impl Wanted {
    /// `None` for a text that can't name a snapshot.
    pub fn parse(text: &str) -> Option<Wanted> {
        if text == "latest" {
            return Some(Wanted::Latest(0));
        }
        if let Some(back) = text.strip_prefix("latest~") {
            let digits = back.bytes().all(|b| b.is_ascii_digit());
            return digits.then(|| back.parse().ok()).flatten().map(Wanted::Latest);
        }
        let hex = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| Wanted::Id(text.to_ascii_lowercase()))
    }
}

/// The snapshot that `text` means. `at` looks no further forward than that instant; it goes with `latest` only.
///
/// [`Error::NoSnapshot`], [`Error::Ambiguous`], [`Error::NoSnapshotAt`], or [`Error::Usage`] for an id with a time.
pub fn choose<'a>(
    list: &'a [SnapshotInfo],
    text: &str,
    filter: &Filter,
    at: Option<Timestamp>,
) -> Result<&'a SnapshotInfo> {
    match (Wanted::parse(text), at) {
        (None, _) => Err(Error::NoSnapshot(text.to_string())),
        (Some(Wanted::Latest(back)), at) => latest(list, text, back, filter, at),
        (Some(Wanted::Id(prefix)), None) => by_id(list, text, &prefix),
        (Some(Wanted::Id(_)), Some(_)) => Err(Error::Usage(Usage::IdAndTime {
            text: text.to_string(),
        })),
    }
}

/// What `latest` may mean, the likeliest first: the complete snapshots, newest first, and then the partial ones.
pub fn candidates<'a>(
    list: &'a [SnapshotInfo],
    filter: &Filter,
    at: Option<Timestamp>,
) -> Vec<&'a SnapshotInfo> {
    let old_enough = |facts: &&SnapshotInfo| at.is_none_or(|at| facts.time <= at);
    let passing = filter.matching(list).into_iter().filter(old_enough);
    let (complete, partial): (Vec<&SnapshotInfo>, Vec<&SnapshotInfo>) =
        passing.partition(|facts| !facts.partial);
    [complete, partial].concat()
}

/// Every snapshot that the texts mean, in their order, each once.
pub fn choose_all<'a>(
    list: &'a [SnapshotInfo],
    texts: &[String],
    filter: &Filter,
) -> Result<Vec<&'a SnapshotInfo>> {
    let mut chosen: Vec<&SnapshotInfo> = Vec::new();
    for text in texts {
        let facts = choose(list, text, filter, None)?;
        if !chosen.iter().any(|c| c.id == facts.id) {
            chosen.push(facts);
        }
    }
    Ok(chosen)
}

fn by_id<'a>(list: &'a [SnapshotInfo], text: &str, prefix: &str) -> Result<&'a SnapshotInfo> {
    let is_meant = |id: SessionId| id.to_hex().starts_with(prefix);
    let mut found: Vec<&SnapshotInfo> = list.iter().filter(|facts| is_meant(facts.id)).collect();
    if found.is_empty() {
        let first_had = |facts: &&SnapshotInfo| facts.original.is_some_and(is_meant);
        found.extend(list.iter().filter(first_had));
    }
    match (found.first().copied(), found.len().saturating_sub(1)) {
        (None, _) => Err(Error::NoSnapshot(text.to_string())),
        (Some(facts), 0) => Ok(facts),
        (Some(_), more) => Err(Error::Ambiguous {
            text: text.to_string(),
            matches: more + 1,
        }),
    }
}

fn latest<'a>(
    list: &'a [SnapshotInfo],
    text: &str,
    back: usize,
    filter: &Filter,
    at: Option<Timestamp>,
) -> Result<&'a SnapshotInfo> {
    let passing = filter.matching(list);
    let old_enough = |facts: &&SnapshotInfo| at.is_none_or(|at| facts.at <= at);
    let candidates: Vec<&SnapshotInfo> = passing.iter().copied().filter(old_enough).collect();
    let best = candidates.iter().map(|facts| standing(facts)).min();
    let from: Vec<&SnapshotInfo> = candidates
        .iter()
        .copied()
        .filter(|facts| Some(standing(facts)) == best)
        .collect();
    match (from.get(back), at, passing.last()) {
        (Some(facts), _, _) => Ok(facts),
        (None, Some(at), Some(oldest)) if candidates.is_empty() => Err(Error::NoSnapshotAt {
            at,
            id: oldest.id,
            oldest: oldest.at,
        }),
        _ => Err(Error::NoSnapshot(text.to_string())),
    }
}

/// What stands in for what, the least first.
fn standing(facts: &SnapshotInfo) -> (bool, bool) {
    (facts.is_in_future(), facts.partial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Dated, Made};

    fn facts(id: u8, time: i64, host: &str, tags: &[&str]) -> SnapshotInfo {
        SnapshotInfo {
            id: SessionId([id; 16]),
            time: Timestamp::from_second(time).unwrap(),
            at: Timestamp::from_second(time).unwrap(),
            dated: Dated::default(),
            made: Made::default(),
            host: host.into(),
            paths: vec![b"/home".to_vec(), format!("/{host}").into_bytes()],
            tags: tags.iter().map(|t| t.to_string()).collect(),
            set: String::new(),
            protected: false,
            partial: false,
            original: None,
        }
    }

    fn list() -> Vec<SnapshotInfo> {
        let mut list = vec![
            facts(0xab, 100, "a", &["x"]),
            facts(0xac, 300, "b", &["x", "y"]),
            facts(0x12, 200, "a", &[]),
            facts(0x34, 400, "a", &[]),
        ];
        list[3].partial = true;
        list
    }

    fn at(time: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(time).unwrap())
    }

    fn id(text: &str, filter: &Filter, time: Option<Timestamp>) -> Result<u8> {
        choose(&list(), text, filter, time).map(|facts| facts.id.0[0])
    }

    #[test]
    fn by_the_id_it_first_had() {
        let mut list = list();
        list[0].original = Some(SessionId([0x56; 16]));
        list[1].original = Some(SessionId([0x12; 16]));
        let id = |text: &str| choose(&list, text, &Filter::default(), None).unwrap().id.0[0];
        assert_eq!((id("56"), id("12")), (0xab, 0x12), "an id of now goes first");
    }

    #[test]
    fn by_word_and_id() {
        let all = Filter::default();
        let rows: &[(&str, u8)] = &[
            ("latest", 0xac),
            ("latest~0", 0xac),
            ("latest~1", 0x12),
            ("latest~2", 0xab),
            ("1", 0x12),
            ("3434", 0x34),
        ];
        for (text, want) in rows {
            assert_eq!(id(text, &all, None).unwrap(), *want, "{text}");
        }
        assert_eq!(id("AB", &all, None).unwrap(), 0xab);
        assert_eq!(id(&"12".repeat(16), &all, None).unwrap(), 0x12);
        assert!(matches!(
            id("a", &all, None),
            Err(Error::Ambiguous { matches: 2, .. })
        ));
        for text in [
            "ff",
            "latest~3",
            "latest~",
            "latest~x",
            "latest~-1",
            "latest~99999999999999999999",
            "x",
            "",
        ] {
            assert!(
                matches!(id(text, &all, None), Err(Error::NoSnapshot(t)) if t == text),
                "{text}"
            );
        }
        assert!(matches!(
            id(&"12".repeat(17), &all, None),
            Err(Error::NoSnapshot(_))
        ));
    }

    #[test]
    fn by_time() {
        let all = Filter::default();
        let rows = [
            (99_999, 0xac),
            (300, 0xac),
            (299, 0x12),
            (200, 0x12),
            (199, 0xab),
            (100, 0xab),
        ];
        for (time, want) in rows {
            assert_eq!(id("latest", &all, at(time)).unwrap(), want, "{time}");
        }
        assert_eq!(id("latest~1", &all, at(250)).unwrap(), 0xab);
        let Err(Error::NoSnapshotAt { oldest, .. }) = id("latest", &all, at(99)) else {
            panic!("too old a time")
        };
        assert_eq!(Some(oldest), at(100));
        assert!(matches!(id("latest~1", &all, at(150)), Err(Error::NoSnapshot(_))));
        assert!(matches!(id("ab", &all, at(150)), Err(Error::Usage(_))));
        assert!(matches!(
            choose(&[], "latest", &all, at(150)),
            Err(Error::NoSnapshot(_))
        ));
    }

    #[test]
    fn a_partial_snapshot_stands_in_for_none() {
        let mut list = list();
        list.retain(|facts| facts.host == "a");
        let filter = Filter::default();
        assert_eq!(choose(&list, "latest", &filter, None).unwrap().id.0[0], 0x12);
        list.retain(|facts| facts.partial);
        assert_eq!(choose(&list, "latest", &filter, None).unwrap().id.0[0], 0x34);
    }

    #[test]
    fn complete_ones_go_before_partial_ones() {
        let list = list();
        let ids = |at| {
            let found = candidates(&list, &Filter::default(), at);
            found.iter().map(|facts| facts.id.0[0]).collect::<Vec<_>>()
        };
        assert_eq!(ids(None), [0xac, 0x12, 0xab, 0x34]);
        assert_eq!(ids(at(250)), [0x12, 0xab]);
    }

    #[test]
    fn filters() {
        let by = |hosts: &[&str], paths: &[&str], tags: &[&[&str]]| Filter {
            hosts: hosts.iter().map(|h| h.to_string()).collect(),
            paths: paths.iter().map(|p| p.as_bytes().to_vec()).collect(),
            tags: tags
                .iter()
                .map(|l| l.iter().map(|t| t.to_string()).collect())
                .collect(),
            sets: Vec::new(),
        };
        let rows: &[(Filter, &[u8])] = &[
            (by(&[], &[], &[]), &[0x34, 0xac, 0x12, 0xab]),
            (by(&["a"], &[], &[]), &[0x34, 0x12, 0xab]),
            (by(&["a", "b"], &[], &[]), &[0x34, 0xac, 0x12, 0xab]),
            (by(&["c"], &[], &[]), &[]),
            (by(&[], &["/home"], &[]), &[0x34, 0xac, 0x12, 0xab]),
            (by(&[], &["/home", "/b"], &[]), &[0xac]),
            (by(&[], &[], &[&["x"]]), &[0xac, 0xab]),
            (by(&[], &[], &[&["x", "y"]]), &[0xac]),
            (by(&[], &[], &[&["y"], &["x"]]), &[0xac, 0xab]),
            (by(&[], &[], &[&[""]]), &[0x34, 0x12]),
            (by(&["a"], &[], &[&["x"]]), &[0xab]),
        ];
        for (filter, want) in rows {
            let list = list();
            let got: Vec<u8> = filter.matching(&list).iter().map(|f| f.id.0[0]).collect();
            assert_eq!(got, *want, "{filter:?}");
        }
        // An id is that snapshot, whatever the filter.
        assert_eq!(id("ac", &by(&["a"], &[], &[]), None).unwrap(), 0xac);
        assert_eq!(id("latest", &by(&["a"], &[], &[]), None).unwrap(), 0x12);
    }

    #[test]
    fn several() {
        let list = list();
        let texts = |t: &[&str]| t.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        let filter = Filter::default();
        let got = choose_all(&list, &texts(&["12", "latest", "ac", "1212"]), &filter).unwrap();
        assert_eq!(got.iter().map(|f| f.id.0[0]).collect::<Vec<_>>(), [0x12, 0xac]);
        assert!(matches!(
            choose_all(&list, &texts(&["12", "a"]), &filter),
            Err(Error::Ambiguous { .. })
        ));
    }
}
