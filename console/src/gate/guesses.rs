//! Wrong passwords, counted by where they come from, and how long whoever comes from there has to wait. Two counts each can
//! lock the door: that of the place, and, for IPv6, that of the network around it.
//!
//! Memory is bounded. When it is full, a place that nothing is known of waits until one of the others may try again, and
//! takes that one's room. Otherwise somebody with many addresses would have the first of them forgotten before its turn
//! comes again, and would never wait.

use super::Neighbour;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// After the first wrong password.
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Wrong passwords in a row that lock the door.
const TRIES: u32 = 10;
/// The same for a network. Its places may be those of people who do not know each other, so that it takes more.
const NETWORK_TRIES: u32 = 100;
const LOCKED: Duration = Duration::from_secs(15 * 60);
/// Places, and networks, whose wrong passwords are remembered.
const PLACES_MAX: usize = 1024;
/// Places that are remembered since the password was right.
const RIGHT_MAX: usize = 64;

#[derive(Default)]
pub(super) struct Guesses {
    places: HashMap<Neighbour, Tries>,
    /// By the first 48 bits of an address of IPv6. So much is given to whoever asks for it, and has 65,536 places. Places
    /// are counted as well, since some providers put the homes of many customers into one such network: a neighbour's
    /// few wrong passwords are not the owner's.
    networks: HashMap<[u16; 3], Tries>,
    /// Where the password was right, the last one at the end.
    right: Vec<Neighbour>,
}

#[derive(Clone, Copy)]
struct Tries {
    wrong: u32,
    not_before: Instant,
}

impl Guesses {
    /// This machine, and where the password was right before. What others do does not make it wait, but its own wrong
    /// passwords do.
    pub(super) fn is_trusted(&self, from: Neighbour) -> bool {
        from.is_here() || self.right.contains(&from)
    }

    /// Until a place may try again; `None` if it may now.
    pub(super) fn wait(&self, from: Neighbour, now: Instant) -> Option<Duration> {
        let is_trusted = self.is_trusted(from);
        let place = not_before(&self.places, from, is_trusted);
        let network = from.network().filter(|_| !is_trusted);
        let network = network.and_then(|network| not_before(&self.networks, network, false));
        let until = place.max(network).filter(|until| *until > now)?;
        Some(until.saturating_duration_since(now))
    }

    pub(super) fn wrong(&mut self, from: Neighbour, now: Instant) {
        count(&mut self.places, from, now, TRIES, |wrong| {
            let doubled = FIRST_WAIT.saturating_mul(1 << (wrong - 1).min(16));
            doubled.min(LONGEST_WAIT)
        });
        if let Some(network) = from.network() {
            count(&mut self.networks, network, now, NETWORK_TRIES, |_| {
                Duration::ZERO
            });
        }
    }

    /// Forgives the wrong ones before.
    pub(super) fn right(&mut self, from: Neighbour) {
        self.places.remove(&from);
        if let Some(network) = from.network() {
            self.networks.remove(&network);
        }
        // This machine is trusted anyway.
        if from.is_here() {
            return;
        }
        self.right.retain(|known| *known != from);
        if self.right.len() >= RIGHT_MAX {
            self.right.remove(0);
        }
        self.right.push(from);
    }
}

/// When there may be a try from there.
fn not_before<P: Eq + Hash>(all: &HashMap<P, Tries>, from: P, is_trusted: bool) -> Option<Instant> {
    match all.get(&from) {
        Some(tries) => Some(tries.not_before),
        // Until there is room for another.
        None if all.len() >= PLACES_MAX && !is_trusted => all.values().map(|tries| tries.not_before).min(),
        None => None,
    }
}

