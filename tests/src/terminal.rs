//! The program on a terminal, whose questions are answered. Python has what it takes to make one.

use crate::program::{Home, Run};
use std::process::Command;

const DRIVER: &str = include_str!("terminal.py");

impl Home {
    /// Runs the program on a terminal: waits for each pattern, and types the line that belongs to it. `out` is all that was
    /// shown.
    pub fn on_terminal(&self, vars: &[(&str, &str)], args: &[&str], steps: &[(&str, &str)]) -> Run {
        let program = self.command(args);
        let mut python = Command::new("python3");
        python
            .args(["-c", DRIVER, &serde_json::to_string(steps).unwrap()])
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(self.path(""))
            .env_clear();
        for (name, value) in program.get_envs() {
            python.env(name, value.unwrap_or_default());
        }
        Run::of(
            python
                .env("TERM", "xterm")
                .envs(vars.iter().copied())
                .output()
                .unwrap(),
        )
    }
}
