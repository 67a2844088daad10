//! Reading and publishing what holds in a repository ([`crate::upgrades`]).

use super::Store;
use crate::error::{Error, Flaw, Refusal, Result};
use crate::object::{self, cap};
use crate::remote::{ObjectName, Published};
use crate::seal::Sealed;
use crate::upgrades::{Standing, bytes_of, check_required, highest};

/// Upgrades that others may publish between reading what holds and publishing ours.
const TRIES: usize = 5;

impl Store {
    /// What holds, as of the last look.
    pub fn standing(&self) -> Standing {
        self.standing.lock().1.clone()
    }

    /// Looks for upgrades, takes over the highest, and refuses what this version does not know. To be called before
    /// anything is written or deleted that is not done under a [`crate::session::View`] of now.
    pub fn check_upgrades(&self) -> Result<()> {
        self.take_upgrade(highest(&*self.remote)?)
    }

    /// The same where the highest was listed already.
    pub(crate) fn take_upgrade(&self, listed: u64) -> Result<()> {
        // One that was there and is no more was removed by hand, or is hidden: what it contained still holds.
        if listed > self.standing.lock().0 {
            let standing = self.read_upgrade(listed)?;
            *self.standing.lock() = (listed, standing);
        }
        Ok(())
    }

    /// The content of one upgrade.
    pub fn read_upgrade(&self, number: u64) -> Result<Standing> {
        let name = ObjectName::upgrade(number);
        let bytes = self.remote.get(&name, cap::CONTROL)?;
        let object = name.to_string();
        let key = &self.keys.control.upgrades;
        let body = object::open(Sealed::Upgrade, self.id(), key, &bytes_of(&name), &object, &bytes)?;
        Standing::decode(number, &body)
    }

    /// Publishes an upgrade: what holds, as `change` makes it. `now` in seconds since 1970. Nothing is published where
    /// nothing changes; false then.
    pub fn upgrade(&self, now: i64, change: &dyn Fn(&mut Standing)) -> Result<bool> {
        for _ in 0..TRIES {
            self.check_upgrades()?;
            let (before, old) = self.standing.lock().clone();
            let mut new = old.clone();
            change(&mut new);
            check_required(&new.required)?;
            if new == old {
                return Ok(false);
            }
            new.time = now;
            let last = || Error::corrupt(ObjectName::upgrade(before), Flaw::NoSuccessor);
            let number = before.checked_add(1).ok_or_else(last)?;
            if self.publish_upgrade(number, &new)? {
                *self.standing.lock() = (number, new);
                return Ok(true);
            }
        }
        Err(Error::Refused(Refusal::FeaturesChanged))
    }

    /// Publishes what is to hold under a number; false where another one was quicker.
    pub fn publish_upgrade(&self, number: u64, standing: &Standing) -> Result<bool> {
        let (name, key) = (ObjectName::upgrade(number), &self.keys.control.upgrades);
        let (id, body) = (bytes_of(&name), standing.encode());
        let bytes = object::seal(Sealed::Upgrade, self.id(), key, None, &id, &body, 1024)?;
        match self.remote.put(&name, &bytes)? {
            Published::Created => Ok(true),
            // I-13: equal bytes are our own, from a try whose reply was lost.
            Published::Exists => Ok(self.remote.get(&name, cap::CONTROL)? == bytes),
        }
    }
}
