//! `dedup.toml`: understood, or refused with the line that is wrong.
#![no_main]
use service::env::Env;
use service::settings::{Settings, is_name};
use std::path::Path;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let env = Env::of(&[("HOME", "/home/u")]);
    match Settings::parse(Path::new("/x/dedup.toml"), text, &env) {
        Ok(settings) => assert!(settings.remotes.iter().all(|remote| is_name(&remote.name))),
        Err(failure) => assert!(
            failure.message().contains("/x/dedup.toml:"),
            "{}",
            failure.message()
        ),
    }
});
