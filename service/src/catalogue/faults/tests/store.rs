//! Errors of the storage and what they hold.

use super::{chunk, every, in_each_language, io, missing, x};
use crate::catalogue::Lang;
use crate::catalogue::faults::invalid::invalid;
use crate::catalogue::faults::store::object::{attempt, flaw, operation};
use crate::catalogue::faults::store::{about, feature, store_error};
use crate::catalogue::faults::tree::{tree_fault, tree_feature};
use engine::error::store::{
    Feature, Flaw, IndexFault, Invalid, Object, Operation, PhraseFault, Refusal, Task, TreeFault,
    TreeFeature, TreePart, Unreadable, UrlFault, ZstdCall,
};
use engine::key::Cost;
use engine::{ContentHash, SmallFile, StoreError};

fn objects() -> Vec<Object> {
    let file = SmallFile {
        bundle: chunk(),
        offset: 5,
        len: 5,
        hash: ContentHash([0; ContentHash::LEN]),
    };
    every!(
        Object;
        RestoreTarget, Frame, SealedKey, KeySlots, Manifest, Entry;
        Object::Named(_) => Object::Named(x()),
        Object::Path(_) => Object::Path("/x".into()),
        Object::Chunk(_) => Object::Chunk(chunk()),
        Object::TreeChunk(_) => Object::TreeChunk(chunk()),
        Object::NewChunk(_) => Object::NewChunk(chunk()),
        Object::BundledFile(_) => Object::from(&file),
        Object::LocalIndex(None) => Object::LocalIndex(None),
        Object::LocalIndex(Some(_)) => Object::LocalIndex(Some("/x".into())),
    )
}

fn flaws() -> Vec<Flaw> {
    every!(
        Flaw;
        Truncated, BadMagic, WrongKind, SealBroken, HashMismatch, Undecodable, OutOfRange, LengthMismatch, Unsorted,
        NotCanonical, NoFooter, NotAsListed, KeyNotListed, NoKeySlot, UnknownSealer, NoSessionKey, NoManifest,
        HeadDamaged, NoSuccessor, NotAsWritten, ParityHeads, ParityMismatch, Incomplete;
        Flaw::TooLarge { .. } => Flaw::TooLarge { cap: 5 },
        Flaw::SizeMismatch { .. } => Flaw::SizeMismatch { indexed: 5, found: 6 },
        Flaw::NotReproduced(_) => Flaw::NotReproduced(Box::new(missing())),
        Flaw::ParityExceeded { .. } => Flaw::ParityExceeded { damaged: 3, parts: 9, spare: 2 },
        Flaw::Tree(..) => Flaw::Tree(TreePart::Path, TreeFault::TooLong),
    )
}

fn features() -> Vec<Feature> {
    every!(
        Feature;;
        Feature::RepositoryFormat(_) => Feature::RepositoryFormat(9),
        Feature::CipherSuite(_) => Feature::CipherSuite(9),
        Feature::Chunker(_) => Feature::Chunker(9),
        Feature::ObjectFormat { .. } => Feature::ObjectFormat { format: 9, suite: 9 },
        Feature::KeyDomain { .. } => Feature::KeyDomain { domain: 9, generation: 9 },
        Feature::PackFormat { .. } => Feature::PackFormat { format: 9, suite: 9 },
        Feature::PackHeader(_) => Feature::PackHeader([7, 8, 9]),
        Feature::PackClass(_) => Feature::PackClass(9),
        Feature::Codec(_) => Feature::Codec(9),
        Feature::SealedKeyKind(_) => Feature::SealedKeyKind(9),
        Feature::SlotKind(_) => Feature::SlotKind(9),
        Feature::RecordSubject(_) => Feature::RecordSubject(9),
        Feature::ParityVersion(_) => Feature::ParityVersion(9),
        Feature::Named(_) => Feature::Named(x()),
        Feature::Tree(_) => Feature::Tree(TreeFeature::Section(9)),
    )
}

fn parts() -> Vec<TreePart> {
    every!(
        TreePart;
        Piece, Integer, Section, Table, Directory, Entry, Path, Name, Owner, Mode, Time, Errno, LinkTarget, Xattrs,
        Xattr, XattrName, Content, BundlePart, Extents, ExtentList, SegmentList;
    )
}

fn faults() -> Vec<TreeFault> {
    every!(
        TreeFault;
        Truncated, Empty, TooLong, TooMany, TooDeep, OutOfRange, OutOfOrder, NotCanonical, WrongKind, Undecodable,
        Unsafe;
    )
}

fn operations() -> Vec<Operation> {
    every!(
        Operation;
        Chmod, Create, CreateFolder, Delete, Examine, Free, List, Lock, Link, LookUp, Mkdir, Mknod, Open, Publish,
        Race, Read, ReadBack, ReadExcludeFile, ReadLink, Remove, Rename, Replace, Rmdir, SetAside, SetSize, Stat,
        Sweep, Symlink, Sync, SyncRestored, Unlink, Write, WriteIndex, WriteTo;
    )
}

