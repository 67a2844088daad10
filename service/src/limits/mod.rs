//! `[limits]`: what holds back a run that nobody asked for now, and how much of network and processor any run may use.
//!
//! ```text
//! surroundings   what the machine says of itself: battery, routes, wireless networks, whether somebody uses it
//!   bus          the part of it that NetworkManager and logind know
//! hindrance      a pure function of settings and surroundings: go, or wait and why
//! upkeep         rates and share of the processor, kept up while a repository is open
//! watch          looks at the surroundings again while a run goes on
//! awake          keeps the machine from falling asleep meanwhile
//! online         waits for the network of a machine that has just woken up
//! ```
//!
//! Nothing here decides about what is safe: whatever the machine or the bus says, a run ends at a safe point or does not
//! begin. What can't be found out holds nothing back.

pub mod awake;
pub(crate) mod bus;
pub mod online;
pub mod surroundings;
pub mod upkeep;
pub mod watch;

use crate::settings::tables::LimitsTable;
use surroundings::Surroundings;

/// What has to be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub battery: bool,
    pub interfaces: bool,
    pub network_manager: bool,
    pub idle: bool,
}

/// Why a run waits that is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hindrance {
    /// The machine runs on its battery, and that holds less than it should.
    Battery { percent: u8, least: u8 },
    /// A wireless network that is not to be used.
    Wifi { name: String },
    /// The network is reached over an interface that is not to be used.
    Interface { name: String },
    /// What is sent costs money.
    Metered,
}

/// Why a run is to wait; `None` if it may go. What concerns the network holds back only a run that uses it.
pub fn hindrance(limits: &LimitsTable, around: &Surroundings, uses_network: bool) -> Option<Hindrance> {
    let battery = || {
        let (least, percent) = (limits.battery_min?.0, around.battery?);
        (percent < least).then_some(Hindrance::Battery { percent, least })
    };
    let named = |found: &[String], unwanted: &[String]| {
        let first = found.iter().find(|name| unwanted.contains(name));
        first.cloned()
    };
    let network = || {
        let wifi = named(&around.wifi, &limits.skip_wifi).map(|name| Hindrance::Wifi { name });
        let interface = || {
            let name = named(&around.interfaces, &limits.skip_interfaces)?;
            Some(Hindrance::Interface { name })
        };
        let metered = || (limits.skip_metered && around.is_metered).then_some(Hindrance::Metered);
        wifi.or_else(interface).or_else(metered)
    };
    battery().or_else(|| uses_network.then(network).flatten())
}

/// What has to be known of the surroundings to say so.
pub fn wanted(limits: &LimitsTable, uses_network: bool) -> Wanted {
    Wanted {
        battery: limits.battery_min.is_some(),
        interfaces: uses_network && !limits.skip_interfaces.is_empty(),
        network_manager: uses_network && (limits.skip_metered || !limits.skip_wifi.is_empty()),
        idle: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::values::Percent;

    #[test]
    fn what_holds_a_run_back() {
        let limits = LimitsTable {
            battery_min: Some(Percent(20)),
            skip_wifi: vec!["Tethering".to_string(), "Train".to_string()],
            skip_interfaces: vec!["wwan0".to_string()],
            skip_metered: true,
            ..LimitsTable::default()
        };
        let none = LimitsTable::default();
        let around = |battery, wifi: &str, interface: &str, is_metered| Surroundings {
            battery,
            wifi: vec![wifi.to_string()],
            interfaces: vec![interface.to_string()],
            is_metered,
            is_idle: None,
        };
        let low = Hindrance::Battery {
            percent: 19,
            least: 20,
        };
        let wifi = Hindrance::Wifi {
            name: "Train".to_string(),
        };
        let wwan = Hindrance::Interface {
            name: "wwan0".to_string(),
        };
        let rows = [
            (around(None, "Home", "wlan0", false), true, None),
            (around(Some(20), "Home", "wlan0", false), true, None),
            (around(Some(19), "Home", "wlan0", false), true, Some(low.clone())),
            (around(Some(19), "Home", "wlan0", false), false, Some(low.clone())),
            (
                around(Some(0), "Train", "wwan0", true),
                true,
                Some(Hindrance::Battery {
                    percent: 0,
                    least: 20,
                }),
            ),
            (around(None, "Train", "wlan0", true), true, Some(wifi)),
            (around(None, "train", "wlan0", false), true, None),
            (around(None, "Home", "wwan0", false), true, Some(wwan)),
            (
                around(None, "Home", "wlan0", true),
                true,
                Some(Hindrance::Metered),
            ),
            // A disk on the desk costs nothing.
            (around(None, "Train", "wwan0", true), false, None),
            (Surroundings::default(), true, None),
        ];
        for (around, uses_network, want) in rows {
            assert_eq!(hindrance(&limits, &around, uses_network), want, "{around:?}");
            assert_eq!(hindrance(&none, &around, uses_network), None, "{around:?}");
        }
    }

    /// Nothing is asked that no setting is about: a look must cost next to nothing.
    #[test]
    fn what_is_asked() {
        assert_eq!(wanted(&LimitsTable::default(), true), Wanted::default());
        let limits = LimitsTable {
            skip_metered: true,
            battery_min: Some(Percent(1)),
            ..LimitsTable::default()
        };
        let local = wanted(&limits, false);
        assert!(local.battery && !local.network_manager && !local.interfaces && !local.idle);
        assert!(wanted(&limits, true).network_manager);
    }
}
