//! What the environment determines of this machine: its directories, its name, and how a run behaves on it.

use crate::catalogue::{Cause, Expected};
use crate::env::Env;
use crate::failure::Failure;
use engine::platform::process::host_name;
use engine::units::parse_span;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernel keeps a key no longer.
const KEY_CACHE_MOST: Duration = Duration::from_secs(24 * 3600);

/// Below it nothing is ever there, and nothing can be made.
pub const NOWHERE: &str = "/proc/nowhere";

/// The directory of the local cache, absolute. It need not be there, nor be one that can be made.
pub fn cache_dir(env: &Env) -> Result<PathBuf, Failure> {
    directory(env, "DEDUP_CACHE_DIR", "XDG_CACHE_HOME", ".cache")
}

/// The directory of local state that is not a cache, absolute.
pub fn state_dir(env: &Env) -> Result<PathBuf, Failure> {
    directory(env, "DEDUP_STATE_DIR", "XDG_STATE_HOME", ".local/state")
}

fn directory(env: &Env, own: &str, xdg: &str, below: &str) -> Result<PathBuf, Failure> {
    match env.get(own) {
        Some(path) => {
            let path = env.expand(path)?;
            let text = path.display().to_string();
            let failed = |e: std::io::Error| Cause::NotAPath { text, why: e.into() };
            Ok(std::path::absolute(&path).map_err(failed)?)
        }
        None => {
            let base = env.base(xdg, below).unwrap_or_else(|_| PathBuf::from(NOWHERE));
            Ok(base.join("dedup"))
        }
    }
}

/// A directory, unless it would be in a home directory that is not there: that is made by whatever creates the user.
pub fn or_nowhere(directory: PathBuf, env: &Env) -> PathBuf {
    match env.home() {
        Ok(home) if directory.starts_with(home) && !home.is_dir() => Path::new(NOWHERE).join("dedup"),
        _ => directory,
    }
}

/// The name that this machine has in snapshots: as an option, the environment or the settings (`named`) say, or else the
/// system's.
pub fn host(option: Option<&str>, env: &Env, named: Option<&str>) -> Result<String, Failure> {
    let given = match option {
        Some(name) => Some(name).filter(|name| !name.is_empty()),
        None => env.text("DEDUP_HOST")?.or(named),
    };
    let name = given.map_or_else(host_name, String::from);
    if name.is_empty() {
        return Err(Cause::NoHostName.into());
    }
    Ok(name)
}

/// A folder of the desktop (`DESKTOP`, `DOWNLOAD`), which in other languages has another name, if it is there.
pub fn desktop_folder(env: &Env, key: &str, english: &str) -> Option<PathBuf> {
    let home = env.home().ok()?;
    let file = env
        .base("XDG_CONFIG_HOME", ".config")
        .ok()?
        .join("user-dirs.dirs");
    // Without that file it has its English name.
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let start = format!("XDG_{key}_DIR=\"");
    let mut lines = text.lines().map(str::trim);
    let named = lines.find_map(|line| line.strip_prefix(&start)?.strip_suffix('"'));
    let path = match named.map(|named| (named, named.strip_prefix("$HOME/"))) {
        Some((_, Some(below))) => home.join(below),
        Some((named, None)) => PathBuf::from(named),
        None => home.join(english),
    };
    // One that is switched off is the home directory itself.
    (path.is_absolute() && path != home && path.is_dir()).then_some(path)
}

/// Time between two drawings of progress.
pub fn progress_interval(env: &Env) -> Result<Duration, Failure> {
    let Some(text) = env.text("DEDUP_PROGRESS_FPS")? else {
        return Ok(Duration::from_millis(100));
    };
    let fps = text
        .parse::<f64>()
        .ok()
        .filter(|fps| (0.001..=60.0).contains(fps));
    let fps = fps.ok_or_else(|| bad("DEDUP_PROGRESS_FPS", text, Expected::DrawingsPerSecond))?;
    Ok(Duration::from_secs_f64(1.0 / fps))
}

/// How long the kernel keeps what opening made of a password, after each use.
pub fn key_cache(env: &Env) -> Result<Duration, Failure> {
    let Some(text) = env.text("DEDUP_KEY_CACHE")? else {
        return Ok(Duration::from_secs(2 * 3600));
    };
    let time = parse_span(text).ok().and_then(|span| {
        let exact = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
        Duration::try_from(exact).ok()
    });
    time.filter(|time| *time <= KEY_CACHE_MOST)
        .ok_or_else(|| bad("DEDUP_KEY_CACHE", text, Expected::KeyCacheTime))
}

