//! Keeps rates and share of the processor as the settings say, by the time of day and by whether somebody uses the machine.
//! Starts with the first repository that is opened and ends with the last context that shares it.

use super::surroundings::{Machine, Wanted};
use crate::rates::{Rate, RateSchedule};
use crate::settings::tables::LimitsTable;
use engine::run::{Bandwidth, CpuShare};
use jiff::Zoned;
use jiff::civil::Time;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Between two looks at clock and surroundings.
const LOOK: Duration = Duration::from_secs(5);

/// What is governed, shared by a context and those of its jobs.
#[derive(Clone, Debug, Default)]
pub struct Upkeep(Arc<Governed>);

#[derive(Debug, Default)]
struct Governed {
    bandwidth: Bandwidth,
    /// Of servers in the local network.
    local: Bandwidth,
    cpu: CpuShare,
    begun: OnceLock<()>,
}

/// Rates that were given for this run, before what the settings say.
#[derive(Clone, Debug, Default)]
pub struct GivenRates {
    pub upload: Option<RateSchedule>,
    pub download: Option<RateSchedule>,
}

/// What holds at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pace {
    upload: Rate,
    download: Rate,
    /// In the local network; `None` if that has no limits of its own.
    local: Option<(Rate, Rate)>,
    cpu: Option<u8>,
}

impl Upkeep {
    pub fn bandwidth(&self) -> &Bandwidth {
        &self.0.bandwidth
    }

    pub fn cpu(&self) -> &CpuShare {
        &self.0.cpu
    }

    /// The limits of the local network, if it has any of its own.
    pub fn local(&self, limits: &LimitsTable) -> Option<Bandwidth> {
        has_local(limits).then(|| self.0.local.clone())
    }

    /// Sets what holds now, and keeps it up if it can change.
    pub fn begin(&self, limits: &LimitsTable, given: &GivenRates, machine: Machine) {
        self.0.begun.get_or_init(|| {
            self.0.set(pace(limits, given, false, Zoned::now().time()));
            if !changes(limits, given) {
                return;
            }
            let (limits, given) = (limits.clone(), given.clone());
            let governed = Arc::downgrade(&self.0);
            let wanted = Wanted {
                idle: asks_idle(&limits),
                ..Wanted::default()
            };
            let upkeep = std::thread::Builder::new().name("limits".to_string());
            // Without the thread, what held at the start holds on.
            let _ = upkeep.spawn(move || {
                loop {
                    // Who can't be asked is taken to be there.
                    let is_idle = wanted.idle && machine.look(wanted).is_idle == Some(true);
                    let Some(governed) = governed.upgrade() else {
                        return;
                    };
                    governed.set(pace(&limits, &given, is_idle, Zoned::now().time()));
                    drop(governed);
                    std::thread::sleep(LOOK);
                }
            });
        });
    }
}

impl Governed {
    fn set(&self, pace: Pace) {
        self.bandwidth.limit(pace.upload, pace.download);
        if let Some((upload, download)) = pace.local {
            self.local.limit(upload, download);
        }
        self.cpu.limit(pace.cpu);
    }
}

fn has_local(limits: &LimitsTable) -> bool {
    [
        &limits.upload_lan,
        &limits.download_lan,
        &limits.upload_lan_idle,
        &limits.download_lan_idle,
    ]
    .into_iter()
    .any(Option::is_some)
}

fn asks_idle(limits: &LimitsTable) -> bool {
    limits.upload_idle.is_some()
        || limits.download_idle.is_some()
        || limits.upload_lan_idle.is_some()
        || limits.download_lan_idle.is_some()
        || limits.cpu_active.is_some()
        || limits.cpu_idle.is_some()
}

/// Whether anything may be otherwise in a while.
fn changes(limits: &LimitsTable, given: &GivenRates) -> bool {
    let all = [
        &given.upload,
        &given.download,
        &limits.upload,
        &limits.download,
        &limits.upload_lan,
        &limits.download_lan,
    ];
    asks_idle(limits) || all.into_iter().flatten().any(RateSchedule::changes)
}

