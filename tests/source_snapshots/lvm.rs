//! The same on logical volumes of LVM. Needs root, the device mapper and LVM's programs; `make lvm-check` runs this in a
//! virtual machine that has them.

use super::{Mounted, SNAPSHOTS, backup, held, home, nothing_is_new, run, snapshots};
use kit::program::Home;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Ext4,
    Xfs,
    /// A thin volume with ext4.
    Thin,
}

/// A volume group in a file, with a volume that is mounted at `mnt/vol` and holds `src/a` and `src/b`.
struct Group {
    name: String,
    device: String,
    mounted: Mounted,
}

impl Group {
    /// `None`, with a message, where there can be none.
    fn new(home: &Home, origin: Origin) -> Option<Group> {
        let image = home.text("image");
        fs::File::create(&image).unwrap().set_len(1 << 30).unwrap();
        let found = Command::new("losetup")
            .args(["--find", "--show", &image])
            .output();
        let device = found.map(|found| String::from_utf8(found.stdout).unwrap());
        let device = device.unwrap_or_default().trim().to_string();
        let id = home.path("").file_name().unwrap().to_str().unwrap().to_string();
        let group = Group {
            name: format!("dedup-test{}", id.trim_start_matches('.')),
            device,
            mounted: Mounted(vec![home.path("mnt/vol")]),
        };
        let made = !group.device.is_empty()
            && run("pvcreate", &["--quiet", &group.device])
            && run("vgcreate", &["--quiet", &group.name, &group.device]);
        if !made {
            eprintln!(
                "no volume group can be made here (root, device mapper, lvm2, a loop device): nothing was tested"
            );
            return None;
        }
        match origin {
            Origin::Ext4 => group.fill("origin", "160M"),
            Origin::Xfs => group.fill("origin", "320M"),
            Origin::Thin => {
                let pool = [
                    "--type",
                    "thin-pool",
                    "--name",
                    "pool",
                    "--size",
                    "400M",
                    &group.name,
                ];
                group.lvcreate(&pool);
                let (pool, name) = (format!("{}/pool", group.name), "origin");
                group.lvcreate(&["--virtualsize", "160M", "--name", name, "--thinpool", &pool]);
            }
        }
        let make = match origin {
            Origin::Xfs => "mkfs.xfs",
            Origin::Ext4 | Origin::Thin => "mkfs.ext4",
        };
        assert!(run(make, &["-q", &group.path()]));
        fs::create_dir_all(home.path("mnt/vol")).unwrap();
        group.mount(home);
        home.write("mnt/vol/src/a", "one");
        home.write("mnt/vol/src/b", "one");
        Some(group)
    }

    fn lvcreate(&self, args: &[&str]) {
        assert!(
            run("lvcreate", &[&["--quiet", "--yes"], args].concat()),
            "{args:?}"
        );
    }

    /// Makes a volume of this size.
    fn fill(&self, name: &str, size: &str) {
        self.lvcreate(&["--name", name, "--size", size, &self.name]);
    }

    /// Leaves so many extents free.
    fn leave(&self, extents: u64) {
        let free: u64 = self.says(&["-o", "vg_free_count"])[0].parse().unwrap();
        let taken = (free - extents).to_string();
        self.lvcreate(&["--name", "rest", "--extents", &taken, &self.name]);
    }

    fn path(&self) -> String {
        format!("/dev/{}/origin", self.name)
    }

    fn mount(&self, home: &Home) {
        assert!(run("mount", &[&self.path(), &home.text("mnt/vol")]));
    }

    /// The words of a listing of its volumes.
    fn says(&self, args: &[&str]) -> Vec<String> {
        let listed = Command::new("lvs")
            .arg("--noheadings")
            .args(args)
            .arg(&self.name)
            .output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        listed.split_whitespace().map(String::from).collect()
    }

    /// Snapshots of ours.
    fn left(&self) -> Vec<String> {
        let names = self.says(&["-o", "lv_name"]).into_iter();
        names.filter(|name| name.starts_with("dedup-")).collect()
    }

