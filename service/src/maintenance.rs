//! Maintenance that `run` does at the destinations of its sets, each on its own frequency (`[maintenance]` of the
//! settings): light, which applies the sets' policies and collects garbage, and full, which also reads stored data, in
//! parts, so that all of it was read within the time that `full` says, and restores a sample of files once in that time.
//!
//! ```text
//! runs/maintenance/NAME.json   when a remote was last maintained, and how far its reading is
//! runs/maintenance/NAME.lock   held meanwhile
//! ```
//!
//! It is done after backups only, so that nothing is opened when nothing is due. Each job leaves a row in the history.

use crate::catalogue::SetupWarning;
use crate::check::{self, ReadData};
use crate::context::Context;
use crate::drill;
use crate::face::{Activity, Face, Notice, Watch};
use crate::failure::Failure;
use crate::history::record::{Recorded, Recorder};
use crate::history::{HistoryRow, JobInfo, JobKind, moment};
use crate::notify;
use crate::prune::{self, Collection};
use crate::resolve::RepositoryOptions;
use crate::schedule::RunCause;
use crate::secret::{Hidden, PasswordPrompt};
use crate::settings::values::Age;
use crate::state_file::{read, try_lock, write};
use crate::status::Status;
use engine::run::LocalDirs;
use engine::select::Filter;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;

/// Stored data is read in so many parts.
const PARTS: u32 = 30;

/// When a remote was last maintained.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Maintained {
    #[serde(with = "moment::optional")]
    light: Option<Timestamp>,
    /// When the reading of all parts began, and how many of them were read.
    #[serde(with = "moment::optional")]
    full: Option<Timestamp>,
    parts: u32,
    /// When files were last restored as a drill.
    #[serde(with = "moment::optional")]
    drill: Option<Timestamp>,
}

/// What is due at a remote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct DueMaintenance {
    light: bool,
    /// So many parts of the stored data.
    parts: u32,
    drill: bool,
}

/// What was done at one remote.
#[derive(Debug)]
pub struct Report {
    pub remote: String,
    pub kind: JobKind,
    pub status: Status,
    pub row: Option<HistoryRow>,
    pub failure: Option<Failure>,
}

impl Maintained {
    fn due(&self, light: Option<&Age>, full: Option<&Age>, now: &Zoned) -> DueMaintenance {
        let is_over = |last: Option<Timestamp>, every: &Age| match last {
            None => true,
            Some(last) => passed(last, every, now).is_none_or(|part| part >= 1.0),
        };
        let light = light.is_some_and(|every| is_over(self.light, every));
        let drill = full.is_some_and(|every| is_over(self.drill, every));
        let parts = full.map_or(0, |every| match self.full {
            None => 1,
            // The clock was set back, or the last reading is complete and its time has passed.
            Some(began) => match passed(began, every, now) {
                None => 1,
                Some(part) if self.parts >= PARTS => u32::from(part >= 1.0),
                // As many as should be done by now.
                Some(part) => {
                    let wanted = 1 + (part.min(1.0) * f64::from(PARTS)) as u32;
                    wanted.min(PARTS).saturating_sub(self.parts)
                }
            },
        });
        DueMaintenance { light, parts, drill }
    }
}

/// Which part of a period has passed since then. A schedule is not kept to the second, and a daily run must not find that
/// a day is not over yet: a tenth is passed over, up to two hours. `None` if that is still to come.
fn passed(last: Timestamp, every: &Age, now: &Zoned) -> Option<f64> {
    let at = now.timestamp();
    if last > at {
        return None;
    }
    let end = last.to_zoned(now.time_zone().clone()).checked_add(every.0);
    // A period beyond the calendar never ends.
    let Ok(end) = end else { return Some(0.0) };
    let whole = end.timestamp().duration_since(last);
    let slack = (whole / 10).min(SignedDuration::from_hours(2));
    let (gone, whole) = (at.duration_since(last) + slack, whole.as_secs_f64());
    Some(gone.as_secs_f64() / whole.max(1.0))
}

/// Does what is due at these remotes.
pub(crate) fn run(context: &Context, dirs: &LocalDirs, remotes: &[String], face: &dyn Face) -> Vec<Report> {
    let every = &context.settings.maintenance;
    if every.light.is_none() && every.full.is_none() {
        return Vec::new();
    }
    let mut reports = Vec::new();
    for remote in remotes {
        if context.cancel().is_cancelled() {
            break;
        }
        let maintenance = RemoteMaintenance {
            context,
            dirs,
            remote,
            face,
        };
        let done = maintenance.run();
        for report in &done {
            tell(context, dirs, report, face);
        }
        reports.extend(done);
    }
    reports
}

