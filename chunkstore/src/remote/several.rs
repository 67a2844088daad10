//! Requests that wait for each other only where one needs what the other brings. On a remote nearby they go one after
//! the other on the calling thread, since a thread costs more there than a request.

use super::Remote;
use crate::threads;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Both, at once where the remote is far.
pub(crate) fn join_concurrent<A: Send, B>(
    remote: &dyn Remote,
    one: impl Fn() -> A + Sync,
    other: impl FnOnce() -> B,
) -> (A, B) {
    if !remote.is_high_latency() {
        return (one(), other());
    }
    std::thread::scope(|scope| {
        // Without a thread they go one after the other.
        let Ok(beside) = threads::spawn_in(scope, "beside", &one) else {
            return (one(), other());
        };
        let second = other();
        match beside.join() {
            Ok(first) => (first, second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// `each` for all of `items`, as many at a time as the remote does well with. Results are in the order of the items.
pub fn for_all<T: Sync, R: Send>(remote: &dyn Remote, items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let concurrency = remote.max_concurrency().min(items.len());
    if concurrency <= 1 {
        return items.iter().map(each).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Relaxed);
            let Some(item) = items.get(at) else {
                return done;
            };
            done.push((at, each(item)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        // Those that could not be started are not missed: the calling thread takes what is left.
        let threads: Vec<_> = (1..concurrency)
            .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut done = work();
        for thread in threads {
            match thread.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::remote::{AllEnded, Kind, Memory, ObjectName, Staged};

    /// A memory with a given number of requests that do well at once.
    struct Far(Memory, usize);

    impl Remote for Far {
        fn location(&self) -> String {
            self.0.location()
        }
        fn begin(&self) -> Result<Box<dyn Staged>> {
            self.0.begin()
        }
        fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
            self.0.read(name, offset, len, out)
        }
        fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
            self.0.size(name)
        }
        fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
            self.0.list(kind, each)
        }
        fn delete(&self, name: &ObjectName) -> Result<()> {
            self.0.delete(name)
        }
        fn barrier(&self) -> Result<()> {
            self.0.barrier()
        }
        fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
            self.0.sweep_staged(all_ended)
        }
        fn max_concurrency(&self) -> usize {
            self.1
        }
    }

    #[test]
    fn results_keep_their_order_and_threads_their_bound() {
        for concurrency in [1, 3, 200] {
            let remote = Far(Memory::new(), concurrency);
            let items: Vec<usize> = (0..100).collect();
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let results = for_all(&remote, &items, |item| {
                most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                std::thread::yield_now();
                now.fetch_sub(1, Relaxed);
                item * 2
            });
            assert_eq!(results, items.iter().map(|item| item * 2).collect::<Vec<_>>());
            assert!(most.load(Relaxed) <= concurrency);
            assert_eq!(join_concurrent(&remote, || 1, || 2), (1, 2));
        }
        assert!(for_all(&Far(Memory::new(), 4), &[], |item: &usize| *item).is_empty());
    }
}
