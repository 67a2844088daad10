//! Why something about sets, profiles or edits of the settings failed.

use super::parts::Unfit;
use super::{CommandEnd, Lang, no_source_snapshot, say, source_snapshots};
use crate::status::Status;
use engine::snapshots::NoSnapshot;

/// A variant of [`super::Cause`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetCause {
    NameTaken {
        name: String,
    },
    /// A former name of a set is that of another one, or a former name of it.
    FormerNameTaken {
        name: String,
        owner: String,
    },
    /// A set that runs can't be renamed.
    RunsNow {
        name: String,
    },
    NoSource,
    /// Several remotes have names, or none.
    NoDestination {
        remotes: usize,
    },
    NothingToChange,
    /// The file is not what it was when the change was made.
    ChangedMeanwhile {
        path: String,
    },
    /// Follows from another cause.
    NothingWritten,
    NoProfile {
        path: String,
    },
    NoEditor,
    Editor {
        command: String,
        why: CommandEnd,
    },
    /// An editor needs a terminal.
    NobodyEdits,
    /// The settings forbid that this machine removes anything from a remote.
    AppendOnly {
        name: String,
    },
    /// The output of a set's command was not saved.
    Command {
        name: String,
        why: CommandEnd,
    },
    CommandTimedOut {
        name: String,
        limit: String,
    },
    /// `setup` without a terminal.
    NobodySetsUp,
    SetupEnded,
    CannotType {
        why: Unfit,
    },
    /// The file that was restored to prove the backup is not what it was.
    ProofDiffers {
        path: String,
    },
    /// A source can't be read in a snapshot, and that is required.
    NoSourceSnapshot {
        why: NoSnapshot,
    },
    /// A destination of a set holds another repository than the one that was there.
    OtherRepository {
        name: String,
        url: String,
    },
    /// No settings of this machine are in the repository.
    NoSettingsOf {
        host: String,
        has_snapshots: bool,
        /// The machines whose settings are.
        hosts: Vec<String>,
        near: Option<String>,
    },
    /// Follows from another cause.
    RecordedSettings {
        host: String,
    },
}

impl SetCause {
    pub(super) fn status(&self) -> Status {
        match self {
            SetCause::Editor { .. } | SetCause::ProofDiffers { .. } | SetCause::NoSettingsOf { .. } => {
                Status::Failed
            }
            SetCause::NoSourceSnapshot { why } => source_snapshots::status(why),
            SetCause::Command { .. } | SetCause::CommandTimedOut { .. } => Status::Incomplete,
            SetCause::RunsNow { .. } => Status::Busy,
            SetCause::SetupEnded => Status::Interrupted,
            _ => Status::BadSettings,
        }
    }

    pub(super) fn text(&self, lang: Lang) -> String {
        match self {
            SetCause::NameTaken { name } => say!(
                lang,
                "there is already a set '{name}'; 'dedup set edit {name}' changes it",
                "セット「{name}」はすでにあります。変更するには 'dedup set edit {name}' を使ってください"
            ),
            SetCause::FormerNameTaken { name, owner } => former_name_taken(lang, name, owner),
            SetCause::RunsNow { name } => runs_now(lang, name),
            SetCause::NoSource => say!(
                lang,
                "a set needs at least one source: a file or directory to back up",
                "セットには、バックアップするファイルかディレクトリーが 1 つ以上必要です"
            ),
            SetCause::NoDestination { remotes: 0 } => say!(
                lang,
                "there is no remote yet: 'dedup remote add NAME URL' names one, and --destination chooses it",
                "保存先がまだありません。'dedup remote add NAME URL' で名前を付け、--destination で選んでください"
            ),
            SetCause::NoDestination { .. } => say!(
                lang,
                "several remotes have names: choose with --destination",
                "保存先が複数あります。--destination で選んでください"
            ),
            SetCause::NoProfile { path } => say!(
                lang,
                "there is no such profile: {path} does not exist",
                "そのプロファイルはありません。{path} がありません"
            ),
            SetCause::AppendOnly { name } => say!(
                lang,
                "'{name}' is append-only in the settings, so this machine removes nothing from it; nothing was changed",
                "「{name}」は設定で append-only になっているため、このコンピューターからは何も削除しません。何も変更していません"
            ),
            SetCause::NothingToChange => nothing_to_change(lang),
            SetCause::ChangedMeanwhile { path } => changed_meanwhile(lang, path),
            SetCause::NothingWritten => nothing_written(lang),
            SetCause::NoEditor => no_editor(lang),
            SetCause::Editor { command, why } => editor(lang, command, why),
            SetCause::NobodyEdits => nobody_edits(lang),
            SetCause::Command { name, why } => command(lang, name, why),
            SetCause::CommandTimedOut { name, limit } => command_timed_out(lang, name, limit),
            SetCause::NobodySetsUp => nobody_sets_up(lang),
            SetCause::SetupEnded => setup_ended(lang),
            SetCause::CannotType { why } => cannot_type(lang, why),
            SetCause::ProofDiffers { path } => proof_differs(lang, path),
            SetCause::NoSourceSnapshot { why } => no_source_snapshot(lang, why),
            SetCause::OtherRepository { name, url } => other_repository(lang, name, url),
            SetCause::NoSettingsOf {
                host,
                has_snapshots,
                hosts,
                near,
            } => no_settings_of(lang, (host, *has_snapshots), hosts, near.as_deref()),
            SetCause::RecordedSettings { host } => recorded_settings(lang, host),
        }
    }
}

