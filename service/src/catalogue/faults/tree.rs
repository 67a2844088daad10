//! What is wrong with a part of a snapshot's tree, or too new in it.

use crate::catalogue::Lang::{self, En, Ja};
use crate::catalogue::say;
use engine::error::store::{TreeFault, TreeFeature, TreePart};

/// "its path is too long".
pub(super) fn tree_fault(lang: Lang, part: TreePart, fault: TreeFault) -> String {
    let (part, fault) = (self::part(lang, part), self::fault(lang, fault));
    match lang {
        En => format!("{part} {fault}"),
        Ja => format!("{part}{fault}"),
    }
}

/// The subject of the sentence.
fn part(lang: Lang, part: TreePart) -> &'static str {
    let (en, ja) = match part {
        TreePart::Piece => ("it", ""),
        TreePart::Integer => ("a number in it", "中の数値が"),
        TreePart::Section => ("one of its sections", "セクションの 1 つが"),
        TreePart::Table => ("one of its tables", "表の 1 つが"),
        TreePart::Directory => ("its list of directories", "ディレクトリーの一覧が"),
        TreePart::Entry => ("its list of entries", "項目の一覧が"),
        TreePart::Path => ("its path", "パスが"),
        TreePart::Name => ("its name", "名前が"),
        TreePart::Owner => ("the name of its owner", "所有者の名前が"),
        TreePart::Mode => ("its mode", "モードが"),
        TreePart::Time => ("its time", "日時が"),
        TreePart::Errno => ("its error number", "エラー番号が"),
        TreePart::LinkTarget => ("its link target", "リンク先が"),
        TreePart::Xattrs => ("its list of extended attributes", "拡張属性の一覧が"),
        TreePart::Xattr => ("one of its extended attributes", "拡張属性の 1 つが"),
        TreePart::XattrName => ("the name of an extended attribute", "拡張属性の名前が"),
        TreePart::Content => ("its content", "内容が"),
        TreePart::BundlePart => ("its place in a bundle", "バンドル内の位置が"),
        TreePart::Extents => ("its list of chunks", "チャンクの一覧が"),
        TreePart::ExtentList => ("its list of chunk lists", "チャンク一覧の一覧が"),
        TreePart::SegmentList => ("its list of segments", "セグメントの一覧が"),
    };
    lang.pick(en, ja)
}

fn fault(lang: Lang, fault: TreeFault) -> &'static str {
    let (en, ja) = match fault {
        TreeFault::Truncated => ("ends early", "途中で終わっています"),
        TreeFault::Empty => ("is empty", "空です"),
        TreeFault::TooLong | TreeFault::TooMany => ("is too long", "長すぎます"),
        TreeFault::TooDeep => ("is too deep", "深すぎます"),
        TreeFault::OutOfRange => ("is out of range", "範囲外です"),
        TreeFault::OutOfOrder => ("is out of order", "正しい順序ではありません"),
        TreeFault::NotCanonical => ("is not in its only valid form", "正規の形式ではありません"),
        TreeFault::WrongKind => ("is of another kind", "別の種類です"),
        TreeFault::Undecodable => ("does not decode", "解釈できません"),
        TreeFault::Unsafe => ("is not valid", "不正です"),
    };
    lang.pick(en, ja)
}

pub(super) fn tree_feature(lang: Lang, feature: TreeFeature) -> String {
    match feature {
        TreeFeature::EntryType(kind) => say!(lang, "entries of type {kind}", "種類 {kind} の項目"),
        TreeFeature::ContentType(kind) => say!(lang, "content of type {kind}", "種類 {kind} の内容"),
        TreeFeature::TroubleType(kind) => say!(lang, "trouble of type {kind}", "種類 {kind} の障害"),
        TreeFeature::ErrnoReason { reason, errno } => say!(
            lang,
            "reason {reason} for errno {errno}",
            "エラー番号 {errno} の理由 {reason}"
        ),
        TreeFeature::Section(tag) => {
            say!(
                lang,
                "tree segment section {tag}",
                "ツリーセグメントのセクション {tag}"
            )
        }
        TreeFeature::SegmentLayout(layout) => {
            say!(
                lang,
                "tree segment layout {layout}",
                "ツリーセグメントの配置 {layout}"
            )
        }
        TreeFeature::PageLayout(layout) => {
            say!(lang, "tree page layout {layout}", "ツリーページの配置 {layout}")
        }
        TreeFeature::ExtentListLayout(layout) => {
            say!(
                lang,
                "tree extent list layout {layout}",
                "ツリーのチャンク一覧の配置 {layout}"
            )
        }
        TreeFeature::RowLength { found, known } => say!(
            lang,
            "rows of {found} elements instead of {known}",
            "要素が {known} 個ではなく {found} 個の行"
        ),
    }
}
