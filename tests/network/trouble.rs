//! What stands between a client and its storage, and what storages answer when they can't: proxies, certificates, wires
//! that carry nothing any more, full buckets, clocks.

use super::outages::{Site, interrupted_by};
use kit::program::Home;
use kit::servers::{Forward, Proxy, Rclone, Seaweed, Serve};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A wire that carries nothing any more, and is not closed either.
#[test]
fn a_stalled_wire() {
    let Some(server) = Seaweed::start("a_stalled_wire") else {
        return;
    };
    let proxy = Proxy::start(server.port());
    let site = Site::new(format!("{}&timeout=2&retry=3", server.url_at(proxy.port())));
    let (code, said) = interrupted_by(site.command(&["backup", &site.source]), || proxy.freeze(true));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("nothing moved for 2 s"), "{said}");
    proxy.freeze(false);
    assert_eq!(site.snapshots(), 1);
    // For a moment is no matter.
    let (code, said) = interrupted_by(site.command(&["backup", &site.source]), || {
        proxy.freeze(true);
        std::thread::sleep(Duration::from_millis(2500));
        proxy.freeze(false);
    });
    assert_eq!(code, 0, "{said}");
    site.restored("target");
}

/// Ctrl-C ends a run at once, also while it waits for a storage that went away.
#[test]
fn interrupted_while_waiting() {
    let Some(mut server) = Rclone::start(Serve::WebDav, &[], "interrupted_while_waiting") else {
        return;
    };
    let site = Site::new(format!("{}?retry=600", server.url()));
    let mut child = site
        .command(&["backup", &site.source])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    server.kill();
    std::thread::sleep(Duration::from_secs(3));
    let asked = Instant::now();
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::INT,
    )
    .unwrap();
    let code = child.wait().unwrap().code();
    let took = asked.elapsed();
    server.resume();
    assert_eq!(code, Some(130));
    // Far below the ten minutes of its patience, on a busy machine too.
    assert!(took < Duration::from_secs(20), "{took:?}");
    site.args(&["backup", &site.source]).ends(0);
}

/// A quota that the servers enforce: this gateway calls it an internal error, so the run asks again for a while. Nothing
/// is half published, and once there is room the next run goes on.
#[test]
fn a_bucket_over_its_quota() {
    let Some(server) = Seaweed::start("a_bucket_over_its_quota") else {
        return;
    };
    let site = Site::new(format!("{}&retry=3", server.url()));
    site.args(&["backup", &site.source]).ends(0);
    let started = Instant::now();
    server.shell("s3.bucket.quota -name test -op set -sizeMB 1");
    // What is stored is counted now and then.
    while !server
        .shell("s3.bucket.quota.enforce -apply")
        .contains("read only")
    {
        assert!(started.elapsed() < Duration::from_secs(60), "no quota");
        std::thread::sleep(Duration::from_secs(1));
    }
    std::thread::sleep(Duration::from_secs(3));
    site.home.write("source/more", "more");
    let refused = site.args(&["backup", &site.source]).ends(1);
    refused.says(&["InternalError", "run the command again"]);
    assert_eq!(site.snapshots(), 2, "reading goes on");
    server.shell("s3.bucket.quota -name test -op set -sizeMB 100000");
    server.shell("s3.bucket.quota.enforce -apply");
    let started = Instant::now();
    while site.args(&["backup", &site.source]).code != 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "still refused");
    }
    assert_eq!(site.snapshots(), 3);
}

/// What servers answer when they can't store anything.
#[test]
fn a_full_bucket() {
    let Some(server) = Seaweed::start("a_full_bucket") else {
        return;
    };
    let proxy = Proxy::start(server.port());
    let site = Site::new(server.url_at(proxy.port()));
    let error = |code: &str| {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>no</Message></Error>"#
        )
    };
    for (status, code) in [
        ("403 Forbidden", "QuotaExceeded"),
        ("507 Insufficient Storage", "XMinioStorageFull"),
        ("500 Internal Server Error", "InsufficientCapacity"),
    ] {
        proxy.answer_writes(Some((status, &error(code))));
        let started = Instant::now();
        site.args(&["backup", &site.source]).ends(14);
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{code}: trying again helps nobody"
        );
    }
    proxy.answer_writes(None);
    assert_eq!(site.snapshots(), 1);
    site.args(&["backup", &site.source]).ends(0);
}

