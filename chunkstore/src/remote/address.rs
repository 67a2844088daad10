//! What a repository's URL means, and how it may be shown: everything but its secrets.
//!
//! A password in a URL is used and never printed: messages show [`shown`], and texts that servers send back are
//! cleaned of it ([`Address::cleaned`]).

use crate::error::{Error, Invalid, Result, UrlFault};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// Put in place of a secret.
const HIDDEN: &str = "***";
/// Bytes of a secret from which on it is hidden wherever it stands as a word.
const WORD_LEN: usize = 8;
/// Parameters that hold a secret.
const SECRET_PARAMETERS: [&str; 4] = ["password", "secret", "token", "key"];
/// Parameters of every address, beside its scheme's own.
const COMMON: [&str; 5] = ["ca", "cert", "proxy", "timeout", "retry"];
/// Seconds a transfer may stand still.
const STALL: u64 = 60;
/// Seconds for which a request that fails is tried again, once the storage has been reached.
const PATIENCE: u64 = 300;

/// A URL taken apart.
#[derive(Clone)]
pub struct Address {
    pub scheme: String,
    pub user: Option<String>,
    pub password: Option<Zeroizing<String>>,
    /// The bucket or container, where the scheme has one.
    pub host: String,
    pub port: Option<u16>,
    /// Without slashes at its ends.
    pub path: String,
    parameters: BTreeMap<String, String>,
    shown: String,
}

pub(super) fn invalid(fault: UrlFault) -> Error {
    Error::Invalid(Invalid::Url(fault))
}

/// The longest time that a parameter may give, in seconds.
const SECONDS_MAX: u64 = 86_400;

