//! What the operations of a [`Repository`](super::Repository) are to do. Each request begins with what is needed and
//! has usual values for the rest, which its methods change.

use crate::backup::BackupOptions;
use crate::key::{Cost, Secret};
use crate::platform::paths::to_bytes;
use crate::prune::PruneOptions;
use crate::repo::Bounds;
use crate::restore::{Overwrite, Permissions, RestoreOptions};
use chunkstore::SessionId;
use chunkstore::sweep::{Policy, Unused};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to create a repository.
pub struct CreateRequest {
    pub(super) secrets: Vec<(Secret, String)>,
    pub(super) bounds: Bounds,
    pub(super) cost: Cost,
    pub(super) parity: Option<u8>,
}

impl CreateRequest {
    /// A repository that `secret` opens.
    pub fn new(secret: Secret) -> CreateRequest {
        CreateRequest {
            secrets: vec![(secret, String::new())],
            bounds: Bounds::DEFAULT,
            cost: Cost::DEFAULT,
            parity: None,
        }
    }

    /// Another secret that opens it, with a label by which people know it.
    pub fn key(mut self, secret: Secret, label: &str) -> CreateRequest {
        self.secrets.push((secret, label.to_string()));
        self
    }

    /// The sizes of chunks. Smaller ones find more duplicates in large files that change often, and take more memory.
    pub fn bounds(mut self, bounds: Bounds) -> CreateRequest {
        self.bounds = bounds;
        self
    }

    /// How expensive guessing a password is made.
    pub fn cost(mut self, cost: Cost) -> CreateRequest {
        self.cost = cost;
        self
    }

    /// Store so many percent of redundant data beside each pack, so that some damage can be repaired.
    pub fn parity(mut self, percent: u8) -> CreateRequest {
        self.parity = Some(percent);
        self
    }
}

/// What to back up, and how.
pub struct BackupRequest {
    pub(super) options: BackupOptions,
}

impl BackupRequest {
    /// A backup of these files and directories. Paths that are not absolute are relative to the current directory.
    pub fn new<P: Into<PathBuf>>(sources: impl IntoIterator<Item = P>) -> BackupRequest {
        BackupRequest {
            options: BackupOptions::new(sources.into_iter().map(P::into).collect()),
        }
    }

    /// Leave out what matches a pattern, in the syntax of `--exclude`.
    pub fn exclude(mut self, pattern: &str) -> BackupRequest {
        self.options.filter.excludes.push(pattern.to_string());
        self
    }

    /// Do not enter directories on which another file system is mounted.
    pub fn one_file_system(mut self) -> BackupRequest {
        self.options.filter.one_file_system = true;
        self
    }

    /// Add a tag to the snapshot.
    pub fn tag(mut self, tag: &str) -> BackupRequest {
        self.options.tags.push(tag.to_string());
        self
    }

    /// Add a description to the snapshot.
    pub fn description(mut self, text: &str) -> BackupRequest {
        self.options.description = text.to_string();
        self
    }

    /// The time that the snapshot states, instead of the time at which the backup begins.
    pub fn time(mut self, time: Timestamp) -> BackupRequest {
        self.options.time = Some(time);
        self
    }

    /// Compare with this snapshot, instead of the newest one of the same machine and sources.
    pub fn parent(mut self, snapshot: SessionId) -> BackupRequest {
        self.options.parent = Some(snapshot);
        self
    }

    /// Read all files, also those that seem unchanged since the previous snapshot.
    pub fn force(mut self) -> BackupRequest {
        self.options.force = true;
        self
    }

    /// Make no snapshot if nothing has changed.
    pub fn skip_if_unchanged(mut self) -> BackupRequest {
        self.options.skip_if_unchanged = true;
        self
    }

    /// Accept sources that are empty, or not mounted, although they were not at the previous backup.
    pub fn allow_empty(mut self) -> BackupRequest {
        self.options.allow_empty = true;
        self
    }

