//! Who may enter: the password, kept as an Argon2id hash in the state directory for its owner only, and the link by which
//! it is set. A wrong password makes the next try from the same place wait, each time twice as long, and ten of them lock the
//! door for that place for a quarter of an hour, but not for others: nobody can lock the owner out by guessing. Tries do not
//! run side by side, so that many at once are no more than one. Time is an argument.

use crate::locks::lock;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use service::Failure;
use service::catalogue::{Action, Cause, ConsoleFault};
use service::platform::files;
use service::run::LocalDirs;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// Argon2id: 64 MiB, three passes.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;

const PASSWORD_MIN: usize = 8;
const PASSWORD_MAX: usize = 1024;
/// How long the link is valid.
const LINK_LIFE: Duration = Duration::from_secs(15 * 60);
/// After the first wrong password.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Wrong passwords in a row that lock the door.
const TRIES: u32 = 10;
const LOCKED: Duration = Duration::from_secs(15 * 60);
/// Places whose wrong passwords are remembered; the one that may try again first is forgotten for another.
const PLACES_MAX: usize = 1024;
/// The password file is no larger.
const FILE_MAX: u64 = 4096;

pub struct Gate {
    file: PathBuf,
    link: Mutex<Option<Link>>,
    tries: Mutex<HashMap<Neighbour, Tries>>,
    /// Memory and processor for one password at a time.
    hashing: Mutex<()>,
}

struct Link {
    token: String,
    made: Instant,
}

/// Where a request comes from: this machine, or an address of a network. One machine has a whole network of IPv6 addresses,
/// so of these the first 64 bits count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Neighbour(Option<IpAddr>);

impl Neighbour {
    pub fn of(address: IpAddr) -> Neighbour {
        Neighbour(match address.to_canonical() {
            ip if ip.is_loopback() => None,
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Some(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            ip => Some(ip),
        })
    }

    pub fn is_here(self) -> bool {
        self.0.is_none()
    }
}

#[derive(Clone, Copy, Default)]
struct Tries {
    wrong: u32,
    not_before: Option<Instant>,
}

/// What became of a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Right,
    Wrong,
    /// Not looked at: it is too early.
    Wait(Duration),
    /// There is none yet.
    NoPassword,
}

/// Why a password was not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unset {
    BadLink,
    Short,
    Long,
}

/// 256 random bits as text.
pub fn token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| {
        let fault = ConsoleFault::Random { why: e.to_string() };
        Failure::from(Cause::Console { fault })
    })?;
    Ok(hex::encode(bytes))
}

/// Compared in a time that says nothing of where they differ.
pub fn is_same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

impl Gate {
    pub fn of(dirs: &LocalDirs) -> Gate {
        Gate {
            file: dirs.state.join("console").join("password"),
            link: Mutex::default(),
            tries: Mutex::default(),
            hashing: Mutex::default(),
        }
    }

