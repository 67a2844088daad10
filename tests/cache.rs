//! The local cache in every state, at the beginning of a command and in the middle of it: it is a hint, so answers are the
//! same, or the run ends and reports why. Nothing is lost, and nothing is called damaged.

use crate::cli_bad::Disk;
use kit::generation::noise;
use kit::oracle::{assert_same, walk};
use kit::program::{Home, Run};
use kit::random::{Random, seeds};
use rustix::process::geteuid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");

const COMMANDS: [&[&str]; 12] = [
    &["backup", "docs", "--force"],
    &["restore", "--target", "out"],
    &["dump", "docs/f1", "--target", "f1"],
    &["ls"],
    &["find", "f1"],
    &["diff", "latest~1", "latest"],
    &["snapshots"],
    &["stats"],
    &["check", "--read-data"],
    &["prune", "--keep-last=3", "--max-unused=0", "--yes"],
    &["copy", "--from", "REPO", "--from-key-file", "key"],
    &["heal", "--from", "whole", "--read-data"],
];
/// Of these what is printed is the same each time.
const READERS: [&str; 4] = ["ls", "find", "diff", "snapshots"];

/// A home with some snapshots, a replica, another repository, and a cache that all of it has filled.
struct Template {
    home: Home,
    repo: String,
}

impl Template {
    fn new() -> Template {
        let home = Home::new(PROGRAM);
        let template = Template {
            repo: home.text("repo"),
            home,
        };
        let home = &template.home;
        home.ok(&["-r", &template.repo, "--key-file", "key", "init", "--no-recovery"]);
        home.ok(&["-r", "other", "--key-file", "other-key", "init", "--no-recovery"]);
        let run = |args: &[&str]| template.run(home, args).ends(0);
        run(&["remote", "add", "whole", &home.text("whole")]);
        for n in 0..5 {
            home.write(&format!("docs/f{n}"), noise(n, 150_000));
            home.write(&format!("docs/d{n}/small"), n.to_string());
            run(&["backup", "docs"]);
        }
        run(&["replicate"]);
        run(&["check", "--read-data"]);
        let (cache, saved) = (
            template.home.path(".cache"),
            template.home.path("cache-as-it-was"),
        );
        fs::rename(cache, saved).unwrap();
        template
    }

    fn args(&self, args: &[&str]) -> Vec<String> {
        let (repo, key) = match args[0] {
            "copy" => ("other", "other-key"),
            _ => (self.repo.as_str(), "key"),
        };
        let given = ["-r", repo, "--key-file", key];
        let args = [&given[..], args].concat();
        let named = |arg: &&str| match *arg {
            "REPO" => self.repo.clone(),
            arg => arg.to_string(),
        };
        args.iter().map(named).collect()
    }

    fn run(&self, home: &Home, args: &[&str]) -> Run {
        home.run(&self.args(args))
    }

    /// The cache as it was, on whatever is mounted there.
    fn put_back(&self) {
        let at = self.home.path(".cache");
        fs::create_dir_all(&at).unwrap();
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let _removed = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
        let from = self.home.path("cache-as-it-was").join(".");
        let copied = Command::new("cp").arg("-a").arg(from).arg(&at).status();
        assert!(copied.unwrap().success());
    }

    /// The database's files, but for what is locked. Files and folders may disappear at any time.
    fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.home.path(".cache")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_lock = path.to_string_lossy().to_lowercase().ends_with("lock");
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() && !is_lock => files.push(path),
                    _ => {}
                }
            }
        }
        files.sort();
        files
    }

    /// Nothing was lost, and what was restored is whole.
    fn judge(&self, run: &Run, args: &[&str], what: &str) {
        let what = format!("{what}: {args:?} {run:?}");
        let said = format!("{}{}", run.err, if run.code == 0 { "" } else { &run.out });
        assert!(
            !["damage", "missing"].iter().any(|word| said.contains(word)),
            "{what}"
        );
        assert!(matches!(run.code, 0 | 1), "{what}");
        if args[0] == "restore" && run.code == 0 {
            let restored = format!("{}{}", self.home.text("out"), self.home.text("docs"));
            assert_same(&walk(&self.home.path("docs")), &walk(Path::new(&restored)), &what);
        }
        if args[0] == "dump" && run.code == 0 {
            let same = fs::read(self.home.path("f1")).unwrap() == noise(1, 150_000);
            assert!(same, "{what}");
        }
        let _restored = fs::remove_dir_all(self.home.path("out"));
    }

    fn is_sound(&self, what: &str) {
        let _none = fs::remove_dir_all(self.home.path(".cache"));
        let check = self.run(&self.home, &["check", "--read-data"]);
        assert_eq!(check.code, 0, "{what}: {check:?}");
    }
}

fn each_file(template: &Template, change: impl Fn(&Path, u64)) {
    let files = template.files();
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        let len = fs::metadata(&file).unwrap().len();
        change(&file, len);
    }
}

fn cut(template: &Template, to: impl Fn(u64) -> u64) {
    each_file(template, |file, len| {
        let file = fs::File::options().write(true).open(file).unwrap();
        file.set_len(to(len)).unwrap();
    });
}

fn garbage(template: &Template) {
    each_file(template, |file, len| {
        fs::write(file, noise(len, len as usize)).unwrap()
    });
}

fn folders(template: &Template) {
    each_file(template, |file, _| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    });
}