/// Says of a failure, or that it is over, as of a set's run.
fn tell(context: &Context, dirs: &LocalDirs, report: &Report, face: &dyn Face) {
    let ended = notify::RunEnd {
        // No set is called so.
        set: &format!("{}.{}", report.kind.word(), report.remote),
        // The same failure is said once.
        cause: RunCause::Retry,
        start: context.now.timestamp(),
        status: report.status,
        row: report.row.as_ref(),
        failure: report.failure.as_ref(),
    };
    notify::maintenance_ended(context, dirs, &ended, face);
}

struct RemoteMaintenance<'a> {
    context: &'a Context,
    dirs: &'a LocalDirs,
    remote: &'a str,
    face: &'a dyn Face,
}

impl RemoteMaintenance<'_> {
    fn file(&self, extension: &str) -> PathBuf {
        let dir = self.dirs.state.join("runs/maintenance");
        dir.join(format!("{}.{extension}", self.remote))
    }

    fn run(&self) -> Vec<Report> {
        let settings = &self.context.settings.maintenance;
        let now = &self.context.now;
        // A note that can't be read is as good as none: then it is done now.
        let look = || {
            read::<Maintained>(&self.file("json"))
                .ok()
                .flatten()
                .unwrap_or_default()
        };
        // From an append-only remote nothing is removed.
        let remote = self.context.settings.remote(self.remote);
        let light = settings.light.as_ref();
        let light = light.filter(|_| !remote.is_some_and(|remote| remote.append_only));
        let due = |known: &Maintained| known.due(light, settings.full.as_ref(), now);
        if due(&look()) == DueMaintenance::default() {
            return Vec::new();
        }
        // Where no lock can be made there is none; two at once do no harm.
        let Ok(Some(_lock)) = try_lock(&self.file("lock")) else {
            return Vec::new();
        };
        let mut known = look();
        let due = due(&known);
        let mut reports = Vec::new();
        if due.light {
            let report = self.light();
            if report.status == Status::Completed {
                known.light = Some(now.timestamp());
                self.note(&known);
            }
            reports.push(report);
        }
        self.read_parts(due.parts, &mut known, &mut reports);
        if due.drill && !self.context.cancel().is_cancelled() {
            let report = self.drill();
            if matches!(report.status, Status::Completed | Status::Damaged) {
                known.drill = Some(now.timestamp());
                self.note(&known);
            }
            reports.push(report);
        }
        reports
    }

    /// Reads so many parts of the stored data, unless one can't be read.
    fn read_parts(&self, parts: u32, known: &mut Maintained, reports: &mut Vec<Report>) {
        let now = &self.context.now;
        for _ in 0..parts {
            if self.context.cancel().is_cancelled() {
                break;
            }
            if known.parts >= PARTS || known.full.is_none_or(|began| began > now.timestamp()) {
                (known.full, known.parts) = (Some(now.timestamp()), 0);
            }
            let report = self.read_part(u64::from(known.parts) + 1);
            // What is damaged was read; what could not be read is tried again.
            let is_read = matches!(report.status, Status::Completed | Status::Damaged);
            if is_read {
                known.parts += 1;
                self.note(known);
            }
            reports.push(report);
            if !is_read {
                break;
            }
        }
    }

    fn note(&self, known: &Maintained) {
        if let Err(failure) = write(&self.file("json"), known) {
            let set = self.remote.to_string();
            self.face.notice(&Notice::Warning {
                during: "run",
                warning: &SetupWarning::NotNoted { set, failure },
            });
        }
    }

    fn light(&self) -> Report {
        self.job(
            JobKind::Prune,
            |context, face| {
                let request = prune::Request {
                    retention: None,
                    of_sets: true,
                    filter: Filter::default(),
                    collection: Some(Collection::default()),
                    yes: true,
                    dry_run: false,
                };
                prune::perform(context, &request, face)
            },
            prune::Report::note,
        )
    }

    fn read_part(&self, n: u64) -> Report {
        let read_data = ReadData::Subset {
            n,
            of: u64::from(PARTS),
        };
        self.job(
            JobKind::Check,
            |context, face| {
                let request = check::Request {
                    read_data,
                    snapshots: Vec::new(),
                };
                check::perform(context, &request, face)
            },
            check::Report::note,
        )
    }

    fn drill(&self) -> Report {
        self.job(
            JobKind::Drill,
            |context, face| drill::perform(context, &drill::Request::default(), face),
            drill::Report::note,
        )
    }

    /// One job at the remote, with a row.
    fn job<R>(
        &self,
        kind: JobKind,
        run: impl FnOnce(&Context, &dyn Face) -> Result<R, Failure>,
        ending: impl FnOnce(&R, &mut HistoryRow) -> Status,
    ) -> Report {
        let options = RepositoryOptions {
            repo: Some(OsString::from(self.remote)),
            repository_file: None,
            ..self.context.options.clone()
        };
        let now = Timestamp::now().to_zoned(self.context.now.time_zone().clone());
        let cancel = self.context.cancel().child();
        let context = self.context.for_job(options, now, cancel);
        let job = JobInfo {
            cause: RunCause::Regular,
            target: Some(self.remote.to_string()),
            ..JobInfo::of(kind)
        };
        let report = |status: Status, row: Option<HistoryRow>, failure: Option<Failure>| Report {
            remote: self.remote.to_string(),
            kind,
            status,
            row: row.filter(|row| !row.id.is_empty()),
            failure,
        };
        let ends = || self.context.cancel().is_cancelled();
        let recorder = match Recorder::new(&context, &job, &ends) {
            Ok(recorder) => recorder,
            Err(failure) => return report(failure.status, None, Some(failure)),
        };
        let mut status = Status::Completed;
        let unattended = Unattended(self.face);
        let Recorded { done, row, .. } = recorder.run(
            &unattended,
            |face| run(&context, face),
            |done, row| {
                status = ending(done, row);
                status
            },
        );
        match done {
            Ok(_) => report(status, Some(row), None),
            Err(failure) => report(failure.status, Some(row), Some(failure)),
        }
    }
}

