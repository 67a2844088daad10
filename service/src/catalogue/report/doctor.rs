//! What `doctor` found: for each finding what it means, and what to do.

mod certificate;
mod proofs;

use super::runs::status;
use crate::catalogue::{Lang, Noun, count, in_the_way, say, weakness};
use crate::doctor::{Diagnosis, Finding, Mark, Report, SchedulerEntry};
use crate::text::{grouped, time};
use engine::platform::space::DiskSpace;
use engine::units::{escape, format_bytes};
use jiff::Timestamp;
use proofs::{of_snapshots, proven};

/// What a finding means, with what it is about.
pub fn meaning(lang: Lang, finding: &Finding) -> String {
    let text = what(lang, &finding.what);
    let text = match &finding.subject {
        Some(subject) => format!("{subject}: {text}"),
        None => text,
    };
    escape(text.as_bytes())
}

fn what(lang: Lang, found: &Diagnosis) -> String {
    match found {
        Diagnosis::ThisVersion => {
            let version = env!("CARGO_PKG_VERSION");
            say!(lang, "dedup {version}", "dedup {version}")
        }
        Diagnosis::SettingsRead { .. }
        | Diagnosis::SettingsWrong { .. }
        | Diagnosis::StateKept { .. }
        | Diagnosis::StateNotKept { .. }
        | Diagnosis::CacheNotKept { .. }
        | Diagnosis::HistoryDamaged { .. }
        | Diagnosis::ClockIsRight
        | Diagnosis::ClockBehind { .. }
        | Diagnosis::ClockDiffers { .. } => of_machine(lang, found),
        Diagnosis::NoSets
        | Diagnosis::AllByHand
        | Diagnosis::Ticking { .. }
        | Diagnosis::NotTicking { .. }
        | Diagnosis::Paused { .. }
        | Diagnosis::MessagesGo { .. }
        | Diagnosis::NoMessages
        | Diagnosis::MessagesWait { .. } => of_runs(lang, found),
        Diagnosis::SetIsFine { .. }
        | Diagnosis::SetNeverRan
        | Diagnosis::SetOverdue { .. }
        | Diagnosis::SetFailed { .. } => of_set(lang, found),
        Diagnosis::Certificate(state) => certificate::found(lang, state),
        Diagnosis::Space { disk } | Diagnosis::SpaceLow { disk } | Diagnosis::SpaceOut { disk } => {
            room(lang, *disk)
        }
        Diagnosis::WithinQuota { .. }
        | Diagnosis::QuotaNear { .. }
        | Diagnosis::QuotaReached { .. }
        | Diagnosis::FullSoon { .. } => of_space(lang, found),
        Diagnosis::SnapshotsThere { .. }
        | Diagnosis::SnapshotsGone { .. }
        | Diagnosis::SnapshotsUnreadable { .. }
        | Diagnosis::Checked { .. }
        | Diagnosis::CheckedLongAgo { .. }
        | Diagnosis::Restored { .. }
        | Diagnosis::RestoredLongAgo { .. } => of_snapshots(lang, found),
        Diagnosis::AllRead { .. }
        | Diagnosis::ReadLongAgo { .. }
        | Diagnosis::Drilled { .. }
        | Diagnosis::DrillFailed { .. } => proven(lang, found),
        _ => of_remote(lang, found),
    }
}

fn of_space(lang: Lang, found: &Diagnosis) -> String {
    match found {
        Diagnosis::WithinQuota { used, quota }
        | Diagnosis::QuotaNear { used, quota }
        | Diagnosis::QuotaReached { used, quota } => {
            let (used, quota) = (format_bytes(*used), format_bytes(*quota));
            say!(
                lang,
                "{used} of the quota of {quota} are used",
                "容量制限 {quota} のうち {used} を使用中です"
            )
        }
        Diagnosis::FullSoon { at } => {
            let at = day(*at);
            say!(
                lang,
                "at the present growth it will be full on {at}",
                "今の増え方では {at} にいっぱいになります"
            )
        }
        _ => String::new(),
    }
}

