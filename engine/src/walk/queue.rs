//! The walk's pending work in the order its results are due, and what of it is done ahead.
//!
//! A stack whose top is due next. Work done ahead of time puts what follows from it just beneath itself, so the order
//! is that of a recursive walk whoever does which step.

use super::Batch;
use super::node::Lent;
use super::step::{ListOutcome, Work};
use std::collections::VecDeque;
use std::sync::Arc;

/// How far results may be ahead of the consumer: at most so many steps, and no further step begins beyond so many
/// entries.
struct Lead {
    steps: usize,
    entries: usize,
}

/// Beside a consumer, which the walk only has to be quicker than.
const LEAD: Lead = Lead {
    steps: 64,
    entries: 32 << 10,
};
/// Before the first result is asked for: the consumer waits for something else, a key or a network, and what is done by
/// then it need not wait for. Some 30 MB.
const EARLY_LEAD: Lead = Lead {
    steps: 16 << 10,
    entries: 128 << 10,
};
/// Results whose directories stay open for the consumer; each takes a descriptor.
const OPEN_STEPS: usize = LEAD.steps;

enum QueueState {
    Todo(Work),
    Busy,
    Ready(Vec<Batch>),
}

struct QueueItem {
    id: u64,
    state: QueueState,
}

pub(super) enum Top {
    /// The walk is over.
    Empty,
    Ready(Vec<Batch>),
    /// A thread works on it, or none has begun yet.
    NotReady,
}

#[derive(Default)]
pub(super) struct Queue {
    /// Results that are due next, in order.
    ready: VecDeque<Vec<Batch>>,
    /// What follows them; the last is due first, and it is not ready.
    items: Vec<QueueItem>,
    next_id: u64,
    /// Steps that are busy or ready; those not in `ready` are all near the top.
    ahead_steps: usize,
    /// Entries in results.
    ahead_entries: usize,
    /// A result was asked for.
    is_used: bool,
}

impl Queue {
    pub(super) fn new(first: Work) -> Self {
        let mut queue = Queue::default();
        queue.insert(0, vec![first]);
        queue
    }

    pub(super) fn pop(&mut self) -> Top {
        self.is_used = true;
        match self.ready.pop_front() {
            Some(batches) => {
                self.ahead_steps -= 1;
                self.ahead_entries -= entries(&batches);
                Top::Ready(batches)
            }
            None if self.items.is_empty() => Top::Empty,
            None => Top::NotReady,
        }
    }

    fn lead(&self) -> &'static Lead {
        match self.is_used {
            true => &LEAD,
            false => &EARLY_LEAD,
        }
    }

    /// The work that is due soonest and that no thread has begun, if results may run this far ahead. What is due next
    /// may always be begun.
    pub(super) fn begin(&mut self) -> Option<(u64, Work)> {
        let lead = self.lead();
        let full = self.ahead_steps >= lead.steps || self.ahead_entries >= lead.entries;
        for (depth, item) in self.items.iter_mut().rev().enumerate() {
            if full && (depth > 0 || !self.ready.is_empty()) {
                return None;
            }
            match &item.state {
                QueueState::Busy | QueueState::Ready(_) => continue,
                // What is beneath it is not known to be near.
                QueueState::Todo(Work::Below(listing)) if !listing.is_examined() => return None,
                QueueState::Todo(_) => {}
            }
            if let QueueState::Todo(work) = std::mem::replace(&mut item.state, QueueState::Busy) {
                self.ahead_steps += 1;
                return Some((item.id, work));
            }
        }
        None
    }

    pub(super) fn finish(&mut self, id: u64, outcome: ListOutcome) {
        // Never far from the end: only begun work lies above it.
        let Some(at) = self.items.iter().rposition(|item| item.id == id) else {
            return;
        };
        let mut batches = outcome.batches;
        self.ahead_entries += entries(&batches);
        if self.ahead_steps > OPEN_STEPS {
            let handles = batches.iter_mut().filter_map(|batch| batch.handle.as_mut());
            // No one else has it yet.
            handles.filter_map(Arc::get_mut).for_each(Lent::close);
        }
        if let Some(item) = self.items.get_mut(at) {
            item.state = QueueState::Ready(batches);
        }
        self.insert(at, outcome.then);
        while let Some(batches) = self.take_ready() {
            self.ready.push_back(batches);
        }
    }

    fn take_ready(&mut self) -> Option<Vec<Batch>> {
        let item = self.items.pop()?;
        match item.state {
            QueueState::Ready(batches) => Some(batches),
            _ => {
                self.items.push(item);
                None
            }
        }
    }

    /// Helpers that found the window full are called back when half of it is used up, not for every step.
    pub(super) fn has_room(&self) -> bool {
        let lead = self.lead();
        self.ahead_steps < lead.steps / 2 && self.ahead_entries < lead.entries / 2
    }

    /// Steps begun or done that the consumer did not take.
    #[cfg(test)]
    pub(super) fn is_ahead_by(&self) -> usize {
        self.ahead_steps
    }

    fn insert(&mut self, at: usize, works: Vec<Work>) {
        let first_id = self.next_id;
        self.next_id += works.len() as u64;
        let items = works.into_iter().zip(first_id..).map(|(work, id)| QueueItem {
            id,
            state: QueueState::Todo(work),
        });
        let mut items: Vec<QueueItem> = items.collect();
        items.reverse();
        self.items.splice(at..at, items);
    }
}

fn entries(batches: &[Batch]) -> usize {
    batches.iter().map(|b| b.entries.len()).sum()
}