fn refusals() -> Vec<Refusal> {
    every!(
        Refusal;
        NameTaken, MarkSwept, LastSlot, FeaturesChanged;
        Refusal::OtherRepository { .. } => Refusal::OtherRepository { location: x() },
        Refusal::SameReplica { .. } => Refusal::SameReplica { location: x(), of: x() },
        Refusal::NoReplace { .. } => Refusal::NoReplace { object: Object::KeySlots },
    )
}

fn index_faults() -> Vec<IndexFault> {
    every!(
        IndexFault;
        OtherSchema, NoColumnFamily, Undecodable, Closed, NoRoom;
        IndexFault::Database(_) => IndexFault::Database(x()),
        IndexFault::AllInUse { .. } => IndexFault::AllInUse { copies: 9 },
    )
}

fn causes() -> Vec<Unreadable> {
    every!(
        Unreadable;
        NotIndexed;
        Unreadable::Io(_) => Unreadable::Io(io()),
        Unreadable::UnknownLocation(_) => Unreadable::UnknownLocation(Box::new(missing())),
        Unreadable::NewerFormat(_) => Unreadable::NewerFormat(Feature::Codec(9)),
        Unreadable::Invalid(_) => Unreadable::Invalid(Box::new(Invalid::TooManyKeys)),
    )
}

pub(super) fn errors() -> Vec<StoreError> {
    let object = || Object::Named(x());
    let mut all = every!(
        StoreError;
        WrongKey, Fenced, Interrupted, WriterFailed;
        StoreError::Missing { .. } => missing(),
        StoreError::Corrupt { .. } => StoreError::corrupt("x", Flaw::Truncated),
        StoreError::Unreadable { .. } => StoreError::Unreadable { object: object(), cause: Unreadable::NotIndexed },
        StoreError::NoRepository { .. } => StoreError::NoRepository { location: x() },
        StoreError::RepositoryExists { .. } => StoreError::RepositoryExists { location: x() },
        StoreError::NewerFormat(_) => StoreError::NewerFormat(Feature::Codec(9)),
        StoreError::NoSpace { .. } => StoreError::NoSpace { object: object() },
        StoreError::OverQuota { .. } => StoreError::OverQuota { used: 9, quota: 10 },
        StoreError::Remote { .. } =>
            StoreError::Remote { operation: Operation::Read, object: object(), source: io() },
        StoreError::Local { .. } =>
            StoreError::Local { operation: Operation::WriteIndex, path: "".into(), source: io() },
        StoreError::TooManyOpen { .. } => StoreError::TooManyOpen { object: object(), limit: 9 },
        StoreError::Thread(_) => StoreError::Thread(io()),
        StoreError::Random(_) => StoreError::Random(io()),
        StoreError::NoMemory { .. } => StoreError::NoMemory { task: Task::DeriveKey, needed: 9 << 20 },
        StoreError::Index(_) => StoreError::Index(IndexFault::Closed),
        StoreError::Invalid(_) => StoreError::Invalid(Invalid::TooManyKeys),
        StoreError::Refused(_) => StoreError::Refused(Refusal::LastSlot),
    );
    let tasks = every!(Task; DeriveKey, GatherPack;).into_iter();
    all.extend(tasks.map(|task| StoreError::NoMemory {
        task,
        needed: 9 << 20,
    }));
    all.extend(objects().into_iter().map(StoreError::missing));
    all.extend(refusals().into_iter().map(StoreError::Refused));
    all.extend(index_faults().into_iter().map(StoreError::Index));
    all.extend(causes().into_iter().map(|cause| StoreError::Unreadable {
        object: object(),
        cause,
    }));
    all.extend(
        operations()
            .into_iter()
            .map(|operation| StoreError::remote(operation, "x", std::io::Error::from_raw_os_error(5))),
    );
    all
}

#[test]
fn store_errors() {
    in_each_language(&errors(), store_error);
    in_each_language(&errors(), |lang, error| about(lang, error, b"x"));
}

#[test]
fn flaws_of_objects() {
    for object in objects().into_iter().chain(["parity/x".into()]) {
        in_each_language(&flaws(), |lang, flaw| {
            super::super::store::object::flaw(lang, &object, flaw)
        });
    }
    let path = Object::Path("/x".into());
    assert_eq!(
        flaw(Lang::Ja, &path, &Flaw::NoFooter),
        "末尾にフッターがありません"
    );
}

