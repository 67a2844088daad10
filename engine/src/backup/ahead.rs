//! The next files of a job, opened before it is their turn: where their bytes are not in memory yet, the disk brings
//! several at once instead of one after the other.

use super::job::{Slot, State};
use super::open::open_file;
use crate::entry::{Kind, Meta};
use crate::fsmeta;
use std::collections::VecDeque;
use std::fs::File;
use std::io;

/// Files open ahead, each worker's.
const AHEAD: usize = 16;

pub type Opened = io::Result<(File, Meta)>;

#[derive(Default)]
pub struct Ahead {
    /// By slot number.
    files: VecDeque<(usize, Opened)>,
    /// The first slot that was not looked at.
    next: usize,
}

impl Ahead {
    /// Forgets what was opened of the job before.
    pub fn begin(&mut self) {
        self.files.clear();
        self.next = 0;
    }

    /// The file of this slot, if it is one to read; slots are asked for in order. Those up to `small` bytes are asked
    /// of the disk at once; a large one is read by a sequential reader, for which the system looks ahead by itself.
    pub fn take(&mut self, slots: &[Slot], number: usize, small: u64) -> Option<Opened> {
        self.next = self.next.max(number);
        while self.files.len() < AHEAD
            && let Some(slot) = slots.get(self.next)
        {
            if let State::Todo { found, handle } = &slot.state
                && let (Kind::File, None, Some(dir)) = (&found.kind, found.trouble, handle)
            {
                let opened = open_file(dir, &found.name);
                if let Ok((file, meta)) = &opened
                    && (1..small).contains(&meta.size)
                {
                    fsmeta::advise_soon(file, 0, 0);
                }
                self.files.push_back((self.next, opened));
            }
            self.next += 1;
        }
        match self.files.front() {
            Some((first, _)) if *first == number => self.files.pop_front().map(|(_, opened)| opened),
            _ => None,
        }
    }
}