/// What is to hold at a moment. A rate that was given for this run holds whoever uses the machine.
fn pace(limits: &LimitsTable, given: &GivenRates, is_idle: bool, now: Time) -> Pace {
    let rate = |given: &Option<RateSchedule>, idle: &Option<RateSchedule>, usual: &Option<RateSchedule>| {
        let idle = idle.as_ref().filter(|_| is_idle);
        let chosen = given.as_ref().or(idle).or(usual.as_ref());
        chosen.and_then(|rates| rates.at(now))
    };
    let upload = rate(&given.upload, &limits.upload_idle, &limits.upload);
    let download = rate(&given.download, &limits.download_idle, &limits.download);
    // A direction without a rate of its own is as fast as to other servers.
    let local = |given: &Option<RateSchedule>,
                 idle: &Option<RateSchedule>,
                 lan: &Option<RateSchedule>,
                 elsewhere: Rate| match (lan, idle) {
        (None, None) => elsewhere,
        (None, Some(_)) if !is_idle => elsewhere,
        _ => rate(given, idle, lan),
    };
    let cpu = match is_idle {
        true => limits.cpu_idle,
        false => limits.cpu_active,
    };
    Pace {
        upload,
        download,
        local: has_local(limits).then(|| {
            (
                local(&given.upload, &limits.upload_lan_idle, &limits.upload_lan, upload),
                local(
                    &given.download,
                    &limits.download_lan_idle,
                    &limits.download_lan,
                    download,
                ),
            )
        }),
        cpu: cpu.map(|percent| percent.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::values::Percent;

    fn rates(text: &str) -> Option<RateSchedule> {
        Some(RateSchedule::parse(text).unwrap())
    }

    #[test]
    fn what_holds_when() {
        let limits = LimitsTable {
            upload: rates("08:00=1M,18:00=2M"),
            upload_idle: rates("unlimited"),
            download: rates("3M"),
            cpu_active: Some(Percent(30)),
            cpu_idle: Some(Percent(80)),
            ..LimitsTable::default()
        };
        let none = GivenRates::default();
        let at = |given: &GivenRates, is_idle, hour| {
            let pace = pace(&limits, given, is_idle, Time::constant(hour, 0, 0, 0));
            (pace.upload, pace.download, pace.cpu)
        };
        let (mib, two, three) = (Some(1 << 20), Some(2 << 20), Some(3 << 20));
        assert_eq!(at(&none, false, 9), (mib, three, Some(30)));
        assert_eq!(at(&none, false, 19), (two, three, Some(30)));
        assert_eq!(at(&none, true, 9), (None, three, Some(80)));
        let given = GivenRates {
            upload: rates("5K"),
            download: None,
        };
        assert_eq!(at(&given, true, 9), (Some(5 << 10), three, Some(80)));
        assert!(changes(&limits, &none));
        let nothing = pace(&LimitsTable::default(), &none, true, Time::midnight());
        assert_eq!((nothing.upload, nothing.local, nothing.cpu), (None, None, None));
        assert!(!changes(&LimitsTable::default(), &none));
    }

    #[test]
    fn the_local_network_has_limits_of_its_own() {
        let limits = LimitsTable {
            upload: rates("1M"),
            download: rates("2M"),
            upload_lan: rates("unlimited"),
            ..LimitsTable::default()
        };
        let found = |given: &GivenRates| pace(&limits, given, false, Time::midnight()).local;
        let idle = |limits: &LimitsTable, is_idle| {
            pace(limits, &GivenRates::default(), is_idle, Time::midnight()).local
        };
        assert_eq!(found(&GivenRates::default()), Some((None, Some(2 << 20))));
        let given = GivenRates {
            upload: rates("3M"),
            download: None,
        };
        assert_eq!(found(&given), Some((Some(3 << 20), Some(2 << 20))));
        let all = LimitsTable {
            upload_lan: rates("4M"),
            upload_lan_idle: rates("unlimited"),
            download_lan_idle: rates("5M"),
            ..limits.clone()
        };
        assert_eq!(idle(&all, false), Some((Some(4 << 20), Some(2 << 20))));
        assert_eq!(idle(&all, true), Some((None, Some(5 << 20))));
        assert_eq!(idle(&limits, true), Some((None, Some(2 << 20))));
        assert!(asks_idle(&all) && !asks_idle(&limits));
        let upkeep = Upkeep::default();
        assert!(upkeep.local(&limits).is_some() && upkeep.local(&LimitsTable::default()).is_none());
    }

    /// Settings that can't change need no thread; those that can don't outlive who uses them.
    #[test]
    fn nobody_is_left() {
        let limits = LimitsTable {
            cpu_active: Some(Percent(30)),
            ..LimitsTable::default()
        };
        let machine = Machine::of(&crate::env::Env::of(&[("DEDUP_SYSTEM_ROOT", "/nowhere")]));
        let upkeep = Upkeep::default();
        upkeep.begin(&limits, &GivenRates::default(), machine);
        let governed = Arc::downgrade(&upkeep.0);
        drop(upkeep);
        // The thread holds it only while it sets what is in it.
        while governed.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