    /// The level of zstd compression.
    pub fn level(mut self, level: i32) -> BackupRequest {
        self.options.level = level;
        self
    }

    /// Read and count everything, but store nothing.
    pub fn dry_run(mut self) -> BackupRequest {
        self.options.dry_run = true;
        self
    }
}

/// What to restore, and where to.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    pub(super) options: RestoreOptions,
}

impl RestoreRequest {
    /// A restore of everything into the directory `target`, which is created if necessary. Files there that are in the
    /// snapshot are replaced.
    pub fn new(target: impl Into<PathBuf>) -> RestoreRequest {
        RestoreRequest {
            options: RestoreOptions::new(target),
        }
    }

    /// Restore only what is below this directory (absolute), directly into the target.
    pub fn below(mut self, path: impl AsRef<Path>) -> RestoreRequest {
        self.options.subpath = Some(to_bytes(path.as_ref()).into_owned());
        self
    }

    /// Restore only this file or directory (absolute). Can be given several times.
    pub fn path(mut self, path: impl AsRef<Path>) -> RestoreRequest {
        self.options.paths.push(to_bytes(path.as_ref()).into_owned());
        self
    }

    /// Restore only what matches a pattern, and what is below it.
    pub fn include(mut self, pattern: &str) -> RestoreRequest {
        self.options.include.patterns.push(pattern.to_string());
        self
    }

    /// Do not restore what matches a pattern.
    pub fn exclude(mut self, pattern: &str) -> RestoreRequest {
        self.options.exclude.patterns.push(pattern.to_string());
        self
    }

    /// What to do with files that are in the target already.
    pub fn overwrite(mut self, overwrite: Overwrite) -> RestoreRequest {
        self.options.overwrite = overwrite;
        self
    }

    /// Change large files that are in the target already, instead of writing new ones beside them.
    pub fn in_place(mut self) -> RestoreRequest {
        self.options.in_place = true;
        self
    }

    /// Whose files the restored ones are.
    pub fn permissions(mut self, permissions: Permissions) -> RestoreRequest {
        self.options.permissions = permissions;
        self
    }

    /// Read the restored files again and compare them with the snapshot.
    pub fn verify(mut self) -> RestoreRequest {
        self.options.verify = true;
        self
    }

    /// Count what would be restored, but write nothing.
    pub fn dry_run(mut self) -> RestoreRequest {
        self.options.dry_run = true;
        self
    }
}

/// How far a prune goes.
#[derive(Clone, Debug)]
pub struct PruneRequest {
    pub(super) options: PruneOptions,
}

impl Default for PruneRequest {
    fn default() -> PruneRequest {
        PruneRequest::new()
    }
}

impl PruneRequest {
    /// Snapshots stay in the trash for seven days, and packs of which at most 5 % in all is unused are not rewritten.
    pub fn new() -> PruneRequest {
        PruneRequest {
            options: PruneOptions::new(Policy {
                max_unused: Unused::Percent(5.0),
                max_repack: u64::MAX,
            }),
        }
    }

    /// How long removed snapshots stay in the trash, from which they can be restored.
    pub fn keep_trash(mut self, time: Duration) -> PruneRequest {
        self.options.keep_trash = time.as_secs();
        self
    }

    /// How much unused data may stay, rather than being freed by rewriting the packs it is in.
    pub fn max_unused(mut self, unused: Unused) -> PruneRequest {
        self.options.gc.max_unused = unused;
        self
    }

    /// Rewrite at most so many bytes.
    pub fn max_repack(mut self, bytes: u64) -> PruneRequest {
        self.options.gc.max_repack = bytes;
        self
    }

    /// The caller guarantees that nobody else writes to the repository: needed on storage that can't be shared safely.
    pub fn exclusive(mut self) -> PruneRequest {
        self.options.exclusive = true;
        self
    }

    /// Say what would be done, but delete nothing.
    pub fn dry_run(mut self) -> PruneRequest {
        self.options.dry_run = true;
        self
    }
}
