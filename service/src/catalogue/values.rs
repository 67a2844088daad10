//! Values that can't be used, why snapshots are kept, and what storage can't do.

use super::{Lang, say};
use engine::bench::MeasuredRun;
use engine::facts::GroupByError;
use engine::retain::{Bucket, PolicyError, RetentionReason, Unit};
use engine::storage::Weakness;
use engine::units::UnitError;
use engine::when::WhenError;

pub fn unit_error(lang: Lang, error: &UnitError) -> String {
    match error {
        UnitError::Size(text) => say!(
            lang,
            "'{text}' is not a size: write bytes, or a number with K, M, G, T, P or E (base 1024), such as 500M or \
             1.5GiB",
            "「{text}」はサイズではありません。バイト数か、K、M、G、T、P、E (1024 単位) を付けた数 (500M、1.5GiB など) を\
             書いてください"
        ),
        UnitError::SizeTooLarge(text) => say!(
            lang,
            "'{text}' is too large a size: the most is 16 EiB less one byte",
            "「{text}」は大きすぎます。最大は 16 EiB より 1 バイト少ないサイズです"
        ),
        UnitError::Duration(text) => say!(
            lang,
            "'{text}' is not a duration: write whole numbers with y, M (months), w, d, h, m (minutes), s, each at most \
             once and the largest first, such as 1y2M3d or 2h30m",
            "「{text}」は期間ではありません。y、M (月)、w、d、h、m (分)、s を大きい順に 1 回ずつ付けた整数 \
             (1y2M3d、2h30m など) を書いてください"
        ),
        UnitError::DurationTooLong(text) => {
            say!(
                lang,
                "'{text}' is too long a duration",
                "「{text}」は長すぎる期間です"
            )
        }
    }
}

pub fn when_error(lang: Lang, error: &WhenError) -> String {
    match error {
        WhenError::Unknown(text) => say!(
            lang,
            "'{text}' is not a time: write YYYY-MM-DD, 'YYYY-MM-DD HH:MM[:SS]', RFC 3339 (2026-11-01T09:00:00Z), now, \
             today, yesterday, 'yesterday 18:00', or an age such as 2h or '3d ago'",
            "「{text}」は日時ではありません。YYYY-MM-DD、'YYYY-MM-DD HH:MM[:SS]'、RFC 3339 (2026-11-01T09:00:00Z)、now、\
             today、yesterday、'yesterday 18:00'、2h や '3d ago' のどれかで書いてください"
        ),
        WhenError::OutOfRange(text) => say!(
            lang,
            "'{text}' is outside the range of years that is supported",
            "「{text}」は扱える年の範囲を超えています"
        ),
    }
}

/// What is wrong with a policy, and what to do.
pub fn policy_error(lang: Lang, error: &PolicyError) -> String {
    match error {
        PolicyError::Empty => say!(
            lang,
            "the policy keeps nothing: that would remove every snapshot; give a --keep-* rule",
            "この規則では何も残らず、すべてのスナップショットが削除されます。--keep-* を指定してください"
        ),
        PolicyError::Tiers => say!(
            lang,
            "tiers must have ascending ages, and only the last may be without one",
            "段階は古さの順に並べ、古さを省けるのは最後の段階だけです"
        ),
        PolicyError::Every(text) => say!(
            lang,
            "'{text}' is not a period: it must be hours, minutes and seconds, or days, weeks, months or years alone",
            "「{text}」は間隔ではありません。時・分・秒の組み合わせか、日、週、月、年のどれか 1 つで書いてください"
        ),
    }
}

pub fn group_by_error(lang: Lang, GroupByError(text): &GroupByError) -> String {
    say!(
        lang,
        "'{text}' is not something to group by: write host, paths and tags, separated by commas",
        "「{text}」ではグループに分けられません。host、paths、tags をコンマで区切って書いてください"
    )
}

/// Why a snapshot is kept or not.
pub fn reason(lang: Lang, reason: &RetentionReason) -> String {
    match reason {
        RetentionReason::Protected => say!(lang, "protected", "保護されています"),
        RetentionReason::Future => say!(lang, "its time is in the future", "日時が未来です"),
        RetentionReason::NewestPartial => say!(
            lang,
            "incomplete, and no complete snapshot is as new",
            "不完全ですが、これより新しい完全なものがありません"
        ),
        RetentionReason::Tags(tags) => {
            let tags = tags.join(", ");
            say!(lang, "has tags [{tags}]", "タグ [{tags}] があります")
        }
        RetentionReason::Period {
            bucket,
            oldest,
            within,
        } => period_reason(lang, *bucket, *oldest, within.as_deref()),
        RetentionReason::Tier { every, until } => tier_reason(lang, *every, until.as_deref()),
        RetentionReason::Superseded => say!(
            lang,
            "incomplete, and a complete snapshot is as new",
            "不完全で、同じかより新しい完全なものがあります"
        ),
        RetentionReason::NoRule => say!(lang, "no rule keeps it", "残す規則がありません"),
        RetentionReason::Named => say!(lang, "named", "指定されています"),
    }
}

