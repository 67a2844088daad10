//! Messages of the system, of storages and programs, and the values of `catalogue::values`.

use super::{every, in_each_language, io, missing, x};
use crate::catalogue::faults::io_error;
use crate::catalogue::values;
use engine::bench::MeasuredRun;
use engine::error::store::{Cause, Foreign, Obstacle};
use engine::facts::GroupByError;
use engine::retain::{Bucket, PolicyError, RetentionReason, Unit};
use engine::storage::Weakness;
use engine::units::UnitError;
use engine::when::WhenError;
use std::io::ErrorKind;

fn obstacles() -> Vec<Obstacle> {
    every!(Obstacle; Itself, Root; Obstacle::Path(_) => Obstacle::Path(x()))
}

#[test]
fn causes() {
    let foreign = |place| {
        Cause::Foreign(Foreign {
            place,
            owner: 0,
            user: 5,
        })
    };
    let all = every!(
        Cause;
        NotInstalled, StarterEnded, NoCredentials, NotARegularFile, BrokenLink, SyncFailed, StagingVolatile, StagedRemoved, Exists,
        ServerFull, FolderMissing, NoLength, AnswerTooLong, ListingIncomplete, WrongRange, ConnectionClosed, Interrupted, Crashed;
        // In the words of others.
        Cause::Detail(_) => Cause::Program { program: "x", said: Box::new(Cause::NotInstalled) },
        Cause::Foreign(_) => foreign(Obstacle::Itself),
        Cause::NotStarted { .. } => Cause::NotStarted { program: "x", error: io() },
        Cause::NoPipes { .. } => Cause::NoPipes { program: "x" },
        Cause::NotReady { .. } => Cause::NotReady { program: "x" },
        Cause::Program { .. } => Cause::Program { program: "x", said: Box::new(Cause::Crashed) },
        Cause::ListingUnparsable { .. } => Cause::ListingUnparsable { detail: x() },
        Cause::Redirected { .. } => Cause::Redirected { to: x() },
        Cause::Answered { .. } => Cause::Answered { status: x(), detail: x() },
        Cause::Stalled { .. } => Cause::Stalled { seconds: 5 },
        Cause::NotConnected { .. } => Cause::NotConnected { host: x(), port: 5, detail: x() },
        Cause::NotTrusted { .. } => Cause::NotTrusted { host: x(), port: 5, detail: x() },
        Cause::ClockSkew { .. } => Cause::ClockSkew { detail: x() },
        Cause::Retried { .. } => Cause::Retried { tries: 5, seconds: 5, last: io() },
        Cause::NetworkThreads(_) => Cause::NetworkThreads(Box::new(Cause::Crashed)),
        Cause::Store(_) => Cause::Store(Box::new(missing())),
    );
    let text = |lang, cause: &Cause| io_error(lang, &cause.clone().into_io(ErrorKind::Other));
    in_each_language(&all, text);
    let foreign: Vec<Cause> = obstacles().into_iter().map(foreign).collect();
    in_each_language(&foreign, text);
}

/// Numbers that source trees and storages give now and then.
#[test]
fn system_errors() {
    let numbers = [
        1, 2, 5, 6, 11, 13, 17, 19, 20, 21, 23, 24, 26, 27, 28, 30, 31, 36, 39, 40, 61, 75, 95, 110, 111,
    ];
    in_each_language(&numbers, |lang, number| {
        super::super::store::io::errno(lang, *number)
    });
}

#[test]
fn values_that_cant_be_used() {
    let units = every!(
        UnitError;;
        UnitError::Size(_) => UnitError::Size(x()),
        UnitError::SizeTooLarge(_) => UnitError::SizeTooLarge(x()),
        UnitError::Duration(_) => UnitError::Duration(x()),
        UnitError::DurationTooLong(_) => UnitError::DurationTooLong(x()),
    );
    in_each_language(&units, values::unit_error);
    let whens = every!(
        WhenError;;
        WhenError::Unknown(_) => WhenError::Unknown(x()),
        WhenError::OutOfRange(_) => WhenError::OutOfRange(x()),
    );
    in_each_language(&whens, values::when_error);
    let policies = every!(PolicyError; Empty, Tiers; PolicyError::Every(_) => PolicyError::Every(x()));
    in_each_language(&policies, values::policy_error);
    in_each_language(&[GroupByError(x())], values::group_by_error);
}

#[test]
fn reasons() {
    let period = |oldest, within: Option<&str>| RetentionReason::Period {
        bucket: Bucket {
            unit: Unit::Days,
            n: 1,
        },
        oldest,
        within: within.map(str::to_string),
    };
    let tier = |until: Option<&str>| RetentionReason::Tier {
        every: Bucket::EACH,
        until: until.map(str::to_string),
    };
    let mut all = every!(
        RetentionReason;
        Protected, Future, NewestPartial, Superseded, NoRule, Named;
        RetentionReason::Tags(_) => RetentionReason::Tags(vec![x()]),
        RetentionReason::Period { .. } => period(true, None),
        RetentionReason::Tier { .. } => tier(None),
    );
    all.extend([period(false, None), period(true, Some("1y")), tier(Some("1y"))]);
    in_each_language(&all, values::reason);
    let units = every!(Unit; Each, Seconds, Days, Weeks, Months, Years;);
    let buckets: Vec<Bucket> = units
        .into_iter()
        .flat_map(|unit| [1, 2, 60, 120, 3600, 7200].map(|n| Bucket { unit, n }))
        .collect();
    in_each_language(&buckets, |lang, bucket| values::period_name(lang, *bucket));
}

#[test]
fn measured_runs_and_weaknesses() {
    let runs = every!(
        MeasuredRun;
        BackUpText, BackUpNoise, BackUpSmallFiles, BackUpUnchanged, RestoreText, RestoreNoise, RestoreSmallFiles;
    );
    in_each_language(&runs, |lang, run| values::measured_run(lang, *run).to_string());
    let weaknesses = every!(
        Weakness; ExclusiveCreate, ReadAfterWrite, ListAfterWrite, RangeRead, Delete;
    );
    in_each_language(&weaknesses, |lang, weak| {
        values::weakness(lang, *weak).to_string()
    });
}
