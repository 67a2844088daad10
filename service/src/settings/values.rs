//! Types of values in the settings file. Each is validated as it is parsed, so that an error has the line and column of
//! the value.

use crate::catalogue::ValueFault;
use crate::env::Env;
use crate::failure::Failure;
use crate::rates::RateSchedule;
use crate::settings::nearest;
use engine::retain::Bucket;
use engine::units::{parse_size, parse_span};
use jiff::Span;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A value that is written as a string. `$parse` makes it from the text, or explains why it can't.
macro_rules! from_text {
    ($name:ty, $expecting:literal, $parse:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        let parse: fn(&str) -> Result<$name, ValueFault> = $parse;
                        parse(text).map_err(|fault| E::custom(fault.message()))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}
pub(super) use from_text;

/// One of a few words.
macro_rules! one_of {
    ($(#[$doc:meta])* $name:ident: $($variant:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name {
            $($variant),+
        }

        impl $name {
            pub const WORDS: &[&str] = &[$($word),+];
        }

        from_text!($name, "a string", |text| match text {
            $($word => Ok($name::$variant),)+
            other => Err(not_one_of(other, $name::WORDS)),
        });
    };
}

fn not_one_of(word: &str, known: &'static [&'static str]) -> ValueFault {
    ValueFault::NotOneOf {
        word: word.to_string(),
        known,
        near: nearest(word, known),
    }
}

/// Letters, digits, `-` and `_`: what is called so is looked up before it is taken for a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name(pub String);

/// Whether a text can be the name of a remote or a set.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

from_text!(Name, "a name", |text| match is_name(text) {
    true => Ok(Name(text.to_string())),
    false => Err(ValueFault::Name {
        text: text.to_string()
    }),
});

/// A path that does not depend on where the program is started: absolute, or below the home directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AbsolutePath(String);

impl AbsolutePath {
    pub fn parse(text: &str) -> Result<AbsolutePath, ValueFault> {
        if text == "~" || text.starts_with("~/") || PathBuf::from(text).is_absolute() {
            return Ok(AbsolutePath(text.to_string()));
        }
        let is_of_other = text.starts_with('~');
        let text = text.to_string();
        Err(match is_of_other {
            true => ValueFault::OtherUsersHome { text },
            false => ValueFault::NotAbsolute { text },
        })
    }

    /// With the home directory for `~`.
    pub fn expand(&self, env: &Env) -> Result<PathBuf, Failure> {
        env.expand(self.0.as_ref())
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

from_text!(AbsolutePath, "a string", AbsolutePath::parse);

/// Bytes: `500G`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

from_text!(Size, "a string such as \"500G\"", |text| {
    Ok(Size(parse_size(text)?))
});

/// A calendar span of some length: `3d`.
#[derive(Clone, Copy, Debug)]
pub struct Age(pub Span);

from_text!(Age, "a string such as \"3d\"", |text| age(text).map(Age));

/// Elsewhere `m` is often months, and minutes where months were meant would remove nearly everything.
fn age(text: &str) -> Result<Span, ValueFault> {
    if text.contains('m') && !text.contains('h') {
        return Err(ValueFault::MinutesOrMonths);
    }
    let span = parse_span(text)?;
    match span.is_positive() {
        true => Ok(span),
        false => Err(ValueFault::NoTime {
            text: text.to_string(),
        }),
    }
}

/// How long something may take: `10m`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lapse(pub Duration);

from_text!(Lapse, "a string such as \"10m\"", |text| {
    let span = parse_span(text)?;
    let exact = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    let exact = exact.ok().and_then(|exact| Duration::try_from(exact).ok());
    let exact = exact.filter(|time| !time.is_zero());
    exact.map(Lapse).ok_or_else(|| ValueFault::Lapse {
        text: text.to_string(),
    })
});

/// How long: a span, or without end.
#[derive(Clone, Copy, Debug)]
pub enum Lasting {
    For(Span),
    Forever,
}

from_text!(
    Lasting,
    "a string such as \"90d\", or \"forever\"",
    |text| match text {
        "forever" => Ok(Lasting::Forever),
        text => age(text).map(Lasting::For),
    }
);

/// A calendar period, of which one snapshot is kept: `1d`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period(pub Bucket);

from_text!(Period, "a string such as \"1d\"", |text| {
    Bucket::every(&age(text)?).map(Period).map_err(ValueFault::Policy)
});

from_text!(
    RateSchedule,
    "a string such as \"10M\", or \"unlimited\"",
    |text| { RateSchedule::parse(text) }
);

/// Whole per cents, from 1 to 100.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Percent(pub u8);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = WholeNumber { least: 1, most: 100 };
        let number = deserializer.deserialize_i64(number)?;
        u8::try_from(number).map(Percent).map_err(D::Error::custom)
    }
}

