//! Who may enter: the password, kept as an Argon2id hash in the state directory for its owner only, and the link by which
//! it is set. A wrong password makes the next try from the same place wait, each time twice as long, and ten of them lock the
//! door for that place for a quarter of an hour, but not for others ([`guesses`]): nobody can lock the owner out by guessing.
//! Tries do not run side by side, so that many at once are no more than one. A console and commands share the file, so
//! that whoever holds something that was given for one password notices another one by its stamp. Time is an argument.

mod guesses;

use crate::locks::{lock, try_lock};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use guesses::{FIRST_WAIT, Guesses};
use service::Failure;
use service::catalogue::{Action, Cause, ConsoleFault};
use service::platform::files;
use service::run::LocalDirs;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// Argon2id: 64 MiB, three passes.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;

const PASSWORD_MIN: usize = 8;
const PASSWORD_MAX: usize = 1024;
/// How long the link is valid.
const LINK_LIFE: Duration = Duration::from_secs(15 * 60);
/// How often a trusted place looks whether it is its turn, and how many times: five seconds.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 250;
/// So many do that at once; each holds a thread.
const WAITING_MAX: usize = 4;
/// The password file is no larger.
const FILE_MAX: u64 = 4096;

pub struct Gate {
    file: PathBuf,
    link: Mutex<Option<Link>>,
    guesses: Mutex<Guesses>,
    /// Memory and processor for one password at a time.
    hashing: Mutex<()>,
    /// Trusted places that look whether it is their turn.
    waiting: AtomicUsize,
}

struct Link {
    token: String,
    made: Instant,
    /// Of the password then, if there was one. After another one the link is void.
    stamp: Option<PasswordStamp>,
}

/// By which it is seen that the password is another one. What is kept has a new salt each time, so that even the same
/// password has another stamp once it is set again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasswordStamp(blake3::Hash);

impl PasswordStamp {
    /// Of what the file holds.
    pub fn of(kept: &[u8]) -> PasswordStamp {
        PasswordStamp(blake3::hash(kept))
    }
}

