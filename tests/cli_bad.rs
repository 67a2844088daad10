//! What a user does wrong and what storage does to him: the exit code, the message, and that nothing is lost by it.

use chunkstore::config;
use chunkstore::object::cbor;
use kit::program::{Home, Run, hurt, number, objects, string};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// Two snapshots of different files, each small enough to be one chunk in one pack.
pub(crate) fn saved() -> Home {
    let home = home();
    home.init();
    for name in ["a", "b"] {
        let noise = kit::generation::noise(u64::from(name.as_bytes()[0]), 100_000);
        home.write(&format!("docs-{name}/{name}"), noise);
        home.ok(&["backup", &format!("docs-{name}")]);
    }
    home
}

#[test]
fn no_repository() {
    let home = home();
    home.ends(10, &["snapshots"])
        .says(&["no repository", "dedup init"]);
    home.ends(10, &["-r", "none", "snapshots"]).says(&["none"]);
    // Reported before any secret is read or asked for.
    home.ends(10, &["-r", "none", "-p", "no-such-file", "backup", "x"]);
    let json = home.ends(10, &["snapshots", "--json"]);
    assert_eq!(objects(&json.err)[0]["code"], 10);
    assert!(!home.path("none").exists());
}

#[test]
fn wrong_usage() {
    let home = home();
    for args in [
        &["frobnicate"][..],
        &[],
        &["backup"],
        &["restore"],
        &["backup", "x", "--no-such-flag"],
        &["backup", "x", "--time", "someday"],
        &["backup", "x", "--compression", "off"],
        &["backup", "x", "--exclude-larger-than", "many"],
        &["forget", "--keep-last", "x"],
        &["prune", "--max-unused", "101%"],
        &["prune", "--gc-only", "--no-gc"],
        &["check", "--read-data-subset", "8/7"],
        &["snapshots", "--group-by", "colour"],
        &["init", "--key-file", "k", "extra"],
    ] {
        let run = home.ends(2, args);
        assert!(run.out.is_empty() && !run.err.is_empty(), "{args:?}");
    }
    home.init();
    home.ends(2, &["prune", "--no-gc", "--yes"])
        .says(&["nothing to do"]);
    home.ends(2, &["prune", "--simulate", "2030-01-01"])
        .says(&["no set with a retention policy"]);
    home.ends(2, &["prune", "--host", "h", "--yes"]);
    home.run_with(&[("DEDUP_PROGRESS_FPS", "fast")], &["backup", "/etc/hostname"])
        .ends(2)
        .says(&["DEDUP_PROGRESS_FPS"]);
}

#[test]
fn sources_that_are_not_there() {
    let home = home();
    home.init();
    home.ends(3, &["backup", "nowhere"])
        .says(&["nowhere", "no snapshot was made"]);
    home.write("empty-list", "# nothing\n");
    home.ends(3, &["backup", "--files-from", "empty-list"]);
    assert_eq!(home.snapshots(), Vec::<String>::new());
    home.write("docs/a", "a");
    home.ends(3, &["backup", "docs", "nowhere"])
        .says(&["nowhere: not backed up: no such file"]);
    let rows = home.ok(&["snapshots", "--json"]).objects();
    assert_eq!((rows.len(), string(&rows[0], "status")), (1, "incomplete".into()));
    assert!(home.ok(&["snapshots"]).out.contains("incomplete"));
}

#[test]
fn a_newer_format() {
    let home = saved();
    let path = home.repository().join("config");
    let bytes = fs::read(&path).unwrap();
    let mut clear = config::clear(&bytes).unwrap();
    clear.required = vec!["time-travel".to_string()];
    let body = cbor(&clear);
    let newer = [
        &b"DEDUPCFG"[..],
        &(body.len() as u16).to_le_bytes(),
        &body,
        &bytes[60..],
    ]
    .concat();
    fs::write(&path, newer).unwrap();
    let before = home.contents(&home.repository());
    for args in [
        &["snapshots"][..],
        &["backup", "docs-a"],
        &["prune", "--yes"],
        &["check"],
    ] {
        home.ends(1, args).says(&["'time-travel'", "newer dedup"]);
    }
    assert_eq!(before, home.contents(&home.repository()));
}

