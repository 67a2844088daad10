//! The folders of this machine with three-state boxes. Nothing is kept: what is ticked follows from the sources and the
//! excluded folders that stand in the form, and a click changes those.

use crate::pages::shown;
use service::backup::standard::literal;
use service::env::Env;
use service::platform::paths::to_bytes;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Folders that are shown of one; a person does not tick more by hand.
const FOLDERS_MAX: usize = 300;
/// Folders that are open at once.
const OPEN_MAX: usize = 200;
/// Folders below each other that are indented.
const DEPTH_MAX: usize = 8;

/// What is saved, and what in it is not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TickedPaths {
    pub sources: Vec<String>,
    pub exclude: Vec<String>,
}

/// Whether a folder is saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tick {
    On,
    Off,
    /// Some of what is in it is, or is not.
    Mixed,
}

impl Tick {
    /// The value of `aria-checked`.
    pub fn word(&self) -> &'static str {
        match self {
            Tick::On => "true",
            Tick::Off => "false",
            Tick::Mixed => "mixed",
        }
    }
}

/// A folder as the page shows it.
pub struct FolderView {
    pub path: String,
    pub name: String,
    pub tick: Tick,
    /// How deep it stands on the page, which has room for a few.
    pub depth: usize,
    pub is_open: bool,
    /// It can be opened.
    pub is_readable: bool,
    /// There are more folders in it than are shown.
    pub more: bool,
}

/// A place that says what becomes of a folder and what is below.
struct Marker {
    path: PathBuf,
    is_saved: bool,
}

fn markers(env: &Env, picked: &TickedPaths) -> Vec<Marker> {
    let sources = picked.sources.iter().filter_map(|text| {
        let path = env.expand(OsStr::new(text)).ok()?;
        Some(Marker { path, is_saved: true })
    });
    let excluded = picked.exclude.iter().filter_map(|text| {
        let path = folder_of(text)?;
        Some(Marker {
            path,
            is_saved: false,
        })
    });
    // Of the two at one place the source counts.
    excluded.chain(sources).collect()
}

/// The folder that a pattern such as `/home/me/old/` leaves out; `None` for one that matches by its form.
fn folder_of(pattern: &str) -> Option<PathBuf> {
    let rest = pattern.strip_prefix('/')?;
    let mut plain = String::from("/");
    let mut chars = rest.strip_suffix('/').unwrap_or(rest).chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next()?),
            c if "*?[]".contains(c) => return None,
            c => plain.push(c),
        }
    }
    Some(PathBuf::from(plain))
}

pub fn tick(env: &Env, picked: &TickedPaths, path: &Path) -> Tick {
    tick_of(&markers(env, picked), path)
}

fn tick_of(markers: &[Marker], path: &Path) -> Tick {
    let above = markers.iter().filter(|one| path.starts_with(&one.path));
    let deepest = above.max_by_key(|one| one.path.components().count());
    let is_saved = deepest.is_some_and(|one| one.is_saved);
    let is_other = |one: &&Marker| one.path != path && one.path.starts_with(path) && one.is_saved != is_saved;
    match (markers.iter().any(|one| is_other(&one)), is_saved) {
        (true, _) => Tick::Mixed,
        (false, true) => Tick::On,
        (false, false) => Tick::Off,
    }
}

/// Ticks a folder, or unticks one that is ticked as a whole.
pub fn toggle(env: &Env, picked: &TickedPaths, path: &Path) -> TickedPaths {
    let was_on = tick(env, picked, path) == Tick::On;
    let is_below = |at: Option<PathBuf>| at.is_some_and(|at| at.starts_with(path));
    let mut next = picked.clone();
    next.sources
        .retain(|text| !is_below(env.expand(OsStr::new(text)).ok()));
    next.exclude.retain(|text| !is_below(folder_of(text)));
    let is_on = tick(env, &next, path) == Tick::On;
    if is_on && was_on {
        let relative = to_bytes(path);
        let relative = relative.strip_prefix(b"/").unwrap_or(&relative);
        next.exclude.push(format!("/{}/", literal(relative)));
    } else if !is_on && !was_on {
        next.sources.push(written(env, path));
    }
    next
}