/// Where a request comes from: this machine, or an address of a network. One machine has a whole network of IPv6 addresses,
/// so of these the first 64 bits count. Guesses are counted by larger networks as well.
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

    /// The first 48 bits of an address of IPv6.
    fn network(self) -> Option<[u16; 3]> {
        let Some(IpAddr::V6(v6)) = self.0 else {
            return None;
        };
        let [a, b, c, ..] = v6.segments();
        Some([a, b, c])
    }
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
            guesses: Mutex::default(),
            hashing: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, Failure> {
        let mut bytes = Vec::new();
        match File::open(&self.file).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(Cause::system(Action::Read, &self.file, e).into()),
        }
    }

    fn kept(&self) -> Result<Option<String>, Failure> {
        let Some(bytes) = self.bytes()? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(|_| self.not_a_password())?;
        Ok(Some(text.trim().to_string()))
    }

    /// Of the password as it is now; `None` if there is none. Whatever the file holds has one.
    pub fn stamp(&self) -> Result<Option<PasswordStamp>, Failure> {
        Ok(self.bytes()?.map(|bytes| PasswordStamp::of(&bytes)))
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
            stamp: self.stamp_for_link(),
        });
        Ok(token)
    }

    /// A file that can't be read counts as none: a link is the way to replace it.
    fn stamp_for_link(&self) -> Option<PasswordStamp> {
        self.stamp().ok().flatten()
    }

    /// Sets the password, which uses the link up. Returns the stamp of what was set.
    pub fn set(
        &self,
        link: &str,
        password: &str,
        now: Instant,
    ) -> Result<Result<PasswordStamp, Unset>, Failure> {
        let _one = lock(&self.hashing);
        let is_valid = lock(&self.link).as_ref().is_some_and(|known| {
            is_same(&known.token, link)
                && now.saturating_duration_since(known.made) < LINK_LIFE
                && known.stamp == self.stamp_for_link()
        });
        match (is_valid, password.chars().count(), password.len()) {
            (false, _, _) => return Ok(Err(Unset::BadLink)),
            (true, ..PASSWORD_MIN, _) => return Ok(Err(Unset::Short)),
            (true, _, PASSWORD_MAX..) => return Ok(Err(Unset::Long)),
            (true, _, _) => {}
        }
        let stamp = self.keep(password)?;
        *lock(&self.link) = None;
        *lock(&self.guesses) = Guesses::default();
        Ok(Ok(stamp))
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

    fn keep(&self, password: &str) -> Result<PasswordStamp, Failure> {
        let hash = hasher()?.hash_password(password.as_bytes()).map_err(failed)?;
        let text = format!("{hash}\n");
        let written = files::atomic_write(&self.file, text.as_bytes());
        written.map_err(|e| Cause::system(Action::Write, &self.file, e))?;
        Ok(PasswordStamp::of(text.as_bytes()))
    }

    /// Holds the only turn to be looked at; `None` if somebody else does. A place that is trusted waits a while for it, and
    /// meanwhile the others give way: by guessing without a pause they would keep the owner out.
    fn turn(&self, from: Neighbour) -> Option<MutexGuard<'_, ()>> {
        if !lock(&self.guesses).is_trusted(from) {
            return match self.waiting.load(Ordering::SeqCst) {
                0 => try_lock(&self.hashing),
                _ => None,
            };
        }
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        let looks = if before < WAITING_MAX { LOOKS } else { 1 };
        let turn = (0..looks).find_map(|nr| {
            if nr > 0 {
                sleep(LOOK);
            }
            try_lock(&self.hashing)
        });
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        turn
    }

    pub fn check(&self, password: &str, from: Neighbour, now: Instant) -> Result<Verdict, Failure> {
        let early = || lock(&self.guesses).wait(from, now);
        // Whoever has to wait anyway takes no turn.
        if let Some(wait) = early() {
            return Ok(Verdict::Wait(wait));
        }
        // One that is looked at beside another would be a free guess.
        let Some(_one) = self.turn(from) else {
            return Ok(Verdict::Wait(FIRST_WAIT));
        };
        // Another from the same place may have been wrong meanwhile.
        if let Some(wait) = early() {
            return Ok(Verdict::Wait(wait));
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
        let mut guesses = lock(&self.guesses);
        if is_right {
            guesses.right(from);
            return Ok(Verdict::Right);
        }
        guesses.wrong(from, now);
        Ok(Verdict::Wrong)
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
        let stamp = set(&link, "correct horse", now).unwrap();
        assert_eq!(gate.stamp().unwrap(), Some(stamp));
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
    }

    /// A panic while a password is looked at ends that request, and nothing else.
    #[test]
    fn a_panic_locks_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path());
        gate.change("correct horse").unwrap().unwrap();
        std::thread::scope(|scope| {
            let hashing = scope.spawn(|| {
                let _one = gate.hashing.lock().unwrap();
                panic!("while hashing");
            });
            assert!(hashing.join().is_err());
        });
        assert!(gate.hashing.is_poisoned());
        let stranger = Neighbour::of("192.0.2.7".parse().unwrap());
        for from in [stranger, HERE] {
            let verdict = gate.check("correct horse", from, Instant::now());
            assert_eq!(verdict, Ok(Verdict::Right), "{from:?}");
        }
    }

    /// While strangers guess without a pause, the owner waits for a turn instead of being sent away, and they give way.
    #[test]
    fn the_owner_gets_a_turn() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(dir.path());
        gate.change("correct horse").unwrap().unwrap();
        let now = Instant::now();
        let from = |text: &str| Neighbour::of(text.parse().unwrap());
        let (stranger, known) = (from("192.0.2.7"), from("192.0.2.8"));
        assert_eq!(gate.check("correct horse", known, now), Ok(Verdict::Right));
        let sent_away: Result<Verdict, Failure> = Ok(Verdict::Wait(FIRST_WAIT));
        for owner in [HERE, known] {
            std::thread::scope(|scope| {
                let held = lock(&gate.hashing);
                assert_eq!(gate.check("correct horse", stranger, now), sent_away);
                let entering = scope.spawn(|| gate.check("correct horse", owner, now).ok());
                while gate.waiting.load(Ordering::SeqCst) == 0 && !entering.is_finished() {
                    std::thread::yield_now();
                }
                drop(held);
                assert_eq!(entering.join().unwrap(), Some(Verdict::Right), "{owner:?}");
            });
        }
        gate.waiting.store(1, Ordering::SeqCst);
        assert_eq!(gate.check("correct horse", stranger, now), sent_away);
        gate.waiting.store(0, Ordering::SeqCst);
        assert_eq!(gate.check("correct horse", stranger, now), Ok(Verdict::Right));
        // Only a few are let wait.
        let _held = lock(&gate.hashing);
        gate.waiting.store(WAITING_MAX, Ordering::SeqCst);
        assert_eq!(gate.check("correct horse", HERE, now), sent_away);
    }

    /// A command has a gate of its own to the same file.
    #[test]
    fn another_password_voids_the_link() {
        let dir = tempfile::tempdir().unwrap();
        let (gate, command) = (gate(dir.path()), gate(dir.path()));
        let now = Instant::now();
        assert_eq!(gate.stamp().unwrap(), None);
        for _ in 0..2 {
            let link = gate.new_link(now).unwrap();
            let before = gate.stamp().unwrap();
            command.change("correct horse").unwrap().unwrap();
            assert_ne!(
                gate.stamp().unwrap(),
                before,
                "even the same password is another one"
            );
            let set = gate.set(&link, "another horse", now).unwrap();
            assert_eq!(set, Err(Unset::BadLink));
        }
        assert_eq!(gate.check("correct horse", HERE, now), Ok(Verdict::Right));
        // A file that holds no password is replaced by a link all the same.
        files::atomic_write(&gate.file, b"\xff\xfe\n").unwrap();
        let link = gate.new_link(now).unwrap();
        assert!(gate.set(&link, "another horse", now).unwrap().is_ok());
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