fn all_but_the_first(template: &Template) {
    for file in template.files().split_off(1) {
        fs::remove_file(file).unwrap();
    }
}

type State = (&'static str, fn(&Template));

const STATES: [State; 7] = [
    ("empty files", |template| cut(template, |_| 0)),
    ("half files", |template| cut(template, |len| len / 2)),
    ("files without their last byte", |template| {
        cut(template, |len| len.saturating_sub(1))
    }),
    ("garbage", garbage),
    ("folders for files", folders),
    ("few files", all_but_the_first),
    ("one file in its place", |template| {
        fs::remove_dir_all(template.home.path(".cache")).unwrap();
        fs::write(template.home.path(".cache"), "").unwrap();
    }),
];

/// Every command on this state; the code is 0 wherever the cache can be replaced or done without.
fn every_command(template: &Template, state: &str, prepare: &dyn Fn(), codes: &[i32]) {
    for args in COMMANDS {
        let good = {
            clear(template);
            template.put_back();
            READERS
                .contains(&args[0])
                .then(|| template.run(&template.home, args).ends(0).out)
        };
        prepare();
        let run = template.run(&template.home, args);
        template.judge(&run, args, state);
        assert!(codes.contains(&run.code), "{state}: {args:?} {run:?}");
        assert!(
            good.is_none_or(|good| run.out == good),
            "{state}: {args:?} {run:?}"
        );
    }
}

fn clear(template: &Template) {
    let at = template.home.path(".cache");
    let _none = fs::remove_dir_all(&at).or_else(|_| fs::remove_file(&at));
}

#[test]
fn no_state_of_the_cache_changes_an_answer() {
    let template = Template::new();
    for (name, spoil) in STATES {
        every_command(&template, name, &|| spoil(&template), &[0]);
    }
    clear(&template);
    template.is_sound("all states");
}

/// A file system that gives errors for the data that is on it: its image is cut off behind its tables.
struct Failing<'t> {
    template: &'t Template,
    image: PathBuf,
}

impl<'t> Failing<'t> {
    fn new(template: &'t Template) -> Option<Failing<'t>> {
        let image = template.home.path("image");
        fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-O", "^has_journal"])
            .arg(&image)
            .output();
        let failing = Failing { template, image };
        (made.is_ok_and(|done| done.status.success()) && failing.mount()).then_some(failing)
    }

    fn mount(&self) -> bool {
        let at = self.template.home.path(".cache");
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(at)
            .output();
        mounted.is_ok_and(|done| done.status.success())
    }

    fn unmount(&self) {
        let _none = Command::new("umount")
            .arg(self.template.home.path(".cache"))
            .output();
    }

    /// The cache as it was, and no byte of it can be read any more.
    fn fail(&self) {
        self.unmount();
        let image = fs::File::create(&self.image).unwrap();
        image.set_len(32 << 20).unwrap();
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-O", "^has_journal"])
            .arg(&self.image)
            .status();
        assert!(made.unwrap().success() && self.mount());
        self.template.put_back();
        // What is in memory is forgotten, but for the tables.
        self.unmount();
        assert!(self.mount());
        let files = self.template.files();
        image.set_len(300 << 10).unwrap();
        assert!(files.iter().any(|file| fs::read(file).is_err()));
    }
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        self.unmount();
    }
}

#[test]
fn a_cache_that_cannot_be_read_or_written() {
    if !geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none());
        eprintln!("passed over: only root can mount file systems");
        return;
    }
    let template = Template::new();
    let at = template.home.path(".cache");
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", how]).arg(&at).status();
        assert!(done.unwrap().success());
    };
    {
        let _disk = Disk::of(at.clone(), "32m").unwrap();
        let read_only = || {
            remount("remount,rw");
            template.put_back();
            remount("remount,ro");
        };
        for args in COMMANDS {
            read_only();
            let run = template.run(&template.home, args);
            template.judge(&run, args, "mounted read-only");
            assert_eq!(run.code, 0, "mounted read-only: {args:?} {run:?}");
        }
    }
    match Failing::new(&template) {
        Some(failing) => {
            for args in COMMANDS {
                failing.fail();
                let run = template.run(&template.home, args);
                template.judge(&run, args, "input/output errors");
                assert_eq!(run.code, 0, "input/output errors: {args:?} {run:?}");
            }
        }
        None => eprintln!("passed over in part: no image can be mounted here"),
    }
    template.is_sound("a cache that can't be used");
}

/// It is removed, or its files are cut off, while a command works with it.
#[test]
fn a_cache_that_goes_in_the_middle() {
    let template = Template::new();
    for seed in seeds(4) {
        for args in COMMANDS {
            let mut random = Random::new(seed);
            clear(&template);
            template.put_back();
            let child = template
                .home
                .command(&template.args(args))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_micros(random.below(80_000)));
            match random.chance(50) {
                true => clear(&template),
                false => {
                    for file in template.files() {
                        let file = fs::File::options().write(true).open(file);
                        // It may be gone by now.
                        let _cut = file.and_then(|file| file.set_len(random.below(2000)));
                    }
                }
            }
            let run = Run::of(child.wait_with_output().unwrap());
            template.judge(&run, args, &format!("seed {seed}"));
        }
        clear(&template);
        template.is_sound(&format!("seed {seed}"));
    }
}
