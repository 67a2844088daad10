//! Errors that end a job, problems and warnings.

use super::{chunk, every, in_each_language, io, missing, pack, session, x};
use crate::catalogue::Lang;
use crate::catalogue::faults::restore::restore_problem;
use crate::catalogue::faults::{engine_error, listed_problem, problem, trouble};
use engine::Error;
use engine::entry::Trouble;
use engine::error::store::{Object, Operation, TreeFault, TreePart};
use engine::error::{NamedSnapshot, NoSource, PatternFault, PatternKind, Refusal, Usage};
use engine::problem::{
    ClockWarning, Damage, DrillFault, Lost, LostEntries, MetaPart, NameFault, Problem, ProblemKind,
    RestoreProblem, Unread, Warning, WrongSize,
};
use engine::storage::Weakness;
use jiff::Timestamp;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn usages() -> Vec<Usage> {
    let pattern = |kind, fault| Usage::Pattern {
        kind,
        pattern: x(),
        fault,
    };
    let mut all = every!(
        Usage;
        ParityPercent, OutputsThere;
        Usage::NotARegularFile { .. } => Usage::NotARegularFile { path: x() },
        Usage::NotAnAttribute { .. } => Usage::NotAnAttribute { text: x() },
        Usage::NotAFileName { .. } => Usage::NotAFileName { name: x() },
        Usage::Pattern { .. } => pattern(PatternKind::Find, PatternFault::Empty),
        Usage::Patterns { .. } => Usage::Patterns { kind: PatternKind::Find, detail: x() },
        Usage::IdAndTime { .. } => Usage::IdAndTime { text: x() },
        Usage::NotAPackId { .. } => Usage::NotAPackId { text: x() },
        Usage::Part { .. } => Usage::Part { n: 9, of: 5 },
        Usage::OwnRepository { .. } => Usage::OwnRepository { source: "/x".into() },
        Usage::ParentComponent { .. } => Usage::ParentComponent { path: x() },
        Usage::NotBelow { .. } => Usage::NotBelow { path: x(), subpath: x() },
        Usage::NotPlain { .. } => Usage::NotPlain { path: "/x".into() },
        Usage::NotAbsolute { .. } => Usage::NotAbsolute { source: "x".into() },
    );
    for kind in every!(PatternKind; Exclude, Include, Find;) {
        let faults = every!(
            PatternFault;
            Empty, ParentComponent;
            PatternFault::Glob(_) => PatternFault::Glob(x()),
        );
        all.extend(faults.into_iter().map(|fault| pattern(kind, fault)));
        all.push(Usage::Patterns { kind, detail: x() });
    }
    all
}

fn refusals() -> Vec<Refusal> {
    every!(
        Refusal;
        Replicas, KeyInUse, TooManyPathTags, PathTagsBusy;
        Refusal::Protected(_) => Refusal::Protected(session()),
        Refusal::Readable(_) => Refusal::Readable(session()),
        Refusal::PublishedAgain(_) => Refusal::PublishedAgain(session()),
        Refusal::PartGone(_) => Refusal::PartGone(session()),
        Refusal::NotAReplica { .. } => Refusal::NotAReplica { location: x(), of: x() },
        Refusal::OpenToOthers { .. } => Refusal::OpenToOthers { folder: "/x".into() },
        Refusal::AnotherCollection(_) => Refusal::AnotherCollection(missing()),
        Refusal::WeakStorage(_) => Refusal::WeakStorage(vec![Weakness::Delete, Weakness::RangeRead]),
    )
}