/// A path as it is written into the settings.
fn written(env: &Env, path: &Path) -> String {
    let home = env.home().ok().filter(|home| home.parent().is_some());
    let below = home.and_then(|home| path.strip_prefix(home).ok());
    match below {
        Some(below) if below.as_os_str().is_empty() => "~".to_string(),
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}

/// The home directory and the root, with what is open, one below the other.
pub fn folders(env: &Env, picked: &TickedPaths, open: &[PathBuf]) -> Vec<FolderView> {
    let open = open.get(..OPEN_MAX.min(open.len())).unwrap_or_default();
    let tree = Tree {
        markers: markers(env, picked),
        open,
    };
    let mut views = Vec::new();
    let home = env.home().ok().map(Path::to_path_buf);
    for root in home.into_iter().chain([PathBuf::from("/")]) {
        let name = shown(&to_bytes(&root));
        tree.add(root, name, 0, &mut views);
    }
    views
}

struct Tree<'a> {
    markers: Vec<Marker>,
    open: &'a [PathBuf],
}

impl Tree<'_> {
    fn add(&self, path: PathBuf, name: String, depth: usize, views: &mut Vec<FolderView>) {
        let listed = std::fs::read_dir(&path);
        let (mut names, mut more) = (Vec::new(), false);
        let is_open = self.open.contains(&path) && listed.is_ok();
        let is_readable = listed.is_ok();
        if let (true, Ok(entries)) = (is_open, listed) {
            let dirs = entries.flatten().filter(|entry| {
                // A name that is not text can't stand in the settings.
                entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.file_name().to_str().is_some()
            });
            names = dirs.map(|entry| entry.file_name()).collect();
            names.sort_by_key(|name| {
                (
                    name.as_encoded_bytes().starts_with(b"."),
                    name.to_ascii_lowercase(),
                )
            });
            more = names.len() > FOLDERS_MAX;
            names.truncate(FOLDERS_MAX);
        }
        views.push(FolderView {
            tick: tick_of(&self.markers, &path),
            path: path.display().to_string(),
            name,
            depth: depth.min(DEPTH_MAX),
            is_open,
            is_readable,
            more,
        });
        for name in names {
            let shown = shown(name.as_encoded_bytes());
            self.add(path.join(&name), shown, depth + 1, views);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(sources: &[&str], exclude: &[&str]) -> TickedPaths {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_string()).collect();
        TickedPaths {
            sources: list(sources),
            exclude: list(exclude),
        }
    }

    #[test]
    fn three_states() {
        let env = Env::of(&[]);
        let some = picked(
            &["~/docs", "/home/u/docs/old/letters", "/srv"],
            &["*.tmp", "/home/u/docs/old/"],
        );
        for (path, want) in [
            ("/", Tick::Mixed),
            ("/home/u", Tick::Mixed),
            ("/home/u/docs", Tick::Mixed),
            ("/home/u/docs/new", Tick::On),
            ("/home/u/docs/old", Tick::Mixed),
            ("/home/u/docs/old/photos", Tick::Off),
            ("/home/u/docs/old/letters", Tick::On),
            ("/home/u/docs2", Tick::Off),
            ("/srv", Tick::On),
        ] {
            assert_eq!(tick(&env, &some, Path::new(path)), want, "{path}");
        }
    }

    #[test]
    fn clicks() {
        let env = Env::of(&[]);
        let click = |from: &TickedPaths, path: &str| toggle(&env, from, Path::new(path));
        let one = click(&picked(&[], &["*.tmp"]), "/home/u/docs");
        assert_eq!(one, picked(&["~/docs"], &["*.tmp"]));
        let without = click(&one, "/home/u/docs/[old] *");
        assert_eq!(
            without,
            picked(&["~/docs"], &["*.tmp", "/home/u/docs/\\[old\\] \\*/"])
        );
        assert_eq!(tick(&env, &without, Path::new("/home/u/docs/[old] *")), Tick::Off);
        assert_eq!(click(&without, "/home/u/docs/[old] *"), one, "and back again");
        assert_eq!(click(&without, "/home/u/docs"), one, "mixed becomes whole");
        assert_eq!(click(&one, "/home/u/docs"), picked(&[], &["*.tmp"]));
        assert_eq!(click(&picked(&["/a/b", "/a/c"], &[]), "/a"), picked(&["/a"], &[]));
        assert_eq!(click(&picked(&[], &[]), "/home/u"), picked(&["~"], &[]));
    }
}
