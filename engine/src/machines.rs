//! What machines keep about themselves in a repository: their settings, so that another machine can take their place, and
//! their state, so that somebody who looks after several machines also sees one that never completed a backup; and what they
//! said about tags of paths ([`crate::path_tags`]).
//! [`chunkstore::machines`] stores the records; docs/format.md, section 6, has the bytes.
//!
//! A machine adds a record and deletes its older ones, but for the last [`KEPT`]. Where nothing can be deleted they stay, and
//! its state is recorded once a day. Records of a machine of which no snapshot is left are deleted by a prune once the
//! newest is a year old; those about tags of paths only if no snapshot is left of any host whose paths they name, either.

use crate::error::{Error, Result};
use crate::repo::Repo;
use chunkstore::error::{Feature, Flaw};
pub use chunkstore::id::RecordName;
use chunkstore::id::random;
use chunkstore::machines::BODY_MAX;
use chunkstore::object::{cbor, from_cbor};
use chunkstore::remote::{ObjectName, for_all};
use chunkstore::store::Store;
use jiff::{SignedDuration, Timestamp};
use minicbor::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Records of a series that are kept.
const KEPT: usize = 10;
/// With so many, the storage does not delete.
const REFUSED: usize = 2 * KEPT;
/// How often a state is then recorded.
const SELDOM: SignedDuration = SignedDuration::from_hours(24);
/// After so long, records that no snapshot goes with are deleted.
const RETIRED: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The subject of records about tags of paths.
const PATH_TAGS: u8 = 3;

/// A record's body.
#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    subject: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    machine: [u8; 16],
    #[n(2)]
    host: String,
    /// Which settings file it is about; empty for the usual one.
    #[n(3)]
    profile: String,
    /// Seconds since 1970.
    #[n(4)]
    time: i64,
    #[cbor(n(5), with = "minicbor::bytes")]
    content: Vec<u8>,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordContent {
    /// The text of the settings file.
    Settings(String),
    State(MachineState),
    /// What this machine said about tags of paths.
    PathTags(Vec<PathTag>),
}

/// A tag that a path has, or has no longer.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct PathTag {
    #[n(0)]
    pub host: String,
    /// Absolute.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub path: Vec<u8>,
    #[n(2)]
    pub tag: String,
    /// When that was said, in seconds since 1970.
    #[n(3)]
    pub time: i64,
    #[n(4)]
    pub is_there: bool,
}

/// How a machine's backups are doing. Times are seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct MachineState {
    #[n(0)]
    pub sets: Vec<SetRecord>,
    /// When stored data was last checked, and when files were last restored.
    #[n(1)]
    pub last_check: Option<i64>,
    #[n(2)]
    pub last_restore: Option<i64>,
    /// Program and version.
    #[n(3)]
    pub program: String,
}

/// The last runs of a set.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct SetRecord {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub last_run: Option<i64>,
    /// How it ended, in the words of the history; empty before the first.
    #[n(2)]
    pub status: String,
    #[n(3)]
    pub detail: Option<String>,
    #[n(4)]
    pub last_success: Option<i64>,
    #[n(5)]
    pub next_run: Option<i64>,
}

impl RecordContent {
    fn subject(&self) -> u8 {
        match self {
            RecordContent::Settings(_) => 1,
            RecordContent::State(_) => 2,
            RecordContent::PathTags(_) => PATH_TAGS,
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            RecordContent::Settings(text) => text.clone().into_bytes(),
            RecordContent::State(state) => cbor(state),
            RecordContent::PathTags(rows) => cbor(rows),
        }
    }

    fn decode(subject: u8, content: Vec<u8>) -> Option<Result<RecordContent>> {
        match subject {
            1 => String::from_utf8(content)
                .ok()
                .map(|text| Ok(RecordContent::Settings(text))),
            2 => from_cbor(&content).map(|state| Ok(RecordContent::State(state))),
            PATH_TAGS => from_cbor(&content).map(|rows| Ok(RecordContent::PathTags(rows))),
            other => {
                let feature = Feature::RecordSubject(other);
                Some(Err(Error::Store(chunkstore::Error::NewerFormat(feature))))
            }
        }
    }

