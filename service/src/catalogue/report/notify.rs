//! Messages about unattended runs: mail, webhook and ping.

use super::backup::behind_by;
use super::runs::{job_kind, row_status, status, what};
use crate::catalogue::{Lang, Noun, count, say};
use crate::history::HistoryRow;
use crate::notify::event::{Event, UsedByRemote};
use crate::notify::queue::Waiting;
use crate::text::{self, short};
use engine::units::{escape, format_bytes};

/// The subject of a mail.
pub fn title(lang: Lang, host: &str, event: &Event) -> String {
    match event {
        Event::Ended(ending) | Event::Recovered(ending) if ending.row.target.is_some() => {
            let (kind, what) = (job_kind(lang, &ending.row.kind), what(lang, &ending.row));
            let status = row_status(lang, &ending.row);
            say!(
                lang,
                "[dedup] {host}: {kind} of {what} {status}",
                "[dedup] {host}: {what} の{kind}: {status}"
            )
        }
        Event::Ended(ending) => {
            let (set, status) = (&ending.set, row_status(lang, &ending.row));
            say!(
                lang,
                "[dedup] {host}: backup of {set} {status}",
                "[dedup] {host}: {set} のバックアップ: {status}"
            )
        }
        Event::Recovered(ending) => {
            let set = &ending.set;
            say!(
                lang,
                "[dedup] {host}: backup of {set} works again",
                "[dedup] {host}: {set} のバックアップが回復しました"
            )
        }
        Event::Overdue { set, since, .. } => {
            let since = text::time(*since);
            say!(
                lang,
                "[dedup] {host}: no backup of {set} since {since}",
                "[dedup] {host}: {set} は {since} からバックアップされていません"
            )
        }
        Event::Usage { .. } => say!(
            lang,
            "[dedup] {host}: storage used by backups",
            "[dedup] {host}: バックアップの使用容量"
        ),
        Event::Test => say!(
            lang,
            "[dedup] {host}: test message",
            "[dedup] {host}: テストメッセージ"
        ),
    }
}

/// Names and values.
pub fn facts(lang: Lang, host: &str, event: &Event) -> Vec<(String, String)> {
    let machine = (say!(lang, "Machine", "コンピューター"), host.to_string());
    let set = |set: &str| (say!(lang, "Set", "セット"), set.to_string());
    match event {
        Event::Ended(ending) | Event::Recovered(ending) => {
            let about = match &ending.row.target {
                Some(remote) => (say!(lang, "Destination", "保存先"), escape(remote.as_bytes())),
                None => set(&ending.set),
            };
            let mut facts = vec![machine, about];
            facts.extend(run(lang, &ending.row));
            let message = match &ending.failure {
                Some(failure) => Some(failure.text(lang)),
                None => ending.row.told(lang).cloned(),
            };
            facts.extend(message.map(|text| (say!(lang, "Message", "内容"), escape(text.as_bytes()))));
            facts
        }
        Event::Overdue {
            set: name,
            since,
            never,
        } => {
            let last = match never {
                true => say!(lang, "none", "なし"),
                false => text::time(*since),
            };
            vec![
                machine,
                set(name),
                (
                    say!(lang, "Last completed backup", "最後に完了したバックアップ"),
                    last,
                ),
            ]
        }
        Event::Usage { remotes } => {
            let remotes = remotes.iter();
            let used = remotes.map(|one| (escape(one.name.as_bytes()), used(lang, one)));
            std::iter::once(machine).chain(used).collect()
        }
        Event::Test => vec![machine],
    }
}

fn run(lang: Lang, row: &HistoryRow) -> Vec<(String, String)> {
    let mut facts = vec![
        (say!(lang, "Status", "状態"), row_status(lang, row)),
        (say!(lang, "Start", "開始"), text::time(row.start)),
    ];
    if let Some(end) = row.end {
        facts.push((say!(lang, "End", "終了"), text::time(end)));
    }
    if row.files > 0 {
        let (files, bytes) = (count(lang, row.files, Noun::File), format_bytes(row.bytes));
        facts.push((
            say!(lang, "Files", "ファイル"),
            say!(lang, "{files}, {bytes}", "{files}、{bytes}"),
        ));
    }
    if let Some(snapshot) = &row.snapshot {
        facts.push((say!(lang, "Snapshot", "スナップショット"), short(snapshot)));
    }
    for destination in &row.destinations {
        let mut value = status(lang, &destination.status, destination.reason.as_deref());
        if destination.behind > 0 {
            value += &format!(", {}", behind_by(lang, destination.behind));
        }
        let name = escape(destination.name.as_bytes());
        facts.push((say!(lang, "Destination", "保存先"), format!("{name}: {value}")));
        if let Some(text) = destination.told(lang) {
            let text = escape(text.as_bytes());
            facts.push((say!(lang, "Message", "内容"), format!("{name}: {text}")));
        }
    }
    if row.problems > 0 {
        facts.push((say!(lang, "Problems", "問題"), text::grouped(row.problems)));
    }
    facts
}

