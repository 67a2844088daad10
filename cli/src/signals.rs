//! Signals as flags that long runs look at: the first Ctrl-C, a request to terminate or a terminal that was closed asks for
//! a clean end; a second one ends the process at once with 130, but for a closed terminal, of which both shell and kernel
//! tell. SIGUSR1 asks for one line of progress.

use crate::exit::Code;
use service::Failure;
use service::catalogue::Cause;
use service::run::CancelToken;
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Signals are caught once: to a second registration, the first one's flag would look like a second signal.
static CAUGHT: AtomicBool = AtomicBool::new(false);
static STATUS: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on SIGUSR1 does not end the process, nor does a file that would grow beyond the limit on file sizes: the write
/// fails instead, and so does what it was for. Called first of all.
pub fn outlive() -> io::Result<()> {
    flag::register(signal_hook::consts::SIGUSR1, STATUS.clone())?;
    // A handler, which children do not inherit.
    flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
    Ok(())
}

/// From now on the first signal only sets a flag, so the caller must check [`interrupted`]. Not before secrets
/// were read: a prompt is left by Ctrl-C.
pub fn catch() -> Result<(), Failure> {
    if CAUGHT.swap(true, Relaxed) {
        return Ok(());
    }
    let failed = |e: io::Error| Cause::CannotWatchSignals { why: e.into() };
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the second signal finds the flag set by the first.
        flag::register_conditional_shutdown(signal, i32::from(Code::Interrupted as u8), STOP.clone())
            .and_then(|_| flag::register(signal, STOP.clone()))
            .map_err(failed)?;
    }
    // Under nohup the run is to outlive its terminal.
    if !is_ignored(signal_hook::consts::SIGHUP) {
        flag::register(signal_hook::consts::SIGHUP, STOP.clone()).map_err(failed)?;
    }
    Ok(())
}

/// Waiting that a request to stop ends at once.
pub struct StopSignal(Receiver<i32>);

impl StopSignal {
    /// Signals are caught as by [`catch`].
    pub fn catch() -> Result<StopSignal, Failure> {
        catch()?;
        let failed = |e: io::Error| Cause::CannotWatchSignals { why: e.into() };
        let mut caught = Vec::from([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM]);
        if !is_ignored(signal_hook::consts::SIGHUP) {
            caught.push(signal_hook::consts::SIGHUP);
        }
        let mut signals = Signals::new(caught).map_err(failed)?;
        let (sender, receiver) = channel();
        let watch = std::thread::Builder::new().name("signals".to_string());
        let forward = move || {
            for signal in signals.forever() {
                if sender.send(signal).is_err() {
                    return;
                }
            }
        };
        watch.spawn(forward).map_err(failed)?;
        Ok(StopSignal(receiver))
    }

    /// Waits for so long. True as soon as a stop is requested.
    pub fn within(&self, time: Duration) -> bool {
        interrupted() || self.0.recv_timeout(time).is_ok()
    }
}

/// Whether the parent process had it ignore a signal. If the system doesn't tell, it did not.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Cancelled by the first signal that is caught.
pub fn cancel_token() -> CancelToken {
    CancelToken::from_flag(STOP.clone())
}

/// The user asked to stop.
pub fn interrupted() -> bool {
    STOP.load(Relaxed)
}

/// True once for each SIGUSR1.
pub fn status_wanted() -> bool {
    STATUS.swap(false, Relaxed)
}
