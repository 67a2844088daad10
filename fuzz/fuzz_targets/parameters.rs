//! Sizes, spans, times and choices of snapshots as people write them: refused or understood, and what is printed is
//! understood again.
#![no_main]
use engine::retain::Bucket;
use engine::select::Wanted;
use engine::{units, when};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::sync::LazyLock;

static NOW: LazyLock<Zoned> = LazyLock::new(|| {
    let time = Timestamp::from_second(1_700_000_000).expect("a time");
    time.to_zoned(TimeZone::UTC)
});

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = units::parse_size(text).map(units::format_bytes);
    if let Ok(span) = units::parse_span(text) {
        let again = units::format_span(&span);
        assert!(units::parse_span(&again).is_ok(), "{text:?} is said as {again:?}");
        let _ = Bucket::every(&span);
    }
    let _ = when::start_of(text, &NOW);
    let _ = when::as_of(text, &NOW);
    let _ = Wanted::parse(text);
    let _ = (engine::repo::shown(text), engine::repo::local_path(text));
    let shown = units::escape(text.as_bytes());
    assert!(!shown.chars().any(|c| c.is_control()), "{shown:?}");
});
