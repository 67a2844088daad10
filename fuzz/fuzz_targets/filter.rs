//! Exclude patterns as people and files in the tree write them.
#![no_main]
use engine::filter::{Filter, FilterOptions};

libfuzzer_sys::fuzz_target!(|input: (Vec<String>, Vec<u8>, bool)| {
    let (excludes, path, is_dir) = input;
    if let Ok(filter) = Filter::build(FilterOptions {
        excludes,
        ..FilterOptions::default()
    }) {
        let _ = filter.leaves_out_source(&path, is_dir);
    }
});
