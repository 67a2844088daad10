//! Generations whose manifest is damaged here, published anew as another replica has them. Their names differ (I-18); a
//! fence takes the place of what can't be read (I-16).

use super::Healing;
use crate::error::{Result, StoreError};
use crate::manifest::Manifest;
use crate::monitor::Problem;
use crate::problem::{Damage, Warning};
use crate::rewrite;
use chunkstore::SessionId;
use chunkstore::forgotten::Forgotten;
use chunkstore::remote::ObjectName;
use chunkstore::session;
use std::collections::{BTreeMap, HashSet};

/// A generation whose manifest is damaged here, as another replica has it.
pub(super) struct Spare {
    pub(super) id: SessionId,
    /// `None` where it was published anew already, and a try was cut short before the fence.
    pub(super) manifest: Option<Manifest>,
}

impl Spare {
    /// Restates the generation that first had the name `first`.
    fn of(id: SessionId, first: SessionId, mut manifest: Manifest) -> Spare {
        manifest.original = Some(first);
        Spare {
            id,
            manifest: Some(manifest),
        }
    }
}

/// What could be read of the manifests here, and which of `snapshots/` could not.
pub(super) struct KnownManifests {
    pub(super) origins: HashSet<SessionId>,
    /// Whether all that is not damaged could be read.
    pub(super) is_complete: bool,
    pub(super) damaged: Vec<(SessionId, StoreError)>,
}

impl Healing<'_> {
    /// The generations of the damaged manifests, as other replicas have them. There they have other names. They record
    /// that themselves if they came from here; what came here from elsewhere is recognised if just as many generations
    /// are lacking as manifests are damaged, and none is unreadable.
    pub(super) fn spares(&mut self, known: KnownManifests) -> Result<Vec<Spare>> {
        let KnownManifests {
            origins,
            mut is_complete,
            damaged,
        } = known;
        if damaged.is_empty() {
            return Ok(Vec::new());
        }
        let mut lacking = BTreeMap::<SessionId, Manifest>::new();
        for origin in self.origins {
            for id in origin.store.snapshot_ids()? {
                let manifest = match origin.store.stored_manifest(id) {
                    Ok(body) => Manifest::decode(id, &body)?,
                    Err(e) if e.is_hurt() => continue,
                    Err(e) => match origin.store.judge(e) {
                        // It may be one of those that are looked for.
                        e if e.is_unreadable() => {
                            let (name, unread) = (ObjectName::snapshot(id), Warning::Unread(e));
                            self.monitor.problem(&Problem::warning(name, unread));
                            is_complete = false;
                            continue;
                        }
                        e => return Err(e.into()),
                    },
                };
                let first = manifest.original.unwrap_or(id);
                if !origins.contains(&first) && !origins.contains(&id) {
                    lacking.entry(first).or_insert(manifest);
                }
            }
        }
        let mut spares = Vec::new();
        let mut unknown = Vec::new();
        for (id, error) in damaged {
            match lacking.remove(&id) {
                Some(manifest) => spares.push(Spare::of(id, id, manifest)),
                None if origins.contains(&id) => spares.push(Spare { id, manifest: None }),
                None => unknown.push((id, error)),
            }
        }
        if is_complete && unknown.len() == lacking.len() {
            let pairs = unknown.into_iter().zip(lacking);
            spares.extend(pairs.map(|((id, _), (first, manifest))| Spare::of(id, first, manifest)));
        } else {
            for (id, error) in unknown {
                self.lose_manifest(id, Damage::Object(error));
            }
        }
        Ok(spares)
    }

    /// Publishes a generation anew, if all that it refers to is there, and ends the name of its damaged manifest.
    pub(super) fn put_manifest(&mut self, spare: &Spare) -> Result<()> {
        if self.healed.chunks_lost > 0 {
            self.lose_manifest(spare.id, Damage::PartLost);
            return Ok(());
        }
        if self.healed.chunks_unread > 0 {
            // Another run may find all of it.
            self.healed.snapshots_unreadable += 1;
            return Ok(());
        }
        if !self.options.dry_run {
            if let Some(manifest) = &spare.manifest {
                rewrite::publish(self.repo, spare.id, manifest, self.monitor)?;
            }
            // Or a machine that saw it would miss it (I-9).
            self.repo.store.list_forgotten(&[Forgotten::named(spare.id)])?;
            session::fence_over(&self.repo.store, spare.id)?;
        }
        self.healed.snapshots_mended += 1;
        self.healed.mended(&ObjectName::snapshot(spare.id));
        Ok(())
    }
}
