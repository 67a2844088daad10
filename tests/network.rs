//! Remotes on a network, against real servers: the suite that every remote passes, what the probe sees, and the whole
//! program over each of them, also if the server goes away or refuses logins.

mod answers;
mod cluster;
mod crowd;
mod many_snapshots;
mod odd;
mod outages;
mod pages;
mod replicas;
mod requests;
mod round_trips;
mod runs;
mod trouble;

use chunkstore::remote::{self, Link, Probe, Remote};
use kit::conformance::conformance;
use kit::servers::{Rclone, Seaweed, Serve, Sshd};
use std::sync::Arc;

const SOUND: Probe = Probe {
    exclusive_create: true,
    read_after_write: true,
    list_after_write: true,
    range_read: true,
    delete: true,
};

#[track_caller]
fn sound(url: &dyn Fn() -> String) {
    let open = || -> Arc<dyn Remote> { remote::open(&url(), &Link::default()).unwrap() };
    conformance(&open);
    assert_eq!(remote::probe(&*open()).unwrap(), SOUND);
}

#[test]
fn seaweedfs() {
    if let Some(server) = Seaweed::start("seaweedfs") {
        sound(&|| server.url());
    }
}

#[test]
fn sftp() {
    if let Some(server) = Sshd::start("sftp") {
        sound(&|| server.url());
    }
}

#[test]
fn webdav() {
    if let Some(server) = Rclone::start(Serve::WebDav, &[], "webdav") {
        sound(&|| server.url());
    }
}

/// It takes a conditional write for a plain one, and so lets every racer win.
#[test]
fn the_probe_catches_rclones_s3() {
    let Some(server) = Rclone::start(Serve::S3, &[], "the_probe_catches_rclones_s3") else {
        return;
    };
    let remote = remote::open(&server.url(), &Link::default()).unwrap();
    let weak = Probe {
        exclusive_create: false,
        ..SOUND
    };
    assert_eq!(remote::probe(&*remote).unwrap(), weak);
}