fn errors() -> Vec<Error> {
    let no_path = |snapshot| Error::NoSuchPath { path: x(), snapshot };
    let mut all = every!(
        Error;
        ViewChanged, Interrupted, Late;
        Error::Store(_) => Error::Store(missing()),
        Error::Usage(_) => Error::Usage(Usage::ParityPercent),
        Error::Refused(_) => Error::Refused(Refusal::Replicas),
        Error::NoSnapshot(_) => Error::NoSnapshot(x()),
        Error::Ambiguous { .. } => Error::Ambiguous { text: x(), matches: 2 },
        Error::NoSnapshotAt { .. } => Error::NoSnapshotAt { at: AT, id: session(), oldest: AT },
        Error::NoSuchPath { .. } => no_path(NamedSnapshot::This),
        Error::NotSaved { .. } => Error::NotSaved { path: x() },
        Error::NoSource(_) => Error::NoSource(NoSource::Nothing),
        Error::EmptyStream(_) => Error::EmptyStream(x()),
        Error::Io { .. } => Error::Io { operation: Operation::Open, path: "/x".into(), source: io() },
        Error::Output(_) => Error::Output(io()),
        Error::Target { .. } => Error::Target { path: "/x".into(), problem: RestoreProblem::DryRun },
        Error::NoState { .. } => Error::NoState { path: "/x".into(), source: io() },
        Error::Damaged(_) => Error::Damaged(missing()),
        Error::ShortListing(_) => Error::ShortListing(Object::Named(x())),
        Error::Lost(_) => Error::Lost(vec![session()]),
    );
    let snapshots = every!(
        NamedSnapshot;
        This;
        NamedSnapshot::Text(_) => NamedSnapshot::Text(x()),
        NamedSnapshot::Of(_) => NamedSnapshot::Of(AT),
    );
    let sources = every!(
        NoSource;
        NoneUsable, Nothing;
        NoSource::Missing { .. } => NoSource::Missing { path: "/x".into(), errno: 2 },
    );
    all.extend(snapshots.into_iter().map(no_path));
    all.extend(sources.into_iter().map(Error::NoSource));
    all.extend(usages().into_iter().map(Error::Usage));
    all.extend(refusals().into_iter().map(Error::Refused));
    all.push(Error::Lost(vec![session(); 5]));
    all
}

#[test]
fn engine_errors() {
    in_each_language(&errors(), engine_error);
}

fn metadata() -> Vec<MetaPart> {
    every!(
        MetaPart;
        All, Owner, Mode, Times, Flags, Attributes;
        MetaPart::Attribute(_) => MetaPart::Attribute(b"x".to_vec()),
    )
}

fn restore_problems() -> Vec<RestoreProblem> {
    let dry = || Box::new(RestoreProblem::DryRun);
    let name = |fault| RestoreProblem::UnsafeName {
        name: b"x".to_vec(),
        fault,
    };
    let mut all = every!(
        RestoreProblem;
        LinkInPlace, OtherInPlace, DirectoryInPlace, FullDirectoryInPlace, DryRun, TooDeep, NoRecord, RecordedSize,
        WrittenSize, ReadBack, NoContent, NotInSnapshot, NotInArchive;
        RestoreProblem::Io { .. } => RestoreProblem::Io { operation: Operation::Mkdir, error: io() },
        RestoreProblem::UnsafeName { .. } => name(NameFault::Slash),
        RestoreProblem::Replaced { .. } => RestoreProblem::Replaced { name: b"x".to_vec() },
        RestoreProblem::ForeignLink { .. } => RestoreProblem::ForeignLink { owner: 5 },
        RestoreProblem::TooManyBeside { .. } => RestoreProblem::TooManyBeside { most: 9 },
        RestoreProblem::NothingBelow(_) => RestoreProblem::NothingBelow(dry()),
        RestoreProblem::LinkedNotRestored { .. } => RestoreProblem::LinkedNotRestored { first: b"x".to_vec() },
        RestoreProblem::LeftInPlace { .. } => RestoreProblem::LeftInPlace { name: b"x".to_vec() },
        RestoreProblem::NotRemoved(_) => RestoreProblem::NotRemoved(dry()),
        RestoreProblem::NotDeleted(_) => RestoreProblem::NotDeleted(dry()),
        RestoreProblem::LeftoverNotRemoved(_) => RestoreProblem::LeftoverNotRemoved(dry()),
        RestoreProblem::PermissionsNotPutBack(_) => RestoreProblem::PermissionsNotPutBack(dry()),
        RestoreProblem::Metadata(..) => RestoreProblem::Metadata(MetaPart::Owner, 1),
        RestoreProblem::NoMatch { .. } => RestoreProblem::NoMatch { pattern: x() },
        RestoreProblem::NothingFound { .. } => RestoreProblem::NothingFound { pattern: x() },
    );
    let faults = every!(NameFault; Empty, Directory, Slash, Nul, TooLong, LinkTarget;);
    all.extend(faults.into_iter().map(name));
    all.extend(
        metadata()
            .into_iter()
            .map(|part| RestoreProblem::Metadata(part, 1)),
    );
    all
}

