//! The pages of the console: labels in [`Labels`], sentences with values in functions.

/// Makes texts without values methods of [`Labels`], and tests that they are there in both languages.
macro_rules! labels {
    ($($name:ident => $en:literal, $ja:literal;)*) => {
        impl Labels {
            $(pub fn $name(self) -> &'static str {
                self.0.pick($en, $ja)
            })*
        }

        #[cfg(test)]
        mod all_labels {
            #[test]
            fn every_label_is_there_in_both_languages() {
                for (en, ja) in [$(($en, $ja)),*] {
                    assert!(!en.is_empty() && !ja.is_empty() && en != ja, "{en}: {ja}");
                    assert!(!en.contains("  ") && !ja.contains("  "), "{en}: {ja}");
                }
            }
        }
    };
}

mod labels;
mod restoring;
mod setting_up;
mod space;

pub use labels::Labels;
pub use restoring::*;
pub use setting_up::{
    age_tick, answered, exclude_rule, files_left_out, in_sources, key_kind, look_stopped,
    removing_destination, setting_label, settings_title, source_missing, test_failed, test_sent,
    token_revoked, unreadable_folders, upkeep_title, would_stay,
};
pub use space::*;

use crate::catalogue::{Lang, Noun, count, say};
use crate::settings::schedule::{Days, Schedule};
use crate::text::grouped;
use engine::units::escape;
use jiff::civil::Weekday;
use jiff::{Timestamp, Unit, Zoned};

/// Printed on the terminal once the console listens.
pub fn listening(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "Console: {url} (Ctrl-C ends it)",
        "コンソール: {url} (Ctrl-C で終了)"
    )
}

/// Answered to a request without TLS.
pub fn tls_only(lang: Lang) -> String {
    say!(
        lang,
        "This console uses TLS only: begin its address with https://.\n",
        "コンソールは TLS でだけ応答します。アドレスの先頭を https:// にしてください。\n"
    )
}

/// Another password was typed.
pub fn password_set(lang: Lang) -> String {
    say!(
        lang,
        "The console has a new password. Whoever was logged in has to log in again.",
        "コンソールのパスワードを変更しました。ログイン中だった利用者は、もう一度ログインする必要があります。"
    )
}

/// Printed before the link by which the password is set.
pub fn first_link(lang: Lang, link: &str) -> String {
    say!(
        lang,
        "Open this link within 15 minutes to choose the console's password; it works once:\n    {link}",
        "コンソールのパスワードを決めるため、15 分以内にこのリンクを開いてください。使えるのは 1 回だけです:\n    {link}"
    )
}

/// The password can be tried again after a while.
pub fn wait(lang: Lang, seconds: u64) -> String {
    say!(
        lang,
        "Too many wrong passwords. Try again in {seconds} s.",
        "パスワードの誤りが続いたため、{seconds} 秒後にもう一度試してください。"
    )
}

/// `12 minutes ago`, `in 3 hours`.
pub fn relative(lang: Lang, then: Timestamp, now: Timestamp) -> String {
    let secs = now.duration_since(then).as_secs();
    let (n, en, ja) = match secs.unsigned_abs() {
        0..=44 => return lang.pick("just now", "たった今").to_string(),
        n @ 45..=5399 => ((n + 30) / 60, "minute", "分"),
        n @ 5400..=129_599 => ((n + 1800) / 3600, "hour", "時間"),
        n @ 129_600..=5_183_999 => ((n + 43_200) / 86_400, "day", "日"),
        n @ 5_184_000..=63_071_999 => (n / 2_592_000, "month", "か月"),
        n => (n / 31_536_000, "year", "年"),
    };
    let s = if n == 1 { "" } else { "s" };
    match secs >= 0 {
        true => say!(lang, "{n} {en}{s} ago", "{n} {ja}前"),
        false => say!(lang, "in {n} {en}{s}", "{n} {ja}後"),
    }
}

/// `today 22:15`, `tomorrow 09:00`, `Mon 22:15`, `2026-12-24 22:15`.
pub fn day_and_time(lang: Lang, at: Timestamp, now: &Zoned) -> String {
    let at = at.to_zoned(now.time_zone().clone());
    let clock = at.strftime("%H:%M").to_string();
    let days = (Unit::Day, at.date());
    let days = now.date().until(days).map_or(i32::MAX, |span| span.get_days());
    let day = match days {
        -1 => lang.pick("yesterday", "昨日").to_string(),
        0 => lang.pick("today", "今日").to_string(),
        1 => lang.pick("tomorrow", "明日").to_string(),
        2..=6 => weekday(lang, at.weekday()).to_string(),
        _ => at.strftime("%Y-%m-%d").to_string(),
    };
    format!("{day} {clock}")
}

