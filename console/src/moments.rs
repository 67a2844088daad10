//! A path at one moment, among the snapshots of the machine that made it: what pages about its versions and changes begin
//! with.

use crate::browse::{self, Spot};
use crate::visit::Visit;
use service::facts::SnapshotInfo;
use service::listing::Listing;
use service::repo::Repo;
use service::{Context, Failure};
use std::sync::Arc;

pub struct PathMoments {
    /// With the id of the snapshot, which may be the newest because none was named.
    pub spot: Spot,
    pub repo: Arc<Repo>,
    pub here: SnapshotInfo,
    listing: Listing,
}

impl PathMoments {
    /// What a query names.
    pub fn of(visit: &Visit, context: &Context) -> Result<PathMoments, Failure> {
        let spot = Spot::of(&visit.query);
        let repo = visit.app.open(&spot.remote)?;
        let listing = browse::outlines(context, &repo)?;
        let here = browse::named(&browse::newest_first(&listing), &spot.snapshot)?.clone();
        Ok(PathMoments {
            spot: spot.in_snapshot(here.id),
            repo,
            here,
            listing,
        })
    }

    /// Snapshots of the same machine that may hold the path, newest first.
    pub fn of_host(&self) -> Vec<&SnapshotInfo> {
        let newest = browse::newest_first(&self.listing);
        browse::of_same_host(&newest, &self.here, &self.spot.path)
    }

    /// This machine made the snapshot.
    pub fn is_own(&self, context: &Context) -> bool {
        context.host(None).is_ok_and(|own| own == self.here.host)
    }
}