/// Asks nothing and shows no lists: nobody asked for this job.
struct Unattended<'a>(&'a dyn Face);

impl Face for Unattended<'_> {
    fn password(&self, prompt: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        self.0.password(prompt)
    }

    fn notice(&self, notice: &Notice<'_>) {
        self.0.notice(notice);
    }

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        self.0.start(activity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Span;
    use jiff::tz::TimeZone;

    fn at(text: &str) -> Zoned {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        text.parse::<jiff::civil::DateTime>()
            .unwrap()
            .to_zoned(zone)
            .unwrap()
    }

    #[test]
    fn when_light_is_due() {
        let (day, month) = (Age(Span::new().days(1)), Age(Span::new().months(1)));
        let rows = [
            // A daily run is never quite a day after the last.
            (&day, "2026-11-26 12:30:20", "2026-11-27 12:30:00", true),
            (&day, "2026-11-26 12:30", "2026-11-26 18:00", false),
            // 23 and 25 hours are a day, too.
            (&day, "2026-03-28 12:00", "2026-03-29 12:00", true),
            (&day, "2026-10-24 12:00", "2026-10-25 12:00", true),
            (&month, "2026-01-31 12:00", "2026-02-28 11:00", true),
            (&month, "2026-01-31 12:00", "2026-02-27 11:00", false),
            // The clock was set back.
            (&day, "2026-11-27 12:00", "2026-10-27 12:00", true),
        ];
        for (every, last, now, want) in rows {
            let light = Some(at(last).timestamp());
            let known = Maintained {
                light,
                ..Maintained::default()
            };
            assert_eq!(known.due(Some(every), None, &at(now)).light, want, "{last} {now}");
        }
        let never = Maintained::default();
        assert!(never.due(Some(&day), None, &at("2026-11-27 12:00")).light);
        assert_eq!(
            never.due(None, None, &at("2026-11-27 12:00")),
            DueMaintenance::default()
        );
        let drilled = Maintained {
            drill: Some(at("2026-11-01 12:00").timestamp()),
            ..never
        };
        for (known, now, want) in [
            (&never, "2026-11-27 12:00", true),
            (&drilled, "2026-11-27 12:00", false),
            (&drilled, "2026-12-01 12:00", true),
        ] {
            assert_eq!(known.due(None, Some(&month), &at(now)).drill, want, "{now}");
        }
    }

    #[test]
    fn parts_of_a_full_reading() {
        let month = Age(Span::new().days(30));
        let due = |parts: u32, now: &str| {
            let full = Some(at("2026-11-01 12:00").timestamp());
            let known = Maintained {
                full,
                parts,
                ..Maintained::default()
            };
            known.due(None, Some(&month), &at(now)).parts
        };
        assert_eq!(
            Maintained::default()
                .due(None, Some(&month), &at("2026-11-01 12:00"))
                .parts,
            1
        );
        assert_eq!((due(1, "2026-11-01 18:00"), due(1, "2026-11-02 12:00")), (0, 1));
        assert_eq!(
            due(1, "2026-11-08 12:00"),
            7,
            "a weekly run makes up for the days between"
        );
        assert_eq!(due(1, "2027-11-08 12:00"), PARTS - 1, "at most the rest");
        assert_eq!(
            (due(PARTS, "2026-11-20 12:00"), due(PARTS, "2026-12-01 12:00")),
            (0, 1)
        );
        assert_eq!(due(5, "2026-10-01 12:00"), 1, "the clock was set back");
    }
}
