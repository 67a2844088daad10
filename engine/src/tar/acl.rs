//! Access control lists: Linux keeps them as attributes, archives as text.

use crate::entry::Xattr;

/// Layout of the attribute: a version, then for each entry what it is about, permissions, and a number.
const VERSION: [u8; 4] = 2u32.to_le_bytes();
const ENTRY: usize = 8;

/// The key in a pax header and the text of the list, if the attribute is one.
pub(super) fn text(xattr: &Xattr) -> Option<(&'static str, String)> {
    let key = match xattr.name.as_slice() {
        b"system.posix_acl_access" => "SCHILY.acl.access",
        b"system.posix_acl_default" => "SCHILY.acl.default",
        _ => return None,
    };
    let entries = xattr.value.strip_prefix(&VERSION)?;
    let (entries, rest) = entries.as_chunks::<ENTRY>();
    if !rest.is_empty() {
        return None;
    }
    let lines = entries.iter().map(line).collect::<Option<Vec<String>>>()?;
    Some((key, lines.join(",")))
}

fn line(entry: &[u8; ENTRY]) -> Option<String> {
    let [tag, tag_high, bits, _, id @ ..] = entry;
    let id = u32::from_le_bytes(*id);
    let who = match u16::from_le_bytes([*tag, *tag_high]) {
        0x01 => "user:".to_string(),
        0x02 => format!("user:{id}"),
        0x04 => "group:".to_string(),
        0x08 => format!("group:{id}"),
        0x10 => "mask:".to_string(),
        0x20 => "other:".to_string(),
        _ => return None,
    };
    let bit = |mask: u8, letter| if bits & mask != 0 { letter } else { '-' };
    Some(format!("{who}:{}{}{}", bit(4, 'r'), bit(2, 'w'), bit(1, 'x')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_text() {
        let mut value = VERSION.to_vec();
        for (tag, bits, id) in [
            (1u16, 7u16, u32::MAX),
            (2, 4, 1000),
            (4, 5, u32::MAX),
            (16, 5, u32::MAX),
            (32, 0, u32::MAX),
        ] {
            value.extend_from_slice(&tag.to_le_bytes());
            value.extend_from_slice(&bits.to_le_bytes());
            value.extend_from_slice(&id.to_le_bytes());
        }
        let xattr = |name: &[u8], value: &[u8]| Xattr {
            name: name.to_vec(),
            value: value.to_vec(),
        };
        let list = "user::rwx,user:1000:r--,group::r-x,mask::r-x,other::---";
        assert_eq!(
            text(&xattr(b"system.posix_acl_access", &value)),
            Some(("SCHILY.acl.access", list.to_string()))
        );
        assert_eq!(text(&xattr(b"user.x", &value)), None);
        assert_eq!(text(&xattr(b"system.posix_acl_default", &value[..7])), None);
    }
}