fn damages() -> Vec<Damage> {
    let mut all = every!(
        Damage;
        Known, NotListed, SnapshotGone, ListDiffers, PartLost;
        Damage::Object(_) => Damage::Object(missing()),
        Damage::Needed(_) => Damage::Needed(missing()),
        Damage::Entries(_) => Damage::Entries(LostEntries { entries: 9, files: 5, error: missing() }),
        Damage::Chunk { .. } => Damage::Chunk { id: chunk(), error: missing() },
        Damage::SegmentsDiffer { .. } => Damage::SegmentsDiffer { pack: pack() },
        Damage::PackMissing { chunks: 1 } => Damage::PackMissing { chunks: 1 },
        Damage::PackMissing { .. } => Damage::PackMissing { chunks: 9 },
        Damage::Unlisted { .. } => Damage::Unlisted { chunks: 9 },
        Damage::BundledFiles { .. } => Damage::BundledFiles { files: 9, chunk: chunk() },
        Damage::ChunksLost { .. } => Damage::ChunksLost { chunks: 9 },
        Damage::NowhereWhole { .. } => Damage::NowhereWhole { chunks: 9 },
        Damage::Drill(_) => Damage::Drill(DrillFault::Content),
    );
    let drills = every!(
        DrillFault;
        Missing, Kind, Content, Live;
        DrillFault::Metadata(_) => DrillFault::Metadata(MetaPart::Times),
    );
    all.extend(drills.into_iter().map(Damage::Drill));
    all
}

fn unread() -> Vec<Unread> {
    every!(
        Unread;;
        Unread::Object(_) => Unread::Object(missing().into()),
        Unread::Needed(_) => Unread::Needed(missing()),
        Unread::Entries(_) => Unread::Entries(LostEntries { entries: 9, files: 5, error: missing() }),
    )
}

fn clocks() -> Vec<ClockWarning> {
    every!(
        ClockWarning;;
        ClockWarning::FutureTime(_) => ClockWarning::FutureTime(AT),
        ClockWarning::Behind { .. } => ClockWarning::Behind { now: AT, snapshot: session(), made: AT },
        ClockWarning::Ahead { .. } => ClockWarning::Ahead { now: AT, snapshot: session() },
        ClockWarning::MadeInFuture { .. } => ClockWarning::MadeInFuture { snapshot: session(), time: AT, more: 2 },
    )
}

fn warnings() -> Vec<Warning> {
    let same_id = || Warning::SameMachineId {
        snapshot: session(),
        host: x(),
        machine_file: "/x".into(),
    };
    let mut all = every!(
        Warning;
        BeingReplicated, SegmentIgnored, MountGone, Placeholder, NotArchived, ForeignSlot, PackUnneeded, IncompleteAtBackup,
        ChangedAtBackup;
        Warning::NotCopied(_) => Warning::NotCopied(missing()),
        Warning::NotReplicated { .. } => Warning::NotReplicated { origin: x(), error: missing() },
        Warning::CacheNotUsed(_) => Warning::CacheNotUsed(missing()),
        Warning::Unread(_) => Warning::Unread(missing()),
        Warning::PackSize(_) => Warning::PackSize(WrongSize { indexed: 9, listed: 5 }),
        Warning::MorePacks { .. } => Warning::MorePacks { packs: 9 },
        Warning::SnapshotsGone(_) => Warning::SnapshotsGone(vec![session(); 5]),
        Warning::MissingUnknown(_) => Warning::MissingUnknown(Box::new(Error::Late)),
        Warning::Clock(_) => Warning::Clock(ClockWarning::FutureTime(AT)),
        Warning::SameMachineId { .. } => same_id(),
        Warning::MorePlaceholders { .. } => Warning::MorePlaceholders { files: 9 },
        Warning::MoreBare { .. } => Warning::MoreBare { sources: 9 },
        Warning::Unfinished { .. } => Warning::Unfinished { files: 9 },
        Warning::ParentDamaged(_) => Warning::ParentDamaged(missing()),
        Warning::NotFollowing { .. } => Warning::NotFollowing { before: session() },
        Warning::TwoMachines { .. } => Warning::TwoMachines { other: session() },
        Warning::Gaps { .. } => Warning::Gaps { snapshots: 9, host: x() },
        Warning::RestoreLeftovers { .. } => Warning::RestoreLeftovers { files: 9 },
        Warning::RestorePartials { .. } => Warning::RestorePartials { files: 9 },
        Warning::LeftInPlace { .. } => Warning::LeftInPlace { name: b"x".to_vec() },
        Warning::DumpLeftovers { .. } => Warning::DumpLeftovers { files: 9 },
        Warning::FromReplica { .. } => Warning::FromReplica { chunks: 9, replica: x() },
        Warning::NoSuchTags(_) => Warning::NoSuchTags(vec![x()]),
        Warning::ReadNotNoted(_) => Warning::ReadNotNoted(Box::new(Error::Late)),
        Warning::Metadata(..) => Warning::Metadata(MetaPart::Mode, 1),
    );
    all.extend(clocks().into_iter().map(Warning::Clock));
    all
}

