//! systemd: a timer and a service of the user's.

use super::{ARGUMENTS, CARRIED, call, delete, not_in_a_unit, text_of, write};
use crate::env::Env;
use crate::failure::Failure;
use std::fmt::Write;
use std::path::{Path, PathBuf};

pub const SERVICE: &str = "dedup.service";
pub const TIMER: &str = "dedup.timer";

/// The text of two unit files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemdUnits {
    pub service: String,
    pub timer: String,
}

/// Units that run `program`.
pub fn units(program: &Path, env: &Env) -> Result<SystemdUnits, Failure> {
    let mut variables = String::new();
    for name in CARRIED {
        if let Some(value) = env.text(name)? {
            let _ = writeln!(variables, "Environment={}", quoted(&format!("{name}={value}"))?);
        }
    }
    let program = text_of(program)?;
    Ok(SystemdUnits {
        service: format!(
            "[Unit]\nDescription=Run the dedup backups that are due\n\n[Service]\nType=oneshot\n\
             ExecStart={} {}\n{variables}\
             # Paused or not now, and running already.\nSuccessExitStatus=4 11\n\
             # It ends at a safe point when it is stopped.\nTimeoutStartSec=infinity\nTimeoutStopSec=30\nKillMode=mixed\n\
             Nice=10\nIOSchedulingClass=best-effort\nIOSchedulingPriority=7\n",
            quoted(program)?.replace('$', "$$"),
            ARGUMENTS.join(" "),
        ),
        timer: "[Unit]\nDescription=Look every five minutes which dedup backups are due\n\n[Timer]\n\
                OnCalendar=*:0/5\nPersistent=true\nAccuracySec=30s\n\n[Install]\nWantedBy=timers.target\n"
            .to_string(),
    })
}

/// In the quotes of unit files.
fn quoted(text: &str) -> Result<String, Failure> {
    if text.contains(|c: char| c.is_control()) {
        return Err(not_in_a_unit(text));
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    Ok(format!("\"{escaped}\""))
}

/// Where a user's units are.
pub fn unit_dir(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env.base("XDG_CONFIG_HOME", ".config")?.join("systemd/user"))
}

/// Writes the units and starts the timer.
pub(super) fn install(units: &SystemdUnits, env: &Env) -> Result<(), Failure> {
    let dir = unit_dir(env)?;
    let was_there = is_installed(env)?;
    for (name, text) in [(SERVICE, &units.service), (TIMER, &units.timer)] {
        write(&dir.join(name), text.as_bytes())?;
    }
    let started = systemctl(&["daemon-reload"]).and_then(|()| systemctl(&["enable", "--now", TIMER]));
    if started.is_err() && !was_there {
        // What nothing starts is not to look as if it were installed.
        delete_units(env)?;
    }
    started
}

fn delete_units(env: &Env) -> Result<(), Failure> {
    let dir = unit_dir(env)?;
    let enabled = dir.join("timers.target.wants").join(TIMER);
    [enabled, dir.join(TIMER), dir.join(SERVICE)]
        .iter()
        .try_for_each(|path| delete(path))
}

pub(super) fn is_installed(env: &Env) -> Result<bool, Failure> {
    let dir = unit_dir(env)?;
    Ok(dir.join(TIMER).exists() || dir.join(SERVICE).exists())
}

/// Stops the timer and removes the units: also where systemd can't be asked, since then no timer runs.
pub(super) fn remove(env: &Env) -> Result<(), Failure> {
    let stopped = systemctl(&["disable", "--now", TIMER]);
    delete_units(env)?;
    stopped?;
    systemctl(&["daemon-reload"])
}

fn systemctl(args: &[&str]) -> Result<(), Failure> {
    call("systemctl", &[&["--user"], args].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted() {
        let env = Env::of(&[("DEDUP_STATE_DIR", "/s 100%"), ("DEDUP_PASSWORD", "secret")]);
        let units = units(Path::new("/opt/my \"d$\"/dedup"), &env).unwrap();
        assert!(
            units
                .service
                .contains("ExecStart=\"/opt/my \\\"d$$\\\"/dedup\" --quiet run --due\n"),
            "{}",
            units.service
        );
        assert!(
            units
                .service
                .contains("Environment=\"DEDUP_STATE_DIR=/s 100%%\"\n")
                && !units.service.contains("secret")
        );
        assert!(super::units(Path::new("/a\nExecStartPre=/bin/x"), &env).is_err());
    }

    /// Where systemd is installed it says whether it understands them.
    #[test]
    fn systemd_understands_them() {
        let Ok(mut verify) = engine::platform::child::command("systemd-analyze") else {
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let program = std::env::current_exe().unwrap();
        let units = units(&program, &Env::of(&[("TZ", "Asia/Tokyo")])).unwrap();
        let paths = [(SERVICE, units.service), (TIMER, units.timer)].map(|(name, text)| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        });
        let output = verify.arg("verify").args(paths).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let own: Vec<&str> = said.lines().filter(|line| line.contains("dedup")).collect();
        assert!(output.status.success() && own.is_empty(), "{said}");
    }
}
