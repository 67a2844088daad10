//! systemd of a user, started for a test in a namespace with a `/run` of its own.

use std::path::Path;
use std::process::{Command, Stdio};

/// `$1` is a script of the test's.
const SESSION: &str = r#"
mount -t tmpfs tmpfs /run || exit 90
mkdir -p /run/systemd/system /run/user
mkdir -m 700 /run/user/own
export XDG_RUNTIME_DIR=/run/user/own
unset DBUS_SESSION_BUS_ADDRESS
/usr/lib/systemd/systemd --user --unit=basic.target >"$HOME/systemd.log" 2>&1 </dev/null &
systemd=$!
trap 'kill $systemd; wait $systemd || true' EXIT
until [ -e /run/user/own/systemd/private ]; do sleep 0.05; done
until systemctl --user is-active -q basic.target; do sleep 0.05; done
sh -c "$1"
"#;

/// Runs a script in such a session, as the user of `program`, which it finds as `$DEDUP`. `None`, with a message, where that
/// can't be done.
pub fn in_session(program: &Command, script: &str, test: &str) -> Option<Command> {
    if !Path::new("/usr/lib/systemd/systemd").exists() || !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED {test}: it needs systemd, and root for a namespace");
        return None;
    }
    let mut session = Command::new("unshare");
    session
        .args([
            "-m",
            "--propagation",
            "private",
            "sh",
            "-c",
            SESSION,
            "sh",
            script,
        ])
        .env_clear()
        .stdin(Stdio::null());
    if let Some(folder) = program.get_current_dir() {
        session.current_dir(folder);
    }
    for (name, value) in program.get_envs() {
        session.env(name, value.unwrap_or_default());
    }
    session.env("DEDUP", program.get_program());
    Some(session)
}
