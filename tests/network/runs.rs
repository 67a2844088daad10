//! Runs beside each other in one process: each has its own cancel token and bandwidth, whatever thread it is on.

use chunkstore::remote::{self, Remote};
use engine::backup;
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::run::{Link, RunContext};
use engine::{Error, StoreError};
use kit::machine::{self, Machine};
use kit::random::Random;
use kit::servers::{Rclone, Serve};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZE: usize = 8 << 20;

struct Side {
    machine: Machine,
    run: RunContext,
    remote: Arc<dyn Remote>,
}

impl Side {
    fn new(url: &str, host: &str, upload: Option<u64>) -> Side {
        let machine = Machine::new(host);
        let link = Link::default();
        let remote = remote::open(&format!("{url}/{host}"), &link).unwrap();
        machine::create_small(&*remote).unwrap();
        let mut noise = vec![0; SIZE];
        Random::new(7).fill(&mut noise);
        std::fs::create_dir_all(machine.home().join("source")).unwrap();
        std::fs::write(machine.home().join("source/noise"), noise).unwrap();
        link.bandwidth.limit(upload, None);
        Side {
            run: RunContext {
                link,
                ..machine.run()
            },
            machine,
            remote,
        }
    }

    fn backup(&self) -> engine::Result<backup::BackupReport> {
        let repo = Repo::open_on(self.remote.clone(), &machine::secret(), &self.run)?;
        let source = self.machine.home().join("source");
        let options = self.machine.options(&[Path::new(&source)]);
        backup::run(&repo, &options, None, &Quiet)
    }
}

/// The slow one would take an hour; it is cancelled in the middle of an upload while the other runs to its end.
#[test]
fn one_of_two_is_cancelled() {
    let Some(server) = Rclone::start(Serve::WebDav, &[], "one_of_two_is_cancelled") else {
        return;
    };
    let slow = Side::new(&server.url(), "slow", Some(2_000));
    let quick = Side::new(&server.url(), "quick", None);
    std::thread::scope(|scope| {
        let cancelled = scope.spawn(|| slow.backup());
        let whole = scope.spawn(|| quick.backup());
        whole.join().unwrap().unwrap();
        let asked = Instant::now();
        slow.run.cancel().cancel();
        let ended = cancelled.join().unwrap();
        assert!(
            matches!(
                ended,
                Err(Error::Interrupted | Error::Store(StoreError::Interrupted))
            ),
            "{ended:?}"
        );
        assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    });
    let repo = Repo::open_on(quick.remote.clone(), &machine::secret(), &quick.run).unwrap();
    assert_eq!(repo.snapshots().unwrap().0.len(), 1);
}

/// A console is asynchronous: what it calls may block the thread, but not panic.
#[test]
fn on_a_thread_of_an_asynchronous_runtime() {
    let Some(server) = Rclone::start(Serve::WebDav, &[], "on_a_thread_of_an_asynchronous_runtime") else {
        return;
    };
    let side = Side::new(&server.url(), "console", None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let done = runtime.block_on(async { tokio::task::block_in_place(|| side.backup()) });
    done.unwrap();
    let on_worker = async { Repo::open_on(side.remote.clone(), &machine::secret(), &side.run).map(drop) };
    runtime.block_on(on_worker).unwrap();
}
