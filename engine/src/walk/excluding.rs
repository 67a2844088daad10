//! What the filter leaves out of a listing: asked for each name, counted for the rule that does it, and noted for a dry run.

use super::Batch;
use super::list::{Examined, Lister, Scratch};
use super::step::{DirListing, Visit};
use crate::entry::{Kind, Meta};
use crate::filter::Exclusion;
use crate::fsmeta::AsFd;

impl Lister {
    /// Whether the filter leaves out the name whose path is in `scratch`.
    pub(super) fn is_excluded(
        &self,
        listing: &DirListing,
        is_dir: bool,
        scratch: &mut Scratch,
        to: &mut Examined,
    ) -> bool {
        let matches = &mut scratch.matches;
        let exclusion = self
            .filter
            .excluding(&listing.rules, &scratch.path, is_dir, matches);
        exclusion.is_some_and(|exclusion| {
            self.note_excluded(exclusion, scratch, to);
            true
        })
    }

    /// The same by what is known of it once it was examined.
    pub(super) fn is_excluded_by_meta(
        &self,
        listing: &DirListing,
        name: &[u8],
        (kind, meta): (&Kind, &Meta),
        scratch: &Scratch,
        to: &mut Examined,
    ) -> bool {
        // One that can't be opened is reported when it is listed.
        let instead = match *kind == Kind::Dir {
            true => listing.handle.instead(&scratch.path).ok().flatten(),
            false => None,
        };
        let (dir, name) = match &instead {
            Some(instead) => (instead.as_fd(), &b"."[..]),
            None => (listing.handle.as_fd(), name),
        };
        let exclusion = self.filter.excluding_by_meta(dir, name, kind, meta);
        exclusion.is_some_and(|exclusion| {
            self.note_excluded(exclusion, scratch, to);
            true
        })
    }

    pub(super) fn note_excluded(&self, exclusion: Exclusion, scratch: &Scratch, to: &mut Examined) {
        self.filter.count(&exclusion);
        if self.tells_excluded {
            to.excluded.push((scratch.path.clone(), exclusion));
        }
    }

    /// What was examined, and the directories in it that are entered.
    pub(super) fn batch_of(
        &self,
        listing: &DirListing,
        examined: Examined,
        last: bool,
    ) -> (Batch, Vec<Visit>) {
        let batch = Batch {
            excluded: examined.excluded,
            ..self.batch(listing, examined.found, last)
        };
        (batch, examined.dirs)
    }
}
