//! A file's extents as they are read, in bounded memory: few stay in the entry, many become extent lists, each a
//! tree chunk of its own, cut where a chunk's id matches, so that an appended or patched image shares most lists.

use super::fault::{TreeFault, TreePart};
use super::limits;
use super::refs::{decode_extent_list, encode_extent_list};
use super::{cut, writer};
use crate::Result;
use crate::entry::{Content, Extent, ExtentList};
use chunkstore::error::{Flaw, Object};
use chunkstore::{ChunkId, Error, Place};

/// Takes the extents of one file in order. `store` keeps a piece's plaintext and gives its id.
pub struct ExtentListWriter<F> {
    store: F,
    /// Not in a list yet; at most one more than fit in an entry.
    open: Vec<Extent>,
    lists: Vec<ExtentList>,
    /// Bytes of the file so far.
    bytes: u64,
}

impl<F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>> ExtentListWriter<F> {
    pub fn new(store: F) -> Self {
        Self {
            store,
            open: Vec::new(),
            lists: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds `extent`; zeros after zeros are one extent. Fails when it has no bytes, the file has too many, or `store`
    /// fails.
    pub fn push(&mut self, extent: Extent) -> Result<()> {
        self.bytes = match self.bytes.checked_add(extent.len()) {
            Some(sum) if extent.len() > 0 => sum,
            _ => return Err(writer::invalid(TreePart::Extents, TreeFault::OutOfRange)),
        };
        if let (Some(Extent::Zero { len }), Extent::Zero { len: more }) = (self.open.last_mut(), &extent) {
            *len += more;
            return Ok(());
        }
        if self.open.len() >= limits::EXTENTS {
            self.store_list()?;
        }
        self.open.push(extent);
        Ok(())
    }

    /// What the entry holds: nothing, all extents, or the lists.
    pub fn finish(mut self) -> Result<Content> {
        if self.lists.is_empty() {
            return Ok(match self.open.is_empty() {
                true => Content::None,
                false => Content::Extents(self.open),
            });
        }
        while !self.open.is_empty() {
            self.store_list()?;
        }
        Ok(Content::Lists(self.lists))
    }

    /// Stores the first list of what is open.
    fn store_list(&mut self) -> Result<()> {
        if self.lists.len() >= limits::LISTS {
            return Err(writer::invalid(TreePart::ExtentList, TreeFault::TooMany));
        }
        let ends = |(i, extent)| cut::list_ends(i + 1, extent);
        let last = self.open.iter().enumerate().position(ends);
        let count = last.map_or(self.open.len(), |i| i + 1);
        let extents = &self.open[..count];
        let bytes = extents.iter().map(Extent::len).sum();
        let (id, _) = (self.store)(&encode_extent_list(extents))?;
        self.lists.push(ExtentList {
            id,
            extents: count as u32,
            bytes,
        });
        self.open.drain(..count);
        Ok(())
    }
}

/// The extents of the list that an entry calls `list`, from its `plain` text. Damage when they are not as many or not
/// as long as the entry's size.
pub fn open_extent_list(list: &ExtentList, plain: &[u8]) -> Result<Vec<Extent>> {
    let extents = decode_extent_list(plain).map_err(|e| e.of(&list.id))?;
    let bytes: u64 = extents.iter().map(Extent::len).sum();
    if extents.len() != list.extents as usize || bytes != list.bytes {
        return Err(Error::corrupt(Object::TreeChunk(list.id), Flaw::NotAsListed).into());
    }
    Ok(extents)
}