/// `212.000 GiB of 500.000 GiB, +1.200 GiB a week, full on 2027-03-01`.
fn used(lang: Lang, one: &UsedByRemote) -> String {
    let Some(used) = one.used.map(format_bytes) else {
        return say!(lang, "not measured yet", "まだ測っていません");
    };
    let mut parts = vec![match one.quota.map(format_bytes) {
        Some(quota) => say!(lang, "{used} of {quota}", "{quota} のうち {used}"),
        None => used,
    }];
    parts.extend(
        one.growth_per_week
            .map(|bytes| super::space::per_week(lang, bytes)),
    );
    parts.extend(one.full_at.map(|at| {
        let day: String = text::time(at).chars().take(10).collect();
        say!(lang, "full on {day}", "{day} にいっぱい")
    }));
    parts.join(lang.pick(", ", "、"))
}

/// What to do, or what this is about.
pub fn advice(lang: Lang, event: &Event) -> String {
    match event {
        Event::Ended(ending) if ending.row.problems > 0 => {
            let id = &ending.row.id;
            say!(
                lang,
                "'dedup history {id}' lists every problem.",
                "すべての問題は 'dedup history {id}' で一覧できます。"
            )
        }
        Event::Ended(_) => String::new(),
        Event::Recovered(_) => say!(
            lang,
            "Earlier messages reported that this set was not being backed up. It is now.",
            "このセットがバックアップされていないとお知らせしていましたが、今回は完了しました。"
        ),
        Event::Overdue { set, .. } => say!(
            lang,
            "'dedup status' shows the set's last run and its next one; 'dedup run {set}' backs it up now.",
            "'dedup status' で前回と次回の実行を確認できます。'dedup run {set}' ですぐにバックアップできます。"
        ),
        Event::Usage { .. } => say!(
            lang,
            "'dedup status --refresh' measures again; 'dedup prune' frees what is not needed any more.",
            "'dedup status --refresh' で測り直せます。'dedup prune' で不要なデータを解放できます。"
        ),
        Event::Test => say!(
            lang,
            "This message was sent by 'dedup notify test'. Messages about backups will arrive in the same way.",
            "これは 'dedup notify test' が送ったメッセージです。バックアップのお知らせも同じように届きます。"
        ),
    }
}

/// What `notify test` reports of a channel, and why it failed.
pub fn tested(lang: Lang, name: &str, why: Option<&str>) -> String {
    match why {
        None => say!(lang, "{name}: sent", "{name}: 送信しました"),
        Some(why) => say!(
            lang,
            "{name}: failed: {why}",
            "{name}: 送信できませんでした: {why}"
        ),
    }
}

/// What `status` shows of messages that wait: nothing if there are none.
pub fn waiting(lang: Lang, waiting: &Waiting) -> Vec<String> {
    let mut lines = Vec::new();
    if waiting.messages > 0 {
        let messages = count(lang, waiting.messages, Noun::Message);
        lines.push(say!(
            lang,
            "Not sent yet: {messages}; sending is tried again",
            "未送信の{messages}: 再送を続けます"
        ));
    }
    for channel in &waiting.channels {
        let name = channel.address.name();
        let (since, why) = (text::time(channel.failed), escape(channel.why.as_bytes()));
        lines.push(say!(
            lang,
            "  {name}: failed at {since}: {why}",
            "  {name}: {since} に失敗: {why}"
        ));
    }
    if waiting.dropped > 0 {
        let messages = count(lang, waiting.dropped, Noun::Message);
        lines.push(say!(
            lang,
            "Never sent, because too many were waiting: {messages}",
            "待ちが多すぎたため送信しなかった{messages}"
        ));
    }
    lines
}

/// Added to the first message that is sent after others were given up.
pub fn dropped(lang: Lang, messages: u64) -> String {
    let messages = count(lang, messages, Noun::Message);
    say!(
        lang,
        "Before this, {messages} could not be sent and had to be dropped.",
        "これより前の{messages}は、送信できないまま破棄しました。"
    )
}
