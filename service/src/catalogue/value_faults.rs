//! Why a value can't be used: one in the settings, or of an option.

use super::{Lang, did_you_mean, group_by_error, policy_error, say, unit_error};
use engine::facts::GroupByError;
use engine::retain::PolicyError;
use engine::units::UnitError;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueFault {
    NotOneOf {
        word: String,
        known: &'static [&'static str],
        near: Option<String>,
    },
    Name {
        text: String,
    },
    OtherUsersHome {
        text: String,
    },
    NotAbsolute {
        text: String,
    },
    MinutesOrMonths,
    NoTime {
        text: String,
    },
    /// Not a time that can be waited for.
    Lapse {
        text: String,
    },
    NotWithin {
        number: i64,
        least: i64,
        most: i64,
    },
    WebUrl,
    Host {
        text: String,
    },
    MailAddress {
        text: String,
    },
    Listen {
        text: String,
    },
    Schedule {
        text: String,
    },
    /// Of a rate by the time of day.
    RatePart {
        part: String,
    },
    RateTwice {
        time: String,
    },
    RateZero,
    Count,
    MaxUnused,
    Subset,
    Sample,
    Compression,
    Unit(UnitError),
    Policy(PolicyError),
    GroupBy(GroupByError),
}

impl ValueFault {
    pub fn text(&self, lang: Lang) -> String {
        match self {
            ValueFault::NotOneOf { word, known, near } => {
                let known: Vec<String> = known.iter().map(|known| format!("\"{known}\"")).collect();
                let (known, near) = (known.join(", "), did_you_mean(lang, near));
                say!(
                    lang,
                    "'{word}' is not one of {known}{near}",
                    "「{word}」は {known} のどれでもありません{near}"
                )
            }
            ValueFault::NotWithin { number, least, most } => say!(
                lang,
                "{number} is not a whole number from {least} to {most}",
                "{number} は {least} から {most} までの整数ではありません"
            ),
            ValueFault::Unit(error) => unit_error(lang, error),
            ValueFault::Policy(error) => policy_error(lang, error),
            ValueFault::GroupBy(error) => group_by_error(lang, error),
            ValueFault::Name { text } => name(lang, text),
            ValueFault::OtherUsersHome { text } => other_users_home(lang, text),
            ValueFault::NotAbsolute { text } => not_absolute(lang, text),
            ValueFault::WebUrl => web_url(lang),
            ValueFault::Host { text } => host(lang, text),
            ValueFault::MailAddress { text } => mail_address(lang, text),
            ValueFault::Listen { text } => listen(lang, text),
            ValueFault::MinutesOrMonths => minutes_or_months(lang),
            ValueFault::NoTime { text } => no_time(lang, text),
            ValueFault::Lapse { text } => lapse(lang, text),
            ValueFault::Schedule { text } => schedule(lang, text),
            ValueFault::RatePart { part } => rate_part(lang, part),
            ValueFault::RateTwice { time } => rate_twice(lang, time),
            ValueFault::RateZero => rate_zero(lang),
            ValueFault::Count => count(lang).to_string(),
            ValueFault::MaxUnused => max_unused(lang).to_string(),
            ValueFault::Subset => subset(lang).to_string(),
            ValueFault::Sample => sample(lang).to_string(),
            ValueFault::Compression => compression(lang).to_string(),
        }
    }

    /// As the message of an error that can hold nothing but one: [`Texts::of_message`] takes it out again.
    pub(crate) fn message(&self) -> String {
        let texts = Texts::from(self.clone());
        // Texts can always be written.
        serde_json::to_string(&texts).unwrap_or(texts.en)
    }
}

/// For developers, and where only English is wanted.
impl fmt::Display for ValueFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

impl std::error::Error for ValueFault {}

impl From<UnitError> for ValueFault {
    fn from(error: UnitError) -> ValueFault {
        ValueFault::Unit(error)
    }
}

impl From<GroupByError> for ValueFault {
    fn from(error: GroupByError) -> ValueFault {
        ValueFault::GroupBy(error)
    }
}

/// What was put into words of each language already.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    pub en: String,
    pub ja: String,
}

impl Texts {
    /// What a value's fault left in the message of a parser, or the parser's own words.
    pub(crate) fn of_message(message: &str) -> Texts {
        serde_json::from_str(message).unwrap_or_else(|_| Texts {
            en: message.to_string(),
            ja: message.to_string(),
        })
    }
}

impl From<ValueFault> for Texts {
    fn from(fault: ValueFault) -> Texts {
        Texts {
            en: fault.text(Lang::En),
            ja: fault.text(Lang::Ja),
        }
    }
}

