//! What this machine owes a replica: generations that it made elsewhere and could not bring there at the time. Without this
//! note a later generation would hide them, since what is older than the newest at a replica counts as forgotten there.
//!
//! Each names the replica that has it. Losing the note harms nothing that is stored: `replicate --all` brings them as
//! well.

use crate::error::Result;
use crate::repo::{Repo, state_of, write_replacing};
use crate::run::LocalDirs;
use chunkstore::SessionId;
use std::collections::HashSet;
use std::path::PathBuf;

/// As many as are remembered of a replica: of more, the oldest are left to `replicate --all`.
const MOST: usize = 1000;

struct Debt {
    snapshot: SessionId,
    /// The folder, on this machine, of the replica where it was made.
    made_at: String,
}

fn path(dirs: &LocalDirs, folder: &str) -> PathBuf {
    state_of(dirs, folder).join("owed")
}

/// What can't be read is as good as lost.
fn read(dirs: &LocalDirs, folder: &str) -> Vec<Debt> {
    let text = std::fs::read_to_string(path(dirs, folder)).unwrap_or_default();
    let debt = |line: &str| {
        let (snapshot, made_at) = line.split_once(' ')?;
        Some(Debt {
            snapshot: SessionId::from_hex(snapshot)?,
            made_at: made_at.to_string(),
        })
    };
    text.lines().filter_map(debt).collect()
}

fn write(dirs: &LocalDirs, folder: &str, debts: &[Debt]) -> Result<()> {
    let recent = debts.iter().skip(debts.len().saturating_sub(MOST));
    let line = |debt: &Debt| format!("{} {}\n", debt.snapshot, debt.made_at);
    let text: String = recent.map(line).collect();
    write_replacing(&path(dirs, folder), text.as_bytes())
}

/// Notes that the replica whose folder is `to` lacks `snapshot`, which was made at `from`.
pub(super) fn owe(from: &Repo, to: &str, snapshot: SessionId) -> Result<()> {
    let _turn = from.turn()?;
    let dirs = &from.run().dirs;
    let mut debts = read(dirs, to);
    if debts.iter().all(|debt| debt.snapshot != snapshot) {
        let made_at = from.store.folder();
        debts.push(Debt { snapshot, made_at });
    }
    write(dirs, to, &debts)
}

/// How many generations `to` is owed.
pub(super) fn count(to: &Repo) -> u64 {
    read(&to.run().dirs, &to.store.folder()).len() as u64
}

/// What `to` is owed of what was made at `from`.
pub(super) fn of(to: &Repo, from: &Repo) -> HashSet<SessionId> {
    let made_at = from.store.folder();
    let debts = read(&to.run().dirs, &to.store.folder());
    let there = debts.iter().filter(|debt| debt.made_at == made_at);
    there.map(|debt| debt.snapshot).collect()
}

/// All of these came, or `from` has them no more.
pub(super) fn settle(to: &Repo, from: &Repo, settled: &HashSet<SessionId>) -> Result<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let _turn = from.turn()?;
    let (dirs, folder) = (&to.run().dirs, to.store.folder());
    let mut debts = read(dirs, &folder);
    debts.retain(|debt| !settled.contains(&debt.snapshot));
    write(dirs, &folder, &debts)
}
