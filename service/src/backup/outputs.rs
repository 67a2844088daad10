//! Commands of a set whose output is saved beside its files: started when the backup comes to them, read as a stream, and
//! ended when they take too long or the run is stopped. One that fails, in whatever way, makes its stream end in an error, so
//! that half of a dump is never saved under its name.

use crate::catalogue::{CommandEnd, SetCause};
use engine::backup::Output;
use engine::platform::child;
use engine::run::CancelToken;
use engine::units::format_duration;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether the run is stopped, or a command that closed its output has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A command, run by the shell.
#[derive(Clone, Debug)]
pub struct CommandSource {
    /// The name of the file.
    pub name: String,
    pub line: String,
    /// How long it may take.
    pub limit: Duration,
}

type Failures = Arc<Mutex<BTreeMap<String, SetCause>>>;

/// The commands of one run.
pub struct Commands {
    sources: Vec<CommandSource>,
    cancel: CancelToken,
    failures: Failures,
}

impl Commands {
    pub fn new(sources: &[CommandSource], cancel: &CancelToken) -> Commands {
        Commands {
            sources: sources.to_vec(),
            cancel: cancel.clone(),
            failures: Failures::default(),
        }
    }

    /// What the engine reads, by name.
    pub fn outputs(&self) -> BTreeMap<Vec<u8>, Output> {
        let output = |source: &CommandSource| {
            let (name, source) = (source.name.clone().into_bytes(), source.clone());
            let (cancel, failures) = (self.cancel.clone(), self.failures.clone());
            let begin = move || -> io::Result<Box<dyn Read + Send>> {
                lock(&failures).remove(&source.name);
                let started = Running::start(&source, &cancel, &failures);
                let running = started.inspect_err(|e| {
                    let end = CommandEnd::System(io::Error::from(e.kind()).into());
                    fail(&failures, &source, end);
                })?;
                Ok(Box::new(running))
            };
            (name, Output::new(begin))
        };
        self.sources.iter().map(output).collect()
    }

    /// Those that failed when they were last run.
    pub fn failures(&self) -> Vec<SetCause> {
        lock(&self.failures).values().cloned().collect()
    }
}

fn fail(failures: &Failures, source: &CommandSource, why: CommandEnd) {
    let name = source.name.clone();
    let cause = SetCause::Command {
        name: name.clone(),
        why,
    };
    lock(failures).insert(name, cause);
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked left a whole value.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command that runs, and what it prints.
struct Running {
    source: CommandSource,
    failures: Failures,
    child: Arc<Mutex<Child>>,
    out: ChildStdout,
    late: Arc<Mutex<bool>>,
    has_ended: bool,
    /// Dropped with this, which ends the watch.
    _watch: Sender<()>,
}

impl Running {
    fn start(source: &CommandSource, cancel: &CancelToken, failures: &Failures) -> io::Result<Running> {
        let mut command = child::shell(source.line.as_ref())?;
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // What it starts in turn is killed with it.
        child::in_own_group(&mut command);
        let mut child = child::start(move || command.spawn())?;
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let child = Arc::new(Mutex::new(child));
        let late = Arc::new(Mutex::new(false));
        let (watch, ended) = channel();
        let watched = Watched {
            child: child.clone(),
            late: late.clone(),
            end: Instant::now() + source.limit,
            cancel: cancel.clone(),
        };
        let running = Running {
            source: source.clone(),
            failures: failures.clone(),
            child,
            out,
            late,
            has_ended: false,
            _watch: watch,
        };
        let thread = std::thread::Builder::new().name("command".to_string());
        thread.spawn(move || watched.watch(&ended))?;
        Ok(running)
    }

    /// Its end, once it has closed its output.
    fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            let status = lock(&self.child).try_wait()?;
            if let Some(status) = status {
                self.has_ended = true;
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn ended(&mut self) -> io::Result<()> {
        let status = self.wait()?;
        let is_late = *lock(&self.late);
        if is_late {
            let name = self.source.name.clone();
            let limit = format_duration(self.source.limit);
            let cause = SetCause::CommandTimedOut {
                name: name.clone(),
                limit,
            };
            lock(&self.failures).insert(name, cause);
        } else if !status.success() {
            fail(&self.failures, &self.source, CommandEnd::Status(status));
        }
        match status.success() && !is_late {
            true => Ok(()),
            false => Err(io::ErrorKind::Other.into()),
        }
    }
}

impl Read for Running {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.out.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !self.has_ended {
            self.ended()?;
        }
        Ok(read)
    }
}

/// A run that ends early ends its command, and what that has started.
impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            let mut child = lock(&self.child);
            // It may have ended by itself; either way it is not left behind as a zombie.
            let _ = child::kill_group(&mut child);
            let _ = child.wait();
        }
    }
}

/// What a thread needs to end a command.
struct Watched {
    child: Arc<Mutex<Child>>,
    late: Arc<Mutex<bool>>,
    end: Instant,
    cancel: CancelToken,
}

impl Watched {
    fn watch(&self, ended: &Receiver<()>) {
        loop {
            match ended.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
            let is_late = Instant::now() >= self.end;
            if !is_late && !self.cancel.is_cancelled() {
                continue;
            }
            let mut child = lock(&self.child);
            // One that has ended must not have another's group killed in its place.
            if let Ok(None) = child.try_wait() {
                *lock(&self.late) = is_late;
                // Its reader finds the end of the output, and then this.
                let _ = child::kill_group(&mut child);
            }
            return;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn output(line: &str, limit: Duration, cancel: &CancelToken) -> (io::Result<String>, Vec<SetCause>) {
        let source = CommandSource {
            name: "db".to_string(),
            line: line.to_string(),
            limit,
        };
        let commands = Commands::new(std::slice::from_ref(&source), cancel);
        let started = Running::start(&source, cancel, &commands.failures);
        let mut text = String::new();
        let read = started.and_then(|mut running| running.read_to_string(&mut text));
        (read.map(|_| text), commands.failures())
    }

    #[test]
    fn what_commands_print() {
        let (cancel, minute) = (CancelToken::new(), Duration::from_secs(60));
        let (read, failures) = output("printf a; printf b", minute, &cancel);
        assert_eq!((read.unwrap().as_str(), failures.len()), ("ab", 0));
        for line in [
            "printf half; exit 3",
            "kill -9 $$",
            "exec 1>&-; sleep 0.1; exit 1",
            "no-such-program",
        ] {
            let (read, failures) = output(line, minute, &cancel);
            assert!(read.is_err(), "{line}");
            assert!(
                matches!(&failures[..], [SetCause::Command { .. }]),
                "{line}: {failures:?}"
            );
        }
    }

    #[test]
    fn one_that_hangs_is_killed() {
        let hang = "printf half; sleep 1000 | cat";
        let (read, failures) = output(hang, Duration::from_millis(200), &CancelToken::new());
        assert!(read.is_err());
        assert!(
            matches!(&failures[..], [SetCause::CommandTimedOut { .. }]),
            "{failures:?}"
        );
        let cancelled = CancelToken::new();
        cancelled.cancel();
        assert!(output(hang, Duration::from_secs(1000), &cancelled).0.is_err());
    }

    #[test]
    fn no_secret_is_seen() {
        let (read, _) = output("env", Duration::from_secs(60), &CancelToken::new());
        assert!(!read.unwrap().contains("DEDUP_"));
    }
}