    fn kept(&self) -> Result<Option<String>, Failure> {
        let mut text = String::new();
        match File::open(&self.file).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text)) {
            Ok(_) => Ok(Some(text.trim().to_string())),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(self.not_a_password()),
            Err(e) => Err(Cause::system(Action::Read, &self.file, e).into()),
        }
    }

    fn not_a_password(&self) -> Failure {
        let path = self.file.display().to_string();
        let fault = ConsoleFault::PasswordFile { path };
        Cause::Console { fault }.into()
    }

    pub fn has_password(&self) -> Result<bool, Failure> {
        Ok(self.kept()?.is_some())
    }

    /// The token of a new link; an older one is void.
    pub fn new_link(&self, now: Instant) -> Result<String, Failure> {
        let token = token()?;
        *lock(&self.link) = Some(Link {
            token: token.clone(),
            made: now,
        });
        Ok(token)
    }

    /// Sets the password, which uses the link up.
    pub fn set(&self, link: &str, password: &str, now: Instant) -> Result<Result<(), Unset>, Failure> {
        let _one = lock(&self.hashing);
        let is_valid = lock(&self.link).as_ref().is_some_and(|known| {
            is_same(&known.token, link) && now.saturating_duration_since(known.made) < LINK_LIFE
        });
        match (is_valid, password.chars().count(), password.len()) {
            (false, _, _) => return Ok(Err(Unset::BadLink)),
            (true, ..PASSWORD_MIN, _) => return Ok(Err(Unset::Short)),
            (true, _, PASSWORD_MAX..) => return Ok(Err(Unset::Long)),
            (true, _, _) => {}
        }
        self.keep(password)?;
        *lock(&self.link) = None;
        lock(&self.tries).clear();
        Ok(Ok(()))
    }

    /// Another password, from its owner: who has just proven to know the one before, or sits at a terminal.
    pub fn change(&self, password: &str) -> Result<Result<(), Unset>, Failure> {
        let _one = lock(&self.hashing);
        match (password.chars().count(), password.len()) {
            (..PASSWORD_MIN, _) => return Ok(Err(Unset::Short)),
            (_, PASSWORD_MAX..) => return Ok(Err(Unset::Long)),
            _ => {}
        }
        self.keep(password)?;
        Ok(Ok(()))
    }

    fn keep(&self, password: &str) -> Result<(), Failure> {
        let hash = hasher()?.hash_password(password.as_bytes()).map_err(failed)?;
        let text = format!("{hash}\n");
        let written = files::atomic_write(&self.file, text.as_bytes());
        Ok(written.map_err(|e| Cause::system(Action::Write, &self.file, e))?)
    }

    pub fn check(&self, password: &str, from: Neighbour, now: Instant) -> Result<Verdict, Failure> {
        // One that comes while another is looked at would be a free guess.
        let Ok(_one) = self.hashing.try_lock() else {
            return Ok(Verdict::Wait(FIRST_WAIT));
        };
        if let Some(until) = lock(&self.tries).get(&from).and_then(|tries| tries.not_before)
            && until > now
        {
            return Ok(Verdict::Wait(until.saturating_duration_since(now)));
        }
        let Some(kept) = self.kept()? else {
            return Ok(Verdict::NoPassword);
        };
        let kept = PasswordHash::new(&kept).map_err(|_| self.not_a_password())?;
        let is_right = password.len() < PASSWORD_MAX
            && match hasher()?.verify_password(password.as_bytes(), &kept) {
                Ok(()) => true,
                Err(HashError::PasswordInvalid) => false,
                Err(e) => return Err(failed(e)),
            };
        let mut all = lock(&self.tries);
        if is_right {
            all.remove(&from);
            return Ok(Verdict::Right);
        }
        make_room(&mut all, from);
        let tries = all.entry(from).or_default();
        tries.wrong += 1;
        let doubled = FIRST_WAIT.saturating_mul(1 << (tries.wrong - 1).min(16));
        let wait = match tries.wrong {
            TRIES.. => {
                tries.wrong = 0;
                LOCKED
            }
            _ => doubled.min(LONGEST_WAIT),
        };
        tries.not_before = now.checked_add(wait);
        Ok(Verdict::Wrong)
    }
}

fn make_room(all: &mut HashMap<Neighbour, Tries>, from: Neighbour) {
    if all.len() < PLACES_MAX || all.contains_key(&from) {
        return;
    }
    let first = all.iter().min_by_key(|(_, tries)| tries.not_before);
    if let Some(first) = first.map(|(place, _)| *place) {
        all.remove(&first);
    }
}