fn day(at: Timestamp) -> String {
    time(at).chars().take(10).collect()
}

fn room(lang: Lang, disk: DiskSpace) -> String {
    let (free, total) = (format_bytes(disk.free), format_bytes(disk.total));
    say!(lang, "{free} free of {total}", "{total} のうち空きは {free} です")
}

fn of_machine(lang: Lang, found: &Diagnosis) -> String {
    match found {
        Diagnosis::SettingsRead { path: None, .. } => say!(
            lang,
            "there is no dedup.toml, so every setting has its default",
            "dedup.toml がないため、すべての設定が既定値です"
        ),
        Diagnosis::SettingsRead {
            path: Some(path),
            remotes,
            sets,
        } => super::runs::settings_are_right(lang, Some(path), *remotes, *sets),
        Diagnosis::SettingsWrong { failure } => {
            let why = failure.text(lang);
            say!(
                lang,
                "the settings can't be used, so nothing runs: {why}",
                "設定に誤りがあるため、何も実行されません: {why}"
            )
        }
        Diagnosis::StateKept { path } => say!(
            lang,
            "history and notes are kept in {path}",
            "履歴と記録は {path} にあります"
        ),
        Diagnosis::StateNotKept { path, why } => {
            let why = why.text(lang);
            say!(
                lang,
                "can't write in {path}, so there is no history, and sets run too often or never: {why}",
                "{path} に書き込めないため、履歴が残らず、セットの実行が多すぎたり抜けたりします: {why}"
            )
        }
        Diagnosis::CacheNotKept { path } => say!(
            lang,
            "the cache {path} can't be written, so every run takes longer",
            "キャッシュ {path} に書き込めないため、毎回の実行が遅くなります"
        ),
        Diagnosis::HistoryDamaged { lines } => {
            let lines = grouped(*lines);
            say!(
                lang,
                "unreadable lines of the history, which are skipped: {lines}",
                "読み取れないため飛ばす履歴の行: {lines}"
            )
        }
        _ => of_clock(lang, found),
    }
}

fn of_clock(lang: Lang, found: &Diagnosis) -> String {
    match found {
        Diagnosis::ClockBehind { seen } => {
            let seen = time(*seen);
            say!(
                lang,
                "the clock is behind: this machine noted something at {seen}, which is still in the future",
                "時計が遅れています。この時計で {seen} に起きたことが、まだ先のことになっています"
            )
        }
        Diagnosis::ClockDiffers { seconds } => {
            let seconds = grouped(*seconds);
            say!(
                lang,
                "the clock and that of the file system of the state directory differ by {seconds} seconds",
                "この時計と、状態ディレクトリーのファイルシステムの時計が {seconds} 秒ずれています"
            )
        }
        _ => say!(lang, "the clock agrees with snapshots", "時計は合っています"),
    }
}

fn entry(lang: Lang, by: SchedulerEntry) -> &'static str {
    match by {
        SchedulerEntry::None => lang.pick(
            "no entry of a scheduler was found",
            "スケジューラーの登録は見つかりません",
        ),
        SchedulerEntry::UserTimer => {
            lang.pick("a systemd timer of this user", "この利用者の systemd タイマー")
        }
        SchedulerEntry::UserTimerStopped => lang.pick(
            "the systemd timer of this user is not started",
            "この利用者の systemd タイマーは動いていません",
        ),
        SchedulerEntry::SystemTimer => {
            lang.pick("a systemd timer of the system", "システムの systemd タイマー")
        }
        SchedulerEntry::Cron => lang.pick("a line for cron", "cron の行"),
    }
}

