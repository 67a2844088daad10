//! What the whole program sends over the wire, counted there.

use kit::program::Home;
use kit::servers::{Proxy, Seaweed};
use std::time::Duration;

/// A backup without changes is eight requests in six round trips: the key beside the upgrades, the session, marks, the
/// index beside the upgrades, snapshots, and the manifest.
#[test]
fn a_backup_without_changes() {
    let Some(server) = Seaweed::start("a_backup_without_changes") else {
        return;
    };
    let proxy = Proxy::start(server.port());
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let (url, key, source) = (server.url_at(proxy.port()), home.text("key"), home.text("source"));
    for n in 0..20 {
        home.write(&format!("source/{n}/file"), format!("{n}").repeat(1000 * n));
    }
    // Files as young as this are read again.
    std::thread::sleep(Duration::from_secs(3));
    let with = ["-r", &url, "--key-file", &key];
    let run = |args: &[&str]| home.ok(&[&with, args].concat());
    run(&["init", "--no-recovery"]);
    run(&["backup", &source]);
    proxy.requests();
    run(&["backup", &source]);
    let requests = proxy.requests();
    assert!(requests.len() <= 8, "{requests:#?}");
    run(&["snapshots"]);
    let requests = proxy.requests();
    assert!(
        requests.len() <= 3,
        "the key, upgrades, and the names: {requests:#?}"
    );
}
