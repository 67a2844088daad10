//! What keeps a command from looking into snapshots, or from restoring to where it should.

use super::{Lang, SystemError, say};
use crate::status::Status;
use crate::text::grouped;

#[derive(Clone, Debug)]
pub enum BrowseCause {
    /// Only snapshots of other hosts can hold it.
    PathOfOtherHosts {
        path: String,
        host: String,
    },
    VersionsOfDirectory {
        path: String,
    },
    TooManyMatches {
        most: u64,
    },
    TooManyDeleted {
        most: u64,
    },
    /// A search by tag alone.
    NoPathTagged {
        tags: String,
    },
    OriginalOfOtherSystem,
    NoFuse,
    StillMounted {
        path: String,
        why: SystemError,
    },
}

impl BrowseCause {
    pub fn status(&self) -> Status {
        match self {
            BrowseCause::VersionsOfDirectory { .. } | BrowseCause::OriginalOfOtherSystem => {
                Status::BadSettings
            }
            BrowseCause::PathOfOtherHosts { .. }
            | BrowseCause::NoPathTagged { .. }
            | BrowseCause::TooManyMatches { .. }
            | BrowseCause::TooManyDeleted { .. }
            | BrowseCause::NoFuse
            | BrowseCause::StillMounted { .. } => Status::Failed,
        }
    }

    pub fn text(&self, lang: Lang) -> String {
        match self {
            BrowseCause::PathOfOtherHosts { path, host } => say!(
                lang,
                "no snapshot of this host ({host}) can hold {path}; --all-hosts looks at those of others",
                "このホスト ({host}) のスナップショットに {path} はありません。--all-hosts でほかのホストのものも調べます"
            ),
            BrowseCause::VersionsOfDirectory { path } => say!(
                lang,
                "{path} is a directory: name a file; 'dedup diff' shows what changed below a directory",
                "{path} はディレクトリーです。ファイルを指定してください。ディレクトリーの中の変更は 'dedup diff' で表示できます"
            ),
            BrowseCause::TooManyMatches { most } => {
                let most = grouped(*most);
                say!(
                    lang,
                    "more than {most} files match: search for less, or list them with --by-snapshot",
                    "{most} 個を超えるファイルが見つかりました。条件を絞るか、--by-snapshot で表示してください"
                )
            }
            BrowseCause::TooManyDeleted { most } => {
                let most = grouped(*most);
                say!(
                    lang,
                    "more than {most} files were deleted between two snapshots: restore from the one before",
                    "2 つのスナップショットの間に {most} 個を超えるファイルが削除されています。前のスナップショットから\
                     復元してください"
                )
            }
            BrowseCause::NoPathTagged { tags } => say!(
                lang,
                "no path has the tag {tags}; 'dedup tag --list' lists the paths with tags, and with a PATTERN, snapshots with \
                 the tag are searched, too",
                "タグ {tags} の付いたパスはありません。'dedup tag --list' でタグの付いたパスを一覧できます。PATTERN を付けると、\
                 そのタグのあるスナップショットからも探します"
            ),
            BrowseCause::OriginalOfOtherSystem => say!(
                lang,
                "the snapshot was made on another operating system: name a folder to restore to",
                "別のオペレーティングシステムで作られたスナップショットです。復元先のフォルダーを指定してください"
            ),
            BrowseCause::NoFuse => say!(
                lang,
                "mounting needs FUSE: a kernel with /dev/fuse and, without root's rights, fusermount3 (on Debian and \
                 Ubuntu the package fuse3); 'dedup ls', 'dedup find' and 'dedup restore' do without",
                "マウントには FUSE (/dev/fuse と、root 以外では fusermount3。Debian や Ubuntu では fuse3 パッケージ) が必要です。\
                 'dedup ls'、'dedup find'、'dedup restore' は FUSE なしで使えます"
            ),
            BrowseCause::StillMounted { path, why } => {
                let why = why.text(lang);
                say!(
                    lang,
                    "can't unmount {path}: {why}; close what uses it, then run 'umount {path}'",
                    "{path} をアンマウントできません: {why}。使っているものを閉じてから 'umount {path}' を実行してください"
                )
            }
        }
    }
}