fn of_runs(lang: Lang, found: &Diagnosis) -> String {
    match found {
        Diagnosis::NoSets => say!(
            lang,
            "there are no sets, so there are no scheduled backups",
            "セットがないため、自動では何もバックアップされません"
        ),
        Diagnosis::AllByHand => say!(
            lang,
            "no set has a schedule: sets run only when you start them",
            "スケジュールのあるセットはなく、求められたときだけ実行します"
        ),
        Diagnosis::Ticking { at, by } => {
            let (at, by) = (time(*at), entry(lang, *by));
            say!(
                lang,
                "'dedup run --due' was called at {at} ({by})",
                "'dedup run --due' は {at} に呼ばれました ({by})"
            )
        }
        Diagnosis::NotTicking { last, by } => {
            let last = match last {
                Some(at) => time(*at),
                None => say!(lang, "never", "一度もなし"),
            };
            let by = entry(lang, *by);
            say!(
                lang,
                "nothing calls 'dedup run --due', so no set runs by itself; last call: {last}; {by}",
                "'dedup run --due' が呼ばれないため、セットは自動で実行されません (最後の呼び出し: {last}、{by})"
            )
        }
        Diagnosis::Paused { until } => super::runs::paused(lang, *until),
        Diagnosis::MessagesGo { channels } => {
            let channels = count(lang, *channels, Noun::Channel);
            say!(
                lang,
                "failures are reported by {channels}",
                "失敗は{channels}で通知します"
            )
        }
        Diagnosis::MessagesWait { messages } => {
            let messages = count(lang, *messages, Noun::Message);
            say!(lang, "not sent yet: {messages}", "未送信の{messages}があります")
        }
        _ => say!(
            lang,
            "nobody is told when a backup fails",
            "バックアップが失敗しても、誰にも通知しません"
        ),
    }
}

fn of_set(lang: Lang, found: &Diagnosis) -> String {
    match found {
        Diagnosis::SetIsFine { last_success } => {
            let at = time(*last_success);
            say!(
                lang,
                "last completed backup: {at}",
                "最後に完了したバックアップ: {at}"
            )
        }
        Diagnosis::SetOverdue { last_success } => {
            let at = match last_success {
                Some(at) => time(*at),
                None => say!(lang, "never", "一度もなし"),
            };
            say!(
                lang,
                "overdue; last completed backup: {at}",
                "期限を過ぎています (最後に完了したバックアップ: {at})"
            )
        }
        Diagnosis::SetFailed { status: word, reason } => {
            let status = status(lang, word, reason.as_deref());
            say!(
                lang,
                "the last run did not complete: {status}",
                "前回の実行は完了していません: {status}"
            )
        }
        _ => say!(lang, "never ran", "まだ実行していません"),
    }
}

fn of_remote(lang: Lang, found: &Diagnosis) -> String {
    let snapshots = |n: u64| count(lang, n, Noun::Snapshot);
    match found {
        Diagnosis::RemoteFails { failure } => failure.text(lang),
        Diagnosis::RemoteAsks => say!(
            lang,
            "it can be reached, but opening it needs a typed password, so scheduled runs fail",
            "見つかりましたが、パスワードを入力する人がいないと開けません"
        ),
        Diagnosis::RemoteAppendOnly => say!(
            lang,
            "append-only: this machine removes nothing from it",
            "append-only の設定です。このコンピューターからは何も削除しません"
        ),
        Diagnosis::RemoteIsAnother => say!(
            lang,
            "this is another repository than the one that this machine knows: another disk may be mounted",
            "このコンピューターが知っているものとは別のリポジトリーです。別のディスクがマウントされていませんか"
        ),
        Diagnosis::RemoteNoReplica { first, set, .. } => say!(
            lang,
            "it holds another repository than '{first}', so the set '{set}' is not saved there",
            "「{first}」とは別のリポジトリーなので、セット「{set}」はここに保存されません"
        ),
        Diagnosis::RemoteBehind { snapshots: n } => {
            let n = snapshots(*n);
            say!(lang, "behind by {n}", "{n}遅れています")
        }
        Diagnosis::RemoteWeak { weakness: found } => {
            let found = weakness(lang, *found);
            say!(
                lang,
                "this storage is weak: {found}",
                "この保存先には弱点があります: {found}"
            )
        }
        Diagnosis::HasPhrase => phrase(lang, true),
        Diagnosis::PhraseUnconfirmed => phrase(lang, false),
        Diagnosis::NoPhrase => say!(
            lang,
            "there is no recovery phrase: if the password or key is lost, so are the backups",
            "回復フレーズがありません。パスワードや鍵をなくすと、バックアップは二度と読めません"
        ),
        Diagnosis::SlotsDamaged { slots } => {
            let slots = count(lang, *slots, Noun::Key);
            say!(lang, "damaged: {slots}", "破損した{slots}があります")
        }
        _ => say!(
            lang,
            "it can be reached, and opened unattended",
            "接続でき、人がいなくても開けます"
        ),
    }
}