    /// What a reboot leaves of a mounted snapshot.
    fn restart(&self, home: &Home) {
        for path in snapshots(home) {
            assert!(run("umount", &[path.to_str().unwrap()]));
        }
        assert!(run("umount", &[&home.text("mnt/vol")]));
        for is_active in ["n", "y"] {
            assert!(run("vgchange", &["--activate", is_active, &self.name]));
        }
        self.mount(home);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let unmounted = std::mem::replace(&mut self.mounted, Mounted(Vec::new()));
        // Also the snapshots of a test that failed.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let below = format!("{}/", unmounted.0[0].display());
        points
            .filter(|point| point.starts_with(&below))
            .for_each(|point| {
                run("umount", &["-l", point]);
            });
        drop(unmounted);
        let is_there = run("vgs", &[&self.name]);
        let removed = !is_there
            || (0..20).any(|_| {
                let removed = run("vgremove", &["--force", "--yes", &self.name]);
                if !removed {
                    std::thread::sleep(Duration::from_millis(200));
                }
                removed
            });
        run("pvremove", &["--yes", &self.device]);
        run("losetup", &["--detach", &self.device]);
        assert!(removed || std::thread::panicking(), "{} is left", self.name);
    }
}

fn go_on(home: &Home) {
    let fifo = fs::File::options().write(true).open(home.path("fifo"));
    fifo.unwrap().write_all(b"go").unwrap();
}

fn nothing_left(home: &Home, group: &Group) {
    assert_eq!(group.left(), [] as [String; 0]);
    let folder = fs::read_dir(home.path("mnt/vol").join(SNAPSHOTS)).unwrap();
    assert_eq!(folder.count(), 0);
}

fn whole_story(origin: Origin) {
    let home = home();
    let Some(group) = Group::new(&home, origin) else {
        return;
    };
    let source = home.text("mnt/vol/src");
    // A file that is open and has no name, which a file system deletes when it is mounted again.
    let nameless = fs::File::create(home.path("mnt/vol/nameless")).unwrap();
    fs::remove_file(home.path("mnt/vol/nameless")).unwrap();
    // What is written during the run is not in it.
    let child = held(&home, &source);
    for file in ["a", "b", "new"] {
        home.write(&format!("mnt/vol/src/{file}"), "two");
    }
    go_on(&home);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    drop(nameless);
    let dump = |name: &str| home.run(&["dump", &format!("{source}/{name}")]);
    assert_eq!((dump("a").out.as_str(), dump("b").out.as_str()), ("one", "one"));
    assert_ne!(dump("new").code, 0);
    assert!(!home.ok(&["ls", "--json"]).out.contains(SNAPSHOTS));
    nothing_left(&home, &group);
    // What a killed run left is removed by the next one: mounted, and as it is after a reboot.
    for is_restarted in [false, true] {
        let mut child = held(&home, &source);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(group.left().len(), 1, "{:?}", group.left());
        if is_restarted {
            group.restart(&home);
            assert_eq!(group.left().len(), 1, "{:?}", group.left());
        }
        backup(&home, "required", &source);
        nothing_left(&home, &group);
    }
    nothing_is_new(&home, &source);
}

#[test]
fn on_ext4() {
    whole_story(Origin::Ext4);
}

#[test]
fn on_xfs() {
    whole_story(Origin::Xfs);
}

#[test]
fn on_a_thin_volume() {
    whole_story(Origin::Thin);
}