/// A TCP port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Port(pub u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = WholeNumber {
            least: 1,
            most: i64::from(u16::MAX),
        };
        let number = deserializer.deserialize_i64(number)?;
        u16::try_from(number).map(Port).map_err(D::Error::custom)
    }
}

/// How many, at least 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Many(pub u32);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = WholeNumber {
            least: 1,
            most: i64::from(u32::MAX),
        };
        let number = deserializer.deserialize_i64(number)?;
        u32::try_from(number).map(Many).map_err(D::Error::custom)
    }
}

struct WholeNumber {
    least: i64,
    most: i64,
}

impl Visitor<'_> for WholeNumber {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {} to {}", self.least, self.most)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        match (self.least..=self.most).contains(&number) {
            true => Ok(number),
            false => {
                let WholeNumber { least, most } = self;
                Err(E::custom(ValueFault::NotWithin { number, least, most }.message()))
            }
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// An `http` or `https` URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebUrl(pub String);

from_text!(WebUrl, "a string", |text| {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let host = rest
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .unwrap_or_default();
    let is_host = !host.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match is_host {
        true => Ok(WebUrl(text.to_string())),
        false => Err(ValueFault::WebUrl),
    }
});

/// The name of a host, or its address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host(pub String);

impl Host {
    pub fn parse(text: &str) -> Result<Host, ValueFault> {
        let plain = |c: char| c.is_alphanumeric() || "-._:[]".contains(c);
        let is_host = !text.is_empty() && text.chars().all(plain);
        let text = text.to_string();
        match is_host {
            true => Ok(Host(text)),
            false => Err(ValueFault::Host { text }),
        }
    }
}

from_text!(Host, "a string", Host::parse);

/// An address of mail: `user@example.jp`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailAddress(pub String);

impl MailAddress {
    pub fn parse(text: &str) -> Result<MailAddress, ValueFault> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || "<>,;\"()".contains(c);
        let parts = text.rsplit_once('@');
        let is_address = parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        let text = text.to_string();
        match is_address && !text.contains(bad) {
            true => Ok(MailAddress(text)),
            false => Err(ValueFault::MailAddress { text }),
        }
    }
}

from_text!(MailAddress, "a string", MailAddress::parse);

/// Where the console listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    Address(SocketAddr),
    /// A Unix socket: `unix:/path`.
    Socket(AbsolutePath),
}

impl Listen {
    pub fn parse(text: &str) -> Result<Listen, ValueFault> {
        if let Some(path) = text.strip_prefix("unix:") {
            return AbsolutePath::parse(path).map(Listen::Socket);
        }
        let address = text.parse().map(Listen::Address);
        address.map_err(|_| ValueFault::Listen {
            text: text.to_string(),
        })
    }
}

from_text!(Listen, "a string such as \"127.0.0.1:4280\"", Listen::parse);