fn phrase(lang: Lang, is_confirmed: bool) -> String {
    match is_confirmed {
        true => say!(
            lang,
            "there is a recovery phrase, and it was typed back",
            "回復フレーズがあり、書き写しも確認済みです"
        ),
        false => say!(
            lang,
            "there is a recovery phrase; nobody has confirmed that it was written down ('dedup key recovery' on a terminal asks)",
            "回復フレーズがあります。書き写しは未確認です (端末で 'dedup key recovery' を実行すると確認します)"
        ),
    }
}

/// What to do about it; nothing where all is well.
pub fn advice(lang: Lang, finding: &Finding) -> Option<String> {
    if finding.what.mark() == Mark::Good {
        return None;
    }
    let name = escape(finding.subject.as_deref().unwrap_or_default().as_bytes());
    let fixed = machine_advice(&finding.what).map(|(en, ja)| lang.pick(en, ja).to_string());
    fixed.or_else(|| match &finding.what {
        Diagnosis::SetNeverRan | Diagnosis::SetOverdue { .. } => Some(say!(
            lang,
            "run 'dedup run {name}' to see whether it works",
            "'dedup run {name}' で動くかどうか確かめてください"
        )),
        Diagnosis::SetFailed { .. } => Some(say!(
            lang,
            "'dedup history latest' has the details of the last job; 'dedup run {name}' repeats it",
            "詳しくは 'dedup history latest' を見てください。'dedup run {name}' でもう一度実行します"
        )),
        found => remote_advice(lang, found, &name),
    })
}

/// What to do on this machine, in each language.
fn machine_advice(found: &Diagnosis) -> Option<(&'static str, &'static str)> {
    Some(match found {
        Diagnosis::SettingsWrong { .. } => (
            "correct the file; 'dedup config check' reads it again",
            "ファイルを直してください。'dedup config check' で確かめられます",
        ),
        Diagnosis::NoSets => (
            "run 'dedup setup' or 'dedup set add', or add a table [sets.NAME] with sources and destinations to dedup.toml",
            "'dedup setup' か 'dedup set add' を実行するか、dedup.toml に [sets.NAME] の表を作り、sources と destinations を\
             書いてください",
        ),
        Diagnosis::NotTicking { .. } => (
            "run 'dedup schedule install', or have a scheduler call 'dedup run --due' every five minutes",
            "'dedup schedule install' を実行するか、スケジューラーから 5 分ごとに 'dedup run --due' を呼んでください",
        ),
        Diagnosis::Paused { .. } => ("'dedup resume' ends the pause", "'dedup resume' で再開します"),
        Diagnosis::ClockBehind { .. } | Diagnosis::ClockDiffers { .. } => (
            "set the clock, for instance by switching time synchronization on",
            "時刻の自動同期などで時計を合わせてください",
        ),
        Diagnosis::StateNotKept { .. } | Diagnosis::CacheNotKept { .. } => (
            "make the directory writable and free some space, or set DEDUP_STATE_DIR and DEDUP_CACHE_DIR",
            "ディレクトリーに書き込めるようにして空きを作るか、DEDUP_STATE_DIR と DEDUP_CACHE_DIR を設定してください",
        ),
        Diagnosis::HistoryDamaged { .. } => (
            "nothing needs to be done; if there are more and more, check the disk",
            "対処は要りません。増え続けるならディスクを調べてください",
        ),
        Diagnosis::NoMessages => (
            "add [notify.mail] or another channel to dedup.toml and try it with 'dedup notify test'",
            "dedup.toml に [notify.mail] などを書き、'dedup notify test' で試してください",
        ),
        Diagnosis::MessagesWait { .. } => (
            "'dedup status' says why; 'dedup notify test' tries each channel",
            "'dedup status' で理由を、'dedup notify test' で各送信先を確かめてください",
        ),
        Diagnosis::Certificate(state) => return certificate::advice(state),
        _ => return None,
    })
}

