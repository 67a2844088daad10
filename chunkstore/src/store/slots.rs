//! The slots of an opened repository: which there are, one more, one less.

use super::Store;
use crate::error::{Error, Flaw, Refusal, Result};
use crate::id::SlotId;
use crate::remote::ObjectName;
use crate::slot::{self, Cost, Note, SLOT_MAX, Secret, Slot, SlotKind, read_slot, slot_ids};

/// A key slot as people see it.
#[non_exhaustive]
pub struct SlotInfo {
    /// Its id.
    pub id: SlotId,
    /// `None`: damaged, or of a kind this version does not know.
    pub kind: Option<SlotKind>,
    /// Its label, and when it was made. `None` if the slot is damaged.
    pub note: Option<Note>,
    /// The one that opened this repository now.
    pub current: bool,
}

impl Store {
    /// Adds a slot that `secret` opens, and proves that it does. `now` is in seconds since 1970.
    pub fn add_slot(&self, secret: &Secret, cost: Cost, label: &str, now: i64) -> Result<SlotId> {
        let note = Note {
            label: label.to_string(),
            created: now,
            confirmed: None,
        };
        self.add_noted_slot(secret, cost, note)
    }

    /// The same with the whole note.
    pub fn add_noted_slot(&self, secret: &Secret, cost: Cost, note: Note) -> Result<SlotId> {
        self.check_upgrades()?;
        let (id, bytes) = slot::create(
            &self.opened.master,
            &self.keys.control.notes,
            self.id(),
            secret,
            cost,
            &note,
        )?;
        self.remote.put(&ObjectName::key(id), &bytes)?;
        // Proven to open before anyone relies on it.
        let stored = Slot::parse(id, &read_slot(&*self.remote, id)?)?;
        match stored.unwrap(secret, self.id())? {
            Some(master) if master.0 == self.opened.master.0 => Ok(id),
            _ => Err(Error::corrupt(ObjectName::key(id), Flaw::NotAsWritten)),
        }
    }

    /// All slots, damaged ones too.
    pub fn slots(&self) -> Result<Vec<SlotInfo>> {
        let mut slots = Vec::new();
        for id in slot_ids(&*self.remote)? {
            let slot = read_slot(&*self.remote, id).and_then(|bytes| Slot::parse(id, &bytes));
            let slot = match slot {
                // Damaged, or of a kind that is not for people.
                Err(e) if e.is_object_local() => None,
                slot => Some(slot?),
            };
            let note = slot
                .as_ref()
                .and_then(|slot| slot.note(&self.keys.control.notes, self.id()));
            slots.push(SlotInfo {
                id,
                kind: slot.map(|slot| slot.kind),
                note,
                current: id == self.opened.slot,
            });
        }
        Ok(slots)
    }

    /// Removes a slot; refuses the last one that is sound, since the repository could never be opened again.
    pub fn remove_slot(&self, id: SlotId) -> Result<()> {
        self.check_upgrades()?;
        let last = || Error::Refused(Refusal::LastSlot);
        if !self.has_slot_beside(id)? {
            return Err(last());
        }
        let name = ObjectName::key(id);
        let bytes = self.remote.get(&name, SLOT_MAX);
        self.remote.delete(&name)?;
        self.remote.barrier()?;
        // Of two who each remove the other's last one, at least one sees that none is left.
        if let Ok(bytes) = bytes
            && !self.has_slot_beside(id)?
        {
            self.remote.put(&name, &bytes)?;
            return Err(last());
        }
        Ok(())
    }

    fn has_slot_beside(&self, id: SlotId) -> Result<bool> {
        let sound = |slot: &SlotInfo| slot.id != id && slot.kind.is_some();
        Ok(self.slots()?.iter().any(sound))
    }

    /// The slot that opened this repository.
    pub fn opened_with(&self) -> SlotId {
        self.opened.slot
    }
}