/// A snapshot that is full is lost with all that was not yet read, and the run says so.
#[test]
fn a_snapshot_that_fills_up() {
    for origin in [Origin::Ext4, Origin::Xfs] {
        let home = home();
        let Some(group) = Group::new(&home, origin) else {
            return;
        };
        group.leave(8);
        // Nobody wants the machine to stop because of it.
        if origin == Origin::Ext4 {
            assert!(run("tune2fs", &["-e", "panic", &group.path()]));
        }
        let source = home.text("mnt/vol/src");
        home.write("mnt/vol/src/b", vec![b'b'; 2 << 20]);
        home.write("mnt/vol/big", vec![1; 64 << 20]);
        let child = held(&home, &source);
        let mut big = fs::File::options()
            .write(true)
            .open(home.path("mnt/vol/big"))
            .unwrap();
        big.write_all(&vec![2; 64 << 20]).unwrap();
        run("sync", &["-f", &home.text("mnt/vol")]);
        let deadline = Instant::now() + Duration::from_secs(60);
        let is_invalid = || {
            let listed = group.says(&["-o", "lv_name,lv_attr"]);
            let mut pairs = listed.chunks(2);
            pairs.any(|pair| pair[0].starts_with("dedup-") && pair[1].as_bytes()[4] == b'I')
        };
        while !is_invalid() {
            assert!(Instant::now() < deadline, "the snapshot was not full");
            std::thread::sleep(Duration::from_millis(50));
        }
        // LVM's daemon unmounts it; and what was read before it was full may still be in memory.
        std::thread::sleep(Duration::from_secs(3));
        fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
        go_on(&home);
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(3), "{said}");
        let expected = format!("{}: its snapshot was lost", home.text("mnt/vol"));
        assert!(
            said.contains(&expected) && said.contains("src/b: can't be read"),
            "{said}"
        );
        nothing_left(&home, &group);
        home.ok(&["backup", &source]);
        assert_eq!(home.ok(&["dump", &format!("{source}/a")]).out, "one");
    }
}

#[test]
fn where_there_is_no_room() {
    let home = home();
    let Some(group) = Group::new(&home, Origin::Ext4) else {
        return;
    };
    group.leave(0);
    let source = home.text("mnt/vol/src");
    let required = ["backup", "--source-snapshot", "required", &source];
    let refused = home.run(&required);
    assert_ne!(refused.code, 0);
    refused.says(&["no snapshot of", "lvcreate", "insufficient free space"]);
    assert_eq!(home.snapshots(), [] as [String; 0]);
    home.run_with(&[("PATH", "/nonexistent")], &required)
        .says(&["'lvs' is not installed", "lvm2"]);
    nothing_left(&home, &group);
    home.ok(&["backup", "--source-snapshot", "auto", &source])
        .says(&["no snapshot of", "insufficient free space"]);
    assert_eq!(home.ok(&["dump", &format!("{source}/a")]).out, "one");
    nothing_left(&home, &group);
}

/// While LVM makes a snapshot, nothing can be written to the volume. That must end, also if nobody waits for it any more.
#[test]
fn killed_while_a_snapshot_is_made() {
    let home = home();
    let Some(group) = Group::new(&home, Origin::Ext4) else {
        return;
    };
    let source = home.text("mnt/vol/src");
    let is_suspended = || {
        let told = Command::new("dmsetup")
            .args(["info", "-c", "--noheadings", "-o", "suspended"])
            .output();
        String::from_utf8(told.unwrap().stdout)
            .unwrap()
            .contains("Suspended")
    };
    // What is not yet on the disk is written first, which takes a while.
    home.write("mnt/vol/dirty", vec![1; 96 << 20]);
    let mut child = home
        .command(&["backup", "--source-snapshot", "required", &source])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let was_suspended = loop {
        match is_suspended() {
            false if child.try_wait().unwrap().is_none() => {}
            was_suspended => break was_suspended,
        }
    };
    child.kill().unwrap();
    if !was_suspended {
        eprintln!("it was over too soon: nothing was tested");
    }
    child.wait().unwrap();
    let script = "echo x >probe && sync -f probe";
    let mut probe = Command::new("sh")
        .args(["-c", script])
        .current_dir(home.path("mnt/vol"))
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while probe.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            let origin = format!("{}-origin", group.name.replace('-', "--"));
            run("dmsetup", &["resume", &origin]);
            panic!("the volume was left suspended");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    home.ok(&["backup", "--source-snapshot", "required", &source]);
    nothing_left(&home, &group);
}
