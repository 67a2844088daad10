//! Keeps the machine from falling asleep while a run goes on, if it is plugged in: one that runs on its battery may sleep,
//! and the run goes on when it wakes up.

use super::bus;
use super::surroundings::Machine;
use crate::catalogue::{Lang, awake_for_a_backup};

/// As long as this lives, logind does not let the machine sleep, as far as it lets this user ask for that. A lid that is
/// closed still sends it to sleep, unless the system is set up otherwise.
pub struct Awake {
    _held: Option<zbus::Message>,
}

/// What is asked for, the rest only if the first is refused: whoever is not at the machine may only keep it from going
/// idle.
const INHIBITED: [&str; 2] = ["sleep:idle", "idle"];

impl Awake {
    /// Where nothing can keep the machine awake, it falls asleep as ever.
    pub fn hold(machine: &Machine, lang: Lang) -> Awake {
        if machine.battery().is_some() {
            return Awake { _held: None };
        }
        let why = awake_for_a_backup(lang);
        let mut wishes = INHIBITED.iter();
        Awake {
            _held: wishes.find_map(|what| bus::inhibit(&machine.bus, what, &why)),
        }
    }
}
