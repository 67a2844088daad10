//! Overviews: what the manifests of a repository say, but for their trees, in one object. A machine that keeps nothing of
//! a repository on a network reads it instead of asking for each manifest.
//!
//! An overview is a hint: it says nothing that the manifests don't say, nothing relies on its being there, and whether a
//! generation exists is never read off it. Each is published under the next number and replaces those before it. One that
//! is damaged is passed over and replaced; one that a later version sealed is left alone (I-15). What an overview says is
//! the engine's; here it is opaque bytes.

use crate::error::{Error, Flaw, Result};
use crate::id::SessionId;
use crate::keys::KeyClass;
use crate::object::{self, Head, cap};
use crate::remote::{self, Kind, ObjectName, Published};
use crate::seal::Sealed;
use crate::store::Store;
use crate::upgrades::{bytes_of, number};

/// Room that head, sealed key and padding take beside the body.
const AROUND: usize = 2 << 20;

/// Longest body of an overview.
pub const BODY_MAX: usize = cap::OVERVIEW - AROUND;

impl Store {
    /// Whether this machine keeps what it reads of the repository, because asking again would take long.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether this machine keeps a copy of the manifest, or of the fence, of this name.
    pub fn keeps(&self, id: SessionId) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.has_manifest(id))
    }

    /// The overview that this machine read or wrote last.
    pub fn kept_overview(&self) -> Option<Vec<u8>> {
        let (number, bytes) = self.kept.as_ref()?.overview()?;
        self.open_overview(number, &bytes).ok()
    }

    /// The newest overview that can be read; kept from then on.
    pub fn newest_overview(&self) -> Result<Option<Vec<u8>>> {
        let Some(number) = self.overviews()?.into_iter().max() else {
            return Ok(None);
        };
        match self.read_overview(number) {
            Ok(body) => Ok(Some(body)),
            // A hint that can't be used costs requests and nothing else.
            Err(Error::Missing { .. }) => Ok(None),
            Err(e) if self.judge(e.clone()).concerns_one_object() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// One overview.
    pub fn read_overview(&self, number: u64) -> Result<Vec<u8>> {
        let bytes = self.remote.get(&ObjectName::overview(number), cap::OVERVIEW)?;
        let body = self.open_overview(number, &bytes)?;
        if let Some(kept) = &self.kept {
            kept.keep_overview(number, &bytes);
        }
        Ok(body)
    }

    /// Publishes an overview, which replaces all others. False where another machine was quicker, and where there is one
    /// of a newer format.
    pub fn publish_overview(&self, body: &[u8]) -> Result<bool> {
        let numbers = self.overviews()?;
        let last = numbers.iter().copied().max().unwrap_or(0);
        // Nothing follows the last number of all. Only junk has it, and is deleted below.
        let followed = numbers.iter().filter_map(|number| number.checked_add(1));
        let number = followed.max().unwrap_or(1);
        if body.len() > BODY_MAX {
            return Ok(false);
        }
        if last > 0 && matches!(self.read_overview(last), Err(Error::NewerFormat(_))) {
            return Ok(false);
        }
        let key = self.keys.new_session()?.manifest;
        let name = ObjectName::overview(number);
        let bytes = object::seal(
            Sealed::Overview,
            self.id(),
            &key.key,
            Some(&[key.sealed]),
            &bytes_of(&name),
            body,
            4096,
        )?;
        if self.remote.put(&name, &bytes)? == Published::Exists {
            return Ok(false);
        }
        if let Some(kept) = &self.kept {
            kept.keep_overview(number, &bytes);
        }
        numbers
            .into_iter()
            .try_for_each(|old| self.remote.delete(&ObjectName::overview(old)))?;
        Ok(true)
    }

    fn overviews(&self) -> Result<Vec<u64>> {
        remote::ids(&*self.remote, Kind::Overview, number)
    }

    /// A later version's is authenticated before it is taken for one: damage must not keep an overview from being
    /// replaced.
    fn open_overview(&self, number: u64, bytes: &[u8]) -> Result<Vec<u8>> {
        let name = ObjectName::overview(number);
        let object = name.to_string();
        let opened = |head: Head<'_>| {
            let key = head.content_key(&object)?;
            let key = self.keys.open_key(KeyClass::Manifest, key)?;
            head.open(Sealed::Overview, &key, &bytes_of(&name), &object)
        };
        match Head::parse(self.id(), &object, bytes).and_then(opened) {
            Err(newer @ Error::NewerFormat(_)) => {
                let sealed = Head::of_any_version(self.id(), &object, bytes).and_then(opened);
                Err(sealed.map_or_else(|_| Error::corrupt(&name, Flaw::SealBroken), |_| newer))
            }
            opened => opened,
        }
    }
}
