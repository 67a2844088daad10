//! The program mounts snapshots with the kernel's own FUSE. As root with /dev/fuse; elsewhere only the refusal is tested.

use kit::program::{Home, Run};
use kit::random::Random;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");

/// A mounted repository; unmounted when it is dropped, whatever became of the test.
struct Mounted {
    child: Child,
    at: PathBuf,
}

impl Mounted {
    fn new(home: &Home, options: &[&str]) -> Mounted {
        let at = home.path("mnt");
        fs::create_dir_all(&at).unwrap();
        let mut child = home
            .command(&[&["mount", "mnt"][..], options].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("mounted"), "{line}");
        Mounted { child, at }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.at.join(below)
    }

    fn names(&self, below: &str) -> Vec<String> {
        let names = fs::read_dir(self.path(below)).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The program's end after a signal.
    fn stop(mut self, signal: &str) -> i32 {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _gone = Command::new("umount")
            .arg("-l")
            .arg(&self.at)
            .stderr(Stdio::null())
            .status();
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn home() -> Home {
    let home = Home::within(PROGRAM, "/dev/shm");
    home.init();
    home
}

fn can_mount() -> bool {
    Path::new("/dev/fuse").exists() && fs::metadata("/proc/self").unwrap().uid() == 0
}

fn output(program: &str, args: &[&str], dir: &Path) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn sample(home: &Home) {
    let mut noise = vec![0; 5_000_000];
    Random::new(7).fill(&mut noise);
    home.write("docs/large", &noise);
    home.write("docs/a/small", "small");
    home.write("docs/a/run", "#!/bin/sh");
    fs::set_permissions(home.path("docs/a/run"), fs::Permissions::from_mode(0o4751)).unwrap();
    symlink("small", home.path("docs/a/link")).unwrap();
    fs::create_dir(home.path("docs/empty")).unwrap();
    let docs = home.path("docs");
    output(
        "sh",
        &[
            "-c",
            "mkfifo fifo; mknod dev c 1 300; truncate -s 3G holes; touch -d @-1000.5 old",
        ],
        &docs,
    );
    output(
        "python3",
        &[
            "-c",
            "import os; os.setxattr('a/small', 'user.note', b'n'); os.chown('old', 12, 34)",
        ],
        &docs,
    );
    for n in 0..3000 {
        home.write(&format!("docs/many/{n:04}"), format!("{n}"));
    }
}

#[test]
fn snapshots_are_directories() {
    if !can_mount() {
        return;
    }
    let home = home();
    sample(&home);
    home.ok(&["backup", "docs", "--host", "one", "--tag", "t"]);
    home.write("docs/a/small", "later");
    home.ok(&["backup", "docs", "--host", "two"]);
    let ids = home.snapshots();
    let mounted = Mounted::new(&home, &[]);
    assert_eq!(mounted.names(""), ["hosts", "ids", "sets", "snapshots", "tags"]);
    let short = |n: usize| ids[n][..8].to_string();
    let mut want = vec![short(0), short(1)];
    want.sort();
    assert_eq!(mounted.names("ids"), want);
    assert_eq!(mounted.names("hosts"), ["one", "two"]);
    assert_eq!(
        (mounted.names("hosts/one").len(), mounted.names("snapshots").len()),
        (2, 3)
    );
    assert_eq!(mounted.names("tags/t").len(), 2);
    let docs = home.text("docs");
    let of = |snapshot: &str, path: &str| mounted.path(&format!("{snapshot}{docs}{path}"));
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(text(of("hosts/one/latest", "/a/small")), "small");
    assert_eq!(text(of("snapshots/latest", "/a/link")), "later");
    assert_eq!(text(of(&format!("ids/{}", short(0)), "/many/2999")), "2999");
    // Compared by rsync: every kind, permission, owner, time and attribute.
    let from = format!("{}/", of("hosts/two/latest", "").display());
    let (docs_path, whole) = (home.text("docs/"), home.path(""));
    let options = [
        "-aXS",
        "--numeric-ids",
        "--delete",
        "-n",
        "-i",
        "--checksum",
        "--exclude",
        "holes",
    ];
    let differs = output("rsync", &[&options[..], &[&docs_path, &from]].concat(), &whole);
    assert_eq!(differs, "", "rsync would change something");
    let holes = fs::metadata(of("hosts/two/latest", "/holes")).unwrap();
    assert_eq!((holes.len(), holes.blocks()), (3 << 30, 0));
    // At random.
    let (large, own) = (
        fs::File::open(of("hosts/two/latest", "/large")).unwrap(),
        fs::read(home.path("docs/large")).unwrap(),
    );
    let mut random = Random::new(3);
    for _ in 0..50 {
        let at = random.below(4_990_000);
        let mut found = [0; 4096];
        large.read_exact_at(&mut found, at).unwrap();
        assert!(found[..] == own[at as usize..][..4096], "{at}");
    }
    let nowhere = fs::metadata(of("hosts/two/latest", "/nowhere")).unwrap_err();
    assert_eq!(nowhere.kind(), std::io::ErrorKind::NotFound);
    let written = fs::write(of("hosts/two/latest", "/a/small"), "x").unwrap_err();
    assert_eq!(written.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    drop(large);
    assert_eq!(mounted.stop("-TERM"), 0);
    assert!(fs::read_dir(home.path("mnt")).unwrap().next().is_none());
}

#[test]
fn it_ends_when_somebody_unmounts_it() {
    if !can_mount() {
        return;
    }
    let home = home();
    home.write("docs/a", "a");
    home.ok(&["backup", "docs"]);
    let mut mounted = Mounted::new(&home, &["--json"]);
    assert_eq!(mounted.names("ids").len(), 1);
    output("umount", &["mnt"], &home.path(""));
    assert_eq!(mounted.child.wait().unwrap().code(), Some(0));
}

/// What a later backup makes appears, and what is open stays as it is.
#[test]
fn new_snapshots_appear() {
    if !can_mount() {
        return;
    }
    let home = home();
    home.write("docs/a", "first");
    home.ok(&["backup", "docs", "--host", "one"]);
    let mounted = Mounted::new(&home, &[]);
    let latest = mounted.path(&format!("snapshots/latest{}/a", home.text("docs")));
    let first = fs::File::open(&latest).unwrap();
    assert_eq!(mounted.names("ids").len(), 1);
    home.write("docs/a", "the second");
    home.ok(&["backup", "docs", "--host", "two", "--tag", "later"]);
    // They are looked for at most once a second.
    let deadline = Instant::now() + Duration::from_secs(60);
    while mounted.names("ids").len() < 2 || mounted.names("hosts").len() < 2 {
        assert!(Instant::now() < deadline, "{:?}", mounted.names("ids"));
        std::thread::yield_now();
    }
    while fs::read_to_string(&latest).unwrap() != "the second" {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(mounted.names("tags"), ["later"]);
    let mut old = [0; 5];
    first.read_exact_at(&mut old, 0).unwrap();
    assert_eq!(&old, b"first");
    // One that is forgotten goes.
    let gone = home.snapshots()[0].clone();
    home.ok(&["forget", &gone, "--yes"]);
    while mounted.names("ids").len() > 1 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(mounted.names("hosts"), ["two"]);
}

/// Files of every form, from front to back by pieces of every size, and at random.
#[test]
fn every_byte_is_that_of_the_file() {
    if !can_mount() {
        return;
    }
    let home = home();
    let mut random = Random::new(5);
    let mut noise = vec![0; 40_000_000];
    random.fill(&mut noise);
    // Holes between, and more extents than an entry has: there are lists.
    let file = fs::File::create(home.write("docs/holes", "")).unwrap();
    for n in 0..6000u64 {
        file.write_all_at(&noise[n as usize * 100..][..50], n * 8192)
            .unwrap();
    }
    file.set_len(6000 * 8192).unwrap();
    home.write("docs/large", &noise);
    home.write("docs/small", &noise[..90_000]);
    home.ok(&["backup", "docs"]);
    let mounted = Mounted::new(&home, &[]);
    for name in ["holes", "large", "small"] {
        let own = fs::read(home.path("docs").join(name)).unwrap();
        let path = mounted.path(&format!("snapshots/latest{}/{name}", home.text("docs")));
        assert!(fs::read(&path).unwrap() == own, "{name}");
        let shown = fs::File::open(&path).unwrap();
        for _ in 0..300 {
            let at = random.below(own.len() as u64 - 1);
            let len = (1 + random.below(200_000)).min(own.len() as u64 - at);
            let mut found = vec![0; len as usize];
            shown.read_exact_at(&mut found, at).unwrap();
            assert!(
                found[..] == own[at as usize..][..len as usize],
                "{name} {at} {len}"
            );
        }
    }
    // Those who read ahead end with it.
    let large = mounted.path(&format!("snapshots/latest{}/large", home.text("docs")));
    assert_eq!(fs::read(large).unwrap().len(), noise.len());
    assert_eq!(mounted.stop("-TERM"), 0);
}

/// Damage is an input/output error of the one file, is told, and decides the exit code.
#[test]
fn damage_is_told() {
    if !can_mount() {
        return;
    }
    let home = home();
    let mut noise = vec![0; 3_000_000];
    Random::new(9).fill(&mut noise);
    home.write("docs/large", &noise);
    home.ok(&["backup", "docs"]);
    let packs = home.objects("packs");
    let largest = packs
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    kit::program::hurt(largest);
    let mounted = Mounted::new(&home, &[]);
    let read = fs::read(mounted.path(&format!("snapshots/latest{}/large", home.text("docs"))));
    assert_eq!(read.unwrap_err().raw_os_error(), Some(5));
    assert_eq!(mounted.stop("-INT"), 13);
}

/// The output of a command that failed, which is recorded without a size, does not look like an empty file. It is no damage.
#[test]
fn what_was_not_saved_is_no_empty_file() {
    if !can_mount() {
        return;
    }
    let home = home();
    let settings = format!(
        "[remotes.main]\nurl = '{}'\nkey-file = '{}'\n[sets.only]\ndestinations = ['main']\n\
         [sets.only.commands]\nbad = 'exit 3'\nempty = 'true'\n",
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key")
    );
    home.write(".config/dedup/dedup.toml", settings);
    home.ends(3, &["run", "only"]);
    let mounted = Mounted::new(&home, &[]);
    let at = |name: &str| mounted.path(&format!("snapshots/latest/commands/{name}"));
    assert_eq!(fs::read(at("empty")).unwrap(), b"");
    assert_eq!(fs::read(at("bad")).unwrap_err().raw_os_error(), Some(5));
    assert_eq!(mounted.stop("-INT"), 3);
}

#[test]
fn what_can_not_be_mounted() {
    let home = home();
    home.write("file", "f");
    home.ends(1, &["mount", "nowhere"]);
    let refused: Run = home.ends(1, &["mount", "file"]);
    assert!(refused.err.contains("file"), "{}", refused.err);
    home.ends(2, &["mount"]);
}
