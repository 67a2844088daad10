//! What may take the name of a file and is none.

use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Odd {
    Directory,
    Fifo,
    /// A symbolic link to itself.
    Loop,
    /// A symbolic link to nothing.
    Dangling,
}

pub const ALL: [Odd; 4] = [Odd::Directory, Odd::Fifo, Odd::Loop, Odd::Dangling];

impl Odd {
    pub fn make(self, path: &Path) {
        match self {
            Odd::Directory => {
                fs::create_dir(path).unwrap();
                // With something in it, so that it is not removed by accident.
                fs::write(path.join("kept"), b"x").unwrap();
            }
            Odd::Fifo => mkfifoat(CWD, path, Mode::from_raw_mode(0o600)).unwrap(),
            Odd::Loop => symlink(path, path).unwrap(),
            Odd::Dangling => symlink("nowhere", path).unwrap(),
        }
    }

    pub fn remove(self, path: &Path) {
        match self {
            Odd::Directory => fs::remove_dir_all(path).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
    }

    /// What is said of it.
    pub fn text(self) -> &'static str {
        match self {
            Odd::Directory | Odd::Fifo => "not a regular file",
            Odd::Loop | Odd::Dangling => "a symbolic link that leads to no file",
        }
    }
}
