//! `dedup.toml`: understood, or refused with the line that is wrong.
#![no_main]
use cli::config::{Config, is_name};
use cli::env::Env;
use std::path::Path;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let env = Env::of(&[("HOME", "/home/u")]);
    match Config::parse(Path::new("/x/dedup.toml"), text, &env) {
        Ok(config) => assert!(config.remotes.iter().all(|remote| is_name(&remote.name))),
        Err(failure) => assert!(failure.message.contains("/x/dedup.toml:"), "{}", failure.message),
    }
});
