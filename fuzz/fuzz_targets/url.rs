//! URLs of repositories as people write them: refused or understood, and no secret of theirs is shown.
#![no_main]
use chunkstore::remote::address::{Address, shown};
use chunkstore::remote::local_path;

libfuzzer_sys::fuzz_target!(|url: &str| {
    let _ = Address::of_rclone(url);
    if local_path(url).is_some() || url.starts_with("rclone:") {
        return;
    }
    let Ok(address) = Address::parse(url, &["endpoint", "region", "secret"]) else {
        let _ = shown(url);
        return;
    };
    assert!(!address.path.split('/').any(|part| part == ".."));
    let _ = (address.stall(), address.patience(), address.cleaned(url));
    let again = Address::parse(address.shown(), &["endpoint", "region", "secret"]);
    let again = again.expect("what is shown is an address");
    assert_eq!(again.password.is_some(), address.password.is_some());
    assert!(
        again
            .password
            .as_ref()
            .is_none_or(|password| password.as_str() == "***"),
        "{url:?}"
    );
    // A parameter without a value has no secret to hide; any other is hidden, and stays a parameter.
    let is_given = |value: &&str| !value.is_empty();
    let secret = address.get("secret").filter(is_given);
    let shown = again.get("secret").filter(is_given);
    assert_eq!(shown, secret.map(|_| "***"), "{url:?}");
});
