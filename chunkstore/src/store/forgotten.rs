//! Which generations were forgotten for good: lists that stay in the repository, so that every machine can distinguish
//! a generation that somebody forgot from one that the storage has lost (I-9, I-17).
//!
//! A generation's name leaves the trash only after a list that holds it is durable. Lists are merged now and then: the
//! new one is durable before those that it replaces go, so that at every moment some list names each of them.

use super::Store;
use crate::error::{Error, Flaw, Refusal, Result};
use crate::id::{ListId, SessionId, random};
use crate::object::{self, cap, cbor, from_cbor};
use crate::remote::{self, Kind, ObjectName, Published, for_all};
use crate::seal::Sealed;
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// Lists from this number on are merged.
const LISTS: usize = 16;
/// Generations in one list at most: what its cap allows, with room to spare.
const PER_LIST: usize = 256 << 10;
/// Readings of the lists that a merge elsewhere may overtake.
const TRIES: usize = 5;

/// A generation that ended, with its place in the chain of its machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct Forgotten {
    #[n(0)]
    pub id: SessionId,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub machine: [u8; 16],
    /// 0 where it is not known.
    #[n(2)]
    pub sequence: u64,
    /// The name that it first had, where it restates another generation: by that it is known at other replicas.
    #[n(3)]
    pub original: Option<SessionId>,
}

impl Forgotten {
    /// Where only the name is known.
    pub fn named(id: SessionId) -> Forgotten {
        Forgotten {
            id,
            machine: [0; 16],
            sequence: 0,
            original: None,
        }
    }
}

/// The lists that could be read, and the names of those that are damaged.
#[derive(Default)]
struct Lists {
    read: BTreeMap<ListId, Vec<Forgotten>>,
    damaged: Vec<ListId>,
}

impl Store {
    /// Every generation that was forgotten for good. A list that is damaged proves nothing and is passed over; `check`
    /// names it.
    pub fn forgotten(&self) -> Result<Vec<Forgotten>> {
        Ok(self.forgotten_lists()?.read.into_values().flatten().collect())
    }

    /// Lists generations as forgotten for good, and makes that durable. Merges the lists when there are many.
    pub fn list_forgotten(&self, ended: &[Forgotten]) -> Result<()> {
        if ended.is_empty() {
            return Ok(());
        }
        self.check_upgrades()?;
        let mut all = ended.to_vec();
        let mut old = Vec::new();
        if self.list_ids()?.len() >= LISTS {
            let lists = self.forgotten_lists()?;
            let few = |list: &&(ListId, Vec<Forgotten>)| list.1.len() < PER_LIST / 2;
            let merged: Vec<_> = lists.read.into_iter().filter(|list| few(&list)).collect();
            for (id, list) in merged {
                all.extend(list);
                old.push(id);
            }
            old.extend(lists.damaged);
        }
        all.sort_unstable();
        all.dedup();
        for part in all.chunks(PER_LIST) {
            self.put_list(part)?;
        }
        for id in &old {
            self.remote.delete(&ObjectName::forgotten(*id))?;
        }
        match old.is_empty() {
            true => Ok(()),
            false => self.remote.barrier(),
        }
    }

    fn put_list(&self, list: &[Forgotten]) -> Result<()> {
        let id = ListId(random()?);
        let key = &self.keys.control.removals;
        let body = cbor(&list);
        let bytes = object::seal(
            Sealed::Forgotten,
            self.id(),
            key,
            None,
            id.as_bytes(),
            &body,
            1024,
        )?;
        match self.remote.put(&ObjectName::forgotten(id), &bytes)? {
            Published::Created => Ok(()),
            Published::Exists => Err(Error::Refused(Refusal::NameTaken)),
        }
    }

    /// One list. [`Error::Missing`] if another client merged it in the meantime.
    pub fn forgotten_list(&self, id: ListId) -> Result<Vec<Forgotten>> {
        let name = ObjectName::forgotten(id);
        let bytes = self.remote.get(&name, cap::FORGOTTEN)?;
        let object = name.to_string();
        let key = &self.keys.control.removals;
        let body = object::open(Sealed::Forgotten, self.id(), key, id.as_bytes(), &object, &bytes)?;
        from_cbor(&body).ok_or_else(|| Error::corrupt(object, Flaw::Undecodable))
    }

    fn list_ids(&self) -> Result<Vec<ListId>> {
        remote::ids(&*self.remote, Kind::Forgotten, ListId::from_hex)
    }

    /// Read again if a list went away in between: what it named is in another one by then.
    fn forgotten_lists(&self) -> Result<Lists> {
        for _ in 1..TRIES {
            match self.try_forgotten_lists() {
                Err(Error::Missing { .. }) => {}
                lists => return lists,
            }
        }
        self.try_forgotten_lists()
    }

    fn try_forgotten_lists(&self) -> Result<Lists> {
        let ids = self.list_ids()?;
        let read = for_all(&*self.remote, &ids, |id| self.forgotten_list(*id));
        let mut lists = Lists::default();
        for (id, list) in ids.into_iter().zip(read) {
            match list {
                Ok(list) => drop(lists.read.insert(id, list)),
                Err(gone @ Error::Missing { .. }) => return Err(gone),
                Err(e) if e.is_damage() => lists.damaged.push(id),
                Err(e) => return Err(e),
            }
        }
        Ok(lists)
    }
}
