//! What a machine says of itself: Linux' `/sys/class/power_supply`, `/sys/class/net` and `/proc/net`, and the system's
//! D-Bus. Elsewhere, and where something can't be read, it is not known, and nothing follows from it.
//!
//! All of it is found below one directory, so that a container can look at its host, and a test at files of its own.

pub use super::Wanted;
use super::bus::{self, Bus};
use crate::env::Env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// These files are no longer than a few lines.
const FILE_MAX: u64 = 256 << 10;
/// A machine has fewer batteries and mains.
const SUPPLIES_MAX: usize = 64;

/// What is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// What is left in the battery, in per cent, if the machine runs on it.
    pub battery: Option<u8>,
    /// The interfaces over which other networks are reached.
    pub interfaces: Vec<String>,
    /// The wireless networks that the machine is in.
    pub wifi: Vec<String>,
    pub is_metered: bool,
    /// Nobody uses the machine.
    pub is_idle: Option<bool>,
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    pub(super) bus: Bus,
}

impl Machine {
    pub fn of(env: &Env) -> Machine {
        let root = env.get("DEDUP_SYSTEM_ROOT").map_or("/".into(), PathBuf::from);
        Machine {
            bus: Bus::of(env, &root),
            root,
        }
    }

    pub fn look(&self, wanted: Wanted) -> Surroundings {
        let on_bus = match wanted.network_manager || wanted.idle {
            true => bus::ask(&self.bus, wanted),
            false => bus::BusAnswers::default(),
        };
        Surroundings {
            battery: wanted.battery.then(|| self.battery()).flatten(),
            interfaces: match wanted.interfaces {
                true => self.interfaces(),
                false => Vec::new(),
            },
            wifi: on_bus.wifi,
            is_metered: on_bus.is_metered,
            is_idle: on_bus.is_idle,
        }
    }

    /// What is left in the battery, in per cent; `None` without one, or while the machine is plugged in.
    pub fn battery(&self) -> Option<u8> {
        let folder = self.root.join("sys/class/power_supply");
        let entries = std::fs::read_dir(folder).ok()?;
        let supplies: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .take(SUPPLIES_MAX)
            .collect();
        let of = |supply: &Path, name: &str| text(&supply.join(name));
        let is_own = |supply: &&PathBuf| of(supply, "scope").as_deref() != Some("Device");
        let (mut charges, mut discharges) = (Vec::new(), false);
        for supply in supplies.iter().filter(is_own) {
            match of(supply, "type").as_deref() {
                Some("Mains" | "USB" | "Wireless")
                    if of(supply, "online").is_some_and(|online| online != "0") =>
                {
                    return None;
                }
                Some("Battery") if of(supply, "present").as_deref() != Some("0") => {
                    discharges |= of(supply, "status").as_deref() == Some("Discharging");
                    charges.extend(Charge::of(supply));
                }
                _ => {}
            }
        }
        discharges.then(|| Charge::together(&charges)).flatten()
    }

