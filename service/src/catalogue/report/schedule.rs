//! The entry in the operating system's scheduler.

use crate::catalogue::{Lang, say};
use crate::scheduler::SchedulerKind::{self, Cron, Launchd, Systemd, TaskScheduler};

pub fn installed(lang: Lang, kind: SchedulerKind, place: &str, dry_run: bool) -> String {
    match (kind, dry_run) {
        (Systemd | Cron, true) => say!(
            lang,
            "Would write dedup.service and dedup.timer to {place} and start the timer",
            "dedup.service と dedup.timer を {place} に書き、タイマーを開始します"
        ),
        (Systemd | Cron, false) => say!(
            lang,
            "Wrote dedup.service and dedup.timer to {place}, and started the timer",
            "dedup.service と dedup.timer を {place} に書き、タイマーを開始しました"
        ),
        (Launchd, true) => say!(
            lang,
            "Would write {place} and load it into launchd",
            "{place} を書き、launchd に読み込みます"
        ),
        (Launchd, false) => say!(
            lang,
            "Wrote {place} and loaded it into launchd",
            "{place} を書き、launchd に読み込みました"
        ),
        (TaskScheduler, true) => say!(
            lang,
            "Would create the task '{place}' in Task Scheduler",
            "タスク スケジューラにタスク「{place}」を作ります"
        ),
        (TaskScheduler, false) => say!(
            lang,
            "Created the task '{place}' in Task Scheduler",
            "タスク スケジューラにタスク「{place}」を作りました"
        ),
    }
}

/// When it ticks: only while the user is logged in, or always. `lingers` is what systemd says of that.
pub fn ticks(lang: Lang, lingers: Option<bool>, user: &str) -> String {
    match lingers {
        Some(true) => say!(
            lang,
            "It also runs while you are logged out, because lingering is on for {user}",
            "{user} の linger が有効なので、常に動きます"
        ),
        Some(false) => say!(
            lang,
            "It runs while you are logged in; with 'loginctl enable-linger {user}' also while you are logged out",
            "ログインしている間だけ動きます。'loginctl enable-linger {user}' で常に動くようになります"
        ),
        None => say!(
            lang,
            "It runs while you are logged in",
            "ログインしている間だけ動きます"
        ),
    }
}

pub fn removed(lang: Lang, kind: SchedulerKind, is_there: bool, dry_run: bool) -> String {
    let what = match kind {
        Systemd | Cron => lang.pick("dedup.timer and dedup.service", "dedup.timer と dedup.service"),
        Launchd => lang.pick("the launchd agent of dedup", "dedup の launchd エージェント"),
        TaskScheduler => lang.pick("the task of dedup", "dedup のタスク"),
    };
    match (is_there, dry_run) {
        (false, _) => say!(lang, "No timer is installed", "タイマーは入っていません"),
        (true, true) => say!(lang, "Would stop and remove {what}", "{what} を止めて削除します"),
        (true, false) => say!(lang, "Stopped and removed {what}", "{what} を止めて削除しました"),
    }
}
