//! The folder that a file is in, and making the names in it durable.

use super::descriptors::patiently;
use super::system;
use crate::simulation::{self, LocalStep};
use std::io;
use std::path::Path;

/// Makes the names in a folder durable. If this user may not open the folder or its file system can't sync it, the
/// names are written in the file system's own time, and that is not an error.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    simulation::local_step(LocalStep::SyncFolder(folder), || {
        match patiently(|| system::sync_folder(folder)) {
            Err(e) if matches!(e.kind(), PermissionDenied | InvalidInput | Unsupported) => Ok(()),
            synced => synced,
        }
    })
}

/// The folder that a file is or will be in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => path,
    }
}
