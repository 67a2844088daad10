//! The edge to the network: the one place where futures are run. Started by the first request to a network remote, so
//! that a repository in a directory never pays for it.

use super::fault::{Fault, Outcome};
use std::io::ErrorKind;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// Threads that drive sockets. Packing and sealing happen elsewhere.
const THREADS: usize = 2;

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

fn runtime() -> Outcome<&'static Runtime> {
    let started = RUNTIME.get_or_init(|| {
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

/// Runs a request to its end on behalf of the calling thread.
pub(super) fn run<T>(request: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    runtime()?.block_on(request)
}
