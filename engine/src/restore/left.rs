//! Tasks that are not done, for who waits until there are none.

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
pub(super) struct Left {
    tasks: Mutex<usize>,
    none: Condvar,
}

impl Left {
    pub fn add(&self, tasks: usize) {
        *self.tasks.lock() += tasks;
    }

    pub fn done(&self) {
        let mut tasks = self.tasks.lock();
        *tasks = tasks.saturating_sub(1);
        if *tasks == 0 {
            self.none.notify_all();
        }
    }

    pub fn wait(&self) {
        let mut tasks = self.tasks.lock();
        while *tasks > 0 {
            self.none.wait(&mut tasks);
        }
    }
}

/// Counts a task as done whatever becomes of it, so that no one waits for a thread that died.
pub(super) struct Done<'l>(pub &'l Left);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done();
    }
}
