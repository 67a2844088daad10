//! What `takeover` and `serve` say if a disk is full, the network is gone, HOME can't be written to, or the key is wrong.
//! They are no columns of the table: one writes settings, and the other does not end.

use super::{nothing_listens, open_to_all};
use crate::cli_bad::Disk;
use crate::full_disk::fill;
use kit::nobody::NOBODY;
use kit::program::{Home, Run, objects, string};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// A machine that is to take the place of `alpha`, whose backups are in `repo`.
struct Machine {
    home: Home,
    repo: String,
    key: String,
    user: Option<u32>,
    /// Mounted as long as it is there.
    _disk: Option<Disk>,
}

impl Machine {
    fn new(program: &str) -> Machine {
        let home = Home::new(program);
        let (repo, key) = (home.text("repo"), home.text("key"));
        home.ok(&["init", "-r", &repo, "--key-file", &key, "--no-recovery"]);
        home.write("docs/a", "a".repeat(100_000));
        home.write(
            ".config/dedup/dedup.toml",
            format!(
                "[remotes.main]\nurl = '{repo}'\nkey-file = '{key}'\n[sets.docs]\nsources = ['{}']\ndestinations = ['main']\n",
                home.text("docs")
            ),
        );
        home.run_with(&[("DEDUP_HOST", "alpha")], &["run", "docs"])
            .ends(0);
        for dir in [".config", ".cache", ".local"] {
            fs::remove_dir_all(home.path(dir)).unwrap();
        }
        Machine {
            home,
            repo,
            key,
            user: None,
            _disk: None,
        }
    }

    fn arrange(&mut self, cause: &str) {
        match cause {
            "no network" => self.repo = nothing_listens(),
            "a wrong key" => {
                self.key = self.home.text("other-key");
                self.home
                    .ok(&["init", "-r", "other", "--key-file", &self.key, "--no-recovery"]);
            }
            "HOME can't be written to" => {
                // It is another's, and may be looked into.
                let owned = Command::new("chown")
                    .args(["-R", &format!("{NOBODY}:{NOBODY}"), &self.repo, &self.key])
                    .status();
                assert!(owned.unwrap().success());
                fs::set_permissions(self.home.path(""), Permissions::from_mode(0o755)).unwrap();
                self.user = Some(NOBODY);
            }
            name => {
                let name = name.strip_prefix("full: ").unwrap();
                fs::create_dir_all(self.home.path(name)).unwrap();
                let disk = Disk::of(self.home.path(name), "8m").unwrap();
                fill(&self.home.path(name).join("filler"));
                self._disk = Some(disk);
            }
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let args = [&["-r", &self.repo, "--key-file", &self.key][..], args].concat();
        let mut command = self.home.command(&args);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    fn takeover(&self) -> Run {
        Run::of(self.command(&["takeover", "alpha"]).output().unwrap())
    }

    /// Whether it serves the file, and how it ended, or was ended.
    fn serve(&self) -> (bool, Run) {
        let mut child = self
            .command(&["serve", "--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let mut serves = false;
        if !line.is_empty() {
            let url = string(&objects(&line)[0], "url");
            let file = format!("{url}hosts/alpha/latest{}", self.home.text("docs/a"));
            let got = Command::new("curl")
                .args(["-s", "--fail", &file])
                .output()
                .unwrap();
            serves = got.stdout == "a".repeat(100_000).as_bytes();
            kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        }
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        (serves, Run::of(child.wait_with_output().unwrap()))
    }
}

fn with(program: &str, cause: &str) -> Machine {
    let mut machine = Machine::new(program);
    machine.arrange(cause);
    machine
}

/// What is the matter, what `takeover` ends with and says, and the same of `serve` where it does not start.
type Row = (&'static str, i32, &'static str, Option<(i32, &'static str)>);

#[test]
fn takeover_and_serve_say_what_is_wrong() {
    if !geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none());
        eprintln!("passed over: only root can mount file systems and be another user");
        return;
    }
    let shared = tempfile::tempdir().unwrap();
    let program = open_to_all(shared.path());
    let rows: [Row; 6] = [
        (
            "no network",
            1,
            "Connection refused",
            Some((1, "Connection refused")),
        ),
        (
            "a wrong key",
            12,
            "wrong password or key",
            Some((12, "wrong password or key")),
        ),
        ("HOME can't be written to", 1, "ermission denied", None),
        ("full: .config/dedup", 14, "No space left", None),
        ("full: .cache", 0, "", None),
        ("full: .local/state", 0, "", None),
    ];
    for (cause, code, words, serving) in rows {
        let machine = with(&program, cause);
        let settings = machine.home.path(".config/dedup/dedup.toml");
        let (serves, run) = machine.serve();
        match serving {
            Some((code, words)) => {
                assert!(!serves, "{cause}");
                run.ends(code).says(&[words]);
            }
            None => assert!(serves, "{cause}: {}", run.err),
        }
        let run = machine.takeover();
        assert_eq!(run.code, code, "{cause}: {}", run.err);
        let clumsy = ["damage", "missing", "panicked", "IO error"];
        assert!(
            clumsy.iter().all(|word| !run.err.contains(word)),
            "{cause}: {}",
            run.err
        );
        let run = run.says(&[words]);
        // All of the settings or none.
        let written = fs::read_to_string(&settings).unwrap_or_default();
        assert_eq!(
            written.contains("[sets.docs]"),
            code == 0,
            "{cause}: {}{}",
            run.err,
            run.out
        );
        assert!(code == 0 || written.is_empty(), "{cause}: {written}");
    }
}

/// A port that is taken is named.
#[test]
fn serve_names_the_port_that_is_taken() {
    let machine = Machine::new(super::PROGRAM);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let run = Run::of(machine.command(&["serve", "--listen", &at]).output().unwrap());
    run.ends(1).says(&[&at, "in use"]);
}
