//! The program as somebody runs it: in a home of its own, with an empty environment, looked at from outside.

use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A fresh home directory and the program that runs in it.
pub struct Home {
    dir: TempDir,
    program: PathBuf,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new(program: &str) -> Home {
        Home {
            dir: tempfile::tempdir().unwrap(),
            program: program.into(),
        }
    }

    /// A home in a folder of the test's choice.
    pub fn within(program: &str, folder: &str) -> Home {
        Home {
            dir: tempfile::tempdir_in(folder).unwrap(),
            program: program.into(),
        }
    }

    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(below)
    }

    /// The path as an argument.
    pub fn text(&self, below: &str) -> String {
        self.path(below).into_os_string().into_string().unwrap()
    }

    pub fn write(&self, below: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The embedded repository.
    pub fn repository(&self) -> PathBuf {
        self.path(".local/share/dedup/repository")
    }

    /// To be run in the home, with nothing of the tests' own environment.
    pub fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "Asia/Tokyo")
            // A user's keyring has room for few.
            .env("DEDUP_KEY_CACHE", "0s")
            .stdin(Stdio::null());
        command
    }

    /// The same under limits that the shell's `ulimit` sets, like `-n 256`.
    pub fn limited<A: AsRef<OsStr>>(&self, limits: &str, args: &[A]) -> Command {
        let program = self.command(args);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!(r#"ulimit {limits} && exec "$@""#), "sh"])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(self.dir.path())
            .env_clear()
            .stdin(Stdio::null());
        for (name, value) in program.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell
    }

    pub fn run_limited<A: AsRef<OsStr>>(&self, limits: &str, args: &[A]) -> Run {
        Run::of(self.limited(limits, args).output().unwrap())
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    pub fn run_with(&self, vars: &[(&str, &str)], args: &[&str]) -> Run {
        Run::of(self.command(args).envs(vars.iter().copied()).output().unwrap())
    }

    /// A run that must end with `code`.
    #[track_caller]
    pub fn ends<A: AsRef<OsStr>>(&self, code: i32, args: &[A]) -> Run {
        self.run(args).ends(code)
    }

    #[track_caller]
    pub fn ok<A: AsRef<OsStr>>(&self, args: &[A]) -> Run {
        self.ends(0, args)
    }

    /// The embedded repository, made.
    #[track_caller]
    pub fn init(&self) -> Run {
        self.ok(&["init"])
    }

    /// Full ids of all snapshots, oldest first.
    #[track_caller]
    pub fn snapshots(&self) -> Vec<String> {
        let rows = self.ok(&["snapshots", "--json"]).objects();
        rows.iter().map(|row| string(row, "id")).collect()
    }

    /// Every file below a folder with its bytes, to see whether anything changed.
    pub fn contents(&self, below: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![below.to_path_buf()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap();
                    found.insert(path, bytes);
                }
            }
        }
        found
    }

    /// The objects of one kind in the embedded repository, by path.
    pub fn objects(&self, kind: &str) -> Vec<PathBuf> {
        let folder = self.repository().join(kind);
        match folder.is_dir() {
            true => self.contents(&folder).into_keys().collect(),
            false => Vec::new(),
        }
    }
}

/// The same program at another moment, `2026-12-07 09:30:00` local time: its clock is moved by libfaketime and goes on from
/// there.
pub fn at_moment(program: &Command, moment: &str) -> Command {
    let mut command = Command::new("faketime");
    command
        .args(["-f", &format!("@{moment}")])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .stdin(Stdio::null());
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

impl Run {
    pub fn of(output: Output) -> Run {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Run {
        assert_eq!(self.code, code, "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    /// Every word is in the text of the error.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Run {
        for word in words {
            assert!(self.err.contains(word), "no '{word}' in:\n{}", self.err);
        }
        self
    }

    /// Standard output as JSON objects: one a line, or those of an array.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        objects(&self.out)
    }

    /// The last line, which must be the summary.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let last = self.objects().pop().expect("no output");
        assert_eq!(last["message_type"], "summary", "{}", self.out);
        last
    }
}

/// Every line must be one JSON object, which begins with its type if it has one, or an array of objects.
#[track_caller]
pub fn objects(text: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Value::Array(objects)) => all.extend(objects),
            Ok(object) => {
                let typed = object["message_type"].is_null() || line.starts_with("{\"message_type\":");
                assert!(typed, "{line}");
                all.push(object);
            }
            Err(e) => panic!("{e}: {line}"),
        }
    }
    assert!(all.iter().all(Value::is_object), "{text}");
    all
}

/// Copies a program. In a process of its own: a child that another test starts at that moment inherits what this
/// process has open for writing, and a program that is so can't be run.
#[track_caller]
pub fn copy_program(from: impl AsRef<Path>, to: &Path) {
    let copied = Command::new("cp").arg(from.as_ref()).arg(to).status();
    assert!(copied.unwrap().success());
}

#[track_caller]
pub fn string(object: &Value, field: &str) -> String {
    let text = object[field].as_str();
    text.unwrap_or_else(|| panic!("no {field} in {object}"))
        .to_string()
}

#[track_caller]
pub fn number(object: &Value, field: &str) -> u64 {
    let number = object[field].as_u64();
    number.unwrap_or_else(|| panic!("no {field} in {object}"))
}

/// Changes one byte in the middle of a file.
pub fn hurt(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(path, bytes).unwrap();
}
