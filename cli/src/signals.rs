//! Signals as flags that long runs look at: the first Ctrl-C (or a request to terminate) asks for a clean end, the
//! second ends the process at once with 130. SIGUSR1 asks for one line of progress.

use crate::exit::{Code, Failure};
use signal_hook::flag;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static STATUS: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on SIGUSR1 does not end the process. Called first of all.
pub fn heed_status() -> io::Result<()> {
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGUSR1, STATUS.clone())?;
    Ok(())
}

/// From now on the first signal only sets a flag, so whoever calls this must ask [`interrupted`]. Not before secrets
/// were read: a prompt is left by Ctrl-C.
pub fn catch() -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::new(Code::Failed, format!("can't watch for signals: {e}"));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the second signal finds the flag set by the first.
        flag::register_conditional_shutdown(signal, i32::from(Code::Interrupted as u8), STOP.clone())
            .and_then(|_| flag::register(signal, STOP.clone()))
            .map_err(failed)?;
    }
    Ok(())
}

/// The user asked to stop.
pub fn interrupted() -> bool {
    STOP.load(Relaxed)
}

/// True once for each SIGUSR1.
pub fn status_wanted() -> bool {
    STATUS.swap(false, Relaxed)
}
