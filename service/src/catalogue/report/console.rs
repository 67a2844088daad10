//! The pages of the console: labels in [`Labels`], sentences with values in functions.

use crate::catalogue::{Lang, Noun, count, say};
use crate::settings::schedule::{Days, Schedule};
use crate::text::grouped;
use engine::units::escape;
use jiff::civil::Weekday;
use jiff::{Timestamp, Unit, Zoned};

macro_rules! labels {
    ($($name:ident => $en:literal, $ja:literal;)*) => {
        /// Texts without values, in one language.
        #[derive(Clone, Copy, Debug)]
        pub struct Labels(pub Lang);

        impl Labels {
            $(pub fn $name(self) -> &'static str {
                self.0.pick($en, $ja)
            })*

            #[cfg(test)]
            fn all() -> Vec<(&'static str, &'static str)> {
                vec![$(($en, $ja)),*]
            }
        }
    };
}

labels! {
    // Every page.
    home => "Home", "ホーム";
    restore => "Restore", "復元";
    history => "History", "履歴";
    sets => "Sets", "セット";
    skip_to_content => "Skip to content", "本文へ移動";
    main_menu => "Main menu", "メインメニュー";
    log_out => "Log out", "ログアウト";
    other_language => "日本語", "English";
    switch_theme => "Switch between light and dark", "明るい表示と暗い表示を切り替える";
    pause => "Pause", "休止";
    pause_what => "Nothing runs by itself meanwhile", "その間は自動で実行しません";
    for_one_hour => "1 hour", "1 時間";
    for_four_hours => "4 hours", "4 時間";
    for_one_day => "1 day", "1 日";
    resume => "Resume", "再開";
    copy => "Copy", "コピー";
    copied => "Copied", "コピーしました";
    back => "Back", "戻る";
    close => "Close", "閉じる";
    keys => "Keyboard", "キーボード";
    key_help => "Show these keys", "このキー一覧を表示";
    key_home => "Go to Home", "ホームへ";
    key_restore => "Go to Restore", "復元へ";
    key_history => "Go to History", "履歴へ";
    key_sets => "Go to Sets", "セットへ";
    key_search => "Search files", "ファイルを検索";
    disconnected => "The console does not answer. It may have been stopped; this page continues when it is back.",
        "コンソールが応答しません。停止している可能性があります。再び動き出すと、このページも更新されます。";

    // Logging in.
    log_in => "Log in", "ログイン";
    password => "Password", "パスワード";
    password_again => "The same again", "もう一度";
    choose_password => "Choose a password", "パスワードを決める";
    choose_password_why => "It protects this page, so that other users and programs of this computer can't read your \
        backups through it. It is not the password of your repository.",
        "このページを守るためのパスワードです。このコンピューターのほかの利用者やプログラムが、ここからバックアップを\
        読めないようにします。リポジトリーのパスワードとは別のものです。";
    set_password => "Set password", "パスワードを設定";
    link_code => "Code from the link", "リンクのコード";
    link_code_hint => "It is filled in if you opened the link that 'dedup console' printed.",
        "'dedup console' が表示したリンクを開くと自動で入力されます。";
    password_rule => "At least 8 characters", "8 文字以上";
    password_wrong => "The password is wrong.", "パスワードが違います。";
    passwords_differ => "The two passwords differ.", "2 つのパスワードが一致しません。";
    password_short => "The password must have at least 8 characters.", "パスワードは 8 文字以上にしてください。";
    password_long => "The password is too long.", "パスワードが長すぎます。";
    link_used => "This link has been used, or is older than 15 minutes. Start 'dedup console' again, or run \
        'dedup console --reset-password', for a new one.",
        "このリンクは使用済みか、15 分を過ぎています。'dedup console' を起動し直すか、\
        'dedup console --reset-password' で新しいリンクを出してください。";
    no_password_yet => "No password has been set yet. Open the link that 'dedup console' printed in the terminal.",
        "パスワードがまだ設定されていません。'dedup console' が端末に表示したリンクを開いてください。";
    forgotten => "Forgotten? 'dedup console --reset-password' prints a new link.",
        "忘れたときは 'dedup console --reset-password' で新しいリンクを出せます。";

    // Home.
    set => "Set", "セット";
    destination => "Destination", "保存先";
    state => "State", "状態";
    last_backup => "Last backup", "最後のバックアップ";
    next_run => "Next run", "次の実行";
    days_30 => "30 days", "30 日間";
    back_up_now => "Back up now", "今すぐバックアップ";
    stop => "Stop", "停止";
    stopping => "Stopping…", "停止しています…";
    starting => "Starting…", "開始しています…";
    latest_events => "Latest events", "最近の出来事";
    all_events => "All events", "すべての出来事";
    no_events => "Nothing has happened yet.", "まだ何も起きていません。";
    all_well => "Everything is backed up.", "すべてバックアップ済みです。";
    running_now => "Backing up now.", "バックアップ中です。";
    first_backup => "Waiting for the first backup.", "最初のバックアップを待っています。";
    could_not_run => "A backup could not run.", "バックアップを実行できませんでした。";
    attention => "A backup needs attention.", "バックアップに問題があります。";
    never => "never", "なし";
    by_hand => "when you start it", "手動のみ";
    no_set_title => "No set yet: what shall be kept safe?", "セットがまだありません。何を守りますか？";
    no_set_text => "A set says which folders are backed up, where to and when. Add one to your settings file; this page \
        follows by itself. For example:",
        "セットには、どのフォルダーを、どこへ、いつバックアップするかを書きます。設定ファイルに追加すると、このページも自動で\
        変わります。例:";
    settings_file => "Settings file", "設定ファイル";
    show_job => "Details", "詳しく";
    try_again => "Try again", "もう一度実行";
    started_elsewhere => "started by a command; its progress is shown where it was started",
        "コマンドから開始されました。進み具合はそちらに表示されます";

    // The cells of the strip.
    cell_ok => "completed", "完了";
    cell_problems => "completed with problems", "問題ありで完了";
    cell_failed => "failed", "失敗";
    cell_skipped => "did not run", "未実行";
    cell_missed => "was due, and nothing ran", "予定時刻に実行されず";
    cell_quiet => "nothing was due", "予定なし";

    // History.
    all_kinds => "All kinds", "すべての種類";
    all_sets => "All sets", "すべてのセット";
    all_statuses => "All states", "すべての状態";
    filter => "Filter", "絞り込み";
    kind => "Kind", "種類";
    what => "What", "対象";
    start => "Start", "開始";
    took => "Took", "時間";
    files => "Files", "ファイル";
    size => "Size", "大きさ";
    no_jobs => "No job matches.", "該当するジョブはありません。";
    no_jobs_yet => "Backups, restores and deletions appear here, and runs that were skipped with the reason.",
        "バックアップ、復元、削除と、実行されなかったものがその理由とともにここに並びます。";
    newer => "Newer", "新しい方へ";
    older => "Older", "古い方へ";
    run_again => "Run again", "もう一度実行";
    problems => "Problems", "問題";
    file_list => "Files of this backup", "このバックアップのファイル";
    all_changes => "All changes", "すべての変更";
    path => "Path", "パス";
    no_files => "No file matches.", "該当するファイルはありません。";
    browse_this => "Browse this snapshot", "この世代を開く";
    show_files => "Show files", "ファイルを表示";

    // Restore.
    repository => "Repository", "リポジトリー";
    open => "Open", "開く";
    previous_month => "Previous month", "前の月";
    next_month => "Next month", "次の月";
    no_snapshots => "There are no snapshots yet. After the first backup, every file in it can be restored from here.",
        "世代はまだありません。最初のバックアップのあとは、ここからどのファイルでも復元できます。";
    snapshots_of_day => "Snapshots of this day", "この日の世代";
    folders => "Folders", "フォルダー";
    name => "Name", "名前";
    changed => "Changed", "更新日時";
    up => "Up", "上へ";
    empty_folder => "This folder is empty.", "このフォルダーは空です。";
    select => "Select", "選択";
    download => "Download", "ダウンロード";
    download_tar => "Download as tar", "tar でダウンロード";
    add_to_basket => "Add to basket", "バスケットに入れる";
    basket => "Basket", "バスケット";
    basket_empty => "Select files and folders on the left; they stay here while you look at other days.",
        "ファイルやフォルダーを選んでください。ほかの日を見ても、ここに残ります。";
    basket_full => "The basket is full. Restore what is in it first, or select whole folders.",
        "バスケットがいっぱいです。先に復元するか、フォルダーごと選んでください。";
    remove => "Remove", "取り除く";
    empty_basket => "Empty the basket", "空にする";
    restore_these => "Restore these…", "復元する…";
    restore_title => "Restore", "復元";
    where_to => "Where to", "復元先";
    target_original => "To where they were", "元の場所";
    target_other => "To another folder", "別のフォルダー";
    folder => "Folder", "フォルダー";
    if_exists => "If a file is already there", "同じ名前のファイルがあるとき";
    rule_rename => "Keep it, and restore the saved one beside it under another name (nothing is lost)",
        "残して、保存したものを別の名前で復元する (何も失われません)";
    rule_never => "Keep it, and leave the saved one out", "残して、保存したものは復元しない";
    rule_newer => "Replace it if the saved one was changed later", "保存したものの方が新しければ置き換える";
    rule_changed => "Replace it if size or time differ", "大きさか日時が違えば置き換える";
    rule_always => "Replace it", "置き換える";
    permissions => "Permissions", "権限";
    permissions_original => "As they were saved", "保存したときのまま";
    permissions_current => "As for new files here", "新しいファイルと同じ";
    look_first => "See what would happen", "何が起きるか確認";
    restore_now => "Restore now", "今すぐ復元";
    nothing_written_yet => "Nothing has been written yet.", "まだ何も書き込んでいません。";
    restoring => "Restoring", "復元中";
    restore_done => "Restore finished", "復元が終わりました";
    search_label => "Search files in all backups", "すべてのバックアップからファイルを検索";
    search => "Search", "検索";
    search_results => "Search results", "検索結果";
    search_hint => "Part of a name, or a pattern such as *.odt", "名前の一部、または *.odt のようなパターン";
    nothing_found => "No file of this name is in any snapshot.", "この名前のファイルはどの世代にもありません。";
    more_found => "There are more matches than are shown; write more of the name.",
        "表示しきれないほど見つかりました。名前をもう少し詳しく書いてください。";
    versions => "Versions", "版";

    // Sets.
    sources => "Sources", "対象";
    excludes => "Excluded", "除外";
    nothing_excluded => "nothing", "なし";
    hidden_left_out => "Hidden files are left out.", "隠しファイルは含みません。";
    schedule => "Schedule", "スケジュール";
    next_ten => "The next ten runs", "次の 10 回";
    no_runs => "None: it runs only when you start it.", "ありません。手動で開始したときだけ実行します。";
    destinations => "Destinations", "保存先";
    tags => "Tags", "タグ";
    priority => "Priority", "優先度";
    commands => "Commands", "コマンド";
    edit_in_file => "Sets are changed in the settings file; this page follows by itself.",
        "セットは設定ファイルで変更します。このページは自動で変わります。";

    // What goes wrong.
    error_title => "That did not work", "うまくいきませんでした";
    not_found => "There is no such page", "そのページはありません";
    not_found_text => "The address is wrong, or what it showed is gone.", "アドレスが違うか、表示していたものがなくなりました。";
    refused => "This request was refused", "この要求は拒否されました";
    refused_text => "It did not come from a page of this console, or the page was too old. Reload the page and try again.",
        "このコンソールのページから送られたものでないか、ページが古くなっています。読み込み直して、もう一度試してください。";
}

/// Printed on the terminal once the console listens.
pub fn listening(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "Console: {url} (Ctrl-C ends it)",
        "コンソール: {url} (Ctrl-C で終了)"
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
    fn every_label_is_there_in_both_languages() {
        for (en, ja) in Labels::all() {
            assert!(!en.is_empty() && !ja.is_empty() && en != ja, "{en}: {ja}");
            assert!(!en.contains("  ") && !ja.contains("  "), "{en}: {ja}");
        }
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