impl Address {
    /// `own` are the parameters that this scheme knows beside the common ones.
    pub fn parse(url: &str, own: &[&str]) -> Result<Address> {
        // They would be left out silently, wherever they stand.
        if url.contains(char::is_control) {
            return Err(invalid(UrlFault::ControlCharacter));
        }
        if parts_of(url).is_none() {
            return Err(invalid(UrlFault::NoSlashes));
        }
        let parsed = Url::parse(url).map_err(|e| {
            let detail = e.to_string();
            invalid(UrlFault::Other { detail })
        })?;
        let scheme = parsed.scheme().to_string();
        if ["file", "ftp", "http", "https", "ws", "wss"].contains(&scheme.as_str()) {
            return Err(invalid(UrlFault::NotARepository { scheme }));
        }
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(String::from).map_err(|_| invalid(UrlFault::NotUtf8))
        };
        let mut parameters = BTreeMap::new();
        for (name, value) in parsed.query_pairs() {
            if !own.contains(&&*name) && !COMMON.contains(&&*name) {
                let known = own.iter().chain(&COMMON).map(ToString::to_string);
                return Err(invalid(UrlFault::UnknownParameter {
                    scheme,
                    parameter: name.into_owned(),
                    known: known.collect(),
                }));
            }
            if parameters.insert(name.to_string(), value.to_string()).is_some() {
                let parameter = name.into_owned();
                return Err(invalid(UrlFault::RepeatedParameter { parameter }));
            }
        }
        let host = decode(parsed.host_str().unwrap_or_default())?;
        if host.is_empty() {
            return Err(invalid(UrlFault::NoName { scheme }));
        }
        let path = decode(parsed.path())?;
        if path.split('/').any(|part| part == ".." || part == ".") {
            return Err(invalid(UrlFault::DotComponent));
        }
        Ok(Address {
            user: match parsed.username() {
                "" => None,
                user => Some(decode(user)?),
            },
            password: parsed.password().map(decode).transpose()?.map(Zeroizing::new),
            host,
            port: parsed.port(),
            path: path.trim_matches('/').to_string(),
            parameters,
            shown: shown(url),
            scheme,
        })
    }

    /// `rclone:REMOTE:PATH`, which is rclone's to understand.
    pub fn of_rclone(url: &str) -> Result<Address> {
        let path = url.strip_prefix("rclone:").unwrap_or_default();
        if !path.contains(':') || path.starts_with('-') {
            return Err(invalid(UrlFault::NoRcloneRemote));
        }
        Ok(Address {
            scheme: "rclone".to_string(),
            user: None,
            password: None,
            host: String::new(),
            port: None,
            path: path.to_string(),
            parameters: BTreeMap::new(),
            shown: shown(url),
        })
    }

    /// Where a server of our own listens, on this machine.
    pub fn of_loopback(port: u16, user: &str, password: Zeroizing<String>) -> Address {
        Address {
            scheme: "webdav".to_string(),
            user: Some(user.to_string()),
            password: Some(password),
            host: "127.0.0.1".to_string(),
            port: Some(port),
            path: String::new(),
            parameters: BTreeMap::new(),
            shown: String::new(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Host and port of the server, as far as the address says: not of a storage service's usual one, nor of a remote of
    /// rclone's.
    pub fn server(&self) -> Option<(String, u16)> {
        if let Some(endpoint) = self.get("endpoint") {
            let endpoint = match endpoint.contains("://") {
                true => Url::parse(endpoint),
                false => Url::parse(&format!("https://{endpoint}")),
            };
            let endpoint = endpoint.ok()?;
            return Some((bare(endpoint.host_str()?), endpoint.port_or_known_default()?));
        }
        let port = match self.scheme.as_str() {
            "sftp" => 22,
            "webdav" => 80,
            "webdavs" => 443,
            _ => return None,
        };
        Some((bare(&self.host), self.port.unwrap_or(port)))
    }

    /// For messages.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    fn seconds(&self, name: &str, default: u64) -> Result<Duration> {
        let seconds = match self.get(name) {
            None => Some(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (1..=SECONDS_MAX).contains(seconds)),
        };
        seconds.map(Duration::from_secs).ok_or_else(|| {
            invalid(UrlFault::Seconds {
                parameter: name.to_string(),
                most: SECONDS_MAX,
            })
        })
    }

    /// How long a transfer may stand still.
    pub fn stall(&self) -> Result<Duration> {
        self.seconds("timeout", STALL)
    }

    /// How long requests are tried again.
    pub fn patience(&self) -> Result<Duration> {
        self.seconds("retry", PATIENCE)
    }

    /// A text from outside, without the secrets of this address: hidden where URLs have them, after the user's name, and
    /// as words of their own. A short secret, or one that the rest of the URL holds too, is not hidden as a word: that
    /// would only tell that other words are equal to it.
    pub fn cleaned(&self, text: &str) -> String {
        let mut text = with_masked_urls(text);
        let parameters = self.parameters.iter().filter(|(name, _)| is_secret(name));
        let secrets = parameters.map(|(_, value)| value.as_str());
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let pair = Zeroizing::new(format!("{user}:{}", password.as_str()));
            text = replace_word(&text, &pair, &format!("{user}:{HIDDEN}"));
        }
        for secret in secrets.chain(self.password.as_ref().map(|password| password.as_str())) {
            if secret.len() >= WORD_LEN && !self.shown.contains(secret) {
                text = replace_word(&text, secret, HIDDEN);
            }
        }
        text
    }
}

/// An IPv6 address without the brackets that URLs have it in.
fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_string()
}

