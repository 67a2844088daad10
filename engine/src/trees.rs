//! A generation's tree as read from the store: where cursors get their loader, and what several jobs do with trees.

pub mod ahead;

use crate::entry::{Content, Extent};
use crate::error::{Error, Result};
use crate::run::CancelToken;
use crate::tree::{Cursor, Item, Root, SegmentRef, open_extent_list};
use chunkstore::frame::Decoder;
use chunkstore::index::Presence;
use chunkstore::live::LiveSet;
use chunkstore::reader::Reader;
use chunkstore::writer::Writer;
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

/// Whether all of a content may be referred to: every chunk and small file of it is in the view of the writer's session
/// (I-4).
pub fn is_present(
    writer: &Writer,
    presence: &mut Presence,
    (reader, decoder): (&Reader<'_>, &mut Decoder),
    content: &Content,
) -> Result<bool> {
    match content {
        Content::None => return Ok(true),
        Content::Bundled { .. } => {
            return match content.small_file() {
                Some(file) => Ok(writer.present_file(presence, &file)?),
                None => Ok(true),
            };
        }
        Content::Lists(lists) => {
            for list in lists {
                if !writer.present(&list.id)? {
                    return Ok(false);
                }
            }
        }
        Content::Extents(_) => {}
    }
    let mut present = true;
    for_each_extent(reader, decoder, content, &mut |extent| {
        if let Extent::Chunk { id, .. } = extent {
            present = present && writer.present(&id)?;
        }
        Ok(())
    })?;
    Ok(present)
}

/// A step through a tree of which parts may be damaged. Made for every entry, so nothing in it is boxed.
#[allow(clippy::large_enum_variant)]
pub enum TreeStep {
    Entry(Item),
    /// A piece that can't be read, and what is known of it.
    Unread(Error, Option<SegmentRef>),
}

/// Goes through a tree to its end, past pieces that can't be read and segments in `whole`. `each` returns whether an entry
/// is intact; segments of which all entries are are added to `whole`. An error of `each` ends this.
pub fn each_step<L>(
    cursor: &mut Cursor<L>,
    proven: &mut LiveSet,
    cancel: &CancelToken,
    each: &mut dyn FnMut(TreeStep) -> Result<bool>,
) -> Result<()>
where
    L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
{
    // The segment at hand, while nothing in it was found damaged.
    let mut clean = None;
    loop {
        cancel.check()?;
        let ahead = cursor.segment_ahead().map(|ahead| ahead.map(|s| s.segment.id));
        let next = match ahead {
            Ok(Some(id)) if proven.contains(&id)? => {
                cursor.skip_piece();
                continue;
            }
            Ok(ahead) => {
                clean = ahead.or(clean);
                cursor.next()
            }
            Err(e) => Err(e),
        };
        let item = match next {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(()),
            Err(e) => {
                let skipped = cursor.skip_piece();
                let is_end = skipped.is_none();
                each(TreeStep::Unread(e, skipped))?;
                match is_end {
                    true => return Ok(()),
                    false => continue,
                }
            }
        };
        let is_last = item.pos.last;
        if !each(TreeStep::Entry(item))? {
            clean = None;
        }
        if is_last && let Some(id) = clean.take() {
            proven.insert(id)?;
        }
    }
}
