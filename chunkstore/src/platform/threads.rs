//! Threads, where the system may refuse them: a limit on a user's processes or a service's tasks is no reason to panic.

use crate::error::{Error, Result};
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

/// Starts a thread of this name.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    Builder::new()
        .name(name.to_string())
        .spawn(work)
        .map_err(Error::Thread)
}

/// Starts one that ends before `scope` does.
pub fn spawn_in<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    let builder = Builder::new().name(name.to_string());
    builder.spawn_scoped(scope, work).map_err(Error::Thread)
}

/// An error unless the system lets this process start `count` more threads now. For libraries that panic without them;
/// it promises nothing for later, but finds a limit that is set low.
pub(crate) fn can_spawn(count: usize) -> Result<()> {
    let gate = parking_lot::RwLock::new(());
    std::thread::scope(|scope| {
        // All at once: each waits until the last one is there.
        let _all = gate.write();
        for _ in 0..count {
            spawn_in(scope, "probe", || drop(gate.read()))?;
        }
        Ok(())
    })
}
