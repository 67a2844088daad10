//! Puts damaged packs right from their parity, and gives packs parity that have none. Needs no key: who looks after the
//! storage can do it.

use super::{tell, tell_of};
use crate::error::{Error, Result, Usage};
use crate::monitor::{Monitor, Phase, Progress};
use crate::problem::Damage;
use crate::repo::Repo;
use crate::run::RunContext;
use chunkstore::config;
use chunkstore::object::cap;
use chunkstore::parity::{self, Mended};
use chunkstore::remote::{self, Kind, ObjectName, Remote};
use chunkstore::{Error as StoreError, PackId, RepoId};

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ParityRepaired {
    /// Packs that had parity.
    pub packs: u64,
    /// Damaged packs that are whole now.
    pub packs_repaired: u64,
    /// Damaged parity that was made anew.
    pub parity_repaired: u64,
    /// Packs that are damaged beyond what their parity can do, or where the storage can replace nothing.
    pub packs_beyond: u64,
    /// Packs that had none and have parity now, and its bytes.
    pub packs_protected: u64,
    pub bytes_added: u64,
}

/// Repairs what is in the repository at `location`. With `percent`, packs without parity get some.
pub fn parity(
    location: &str,
    run: &RunContext,
    percent: Option<u8>,
    dry_run: bool,
    monitor: &dyn Monitor,
) -> Result<ParityRepaired> {
    on(&*run.storage(location)?, run, percent, dry_run, monitor)
}

/// The same on an opened remote.
pub fn on(
    remote: &dyn Remote,
    run: &RunContext,
    percent: Option<u8>,
    dry_run: bool,
    monitor: &dyn Monitor,
) -> Result<ParityRepaired> {
    if percent.is_some_and(|percent| !(1..=parity::PERCENT_MAX).contains(&percent)) {
        return Err(Error::Usage(Usage::ParityPercent));
    }
    let config = match remote.get(&ObjectName::config(), cap::CONTROL) {
        Err(StoreError::Missing { .. }) => {
            let location = remote.location();
            return Err(StoreError::NoRepository { location }.into());
        }
        config => config?,
    };
    let repo = config::clear(&config)?.repo;
    monitor.phase(Phase::ReadingData);
    let protected = parity::list(remote)?;
    let packs = remote::ids(remote, Kind::Pack, PackId::from_hex)?;
    let mut done = ParityRepaired::default();
    for (number, id) in packs.iter().enumerate() {
        run.cancel().check()?;
        monitor.progress(&Progress {
            files_done: number as u64,
            files_total: packs.len() as u64,
            ..Progress::default()
        });
        let result = match (protected.contains_key(id), percent) {
            (true, _) => mend(remote, &repo, *id, percent, dry_run, &mut done),
            (false, Some(percent)) => protect(remote, &repo, *id, percent, dry_run, &mut done),
            (false, None) => Ok(()),
        };
        match result {
            // Collected since it was listed.
            Err(StoreError::Missing { .. }) => {}
            // Refused where the storage replaces nothing: the other packs still get their parity.
            Err(e) if e.is_hurt() || matches!(e, StoreError::Refused(_)) => {
                done.packs_beyond += 1;
                match e {
                    e @ StoreError::Refused(_) => tell(monitor, ObjectName::pack(*id), Damage::Object(e)),
                    e => tell_of(monitor, ObjectName::pack(*id), &e),
                }
            }
            result => result?,
        }
    }
    remote.barrier()?;
    Ok(done)
}

/// From now on new packs get so much parity, or none. False where that was so before.
pub fn of_new_packs(repo: &Repo, percent: Option<u8>) -> Result<bool> {
    if percent.is_some_and(|percent| !(1..=parity::PERCENT_MAX).contains(&percent)) {
        return Err(Error::Usage(Usage::ParityPercent));
    }
    Ok(repo
        .store
        .upgrade(repo.run().now_secs(), &|standing| standing.set_parity(percent))?)
}

/// Puts a pack right from its parity, or the parity from the pack.
fn mend(
    remote: &dyn Remote,
    repo: &RepoId,
    id: PackId,
    percent: Option<u8>,
    dry_run: bool,
    done: &mut ParityRepaired,
) -> Result<(), StoreError> {
    done.packs += 1;
    match parity::mend(remote, repo, id, percent.unwrap_or(DEFAULT_PERCENT), dry_run)? {
        Mended::Whole => {}
        Mended::Pack => done.packs_repaired += 1,
        Mended::Parity => done.parity_repaired += 1,
    }
    Ok(())
}

/// Gives parity to a pack that has none.
fn protect(
    remote: &dyn Remote,
    repo: &RepoId,
    id: PackId,
    percent: u8,
    dry_run: bool,
    done: &mut ParityRepaired,
) -> Result<(), StoreError> {
    if !dry_run {
        done.bytes_added += parity::protect(remote, repo, id, percent)?;
    }
    done.packs_protected += 1;
    Ok(())
}

/// Of parity that is made anew if it is not known how much it was.
const DEFAULT_PERCENT: u8 = 5;
