//! A stream to back up: standard input, or what a command prints. A command that fails makes the read fail, so that
//! half of a dump never becomes a snapshot.

use crate::args::backup::StdinArgs;
use crate::render::text;
use engine::child;
use service::{Failure, Status};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::process::{Child, ChildStdout, Stdio};

pub struct Input {
    /// An absolute path, as bytes.
    name: Vec<u8>,
    from: From,
}

enum From {
    Stdin,
    /// Program and arguments, until it is started.
    Command(Vec<OsString>),
    Running {
        child: Child,
        out: ChildStdout,
    },
    Ended,
}

impl Input {
    /// `None` where files are backed up.
    pub fn new(args: &StdinArgs, words: &[OsString]) -> Result<Option<Input>, Failure> {
        let from = match (args.stdin, args.stdin_from_command) {
            (true, _) => From::Stdin,
            (_, true) => From::Command(words.to_vec()),
            (false, false) => return Ok(None),
        };
        let name = text::absolute(args.stdin_filename.as_encoded_bytes());
        let mut parts = name
            .split(|b| *b == b'/')
            .filter(|part| !part.is_empty())
            .peekable();
        if parts.peek().is_none() || parts.any(|part| part == b"." || part == b"..") || name.contains(&0) {
            return Err(Failure::usage(
                "--stdin-filename must be the name or path of a file",
            ));
        }
        Ok(Some(Input { name, from }))
    }

    pub fn name(&self) -> Vec<u8> {
        self.name.clone()
    }

    /// Starts the command, once nothing else can fail before it is needed. It sees no password of ours.
    pub fn start(&mut self) -> Result<(), Failure> {
        match &self.from {
            From::Stdin if io::stdin().is_terminal() => Err(Failure::usage(
                "--stdin reads standard input, which is the terminal: pipe something into it",
            )),
            From::Command(words) => {
                let (program, arguments) = words
                    .split_first()
                    .ok_or_else(|| Failure::usage("--stdin-from-command needs a command"))?;
                let failed = |e: &dyn std::fmt::Display| {
                    let program = program.to_string_lossy();
                    Failure::new(
                        Status::Failed,
                        format!("can't run {program}: {e}; no snapshot was made"),
                    )
                };
                let mut command = child::command(program).map_err(|e| failed(&e))?;
                command.args(arguments).stdout(Stdio::piped());
                let mut child = child::start(move || command.spawn()).map_err(|e| failed(&e))?;
                let out = child.stdout.take().ok_or_else(|| failed(&"it has no output"))?;
                self.from = From::Running { child, out };
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.from {
            From::Stdin => io::stdin().lock().read(buffer),
            From::Running { child, out } => {
                let n = out.read(buffer)?;
                if n == 0 && !buffer.is_empty() {
                    let status = child.wait()?;
                    self.from = From::Ended;
                    if !status.success() {
                        return Err(io::Error::other(format!(
                            "the command failed: {status}; no snapshot was made"
                        )));
                    }
                }
                Ok(n)
            }
            From::Command(_) | From::Ended => Ok(0),
        }
    }
}

/// A run that ends early ends its command too.
impl Drop for Input {
    fn drop(&mut self) {
        if let From::Running { child, .. } = &mut self.from {
            // It may have ended by itself; either way it is not left behind as a zombie.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(words: &[&str]) -> Input {
        let args = StdinArgs {
            stdin: false,
            stdin_filename: "db/dump".into(),
            stdin_from_command: true,
        };
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Input::new(&args, &words).unwrap().unwrap()
    }

    fn output(words: &[&str]) -> io::Result<String> {
        let mut input = input(words);
        input.start().map_err(|f| io::Error::other(f.message))?;
        let mut text = String::new();
        input.read_to_string(&mut text).map(|_| text)
    }

    #[cfg(unix)]
    #[test]
    fn what_a_command_prints() {
        assert_eq!(output(&["sh", "-c", "echo a; echo b"]).unwrap(), "a\nb\n");
        for words in [["sh", "-c", "echo half; exit 3"], ["sh", "-c", "kill -9 $$"]] {
            let error = output(&words).unwrap_err();
            assert!(error.to_string().contains("the command failed"), "{error}");
        }
        assert!(
            output(&["/no/such/program"])
                .unwrap_err()
                .to_string()
                .contains("/no/such/program")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_command_does_not_outlive_its_input() {
        let mut input = input(&["sh", "-c", "echo ready; exec sleep 100"]);
        input.start().unwrap();
        let From::Running { child, .. } = &input.from else {
            panic!("not running")
        };
        let proc = std::path::PathBuf::from(format!("/proc/{}", child.id()));
        assert!(proc.exists());
        drop(input);
        assert!(!proc.exists());
    }

    #[test]
    fn names() {
        let named = |name: &str| {
            let args = StdinArgs {
                stdin: true,
                stdin_filename: name.into(),
                stdin_from_command: false,
            };
            Input::new(&args, &[]).map(|input| input.unwrap().name())
        };
        assert_eq!(named("stdin").unwrap(), b"/stdin");
        assert_eq!(named("/a/b").unwrap(), b"/a/b");
        for name in ["", "/", "..", "a/../b", "."] {
            assert_eq!(named(name).unwrap_err().status, Status::BadSettings, "{name}");
        }
    }
}