#[track_caller]
fn damage(run: Run, names: &str) -> Run {
    let run = run.ends(13);
    assert!(run.err.contains(names), "no '{names}' in:\n{}", run.err);
    run
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_string()
}

/// Data packs are the large ones.
pub(crate) fn data_packs(home: &Home) -> Vec<PathBuf> {
    let large = |path: &PathBuf| fs::metadata(path).unwrap().len() > 90_000;
    home.objects("packs").into_iter().filter(large).collect()
}

#[test]
fn a_damaged_pack() {
    let home = saved();
    let packs = data_packs(&home);
    assert_eq!(packs.len(), 2);
    hurt(&packs[0]);
    home.ok(&["check"]);
    let run = damage(home.run(&["check", "--read-data", "--json"]), &name(&packs[0]));
    assert_eq!(run.summary()["broken_packs"][0], name(&packs[0]).as_str());
    assert_eq!(number(&run.summary(), "damaged_paths"), 1);
    damage(home.run(&["check", "--read-data"]), "damaged");
    let codes = ["latest", "latest~1"].map(|snapshot| {
        let target = format!("out-{snapshot}");
        let run = home.run(&["restore", snapshot, "--target", &target]);
        assert!(run.code == 0 || run.err.contains("docs-"), "{}", run.err);
        run.code
    });
    let mut sorted = codes;
    sorted.sort();
    assert_eq!(sorted, [0, 13]);
    let hurt = if codes[0] == 13 { "docs-b/b" } else { "docs-a/a" };
    let bad = if codes[0] == 13 { "latest" } else { "latest~1" };
    assert!(
        !home
            .path(format!("out-{bad}"))
            .join(home.path(hurt).strip_prefix("/").unwrap())
            .exists()
    );
    home.ends(13, &["dump", bad, hurt]);
}

#[test]
fn a_lost_pack() {
    let home = saved();
    let packs = data_packs(&home);
    fs::remove_file(&packs[0]).unwrap();
    damage(home.run(&["check"]), &name(&packs[0]));
    let before = home.contents(&home.repository());
    home.run(&["prune", "--yes", "--keep-trash", "0s", "--max-unused", "0"]);
    assert!(data_packs(&home).contains(&packs[1]));
    assert!(
        before
            .keys()
            .filter(|path| path.starts_with(home.repository().join("snapshots")))
            .all(|p| p.exists())
    );
}

#[test]
fn a_damaged_manifest() {
    let home = saved();
    let ids = home.snapshots();
    hurt(&home.repository().join("snapshots").join(&ids[0]));
    let run = damage(home.run(&["snapshots", "--json"]), &ids[0]);
    assert_eq!(run.objects().len(), 1);
    objects(&run.err);
    damage(home.run(&["check"]), &ids[0]);
    damage(home.run(&["prune", "--yes"]), &ids[0]);
    // By its id the other one is not in doubt.
    home.ok(&["restore", &ids[1], "--target", "out"]);
    damage(home.run(&["restore", "latest", "--target", "out"]), &ids[0]);
    home.ok(&["backup", "docs-a"]);
}

#[test]
fn a_damaged_index() {
    let home = saved();
    let index = home.objects("index");
    hurt(&index[0]);
    damage(home.run(&["check"]), &name(&index[0]));
    fs::remove_dir_all(home.path(".cache/dedup")).unwrap();
    let codes = ["latest", "latest~1"].map(|s| home.run(&["restore", s, "--target", s]).code);
    assert!(codes.iter().all(|code| [0, 13].contains(code)), "{codes:?}");
}

