//! What commands ask of an object store that holds many snapshots, on a machine whose cache is empty.

use kit::program::Home;
use kit::servers::{Proxy, Seaweed};

/// Requests that `args` take with an empty cache.
fn requests(home: &Home, proxy: &Proxy, args: &[String]) -> Vec<String> {
    let _ = std::fs::remove_dir_all(home.path(".cache"));
    proxy.requests();
    home.ok(args);
    proxy.requests()
}

/// Neither listing, backing up nor restoring takes a request for each snapshot.
#[test]
fn requests_do_not_grow_with_snapshots() {
    let Some(server) = Seaweed::start("requests_do_not_grow_with_snapshots") else {
        return;
    };
    let proxy = Proxy::start(server.port());
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let (url, key, source) = (server.url_at(proxy.port()), home.text("key"), home.text("source"));
    home.write("source/file", "content");
    let with = |args: &[&'static str], last: Option<&str>| -> Vec<String> {
        let all = ["-r", &url, "--key-file", &key];
        let all = all.iter().chain(args).copied().chain(last);
        all.map(String::from).collect()
    };
    let count = |args: &[&'static str], last: Option<&str>| requests(&home, &proxy, &with(args, last)).len();
    count(&["init", "--no-recovery"], None);
    let mut seen = Vec::new();
    let mut made = 0;
    for wanted in [20, 60] {
        while made < wanted {
            home.ok(&with(&["backup"], Some(&source)));
            made += 1;
        }
        let target = home.text(&format!("target-{wanted}"));
        seen.push([
            count(&["snapshots"], None),
            count(&["backup"], Some(&source)),
            count(&["restore", "latest", "--target"], Some(&target)),
        ]);
        made += 1;
    }
    println!("snapshots, backup, restore: {seen:?}");
    let [few, many] = [seen[0], seen[1]];
    for (few, many) in few.iter().zip(many) {
        assert!(many < few + 20, "{seen:?}");
    }
}
