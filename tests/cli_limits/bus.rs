//! What the system's D-Bus is asked, and what follows if nobody answers.

use super::Laptop;
use kit::program::Run;
use kit::servers::Bus;
use service::limits::surroundings::Wanted;

#[test]
fn what_the_bus_says() {
    let laptop = Laptop::with_bus("");
    let bus = laptop.bus.as_ref().unwrap();
    let wanted = Wanted {
        network_manager: true,
        idle: true,
        ..Wanted::default()
    };
    let look = || laptop.machine().look(wanted);
    let nothing = look();
    assert_eq!(
        (nothing.is_idle, nothing.is_metered, nothing.wifi.len()),
        (None, false, 0)
    );
    bus.idle(true);
    bus.wifi("家".as_bytes());
    bus.metered(1);
    let all = look();
    assert_eq!(
        (all.is_idle, all.is_metered, &all.wifi[..]),
        (Some(true), true, &["家".to_string()][..])
    );
    bus.idle(false);
    bus.wifi(b"\xff\x00");
    assert_eq!(look().is_idle, Some(false));
    assert_eq!(look().wifi, ["\u{fffd}\0"]);
    // Nobody is asked about what no setting is about.
    let asked = bus.asked();
    laptop.machine().look(Wanted::default());
    assert_eq!(bus.asked(), asked);
}

#[test]
fn a_bus_without_these_services_and_none_at_all() {
    let mut laptop = Laptop::new("[limits]\nskip-metered = true\nskip-wifi = ['Train']\ncpu-idle = 90");
    laptop.far();
    laptop.plugged_in();
    laptop.bus = Some(Bus::start(&laptop.home.path("."), false));
    laptop.ends(1, &["run", "--due"]);
    assert_eq!(laptop.home.snapshots().len(), 1);
    laptop.bus = None;
    laptop.ends(0, &["run", "docs"]);
    // Nor one that is no bus.
    let socket = laptop.home.text("not-a-bus");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut command = laptop.command(&["run", "docs"]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={socket}"));
    Run::of(command.output().unwrap()).ends(0);
    let mut command = laptop.command(&["run", "docs"]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", "nonsense");
    Run::of(command.output().unwrap()).ends(0);
    assert_eq!(laptop.home.snapshots().len(), 4);
}

#[test]
fn the_machine_is_kept_awake_during_a_run() {
    let laptop = Laptop::with_bus("");
    let bus = laptop.bus.as_ref().unwrap();
    laptop.ends(0, &["run", "docs"]);
    assert!(bus.inhibited().is_empty(), "not on its battery");
    laptop.plugged_in();
    laptop.ends(0, &["run", "docs"]);
    let [what, who, why, mode] = bus.inhibited().remove(0);
    assert_eq!(
        [what.as_str(), &who, &why, &mode],
        ["sleep:idle", "dedup", "A backup is running", "block"]
    );
    bus.wait_released();
    bus.refuse("sleep:idle");
    laptop.ends(0, &["--lang", "ja", "run", "docs"]);
    let asked = bus.inhibited();
    assert_eq!((asked.len(), asked[2][0].as_str()), (3, "idle"));
    assert_eq!(asked[2][2], "バックアップを実行中です");
    bus.refuse("idle");
    laptop.ends(0, &["run", "docs"]);
    assert_eq!(laptop.home.snapshots().len(), 4);
}