fn hasher() -> Result<Argon2<'static>, Failure> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None);
    let params = params.map_err(|e| hash_fault(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(error: HashError) -> Failure {
    hash_fault(error.to_string())
}

fn hash_fault(why: String) -> Failure {
    let fault = ConsoleFault::Hash { why };
    Cause::Console { fault }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Neighbour = Neighbour(None);

    fn gate(dir: &std::path::Path) -> Gate {
        Gate::of(&LocalDirs {
            cache: dir.join("cache"),
            state: dir.join("state"),
        })
    }

    #[test]
    fn a_link_sets_one_password() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path());
        let now = Instant::now();
        assert_eq!(gate.check("correct horse", HERE, now), Ok(Verdict::NoPassword));
        let old = gate.new_link(now).unwrap();
        let link = gate.new_link(now).unwrap();
        let set = |link: &str, password: &str, at| gate.set(link, password, at).unwrap();
        assert_eq!(set(&old, "correct horse", now), Err(Unset::BadLink));
        assert_eq!(set("", "correct horse", now), Err(Unset::BadLink));
        assert_eq!(set(&link, "seven77", now), Err(Unset::Short));
        assert_eq!(set(&link, &"x".repeat(PASSWORD_MAX), now), Err(Unset::Long));
        assert_eq!(set(&link, "correct horse", now + LINK_LIFE), Err(Unset::BadLink));
        assert!(!gate.has_password().unwrap());
        assert_eq!(set(&link, "correct horse", now), Ok(()));
        assert_eq!(set(&link, "another horse", now), Err(Unset::BadLink));
        assert!(gate.has_password().unwrap());
        assert_eq!(gate.check("correct horse", HERE, now), Ok(Verdict::Right));
        let kept = std::fs::read_to_string(&gate.file).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{kept}");
    }

    #[test]
    fn guessing_takes_longer_and_longer() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path());
        let mut now = Instant::now();
        let link = gate.new_link(now).unwrap();
        gate.set(&link, "correct horse", now).unwrap().unwrap();
        for wait in [1, 2, 4, 8] {
            assert_eq!(gate.check("wrong horse", HERE, now), Ok(Verdict::Wrong));
            let wait = Duration::from_secs(wait);
            // Even the right one has to wait.
            assert_eq!(gate.check("correct horse", HERE, now), Ok(Verdict::Wait(wait)));
            now += wait;
        }
        lock(&gate.tries).get_mut(&HERE).unwrap().wrong = TRIES - 1;
        assert_eq!(gate.check("wrong horse", HERE, now), Ok(Verdict::Wrong));
        assert_eq!(gate.check("correct horse", HERE, now), Ok(Verdict::Wait(LOCKED)));
        now += LOCKED;
        assert_eq!(gate.check("correct horse", HERE, now), Ok(Verdict::Right));
        assert_eq!(gate.check("wrong horse", HERE, now), Ok(Verdict::Wrong));
        assert_eq!(
            gate.check("x", HERE, now),
            Ok(Verdict::Wait(FIRST_WAIT)),
            "a right one forgives"
        );
    }

    /// Somebody on the network who guesses does not keep the owner out.
    #[test]
    fn guessing_from_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path());
        let now = Instant::now();
        let link = gate.new_link(now).unwrap();
        gate.set(&link, "correct horse", now).unwrap().unwrap();
        let from = |text: &str| Neighbour::of(text.parse().unwrap());
        let stranger = from("2001:db8::1");
        assert_eq!(gate.check("wrong horse", stranger, now), Ok(Verdict::Wrong));
        let waits = |place| matches!(gate.check("wrong horse", place, now), Ok(Verdict::Wait(_)));
        assert!(
            waits(stranger) && waits(from("2001:db8::ffff:2")),
            "the same machine"
        );
        for place in [
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "2001:db8:0:1::1",
            "192.0.2.7",
        ] {
            assert_eq!(
                gate.check("correct horse", from(place), now),
                Ok(Verdict::Right),
                "{place}"
            );
        }
        assert!(waits(stranger), "another's right password does not help");
        // However many there are.
        for nr in 0..2 * PLACES_MAX as u32 {
            let place = Neighbour::of(IpAddr::V4((0x0a00_0000 + nr).into()));
            make_room(&mut lock(&gate.tries), place);
            let later = now.checked_add(LOCKED);
            lock(&gate.tries).entry(place).or_default().not_before = later;
        }
        assert_eq!(lock(&gate.tries).len(), PLACES_MAX);
    }

    #[test]
    fn a_file_that_holds_something_else() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path());
        files::atomic_write(&gate.file, b"plain text\n").unwrap();
        let failure = gate.check("plain text", HERE, Instant::now()).unwrap_err();
        assert!(failure.message().contains("--reset-password"), "{failure:?}");
        files::atomic_write(&gate.file, b"\xff\xfe\n").unwrap();
        assert!(gate.check("plain text", HERE, Instant::now()).is_err());
    }
}
