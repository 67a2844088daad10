//! The next files of a job, opened before it is their turn: where their bytes are not in memory yet, the disk brings
//! several at once instead of one after the other. Where they are, the system is not asked: it would look for each page
//! twice.

use super::job::{BackupSlot, EntryState};
use super::open::open_file;
use crate::entry::{Kind, Meta};
use crate::fsmeta;
use chunkstore::descriptors::{self, Permit};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::time::Duration;

/// Files open ahead, each worker's.
const AHEAD: usize = 16;

/// A read that took longer was one of the disk.
const OF_THE_DISK: Duration = Duration::from_micros(200);
/// So many files are asked of the disk after one that came from there.
const ASKED: u32 = 256;

pub type Opened = io::Result<(File, Meta)>;

/// A file that is open before its turn, and the permit for that.
struct Early {
    slot: usize,
    opened: Opened,
    _permit: Permit,
}

pub struct Ahead {
    files: VecDeque<Early>,
    /// The first slot that was not looked at.
    next: usize,
    /// Files that are still to be asked of the disk.
    asked: u32,
}

impl Ahead {
    pub fn new() -> Self {
        Ahead {
            files: VecDeque::with_capacity(AHEAD),
            next: 0,
            asked: ASKED,
        }
    }

    /// Takes note of how long a small file's bytes took.
    pub fn took(&mut self, time: Duration) {
        if time > OF_THE_DISK {
            self.asked = ASKED;
        }
    }

    /// Forgets what was opened of the job before.
    pub fn begin(&mut self) {
        self.files.clear();
        self.next = 0;
    }

    /// The file of this slot, if it is one to read; slots are asked for in order. Those up to `small` bytes are asked
    /// of the disk at once; a large one is read by a sequential reader, for which the system looks ahead by itself.
    pub fn take(&mut self, slots: &[BackupSlot], number: usize, small: u64) -> Option<Opened> {
        self.next = self.next.max(number);
        while self.files.len() < AHEAD
            && let Some(slot) = slots.get(self.next)
        {
            if let EntryState::Todo { found, dir, .. } = &slot.state
                && let (Kind::File, false, None, Some(dir)) = (&found.kind, found.special, found.trouble, dir)
            {
                // Without one it is opened when it is its turn.
                let Some(permit) = descriptors::try_keep() else {
                    break;
                };
                let opened = dir.open().and_then(|dir| open_file(&dir, &found.name));
                if let Ok((file, meta)) = &opened
                    && (1..small).contains(&meta.size)
                    && self.asked > 0
                {
                    self.asked -= 1;
                    fsmeta::advise_soon(file, 0, 0);
                }
                self.files.push_back(Early {
                    slot: self.next,
                    opened,
                    _permit: permit,
                });
            }
            self.next += 1;
        }
        match self.files.front() {
            Some(first) if first.slot == number => self.files.pop_front().map(|early| early.opened),
            _ => None,
        }
    }
}
