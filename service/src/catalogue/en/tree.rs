//! What is wrong with a part of a snapshot's tree, or too new in it.

use engine::error::store::{TreeFault, TreeFeature, TreePart};

/// "its path is too long".
pub(super) fn tree_fault(part: TreePart, fault: TreeFault) -> String {
    format!("{} {}", self::part(part), self::fault(fault))
}

fn part(part: TreePart) -> &'static str {
    match part {
        TreePart::Piece => "it",
        TreePart::Integer => "a number in it",
        TreePart::Section => "one of its sections",
        TreePart::Table => "one of its tables",
        TreePart::Directory => "its list of directories",
        TreePart::Entry => "its list of entries",
        TreePart::Path => "its path",
        TreePart::Name => "its name",
        TreePart::Owner => "the name of its owner",
        TreePart::Mode => "its mode",
        TreePart::Time => "its time",
        TreePart::Errno => "its error number",
        TreePart::LinkTarget => "its link target",
        TreePart::Xattrs => "its list of extended attributes",
        TreePart::Xattr => "one of its extended attributes",
        TreePart::XattrName => "the name of an extended attribute",
        TreePart::Content => "its content",
        TreePart::BundlePart => "its place in a bundle",
        TreePart::Extents => "its list of chunks",
        TreePart::ExtentList => "its list of chunk lists",
        TreePart::SegmentList => "its list of segments",
    }
}

fn fault(fault: TreeFault) -> &'static str {
    match fault {
        TreeFault::Truncated => "ends early",
        TreeFault::Empty => "is empty",
        TreeFault::TooLong | TreeFault::TooMany => "is too long",
        TreeFault::TooDeep => "is too deep",
        TreeFault::OutOfRange => "is out of range",
        TreeFault::OutOfOrder => "is out of order",
        TreeFault::NotCanonical => "is not in its only valid form",
        TreeFault::WrongKind => "is of another kind",
        TreeFault::Undecodable => "does not decode",
        TreeFault::Unsafe => "is not valid",
    }
}

pub(super) fn tree_feature(feature: TreeFeature) -> String {
    match feature {
        TreeFeature::EntryType(kind) => format!("entries of type {kind}"),
        TreeFeature::ContentType(kind) => format!("content of type {kind}"),
        TreeFeature::TroubleType(kind) => format!("trouble of type {kind}"),
        TreeFeature::ErrnoReason { reason, errno } => format!("reason {reason} for errno {errno}"),
        TreeFeature::Section(tag) => format!("tree segment section {tag}"),
        TreeFeature::SegmentLayout(layout) => format!("tree segment layout {layout}"),
        TreeFeature::PageLayout(layout) => format!("tree page layout {layout}"),
        TreeFeature::ExtentListLayout(layout) => format!("tree extent list layout {layout}"),
        TreeFeature::RowLength { found, known } => format!("rows of {found} elements instead of {known}"),
    }
}