/// A variable whose value is of no use.
pub(crate) fn bad(name: &str, text: &str, expected: Expected) -> Failure {
    let (name, text) = (name.to_string(), text.to_string());
    Cause::BadVariable { name, text, expected }.into()
}

/// Another time between checkpoints than the default: tests shorten it.
pub fn checkpoint(env: &Env) -> Result<Option<Duration>, Failure> {
    let name = "DEDUP_CHECKPOINT_SECS";
    let Some(text) = env.text(name)? else {
        return Ok(None);
    };
    let secs = text.parse::<f64>().ok().filter(|secs| (0.0..=1e9).contains(secs));
    secs.map(|secs| Some(Duration::from_secs_f64(secs)))
        .ok_or_else(|| bad(name, text, Expected::Seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    #[test]
    fn directories() {
        let env = Env::of(&[("DEDUP_CACHE_DIR", "/c"), ("XDG_STATE_HOME", "/s")]);
        assert_eq!(cache_dir(&env).unwrap(), PathBuf::from("/c"));
        assert_eq!(state_dir(&env).unwrap(), PathBuf::from("/s/dedup"));
        let env = Env::of(&[("DEDUP_CACHE_DIR", ""), ("DEDUP_STATE_DIR", "rel")]);
        assert_eq!(cache_dir(&env).unwrap(), PathBuf::from("/home/u/.cache/dedup"));
        assert!(state_dir(&env).unwrap().is_absolute());
    }

    #[test]
    fn names_of_this_machine() {
        let env = Env::of(&[("DEDUP_HOST", "env")]);
        let named = Some("settings");
        assert_eq!(host(Some("option"), &env, named).unwrap(), "option");
        assert_eq!(host(None, &env, named).unwrap(), "env");
        assert_eq!(host(Some(""), &env, named).unwrap(), host_name());
        assert_eq!(host(None, &Env::of(&[]), named).unwrap(), "settings");
        assert_eq!(host(None, &Env::of(&[]), None).unwrap(), host_name());
    }

    #[test]
    fn folders_of_the_desktop() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::at(home.path());
        let folder = |key, english| desktop_folder(&env, key, english);
        assert_eq!(folder("DESKTOP", "Desktop"), None, "it is not there");
        let make = |name: &str| std::fs::create_dir_all(home.path().join(name)).unwrap();
        ["Desktop", "Downloads", "ダウンロード", ".config"]
            .into_iter()
            .for_each(make);
        assert_eq!(folder("DESKTOP", "Desktop"), Some(home.path().join("Desktop")));
        let text = "# by a program\nXDG_DESKTOP_DIR=\"$HOME/\"\nXDG_DOWNLOAD_DIR=\"$HOME/ダウンロード\"\n";
        std::fs::write(home.path().join(".config/user-dirs.dirs"), text).unwrap();
        assert_eq!(folder("DESKTOP", "Desktop"), None, "it is switched off");
        assert_eq!(
            folder("DOWNLOAD", "Downloads"),
            Some(home.path().join("ダウンロード"))
        );
    }

    #[test]
    fn how_long_keys_are_kept() {
        let time = |text: &str| key_cache(&Env::of(&[("DEDUP_KEY_CACHE", text)]));
        let hours = |hours: u64| Ok(Duration::from_secs(hours * 3600));
        assert_eq!(time(""), hours(2));
        assert_eq!(time("0s"), hours(0));
        assert_eq!(time("1d"), hours(24));
        assert_eq!(time("30m"), Ok(Duration::from_secs(1800)));
        for bad in ["1d1s", "2", "1M", "-1h", "no"] {
            assert!(
                time(bad).unwrap_err().message().contains("DEDUP_KEY_CACHE"),
                "{bad}"
            );
        }
    }

    #[test]
    fn how_often_progress_is_drawn() {
        let interval = |fps: &str| progress_interval(&Env::of(&[("DEDUP_PROGRESS_FPS", fps)]));
        assert_eq!(interval("").unwrap(), Duration::from_millis(100));
        assert_eq!(interval("2").unwrap(), Duration::from_millis(500));
        assert_eq!(interval("0.5").unwrap(), Duration::from_secs(2));
        for bad in ["0", "-1", "61", "NaN", "inf", "many"] {
            assert_eq!(interval(bad).unwrap_err().status, Status::BadSettings, "{bad}");
        }
    }
}