fn remote_advice(lang: Lang, found: &Diagnosis, name: &str) -> Option<String> {
    Some(match found {
        Diagnosis::RemoteAsks => say!(
            lang,
            "give [remotes.{name}] a key-file, password-file or password-command",
            "[remotes.{name}] に key-file、password-file、password-command のどれかを書いてください"
        ),
        Diagnosis::RemoteIsAnother => lang
            .pick(
                "mount the right disk, or correct the url in dedup.toml",
                "正しいディスクをマウントするか、dedup.toml の url を直してください",
            )
            .to_string(),
        Diagnosis::RemoteNoReplica { command, .. } => in_the_way(lang, command),
        Diagnosis::RemoteBehind { .. } => say!(
            lang,
            "the next run brings it up to date; 'dedup replicate --to {name}' does so now",
            "次の実行で追いつきます。'dedup replicate --to {name}' ですぐに追いつかせます"
        ),
        Diagnosis::RemoteWeak { .. } => lang
            .pick(
                "collect garbage only while nobody else writes there (docs/remotes.md)",
                "ほかに誰も書き込んでいないときだけ整理してください (docs/remotes.md)",
            )
            .to_string(),
        Diagnosis::NoPhrase => say!(
            lang,
            "'dedup -r {name} key recovery' makes one: write it down and keep it elsewhere",
            "'dedup -r {name} key recovery' で作り、書き写して別の場所に保管してください"
        ),
        Diagnosis::SlotsDamaged { .. } | Diagnosis::SnapshotsUnreadable { .. } | Diagnosis::SnapshotsGone { .. } => say!(
            lang,
            "'dedup -r {name} check' shows what is damaged and how to repair it",
            "'dedup -r {name} check' で破損と直し方を確かめてください"
        ),
        Diagnosis::CheckedLongAgo { .. }
        | Diagnosis::ReadLongAgo { .. }
        | Diagnosis::RestoredLongAgo { .. }
        | Diagnosis::DrillFailed { .. } => proofs::advice(lang, found, name),
        Diagnosis::SpaceLow { .. } | Diagnosis::SpaceOut { .. } => lang
            .pick("free some space there", "そこに空きを作ってください")
            .to_string(),
        Diagnosis::QuotaNear { .. } | Diagnosis::QuotaReached { .. } | Diagnosis::FullSoon { .. } => lang
            .pick(
                "remove snapshots and run 'dedup prune', or make room and raise 'quota'",
                "スナップショットを削除して 'dedup prune' を実行するか、容量を増やして「quota」を上げてください",
            )
            .to_string(),
        // The failure says what helps.
        _ => return None,
    })
}

/// The last line.
pub fn summary(lang: Lang, report: &Report) -> String {
    let (problems, warnings) = (report.count(Mark::Problem), report.count(Mark::Warning));
    match (problems, warnings) {
        (0, 0) => say!(lang, "All is well", "すべて良好です"),
        _ => {
            let problems = count(lang, problems, Noun::Problem);
            let warnings = count(lang, warnings, Noun::Warning);
            say!(lang, "{problems}, {warnings}", "{problems}、{warnings}")
        }
    }
}
