use super::*;
use crate::keys::MasterKey;
use crate::remote::Memory;

fn sample() -> (Keys, Memory, PackList, Vec<u8>) {
    let keys = Keys::new(&MasterKey([1; 32]), RepoId([2; 16]));
    let remote = Memory::new();
    let sealed = keys.new_session().unwrap().tree.sealed;
    let mut writer = PackWriter::begin(
        &remote,
        keys.repo(),
        Class::Tree,
        vec![sealed, SealedSessionKey::dummy(7)],
    )
    .unwrap();
    for i in 0..20u8 {
        let id = ChunkId([i; 32]);
        let frame = Frame {
            id,
            offset: 0,
            stored_len: 0,
            plain_len: 9,
            codec: Codec::Zstd,
            key: u16::from(i % 2),
        };
        writer.append(frame, &vec![i; 40 + usize::from(i)]).unwrap();
    }
    let list = writer.finish(&keys).unwrap().publish(&remote).unwrap();
    let bytes = remote.get(&ObjectName::pack(list.id), 1 << 20).unwrap();
    (keys, remote, list, bytes)
}

#[test]
fn a_pack_is_named_by_its_bytes_padded_and_lists_its_frames() {
    let (keys, remote, list, bytes) = sample();
    assert_eq!(blake3::hash(&bytes).as_bytes(), list.id.as_bytes());
    assert_eq!(padme(bytes.len(), FLOOR), bytes.len());
    assert_eq!(read_list(&remote, &keys, list.id).unwrap(), list);
    assert_eq!(parse_list(&keys, list.id, &bytes).unwrap(), list);
    for frame in &list.frames {
        let at = frame.offset as usize;
        assert!(
            bytes[at..at + frame.stored_len as usize]
                .iter()
                .all(|b| *b == frame.id.0[0])
        );
    }
}

#[test]
fn a_renewed_pack_has_another_name_and_the_same_frames() {
    let (keys, _, list, bytes) = sample();
    let (new, renewed) = renew(&keys, list.clone(), bytes.clone()).unwrap();
    assert_ne!(new.id, list.id);
    assert_eq!(blake3::hash(&renewed).as_bytes(), new.id.as_bytes());
    assert_eq!(
        (&new.frames, &new.sealed_keys, new.size),
        (&list.frames, &list.sealed_keys, list.size)
    );
    assert_eq!(parse_list(&keys, new.id, &renewed).unwrap(), new);
    let (start, last) = (list.frames[0].offset as usize, list.frames[19]);
    let end = last.offset as usize + last.stored_len as usize;
    assert_eq!(renewed[start..end], bytes[start..end]);
    assert_ne!(renew(&keys, list, bytes).unwrap().0.id, new.id);
}

/// What a later version may write is named and never taken for damage, though an old `repair` meets it (I-15).
#[test]
fn what_a_later_version_writes_is_named() {
    let (keys, remote, list, bytes) = sample();
    let head = list.frames[0].offset as usize;
    // Version, suite, class, what is zero now, key domain and generation, kind of the first sealed key.
    for at in [8, 9, 10, 11, 28, 29, 48] {
        let mut newer = bytes.clone();
        newer[at] = 9;
        let parsed = parse_list(&keys, list.id, &newer);
        assert!(
            matches!(parsed, Err(Error::NewerFormat(_))),
            "byte {at}: {parsed:?}"
        );
        // Under the name of these bytes it is a pack of a later version, under another it is a damaged one.
        let id = PackId(*blake3::hash(&newer).as_bytes());
        let (newer_remote, hurt) = (Memory::new(), Memory::new());
        newer_remote.put(&ObjectName::pack(id), &newer).unwrap();
        hurt.put(&ObjectName::pack(list.id), &newer).unwrap();
        assert!(matches!(
            read_list(&newer_remote, &keys, id),
            Err(Error::NewerFormat(_))
        ));
        assert!(read_list(&hurt, &keys, list.id).unwrap_err().is_damage());
    }
    assert!(read_list(&remote, &keys, list.id).is_ok());
    let mut frames = encode_footer(&list.frames, &list.parts);
    frames[1 + 32 + 1 + 1] = 7;
    let decoded = decode_footer(&frames, list.class, (head, bytes.len()), 2);
    assert_eq!(decoded, Err(Undecodable::Newer(Feature::Codec(7))));
}

#[test]
fn damage_to_header_or_footer_is_found_and_never_panics() {
    let (keys, _, list, bytes) = sample();
    let frames = list.frames[0].offset as usize;
    let tail = bytes.last_chunk::<TAIL_LEN>().unwrap();
    let footer = bytes.len() - TAIL_LEN - footer_len(tail).unwrap();
    for at in (0..frames).chain(footer..bytes.len()) {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        assert!(parse_list(&keys, list.id, &bad).is_err(), "byte {at}");
    }
    for len in 0..bytes.len() {
        assert!(parse_list(&keys, list.id, &bytes[..len]).is_err());
    }
    let other = Keys::new(&MasterKey([9; 32]), RepoId([2; 16]));
    assert!(parse_list(&other, list.id, &bytes).is_err());
}
