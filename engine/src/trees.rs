//! A generation's tree as read from the store: the one place where cursors get their loader.

use crate::entry::{Content, Extent};
use crate::error::Result;
use crate::tree::{Cursor, Root, open_extent_list};
use chunkstore::frame::Decoder;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place};

/// A cursor over the generation whose root this is.
#[allow(clippy::type_complexity)] // a closure in a return type has no name
pub fn cursor<'a>(
    reader: &'a Reader<'a>,
    root: &Root,
) -> Result<Cursor<impl FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>> + use<'a>>> {
    let mut decoder = Decoder::new()?;
    Ok(Cursor::new(root, move |id, hint| {
        Ok(reader.tree(&mut decoder, id, hint)?)
    }))
}

/// Calls `each` with the extents of a file in order; lists are read one at a time.
pub fn for_each_extent(
    reader: &Reader<'_>,
    decoder: &mut Decoder,
    content: &Content,
    each: &mut dyn FnMut(Extent) -> Result<()>,
) -> Result<()> {
    match content {
        Content::None | Content::Bundled { .. } => Ok(()),
        Content::Extents(extents) => extents.iter().copied().try_for_each(each),
        Content::Lists(lists) => {
            for list in lists {
                let plain = reader.tree(decoder, &list.id, None)?;
                open_extent_list(list, &plain)?
                    .into_iter()
                    .try_for_each(&mut *each)?;
            }
            Ok(())
        }
    }
}
