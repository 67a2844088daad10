//! Looks at the surroundings again while a run goes on.

use super::surroundings::Machine;
use super::{Hindrance, hindrance, wanted};
use crate::settings::tables::LimitsTable;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);

/// What holds back one run, as last looked at.
pub struct HindranceWatch<'a> {
    machine: Machine,
    limits: &'a LimitsTable,
    uses_network: bool,
    last: Mutex<(Instant, Option<Hindrance>)>,
}

impl<'a> HindranceWatch<'a> {
    pub fn new(machine: Machine, limits: &'a LimitsTable, uses_network: bool) -> HindranceWatch<'a> {
        let now = Instant::now();
        HindranceWatch {
            last: Mutex::new((now, look(&machine, limits, uses_network))),
            machine,
            limits,
            uses_network,
        }
    }

    /// What holds the run back. A hindrance stays, or a run that was told to end would not know why.
    pub fn found(&self) -> Option<Hindrance> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.1.is_none() && last.0.elapsed() >= LOOK {
            *last = (
                Instant::now(),
                look(&self.machine, self.limits, self.uses_network),
            );
        }
        last.1.clone()
    }
}

fn look(machine: &Machine, limits: &LimitsTable, uses_network: bool) -> Option<Hindrance> {
    let around = machine.look(wanted(limits, uses_network));
    hindrance(limits, &around, uses_network)
}
