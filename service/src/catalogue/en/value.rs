//! Values that can't be used, why snapshots are kept, and what storage can't do.

use engine::bench::MeasuredRun;
use engine::facts::GroupByError;
use engine::retain::{Bucket, PolicyError, Reason, Unit};
use engine::storage::Weakness;
use engine::units::UnitError;
use engine::when::WhenError;

pub fn unit_error(error: &UnitError) -> String {
    match error {
        UnitError::Size(text) => format!(
            "'{text}' is not a size: write bytes, or a number with K, M, G, T, P or E (base 1024), such as 500M or \
             1.5GiB"
        ),
        UnitError::SizeTooLarge(text) => {
            format!("'{text}' is too large a size: the most is 16 EiB less one byte")
        }
        UnitError::Duration(text) => format!(
            "'{text}' is not a duration: write whole numbers with y, M (months), w, d, h, m (minutes), s, each at most \
             once and the largest first, such as 1y2M3d or 2h30m"
        ),
        UnitError::DurationTooLong(text) => format!("'{text}' is too long a duration"),
    }
}

pub fn when_error(error: &WhenError) -> String {
    match error {
        WhenError::Unknown(text) => format!(
            "'{text}' is not a time: write YYYY-MM-DD, 'YYYY-MM-DD HH:MM[:SS]', RFC 3339 (2026-11-01T09:00:00Z), now, \
             today, yesterday, 'yesterday 18:00', or an age such as 2h or '3d ago'"
        ),
        WhenError::OutOfRange(text) => {
            format!("'{text}' is outside the range of years that is supported")
        }
    }
}

pub fn policy_error(error: &PolicyError) -> String {
    match error {
        PolicyError::Empty => "the policy keeps nothing".to_string(),
        PolicyError::Tiers => {
            "tiers must have ascending ages, and only the last may be without one".to_string()
        }
        PolicyError::Every(text) => format!(
            "'{text}' is not a period: it must be hours, minutes and seconds, or days, weeks, months or years alone"
        ),
    }
}

pub fn group_by_error(GroupByError(text): &GroupByError) -> String {
    format!("'{text}' is not something to group by: write host, paths and tags, separated by commas")
}

/// Why a snapshot is kept or not.
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Protected => "protected".to_string(),
        Reason::Future => "its time is in the future".to_string(),
        Reason::NewestPartial => "incomplete, and no complete snapshot is as new".to_string(),
        Reason::Tags(tags) => format!("has tags [{}]", tags.join(", ")),
        Reason::Period {
            bucket,
            oldest,
            within,
        } => {
            let oldest = if *oldest { "oldest " } else { "" };
            match within {
                None => format!("{oldest}{} snapshot", period_name(*bucket)),
                Some(within) if *bucket == Bucket::EACH => format!("within {within}"),
                Some(within) => format!("{oldest}{} within {within}", period_name(*bucket)),
            }
        }
        Reason::Tier { every, until } => {
            let every = match every.unit {
                Unit::Each => "every".to_string(),
                Unit::Seconds | Unit::Days | Unit::Weeks | Unit::Months | Unit::Years => period_name(*every),
            };
            match until {
                Some(until) => format!("{every} snapshot up to {until} old"),
                None => format!("{every} snapshot of any age"),
            }
        }
        Reason::Superseded => "incomplete, and a complete snapshot is as new".to_string(),
        Reason::NoRule => "no rule keeps it".to_string(),
        Reason::Named => "named".to_string(),
    }
}

/// "hourly".
pub fn period_name(bucket: Bucket) -> String {
    match (bucket.unit, bucket.n) {
        (Unit::Each, _) => "last".to_string(),
        (Unit::Seconds, 3600) => "hourly".to_string(),
        (Unit::Days, 1) => "daily".to_string(),
        (Unit::Weeks, 1) => "weekly".to_string(),
        (Unit::Months, 1) => "monthly".to_string(),
        (Unit::Years, 1) => "yearly".to_string(),
        (Unit::Seconds, n) if n % 3600 == 0 => format!("{}-hourly", n / 3600),
        (Unit::Seconds, n) if n % 60 == 0 => format!("{}-minutely", n / 60),
        (Unit::Seconds, n) => format!("{n}-secondly"),
        (Unit::Days, n) => format!("{n}-daily"),
        (Unit::Weeks, n) => format!("{n}-weekly"),
        (Unit::Months, n) => format!("{n}-monthly"),
        (Unit::Years, n) => format!("{n}-yearly"),
    }
}

/// A run of the benchmark.
pub fn measured_run(run: MeasuredRun) -> &'static str {
    match run {
        MeasuredRun::BackUpText => "text, backup",
        MeasuredRun::BackUpNoise => "noise, backup",
        MeasuredRun::BackUpSmallFiles => "small files, backup",
        MeasuredRun::BackUpUnchanged => "small files, nothing changed",
        MeasuredRun::RestoreText => "text, restore",
        MeasuredRun::RestoreNoise => "noise, restore",
        MeasuredRun::RestoreSmallFiles => "small files, restore",
    }
}

/// What a storage can't do.
pub fn weakness(weakness: Weakness) -> &'static str {
    match weakness {
        Weakness::ExclusiveCreate => {
            "of two writers of one name both can win: never prune while a backup runs"
        }
        Weakness::ReadAfterWrite => "what was written can't be read at once",
        Weakness::ListAfterWrite => {
            "listings lag behind what was written or deleted: never prune while a backup runs"
        }
        Weakness::RangeRead => "it does not give parts of objects as asked",
        Weakness::Delete => "nothing can be deleted: snapshots can't be removed",
    }
}