#[test]
fn damaged_keys_and_config() {
    let home = saved();
    for slot in home.objects("keys") {
        let bytes = fs::read(&slot).unwrap();
        fs::write(&slot, &bytes[..bytes.len() / 2]).unwrap();
        let code = home.run(&["snapshots"]).code;
        assert!(code == 0 || code == 12, "the other slot is sound: {code}");
        let list = home.run(&["key", "list"]);
        assert!(
            list.code == 12 || (list.code == 13 && list.out.contains("damaged")),
            "{list:?}"
        );
        fs::write(&slot, bytes).unwrap();
    }
    for slot in home.objects("keys") {
        fs::write(&slot, "DEDUPSLT").unwrap();
    }
    damage(home.run(&["snapshots"]), "keys/");
    let home = saved();
    let config = home.repository().join("config");
    let bytes = fs::read(&config).unwrap();
    for len in [0, 8, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&config, &bytes[..len]).unwrap();
        damage(home.run(&["snapshots"]), "config");
    }
    fs::write(&config, &bytes).unwrap();
    home.ok(&["check"]);
}

#[test]
fn a_damaged_cache_is_made_again() {
    let home = saved();
    for path in home.contents(&home.path(".cache/dedup")).into_keys() {
        fs::write(path, "garbage").unwrap();
    }
    home.ok(&["backup", "docs-a"]);
    home.ok(&["restore", "--target", "out"]);
    home.ok(&["cache", "clear"]);
    home.ok(&["check", "--read-data"]);
}

#[test]
fn a_lost_or_wrong_key_file() {
    let home = saved();
    let key = home.path(".config/dedup/default.key");
    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, "not a key").unwrap();
    home.ends(12, &["snapshots"]).says(&["default.key"]);
    fs::write(&key, text.replace(['0', '1', '2'], "3")).unwrap();
    home.ends(12, &["snapshots"]);
    home.ends(2, &["--key-file", "nowhere", "snapshots"])
        .says(&["nowhere"]);
    fs::write(&key, text).unwrap();
    home.ok(&["snapshots"]);
}

/// A file system of a few megabytes, for who may mount one.
pub(crate) struct Disk(pub PathBuf);

impl Disk {
    fn new(at: PathBuf) -> Option<Disk> {
        Disk::of(at, "6m")
    }

    /// Of this size, and for who may mount one.
    pub fn of(at: PathBuf, size: &str) -> Option<Disk> {
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&at)
            .output();
        mounted
            .is_ok_and(|done| done.status.success())
            .then_some(Disk(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_repository() {
    let home = home();
    let Some(disk) = Disk::new(home.path("disk")) else {
        assert!(!rustix::process::geteuid().is_root() || std::env::var_os("CI").is_none());
        eprintln!("passed over: no file system can be mounted here");
        return;
    };
    let repository = ["-r", "disk/repo", "--key-file", "key"];
    let run = |args: &[&str]| {
        let run = home.run(&[&repository[..], args].concat());
        println!("{args:?}\n{}{}", run.out, run.err);
        run
    };
    run(&["init", "--no-recovery"]).ends(0);
    home.write("docs/a", kit::generation::noise(1, 2 << 20));
    run(&["backup", "docs"]).ends(0);
    home.write("big/b", kit::generation::noise(2, 6 << 20));
    run(&["backup", "big"])
        .ends(14)
        .says(&["no space", "dedup prune"]);
    let snapshots = run(&["snapshots", "--json"]).ends(0).objects();
    assert_eq!(snapshots.len(), 1);
    run(&["restore", "--target", "out"]).ends(0);
    // Nothing at all is left, not even for a session.
    let room = disk.0.join("room");
    let fill = || {
        Command::new("dd")
            .args(["if=/dev/zero", "bs=4k"])
            .arg(format!("of={}", room.display()))
            .output()
    };
    assert!(!fill().unwrap().status.success(), "the disk is full");
    run(&["backup", "docs"]).ends(14);
    run(&["snapshots"]).ends(0);
    fs::remove_file(&room).unwrap();
    run(&["prune", "--yes", "--gc-only"]).ends(0);
    run(&["forget", "latest", "--yes"]).ends(0);
    assert!(!fill().unwrap().status.success());
    run(&["prune", "--yes", "--keep-trash", "0s"]).ends(0);
    fs::remove_file(&room).unwrap();
    run(&["check", "--read-data"]).ends(0);
    run(&["backup", "docs"]).ends(0);
    home.ok(&[&repository[..], &["restore", "--target", "again"]].concat());
}
