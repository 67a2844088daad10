//! What is backed up: files, or a stream such as standard input or what a command prints. A command that fails makes
//! the read fail, so that half of a dump never becomes a snapshot.

use super::sources::SourceLists;
use crate::catalogue::{Cause, Unfit};
use crate::failure::Failure;
use engine::platform::child;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::process::{Child, ChildStdout, Stdio};

pub enum Input {
    Files {
        /// A directory that is a link is followed if a slash ends it.
        paths: Vec<OsString>,
        lists: SourceLists,
    },
    /// One file of this name, or absolute path.
    Stream {
        name: OsString,
        from: Box<dyn Read + Send>,
    },
    /// The same, from what a program prints that is started with these arguments.
    Command { name: OsString, command: Vec<OsString> },
}

/// A stream, which is read once it was started.
pub struct RunningInput {
    /// An absolute path, as bytes.
    name: Vec<u8>,
    from: From,
}

enum From {
    Nothing,
    Stream(Box<dyn Read + Send>),
    Running { child: Child, out: ChildStdout },
}

impl RunningInput {
    /// `None` where files are backed up.
    pub fn of(input: &Input) -> Result<Option<RunningInput>, Failure> {
        let name = match input {
            Input::Files { .. } => return Ok(None),
            Input::Stream { name, .. } | Input::Command { name, .. } => absolute(name),
        };
        let mut parts = name
            .split(|b| *b == b'/')
            .filter(|part| !part.is_empty())
            .peekable();
        if parts.peek().is_none() || parts.any(|part| part == b"." || part == b"..") || name.contains(&0) {
            return Err(Cause::StreamName.into());
        }
        let from = From::Nothing;
        Ok(Some(RunningInput { name, from }))
    }

    pub fn name(&self) -> Vec<u8> {
        self.name.clone()
    }

    /// Starts the command, once nothing else can fail before it is needed. It sees no password of ours.
    pub fn start(&mut self, input: Input) -> Result<(), Failure> {
        self.from = match input {
            Input::Files { .. } => From::Nothing,
            Input::Stream { from, .. } => From::Stream(from),
            Input::Command { command, .. } => start(&command)?,
        };
        Ok(())
    }
}

fn start(words: &[OsString]) -> Result<From, Failure> {
    let (program, arguments) = words.split_first().ok_or(Cause::NoCommand)?;
    let failed = |why: Unfit| Cause::CannotRun {
        program: program.to_string_lossy().into_owned(),
        why,
    };
    let mut command = child::command(program).map_err(|e| failed(e.into()))?;
    command.args(arguments).stdout(Stdio::piped());
    let mut child = child::start(move || command.spawn()).map_err(|e| failed(e.into()))?;
    let out = child.stdout.take().ok_or_else(|| failed(Unfit::NoOutput))?;
    Ok(From::Running { child, out })
}

/// From the root, as snapshots hold it.
fn absolute(name: &OsStr) -> Vec<u8> {
    let name = name.as_encoded_bytes();
    match name.first() {
        Some(b'/') => name.to_vec(),
        _ => [b"/", name].concat(),
    }
}

impl Read for RunningInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.from {
            From::Nothing => Ok(0),
            From::Stream(from) => from.read(buffer),
            From::Running { child, out } => {
                let n = out.read(buffer)?;
                if n == 0 && !buffer.is_empty() {
                    let status = child.wait()?;
                    self.from = From::Nothing;
                    if !status.success() {
                        return Err(io::Error::other(format!(
                            "the command failed: {status}; no snapshot was made"
                        )));
                    }
                }
                Ok(n)
            }
        }
    }
}

/// A run that ends early ends its command too.
impl Drop for RunningInput {
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
    use crate::status::Status;

    fn started(words: &[&str]) -> Result<RunningInput, Failure> {
        let input = Input::Command {
            name: "db/dump".into(),
            command: words.iter().map(OsString::from).collect(),
        };
        let mut running = RunningInput::of(&input)?.unwrap();
        running.start(input)?;
        Ok(running)
    }

    fn output(words: &[&str]) -> io::Result<String> {
        let mut input = started(words).map_err(|f| io::Error::other(f.message()))?;
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
        let input = started(&["sh", "-c", "echo ready; exec sleep 100"]).unwrap();
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
            let input = Input::Stream {
                name: name.into(),
                from: Box::new(io::empty()),
            };
            RunningInput::of(&input).map(|input| input.unwrap().name())
        };
        assert_eq!(named("stdin").unwrap(), b"/stdin");
        assert_eq!(named("/a/b").unwrap(), b"/a/b");
        for name in ["", "/", "..", "a/../b", "."] {
            assert_eq!(named(name).unwrap_err().status, Status::BadSettings, "{name}");
        }
    }
}
