//! The icon at each login: an entry for the desktop (Desktop Application Autostart Specification 0.5), which starts
//! `dedup tray` with the session.

use crate::catalogue::{Action, Cause};
use crate::env::Env;
use crate::failure::Failure;
use engine::platform::files;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const FILE: &str = "dedup-tray.desktop";
/// A session's first programs are there before its panel.
const ARGUMENTS: &str = "tray --wait";
/// Variables by which the icon finds what the commands find. What else it needs, a session has.
const CARRIED: [&str; 3] = ["DEDUP_STATE_DIR", "DEDUP_PROFILE", "DEDUP_HOST"];

/// Where the entry is, or is to be.
pub fn place(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env
        .base("XDG_CONFIG_HOME", ".config")?
        .join("autostart")
        .join(FILE))
}

/// The entry that starts `program`.
pub fn entry(program: &Path, env: &Env) -> Result<String, Failure> {
    let mut line = String::new();
    for name in CARRIED {
        if let Some(value) = env.text(name)? {
            let variable = quoted(&format!("{name}={value}"))?;
            line = match line.is_empty() {
                true => format!("env {variable}"),
                false => format!("{line} {variable}"),
            };
        }
    }
    let program = program
        .to_str()
        .ok_or_else(|| Failure::from(Cause::ProgramNotUtf8))?;
    let line = format!("{line} {} {ARGUMENTS}", quoted(program)?);
    Ok(format!(
        "[Desktop Entry]\nType=Application\nName=dedup\nComment=State of the backups\nComment[ja]=バックアップの状態\n\
         Exec={}\nTerminal=false\nNoDisplay=true\n",
        line.trim_start()
    ))
}

/// As an argument of `Exec`: escaped for its quotes, and the whole then as a string (Desktop Entry Specification 1.5).
fn quoted(text: &str) -> Result<String, Failure> {
    if text.contains(|c: char| c.is_control()) {
        let text = text.escape_debug().to_string();
        return Err(Cause::NotInAUnit { text }.into());
    }
    let mut quoted = String::new();
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\\\\\"),
            '"' | '`' | '$' => quoted.extend(["\\\\", c.encode_utf8(&mut [0; 4])]),
            '%' => quoted.push_str("%%"),
            c => quoted.push(c),
        }
    }
    Ok(format!("\"{quoted}\""))
}

/// Writes the entry.
pub fn install(program: &Path, env: &Env) -> Result<(), Failure> {
    let (place, text) = (place(env)?, entry(program, env)?);
    files::rewrite(&place, text.as_bytes()).map_err(|e| Failure::system(Action::Write, &place, e))
}

/// Removes it. False if there is none.
pub fn remove(env: &Env) -> Result<bool, Failure> {
    let place = place(env)?;
    match std::fs::remove_file(&place) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Failure::system(Action::Use, &place, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let env = Env::of(&[("DEDUP_STATE_DIR", "/s t/$x")]);
        let text = entry(Path::new("/opt/50% \"d\\/dedup"), &env).unwrap();
        let line = text.lines().find(|line| line.starts_with("Exec=")).unwrap();
        assert_eq!(
            line,
            r#"Exec=env "DEDUP_STATE_DIR=/s t/\\$x" "/opt/50%% \\"d\\\\/dedup" tray --wait"#
        );
        let plain = entry(Path::new("/usr/bin/dedup"), &Env::of(&[])).unwrap();
        assert!(
            plain.contains("\nExec=\"/usr/bin/dedup\" tray --wait\n"),
            "{plain}"
        );
        assert!(entry(Path::new("/a\nb"), &env).is_err());
        assert_eq!(
            place(&env).unwrap(),
            Path::new("/home/u/.config/autostart/dedup-tray.desktop")
        );
    }
}
