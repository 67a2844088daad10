//! The program in surroundings that are not as it would like them: wrong settings, no place to write, any umask; and
//! its children, which know no secrets and end with it.

use kit::nobody::NOBODY;
use kit::program::{Home, objects};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");

fn home() -> Home {
    Home::new(PROGRAM)
}

/// Of commands that need nothing of what is wrong.
const ANY: [&[&str]; 6] = [
    &["snapshots"],
    &["init"],
    &["key", "list"],
    &["cache", "info"],
    &["restore", "--target", "out"],
    &["bench", "--size", "0"],
];
const EXPLAIN: [&[&str]; 4] = [
    &["help"],
    &["help", "env"],
    &["version"],
    &["completions", "bash"],
];

#[test]
fn a_wrong_setting_stops_every_command() {
    let home = home();
    home.init();
    let before = home.contents(&home.repository());
    for (name, value, allowed) in [
        ("DEDUP_PROGRESS_FPS", "abc", "from 0.001 to 60"),
        ("DEDUP_PROGRESS_FPS", "61", "from 0.001 to 60"),
        ("DEDUP_KEY_CACHE", "foo", "30m"),
        ("DEDUP_KEY_CACHE", "2d", "a day at most"),
        ("DEDUP_PASSWORD_FD", "x", "number of an open file"),
        ("DEDUP_NEW_PASSWORD_FD", "-1", "number of an open file"),
        ("DEDUP_FROM_PASSWORD_FD", "3.5", "number of an open file"),
        ("DEDUP_CHECKPOINT_SECS", "often", "number of seconds"),
        ("DEDUP_REPOSITORY", "ftp://host/x", "use a path, file:"),
        ("DEDUP_FROM_REPOSITORY", "s3://b?endpiont=x", "endpoint"),
    ] {
        for args in ANY {
            home.run_with(&[(name, value)], args)
                .ends(2)
                .says(&[name, allowed]);
        }
        for args in EXPLAIN {
            home.run_with(&[(name, value)], args).ends(0);
        }
        home.run_with(&[(name, "")], &["snapshots"]).ends(0);
    }
    for (text, said) in [
        ("[remotes.a\n", "dedup.toml:1:"),
        (
            "# mine\n[remote.main]\nurl = '/a'\n",
            "dedup.toml:2:2: unknown key 'remote'",
        ),
        (
            "[remotes.a]\nurl = '/a'\npasword-file = '/x'\n",
            "dedup.toml:3:1: unknown key 'pasword-file'; did you mean 'password-file'?",
        ),
        ("[remotes.a]\nurl = 3\n", "dedup.toml:2:7: 'url' must be a string"),
        ("[remotes.a]\nurl = 'ftp://h'\n", "dedup.toml:2:7: 'url': "),
        (
            "[remotes.a]\nurl = '/a'\nquota = 'much'\n",
            "dedup.toml:3:9: 'quota': 'much' is not a size",
        ),
        (
            "[console]\nlisten = '4280'\n",
            "dedup.toml:2:10: 'listen': '4280' is not an address and port",
        ),
        (
            "[limits]\nupload = 'fast'\n",
            "dedup.toml:2:10: 'upload': 'fast' is not a size",
        ),
    ] {
        home.write(".config/dedup/dedup.toml", text);
        for args in ANY {
            home.ends(2, args).says(&[said]);
        }
        for args in EXPLAIN {
            home.ok(args);
        }
        let error = &objects(&home.ends(2, &["snapshots", "--json"]).err)[0];
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
    home.write(".config/dedup/dedup.toml", b"[remotes.a]\nurl = '/\xff'\n");
    home.ends(2, &["snapshots"]).says(&["dedup.toml:2:", "UTF-8"]);
    fs::remove_file(home.path(".config/dedup/dedup.toml")).unwrap();
    home.ok(&["snapshots"]);
    assert_eq!(before, home.contents(&home.repository()));
}

/// Neither a unit nor a crontab has a shell that would put the home directory for a tilde.
#[test]
fn a_tilde_is_the_home_directory_everywhere() {
    let home = home();
    home.write("secrets/password", "sesame\n");
    home.write("secrets/place", "~/repo\n");
    let by_file = [
        ("DEDUP_REPOSITORY_FILE", "~/secrets/place"),
        ("DEDUP_PASSWORD_FILE", "~/secrets/password"),
    ];
    home.run_with(&by_file, &["init", "--no-recovery"]).ends(0);
    assert!(home.path("repo/config").exists());
    let added = [&by_file[..], &[("DEDUP_NEW_KEY_FILE", "~/secrets/key")]].concat();
    home.run_with(&added, &["key", "add"]).ends(0);
    assert!(home.path("secrets/key").exists());
    home.ok(&["snapshots", "-r", "~/repo", "--key-file", "~/secrets/key"]);
    home.ok(&["snapshots", "-r", "~/repo", "--password-file=~/secrets/password"]);
    home.write(
        ".config/dedup/dedup.toml",
        "[remotes.a]\nurl = '~/repo'\nkey-file = '~/secrets/key'\n[limits]\nupload = '100M'\n",
    );
    home.ok(&["snapshots", "-r", "a"]);
    home.ends(2, &["snapshots", "-r", "~/repo", "--key-file", "~nobody/key"])
        .says(&["another user's home directory"]);
}

/// A user whose settings name what opens a remote is not asked for it when the repository is made there.
#[test]
fn a_remote_is_made_with_what_the_settings_say_opens_it() {
    let home = home();
    home.write("secrets/password", "sesame\n");
    home.write(
        ".config/dedup/dedup.toml",
        "[remotes.a]\nurl = '~/a'\npassword-file = '~/secrets/password'\n\
         [remotes.b]\nurl = '~/b'\nkey-file = '~/secrets/key'\n",
    );
    home.ok(&["init", "-r", "a", "--no-recovery"]);
    home.ok(&["init", "-r", "b", "--no-recovery"]);
    assert!(home.path("secrets/key").exists());
    home.ok(&["snapshots", "-r", "a"]);
    home.ok(&["snapshots", "-r", "b"]);
    home.ok(&["snapshots", "-r", "~/a", "--password-file", "~/secrets/password"]);
}

/// What reads.
const READERS: [&[&str]; 11] = [
    &["snapshots"],
    &["ls", "latest"],
    &["find", "a"],
    &["diff", "latest~1", "latest"],
    &["stats"],
    &["check"],
    &["check", "--read-data"],
    &["key", "list"],
    &["dump", "latest", "/work/docs/a"],
    &["restore", "latest:/work/docs", "--target", "OUT"],
    &["restore", "latest:/work/docs", "--target", "OUT", "--verify"],
];

/// A repository with two snapshots, in a folder that everybody can use.
struct Shared {
    home: Home,
    root: tempfile::TempDir,
}

impl Shared {
    fn new() -> Shared {
        let (home, root) = (home(), tempfile::tempdir().unwrap());
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        let program = root.path().join("dedup");
        fs::hard_link(PROGRAM, &program)
            .or_else(|_| fs::copy(PROGRAM, &program).map(drop))
            .unwrap();
        let shared = Shared { home, root };
        shared.ok(&["init"]);
        for text in ["a", "another"] {
            let command = ["backup", "--stdin", "--stdin-filename", "/work/docs/a"];
            shared.home.write("stdin", text.repeat(10_000));
            let input = fs::File::open(shared.home.path("stdin")).unwrap();
            let mut run = shared.home.command(&shared.given(&command));
            assert!(run.stdin(input).output().unwrap().status.success());
        }
        if geteuid().is_root() {
            let all = shared.home.contents(&shared.path("repo")).into_keys();
            for path in all.chain([shared.path("key")]) {
                let above = path.ancestors().take_while(|path| *path != shared.root.path());
                above.for_each(|path| std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
            }
        }
        shared
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn given(&self, args: &[&str]) -> Vec<String> {
        let (repository, key) = (self.path("repo"), self.path("key"));
        let text = |path: &Path| path.to_str().unwrap().to_string();
        let global = ["-r".into(), text(&repository), "--key-file".into(), text(&key)];
        let args = args.iter().map(|arg| arg.to_string());
        global.into_iter().chain(args).collect()
    }

    fn ok(&self, args: &[&str]) {
        self.home.ok(&self.given(args));
    }

    /// As a user without rights where that can be had, in this environment and no other.
    fn run(&self, vars: &[(&str, &str)], args: &[&str], is_nobody: bool) -> (i32, String) {
        let out = self.root.path().join("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out).unwrap();
        fs::set_permissions(&out, Permissions::from_mode(0o777)).unwrap();
        let args = args
            .iter()
            .map(|arg| if *arg == "OUT" { out.to_str().unwrap() } else { arg });
        let mut command = match is_nobody && geteuid().is_root() {
            true => Command::new("setpriv"),
            false => Command::new(self.path("dedup")),
        };
        if is_nobody && geteuid().is_root() {
            let (uid, gid) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
            command
                .args([&uid, &gid, "--clear-groups"])
                .arg(self.path("dedup"));
        }
        command.args(self.given(&args.collect::<Vec<_>>()));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("DEDUP_KEY_CACHE", "0s");
        command
            .envs(vars.iter().copied())
            .current_dir("/")
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap_or(-1), said)
    }
}

#[test]
fn readers_need_no_place_to_write() {
    let shared = Shared::new();
    let sealed = shared.path("sealed");
    fs::create_dir(&sealed).unwrap();
    fs::set_permissions(&sealed, Permissions::from_mode(0o555)).unwrap();
    let hidden = shared.path("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::set_permissions(&hidden, Permissions::from_mode(0o700)).unwrap();
    let (sealed, hidden) = (sealed.to_str().unwrap(), hidden.to_str().unwrap());
    let rows: &[(&[(&str, &str)], bool)] = &[
        (&[], true),
        (&[("HOME", "/nonexistent")], true),
        (&[("HOME", "/nonexistent")], false),
        (&[("HOME", "")], true),
        (&[("HOME", "/dev/null")], true),
        (&[("HOME", sealed)], true),
        (&[("HOME", hidden)], true),
        (&[("HOME", "/"), ("TMPDIR", "/nonexistent")], true),
        (
            &[("DEDUP_CACHE_DIR", "/proc/x"), ("DEDUP_STATE_DIR", "/proc/y")],
            false,
        ),
        (&[("XDG_CACHE_HOME", sealed), ("XDG_STATE_HOME", sealed)], true),
    ];
    for (vars, is_nobody) in rows {
        for args in READERS {
            let (code, said) = shared.run(vars, args, *is_nobody);
            assert_eq!((code, said.as_str()), (0, ""), "{vars:?} {args:?}");
        }
        // What must be noted is reported if it can't be.
        let backup = ["backup", "/etc/hostname"];
        let (code, said) = shared.run(vars, &backup, *is_nobody);
        assert!(
            code == 1 && said.contains("DEDUP_STATE_DIR"),
            "{vars:?}: {code} {said}"
        );
        let (code, said) = shared.run(vars, &["forget", "latest"], *is_nobody);
        assert!(
            code == 1 && said.contains("DEDUP_STATE_DIR"),
            "{vars:?}: {code} {said}"
        );
    }
    assert!(!Path::new("/nonexistent").exists());
    let state = shared.path("out/state");
    let state = ("DEDUP_STATE_DIR", state.to_str().unwrap());
    let (code, said) = shared.run(
        &[("HOME", "/nonexistent"), state],
        &["backup", "/etc/hostname"],
        true,
    );
    assert_eq!((code, said.as_str()), (0, ""));
}

/// Everything below a folder that others than its owner can use.
fn open_to_others(folder: &Path) -> Vec<String> {
    let (mut found, mut todo) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.mode() & 0o077 != 0 {
            found.push(format!("{:o} {}", meta.mode() & 0o777, path.display()));
        }
        if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

#[test]
fn cache_and_state_are_their_owners_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let home = home();
        home.write("docs/a", "a".repeat(100_000));
        let run = |args: &[&str]| {
            let script = format!("umask {umask}; exec \"$0\" \"$@\"");
            let mut command = Command::new("sh");
            command.args(["-c", &script, PROGRAM]).args(args);
            command
                .env_clear()
                .env("HOME", home.path(""))
                .current_dir(home.path(""));
            command
                .env("PATH", std::env::var_os("PATH").unwrap())
                .env("DEDUP_KEY_CACHE", "0s");
            let output = command.output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let check = || {
            for folder in [".cache/dedup", ".local/state/dedup"] {
                assert_eq!(
                    open_to_others(&home.path(folder)),
                    Vec::<String>::new(),
                    "{umask}"
                );
            }
        };
        for args in [
            &["init"][..],
            &["backup", "docs"],
            &["snapshots"],
            &["check"],
            &["forget", "latest"],
            &["prune", "--keep-trash", "0s"],
        ] {
            run(args);
            check();
        }
        for folder in [".cache/dedup", ".local/state/dedup"] {
            for path in home.contents(&home.path(folder)).into_keys() {
                fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
                fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
            }
            fs::set_permissions(home.path(folder), Permissions::from_mode(0o777)).unwrap();
        }
        run(&["snapshots"]);
        check();
    }
}

/// A program called `rclone` that notes what it knows, and its number, and then does nothing for long.
fn fake(home: &Home, name: &str) -> PathBuf {
    let script = "#!/bin/sh\nenv >\"$HOME/env\"\necho $$ >\"$HOME/pid.new\"\nmv \"$HOME/pid.new\" \"$HOME/pid\"\n\
                  exec sleep 600\n";
    let path = home.write(&format!("bin/{name}"), script);
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path.parent().unwrap().to_path_buf()
}

const SECRETS: [(&str, &str); 9] = [
    ("DEDUP_PASSWORD", "sesame-1"),
    ("DEDUP_NEW_PASSWORD", "sesame-2"),
    ("DEDUP_FROM_PASSWORD", "sesame-3"),
    ("DEDUP_FROM_REPOSITORY", "webdav://u:sesame-4@h/x"),
    ("DEDUP_FROM_KEY_FILE", "/sesame-5"),
    ("DEDUP_NEW_KEY_FILE", "/sesame-6"),
    ("DEDUP_REPOSITORY", "webdav://u:sesame-7@h/x"),
    ("DEDUP_SOMETHING_NEW", "sesame-8"),
    ("DEDUP_KEY_CACHE", "0s"),
];

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process that ended and is not waited for counts as gone.
fn is_gone(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status
        .rsplit(") ")
        .next()
        .is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

#[test]
fn children_know_no_secrets_and_end_with_the_program() {
    let rows: &[(&str, &[&str])] = &[
        ("rclone", &["-r", "rclone:x:y", "snapshots"]),
        ("ssh", &["-r", "sftp://h/x", "snapshots"]),
        (
            "stream",
            &["-r", "repo", "backup", "--stdin-from-command", "stream"],
        ),
        (
            "command",
            &["-r", "repo", "--password-command", "exec command", "snapshots"],
        ),
    ];
    for (name, args) in rows {
        let home = home();
        home.run_with(&[("DEDUP_PASSWORD", "sesame-1")], &["-r", "repo", "init"])
            .ends(0);
        let mut path = vec![fake(&home, name)];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command = home.command(args);
        command
            .envs(SECRETS)
            .env("PATH", std::env::join_paths(path).unwrap());
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = home.path("pid");
        eventually(name, || pid.exists());
        let known = fs::read_to_string(home.path("env")).unwrap();
        assert!(
            !known.contains("sesame") && !known.contains("DEDUP_"),
            "{name}: {known}"
        );
        assert!(known.contains("HOME="), "{name}: {known}");
        let pid: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        assert!(!is_gone(pid), "{name}");
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        eventually(name, || is_gone(pid));
    }
    let home = home();
    let nowhere = [("PATH", "/nonexistent")];
    let run = home.run_with(&nowhere, &["-r", "rclone:x:y", "snapshots"]);
    assert!(
        run.code == 1 && run.err.contains("start rclone: it is not installed"),
        "{}",
        run.err
    );
}
