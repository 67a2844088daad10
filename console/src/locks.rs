//! Locks of the console.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is behind a lock of the console is whole whoever panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
