//! A machine that has just woken up, or was just started, has no network yet. A due run that needs it waits for it
//! rather than fail at once: first for a route, and then, if there was none, until the destination answers.

use super::surroundings::Machine;
use crate::failure::Failure;
use crate::status::Status;
use engine::run::CancelToken;
use std::time::{Duration, Instant};

/// How long to wait in all. What is not there by then is retried like any failure.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether there is a network.
const LOOK: Duration = Duration::from_secs(1);
/// Between two attempts to reach a destination, which may take long themselves.
const PAUSE: Duration = Duration::from_secs(5);

/// Waits for a network.
pub struct Awaiting<'a> {
    cancel: &'a CancelToken,
    end: Instant,
    /// There was none at first.
    has_waited: bool,
}

impl<'a> Awaiting<'a> {
    /// Waits until a network is there, the run is cancelled, or the time is up.
    pub fn network(machine: &Machine, cancel: &'a CancelToken) -> Awaiting<'a> {
        Awaiting::by(Instant::now() + PATIENCE, cancel, &|| {
            machine.is_online() != Some(false)
        })
    }

    fn by(end: Instant, cancel: &'a CancelToken, is_online: &dyn Fn() -> bool) -> Awaiting<'a> {
        let mut waiting = Awaiting {
            cancel,
            end,
            has_waited: false,
        };
        while !is_online() && waiting.pause(LOOK) {
            waiting.has_waited = true;
        }
        waiting
    }

    /// Does something that needs the network, unless the run was cancelled meanwhile; again while it is not reached and
    /// there was none at first.
    pub fn tried<T>(&self, mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        loop {
            if self.cancel.is_cancelled() {
                return Err(engine::Error::Interrupted.into());
            }
            match work() {
                Err(failure) if failure.status == Status::Network && self.has_waited => {
                    if !self.pause(PAUSE) {
                        return Err(failure);
                    }
                }
                done => return done,
            }
        }
    }

    /// False when the time is up, or nobody waits any more.
    fn pause(&self, time: Duration) -> bool {
        let end = self.end.min(Instant::now() + time);
        while !self.cancel.is_cancelled() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return end < self.end;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn away() -> Failure {
        Failure {
            status: Status::Network,
            ..engine::Error::Interrupted.into()
        }
    }

    #[test]
    fn what_is_there_is_not_waited_for() {
        let cancel = CancelToken::new();
        let end = Instant::now() + Duration::from_secs(3600);
        let awaiting = Awaiting::by(end, &cancel, &|| true);
        let tries = Cell::new(0);
        let done: Result<(), Failure> = awaiting.tried(|| {
            tries.set(tries.get() + 1);
            Err(away())
        });
        assert_eq!((done.unwrap_err().status, tries.get()), (Status::Network, 1));
    }

    #[test]
    fn a_network_that_comes_up() {
        let cancel = CancelToken::new();
        let end = Instant::now() + Duration::from_secs(3600);
        let looks = Cell::new(0);
        let awaiting = Awaiting::by(end, &cancel, &|| {
            looks.set(looks.get() + 1);
            looks.get() == 2
        });
        assert!(awaiting.has_waited);
        let tries = Cell::new(0);
        let done = awaiting.tried(|| {
            tries.set(tries.get() + 1);
            match tries.get() {
                1 => Err(away()),
                _ => Ok("there"),
            }
        });
        assert_eq!(done, Ok("there"));
        // Anything else is told at once.
        let other: Result<(), Failure> = awaiting.tried(|| Err(engine::Error::Interrupted.into()));
        assert_eq!(other.unwrap_err().status, Status::Interrupted);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let cancel = CancelToken::new();
        let end = Instant::now() + Duration::from_millis(10);
        let awaiting = Awaiting::by(end, &cancel, &|| false);
        let done: Result<(), Failure> = awaiting.tried(|| Err(away()));
        assert_eq!(done.unwrap_err().status, Status::Network);
        cancel.cancel();
        let end = Instant::now() + Duration::from_secs(3600);
        let awaiting = Awaiting::by(end, &cancel, &|| false);
        let done: Result<(), Failure> = awaiting.tried(|| Err(away()));
        assert_eq!(done.unwrap_err().status, Status::Interrupted);
    }
}