/// Counts a wrong password: after so many the door is locked, and `wait` says what follows those before.
fn count<P: Copy + Eq + Hash>(
    all: &mut HashMap<P, Tries>,
    from: P,
    now: Instant,
    most: u32,
    wait: impl Fn(u32) -> Duration,
) {
    if all.len() >= PLACES_MAX && !all.contains_key(&from) {
        // It need not wait any more, unless it makes room for a place that is trusted.
        let first = all.iter().min_by_key(|(_, tries)| tries.not_before);
        if let Some(first) = first.map(|(place, _)| *place) {
            all.remove(&first);
        }
    }
    let tries = all.entry(from).or_insert(Tries {
        wrong: 0,
        not_before: now,
    });
    tries.wrong += 1;
    let wait = match tries.wrong >= most {
        true => {
            tries.wrong = 0;
            LOCKED
        }
        false => wait(tries.wrong),
    };
    tries.not_before = now.checked_add(wait).unwrap_or(now);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    const HERE: Neighbour = Neighbour(None);

    fn place(text: &str) -> Neighbour {
        Neighbour::of(text.parse().unwrap())
    }

    #[test]
    fn waits_grow_until_the_door_is_locked() {
        for from in [HERE, place("192.0.2.7"), place("2001:db8::1")] {
            let mut guesses = Guesses::default();
            let mut now = Instant::now();
            for secs in [1, 2, 4, 8, 16, 32, 60, 60, 60, 15 * 60, 1] {
                assert_eq!(guesses.wait(from, now), None, "{from:?}: {secs}");
                guesses.wrong(from, now);
                let wait = Duration::from_secs(secs);
                assert_eq!(guesses.wait(from, now), Some(wait), "{from:?}");
                now += wait;
            }
            guesses.wrong(from, now);
            guesses.right(from);
            assert_eq!(guesses.wait(from, now), None, "a right one forgives");
        }
    }

    /// Somebody who has a whole network does not get a new count with each of its addresses.
    #[test]
    fn guesses_from_all_addresses_of_a_network() {
        let mut guesses = Guesses::default();
        let now = Instant::now();
        let owner = place("2001:db8:7:ffff::1");
        guesses.right(owner);
        let mut looked_at = 0;
        for nr in 0..0xffff_u32 {
            let from = place(&format!("2001:db8:7:{nr:x}::1"));
            if guesses.wait(from, now).is_none() {
                guesses.wrong(from, now);
                looked_at += 1;
            }
        }
        assert_eq!(looked_at, NETWORK_TRIES);
        assert_eq!(guesses.wait(place("2001:db8:7:abcd::2"), now), Some(LOCKED));
        for from in [HERE, owner, place("2001:db8:8::1"), place("192.0.2.7")] {
            assert_eq!(guesses.wait(from, now), None, "{from:?}");
        }
        assert_eq!(guesses.wait(place("2001:db8:7:abcd::2"), now + LOCKED), None);
    }

    /// However many there are, none is forgotten before it may try again.
    #[test]
    fn guesses_from_more_places_than_are_remembered() {
        let mut guesses = Guesses::default();
        let now = Instant::now();
        let far = |nr: usize| Neighbour::of(IpAddr::V4((0x0a00_0000 + nr as u32).into()));
        let owner = place("192.0.2.7");
        guesses.right(owner);
        for nr in 0..2 * PLACES_MAX {
            let is_let_try = guesses.wait(far(nr), now).is_none();
            assert_eq!(is_let_try, nr < PLACES_MAX, "{nr}");
            if is_let_try {
                guesses.wrong(far(nr), now);
            }
        }
        assert_eq!(guesses.wait(far(0), now), Some(FIRST_WAIT));
        assert_eq!(guesses.wait(far(PLACES_MAX), now), Some(FIRST_WAIT));
        for trusted in [HERE, owner] {
            assert_eq!(guesses.wait(trusted, now), None, "{trusted:?}");
            guesses.wrong(trusted, now);
            assert!(guesses.wait(trusted, now).is_some(), "{trusted:?}");
        }
        let later = now + FIRST_WAIT;
        assert_eq!(guesses.wait(far(PLACES_MAX), later), None, "there is room again");
        guesses.wrong(far(PLACES_MAX), later);
        assert_eq!(guesses.places.len(), PLACES_MAX);
    }

    #[test]
    fn only_so_many_places_are_trusted() {
        let mut guesses = Guesses::default();
        let at = |nr: usize| place(&format!("192.0.2.{nr}"));
        for nr in 0..=RIGHT_MAX {
            guesses.right(at(nr));
            guesses.right(at(nr));
        }
        assert!(!guesses.is_trusted(at(0)) && guesses.is_trusted(at(1)) && guesses.is_trusted(at(RIGHT_MAX)));
        assert_eq!(guesses.right.len(), RIGHT_MAX);
    }
}
