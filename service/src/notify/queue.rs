//! Messages that wait to be sent: one file each, for one recipient, readable by their owner only. Sent oldest first; one
//! that is on its way when the process is killed is sent again, since twice is better than never.

use super::channel::{Address, Unsent};
use super::message::Message;
use super::recipients::Outgoing;
use crate::history::moment;
use crate::state_file;
use engine::platform::{files, lock, private};
use engine::run::LocalDirs;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Messages that wait; of more, the oldest are dropped.
const MOST: usize = 100;
/// A message is no larger.
const MESSAGE_MAX: u64 = 256 << 10;
/// After a failure, the next look waits so long, and each further one twice as long.
const PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// But no longer than this.
const PAUSE_MOST: SignedDuration = SignedDuration::from_hours(4);

#[derive(Serialize, Deserialize)]
struct Waits {
    address: Address,
    message: Message,
}

/// How a recipient that could not be reached fared when it was last tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trouble {
    pub address: Address,
    #[serde(with = "moment")]
    pub failed: Timestamp,
    pub tries: u32,
    pub why: String,
}

impl Trouble {
    /// Whether it is too early to try again. A clock that was set back does not make it longer.
    fn holds(&self, now: Timestamp) -> bool {
        let doubled = PAUSE
            .as_secs()
            .saturating_mul(1 << self.tries.clamp(1, 16).saturating_sub(1));
        let pause = SignedDuration::from_secs(doubled).min(PAUSE_MOST);
        let passed = now.duration_since(self.failed);
        passed >= SignedDuration::ZERO && passed < pause
    }
}

/// `channels.json`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    troubles: Vec<Trouble>,
    /// Messages dropped since the last one was sent.
    dropped: u64,
}

/// What waits, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    pub messages: u64,
    pub channels: Vec<Trouble>,
    pub dropped: u64,
}

/// A message that could not be sent now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    pub name: String,
    pub why: String,
}

pub(super) struct Queue {
    dir: PathBuf,
}

impl Queue {
    pub fn of(dirs: &LocalDirs) -> Queue {
        Queue {
            dir: dirs.state.join("notify"),
        }
    }

    fn folder(&self) -> PathBuf {
        self.dir.join("queue")
    }

    /// Keeps a message until it is sent.
    pub fn add(&self, address: &Address, message: &Message) -> io::Result<()> {
        let folder = self.folder();
        private::create_dir_all(&folder)?;
        let waits = Waits {
            address: address.clone(),
            message: message.clone(),
        };
        let bytes = serde_json::to_vec(&waits)?;
        // Names sort by time.
        let (now, chance) = (Timestamp::now(), RandomState::new().build_hasher().finish());
        let name = format!("{:020}-{:08x}.json", now.as_nanosecond(), chance & 0xffff_ffff);
        files::create(&folder.join(name), &bytes)?;
        self.shorten();
        Ok(())
    }

    /// Drops the oldest where there are too many.
    fn shorten(&self) {
        let names = self.names();
        let extra = names.len().saturating_sub(MOST);
        if extra == 0 {
            return;
        }
        let removed = names[..extra].iter().filter(|path| fs::remove_file(path).is_ok());
        let mut known = self.known();
        known.dropped += removed.count() as u64;
        self.note(&known);
    }

    /// Oldest first. What can't be listed is empty.
    fn names(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let mut names: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        names.sort_unstable();
        names
    }

    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    pub fn waiting(&self) -> Waiting {
        let known = self.known();
        let messages = self.names().len() as u64;
        Waiting {
            channels: match messages {
                0 => Vec::new(),
                _ => known.troubles,
            },
            messages,
            dropped: known.dropped,
        }
    }

    fn known(&self) -> Known {
        let known = state_file::read(&self.dir.join("channels.json"));
        known.ok().flatten().unwrap_or_default()
    }

    /// It only paces and explains; without it messages are tried more often.
    fn note(&self, known: &Known) {
        let _ = state_file::write(&self.dir.join("channels.json"), known);
    }

    /// Sends what waits, oldest first, and returns whom it could not reach. `is_new`: there is something new to send,
    /// which is tried at once; otherwise recipients that failed have a pause. Another process that is sending does it
    /// alone.
    pub fn send(&self, channels: &[Outgoing], now: Timestamp, is_new: bool) -> Vec<Failed> {
        let lock = lock::open(&self.dir.join("lock"));
        let locked = lock.and_then(|file| Ok(lock::try_lock(&file)?.then_some(file)));
        // Without a lock, twice is better than never.
        if let Ok(None) = locked {
            return Vec::new();
        }
        let before = self.known();
        let mut known = before.clone();
        // A recipient that the settings no longer have has no troubles.
        known
            .troubles
            .retain(|trouble| channels.iter().any(|one| one.address() == trouble.address));
        let mut failed: Vec<(Address, Unsent)> = Vec::new();
        for path in self.names() {
            self.send_one(&path, channels, &mut known, &mut failed, (now, is_new));
        }
        if known != before {
            self.note(&known);
        }
        failed
            .into_iter()
            .map(|(address, unsent)| Failed {
                name: address.name(),
                why: unsent.why,
            })
            .collect()
    }

    fn send_one(
        &self,
        path: &Path,
        channels: &[Outgoing],
        known: &mut Known,
        failed: &mut Vec<(Address, Unsent)>,
        (now, is_new): (Timestamp, bool),
    ) {
        // A file that can't be read, or has no recipient any more, will never be sent.
        let waits = match read(path) {
            Ok(Some(waits)) => waits,
            Ok(None) => return drop(fs::remove_file(path)),
            Err(_) => return,
        };
        let address = &waits.address;
        let Some(channel) = channels.iter().find(|one| one.address() == *address) else {
            return drop(fs::remove_file(path));
        };
        let fails_too = |(other, unsent): &(Address, Unsent)| {
            other == address || (unsent.is_down && other.channel == address.channel)
        };
        if failed.iter().any(fails_too) {
            return;
        }
        let trouble = known
            .troubles
            .iter()
            .position(|trouble| trouble.address == *address);
        if !is_new && trouble.is_some_and(|nr| known.troubles[nr].holds(now)) {
            return;
        }
        let mut message = waits.message;
        if known.dropped > 0 {
            message.add_dropped(known.dropped);
        }
        match channel.send(&message) {
            Ok(()) => {
                known.dropped = 0;
                if let Some(nr) = trouble {
                    known.troubles.remove(nr);
                }
                // If it can't be removed it is sent again.
                let _ = fs::remove_file(path);
            }
            Err(unsent) => {
                let tries = trouble.map_or(0, |nr| known.troubles.remove(nr).tries);
                let mut trouble = Trouble::of(address, now, &unsent);
                trouble.tries = tries.saturating_add(1);
                known.troubles.push(trouble);
                failed.push((address.clone(), unsent));
            }
        }
    }
}

impl Trouble {
    fn of(address: &Address, failed: Timestamp, unsent: &Unsent) -> Trouble {
        Trouble {
            address: address.clone(),
            failed,
            tries: 1,
            why: unsent.why.clone(),
        }
    }
}

/// `None` if it makes no sense.
fn read(path: &Path) -> io::Result<Option<Waits>> {
    use io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MESSAGE_MAX).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes).ok())
}
