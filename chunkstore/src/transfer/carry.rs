//! Packs that go to another replica whole. Their bytes prove themselves by the pack's name, and no frame is opened but for
//! what the footer lists of moved files.

use crate::error::{Error, Flaw, Result};
use crate::frame::Decoder;
use crate::id::PackId;
use crate::intake::OnProgress;
use crate::object::cap;
use crate::pack::{self, PackList};
use crate::parity::SharedParity;
use crate::remote::ObjectName;
use crate::store::Store;
use crate::sweep::run::place;
use bytes::Bytes;

/// The list of what the pack is at the target, and the bytes that were sent.
pub(super) fn carry_pack(
    from: &Store,
    to: &Store,
    id: PackId,
    renews: bool,
    on_progress: &OnProgress<'_>,
) -> Result<(PackList, u64)> {
    let name = ObjectName::pack(id);
    let bytes = from.remote().get(&name, cap::PACK as usize)?;
    if blake3::hash(&bytes).as_bytes() != id.as_bytes() {
        return Err(Error::corrupt(name, Flaw::HashMismatch));
    }
    let mut list = pack::parse_list(from.keys(), id, &bytes)?;
    prove_parts(from, &mut list, &bytes)?;
    let (list, bytes) = match renews {
        true => pack::renew(to.keys(), list, bytes)?,
        false => (list, bytes),
    };
    let len = bytes.len() as u64;
    to.publish_bytes(list.id, &Bytes::from(bytes), &SharedParity::default())?;
    on_progress(len)?;
    Ok((list, len))
}

/// Leaves only those parts on a pack's list whose content is that of their hash: who made the footer may have listed any.
/// Frames are not opened otherwise; an id is compared whenever its chunk is read, and so is a hash, but a part that is listed
/// stands for its bundle when a collection decides what may go (I-4, I-7).
fn prove_parts(from: &Store, list: &mut PackList, bytes: &[u8]) -> Result<()> {
    if list.parts.is_empty() {
        return Ok(());
    }
    let (mut decoder, mut plain) = (Decoder::new()?, Vec::new());
    let mut proven = Vec::with_capacity(list.parts.len());
    for parts in list.parts.chunk_by(|a, b| a.at == b.at) {
        let frame = parts.first().and_then(|part| list.frames.get(part.at as usize));
        let Some(frame) = frame else { continue };
        let place = place(list, frame)?;
        let start = frame.offset as usize;
        let stored = bytes
            .get(start..start + frame.stored_len as usize)
            .unwrap_or_default();
        match decoder.open_at(from.keys(), list.class, frame.id, &place, stored, &mut plain) {
            Ok(()) => proven.extend(parts.iter().filter(|part| part.is_proven(from.keys(), &plain))),
            Err(e) if e.is_object_local() => {}
            Err(e) => return Err(e),
        }
    }
    list.parts = proven;
    Ok(())
}
