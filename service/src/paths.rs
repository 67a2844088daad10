//! Paths and snapshots as people write them: a path made absolute by its text alone, and `SNAP[:SUBPATH]`.

use crate::catalogue::Cause;
use crate::failure::Failure;
use engine::platform::paths::from_bytes;
use engine::select::Wanted;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// `path` from the root, without `.`, `..` and a trailing slash, as raw bytes: by its text alone, so that it is the
/// same name whatever links there are.
pub fn absolute(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |e: std::io::Error| Cause::NotAPath {
        text: path.display().to_string(),
        why: e.into(),
    };
    let path = std::path::absolute(path).map_err(failed)?;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            component => clean.push(component),
        }
    }
    Ok(clean.into_os_string().into_encoded_bytes())
}

/// `SUBPATH` of `SNAP:SUBPATH`: from the snapshot's root, whatever the current directory is.
pub fn from_root(path: &Path) -> Vec<u8> {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean.into_os_string().into_encoded_bytes()
}

/// Which snapshot, and what in it: what the arguments of `restore`, `ls` and `dump` mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotSpec {
    /// `latest`, `latest~N` or the beginning of an id.
    pub snapshot: String,
    /// The user named one; otherwise `snapshot` is `latest`.
    pub is_named: bool,
    /// What stood behind the snapshot's colon.
    pub subpath: Option<PathBuf>,
    pub paths: Vec<PathBuf>,
}

impl SnapshotSpec {
    /// `[SNAP[:SUBPATH]] [PATH...]`. The first argument is a snapshot if it looks like one, so a path that looks
    /// like an id is written `./cafe`. With a time, an id can't choose: then only `latest` names a snapshot.
    pub fn parse(args: &[OsString], with_time: bool) -> SnapshotSpec {
        let paths = |args: &[OsString]| args.iter().map(PathBuf::from).collect();
        match args
            .split_first()
            .and_then(|(first, rest)| Some((split(first, with_time)?, rest)))
        {
            Some(((snapshot, subpath), rest)) => SnapshotSpec {
                snapshot,
                is_named: true,
                subpath,
                paths: paths(rest),
            },
            None => SnapshotSpec {
                snapshot: "latest".to_string(),
                is_named: false,
                subpath: None,
                paths: paths(args),
            },
        }
    }
}

/// `SNAP` or `SNAP:SUBPATH`; `None` for what is a path. `SNAP:` is the whole snapshot, its content put directly.
pub fn split(arg: &OsStr, with_time: bool) -> Option<(String, Option<PathBuf>)> {
    let bytes = arg.as_encoded_bytes();
    let colon = bytes.iter().position(|&b| b == b':');
    let name = std::str::from_utf8(&bytes[..colon.unwrap_or(bytes.len())]).ok()?;
    match Wanted::parse(name)? {
        Wanted::Id(_) if with_time => return None,
        Wanted::Id(_) | Wanted::Latest(_) => {}
    }
    let subpath = colon.map(|at| {
        let rest = bytes.get(at + 1..).unwrap_or_default();
        if rest.is_empty() {
            PathBuf::from("/")
        } else {
            from_bytes(rest).into_owned()
        }
    });
    Some((name.to_string(), subpath))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(args: &[&str], with_time: bool) -> (String, Option<String>, Vec<String>) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let spec = SnapshotSpec::parse(&args, with_time);
        let text = |p: PathBuf| p.into_os_string().into_string().unwrap();
        (
            spec.snapshot,
            spec.subpath.map(text),
            spec.paths.into_iter().map(text).collect(),
        )
    }

    #[test]
    fn positionals() {
        type Row<'a> = (&'a [&'a str], &'a str, Option<&'a str>, &'a [&'a str]);
        let rows: &[Row] = &[
            (&[], "latest", None, &[]),
            (&["latest"], "latest", None, &[]),
            (&["latest~2", "a", "/b"], "latest~2", None, &["a", "/b"]),
            (&["cafe0123"], "cafe0123", None, &[]),
            (&["CAFE"], "CAFE", None, &[]),
            (&["./cafe"], "latest", None, &["./cafe"]),
            (&["latest", "cafe"], "latest", None, &["cafe"]),
            (&["/home/u", "latest"], "latest", None, &["/home/u", "latest"]),
            (&["docs"], "latest", None, &["docs"]),
            (&["latest:/home/u"], "latest", Some("/home/u"), &[]),
            (&["ab12:home", "x"], "ab12", Some("home"), &["x"]),
            (&["latest:"], "latest", Some("/"), &[]),
            (&["latest:/a:b"], "latest", Some("/a:b"), &[]),
            (&["/a:b"], "latest", None, &["/a:b"]),
        ];
        for (args, snapshot, subpath, paths) in rows {
            let want = (
                snapshot.to_string(),
                subpath.map(String::from),
                paths.iter().map(|p| p.to_string()).collect(),
            );
            assert_eq!(spec(args, false), want, "{args:?}");
        }
    }

    #[test]
    fn with_a_time_only_latest_is_a_snapshot() {
        assert_eq!(
            spec(&["latest", "x"], true),
            ("latest".into(), None, vec!["x".into()])
        );
        assert_eq!(
            spec(&["cafe"], true),
            ("latest".into(), None, vec!["cafe".into()])
        );
        assert_eq!(
            spec(&["latest:/x"], true),
            ("latest".into(), Some("/x".into()), vec![])
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_need_not_be_utf8() {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        let args = [
            OsString::from_vec(b"latest:/a\xff".to_vec()),
            OsString::from_vec(b"\xfe".to_vec()),
        ];
        let spec = SnapshotSpec::parse(&args, false);
        assert_eq!(spec.subpath.unwrap().as_os_str().as_bytes(), b"/a\xff");
        assert_eq!(spec.paths[0].as_os_str().as_bytes(), b"\xfe");
        assert_eq!(SnapshotSpec::parse(&args[1..], false).snapshot, "latest");
    }

    #[test]
    fn subpaths_are_from_the_root() {
        for (path, want) in [
            ("home/u", "/home/u"),
            ("/", "/"),
            ("", "/"),
            ("./a//b/../c/", "/a/c"),
            ("../x", "/x"),
        ] {
            assert_eq!(from_root(Path::new(path)), want.as_bytes(), "{path}");
        }
    }

    #[test]
    fn paths_are_absolute_and_clean() {
        assert_eq!(absolute(Path::new("/a/./b//")).unwrap(), b"/a/b");
        assert_eq!(absolute(Path::new("/a/../../b/c/..")).unwrap(), b"/b");
        assert_eq!(absolute(Path::new("/")).unwrap(), b"/");
        assert!(absolute(Path::new("x/")).unwrap().ends_with(b"/x"));
        assert!(absolute(Path::new("")).is_err());
    }
}