/// Replaces `word` where no letter or digit stands beside it.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    if word.is_empty() {
        return text.to_string();
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(word) {
        let joined = before.ends_with(char::is_alphanumeric)
            || (before.is_empty() && out.ends_with(char::is_alphanumeric))
            || after.starts_with(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if joined { word } else { by });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_secret(parameter: &str) -> bool {
    SECRET_PARAMETERS.contains(&parameter)
}

/// The scheme, and what follows its `://`.
fn parts_of(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    // Some schemes bear more slashes, or backslashes, before the host: what is where is not for us to guess.
    let rest = rest.strip_prefix("//")?;
    (!rest.starts_with(['/', '\\'])).then_some((scheme, rest))
}

/// A URL as it may be printed. What can't be taken apart is cut off before anything that could be a secret.
pub fn shown(url: &str) -> String {
    // As every parser of it does: these are left out of a URL, so a parameter's name can't hide behind them.
    if url.contains("://") && url.contains(['\t', '\n', '\r']) {
        return shown(&url.replace(['\t', '\n', '\r'], ""));
    }
    if let Some(remote) = url.strip_prefix("rclone:") {
        // Settings written into the remote's name can hold anything, and so can what is no address of rclone's.
        return if remote.contains(['=', '@']) {
            format!("rclone:{HIDDEN}")
        } else {
            url.to_string()
        };
    }
    if super::local_path(url).is_some() || url.is_empty() || url == "mem:" {
        return url.to_string();
    }
    match parts_of(url) {
        None => format!("{}:{HIDDEN}", url.split(':').next().unwrap_or_default()),
        Some((scheme, _)) if Url::parse(url).is_err() => format!("{scheme}://{HIDDEN}"),
        Some((scheme, rest)) => format!("{scheme}://{}", masked(rest)),
    }
}

/// What follows `://`, with its secrets hidden where they stand: the password before the host, and parameters. All else
/// stays as it is written.
fn masked(rest: &str) -> String {
    // What follows a # is no part of the address; it may be the end of a secret that should have been escaped.
    if let Some((rest, _)) = rest.split_once('#') {
        return format!("{}#{HIDDEN}", masked(rest));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, password)) if !password.is_empty() => format!("{user}:{HIDDEN}@{host}"),
            _ => authority.to_string(),
        },
        None => authority.to_string(),
    };
    let Some((path, query)) = path.split_once('?') else {
        return authority + path;
    };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        // Without a value there is nothing to hide.
        Some((name, value))
            if !value.is_empty() && is_secret(&percent_decode_str(name).decode_utf8_lossy()) =>
        {
            format!("{name}={HIDDEN}")
        }
        _ => parameter.to_string(),
    });
    let parameters: Vec<String> = parameters.collect();
    format!("{authority}{path}?{}", parameters.join("&"))
}

