//! What an entry may be at most, checked when it enters the stream and again when it is read back (I-14).
//!
//! A segment is closed at about 1 MiB of [`super::cut::cost`], so with the largest entry on top its plaintext stays
//! below [`PLAIN`]; the totals a decoder allows are those plus slack.

use super::fault::{CodecError, TreeFault, TreePart};
use crate::entry::{Content, Entry, Extent, ExtentList, Kind, Time, Trouble, Xattr};

/// Bytes of a piece's plaintext.
pub const PLAIN: usize = 16 << 20;
/// Entries in a segment; the cut rule closes it at a quarter of this.
pub const ENTRIES: usize = 1 << 16;
/// Bytes of a name; file systems in use stop at 255 or 1020.
pub const COMPONENT: usize = 4096;
/// Components of a directory's path.
pub const DEPTH: usize = 8192;
/// Bytes of a directory's path.
pub const PATH: usize = 2 << 20;
/// Bytes of all names and directory paths of a segment once front coding is undone.
pub const PATHS: usize = 16 << 20;
/// Bytes of a user's or group's name.
pub const OWNER: usize = 4096;
/// Bytes of a symbolic link's target.
pub const TARGET: usize = 1 << 16;
/// Bytes of an extended attribute's name, of its value, and of all of an entry's together; and how many it may have.
pub const XATTR_NAME: usize = 4096;
pub const XATTR_VALUE: usize = 64 << 10;
pub const XATTR_BYTES: usize = 1 << 20;
pub const XATTRS: usize = 4096;
/// Attributes in a segment's table: 16 counted bytes each make 64 Ki, and one entry's on top.
pub const XATTRS_IN_SEGMENT: usize = 1 << 17;
/// Extents in an entry or an extent list; more become several lists.
pub const EXTENTS: usize = 4096;
pub const EXTENTS_IN_SEGMENT: usize = 1 << 16;
/// Extent lists of one file: 70 TB of it at 512 KiB a chunk and 1,024 chunks a list.
pub const LISTS: usize = 1 << 17;
pub const LISTS_IN_SEGMENT: usize = 1 << 18;

const fn bad(part: TreePart, fault: TreeFault) -> Result<(), CodecError> {
    Err(CodecError::Damaged(part, fault))
}

/// Whether the stream can hold `entry` in the directory `dir`. A backup asks before it pushes what a strange file
/// system gave it, so that one entry over a limit is a problem of that path and not the end of the run (I-12).
pub fn check_entry(dir: &[u8], entry: &Entry) -> Result<(), CodecError> {
    check_dir(dir)?;
    check_fields(entry)
}

pub(super) fn check_fields(entry: &Entry) -> Result<(), CodecError> {
    let meta = &entry.meta;
    check_name(&entry.name)?;
    check_mode(meta.mode)?;
    if meta.user.len() > OWNER || meta.group.len() > OWNER {
        return bad(TreePart::Owner, TreeFault::TooLong);
    }
    check_time(meta.mtime)?;
    check_time(meta.ctime)?;
    meta.btime.map_or(Ok(()), check_time)?;
    check_xattrs(&meta.xattrs)?;
    check_content(&entry.content)?;
    if let Kind::Symlink { target } = &entry.kind {
        check_target(target)?;
    }
    check_kind(entry)
}

/// Only regular files have bytes, and only failed calls have an errno worth keeping.
pub(super) fn check_kind(entry: &Entry) -> Result<(), CodecError> {
    if entry.kind != Kind::File && (entry.content != Content::None || entry.meta.size != 0) {
        return bad(TreePart::Content, TreeFault::WrongKind);
    }
    match entry.trouble {
        None | Some(Trouble::Changed) => Ok(()),
        Some(Trouble::Unreadable { errno } | Trouble::Unknown { errno } | Trouble::NoXattrs { errno }) => {
            check_errno(errno)
        }
    }
}

pub(super) fn check_errno(errno: i32) -> Result<(), CodecError> {
    if errno < 0 {
        bad(TreePart::Errno, TreeFault::OutOfRange)
    } else {
        Ok(())
    }
}

pub(super) fn check_name(name: &[u8]) -> Result<(), CodecError> {
    check_name_end(name, name)
}

