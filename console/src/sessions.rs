//! Who is logged in: sessions in memory, each with its token against forged forms and its basket. They end half an hour
//! after the last request, twelve hours after they began, with the password by which they began, and with the process.

use crate::gate::{PasswordStamp, is_same, token};
use crate::locks::lock;
use service::Failure;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

const IDLE: Duration = Duration::from_secs(30 * 60);
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// At once; the one that was idle longest goes.
const SESSIONS_MAX: usize = 64;
/// Paths in one basket.
pub const BASKET_MAX: usize = 500;

/// Somebody who is logged in.
pub struct Session {
    /// What every form has to bring.
    csrf: String,
    /// Of the password that was right when it began.
    stamp: PasswordStamp,
    began: Instant,
    seen: Mutex<Instant>,
    basket: Mutex<Vec<Picked>>,
}

/// A path that somebody wants back, as of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picked {
    /// Name of the remote; empty for the default repository.
    pub remote: String,
    /// Its id.
    pub snapshot: String,
    /// When it was made, for people.
    pub time: String,
    /// From the root.
    pub path: Vec<u8>,
    pub is_dir: bool,
}

impl Session {
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    pub fn is_genuine(&self, token: &str) -> bool {
        is_same(&self.csrf, token)
    }

    pub fn basket(&self) -> MutexGuard<'_, Vec<Picked>> {
        lock(&self.basket)
    }

    /// False if the basket is full.
    pub fn pick(&self, picked: Picked) -> bool {
        let mut basket = self.basket();
        if basket.contains(&picked) {
            return true;
        }
        let has_room = basket.len() < BASKET_MAX;
        if has_room {
            basket.push(picked);
        }
        has_room
    }

    fn is_over(&self, now: Instant) -> bool {
        let idle = now.saturating_duration_since(*lock(&self.seen));
        idle >= IDLE || now.saturating_duration_since(self.began) >= LONGEST
    }
}

#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Sessions {
    /// The secret of a new session, for its cookie.
    pub fn begin(&self, stamp: PasswordStamp, now: Instant) -> Result<String, Failure> {
        let id = token()?;
        let session = Session {
            csrf: token()?,
            stamp,
            began: now,
            seen: Mutex::new(now),
            basket: Mutex::default(),
        };
        let mut all = lock(&self.0);
        all.retain(|_, session| !session.is_over(now));
        if all.len() >= SESSIONS_MAX {
            let idlest = all.iter().min_by_key(|(_, session)| *lock(&session.seen));
            if let Some(id) = idlest.map(|(id, _)| id.clone()) {
                all.remove(&id);
            }
        }
        all.insert(id.clone(), Arc::new(session));
        Ok(id)
    }

    /// The session of a cookie, if the password is still the one by which it began: a command may have set another. What a
    /// page does by itself (`is_idle`) does not prolong it.
    pub fn find(&self, id: &str, stamp: PasswordStamp, is_idle: bool, now: Instant) -> Option<Arc<Session>> {
        let mut all = lock(&self.0);
        let session = all.get(id)?.clone();
        if session.stamp != stamp || session.is_over(now) {
            all.remove(id);
            return None;
        }
        if !is_idle {
            *lock(&session.seen) = now;
        }
        Some(session)
    }

    pub fn end(&self, id: &str) {
        lock(&self.0).remove(id);
    }

    /// After a new password nobody is logged in. [`Sessions::find`] would see it, too, but only of those who come again.
    pub fn end_all(&self) {
        lock(&self.0).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> PasswordStamp {
        PasswordStamp::of(b"a password")
    }

    #[test]
    fn sessions_end() {
        let sessions = Sessions::default();
        let start = Instant::now();
        let id = sessions.begin(stamp(), start).unwrap();
        let at = |minutes: u64| start + Duration::from_secs(minutes * 60);
        assert!(sessions.find("", stamp(), false, start).is_none());
        assert!(sessions.find(&id, stamp(), false, at(29)).is_some());
        assert!(sessions.find(&id, stamp(), true, at(58)).is_some());
        assert!(
            sessions.find(&id, stamp(), false, at(59)).is_none(),
            "a page that updates itself is idle"
        );
        assert!(
            sessions.find(&id, stamp(), false, at(30)).is_none(),
            "it is gone for good"
        );
        let id = sessions.begin(stamp(), start).unwrap();
        for minutes in (0..12 * 60).step_by(20) {
            assert!(sessions.find(&id, stamp(), false, at(minutes)).is_some());
        }
        assert!(sessions.find(&id, stamp(), false, at(12 * 60)).is_none());
    }

    #[test]
    fn another_password_ends_them() {
        let sessions = Sessions::default();
        let now = Instant::now();
        let id = sessions.begin(stamp(), now).unwrap();
        let other = PasswordStamp::of(b"another password");
        assert!(sessions.find(&id, stamp(), false, now).is_some());
        assert!(sessions.find(&id, other, false, now).is_none());
        assert!(
            sessions.find(&id, stamp(), false, now).is_none(),
            "it is gone for good"
        );
    }

    #[test]
    fn there_are_not_endlessly_many() {
        let sessions = Sessions::default();
        let start = Instant::now();
        let first = sessions.begin(stamp(), start).unwrap();
        for nr in 1..=SESSIONS_MAX as u64 {
            sessions.begin(stamp(), start + Duration::from_secs(nr)).unwrap();
        }
        assert!(sessions.find(&first, stamp(), false, start).is_none());
        assert_eq!(lock(&sessions.0).len(), SESSIONS_MAX);
        sessions.end_all();
        assert!(lock(&sessions.0).is_empty());
    }

    #[test]
    fn baskets() {
        let sessions = Sessions::default();
        let id = sessions.begin(stamp(), Instant::now()).unwrap();
        let session = sessions.find(&id, stamp(), false, Instant::now()).unwrap();
        let picked = |nr: usize| Picked {
            remote: String::new(),
            snapshot: "1f".to_string(),
            time: String::new(),
            path: format!("/{nr}").into_bytes(),
            is_dir: false,
        };
        for nr in 0..BASKET_MAX {
            assert!(session.pick(picked(nr)));
        }
        assert!(session.pick(picked(0)), "it is there already");
        assert!(!session.pick(picked(BASKET_MAX)));
        assert_eq!(session.basket().len(), BASKET_MAX);
        assert!(session.is_genuine(session.csrf()) && !session.is_genuine(""));
    }
}
