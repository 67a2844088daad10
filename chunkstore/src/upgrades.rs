//! What can change in a repository that exists: features, and whether new packs get parity. `config` is written once,
//! so each change is an object of its own, `upgrades/<number>`, which contains all that holds from then on. The highest
//! counts.
//!
//! Everybody lists them before writing or deleting ([`crate::session::View::read`] does it beside the index), so that
//! no one works by rules that no longer hold (I-15). A kept copy of `config` can't hide one. An upgrade that changes
//! what may be deleted or referred to must wait for the sessions that were open when it became durable, as a mark does.

use crate::error::{Error, Feature, Flaw, Result};
use crate::object::{Tail, cbor, from_cbor};
use crate::remote::{self, Kind, ObjectName, Remote};

/// Optional feature: new packs get parity. A client that does not know it makes packs without, which is harmless.
const PARITY: &str = "parity";
/// Required features that this version knows.
const KNOWN: &[&str] = &[];
/// Elements of an upgrade.
const ELEMENTS: u64 = 4;

/// What holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Standing {
    /// A client that lacks one of these must not touch the repository.
    #[n(0)]
    pub required: Vec<String>,
    #[n(1)]
    pub optional: Vec<String>,
    /// Percent of each new pack that its parity takes; `None`: it gets none.
    #[n(2)]
    pub parity: Option<u8>,
    /// Seconds since 1970; 0 if it comes from `config`.
    #[n(3)]
    pub time: i64,
    /// What a later version wrote after these.
    #[cbor(skip)]
    tail: Tail,
}

impl Standing {
    /// Of a new repository.
    pub fn new(parity: Option<u8>) -> Self {
        let mut standing = Standing::default();
        standing.set_parity(parity);
        standing
    }

    /// As `config` has it.
    pub(crate) fn of(required: Vec<String>, optional: Vec<String>, parity: Option<u8>) -> Self {
        Standing {
            required,
            optional,
            parity,
            ..Standing::default()
        }
    }

    pub fn set_parity(&mut self, percent: Option<u8>) {
        self.parity = percent;
        self.optional.retain(|feature| feature != PARITY);
        self.optional.extend(percent.map(|_| PARITY.to_string()));
    }

    pub(crate) fn decode(number: u64, body: &[u8]) -> Result<Self> {
        let name = ObjectName::upgrade(number);
        let mut standing: Standing =
            from_cbor(body).ok_or_else(|| Error::corrupt(&name, Flaw::Undecodable))?;
        standing.tail = Tail::of(body, ELEMENTS);
        check_required(&standing.required)?;
        Ok(standing)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.tail.append_to(cbor(self), ELEMENTS)
    }
}

/// Refuses what this version may not touch.
pub(crate) fn check_required(required: &[String]) -> Result<()> {
    match required.iter().find(|feature| !KNOWN.contains(&feature.as_str())) {
        Some(feature) => Err(Error::NewerFormat(Feature::Named(feature.clone()))),
        None => Ok(()),
    }
}

/// The highest upgrade that is listed; 0 where there is none.
pub(crate) fn highest(remote: &dyn Remote) -> Result<u64> {
    let numbers = remote::ids(remote, Kind::Upgrade, number)?;
    Ok(numbers.last().copied().unwrap_or(0))
}

/// What the id of an upgrade or overview says.
pub(crate) fn number(id: &str) -> Option<u64> {
    u64::from_str_radix(id, 16).ok()
}

/// A name as associated data: the bytes that its digits stand for.
pub(crate) fn bytes_of(name: &ObjectName) -> Vec<u8> {
    // The digits are a number, so there is nothing that can't be decoded.
    hex::decode(name.id()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_required_feature_is_named_and_an_optional_one_kept() {
        let mut newer = Standing::new(Some(5));
        newer.optional.push("later".to_string());
        newer.tail = Tail::of(&cbor(&(0, 0, 0, 0, "more")), ELEMENTS);
        let mut read = Standing::decode(1, &newer.encode()).unwrap();
        assert_eq!(read, newer);
        read.set_parity(None);
        let again = Standing::decode(2, &read.encode()).unwrap();
        assert_eq!(
            (again.optional.as_slice(), &again.tail),
            (&["later".to_string()][..], &newer.tail)
        );
        newer.required.push("time-travel".to_string());
        let refused = Standing::decode(1, &newer.encode()).unwrap_err();
        assert!(matches!(&refused, Error::NewerFormat(Feature::Named(name)) if name == "time-travel"));
    }
}