#[test]
fn trees_and_features() {
    for part in parts() {
        in_each_language(&faults(), |lang, fault| tree_fault(lang, part, *fault));
    }
    let tree = every!(
        TreeFeature;;
        TreeFeature::EntryType(_) => TreeFeature::EntryType(9),
        TreeFeature::ContentType(_) => TreeFeature::ContentType(9),
        TreeFeature::TroubleType(_) => TreeFeature::TroubleType(9),
        TreeFeature::ErrnoReason { .. } => TreeFeature::ErrnoReason { reason: 9, errno: 5 },
        TreeFeature::Section(_) => TreeFeature::Section(9),
        TreeFeature::SegmentLayout(_) => TreeFeature::SegmentLayout(9),
        TreeFeature::PageLayout(_) => TreeFeature::PageLayout(9),
        TreeFeature::ExtentListLayout(_) => TreeFeature::ExtentListLayout(9),
        TreeFeature::RowLength { .. } => TreeFeature::RowLength { found: 9, known: 5 },
    );
    in_each_language(&tree, |lang, feature| tree_feature(lang, *feature));
    in_each_language(&features(), feature);
}

#[test]
fn operations_on_objects() {
    in_each_language(&operations(), |lang, operation| attempt(lang, *operation, "x"));
    in_each_language(&operations(), |lang, operation| {
        super::super::store::object::operation(lang, *operation)
    });
    let read = |what| attempt(Lang::Ja, Operation::Read, what);
    assert_eq!(read("keys/x"), "keys/x を読み取れません");
    assert_eq!(read("鍵"), "鍵を読み取れません");
    assert_eq!(
        attempt(Lang::Ja, Operation::Mkdir, "/x"),
        "ディレクトリー /x を作れません"
    );
    assert_eq!(
        operation(Lang::Ja, Operation::Mkdir),
        "ディレクトリーを作れません"
    );
}

fn url_faults() -> Vec<UrlFault> {
    every!(
        UrlFault;
        Empty, ControlCharacter, NoSlashes, NotUtf8, DotComponent, NoRcloneRemote, Style, NoBucketId, SftpPassword;
        UrlFault::NotARepository { .. } => UrlFault::NotARepository { scheme: x() },
        UrlFault::UnknownScheme { .. } => UrlFault::UnknownScheme { scheme: x() },
        UrlFault::UnknownParameter { .. } =>
            UrlFault::UnknownParameter { scheme: x(), parameter: x(), known: vec![x()] },
        UrlFault::RepeatedParameter { .. } => UrlFault::RepeatedParameter { parameter: x() },
        UrlFault::NoName { .. } => UrlFault::NoName { scheme: x() },
        UrlFault::Seconds { .. } => UrlFault::Seconds { parameter: x(), most: 9 },
        UrlFault::NoCredential { .. } => UrlFault::NoCredential { variable: x() },
        UrlFault::Parameter { .. } => UrlFault::Parameter { parameter: x(), detail: x() },
        UrlFault::Other { .. } => UrlFault::Other { detail: x() },
        UrlFault::Tls { .. } => UrlFault::Tls { detail: x() },
    )
}

fn phrase_faults() -> Vec<PhraseFault> {
    every!(
        PhraseFault;
        Checksum;
        PhraseFault::UnknownWord { .. } => PhraseFault::UnknownWord { number: 5, word: x() },
        PhraseFault::WordCount { .. } => PhraseFault::WordCount { found: 9, wanted: 5 },
        PhraseFault::Library(_) => PhraseFault::Library(x()),
    )
}

#[test]
fn what_cant_be_accepted() {
    let zstd = |call| Invalid::Zstd { call, detail: x() };
    let tree = |path: Option<&str>| Invalid::Tree {
        path: path.map(|path| path.as_bytes().to_vec()),
        part: TreePart::Path,
        fault: TreeFault::TooLong,
    };
    let cost = Cost {
        memory_kib: 5,
        passes: 5,
        lanes: 5,
    };
    let mut all = every!(
        Invalid;
        TooManyKeys, PlaintextTooLong, SlotLabelTooLong, KeyFile;
        Invalid::ChunkerBounds { .. } => Invalid::ChunkerBounds { min: 1, avg: 2, max: 3 },
        Invalid::ManifestTooLong { .. } => Invalid::ManifestTooLong { bytes: 9 },
        Invalid::Argon2Cost(_) => Invalid::Argon2Cost(cost),
        Invalid::Argon2(_) => Invalid::Argon2(x()),
        Invalid::Parity { .. } => Invalid::Parity { percent: 5, bytes: 5 },
        Invalid::ParityCode(_) => Invalid::ParityCode(x()),
        Invalid::Zstd { .. } => zstd(ZstdCall::SetUp),
        Invalid::Phrase(_) => Invalid::Phrase(PhraseFault::Checksum),
        Invalid::Url(_) => Invalid::Url(UrlFault::Empty),
        Invalid::Tree { .. } => tree(None),
    );
    let calls = every!(ZstdCall; SetUp, Compress;);
    all.extend(calls.into_iter().map(zstd));
    all.extend(url_faults().into_iter().map(Invalid::Url));
    all.extend(phrase_faults().into_iter().map(Invalid::Phrase));
    all.push(tree(Some("x")));
    in_each_language(&all, invalid);
}
