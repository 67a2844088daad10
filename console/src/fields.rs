//! Queries and forms: `a=b&c=d`, percent-encoded. Values are bytes, since a path need not be text.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// Fields of one form; more are left out.
const FIELDS_MAX: usize = 2000;

/// What need not be encoded in a value of a query.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// Names and values in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    pub fn parse(text: &[u8]) -> Fields {
        let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        let fields = pairs.take(FIELDS_MAX).map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(equals);
            let name = String::from_utf8_lossy(&decoded(name)).into_owned();
            (name, decoded(value.get(1..).unwrap_or_default()))
        });
        Fields(fields.collect())
    }

    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_slice())
    }

    /// `None` too where it is empty or no text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(self.bytes(name)?).ok()?;
        Some(text).filter(|text| !text.is_empty())
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Every value of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let found = self.0.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_slice())
    }
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).collect()
}

/// A value as it stands in a query.
pub fn encoded(value: &[u8]) -> String {
    percent_encode(value, VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bytes() {
        let fields = Fields::parse(b"a=1&b=x+y%20%ff&c&a=2&=z&%61=3");
        assert_eq!(fields.bytes("b"), Some(b"x y \xff".as_slice()));
        assert_eq!((fields.text("b"), fields.text("c")), (None, None));
        assert_eq!(fields.bytes("c"), Some(b"".as_slice()));
        assert_eq!(fields.number("a"), Some(1));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), [b"1", b"2", b"3"]);
    }

    #[test]
    fn what_is_encoded_comes_back() {
        for value in [b"/a b&c=d+e%".as_slice(), b"\xff\x00<\"'>", "日本".as_bytes()] {
            let text = format!("x={}", encoded(value));
            assert!(text.is_ascii() && !text.contains(['<', '"', ' ', '\'']), "{text}");
            assert_eq!(Fields::parse(text.as_bytes()).bytes("x"), Some(value));
        }
    }

    #[test]
    fn a_form_has_an_end() {
        let text = "a=1&".repeat(FIELDS_MAX + 10);
        assert_eq!(Fields::parse(text.as_bytes()).all("a").count(), FIELDS_MAX);
    }
}
