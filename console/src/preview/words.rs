//! The beginning of a text file, decoded: UTF-8, UTF-16, and the encodings in which Japanese was written before, which
//! the browser decodes.

/// How a page with the text says that it is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Utf8,
    ShiftJis,
    EucJp,
    /// Every byte is a character.
    Windows1252,
}

impl Encoding {
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::ShiftJis => "shift_jis",
            Encoding::EucJp => "euc-jp",
            Encoding::Windows1252 => "windows-1252",
        }
    }
}

/// The text in these bytes, which may end within a character, and its encoding; `None` if it is no text.
pub fn text(bytes: &[u8]) -> Option<(Vec<u8>, Encoding)> {
    if let Some(text) = utf16(bytes) {
        return Some((text.into_bytes(), Encoding::Utf8));
    }
    if bytes.contains(&0) {
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(_) => Some((bytes.to_vec(), Encoding::Utf8)),
        // Cut within the last character.
        Err(e) if e.error_len().is_none() => {
            let whole = bytes.get(..e.valid_up_to()).unwrap_or_default();
            Some((whole.to_vec(), Encoding::Utf8))
        }
        Err(_) => {
            let odd = bytes
                .iter()
                .filter(|byte| **byte < 0x20 && !b"\t\n\r\x0b\x0c\x1b".contains(byte));
            if odd.count() > bytes.len() / 100 {
                return None;
            }
            let encoding = match (is_euc_jp(bytes), is_shift_jis(bytes)) {
                (true, _) => Encoding::EucJp,
                (_, true) => Encoding::ShiftJis,
                _ => Encoding::Windows1252,
            };
            Some((bytes.to_vec(), encoding))
        }
    }
}

/// As a string, where that is what it is.
pub fn string(bytes: &[u8]) -> Option<String> {
    match text(bytes)? {
        (text, Encoding::Utf8) => String::from_utf8(text).ok(),
        _ => None,
    }
}

/// By its mark.
fn utf16(bytes: &[u8]) -> Option<String> {
    let read: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => |pair| u16::from_le_bytes([pair[1], pair[0]]),
        _ => return None,
    };
    let pairs = bytes.get(2..)?.as_chunks::<2>().0;
    let units = pairs.iter().map(|pair| read(*pair));
    let text: String = char::decode_utf16(units)
        .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    (!text.contains('\0')).then_some(text)
}

/// Whether all bytes fit the pattern; `length` gives that of a character that begins with a byte and is followed by
/// another.
fn fits(bytes: &[u8], length: impl Fn(u8, Option<u8>) -> Option<usize>) -> bool {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (length(*byte, bytes.get(at + 1).copied()), bytes.get(at + 1)) {
            (Some(len), _) => at += len,
            // Cut within the last character.
            (None, None) => return *byte >= 0x80,
            (None, Some(_)) => return false,
        }
    }
    true
}

fn is_shift_jis(bytes: &[u8]) -> bool {
    fits(bytes, |lead, trail| match (lead, trail) {
        // ASCII, and half-width katakana.
        (0..=0x7f | 0xa1..=0xdf, _) => Some(1),
        (0x81..=0x9f | 0xe0..=0xfc, Some(0x40..=0x7e | 0x80..=0xfc)) => Some(2),
        _ => None,
    })
}

fn is_euc_jp(bytes: &[u8]) -> bool {
    fits(bytes, |lead, trail| match (lead, trail) {
        (0..=0x7f, _) => Some(1),
        (0x8e, Some(0xa1..=0xdf)) | (0xa1..=0xfe, Some(0xa1..=0xfe)) => Some(2),
        (0x8f, Some(0xa1..=0xfe)) => Some(3),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(bytes: &[u8]) -> Option<&'static str> {
        text(bytes).map(|(_, encoding)| encoding.name())
    }

    #[test]
    fn encodings() {
        assert_eq!(encoding("日本".as_bytes()), Some("utf-8"));
        assert_eq!(
            encoding(&"日本".as_bytes()[..5]),
            Some("utf-8"),
            "cut within a character"
        );
        assert_eq!(encoding(b"\x93\xfa\x96\x7b\x8c\xea, ascii\n"), Some("shift_jis"));
        assert_eq!(encoding(b"\xc6\xfc\xcb\xdc\xb8\xec, ascii\n"), Some("euc-jp"));
        assert_eq!(encoding(b"caf\xe9 \xfcber"), Some("windows-1252"));
        assert_eq!(encoding(b"\x7fELF\x01\x00\x00"), None);
        assert_eq!(encoding(b"\x89PNG\r\n\x1a\n\x01\x02\x03\x04"), None);
        assert_eq!(encoding(b""), Some("utf-8"));
        assert_eq!(string(b"\xff\xfea\x00\xe5\x65").as_deref(), Some("a日"));
        assert_eq!(string(b"\xfe\xff\x00a\x65\xe5").as_deref(), Some("a日"));
        assert_eq!(string(b"\xef\xbb\xbfa").as_deref(), Some("a"));
    }
}
