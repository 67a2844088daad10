use super::*;
use crate::keys::MasterKey;
use crate::remote::Memory;

fn sample() -> (Keys, Memory, PackList, Vec<u8>) {
    let keys = Keys::new(&MasterKey([1; 32]), RepoId([2; 16]));
    let remote = Memory::new();
    let (_, sealed) = keys.new_session().unwrap();
    let mut writer = PackWriter::begin(&remote, keys.repo(), Class::Tree, vec![sealed, [7; 80]]).unwrap();
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
    let list = writer.finish(&keys).unwrap().publish().unwrap();
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
