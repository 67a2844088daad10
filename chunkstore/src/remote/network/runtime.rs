//! The edge to the network: the one place where futures are run. Started by the first request to a network remote, so
//! that a repository in a directory never pays for it.

use super::fault::{Fault, Outcome};
use crate::cancel::{CancelToken, Work};
use crate::error::Cause;
use crate::threads;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use tokio::runtime::{Builder, Runtime};

/// Threads that drive sockets. Packing and sealing happen elsewhere.
const THREADS: usize = 2;

static RUNTIME: OnceLock<Result<Runtime, Cause>> = OnceLock::new();

fn runtime() -> Outcome<&'static Runtime> {
    let started = RUNTIME.get_or_init(|| {
        // The library would panic for want of a thread; one more looks up names.
        threads::can_spawn(THREADS + 1)?;
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(THREADS)
            .thread_name("network")
            .enable_all();
        builder.build().map_err(|e| Cause::detailed(&e))
    });
    let failed =
        |cause: &Cause| Fault::lasting(ErrorKind::Other, Cause::NetworkThreads(Box::new(cause.clone())));
    started.as_ref().map_err(failed)
}

/// Runs a request on behalf of the calling thread: to its end, or to the end of what `cancel` leaves it.
pub(super) fn run<T>(
    cancel: &CancelToken,
    work: Work,
    request: impl Future<Output = Outcome<T>>,
) -> Outcome<T> {
    let _entered = runtime()?.enter();
    wait_for(async {
        tokio::select! {
            biased;
            outcome = request => outcome,
            () = cancel.over(work) => Err(interrupted()),
        }
    })
}

/// Blocks the calling thread until `future` is ready. Unlike [`Runtime::block_on`] this may be called on a thread of the
/// caller's own asynchronous runtime: the sockets and timers belong to ours, whose threads drive them.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// What a request ends with when its run was cancelled.
pub(super) fn interrupted() -> Fault {
    Fault::lasting(ErrorKind::Interrupted, Cause::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn slow() -> Outcome<u32> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(7)
    }

    #[test]
    fn requests_can_be_made_inside_another_runtime() {
        let theirs = Builder::new_current_thread().enable_all().build().unwrap();
        let done = theirs.block_on(async { run(&CancelToken::new(), Work::Bulk, slow()) });
        assert_eq!(done.unwrap(), 7);
    }

    #[test]
    fn a_cancelled_run_leaves_its_requests() {
        let (cancelled, other) = (CancelToken::new(), CancelToken::new());
        cancelled.cancel();
        let never = std::future::pending::<Outcome<()>>();
        let ended = run(&cancelled, Work::Bulk, never).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::Interrupted);
        assert_eq!(run(&other, Work::Bulk, slow()).unwrap(), 7);
    }
}
