//! The program on a terminal, whose questions are answered. Python has what it takes to make one.

use crate::program::{Home, Run};
use std::process::Command;

const DRIVER: &str = include_str!("terminal.py");

impl Home {
    /// Runs the program on a terminal: waits for each pattern, and types the line that belongs to it. `out` is all that was
    /// shown.
    pub fn on_terminal(&self, vars: &[(&str, &str)], args: &[&str], steps: &[(&str, &str)]) -> Run {
        let mut program = self.command(args);
        program.envs(vars.iter().copied());
        on_terminal(&program, steps)
    }
}

/// The same of any program.
pub fn on_terminal(program: &Command, steps: &[(&str, &str)]) -> Run {
    let mut python = Command::new("python3");
    python
        .args(["-c", DRIVER, &serde_json::to_string(steps).unwrap()])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear();
    if let Some(folder) = program.get_current_dir() {
        python.current_dir(folder);
    }
    for (name, value) in program.get_envs() {
        python.env(name, value.unwrap_or_default());
    }
    Run::of(python.env("TERM", "xterm").output().unwrap())
}
