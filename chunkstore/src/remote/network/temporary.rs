//! Names of unpublished writes, for storages that publish by renaming: when it was begun, and something random. The
//! time is the writer's, and decides only when to tidy up.

use super::fault::{Fault, Outcome};
use std::io::ErrorKind;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const FOLDER: &str = "tmp";

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A path nobody else has.
pub(super) fn name() -> Outcome<String> {
    let random = crate::id::random::<12>();
    let random = random.map_err(|e| Fault::lasting(ErrorKind::Other, e.to_string()))?;
    Ok(format!("{FOLDER}/{:010x}{}", now(), hex::encode(random)))
}

/// Whether this is the name of a write that was begun before a time.
pub(super) fn is_older(name: &str, before: u64) -> bool {
    let ours = name.len() == 34 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    ours && u64::from_str_radix(&name[..10], 16).is_ok_and(|begun| begun < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_in_the_name() {
        let name = name().unwrap();
        let name = name.strip_prefix("tmp/").unwrap();
        assert!(!is_older(name, now() - 60) && is_older(name, now() + 60));
        assert!(!is_older("README", u64::MAX) && !is_older(&"é".repeat(17), u64::MAX));
    }
}