fn troubles() -> Vec<Trouble> {
    every!(
        Trouble;
        Changed;
        Trouble::Unreadable { .. } => Trouble::Unreadable { errno: 13 },
        Trouble::Unknown { .. } => Trouble::Unknown { errno: 13 },
        Trouble::NoXattrs { .. } => Trouble::NoXattrs { errno: 13 },
    )
}

fn kinds() -> Vec<ProblemKind> {
    let lost = |how| ProblemKind::Lost {
        how,
        last_complete: 0,
    };
    let mut all = every!(
        ProblemKind;
        SnapshotLost;
        ProblemKind::Source(_) => ProblemKind::Source(Trouble::Changed),
        ProblemKind::SourceMissing { .. } => ProblemKind::SourceMissing { errno: 2 },
        ProblemKind::Lost { .. } => ProblemKind::Lost { how: Lost::Empty, last_complete: i64::MAX },
        ProblemKind::Bare { link: true } => ProblemKind::Bare { link: true },
        ProblemKind::Bare { link: false } => ProblemKind::Bare { link: false },
        ProblemKind::LeftOut { .. } => ProblemKind::LeftOut { part: TreePart::Path, fault: TreeFault::TooLong },
        ProblemKind::Restore(_) => ProblemKind::Restore(RestoreProblem::DryRun),
        ProblemKind::Unreadable(_) => ProblemKind::Unreadable(Unread::Needed(missing())),
        ProblemKind::Damage(_) => ProblemKind::Damage(Damage::Known),
        ProblemKind::Warning(_) => ProblemKind::Warning(Warning::MountGone),
    );
    let how = every!(Lost; Empty, Unmounted, NotADirectory;);
    all.extend(how.into_iter().map(lost));
    all.extend(troubles().into_iter().map(ProblemKind::Source));
    all.extend(restore_problems().into_iter().map(ProblemKind::Restore));
    all.extend(unread().into_iter().map(ProblemKind::Unreadable));
    all.extend(damages().into_iter().map(ProblemKind::Damage));
    all.extend(warnings().into_iter().map(ProblemKind::Warning));
    all
}

#[test]
fn problems() {
    let of = |path: &[u8]| -> Vec<Problem> {
        let named = |what| Problem {
            path: path.to_vec(),
            what,
        };
        kinds().into_iter().map(named).collect()
    };
    in_each_language(&of(b"/a"), problem);
    // Of the object that the problem is about.
    in_each_language(&of(b"x"), listed_problem);
    let unread = super::store::errors().into_iter();
    let unread: Vec<Problem> = unread.map(|error| Problem::of("x", &error)).collect();
    in_each_language(&unread, listed_problem);
    in_each_language(&troubles(), |lang, why| trouble(lang, *why));
    in_each_language(&restore_problems(), restore_problem);
}

#[test]
fn missing_is_said_without_damage() {
    let gone = Problem::of("x", &missing());
    assert_eq!(problem(Lang::En, &gone), "missing");
    assert_eq!(problem(Lang::Ja, &gone), "見つかりません");
}