    /// The interfaces of the default routes; without one, all over which anything is reached.
    fn interfaces(&self) -> Vec<String> {
        let routes = self.routes();
        let mut found: Vec<&Route> = [false, true]
            .into_iter()
            .filter_map(|is_v6| {
                let default = routes
                    .iter()
                    .filter(|route| route.is_default && route.is_v6 == is_v6);
                default.min_by_key(|route| route.metric)
            })
            .collect();
        if found.is_empty() {
            found = routes.iter().collect();
        }
        let mut names: Vec<String> = found.into_iter().map(|route| route.interface.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether any other machine can be reached; `None` where the system doesn't tell.
    pub fn is_online(&self) -> Option<bool> {
        let is_told = self.root.join("proc/net/route").exists();
        is_told.then(|| !self.routes().is_empty())
    }

    /// Routes that lead out of this machine.
    fn routes(&self) -> Vec<Route> {
        let lines = |name: &str| text(&self.root.join("proc/net").join(name)).unwrap_or_default();
        let (v4, v6) = (lines("route"), lines("ipv6_route"));
        let v4 = v4.lines().skip(1).filter_map(Route::v4);
        let all = v4.chain(v6.lines().filter_map(Route::v6));
        all.filter(|route| self.is_up(&route.interface)).collect()
    }

    /// A cable that is not plugged in leaves its routes.
    fn is_up(&self, interface: &str) -> bool {
        let state = self.root.join("sys/class/net").join(interface).join("operstate");
        interface != "lo" && text(&state).as_deref() != Some("down")
    }

    /// Whether systemd keeps a user's services running when nobody is logged in; `None` without systemd.
    pub fn lingers(&self, user: &str) -> Option<bool> {
        let is_running = self.root.join("run/systemd/system").is_dir();
        is_running.then(|| self.root.join("var/lib/systemd/linger").join(user).exists())
    }
}

/// A line of the kernel's tables of routes.
#[derive(Debug)]
struct Route {
    interface: String,
    metric: u32,
    is_default: bool,
    is_v6: bool,
}

/// Bits of a route's flags: it can be used; it refuses.
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

impl Route {
    /// `proc_net_route`: interface, destination, gateway, flags, references, uses, metric, mask.
    fn v4(line: &str) -> Option<Route> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
        let is_usable = flags & UP != 0 && flags & REJECT == 0;
        is_usable.then_some(Route {
            interface: fields.first()?.to_string(),
            metric: fields.get(6)?.parse().ok()?,
            is_default: *fields.get(1)? == "00000000" && *fields.get(7)? == "00000000",
            is_v6: false,
        })
    }

    /// Destination and its prefix, source and its prefix, next hop, metric, references, uses, flags, interface. Every
    /// interface has routes to its own link and to multicast, whether or not anybody is there.
    fn v6(line: &str) -> Option<Route> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let flags = u32::from_str_radix(fields.get(8)?, 16).ok()?;
        let (to, prefix) = (*fields.first()?, *fields.get(1)?);
        let is_link = to.starts_with("fe80") || to.starts_with("ff") || prefix == "80";
        let is_usable = flags & UP != 0 && flags & REJECT == 0 && !is_link;
        is_usable.then_some(Route {
            interface: fields.get(9)?.to_string(),
            metric: u32::from_str_radix(fields.get(5)?, 16).ok()?,
            is_default: prefix == "00" && to.chars().all(|c| c == '0'),
            is_v6: true,
        })
    }
}

/// What a battery holds.
#[derive(Clone, Copy, Debug)]
struct Charge {
    percent: u8,
    /// Now, and when it is full, in the kernel's unit, where it says that.
    energy: Option<(u64, u64)>,
}

impl Charge {
    fn of(battery: &Path) -> Option<Charge> {
        let number = |name: &str| text(&battery.join(name))?.parse::<u64>().ok();
        let pair = |now: &str, full: &str| {
            let full = number(full).filter(|full| *full > 0)?;
            Some((number(now)?.min(full), full))
        };
        let energy = pair("energy_now", "energy_full").or_else(|| pair("charge_now", "charge_full"));
        let computed = energy.map(|(now, full)| now.saturating_mul(100) / full);
        let percent = number("capacity").or(computed)?.min(100);
        Some(Charge {
            percent: u8::try_from(percent).ok()?,
            energy,
        })
    }

    /// Of several batteries, by what they can hold; where they don't say, they hold the same.
    fn together(all: &[Charge]) -> Option<u8> {
        if let [one] = all {
            return Some(one.percent);
        }
        let energy: Option<Vec<(u64, u64)>> = all.iter().map(|charge| charge.energy).collect();
        let (now, full) = match energy {
            Some(energy) => energy.iter().fold((0_u64, 0_u64), |sum, one| {
                (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
            }),
            None => {
                let sum = all.iter().map(|charge| u64::from(charge.percent)).sum();
                (sum, all.len() as u64 * 100)
            }
        };
        let percent = now.saturating_mul(100).checked_div(full)?;
        u8::try_from(percent).ok()
    }
}

/// The text of a small file, without the white space around it.
fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(FILE_MAX)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_string())
}

#[cfg(test)]
mod tests;
