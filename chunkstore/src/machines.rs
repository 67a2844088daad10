//! Records of machines: what a machine keeps about itself in the repository, such as its settings, for whoever takes its
//! place or looks after several machines.
//!
//! A machine's records about one subject are a series. They have a name of eight bytes that only holders of the keys can
//! compute, and a number; the highest number counts. A machine adds the next number by exclusive create, so nothing is ever
//! replaced, and older numbers are deleted when there are enough. No generation refers to a record, and nothing is deleted
//! because of one. A record of a newer format is left alone (I-15). What a record says is the engine's; here it is opaque
//! bytes.

use crate::error::{Error, Flaw, Result};
pub use crate::id::RecordName;
use crate::keys::KeyClass;
use crate::object::{self, Head, cap};
use crate::remote::{self, Kind, ObjectName, Published};
use crate::seal::Sealed;
use crate::store::Store;
use crate::upgrades::bytes_of;

/// Room that head, sealed key and padding take beside the body.
const AROUND: usize = 160 << 10;

/// Longest body of a record.
pub const BODY_MAX: usize = cap::RECORD - AROUND;

impl Store {
    /// The series of a machine's records about a subject.
    pub fn record_series(&self, machine: &[u8; 16], subject: &[u8]) -> [u8; 8] {
        self.keys.record_series(machine, subject)
    }

    /// Every record that is listed, by series and number.
    pub fn records(&self) -> Result<Vec<RecordName>> {
        remote::ids(&*self.remote, Kind::Machine, RecordName::from_hex)
    }

    /// The body of one record. [`Error::Missing`] if it was deleted in the meantime.
    pub fn read_record(&self, name: RecordName) -> Result<Vec<u8>> {
        let object = ObjectName::machine(name);
        let bytes = self.remote.get(&object, cap::RECORD)?;
        match self.open_record(&object, &bytes) {
            // A damaged head can look like a later version's: then its seal holds for the head that we would write.
            Err(newer @ Error::NewerFormat(_)) => {
                match self.open_record(&object, &object::with_own_head(&bytes, true)) {
                    Ok(_) => Err(Error::corrupt(object, Flaw::HeadDamaged)),
                    Err(_) => Err(newer),
                }
            }
            opened => opened,
        }
    }

    fn open_record(&self, name: &ObjectName, bytes: &[u8]) -> Result<Vec<u8>> {
        let object = name.to_string();
        let head = Head::parse(self.id(), &object, bytes)?;
        let key = self
            .keys
            .open_key(KeyClass::Manifest, head.content_key(&object)?)?;
        head.open(Sealed::Machine, &key, &bytes_of(name), &object)
    }

    /// Adds a record, durably. False if its name is taken: another process of this machine was quicker.
    pub fn put_record(&self, name: RecordName, body: &[u8]) -> Result<bool> {
        let object = ObjectName::machine(name);
        let key = self.keys.new_session()?.manifest;
        let bytes = object::seal(
            Sealed::Machine,
            self.id(),
            &key.key,
            Some(&[key.sealed]),
            &bytes_of(&object),
            body,
            1024,
        )?;
        match self.remote.put(&object, &bytes)? {
            Published::Created => {}
            // I-13: equal bytes are our own, from a try whose reply was lost.
            Published::Exists if self.remote.get(&object, cap::RECORD)? == bytes => {}
            Published::Exists => return Ok(false),
        }
        self.remote.barrier()?;
        Ok(true)
    }

    /// Deletes a record that later ones have replaced.
    pub fn delete_record(&self, name: RecordName) -> Result<()> {
        self.remote.delete(&ObjectName::machine(name))
    }
}