/// `Mon`.
pub fn weekday(lang: Lang, day: Weekday) -> &'static str {
    let (en, ja) = match day {
        Weekday::Monday => ("Mon", "月"),
        Weekday::Tuesday => ("Tue", "火"),
        Weekday::Wednesday => ("Wed", "水"),
        Weekday::Thursday => ("Thu", "木"),
        Weekday::Friday => ("Fri", "金"),
        Weekday::Saturday => ("Sat", "土"),
        Weekday::Sunday => ("Sun", "日"),
    };
    lang.pick(en, ja)
}

/// `November 2026`.
pub fn month(lang: Lang, year: i16, month: i8) -> String {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let place = usize::from(month.unsigned_abs()).saturating_sub(1);
    let name = NAMES.get(place).copied().unwrap_or_default();
    say!(lang, "{name} {year}", "{year}年{month}月")
}

/// A schedule as a sentence would say it.
pub fn schedule(lang: Lang, schedule: &Schedule) -> String {
    let clock = |time: &jiff::civil::Time| time.strftime("%H:%M").to_string();
    match schedule {
        Schedule::Manual => say!(lang, "only when you start it", "手動で開始したときだけ"),
        Schedule::At { days, time } => {
            let (days, time) = (days_in_words(lang, *days), clock(time));
            say!(lang, "{days} at {time}", "{days} {time}")
        }
        Schedule::Every {
            minutes,
            days,
            window,
        } => {
            let every = match (minutes % 60, minutes / 60) {
                (0, 1) => say!(lang, "every hour", "1 時間ごと"),
                (0, hours) => say!(lang, "every {hours} hours", "{hours} 時間ごと"),
                _ => say!(lang, "every {minutes} minutes", "{minutes} 分ごと"),
            };
            let days = days_in_words(lang, *days);
            match window {
                None => say!(lang, "{every}, {days}", "{days} {every}"),
                Some((from, to)) => {
                    let (from, to) = (clock(from), clock(to));
                    say!(
                        lang,
                        "{every}, {days} from {from} to {to}",
                        "{days} {from}～{to} に {every}"
                    )
                }
            }
        }
        Schedule::Cron(_) => {
            let text = schedule.to_string();
            let text = text.trim_start_matches("cron ");
            say!(lang, "by the cron expression {text}", "cron 式 {text} による")
        }
    }
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn days_in_words(lang: Lang, days: Days) -> String {
    let chosen: Vec<&str> = WEEK
        .into_iter()
        .filter(|day| days.has(*day))
        .map(|day| weekday(lang, day))
        .collect();
    if chosen.len() == WEEK.len() {
        return lang.pick("every day", "毎日").to_string();
    }
    match lang {
        Lang::En => format!("on {}", chosen.join(", ")),
        Lang::Ja => format!("毎週{}曜", chosen.join("・")),
    }
}

/// Below the sentence of Home: when it was last well, and what comes next.
pub fn last_and_next(lang: Lang, last: Option<&str>, next: Option<&str>) -> String {
    let last = last.map(|last| say!(lang, "Last backup {last}", "最後のバックアップは{last}"));
    let next = next.map(|next| say!(lang, "next {next}", "次回は{next}"));
    let parts: Vec<String> = last.into_iter().chain(next).collect();
    match lang {
        Lang::En => capital(&parts.join(" · ")),
        Lang::Ja => parts.join("・"),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Which set or destination the sentence of Home is about, and why.
pub fn because(lang: Lang, name: &str, why: &str) -> String {
    say!(lang, "{name}: {why}", "{name}: {why}")
}

pub fn overdue(lang: Lang) -> String {
    say!(lang, "overdue", "期限超過")
}

pub fn behind(lang: Lang, n: u64) -> String {
    let n = grouped(n);
    say!(lang, "behind by {n}", "{n} 世代遅れ")
}

pub fn paused_until(lang: Lang, until: &str) -> String {
    say!(
        lang,
        "Paused until {until}. Nothing runs by itself until then.",
        "{until} まで休止中です。それまで自動では実行しません。"
    )
}

/// One cell of the strip, for whoever hovers or listens: the day, what became of it, and why.
pub fn cell(lang: Lang, day: &str, what: &str, why: Option<&str>) -> String {
    match why {
        None => say!(lang, "{day}: {what}", "{day}: {what}"),
        Some(why) => say!(lang, "{day}: {what} ({why})", "{day}: {what} ({why})"),
    }
}

/// How the 30 days went, for whoever does not see the strip.
pub fn strip_summary(lang: Lang, ok: u64, bad: u64) -> String {
    let (ok, bad) = (grouped(ok), grouped(bad));
    say!(
        lang,
        "30 days: {ok} good, {bad} with trouble",
        "30 日間: 良好 {ok} 日、問題あり {bad} 日"
    )
}

pub fn log_of(lang: Lang, kind: &str, what: &str) -> String {
    match what.is_empty() {
        true => kind.to_string(),
        false => say!(lang, "{kind}: {what}", "{kind}: {what}"),
    }
}

/// What came back.
pub fn came_back(lang: Lang, files: u64, size: &str, took: &str) -> String {
    let files = count(lang, files, Noun::File);
    say!(
        lang,
        "{files} ({size}) restored in {took}",
        "{files} ({size}) を {took} で復元しました"
    )
}

/// Files and bytes of a restore that has not begun.
pub fn would_restore(lang: Lang, files: u64, size: &str) -> String {
    let files = count(lang, files, Noun::File);
    say!(
        lang,
        "{files} ({size}) would be written",
        "{files} ({size}) を書き込みます"
    )
}

pub fn would_leave(lang: Lang, files: u64) -> String {
    let files = count(lang, files, Noun::File);
    say!(
        lang,
        "{files} would be left as they are",
        "{files}はそのまま残します"
    )
}

pub fn basket_items(lang: Lang, n: u64) -> String {
    let n = grouped(n);
    say!(lang, "Basket ({n})", "バスケット ({n})")
}

/// How many snapshots a day of the calendar has.
pub fn snapshots_on(lang: Lang, day: &str, n: u64) -> String {
    let n = count(lang, n, Noun::Snapshot);
    say!(lang, "{day}: {n}", "{day}: {n}")
}

/// Where a folder lies, in a repository at a time.
pub fn as_of(lang: Lang, time: &str) -> String {
    say!(lang, "as of {time}", "{time} 時点")
}

pub fn restored_to(lang: Lang, target: &str) -> String {
    let target = escape(target.as_bytes());
    say!(lang, "to {target}", "{target} へ")
}

/// `48,682 / 60,573 files`.
pub fn of_files(lang: Lang, done: u64, total: u64) -> String {
    let (done, total) = (grouped(done), grouped(total));
    say!(lang, "{done} / {total} files", "ファイル {done} / {total} 個")
}

pub fn of_bytes(lang: Lang, done: &str, total: &str) -> String {
    say!(lang, "{done} of {total}", "{done} / {total}")
}

pub fn rate_and_left(lang: Lang, rate: &str, left: Option<&str>) -> String {
    match left {
        None => format!("{rate}/s"),
        Some(left) => say!(lang, "{rate}/s, {left} left", "{rate}/s、残り {left}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn moments() {
        let now = at("2026-11-27T12:00:00Z");
        for (then, en, ja) in [
            ("2026-11-27T11:59:30Z", "just now", "たった今"),
            ("2026-11-27T11:59:00Z", "1 minute ago", "1 分前"),
            ("2026-11-27T11:48:00Z", "12 minutes ago", "12 分前"),
            ("2026-11-27T15:00:00Z", "in 3 hours", "3 時間後"),
            ("2026-11-25T12:00:00Z", "2 days ago", "2 日前"),
            ("2020-11-25T12:00:00Z", "6 years ago", "6 年前"),
        ] {
            assert_eq!(relative(Lang::En, at(then), now), en);
            assert_eq!(relative(Lang::Ja, at(then), now), ja);
        }
        let now = now.to_zoned(TimeZone::UTC);
        for (then, en) in [
            ("2026-11-27T22:15:00Z", "today 22:15"),
            ("2026-11-28T01:00:00Z", "tomorrow 01:00"),
            ("2026-11-30T01:00:00Z", "Mon 01:00"),
            ("2026-12-24T01:00:00Z", "2026-12-24 01:00"),
        ] {
            assert_eq!(day_and_time(Lang::En, at(then), &now), en);
        }
    }

    #[test]
    fn schedules_in_words() {
        for (text, en, ja) in [
            ("manual", "only when you start it", "手動で開始したときだけ"),
            ("daily 12:30", "every day at 12:30", "毎日 12:30"),
            ("mon,thu 22:00", "on Mon, Thu at 22:00", "毎週月・木曜 22:00"),
            ("every 1h", "every hour, every day", "毎日 1 時間ごと"),
            (
                "every 15m mon..wed 09:00-18:00",
                "every 15 minutes, on Mon, Tue, Wed from 09:00 to 18:00",
                "毎週月・火・水曜 09:00～18:00 に 15 分ごと",
            ),
            (
                "cron 0 3 * * *",
                "by the cron expression 0 3 * * *",
                "cron 式 0 3 * * * による",
            ),
        ] {
            let parsed = Schedule::parse(text).unwrap();
            assert_eq!(schedule(Lang::En, &parsed), en);
            assert_eq!(schedule(Lang::Ja, &parsed), ja);
        }
    }
}