/// The same for a name of which all before its `end` is the beginning of one that was checked.
#[inline]
pub(super) fn check_name_end(name: &[u8], end: &[u8]) -> Result<(), CodecError> {
    match name {
        [] | b"." | b".." => return bad(TreePart::Name, TreeFault::Unsafe),
        _ if name.len() > COMPONENT => return bad(TreePart::Name, TreeFault::TooLong),
        _ => {}
    }
    if end.iter().any(|b| matches!(b, 0 | b'/')) {
        return bad(TreePart::Name, TreeFault::Unsafe);
    }
    Ok(())
}

pub(super) fn check_dir(dir: &[u8]) -> Result<(), CodecError> {
    if dir.is_empty() {
        return Ok(());
    }
    if dir.len() > PATH {
        return bad(TreePart::Path, TreeFault::TooLong);
    }
    for (depth, name) in dir.split(|b| *b == b'/').enumerate() {
        if depth >= DEPTH {
            return bad(TreePart::Path, TreeFault::TooDeep);
        }
        check_name(name)?;
    }
    Ok(())
}

pub(super) fn check_mode(mode: u32) -> Result<(), CodecError> {
    if mode > 0o7777 {
        bad(TreePart::Mode, TreeFault::OutOfRange)
    } else {
        Ok(())
    }
}

pub(super) fn check_time(time: Time) -> Result<(), CodecError> {
    if time.nanos >= 1_000_000_000 {
        bad(TreePart::Time, TreeFault::OutOfRange)
    } else {
        Ok(())
    }
}

pub(super) fn check_target(target: &[u8]) -> Result<(), CodecError> {
    if target.len() > TARGET {
        return bad(TreePart::LinkTarget, TreeFault::TooLong);
    }
    if target.contains(&0) {
        bad(TreePart::LinkTarget, TreeFault::Unsafe)
    } else {
        Ok(())
    }
}

pub(super) fn check_xattrs(xattrs: &[Xattr]) -> Result<(), CodecError> {
    if xattrs.len() > XATTRS {
        return bad(TreePart::Xattrs, TreeFault::TooMany);
    }
    let mut total = 0;
    for (i, xattr) in xattrs.iter().enumerate() {
        if xattr.name.is_empty() || xattr.name.len() > XATTR_NAME || xattr.name.contains(&0) {
            return bad(TreePart::XattrName, TreeFault::OutOfRange);
        }
        if xattr.value.len() > XATTR_VALUE {
            return bad(TreePart::Xattr, TreeFault::TooLong);
        }
        if i > 0 && xattrs[i - 1].name >= xattr.name {
            return bad(TreePart::Xattrs, TreeFault::OutOfOrder);
        }
        total += xattr.name.len() + xattr.value.len();
    }
    if total > XATTR_BYTES {
        bad(TreePart::Xattrs, TreeFault::TooLong)
    } else {
        Ok(())
    }
}

pub(super) fn check_content(content: &Content) -> Result<(), CodecError> {
    match content {
        Content::None => Ok(()),
        Content::Bundled { offset, len, .. } => check_part(*offset, *len),
        Content::Extents(extents) => check_extents(extents),
        Content::Lists(lists) => check_lists(lists),
    }
}

pub(super) fn check_part(offset: u32, len: u32) -> Result<(), CodecError> {
    if len == 0 || offset.checked_add(len).is_none() {
        bad(TreePart::BundlePart, TreeFault::OutOfRange)
    } else {
        Ok(())
    }
}

pub(super) fn check_extents(extents: &[Extent]) -> Result<(), CodecError> {
    if extents.is_empty() || extents.len() > EXTENTS {
        return bad(TreePart::Extents, TreeFault::OutOfRange);
    }
    let mut total = 0u64;
    for extent in extents {
        match (extent.len(), total.checked_add(extent.len())) {
            (0, _) | (_, None) => return bad(TreePart::Extents, TreeFault::OutOfRange),
            (_, Some(sum)) => total = sum,
        }
    }
    Ok(())
}

pub(super) fn check_list(list: &ExtentList) -> Result<(), CodecError> {
    if list.bytes == 0 || list.extents == 0 || list.extents as usize > EXTENTS {
        return bad(TreePart::ExtentList, TreeFault::OutOfRange);
    }
    Ok(())
}

pub(super) fn check_lists(lists: &[ExtentList]) -> Result<(), CodecError> {
    if lists.is_empty() || lists.len() > LISTS {
        return bad(TreePart::ExtentList, TreeFault::OutOfRange);
    }
    let mut total = 0u64;
    for list in lists {
        check_list(list)?;
        total = match total.checked_add(list.bytes) {
            Some(sum) => sum,
            None => return bad(TreePart::ExtentList, TreeFault::OutOfRange),
        };
    }
    Ok(())
}
