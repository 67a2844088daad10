//! The standard exclude list: what is never worth restoring on this operating system, such as caches, trash, swap and
//! temporary files. One data file of patterns for each system.
//!
//! The patterns come before those of the user, which can take one back with `!`. What the user names as a source is
//! wanted, whatever the list says: patterns that would leave out a source, or all that is in it, are taken back for it.

use crate::failure::Failure;
use engine::filter::{Filter, FilterOptions};
use engine::platform::paths::to_bytes;
use std::path::Path;

/// The patterns of this operating system.
pub fn patterns() -> Vec<&'static str> {
    of(std::env::consts::OS)
}

fn of(system: &str) -> Vec<&'static str> {
    let text = match system {
        "macos" => include_str!("macos.txt"),
        "windows" => include_str!("windows.txt"),
        _ => include_str!("linux.txt"),
    };
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// The text of `dedup help excludes`.
pub fn help() -> String {
    let mut text = String::from(
        "What sets leave out unless 'standard-excludes = false', and 'dedup backup --standard-excludes':\n\n",
    );
    for pattern in patterns() {
        text += &format!("  {pattern}\n");
    }
    text + "  directories with a CACHEDIR.TAG, but for that file\n"
}

/// Puts the list before the user's own patterns.
pub fn add_to<'s>(
    filter: &mut FilterOptions,
    sources: impl Iterator<Item = &'s Path>,
) -> Result<(), Failure> {
    let mut all: Vec<String> = patterns().into_iter().map(String::from).collect();
    for source in sources {
        let path = to_bytes(source);
        let path = path.strip_prefix(b"/").unwrap_or(&path);
        let (mut source_back, mut content_back) = (false, false);
        for pattern in patterns() {
            source_back |= matches(pattern, path)?;
            if let Some(folder) = pattern.strip_suffix("/*") {
                content_back |= matches(folder, path)?;
            }
        }
        let literal = literal(path);
        if source_back {
            all.push(format!("!/{literal}"));
        }
        if content_back {
            all.push(format!("!/{literal}/*"));
        }
    }
    all.append(&mut filter.excludes);
    filter.excludes = all;
    filter.exclude_caches = true;
    Ok(())
}

/// Whether a pattern names this path, relative to the root.
fn matches(pattern: &str, path: &[u8]) -> Result<bool, Failure> {
    let filter = Filter::build(FilterOptions {
        excludes: vec![pattern.to_string()],
        ..FilterOptions::default()
    })?;
    Ok(filter.leaves_out_source(path, true))
}

/// A path as a pattern that matches only itself.
pub fn literal(path: &[u8]) -> String {
    let mut out = String::new();
    for c in engine::filter::pattern_text(path).chars() {
        if "*?[]{}\\!".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(sources: &[&str], excludes: &[&str]) -> Filter {
        let mut options = FilterOptions {
            excludes: excludes.iter().map(|text| text.to_string()).collect(),
            ..FilterOptions::default()
        };
        add_to(&mut options, sources.iter().map(Path::new)).unwrap();
        Filter::build(options).unwrap()
    }

    /// Each system's list is one of patterns that can be used.
    #[test]
    fn every_list_is_understood() {
        for system in ["linux", "macos", "windows"] {
            let patterns = of(system);
            assert!(patterns.len() > 10, "{system}");
            for pattern in patterns {
                assert!(matches(pattern, b"x").is_ok(), "{system}: {pattern}");
            }
        }
        assert!(help().contains(".cache/*"));
    }

    #[test]
    fn what_is_left_out_on_linux() {
        let filter = filter(&["/home/u"], &["!/home/u/.cache/wanted", "*.iso"]);
        let out = |path: &str, is_dir: bool| {
            filter.leaves_out(&Default::default(), path.as_bytes(), is_dir, &mut Vec::new())
        };
        for path in [
            "home/u/.cache/x",
            "home/u/.local/share/Trash/files",
            "home/u/p/__pycache__",
            "home/u/.config/chromium/Default/Cache",
            "home/u/.config/chromium/Default/Service Worker/CacheStorage",
            "tmp/x",
            "var/cache/apt",
            "proc/1",
            "home/u/a.iso",
        ] {
            assert!(out(path, true), "{path}");
        }
        for path in [
            "home/u/.cache",
            "home/u/.cache/wanted",
            "home/u/.config/chromium/Default/Bookmarks",
            "home/u/Trash",
            "home/u/proc/1",
            "home/u/tmp/x",
            "tmp",
        ] {
            assert!(!out(path, true), "{path}");
        }
        assert!(out("home/u/.~lock.a.odt#", false) && out("home/u/~$a.docx", false));
    }

    /// Who names a cache as a source wants it.
    #[test]
    fn sources_are_wanted() {
        for (source, inside) in [
            ("/tmp/x", "tmp/x/a"),
            ("/home/u/.cache/[x]*", "home/u/.cache/[x]*/a"),
            ("/var/cache", "var/cache/apt"),
            ("/home/u/.cache", "home/u/.cache/x"),
            ("/srv/lost+found", "srv/lost+found/a"),
        ] {
            let filter = filter(&[source], &[]);
            let path = source.trim_start_matches('/').as_bytes();
            assert!(!filter.leaves_out_source(path, true), "{source}");
            let out = filter.leaves_out(&Default::default(), inside.as_bytes(), true, &mut Vec::new());
            assert!(!out, "{inside}");
        }
        let other = filter(&["/tmp/x"], &[]);
        assert!(other.leaves_out(&Default::default(), b"tmp/y", true, &mut Vec::new()));
    }
}
