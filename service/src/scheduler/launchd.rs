//! launchd of macOS: an agent of the user's. It ticks every five minutes while the user is logged in; ticks that the
//! machine slept through come as one when it wakes up.

use super::{ARGUMENTS, CARRIED, Call, delete, in_xml, not_in_a_unit, text_of, write};
use crate::env::Env;
use crate::failure::Failure;
use engine::platform::process;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const LABEL: &str = "dedup.run-due";
pub const FILE: &str = "dedup.run-due.plist";

/// The property list (`launchd.plist(5)`).
pub fn plist(program: &Path, env: &Env) -> Result<String, Failure> {
    let mut arguments = String::new();
    for argument in [text_of(program)?].into_iter().chain(ARGUMENTS) {
        // Writing to a String can't fail.
        let _ = writeln!(arguments, "    <string>{}</string>", in_xml(argument));
    }
    let mut variables = String::new();
    for name in CARRIED {
        let Some(value) = env.text(name)? else { continue };
        if value.contains(|c: char| c.is_control()) {
            return Err(not_in_a_unit(value));
        }
        let _ = writeln!(
            variables,
            "    <key>{name}</key>\n    <string>{}</string>",
            in_xml(value)
        );
    }
    let mut keys = format!(
        "  <key>Label</key>\n  <string>{LABEL}</string>\n  <key>ProgramArguments</key>\n  <array>\n{arguments}  </array>\n"
    );
    if !variables.is_empty() {
        let _ = write!(
            keys,
            "  <key>EnvironmentVariables</key>\n  <dict>\n{variables}  </dict>\n"
        );
    }
    // It ends at a safe point when it is stopped.
    keys += "  <key>StartInterval</key>\n  <integer>300</integer>\n  <key>RunAtLoad</key>\n  <true/>\n  \
        <key>ExitTimeOut</key>\n  <integer>30</integer>\n  <key>ProcessType</key>\n  <string>Background</string>\n  \
        <key>LowPriorityIO</key>\n  <true/>\n  <key>Nice</key>\n  <integer>10</integer>\n";
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n{keys}</dict>\n</plist>\n"
    ))
}

/// Where the property list is.
pub fn file(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env.home()?.join("Library/LaunchAgents").join(FILE))
}

fn domain() -> String {
    format!("gui/{}", process::user_id())
}

pub(super) fn install(plist: &str, env: &Env, call: Call<'_>) -> Result<(), Failure> {
    let (file, domain) = (file(env)?, domain());
    let is_loaded = file.exists();
    write(&file, plist.as_bytes())?;
    if is_loaded {
        // It may have been unloaded by hand.
        let _ = call("launchctl", &["bootout", &format!("{domain}/{LABEL}")]);
    }
    call("launchctl", &["bootstrap", &domain, &file.to_string_lossy()])
}

pub(super) fn remove(env: &Env, call: Call<'_>) -> Result<(), Failure> {
    let stopped = call("launchctl", &["bootout", &format!("{}/{LABEL}", domain())]);
    delete(&file(env)?)?;
    stopped
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn what_launchctl_is_asked() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::at(home.path());
        let asked = RefCell::new(Vec::new());
        let call = |program: &str, args: &[&str]| {
            asked.borrow_mut().push(format!("{program} {}", args[0]));
            Ok(())
        };
        let text = plist(Path::new("/opt/dedup & co/dedup"), &env).unwrap();
        assert!(
            text.contains("<string>/opt/dedup &amp; co/dedup</string>"),
            "{text}"
        );
        for _ in 0..2 {
            install(&text, &env, &call).unwrap();
        }
        let file = home.path().join("Library/LaunchAgents/dedup.run-due.plist");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        remove(&env, &call).unwrap();
        assert!(!file.exists());
        let asked = asked.into_inner();
        assert_eq!(
            asked,
            [
                "launchctl bootstrap",
                "launchctl bootout",
                "launchctl bootstrap",
                "launchctl bootout"
            ]
        );
    }
}
