//! Whether machines' chains of manifests are whole (I-17). Generations that were forgotten leave gaps too, so what is
//! found here is a warning and never damage.

use super::Findings;
use crate::manifest::Manifest;
use crate::repo::Repo;
use chunkstore::SessionId;
use chunkstore::remote::ObjectName;
use std::collections::BTreeMap;

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

/// I-17: each machine numbers its manifests and names the one before.
pub(super) fn check(repo: &Repo, manifests: &[Chained], findings: &mut Findings) {
    let mut machines: BTreeMap<[u8; 16], BTreeMap<u64, Vec<&Chained>>> = BTreeMap::new();
    for chained in manifests.iter().filter(|chained| chained.manifest.sequence > 0) {
        let machine = machines.entry(chained.manifest.machine).or_default();
        machine
            .entry(chained.manifest.sequence)
            .or_default()
            .push(chained);
    }
    for chain in machines.values() {
        let (mut gone, mut last) = (0, None::<(u64, &Chained)>);
        for (number, all) in chain {
            let originals: Vec<&&Chained> = all.iter().filter(|c| c.manifest.original.is_none()).collect();
            if let [one, other, ..] = originals[..] {
                let why = format!(
                    "it has the same number ({number}) as {} of this machine",
                    other.id
                );
                findings.warn(ObjectName::snapshot(one.id), why);
            }
            let Some(here) = all.first() else { continue };
            if let Some((before, earlier)) = last {
                gone += number - before - 1;
                let follows = *number == before + 1 && earlier.manifest.original.is_none();
                let breaks = |hash| here.manifest.previous != [0; 32] && here.manifest.previous != hash;
                if follows && earlier.hash.is_some_and(breaks) {
                    let why = format!("it does not follow {}, which has the number before", earlier.id);
                    findings.warn(ObjectName::snapshot(here.id), why);
                }
            }
            last = Some((*number, here));
        }
        if let Some((_, newest)) = last.filter(|_| gone > 0) {
            let host = &newest.manifest.host;
            let why = format!("{gone} snapshots of host {host} between others are gone: forgotten, or lost");
            findings.warn("snapshots", why);
        }
    }
    let remembered = repo.remembered();
    let newest = machines
        .get(&repo.machine())
        .and_then(|chain| chain.keys().next_back());
    if let Some(id) = remembered.snapshot
        && newest.is_none_or(|newest| *newest < remembered.sequence)
    {
        let why = "the last snapshot that this machine made is gone: removed on purpose, or lost";
        findings.warn(ObjectName::snapshot(id), why.to_string());
    }
}