    /// Whether recording this after `last` would say something new. Of a state everything but what passes with time counts.
    fn is_news_after(&self, last: &RecordContent) -> bool {
        match (self, last) {
            (RecordContent::State(now), RecordContent::State(last)) => {
                let outcome = |set: &SetRecord| (set.name.clone(), set.status.clone(), set.detail.clone());
                !now.sets.iter().map(outcome).eq(last.sets.iter().map(outcome))
            }
            (now, last) => now != last,
        }
    }
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineRecord {
    pub machine: [u8; 16],
    pub host: String,
    pub profile: String,
    pub time: Timestamp,
    pub content: RecordContent,
}

impl MachineRecord {
    /// The hosts that it is about: of paths with tags these may be others than the machine itself.
    fn into_hosts(self) -> BTreeSet<String> {
        let mut hosts = BTreeSet::from([self.host]);
        if let RecordContent::PathTags(rows) = self.content {
            hosts.extend(rows.into_iter().map(|row| row.host));
        }
        hosts
    }
}

/// What a repository knows of its machines.
#[derive(Debug, Default)]
pub struct Records {
    /// The newest record of each series that can be read.
    pub newest: Vec<MachineRecord>,
    /// Those that can't be read, and why.
    pub unreadable: Vec<(RecordName, Error)>,
}

/// One record, decoded.
pub fn read(store: &Store, name: RecordName) -> Result<MachineRecord> {
    read_with_body(store, name).map(|(record, _)| record)
}

fn read_with_body(store: &Store, name: RecordName) -> Result<(MachineRecord, Vec<u8>)> {
    let bytes = store.judged(store.read_record(name))?;
    let undecodable = || chunkstore::Error::corrupt(ObjectName::machine(name), Flaw::Undecodable);
    let body: Body = from_cbor(&bytes).ok_or_else(undecodable)?;
    let record = MachineRecord {
        machine: body.machine,
        host: body.host,
        profile: body.profile,
        time: Timestamp::from_second(body.time).map_err(|_| undecodable())?,
        content: RecordContent::decode(body.subject, body.content).ok_or_else(undecodable)??,
    };
    Ok((record, bytes))
}

/// By series, the lowest number first.
fn listed(store: &Store) -> Result<BTreeMap<[u8; 8], Vec<RecordName>>> {
    let mut series: BTreeMap<[u8; 8], Vec<RecordName>> = BTreeMap::new();
    for name in store.records()? {
        series.entry(name.series).or_default().push(name);
    }
    Ok(series)
}

/// The newest record of each series. An older one stands in for one that can't be read.
pub fn newest(repo: &Repo) -> Result<Records> {
    let store = &*repo.store;
    let series: Vec<Vec<RecordName>> = listed(store)?.into_values().collect();
    let mut records = Records::default();
    for (newest, unreadable) in for_all(store.remote(), &series, |names| newest_of(store, names)) {
        records.newest.extend(newest);
        for (name, error) in unreadable {
            match &error {
                Error::Store(e) if e.concerns_one_object() => records.unreadable.push((name, error)),
                _ => return Err(error),
            }
        }
    }
    Ok(records)
}

type Unreadable = Vec<(RecordName, Error)>;

fn newest_of(store: &Store, names: &[RecordName]) -> (Option<MachineRecord>, Unreadable) {
    let mut unreadable = Vec::new();
    for name in names.iter().rev() {
        match read(store, *name) {
            Ok(record) => return (Some(record), unreadable),
            // The next one by the same machine came, and this one went.
            Err(Error::Store(chunkstore::Error::Missing { .. })) => {}
            Err(error) => unreadable.push((*name, error)),
        }
    }
    (None, unreadable)
}

/// Brings a replica the newest record of each series, unless what it has is as new. A record that can't be read stays where it
/// is. Returns how many were added.
pub fn carry(from: &Repo, to: &Repo) -> Result<usize> {
    let (origin, replica) = (&*from.store, &*to.store);
    let here = listed(origin)?;
    if here.is_empty() {
        return Ok(0);
    }
    let mut there = listed(replica)?;
    let series: Vec<_> = here
        .into_iter()
        .map(|(series, names)| (names, there.remove(&series).unwrap_or_default()))
        .collect();
    let news = for_all(origin.remote(), &series, |(here, there)| {
        news(origin, here, (replica, there))
    });
    let mut added = 0;
    for ((here, there), body) in series.iter().zip(news) {
        if let (Some(first), Some(body)) = (here.first(), body?) {
            // A number of the replica's own: none is used twice there (I-18).
            added += usize::from(add(replica, first.series, there, &body)?);
        }
    }
    Ok(added)
}

/// The body of the newest record of a series, if it is newer than what the replica has.
fn news(
    origin: &Store,
    here: &[RecordName],
    (replica, there): (&Store, &[RecordName]),
) -> Result<Option<Vec<u8>>> {
    let both = newest_readable(origin, here).and_then(|here| Ok((here, newest_readable(replica, there)?)));
    match both {
        // A later version of this program keeps records there (I-15).
        Err(Error::Store(chunkstore::Error::NewerFormat(_))) => Ok(None),
        Err(e) => Err(e),
        Ok((Some((record, body)), known)) => {
            // Two runs may end in the same second.
            let is_known = known.is_some_and(|(known, of)| {
                known.time > record.time || known.time == record.time && of == body
            });
            Ok((!is_known).then_some(body))
        }
        Ok((None, _)) => Ok(None),
    }
}

/// With its body. An older one stands in for one that is damaged or can't be read.
fn newest_readable(store: &Store, names: &[RecordName]) -> Result<Option<(MachineRecord, Vec<u8>)>> {
    for name in names.iter().rev() {
        match read_with_body(store, *name) {
            Ok(found) => return Ok(Some(found)),
            Err(Error::Store(e))
                if e.concerns_one_object() && !matches!(e, chunkstore::Error::NewerFormat(_)) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

/// What came of recording something.
pub(crate) enum Kept {
    Added,
    /// The newest record says it already.
    Same,
    /// Another process of this machine was quicker.
    Taken,
    TooLong,
    /// A later version of this program keeps records there (I-15).
    Newer(Error),
}

/// Records what this machine says about itself, as far as it is news. Returns how many records were added.
pub fn keep(repo: &Repo, profile: &str, contents: &[RecordContent], now: Timestamp) -> Result<usize> {
    repo.store.check_upgrades()?;
    let mut all = listed(&repo.store)?;
    let mut added = 0;
    for content in contents {
        let series = series_of(repo, profile, content.subject());
        let names = all.remove(&series).unwrap_or_default();
        let kept = keep_in(repo, profile, (series, &names), content, now)?;
        added += usize::from(matches!(kept, Kept::Added));
    }
    Ok(added)
}

/// The same of one thing that is about no profile, for who must know what came of it.
pub(crate) fn keep_one(repo: &Repo, content: &RecordContent, now: Timestamp) -> Result<Kept> {
    repo.store.check_upgrades()?;
    let series = series_of(repo, "", content.subject());
    let names = listed(&repo.store)?.remove(&series).unwrap_or_default();
    keep_in(repo, "", (series, &names), content, now)
}

/// The series of what this machine said about tags of paths.
pub(crate) fn own_path_tags(repo: &Repo) -> [u8; 8] {
    series_of(repo, "", PATH_TAGS)
}

fn series_of(repo: &Repo, profile: &str, subject: u8) -> [u8; 8] {
    let subject = [&[subject], profile.as_bytes()].concat();
    repo.store.record_series(&repo.machine(), &subject)
}

fn keep_in(
    repo: &Repo,
    profile: &str,
    (series, names): ([u8; 8], &[RecordName]),
    content: &RecordContent,
    now: Timestamp,
) -> Result<Kept> {
    let store = &*repo.store;
    match is_wanted(store, names, &repo.run().host, content, now) {
        Ok(true) => {}
        Ok(false) => return Ok(Kept::Same),
        Err(e @ Error::Store(chunkstore::Error::NewerFormat(_))) => return Ok(Kept::Newer(e)),
        Err(e) => return Err(e),
    }
    let body = Body {
        subject: content.subject(),
        machine: repo.machine(),
        host: repo.run().host.clone(),
        profile: profile.to_string(),
        time: now.as_second(),
        content: content.encode(),
    };
    let body = cbor(&body);
    if body.len() > BODY_MAX {
        return Ok(Kept::TooLong);
    }
    Ok(match add(store, series, names, &body)? {
        true => Kept::Added,
        false => Kept::Taken,
    })
}

/// Whether a record is to be added to those of its series.
fn is_wanted(
    store: &Store,
    names: &[RecordName],
    host: &str,
    content: &RecordContent,
    now: Timestamp,
) -> Result<bool> {
    let Some(last) = names.last() else { return Ok(true) };
    match read(store, *last) {
        Ok(last) if last.host != host || content.is_news_after(&last.content) => Ok(true),
        Ok(last) => Ok(match content {
            RecordContent::Settings(_) | RecordContent::PathTags(_) => false,
            RecordContent::State(_) => names.len() < REFUSED || now.duration_since(last.time) >= SELDOM,
        }),
        Err(Error::Store(e))
            if e.concerns_one_object() && !matches!(e, chunkstore::Error::NewerFormat(_)) =>
        {
            Ok(true)
        }
        Err(e) => Err(e),
    }
}

fn add(store: &Store, series: [u8; 8], names: &[RecordName], body: &[u8]) -> Result<bool> {
    // A series begins anywhere: one that was deleted as a whole must not have the same names again (I-18).
    let number = match names.last() {
        Some(last) => last.number.checked_add(1),
        None => Some(u64::from_le_bytes(random()?) >> 16),
    };
    let Some(number) = number.filter(|_| body.len() <= BODY_MAX) else {
        return Ok(false);
    };
    if !store.put_record(RecordName { series, number }, body)? {
        return Ok(false);
    }
    for old in names.iter().rev().skip(KEPT - 1) {
        // A storage that refuses to delete keeps them, and so does one that is gone: what counts is written.
        if store.delete_record(*old).is_err() {
            break;
        }
    }
    Ok(true)
}

/// Deletes damaged records of a series that a later one has replaced: they would be damage for as long as they are kept.
fn remove_damaged(store: &Store, names: &[RecordName]) -> Result<()> {
    let found = for_all(store.remote(), names, |name| read(store, *name));
    let newest = found.iter().rposition(Result::is_ok).unwrap_or_default();
    for (name, found) in names.iter().zip(&found).take(newest) {
        if let Err(Error::Store(e)) = found
            && e.is_damage()
        {
            store.delete_record(*name)?;
        }
    }
    Ok(())
}

/// Deletes records that later ones have replaced, and those of machines that are no more.
pub(crate) fn tidy(repo: &Repo) -> Result<()> {
    let store = &*repo.store;
    let mut retired = Vec::new();
    for names in listed(store)?.into_values() {
        let (old, kept) = names.split_at(names.len().saturating_sub(KEPT));
        old.iter().try_for_each(|name| store.delete_record(*name))?;
        remove_damaged(store, kept)?;
        match newest_of(store, kept) {
            (Some(record), unreadable)
                if unreadable.is_empty() && repo.run().now.duration_since(record.time) >= RETIRED =>
            {
                retired.push((record.into_hosts(), kept.to_vec()));
            }
            // What can't be read may be needed.
            _ => {}
        }
    }
    if retired.is_empty() {
        return Ok(());
    }
    let (snapshots, unreadable) = repo.outlines()?;
    if !unreadable.is_empty() {
        return Ok(());
    }
    let hosts: HashSet<&str> = snapshots.iter().map(|one| one.manifest.host.as_str()).collect();
    let is_gone = |about: &BTreeSet<String>| !about.iter().any(|host| hosts.contains(host.as_str()));
    for (_, names) in retired.iter().filter(|(about, _)| is_gone(about)) {
        names.iter().try_for_each(|name| store.delete_record(*name))?;
    }
    Ok(())
}