one_of! {
    /// When a message is sent.
    NotifyOn: Failure = "failure", Always = "always", Never = "never"
}
one_of! {
    /// Whether sources are read in a snapshot of their file system: if possible, or else not at all, or never.
    SourceSnapshot: Auto = "auto", Required = "required", Off = "off"
}
one_of! {
    /// How the connection to the mail server is secured.
    MailTls: StartTls = "starttls", Implicit = "implicit", None = "none"
}
one_of! {
    /// What a webhook takes.
    WebhookPreset: Json = "json", Ntfy = "ntfy", Slack = "slack", Discord = "discord", Gotify = "gotify"
}
one_of! {
    /// The language of the console and of mails.
    Language: English = "en", Japanese = "ja"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Texts;

    /// The result of reading `text` as the value of a key.
    fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
        #[derive(serde::Deserialize)]
        struct One<T> {
            x: T,
        }
        let read: Result<One<T>, toml::de::Error> = toml::from_str(&format!("x = {text}"));
        read.map(|one| one.x)
            .map_err(|e| Texts::of_message(e.message()).en)
    }

    #[test]
    fn names() {
        for good in ["main", "a", "nas-2", "x_y", "2nd"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a/b", "./a", "s3:", "a b", "a.b", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn good_values() {
        assert_eq!(read::<Size>("'500G'").unwrap(), Size(500 << 30));
        assert_eq!(read::<Percent>("30").unwrap(), Percent(30));
        assert_eq!(read::<Port>("587").unwrap(), Port(587));
        assert_eq!(read::<MailTls>("'starttls'").unwrap(), MailTls::StartTls);
        assert_eq!(read::<Language>("'ja'").unwrap(), Language::Japanese);
        assert_eq!(read::<Period>("'1d'").unwrap(), Period(Bucket::DAY));
        assert!(matches!(read("'forever'"), Ok(Lasting::Forever)));
        assert!(matches!(read("'90d'"), Ok(Lasting::For(_))));
        let address = "[::1]:80".parse().unwrap();
        assert_eq!(read::<Listen>("'[::1]:80'").unwrap(), Listen::Address(address));
        let socket = AbsolutePath::parse("/run/x").unwrap();
        assert_eq!(read::<Listen>("'unix:/run/x'").unwrap(), Listen::Socket(socket));
        for url in ["'https://h'", "'http://h:8080/x?y=z'"] {
            assert!(read::<WebUrl>(url).is_ok(), "{url}");
        }
        let env = Env::of(&[]);
        let path = |text: &str| read::<AbsolutePath>(text).unwrap().expand(&env).unwrap();
        assert_eq!(path("'~/a'"), PathBuf::from("/home/u/a"));
        assert_eq!(path("'/a'"), PathBuf::from("/a"));
    }

    #[test]
    fn bad_values() {
        let says = |read: Result<(), String>, want: &str| {
            let why = read.unwrap_err();
            assert!(why.contains(want), "{why}");
        };
        says(read::<Size>("'many'").map(drop), "not a size");
        says(read::<Size>("5").map(drop), "expected a string such as");
        says(read::<Age>("'soon'").map(drop), "not a duration");
        says(read::<Age>("'0s'").map(drop), "a duration of zero");
        says(read::<Age>("'6m'").map(drop), "M for months");
        says(read::<Period>("'1d2h'").map(drop), "not a period");
        for number in ["0", "101", "-1"] {
            says(read::<Percent>(number).map(drop), "from 1 to 100");
        }
        says(read::<Percent>("'30'").map(drop), "a whole number");
        says(read::<Port>("65536").map(drop), "65535");
        says(read::<MailTls>("'startls'").map(drop), "did you mean 'starttls'?");
        for url in ["'ftp://h'", "'https://'", "'https://a b'", "'h'"] {
            says(read::<WebUrl>(url).map(drop), "https://");
        }
        for mail in ["'a'", "'@h'", "'a@'", "'a b@h'", "'A <a@h>'"] {
            says(read::<MailAddress>(mail).map(drop), "email address");
        }
        says(read::<Listen>("'4280'").map(drop), "address and port");
        says(read::<Listen>("'unix:x'").map(drop), "");
        for path in ["'a/b'", "''", "'./a'"] {
            says(read::<AbsolutePath>(path).map(drop), "not an absolute path");
        }
        says(read::<AbsolutePath>("'~other/a'").map(drop), "another user's");
    }
}
