//! The edge to the network: the one place where futures are run. Started by the first request to a network remote, so
//! that a repository in a directory never pays for it.

use super::fault::{Fault, Outcome};
use crate::stopping::{self, Work};
use crate::threads;
use std::io::ErrorKind;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// Threads that drive sockets. Packing and sealing happen elsewhere.
const THREADS: usize = 2;

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

fn runtime() -> Outcome<&'static Runtime> {
    let started = RUNTIME.get_or_init(|| {
        // The library would panic for want of a thread; one more looks up names.
        threads::are_to_be_had(THREADS + 1).map_err(|e| e.to_string())?;
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(THREADS)
            .thread_name("network")
            .enable_all();
        builder.build().map_err(|e| e.to_string())
    });
    let failed = |e: &String| Fault::lasting(ErrorKind::Other, format!("start the network threads: {e}"));
    started.as_ref().map_err(failed)
}

/// Runs a request on behalf of the calling thread: to its end, or to the end of what this process was given when it was
/// asked to stop.
pub(super) fn run<T>(work: Work, request: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    runtime()?.block_on(async {
        tokio::select! {
            biased;
            outcome = request => outcome,
            () = over(work) => Err(stopped()),
        }
    })
}

async fn over(work: Work) {
    while !stopping::is_over(work) {
        tokio::time::sleep(stopping::LOOK).await;
    }
}

/// What a request that was not waited for ends with.
pub(super) fn stopped() -> Fault {
    Fault::lasting(ErrorKind::Interrupted, "interrupted")
}