/// A request that is signed for another time.
#[test]
fn a_wrong_clock() {
    let Some(server) = Seaweed::start("a_wrong_clock") else {
        return;
    };
    let proxy = Proxy::start(server.port());
    let site = Site::new(server.url_at(proxy.port()));
    proxy.replace_header("x-amz-date:", "x-amz-date: 20200101T000000Z");
    site.args(&["backup", &site.source]).ends(1).says(&["clock"]);
}

#[test]
fn a_proxy() {
    let Some(server) = Seaweed::start("a_proxy") else {
        return;
    };
    let forward = Forward::start();
    let site = Site::new(format!("{}&proxy={}", server.url(), forward.url()));
    assert!(forward.asked().0 > 0, "{:?}", forward.asked());
    site.args(&["backup", &site.source]).ends(0);
    site.restored("target");
    // By the environment, and not for what is excepted.
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let (url, key) = (server.url(), home.text("key"));
    let before = forward.asked().0;
    let proxy = forward.url();
    let run = |except: &str, args: &[&str]| {
        let vars = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", except)];
        let run = home.run_with(&vars, &[&["-r", &url, "--key-file", &key], args].concat());
        run.ends(0)
    };
    run("127.0.0.1", &["init", "--no-recovery"]);
    assert_eq!(forward.asked().0, before);
    run("", &["snapshots"]);
    assert!(forward.asked().0 > before);
}

/// Certificates of an authority of one's own, on both sides, through a tunnel.
#[test]
fn certificates_of_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    let Some(made) = Authority::make(dir.path()) else {
        let word = b"SKIPPED certificates_of_both_sides: there is no openssl\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), word);
        return;
    };
    let args = [
        "--cert",
        &made.server,
        "--key",
        &made.server_key,
        "--client-ca",
        &made.authority,
    ];
    let Some(server) = Rclone::start(Serve::WebDav, &args, "certificates_of_both_sides") else {
        return;
    };
    let forward = Forward::start();
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let (url, key) = (server.url(), home.text("key"));
    let init = |url: &str| home.run(&["-r", url, "--key-file", &key, "init", "--no-recovery"]);
    let stranger = init(&format!("{url}?ca={}&retry=1", made.authority));
    assert_eq!(stranger.code, 1, "{}", stranger.err);
    assert!(stranger.err.contains("ertificate"), "{}", stranger.err);
    let known = format!(
        "{url}?ca={}&cert={}&proxy={}",
        made.authority,
        made.client,
        forward.url()
    );
    init(&known).ends(0);
    home.write("source/file", "text");
    home.ok(&["-r", &known, "--key-file", &key, "backup", &home.text("source")]);
    assert!(forward.asked().1 > 0);
}

/// An authority's certificate, and what it has signed; paths.
struct Authority {
    authority: String,
    server: String,
    server_key: String,
    /// Certificate and key in one file.
    client: String,
}

impl Authority {
    fn make(dir: &Path) -> Option<Authority> {
        let text = |name: &str| dir.join(name).display().to_string();
        let openssl = |args: &[&str]| {
            let run = Command::new("openssl")
                .args(args)
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .status();
            run.is_ok_and(|status| status.success()).then_some(())
        };
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let (ca, ca_key) = (text("ca.pem"), text("ca.key"));
        let root = [
            "req",
            "-x509",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
            "-keyout",
            &ca_key,
            "-out",
            &ca,
        ];
        openssl(&[&root[..], &curve].concat())?;
        for (name, extension) in [
            (
                "server",
                "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth",
            ),
            ("client", "extendedKeyUsage=clientAuth"),
        ] {
            let (key, request, signed) = (
                text(&format!("{name}.key")),
                text("request"),
                text(&format!("{name}.pem")),
            );
            let subject = format!("/CN={name}");
            let ask = [
                "req", "-new", "-subj", &subject, "-keyout", &key, "-out", &request,
            ];
            openssl(&[&ask[..], &curve].concat())?;
            std::fs::write(dir.join("extension"), extension).unwrap();
            openssl(&[
                "x509",
                "-req",
                "-days",
                "2",
                "-in",
                &request,
                "-CA",
                &ca,
                "-CAkey",
                &ca_key,
                "-CAcreateserial",
                "-extfile",
                &text("extension"),
                "-out",
                &signed,
            ])?;
        }
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
        std::fs::write(dir.join("both.pem"), read("client.pem") + &read("client.key")).unwrap();
        Some(Authority {
            authority: ca,
            server: text("server.pem"),
            server_key: text("server.key"),
            client: text("both.pem"),
        })
    }
}