/// The newest of its period, or the oldest of all.
fn period_reason(lang: Lang, bucket: Bucket, oldest: bool, within: Option<&str>) -> String {
    let (oldest, oldest_ja) = match oldest {
        true => ("oldest ", "のうち最も古いもの"),
        false => ("", ""),
    };
    let period = period_name(lang, bucket);
    match within {
        None => say!(
            lang,
            "{oldest}{period} snapshot",
            "{period}スナップショット{oldest_ja}"
        ),
        Some(within) if bucket == Bucket::EACH => say!(lang, "within {within}", "{within} 以内"),
        Some(within) => say!(
            lang,
            "{oldest}{period} within {within}",
            "{period}スナップショット{oldest_ja} ({within} 以内)"
        ),
    }
}

fn tier_reason(lang: Lang, every: Bucket, until: Option<&str>) -> String {
    let every = match every.unit {
        Unit::Each => say!(lang, "every", "すべての"),
        Unit::Seconds | Unit::Days | Unit::Weeks | Unit::Months | Unit::Years => period_name(lang, every),
    };
    match until {
        Some(until) => say!(
            lang,
            "{every} snapshot up to {until} old",
            "{every}スナップショット ({until} 前まで)"
        ),
        None => say!(
            lang,
            "{every} snapshot of any age",
            "{every}スナップショット (古さを問わず)"
        ),
    }
}

/// "hourly".
pub fn period_name(lang: Lang, bucket: Bucket) -> String {
    match (bucket.unit, bucket.n) {
        (Unit::Each, _) => say!(lang, "last", "最新の"),
        (Unit::Seconds, 3600) => say!(lang, "hourly", "1 時間ごとの"),
        (Unit::Days, 1) => say!(lang, "daily", "1 日ごとの"),
        (Unit::Weeks, 1) => say!(lang, "weekly", "1 週ごとの"),
        (Unit::Months, 1) => say!(lang, "monthly", "1 か月ごとの"),
        (Unit::Years, 1) => say!(lang, "yearly", "1 年ごとの"),
        (Unit::Seconds, n) if n % 3600 == 0 => {
            let n = n / 3600;
            say!(lang, "{n}-hourly", "{n} 時間ごとの")
        }
        (Unit::Seconds, n) if n % 60 == 0 => {
            let n = n / 60;
            say!(lang, "{n}-minutely", "{n} 分ごとの")
        }
        (Unit::Seconds, n) => say!(lang, "{n}-secondly", "{n} 秒ごとの"),
        (Unit::Days, n) => say!(lang, "{n}-daily", "{n} 日ごとの"),
        (Unit::Weeks, n) => say!(lang, "{n}-weekly", "{n} 週ごとの"),
        (Unit::Months, n) => say!(lang, "{n}-monthly", "{n} か月ごとの"),
        (Unit::Years, n) => say!(lang, "{n}-yearly", "{n} 年ごとの"),
    }
}

/// A run of the benchmark.
pub fn measured_run(lang: Lang, run: MeasuredRun) -> &'static str {
    let (en, ja) = match run {
        MeasuredRun::BackUpText => ("text, backup", "テキスト、バックアップ"),
        MeasuredRun::BackUpNoise => ("noise, backup", "乱数、バックアップ"),
        MeasuredRun::BackUpSmallFiles => ("small files, backup", "小さなファイル、バックアップ"),
        MeasuredRun::BackUpUnchanged => ("small files, nothing changed", "小さなファイル、変更なし"),
        MeasuredRun::RestoreText => ("text, restore", "テキスト、復元"),
        MeasuredRun::RestoreNoise => ("noise, restore", "乱数、復元"),
        MeasuredRun::RestoreSmallFiles => ("small files, restore", "小さなファイル、復元"),
    };
    lang.pick(en, ja)
}

/// What a storage can't do.
pub fn weakness(lang: Lang, weakness: Weakness) -> &'static str {
    let (en, ja) = match weakness {
        Weakness::ExclusiveCreate => (
            "two writers that create the same name can both succeed: never prune while a backup runs",
            "同じ名前を 2 つのプロセスが同時に作れてしまいます (バックアップ中に prune を実行しないでください)",
        ),
        Weakness::ReadAfterWrite => (
            "what was written can't be read immediately",
            "書き込んだものをすぐには読み取れません",
        ),
        Weakness::ListAfterWrite => (
            "listings lag behind what was written or deleted: never prune while a backup runs",
            "一覧に書き込みや削除がすぐには反映されません (バックアップ中に prune を実行しないでください)",
        ),
        Weakness::RangeRead => (
            "it does not return the requested parts of objects",
            "オブジェクトの一部を正しく読み取れません",
        ),
        Weakness::Delete => (
            "nothing can be deleted: snapshots can't be removed",
            "何も削除できません (スナップショットも削除できません)",
        ),
    };
    lang.pick(en, ja)
}
