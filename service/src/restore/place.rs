//! Where a restore goes: a folder, or one that everybody has.

use crate::catalogue::BrowseCause;
use crate::env::Env;
use crate::failure::Failure;
use engine::manifest::Manifest;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where to restore to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RestorePlace {
    Folder(PathBuf),
    /// Where everything was when it was backed up.
    Original,
    Desktop,
    Downloads,
}

impl RestorePlace {
    /// `original`, `desktop`, `downloads` or a folder.
    pub fn parse(text: &OsStr) -> RestorePlace {
        match text.to_str() {
            Some("original") => RestorePlace::Original,
            Some("desktop") => RestorePlace::Desktop,
            Some("downloads") => RestorePlace::Downloads,
            _ => RestorePlace::Folder(text.into()),
        }
    }

    pub(super) fn folder(&self, env: &Env) -> Result<PathBuf, Failure> {
        match self {
            RestorePlace::Folder(folder) => Ok(folder.clone()),
            RestorePlace::Original => Ok(PathBuf::from("/")),
            RestorePlace::Desktop => user_folder(env, "XDG_DESKTOP_DIR", "Desktop"),
            RestorePlace::Downloads => user_folder(env, "XDG_DOWNLOAD_DIR", "Downloads"),
        }
    }
}

/// Longest list of a user's folders that is read.
const LIST_MAX: u64 = 64 << 10;

/// As the desktop's list of folders has it (user-dirs.dirs of xdg-user-dirs), which names them in the user's language.
fn user_folder(env: &Env, variable: &str, usual: &str) -> Result<PathBuf, Failure> {
    let home = env.home()?;
    let list = env.base("XDG_CONFIG_HOME", ".config")?.join("user-dirs.dirs");
    let mut text = String::new();
    // A list that is not there, or can't be read, names none.
    let _unread = std::fs::File::open(list)
        .and_then(|file| std::io::Read::read_to_string(&mut std::io::Read::take(file, LIST_MAX), &mut text));
    Ok(named(&text, variable, home).unwrap_or_else(|| home.join(usual)))
}

fn named(list: &str, variable: &str, home: &Path) -> Option<PathBuf> {
    // The last one counts, as for a shell.
    let mut lines = list.lines().rev().filter_map(|line| line.trim().split_once('='));
    let value = lines.find(|(name, _)| *name == variable)?.1;
    let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    match value.strip_prefix("$HOME") {
        Some(below) => Some(home.join(below.trim_start_matches('/'))),
        None => Some(PathBuf::from(value)).filter(|path| path.is_absolute()),
    }
}

/// Paths of another system lead nowhere here.
pub(super) fn check_original(manifest: &Manifest) -> Result<(), Failure> {
    match manifest.is_of_this_system() {
        true => Ok(()),
        false => Err(BrowseCause::OriginalOfOtherSystem.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_desktop() {
        let list = "# comment\nXDG_DESKTOP_DIR=\"$HOME/デスクトップ\"\nXDG_DOWNLOAD_DIR=\"/data/in\"\nXDG_X=\"rel\"\n";
        let home = Path::new("/home/u");
        let folder = |name| named(list, name, home);
        assert_eq!(folder("XDG_DESKTOP_DIR"), Some("/home/u/デスクトップ".into()));
        assert_eq!(folder("XDG_DOWNLOAD_DIR"), Some("/data/in".into()));
        assert_eq!(folder("XDG_X"), None);
        assert_eq!(folder("XDG_Y"), None);
    }

    #[test]
    fn words_are_places() {
        for (text, place) in [
            ("original", RestorePlace::Original),
            ("desktop", RestorePlace::Desktop),
            ("downloads", RestorePlace::Downloads),
            ("./original", RestorePlace::Folder("./original".into())),
            ("/x", RestorePlace::Folder("/x".into())),
        ] {
            assert_eq!(RestorePlace::parse(OsStr::new(text)), place);
        }
    }
}
