//! What Argon2id made of a password, kept by the kernel from one run to the next: in the keyring of the user, in memory
//! alone, for some time after the last use (keyrings(7)). A run that finds it there needs neither the third of a second
//! nor the 256 MiB. Anyone who can read it could as well read the password where it lay, which is why only passwords
//! that lie somewhere are kept (docs/decisions/0020-kept-passwords.md).
//!
//! A hint, never more: where there is no such keyring, it is full, or what it holds does not prove itself, the password
//! is stretched again. That is why nothing here reports why it failed.

#[cfg(target_os = "linux")]
pub use linux::forget;
#[cfg(target_os = "linux")]
pub(crate) use linux::{keep, recall};
#[cfg(not(target_os = "linux"))]
pub use nowhere::forget;
#[cfg(not(target_os = "linux"))]
pub(crate) use nowhere::{keep, recall};

/// Wrapping key, commitment, and a tag that only this key and the password itself give.
#[cfg(target_os = "linux")]
const LEN: usize = 96;

#[cfg(target_os = "linux")]
mod linux {
    use super::LEN;
    use linux_keyutils::{Key, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, KeySerialId, Permission};
    use std::fmt::Display;
    use std::time::Duration;
    use subtle::ConstantTimeEq;
    use zeroize::Zeroizing;

    const PREFIX: &str = "dedup:";

    fn ring() -> Option<KeyRing> {
        KeyRing::from_special_id(KeyRingIdentifier::User, true).ok()
    }

    /// Of the password: under the key that it gave, so that it can't be guessed faster without having that.
    fn tag(keys: &[u8; 64], password: &str) -> Option<[u8; 32]> {
        let key = keys.first_chunk()?;
        Some(*blake3::keyed_hash(key, password.as_bytes()).as_bytes())
    }

    /// What [`keep`] kept for this slot and this password; it is kept for so long from now on.
    pub(crate) fn recall(slot: &impl Display, password: &str, time: Duration) -> Option<Zeroizing<[u8; 64]>> {
        let key = ring()?.search(&format!("{PREFIX}{slot}")).ok()?;
        let mut kept = Zeroizing::new([0; LEN]);
        if key.read(&mut *kept).ok()? != LEN {
            return None;
        }
        let keys = Zeroizing::new(*kept.first_chunk::<64>()?);
        let same = tag(&keys, password)?.ct_eq(&kept[64..]);
        if !bool::from(same) {
            return None;
        }
        // It goes earlier otherwise, no more.
        let _ = key.set_timeout(time.as_secs() as usize);
        Some(keys)
    }

    /// Keeps what a password gave for a slot.
    pub(crate) fn keep(slot: &impl Display, password: &str, keys: &[u8; 64], time: Duration) -> Option<()> {
        let mut kept = Zeroizing::new([0; LEN]);
        kept[..64].copy_from_slice(keys);
        kept[64..].copy_from_slice(&tag(keys, password)?);
        let ring = ring()?;
        let key = ring.add_key(&format!("{PREFIX}{slot}"), &*kept).ok()?;
        // Processes that a service manager starts do not possess the user's keyring, but are the same user.
        let permissions = KeyPermissionsBuilder::builder()
            .posessor(Permission::ALL)
            .user(Permission::ALL)
            .build();
        let bounded = key
            .set_timeout(time.as_secs() as usize)
            .and_then(|()| key.set_perms(permissions));
        if bounded.is_err() {
            let _ = ring.unlink_key(key);
        }
        bounded.ok()
    }

    /// Forgets everything that is kept for this user, and returns how many there were.
    pub fn forget() -> usize {
        let Some(ring) = ring() else { return 0 };
        let all = std::fs::read_to_string("/proc/keys").unwrap_or_default();
        let ours = all.lines().filter_map(|line| {
            // "3fa6bb72 I--Q--- 1 perm 3f3f0000 0 0 user dedup:...: 96" (proc(5))
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_ours = *fields.get(7)? == "user" && fields.get(8)?.starts_with(PREFIX);
            let id = i32::from_str_radix(fields.first()?, 16).ok()?;
            is_ours.then_some(Key::from_id(KeySerialId(id)))
        });
        ours.filter(|key| ring.unlink_key(*key).is_ok()).count()
    }
}

#[cfg(not(target_os = "linux"))]
mod nowhere {
    use std::fmt::Display;
    use std::time::Duration;
    use zeroize::Zeroizing;

    pub(crate) fn recall(_: &impl Display, _: &str, _: Duration) -> Option<Zeroizing<[u8; 64]>> {
        None
    }

    pub(crate) fn keep(_: &impl Display, _: &str, _: &[u8; 64], _: Duration) -> Option<()> {
        None
    }

    pub fn forget() -> usize {
        0
    }
}
