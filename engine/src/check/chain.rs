//! Whether a generation is gone that no one forgot (I-9, I-17): of those that this machine knows, that is damage.
//! Machines also number their manifests and name the one before; a gap in a chain that no forgotten generation explains
//! is a warning, since a replica or a copy may never have had what is missing there.

use super::Findings;
use super::triage::Triage;
use crate::error::{Error, Result};
use crate::generations::{Known, MissingSnapshots};
use crate::manifest::Manifest;
use crate::problem::{Damage, Warning};
use crate::repo::Repo;
use chunkstore::SessionId;
use chunkstore::remote::ObjectName;
use std::collections::{BTreeMap, BTreeSet};

/// A manifest and what the chain of its machine needs.
pub(super) struct Chained {
    pub manifest: Manifest,
    /// Of the stored bytes; not known of what is in the trash.
    pub hash: Option<[u8; 32]>,
    pub id: SessionId,
}

impl Chained {
    /// Without the root, so that memory does not grow with the trees.
    pub fn new(id: SessionId, manifest: Manifest, hash: Option<[u8; 32]>) -> Chained {
        Chained {
            manifest: manifest.without_root(),
            hash,
            id,
        }
    }
}

/// The manifests of one machine, by their numbers.
type Chain<'a> = BTreeMap<u64, Vec<&'a Chained>>;

/// Names what this machine knows and misses among the listed names.
pub(super) fn missing(
    repo: &Repo,
    triage: &Triage<'_>,
    known: &Known,
    snapshot_ids: &[SessionId],
    trash: &[SessionId],
    findings: &mut Findings,
) -> Result<()> {
    let (snapshot_ids, trash) = (
        snapshot_ids.iter().copied().collect(),
        trash.iter().copied().collect(),
    );
    let lost = match known.missing(&repo.store, &snapshot_ids, Some(&trash)) {
        Err(Error::ShortListing(object)) => {
            findings.damage(object, Damage::NotListed);
            return Ok(());
        }
        // The lists of what was forgotten can't be read.
        Err(Error::Store(e)) => match triage.sound("forgotten", Err(e))? {
            Ok(MissingSnapshots { lost, .. }) => lost,
            Err(e) => {
                findings.trouble("forgotten", &e);
                return Ok(());
            }
        },
        missing => missing?.lost,
    };
    for id in lost {
        findings.damage(ObjectName::snapshot(id), Damage::SnapshotGone);
    }
    Ok(())
}

/// I-17: each machine numbers its manifests and names the one before.
pub(super) fn check(
    repo: &Repo,
    triage: &Triage<'_>,
    manifests: &[Chained],
    findings: &mut Findings,
) -> Result<()> {
    let mut machines: BTreeMap<[u8; 16], Chain<'_>> = BTreeMap::new();
    for chained in manifests.iter().filter(|chained| chained.manifest.sequence > 0) {
        let machine = machines.entry(chained.manifest.machine).or_default();
        let same_number = machine.entry(chained.manifest.sequence).or_default();
        same_number.push(chained);
    }
    for chain in machines.values() {
        links(chain, findings);
        twins(chain, findings);
    }
    // What a replica was never sent leaves gaps there.
    match repo.store.config().replica {
        None => gaps(repo, triage, &machines, findings),
        Some(_) => Ok(()),
    }
}

/// Every manifest must name one of those with the number before, where both are as they were made: what came from another
/// replica names what is there.
fn links(chain: &Chain<'_>, findings: &mut Findings) {
    for (number, all) in chain {
        let Some(before) = number.checked_sub(1).and_then(|before| chain.get(&before)) else {
            continue;
        };
        let restated = before
            .iter()
            .any(|b| b.manifest.original.is_some() || b.hash.is_none());
        for here in all.iter().filter(|here| here.manifest.original.is_none()) {
            let previous = here.manifest.previous;
            let follows = before.iter().any(|b| b.hash == Some(previous));
            if previous != [0; 32] && !restated && !follows {
                let before = before[0].id;
                findings.warn(ObjectName::snapshot(here.id), Warning::NotFollowing { before });
            }
        }
    }
}

/// Two manifests with the newest number were made by two machines with one id: backups of one machine take turns. Older
/// ones are history, and nothing is left to do about them.
fn twins(chain: &Chain<'_>, findings: &mut Findings) {
    let originals = |all: &Vec<&Chained>| -> Vec<SessionId> {
        let made = all.iter().filter(|c| c.manifest.original.is_none());
        made.map(|c| c.id).collect()
    };
    if let Some([one, other, ..]) = chain.values().next_back().map(originals).as_deref() {
        let other = *other;
        findings.warn(ObjectName::snapshot(*one), Warning::TwoMachines { other });
    }
}

/// Numbers that are missing between others, and that no forgotten generation had.
fn gaps(
    repo: &Repo,
    triage: &Triage<'_>,
    machines: &BTreeMap<[u8; 16], Chain<'_>>,
    findings: &mut Findings,
) -> Result<()> {
    let has_gap = |chain: &Chain<'_>| match (chain.keys().next(), chain.keys().next_back()) {
        (Some(first), Some(last)) => last - first >= chain.len() as u64,
        _ => false,
    };
    if !machines.values().any(has_gap) {
        return Ok(());
    }
    let forgotten = match triage.sound("forgotten", repo.store.forgotten())? {
        Ok(forgotten) => forgotten,
        Err(e) => {
            findings.trouble("forgotten", &e);
            return Ok(());
        }
    };
    let forgotten: BTreeSet<([u8; 16], u64)> = forgotten.iter().map(|f| (f.machine, f.sequence)).collect();
    for (machine, chain) in machines.iter().filter(|(_, chain)| has_gap(chain)) {
        let mut gone = 0;
        for (before, after) in chain.keys().zip(chain.keys().skip(1)) {
            let between = forgotten
                .range((*machine, before + 1)..(*machine, *after))
                .count() as u64;
            gone += (after - before - 1).saturating_sub(between);
        }
        if let Some(newest) = chain
            .values()
            .next_back()
            .and_then(|all| all.first())
            .filter(|_| gone > 0)
        {
            let host = newest.manifest.host.clone();
            let gaps = Warning::Gaps {
                snapshots: gone,
                host,
            };
            findings.warn("snapshots", gaps);
        }
    }
    Ok(())
}