/// What a parser of TOML calls a type, in Japanese as far as it is known.
pub(super) fn japanese_type(text: &str) -> String {
    if let Some(example) = text.strip_prefix("a string such as ") {
        let (example, or) = example.split_once(", or ").unwrap_or((example, ""));
        return match or {
            "" => format!("{example} のような文字列"),
            or => format!("{example} のような文字列か {or}"),
        };
    }
    if let Some((least, most)) = text
        .strip_prefix("a whole number from ")
        .and_then(|range| range.split_once(" to "))
    {
        return format!("{least} から {most} までの整数");
    }
    let (kind, value) = text.split_once(" `").unwrap_or((text, ""));
    let kind = match kind {
        "a string" => "文字列",
        "a name" => "名前",
        "an array" | "sequence" => "配列",
        "true or false" => "true か false",
        "a table" | "map" => "テーブル",
        "a table with a table of its own for each NAME" => "NAME ごとのテーブルを持つテーブル",
        "integer" => "整数",
        "floating point" => "小数",
        "boolean" => "真偽値",
        other => other,
    };
    match value {
        "" => kind.to_string(),
        value => format!("{kind} `{value}"),
    }
}

fn name(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' can't be a name: write letters, digits, - and _",
        "「{text}」は名前に使えません。英数字、-、_ で書いてください"
    )
}

fn other_users_home(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}': another user's home directory is not looked up, write the whole path",
        "「{text}」: ほかの利用者のホームディレクトリーは調べません。完全なパスで書いてください"
    )
}

fn not_absolute(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not an absolute path, or one that begins with ~/",
        "「{text}」は絶対パスでも ~/ で始まるパスでもありません"
    )
}

fn web_url(lang: Lang) -> String {
    say!(
        lang,
        "write a URL that begins with https:// or http:// and names a host",
        "https:// か http:// で始まり、ホスト名のある URL を書いてください"
    )
}

fn host(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not the name of a host",
        "「{text}」はホスト名ではありません"
    )
}

fn mail_address(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not an email address such as user@example.jp",
        "「{text}」は user@example.jp のようなメールアドレスではありません"
    )
}

fn listen(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not an address and port such as 127.0.0.1:4280, or unix: and the path of a socket",
        "「{text}」は 127.0.0.1:4280 のようなアドレスとポートでも、unix: とソケットのパスでもありません"
    )
}

fn minutes_or_months(lang: Lang) -> String {
    say!(
        lang,
        "m means minutes: write M for months, or hours before the minutes (0h30m) if minutes are meant",
        "m は分です。月なら M を、分なら前に時間を付けて (0h30m) 書いてください"
    )
}

fn no_time(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is a duration of zero",
        "「{text}」は長さが 0 の期間です"
    )
}

fn lapse(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not a duration of at least 1s; days are the largest unit",
        "「{text}」は 1s 以上の時間ではありません。使える最大の単位は日です"
    )
}

fn schedule(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not a schedule: write \"daily 12:30\", \"mon,thu 22:00\", \"every 15m mon..fri \
         09:00-18:00\", \"cron 0 3 * * *\" or \"manual\"",
        "「{text}」はスケジュールではありません。\"daily 12:30\"、\"mon,thu 22:00\"、\"every 15m mon..fri \
         09:00-18:00\"、\"cron 0 3 * * *\"、\"manual\" のように書いてください"
    )
}

fn rate_part(lang: Lang, part: &str) -> String {
    say!(
        lang,
        "'{part}' is not like 08:00=1M or 18:00=unlimited",
        "「{part}」は 08:00=1M や 18:00=unlimited のような形ではありません"
    )
}

fn rate_twice(lang: Lang, time: &str) -> String {
    say!(lang, "{time} is given twice", "{time} が 2 回指定されています")
}

fn rate_zero(lang: Lang) -> String {
    say!(
        lang,
        "at least 1 byte a second",
        "1 秒間に 1 バイト以上にしてください"
    )
}

fn max_unused(lang: Lang) -> &'static str {
    lang.pick(
        "write a size such as 2G, a share such as 5%, or unlimited",
        "2G のようなサイズ、5% のような割合、unlimited のどれかを書いてください",
    )
}

fn subset(lang: Lang) -> &'static str {
    lang.pick(
                "write a part such as 1/7 (the first of seven), a share such as 10%, or a size such as 50G",
                "1/7 (7 つのうちの 1 番目) のような部分、10% のような割合、50G のようなサイズのどれかを書いてください",
            )
}

fn sample(lang: Lang) -> &'static str {
    lang.pick(
        "write a number of files, a share such as 5%, or a size such as 2G",
        "ファイルの数、5% のような割合、2G のようなサイズのどれかを書いてください",
    )
}

fn compression(lang: Lang) -> &'static str {
    lang.pick(
        "write auto, fastest, better, max, or a number from 1 to 19",
        "auto、fastest、better、max、1 から 19 までの数のどれかを書いてください",
    )
}

fn count(lang: Lang) -> &'static str {
    lang.pick("write a number, or unlimited", "数か unlimited を書いてください")
}
