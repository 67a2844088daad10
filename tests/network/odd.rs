//! Servers that show directories: what is no file under an object's name is listed, and reading it is an error, at once.

use super::*;
use chunkstore::Error;
use chunkstore::error::Cause;
use chunkstore::remote::{Kind, ObjectName};
use kit::odd::{ALL, Odd};
use kit::remotes::listed;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// `folder` is what the server serves at `url`.
fn told_apart(url: &str, folder: &Path, kinds: &[Odd]) {
    let remote = remote::open(url, &Link::default()).unwrap();
    for kind in [Kind::Pack, Kind::Snapshot] {
        let name = ObjectName::parse(kind, &"ab".repeat(kind.name_len() / 2)).unwrap();
        let beside = ObjectName::parse(kind, &"cd".repeat(kind.name_len() / 2)).unwrap();
        remote.put(&beside, b"beside").unwrap();
        let path = folder.join(name.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for odd in kinds {
            odd.make(&path);
            let want = [(name.clone(), 0), (beside.clone(), 6)];
            let list = || listed(&*remote, kind).unwrap();
            // A server that keeps listings notices late what comes into its folder by another way.
            let in_time = Instant::now() + Duration::from_secs(10);
            while list() != want && Instant::now() < in_time {
                std::thread::sleep(Duration::from_millis(20));
            }
            assert_eq!(list(), want, "{odd:?}");
            for error in [
                remote.get(&name, 100).unwrap_err(),
                remote.size(&name).unwrap_err(),
                remote.delete(&name).unwrap_err(),
            ] {
                let Error::Remote { source, .. } = error else {
                    panic!("{odd:?}: {error}");
                };
                assert_eq!(source.cause(), Some(&Cause::NotARegularFile), "{odd:?}");
            }
            assert_eq!(remote.get(&beside, 100).unwrap(), b"beside");
            odd.remove(&path);
        }
        if !kinds.contains(&Odd::Loop) {
            continue;
        }
        // A link to a file is that file.
        fs::write(folder.join("elsewhere"), b"elsewhere").unwrap();
        std::os::unix::fs::symlink(folder.join("elsewhere"), &path).unwrap();
        let mut sizes = Vec::new();
        remote
            .list(kind, &mut |_, size| {
                sizes.push(size);
                Ok(())
            })
            .unwrap();
        sizes.sort_unstable();
        assert_eq!(sizes, [6, 9]);
        assert_eq!(remote.get(&name, 100).unwrap(), b"elsewhere");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn sftp() {
    if let Some(server) = Sshd::start("odd::sftp") {
        let url = server.url();
        let (_, path) = url.split_once("127.0.0.1:").unwrap();
        let path = &path[path.find('/').unwrap()..path.find('?').unwrap()];
        told_apart(&url, Path::new(path), &ALL);
    }
}

/// rclone itself passes over everything but files and folders.
#[test]
fn webdav() {
    if let Some(server) = Rclone::start(Serve::WebDav, &["--dir-cache-time=1ms"], "odd::webdav") {
        let url = server.url();
        let below = &url[url.find("/new/").unwrap() + 1..];
        told_apart(&url, &server.served(below), &[Odd::Directory]);
    }
}
