//! Who may read: whoever has the token.

use crate::gate::is_same;
use axum::http::{HeaderMap, header};

/// What is asked for, and what comes before it in addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    /// `/TOKEN` or nothing.
    pub(super) base: String,
    /// Decoded, without slashes at the ends.
    pub(super) path: Vec<u8>,
}

/// The path that is asked for, if the token is in it or in the password.
pub(super) fn admitted(token: &str, path: &str, headers: &HeaderMap) -> Option<Asked> {
    let rest = path.strip_prefix('/')?;
    let (first, below) = rest.split_once('/').unwrap_or((rest, ""));
    let (base, path) = match is_same(token, first) {
        true => (format!("/{first}"), below),
        false if has_password(token, headers) => (String::new(), rest),
        false => return None,
    };
    let path = percent_encoding::percent_decode_str(path).collect::<Vec<u8>>();
    let path = path.strip_suffix(b"/").unwrap_or(&path).to_vec();
    Some(Asked { base, path })
}

/// Whether the password of the Basic scheme is the token, whatever the name of the user.
fn has_password(token: &str, headers: &HeaderMap) -> bool {
    let given = || {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = value.split_once(' ')?;
        let plain = scheme
            .eq_ignore_ascii_case("basic")
            .then(|| base64(encoded.trim()))??;
        let plain = String::from_utf8(plain).ok()?;
        let (_, password) = plain.split_once(':')?;
        Some(is_same(token, password))
    };
    given().unwrap_or(false)
}

/// What was written in base 64 (RFC 4648).
fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| -> Option<u32> {
        Some(match c {
            b'A'..=b'Z' => u32::from(c - b'A'),
            b'a'..=b'z' => u32::from(c - b'a') + 26,
            b'0'..=b'9' => u32::from(c - b'0') + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | digit(c)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_base_64() {
        for (text, want) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9vYmFy", b"foobar"),
            ("//79", b"\xff\xfe\xfd"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(base64("Zm9v*"), None);
    }

    #[test]
    fn the_token_is_in_the_path_or_the_password() {
        let none = HeaderMap::new();
        let asked = |path: &str| admitted("abc", path, &none).map(|asked| (asked.base, asked.path));
        assert_eq!(asked("/abc"), Some(("/abc".into(), b"".to_vec())));
        assert_eq!(asked("/abc/x/y%20z/"), Some(("/abc".into(), b"x/y z".to_vec())));
        for path in ["", "/", "/abcd", "/ab", "/x/abc", "/ABC", "//abc"] {
            assert_eq!(asked(path), None, "{path}");
        }
        let mut headers = HeaderMap::new();
        // any:abc
        headers.insert(header::AUTHORIZATION, "Basic YW55OmFiYw==".parse().unwrap());
        let asked = admitted("abc", "/x%ff", &headers).unwrap();
        assert_eq!((asked.base.as_str(), &asked.path[..]), ("", &b"x\xff"[..]));
        for wrong in [
            "Basic YW55OmFiZA==",
            "Basic YWJj",
            "Bearer abc",
            "Basic",
            "Basic ::",
        ] {
            headers.insert(header::AUTHORIZATION, wrong.parse().unwrap());
            assert_eq!(admitted("abc", "/x", &headers), None, "{wrong}");
        }
    }
}
