//! What the operating system's scheduler needs to call `dedup run --due`: a systemd timer and service, or a line for cron.
//! One entry per machine or user; which set runs when is decided by [`crate::schedule`].

use crate::catalogue::{Action, Cause, CommandEnd};
use crate::env::Env;
use crate::failure::Failure;
use engine::platform::{child, files};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

pub const SERVICE: &str = "dedup.service";
pub const TIMER: &str = "dedup.timer";

/// Variables that determine where things are, and hold no secret: the timer must find the same.
const CARRIED: [&str; 8] = [
    "DEDUP_CACHE_DIR",
    "DEDUP_STATE_DIR",
    "DEDUP_HOST",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "TZ",
];

/// The text of two unit files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemdUnits {
    pub service: String,
    pub timer: String,
}

/// Units that run `program`.
pub fn systemd(program: &Path, env: &Env) -> Result<SystemdUnits, Failure> {
    let mut variables = String::new();
    for name in CARRIED {
        if let Some(value) = env.text(name)? {
            let _ = writeln!(variables, "Environment={}", quoted(&format!("{name}={value}"))?);
        }
    }
    let program = program.to_str();
    let program = program.ok_or_else(|| Failure::from(Cause::ProgramNotUtf8))?;
    Ok(SystemdUnits {
        service: format!(
            "[Unit]\nDescription=Run the dedup backups that are due\n\n[Service]\nType=oneshot\n\
             ExecStart={} --quiet run --due\n{variables}\
             # Paused or not now, and running already.\nSuccessExitStatus=4 11\n\
             # It ends at a safe point when it is stopped.\nTimeoutStartSec=infinity\nTimeoutStopSec=30\nKillMode=mixed\n\
             Nice=10\nIOSchedulingClass=best-effort\nIOSchedulingPriority=7\n",
            quoted(program)?.replace('$', "$$")
        ),
        timer: "[Unit]\nDescription=Look every five minutes which dedup backups are due\n\n[Timer]\n\
                OnCalendar=*:0/5\nPersistent=true\nAccuracySec=30s\n\n[Install]\nWantedBy=timers.target\n"
            .to_string(),
    })
}

/// In the quotes of unit files.
fn quoted(text: &str) -> Result<String, Failure> {
    if text.contains(|c: char| c.is_control()) {
        let text = text.escape_debug().to_string();
        return Err(Cause::NotInAUnit { text }.into());
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    Ok(format!("\"{escaped}\""))
}

/// A line for `crontab -e`.
pub fn cron_line(program: &Path) -> Result<String, Failure> {
    let program = program.to_str();
    let program = program.filter(|program| !program.contains(|c: char| c.is_control()));
    let program = program.ok_or_else(|| Failure::from(Cause::ProgramNotInCrontab))?;
    let program = match program.contains(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c))) {
        true => format!("'{}'", program.replace('\'', "'\\''").replace('%', "\\%")),
        false => program.to_string(),
    };
    Ok(format!("*/5 * * * * {program} --quiet run --due"))
}

/// Where a user's units are.
pub fn unit_dir(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env.base("XDG_CONFIG_HOME", ".config")?.join("systemd/user"))
}

/// Writes the units and starts the timer.
pub fn install(units: &SystemdUnits, env: &Env) -> Result<PathBuf, Failure> {
    let dir = unit_dir(env)?;
    for (name, text) in [(SERVICE, &units.service), (TIMER, &units.timer)] {
        let path = dir.join(name);
        files::rewrite(&path, text.as_bytes()).map_err(|e| Failure::system(Action::Write, &path, e))?;
    }
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", "--now", TIMER])?;
    Ok(dir)
}

/// Stops the timer and removes the units. False if they are not there.
pub fn remove(env: &Env) -> Result<bool, Failure> {
    let dir = unit_dir(env)?;
    if !dir.join(TIMER).exists() && !dir.join(SERVICE).exists() {
        return Ok(false);
    }
    systemctl(&["disable", "--now", TIMER])?;
    for path in [TIMER, SERVICE].map(|name| dir.join(name)) {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::system(Action::Use, &path, e));
            }
            _ => {}
        }
    }
    systemctl(&["daemon-reload"])?;
    Ok(true)
}

fn systemctl(args: &[&str]) -> Result<(), Failure> {
    let failed = |why| {
        let command = format!("systemctl --user {}", args.join(" "));
        Failure::from(Cause::Systemctl { command, why })
    };
    let refused = |e: std::io::Error| failed(CommandEnd::System(e.into()));
    let mut command = child::command("systemctl").map_err(refused)?;
    command
        .arg("--user")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let child = child::start(move || command.spawn()).map_err(refused)?;
    let output = child.wait_with_output().map_err(refused)?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or_default();
            Err(failed(match said.is_empty() {
                true => CommandEnd::Status(output.status.to_string()),
                false => CommandEnd::Said(said.to_string()),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted() {
        let env = Env::of(&[("DEDUP_STATE_DIR", "/s 100%"), ("DEDUP_PASSWORD", "secret")]);
        let units = systemd(Path::new("/opt/my \"d$\"/dedup"), &env).unwrap();
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
        assert!(systemd(Path::new("/a\nExecStartPre=/bin/x"), &env).is_err());
        assert_eq!(
            cron_line(Path::new("/usr/bin/dedup")).unwrap(),
            "*/5 * * * * /usr/bin/dedup --quiet run --due"
        );
        let line = cron_line(Path::new("/o'1%/dedup")).unwrap();
        assert_eq!(line, "*/5 * * * * '/o'\\''1\\%/dedup' --quiet run --due");
    }

    /// If systemd is installed, it reports whether it understands them.
    #[test]
    fn systemd_understands_them() {
        let Ok(mut verify) = child::command("systemd-analyze") else {
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let program = std::env::current_exe().unwrap();
        let units = systemd(&program, &Env::of(&[("TZ", "Asia/Tokyo")])).unwrap();
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
