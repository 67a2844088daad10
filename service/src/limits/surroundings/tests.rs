//! A machine made of files.

use super::*;
use tempfile::TempDir;

struct Fake(TempDir);

impl Fake {
    fn new() -> Fake {
        Fake(tempfile::tempdir().unwrap())
    }

    fn put(&self, path: &str, text: &str) -> &Fake {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn supply(&self, name: &str, values: &[(&str, &str)]) -> &Fake {
        for (key, value) in values {
            self.put(
                &format!("sys/class/power_supply/{name}/{key}"),
                &format!("{value}\n"),
            );
        }
        self
    }

    fn machine(&self) -> Machine {
        let root = self.0.path().to_str().unwrap();
        Machine::of(&Env::of(&[("DEDUP_SYSTEM_ROOT", root)]))
    }
}

const BATTERY: [(&str, &str); 3] = [("type", "Battery"), ("status", "Discharging"), ("capacity", "42")];

#[test]
fn a_machine_without_a_battery() {
    let fake = Fake::new();
    assert_eq!(fake.machine().battery(), None);
    fake.supply("AC", &[("type", "Mains"), ("online", "1")]);
    assert_eq!(fake.machine().battery(), None);
    let all = Wanted {
        battery: true,
        interfaces: true,
        network_manager: true,
        idle: true,
    };
    assert_eq!(fake.machine().look(all), Surroundings::default());
}

#[test]
fn a_battery_counts_while_the_machine_runs_on_it() {
    let fake = Fake::new();
    fake.supply("BAT0", &BATTERY);
    assert_eq!(fake.machine().battery(), Some(42));
    fake.supply("AC", &[("type", "Mains"), ("online", "0")]);
    assert_eq!(fake.machine().battery(), Some(42));
    fake.supply("AC", &[("online", "1")]);
    assert_eq!(fake.machine().battery(), None);
    fake.supply("AC", &[("online", "0")]);
    for status in ["Charging", "Full", "Not charging", "Unknown", ""] {
        fake.supply("BAT0", &[("status", status)]);
        assert_eq!(fake.machine().battery(), None, "{status}");
    }
}

#[test]
fn batteries_of_mice_do_not_count() {
    let fake = Fake::new();
    fake.supply("hidpp_battery_0", &BATTERY);
    fake.supply("hidpp_battery_0", &[("scope", "Device"), ("capacity", "3")]);
    assert_eq!(fake.machine().battery(), None);
    fake.supply("BAT0", &BATTERY);
    assert_eq!(fake.machine().battery(), Some(42));
    // A bay that is empty.
    fake.supply(
        "BAT1",
        &[("type", "Battery"), ("present", "0"), ("capacity", "0")],
    );
    assert_eq!(fake.machine().battery(), Some(42));
}

#[test]
fn several_batteries() {
    let fake = Fake::new();
    let battery = |name: &str, percent: &str| {
        fake.supply(name, &BATTERY).supply(name, &[("capacity", percent)]);
    };
    battery("BAT0", "10");
    battery("BAT1", "90");
    assert_eq!(fake.machine().battery(), Some(50));
    fake.supply("BAT0", &[("energy_now", "1000000"), ("energy_full", "10000000")]);
    fake.supply("BAT1", &[("energy_now", "27000000"), ("energy_full", "30000000")]);
    assert_eq!(fake.machine().battery(), Some(70));
}

#[test]
fn nonsense_is_not_believed() {
    let fake = Fake::new();
    fake.supply("BAT0", &BATTERY);
    for (capacity, want) in [
        ("", None),
        ("-3", None),
        ("x", None),
        ("101", Some(100)),
        ("0", Some(0)),
    ] {
        fake.supply("BAT0", &[("capacity", capacity)]);
        assert_eq!(fake.machine().battery(), want, "{capacity}");
    }
    fake.supply(
        "BAT0",
        &[("capacity", ""), ("charge_now", "5"), ("charge_full", "0")],
    );
    assert_eq!(fake.machine().battery(), None);
    fake.supply("BAT0", &[("charge_now", "5"), ("charge_full", "20")]);
    assert_eq!(fake.machine().battery(), Some(25));
    fake.put("proc/net/route", "\n\0\u{fffd}\neth0\neth0 00000000 0 zz\n");
    fake.put("proc/net/ipv6_route", "x\n\n");
    assert_eq!(fake.machine().interfaces(), Vec::<String>::new());
}

const HEAD: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
const WIRED: &str = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
    eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
const MOBILE: &str = "wwan0\t00000000\t0100000A\t0003\t0\t0\t700\t00000000\t0\t0\t0\n";

#[test]
fn the_interface_of_the_default_route() {
    let fake = Fake::new();
    let routes = |v4: &str| {
        fake.put("proc/net/route", &format!("{HEAD}{v4}"));
        fake.machine().interfaces()
    };
    assert_eq!(routes(&format!("{MOBILE}{WIRED}")), ["eth0"], "the lower metric");
    assert_eq!(routes(MOBILE), ["wwan0"]);
    assert_eq!(routes(""), Vec::<String>::new());
    let without_default = WIRED.lines().nth(1).unwrap();
    assert_eq!(routes(without_default), ["eth0"]);
    // One that was taken down, and a cable that is not plugged in.
    assert_eq!(
        routes(&format!("{MOBILE}{}", WIRED.replace("\t0003\t", "\t0002\t"))),
        ["wwan0"]
    );
    fake.put("sys/class/net/eth0/operstate", "down\n");
    assert_eq!(routes(&format!("{MOBILE}{WIRED}")), ["wwan0"]);
    fake.put("sys/class/net/eth0/operstate", "up\n");
    let v6 = |to: &str, prefix: &str, flags: &str, interface: &str| {
        let none = "0".repeat(32);
        format!("{to} {prefix} {none} 00 {none} 00000400 00000001 00000000 {flags} {interface}\n")
    };
    let none = "0".repeat(32);
    let link = "fe80".to_string() + &"0".repeat(28);
    let table = v6(&none, "00", "00000003", "wwan0")
        + &v6(&none, "00", "00200200", "lo")
        + &v6(&link, "40", "00000001", "docker0");
    fake.put("proc/net/ipv6_route", &table);
    assert_eq!(routes(WIRED), ["eth0", "wwan0"], "one for each family");
    fake.put("proc/net/ipv6_route", &v6(&link, "40", "00000001", "eth0"));
    assert_eq!(routes(""), Vec::<String>::new());
    assert_eq!(fake.machine().is_online(), Some(false));
    fake.put("proc/net/route", &format!("{HEAD}{WIRED}"));
    assert_eq!(fake.machine().is_online(), Some(true));
    assert_eq!(Fake::new().machine().is_online(), None);
}

#[test]
fn lingering() {
    let fake = Fake::new();
    assert_eq!(fake.machine().lingers("u"), None);
    fake.put("run/systemd/system/x", "");
    assert_eq!(fake.machine().lingers("u"), Some(false));
    fake.put("var/lib/systemd/linger/u", "");
    assert_eq!(fake.machine().lingers("u"), Some(true));
}
