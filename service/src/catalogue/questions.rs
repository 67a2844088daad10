//! What a person is asked to confirm, without the question mark.

use super::{Lang, Noun, count, say};
use engine::units::escape;

/// Asked before something that can't be taken back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    RemoveSnapshots {
        snapshots: u64,
    },
    AcceptLoss {
        snapshots: u64,
    },
    GiveUp {
        snapshots: u64,
    },
    CollectGarbage,
    /// Files that sources have no longer.
    DropDeletedFiles {
        files: u64,
        snapshots: u64,
    },
    /// `paths` as they were given.
    Purge {
        paths: Vec<String>,
        snapshots: u64,
        for_good: bool,
    },
    RemoveSet {
        name: String,
    },
    EditAgain,
    /// A set is to be saved in another repository than before.
    OtherRepository {
        name: String,
    },
    /// By those of another machine.
    ReplaceSettings {
        path: String,
    },
    /// `kind` is the word for the slot's kind, `id` the beginning of its id.
    RemoveKey {
        kind: &'static str,
        id: String,
    },
}

impl Question {
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Question::RemoveSnapshots { snapshots } => {
                let what = count(lang, *snapshots, Noun::Snapshot);
                say!(lang, "Remove {what}", "{what}を削除しますか")
            }
            Question::AcceptLoss { snapshots } => {
                let what = count(lang, *snapshots, Noun::Snapshot);
                say!(
                    lang,
                    "Accept that {what} cannot be restored any more",
                    "{what}がもう復元できないことを受け入れますか"
                )
            }
            Question::GiveUp { snapshots } => {
                let what = count(lang, *snapshots, Noun::UnreadableSnapshot);
                say!(lang, "Give up {what} for good", "{what}を完全にあきらめますか")
            }
            Question::DropDeletedFiles { files, snapshots } => drop_deleted(lang, *files, *snapshots),
            Question::CollectGarbage => say!(lang, "Collect garbage", "不要なデータを回収しますか"),
            Question::Purge {
                paths,
                snapshots,
                for_good,
            } => {
                let paths: Vec<String> = paths.iter().map(|path| escape(path.as_bytes())).collect();
                let (paths, snapshots) = (paths.join(" "), count(lang, *snapshots, Noun::Snapshot));
                match for_good {
                    false => say!(
                        lang,
                        "Remove {paths} from {snapshots}",
                        "{snapshots}から {paths} を取り除きますか"
                    ),
                    true => say!(
                        lang,
                        "Remove {paths} from {snapshots} for good",
                        "{snapshots}から {paths} を完全に取り除きますか (元に戻せません)"
                    ),
                }
            }
            Question::RemoveSet { name } => {
                say!(lang, "Remove set '{name}'", "セット「{name}」を削除しますか")
            }
            Question::ReplaceSettings { path } => {
                say!(lang, "Replace {path}", "{path} を置き換えますか")
            }
            Question::OtherRepository { name } => say!(
                lang,
                "Another repository than before is at '{name}': another disk may be mounted. Save there all the same",
                "「{name}」に以前とは別のリポジトリーがあります。別のディスクかもしれません。そこに保存しますか"
            ),
            Question::EditAgain => say!(lang, "Edit it again", "もう一度編集しますか"),
            Question::RemoveKey { kind, id } => {
                say!(lang, "Remove {kind} {id}", "鍵 {id} ({kind}) を削除しますか")
            }
        }
    }
}

fn drop_deleted(lang: Lang, files: u64, snapshots: u64) -> String {
    let files = count(lang, files, Noun::DeletedFile);
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    say!(
        lang,
        "Drop {files} from {snapshots}",
        "{snapshots}から{files}を取り除きますか"
    )
}