/// A text, with the secrets hidden in all URLs that stand in it.
fn with_masked_urls(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("://") {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`');
        let (url, further) = after.split_at(after.find(ends).unwrap_or(after.len()));
        // A URL within a URL, such as an endpoint, is looked at by itself.
        let (url, further) = match url.find("://") {
            Some(at) => after.split_at(at),
            None => (url, further),
        };
        out.push_str(before);
        out.push_str("://");
        out.push_str(&masked(url));
        rest = further;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let url = "s3://office/pc%201/x/?endpoint=http://127.0.0.1:83&region=jp&timeout=5";
        let address = Address::parse(url, &["endpoint", "region"]).unwrap();
        assert_eq!(
            (address.host.as_str(), address.path.as_str()),
            ("office", "pc 1/x")
        );
        assert_eq!(address.get("endpoint"), Some("http://127.0.0.1:83"));
        assert_eq!(address.stall().unwrap(), Duration::from_secs(5));
        assert_eq!((address.user, address.port), (None, None));
        let url = "sftp://u%40d:p%2Fw@host:2222/srv/backup";
        let address = Address::parse(url, &[]).unwrap();
        assert_eq!(address.user.as_deref(), Some("u@d"));
        assert_eq!(address.password.as_ref().unwrap().as_str(), "p/w");
        assert_eq!((address.host.as_str(), address.port), ("host", Some(2222)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, fault) in [
            (
                "s3://bucket?endpiont=x",
                UrlFault::UnknownParameter {
                    scheme: "s3".to_string(),
                    parameter: "endpiont".to_string(),
                    known: ["region"]
                        .iter()
                        .chain(&COMMON)
                        .map(ToString::to_string)
                        .collect(),
                },
            ),
            (
                "s3://bucket?region=a&region=b",
                UrlFault::RepeatedParameter {
                    parameter: "region".to_string(),
                },
            ),
            (
                "s3://",
                UrlFault::NoName {
                    scheme: "s3".to_string(),
                },
            ),
            ("s3://bucket/a%2F..%2F..", UrlFault::DotComponent),
        ] {
            let error = Address::parse(url, &["region"]).err();
            assert_eq!(error, Some(invalid(fault)), "{url}");
        }
        for value in ["0", "x", "-1", "86401"] {
            let address = Address::parse(&format!("s3://b?timeout={value}"), &[]).unwrap();
            assert!(address.stall().is_err(), "{value}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        for url in [
            "webdav://user:hunter2@host/x",
            "sftp://user:hunter2@host:22/x?timeout=3",
            "s3://b?secret=hunter2&region=x",
            "s3://user:hunter2@[broken/x",
            "rclone::s3,secret_access_key=hunter2:b",
            "b2://hunter2:hunter2@b",
            "ftp:user:hunter2@host/x",
            "rclone://user:hunter2@host/x",
        ] {
            let text = shown(url);
            assert!(url.starts_with("b2") || !text.contains("hunter2"), "{text}");
            assert!(text.contains(HIDDEN), "{text}");
        }
        assert_eq!(shown("/a:b@c/d"), "/a:b@c/d");
        assert_eq!(shown("s3://bucket/x?region=jp"), "s3://bucket/x?region=jp");
        assert_eq!(shown("webdavs://user:@host/x"), "webdavs://user:@host/x");
        for url in ["s3://b/x?secret", "s3://b/x?secret=", "s3://b/x?secret&region=jp"] {
            assert_eq!(shown(url), url, "nothing to hide");
        }
        assert_eq!(shown("s3://b/x?secret&secret=ab"), "s3://b/x?secret&secret=***");
        assert_eq!(shown("ws:/user:pass@host/azblob://x"), "ws:***");
        assert_eq!(shown("s3://b/x?secret=ab#cd&se"), "s3://b/x?secret=***#***");
        assert_eq!(shown("s3://b/x?sec\nret=abcd"), "s3://b/x?secret=***");
        let address = Address::parse("webdav://u:hunter2@host/", &[]).unwrap();
        assert_eq!(address.cleaned("tried u:hunter2 there"), "tried u:*** there");
    }

    #[test]
    fn secrets_are_hidden_by_their_place() {
        assert_eq!(shown("mem:"), "mem:");
        assert_eq!(shown("mem://u:secret@host/x"), "mem://u:***@host/x");
        let rows = [
            ("webdav://e:e@here.example/e/e", "webdav://e:***@here.example/e/e"),
            (
                "webdav://u:p%2Fa%40b@Host:80/p%2Fa",
                "webdav://u:***@Host:80/p%2Fa",
            ),
            ("webdav://u:a@b:c@host/x", "webdav://u:***@host/x"),
            ("webdav://u@host/u:x@y", "webdav://u@host/u:x@y"),
            // Without a password there is none to hide.
            ("webdav://u:@host/", "webdav://u:@host/"),
            (
                "s3://key:key@key/key?endpoint=http://key&key=a%26b&region=key",
                "s3://key:***@key/key?endpoint=http://key&key=***&region=key",
            ),
            ("s3://b/x?se%63ret=a#b&region=c", "s3://b/x?se%63ret=***#***"),
        ];
        for (url, want) in rows {
            assert_eq!(shown(url), want);
        }
        let address = |url: &str| Address::parse(url, &["secret"]).unwrap();
        let rows = [
            ("webdav://e:e@host/", "here: see e, e:e", "here: see e, e:***"),
            (
                "webdav://backup1:backup1@host/backup1",
                "/backup1 is denied",
                "/backup1 is denied",
            ),
            (
                "webdav://u:correct-horse@host/",
                "'correct-horse', correct-horses",
                "'***', correct-horses",
            ),
            (
                "webdav://u:p%40ss@host/",
                "error for url (http://u:p%40ss@host/u?secret=x&y=p) again",
                "error for url (http://u:***@host/u?secret=***&y=p) again",
            ),
            (
                "s3://b?secret=long-enough-1",
                "long-enough-1 is wrong",
                "*** is wrong",
            ),
        ];
        for (url, said, want) in rows {
            assert_eq!(address(url).cleaned(said), want, "{url}");
        }
    }
}
