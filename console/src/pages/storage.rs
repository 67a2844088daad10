//! Storage on Home: how much each repository takes up, when it will be full, and what of it was proven.

use super::{Moment, Sign, size};
use crate::fields::encoded;
use service::Context;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::runs::status::RemoteStatus;

/// A disk that will be full so soon needs attention.
const SOON_DAYS: i64 = 30;

pub struct StorageView {
    pub name: String,
    pub used: String,
    /// Of the quota, for the bar.
    pub percent: Option<u64>,
    pub growth: String,
    pub full: Option<FullView>,
    pub verified: Option<Moment>,
    pub restored: Option<Moment>,
    pub drilled: Option<DrillView>,
    /// What takes up the space.
    pub space: String,
}

/// How the last restore drill ended, and when.
pub struct DrillView {
    pub at: Moment,
    pub is_good: bool,
}

/// One that found differences counts until another one completes.
pub fn drilled(context: &Context, lang: Lang, remote: &RemoteStatus<'_>) -> Option<DrillView> {
    let proofs = &remote.proofs;
    let at = proofs.failed_drill.or(proofs.drill)?;
    Some(DrillView {
        at: Moment::ago(lang, at, &context.now),
        is_good: proofs.failed_drill.is_none(),
    })
}

/// When it will be full.
pub struct FullView {
    pub words: String,
    pub exact: String,
    pub sign: Sign,
}

pub fn storage(context: &Context, lang: Lang, remote: &RemoteStatus<'_>) -> StorageView {
    let now = &context.now;
    let moment = |at| Moment::ago(lang, at, now);
    let percent = match (remote.used, remote.quota) {
        (Some(used), Some(quota)) if quota > 0 => Some((u128::from(used) * 100 / u128::from(quota)) as u64),
        _ => None,
    };
    let full = remote.full_at.map(|at| {
        let days = at.duration_since(now.timestamp()).as_hours() / 24;
        FullView {
            words: texts::full_in(lang, at, now.timestamp()),
            exact: service::text::time(at),
            sign: if days < SOON_DAYS { Sign::Warn } else { Sign::Good },
        }
    });
    StorageView {
        name: remote.name.to_string(),
        used: match (remote.used, remote.quota) {
            (Some(used), Some(quota)) => texts::used_of(lang, &size(used), &size(quota)),
            (Some(used), None) => size(used),
            (None, _) => Labels(lang).not_measured().to_string(),
        },
        percent: percent.map(|percent| percent.min(100)),
        growth: match remote.growth_per_week {
            Some(bytes) if bytes.unsigned_abs() >= 1024 => {
                let amount = size(bytes.unsigned_abs());
                texts::growth(lang, &amount, bytes < 0)
            }
            Some(_) => Labels(lang).no_growth().to_string(),
            None => String::new(),
        },
        full,
        verified: remote.proofs.check.map(moment),
        restored: remote.proofs.restore.map(moment),
        drilled: drilled(context, lang, remote),
        space: format!("/space?remote={}", encoded(remote.name.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use service::env::Env;
    use service::resolve::RepositoryOptions;
    use service::run::CancelToken;
    use service::settings::Settings;

    fn remote(used: Option<u64>, quota: Option<u64>) -> RemoteStatus<'static> {
        RemoteStatus {
            name: "main",
            behind: None,
            reached: None,
            asked: None,
            reachable: None,
            failure: None,
            used,
            quota,
            growth_per_week: None,
            full_at: None,
            append_only: false,
            proofs: Default::default(),
        }
    }

    #[test]
    fn what_is_known_is_shown() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let now = now.to_zoned(TimeZone::UTC);
        let env = Env::of(&[("HOME", "/nowhere")]);
        let settings = Settings::default();
        let options = RepositoryOptions::default();
        let context = Context::new(env, settings, options, now, CancelToken::new());
        let nothing = storage(&context, Lang::En, &remote(None, Some(5 << 30)));
        assert_eq!(
            (nothing.used.as_str(), nothing.percent),
            ("not measured yet", None)
        );
        let mut known = remote(Some(6 << 30), Some(5 << 30));
        known.growth_per_week = Some(-(3 << 20));
        known.full_at = Some("2026-12-01T12:00:00Z".parse().unwrap());
        let shown = storage(&context, Lang::En, &known);
        assert_eq!(shown.used, "6.0 GiB of 5.0 GiB");
        assert_eq!(
            (shown.percent, shown.growth.as_str()),
            (Some(100), "−3.0 MiB a week")
        );
        let full = shown.full.unwrap();
        assert_eq!(
            (full.words.as_str(), full.sign),
            ("full in about 4 days", Sign::Warn)
        );
        known.full_at = Some("2029-12-01T12:00:00Z".parse().unwrap());
        assert!(shown.drilled.is_none());
        known.proofs.drill = Some("2026-11-26T12:00:00Z".parse().unwrap());
        let drill = |known: &RemoteStatus<'_>| drilled(&context, Lang::En, known).unwrap();
        assert!(drill(&known).is_good);
        known.proofs.failed_drill = Some("2026-11-27T09:00:00Z".parse().unwrap());
        assert!(!drill(&known).is_good && drill(&known).at.words == "3 hours ago");
        let full = storage(&context, Lang::Ja, &known).full.unwrap();
        assert_eq!((full.words.as_str(), full.sign), ("約 3 年後に満杯", Sign::Good));
    }
}
