//! The walk's pending work in the order its results are due, and what of it is done ahead.
//!
//! A stack whose top is due next. Work done ahead of time puts what follows from it just beneath itself, so the order
//! is that of a recursive walk whoever does which step.

use super::Batch;
use super::list::{Listing, Visit};
use std::sync::Arc;

/// Results held ahead of the consumer: at most so many steps, and no further step begins beyond so many entries.
const AHEAD_STEPS: usize = 64;
const AHEAD_ENTRIES: usize = 32 << 10;

pub(super) enum Work {
    Dir(Visit),
    /// Names from `start` on, one batch of them.
    Part {
        listing: Arc<Listing>,
        start: usize,
    },
    /// Directories found in the parts: known when all parts are done.
    Below(Arc<Listing>),
}

pub(super) struct Outcome {
    pub(super) batches: Vec<Batch>,
    /// What follows, in order.
    pub(super) then: Vec<Work>,
}

enum State {
    Todo(Work),
    Busy,
    Ready(Vec<Batch>),
}

struct Item {
    id: u64,
    state: State,
}

pub(super) enum Top {
    /// The walk is over.
    Empty,
    Ready(Vec<Batch>),
    /// Somebody works on it, or nobody yet.
    NotReady,
}

#[derive(Default)]
pub(super) struct Queue {
    /// The last is due next.
    items: Vec<Item>,
    next_id: u64,
    /// Items that are `Busy` or `Ready`; all of them are near the top.
    ahead_steps: usize,
    /// Entries in `Ready` items.
    ahead_entries: usize,
}

impl Queue {
    pub(super) fn new(first: Work) -> Self {
        let mut queue = Queue::default();
        queue.insert(0, vec![first]);
        queue
    }

    pub(super) fn pop(&mut self) -> Top {
        match self.items.pop() {
            None => Top::Empty,
            Some(Item {
                state: State::Ready(batches),
                ..
            }) => {
                self.ahead_steps -= 1;
                self.ahead_entries -= entries(&batches);
                Top::Ready(batches)
            }
            Some(item) => {
                self.items.push(item);
                Top::NotReady
            }
        }
    }

    /// The work that is due soonest and that nobody has begun, if results may run this far ahead. What is due next
    /// may always be begun.
    pub(super) fn begin(&mut self) -> Option<(u64, Work)> {
        let full = self.ahead_steps >= AHEAD_STEPS || self.ahead_entries >= AHEAD_ENTRIES;
        for (depth, item) in self.items.iter_mut().rev().enumerate() {
            if full && depth > 0 {
                return None;
            }
            match &item.state {
                State::Busy | State::Ready(_) => continue,
                // What is beneath it is not known to be near.
                State::Todo(Work::Below(listing)) if !listing.is_examined() => return None,
                State::Todo(_) => {}
            }
            if let State::Todo(work) = std::mem::replace(&mut item.state, State::Busy) {
                self.ahead_steps += 1;
                return Some((item.id, work));
            }
        }
        None
    }

    pub(super) fn finish(&mut self, id: u64, outcome: Outcome) {
        // Never far from the end: only begun work lies above it.
        let Some(at) = self.items.iter().rposition(|item| item.id == id) else {
            return;
        };
        if let Some(item) = self.items.get_mut(at) {
            self.ahead_entries += entries(&outcome.batches);
            item.state = State::Ready(outcome.batches);
        }
        self.insert(at, outcome.then);
    }

    /// Helpers that found the window full are called back when half of it is used up, not for every step.
    pub(super) fn has_room(&self) -> bool {
        self.ahead_steps < AHEAD_STEPS / 2 && self.ahead_entries < AHEAD_ENTRIES / 2
    }

    fn insert(&mut self, at: usize, works: Vec<Work>) {
        let first_id = self.next_id;
        self.next_id += works.len() as u64;
        let items = works.into_iter().zip(first_id..).map(|(work, id)| Item {
            id,
            state: State::Todo(work),
        });
        let mut items: Vec<Item> = items.collect();
        items.reverse();
        self.items.splice(at..at, items);
    }
}

fn entries(batches: &[Batch]) -> usize {
    batches.iter().map(|b| b.entries.len()).sum()
}