fn no_settings_of(
    lang: Lang,
    (host, has_snapshots): (&str, bool),
    hosts: &[String],
    near: Option<&str>,
) -> String {
    let mut text = match has_snapshots {
        true => say!(
            lang,
            "there are snapshots of {host}, but no settings: it never ran a set that is saved here; 'dedup setup' or 'dedup set \
             add' makes new sets",
            "{host} のスナップショットはありますが、設定はありません。ここに保存するセットが実行されていないためです。\
             'dedup setup' か 'dedup set add' で新しいセットを作ってください"
        ),
        false => say!(
            lang,
            "nothing is known of a machine called {host}",
            "{host} というコンピューターの記録はありません"
        ),
    };
    if !hosts.is_empty() {
        let known = hosts.join(", ");
        text += &say!(
            lang,
            "; settings are kept of {known}",
            "。設定があるもの: {known}"
        );
    }
    if let Some(near) = near {
        text += &say!(lang, "; did you mean {near}?", "。{near} ではありませんか");
    }
    text
}

fn former_name_taken(lang: Lang, name: &str, owner: &str) -> String {
    say!(
        lang,
        "'{name}' belongs to set '{owner}'; snapshots with that name can belong to one set only",
        "「{name}」はセット「{owner}」のものです。この名前の世代は 1 つのセットにしか属せません"
    )
}

fn runs_now(lang: Lang, name: &str) -> String {
    say!(
        lang,
        "set '{name}' is running; rename it when the run has ended",
        "セット「{name}」は実行中です。終わってから名前を変更してください"
    )
}

fn nothing_to_change(lang: Lang) -> String {
    say!(
        lang,
        "say what to change, or run it on a terminal to edit the settings file",
        "変更する項目を指定するか、端末で実行して設定ファイルを編集してください"
    )
}

fn changed_meanwhile(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} was changed by somebody else meanwhile; nothing was written, so try again",
        "{path} がその間に変更されました。何も書き込んでいません。もう一度試してください"
    )
}

fn nothing_written(lang: Lang) -> String {
    say!(lang, "nothing was changed", "何も変更していません")
}

fn no_editor(lang: Lang) -> String {
    say!(
        lang,
        "no editor: set VISUAL or EDITOR",
        "エディターがありません。VISUAL か EDITOR を設定してください"
    )
}

fn editor(lang: Lang, command: &str, why: &CommandEnd) -> String {
    let why = why.text(lang);
    say!(
        lang,
        "the editor '{command}' failed: {why}; nothing was changed",
        "エディター「{command}」が失敗しました: {why}。何も変更していません"
    )
}

fn nobody_edits(lang: Lang) -> String {
    say!(
        lang,
        "editing needs a terminal, and this is not a terminal: use 'dedup set edit' with options, or write the \
         file and run 'dedup config check'",
        "端末ではないため、編集できません。'dedup set edit' にオプションを付けるか、ファイルを書いてから \
         'dedup config check' を実行してください"
    )
}

fn command(lang: Lang, name: &str, why: &CommandEnd) -> String {
    let why = why.text(lang);
    say!(
        lang,
        "command '{name}' failed: {why}; the snapshot has none of its output",
        "コマンド「{name}」が失敗しました: {why}。スナップショットにその出力はありません"
    )
}

fn command_timed_out(lang: Lang, name: &str, limit: &str) -> String {
    say!(
        lang,
        "command '{name}' took longer than {limit} and was killed (run-timeout in the settings); the snapshot \
         has nothing of its output",
        "コマンド「{name}」は {limit} を過ぎても終わらないため強制終了しました (設定の run-timeout)。\
         スナップショットにその出力はありません"
    )
}

fn nobody_sets_up(lang: Lang) -> String {
    say!(
        lang,
        "'dedup setup' asks questions, and this is not a terminal; use 'dedup init', 'dedup remote add', \
         'dedup set add' and 'dedup schedule install' instead",
        "'dedup setup' は質問に答えながら進めますが、ここは端末ではありません。代わりに 'dedup init'、\
         'dedup remote add'、'dedup set add'、'dedup schedule install' を使ってください"
    )
}

fn setup_ended(lang: Lang) -> String {
    say!(
        lang,
        "the setup was ended before it was complete; what was done so far is shown above",
        "設定は途中で終わりました。そこまでに行ったことは上に表示しています"
    )
}

fn cannot_type(lang: Lang, why: &Unfit) -> String {
    let why = why.text(lang);
    say!(
        lang,
        "can't read the answer: {why}",
        "答えを読み取れません: {why}"
    )
}

fn proof_differs(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} was restored as a test and is not what it was: run 'dedup check --read-data'",
        "試しに復元した {path} が元と一致しません。'dedup check --read-data' を実行してください"
    )
}

fn other_repository(lang: Lang, name: &str, url: &str) -> String {
    say!(
        lang,
        "{url} holds another repository than the one that was at '{name}' before: another disk may be mounted; mount the \
         right one or correct the url, or, if this is meant, run the set on a terminal and say so",
        "{url} にあるのは、以前「{name}」にあったものとは別のリポジトリーです。別のディスクがマウントされていませんか。\
         正しいディスクをマウントするか url を直してください。これでよければ、端末でセットを実行して確認に答えてください"
    )
}

fn recorded_settings(lang: Lang, host: &str) -> String {
    say!(
        lang,
        "these are the settings that {host} recorded, and this version cannot use them; nothing was written",
        "{host} が記録した設定ですが、この版では使えません。何も書き込んでいません"
    )
}
