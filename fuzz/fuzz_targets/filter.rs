//! Exclude patterns as people and files in the tree write them.
#![no_main]
use engine::filter::{Filter, FilterOptions};

libfuzzer_sys::fuzz_target!(|text: &str| {
    // A path, then a pattern on each line.
    let (path, patterns) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(filter) = Filter::build(FilterOptions {
        excludes: patterns.lines().map(str::to_string).collect(),
        ..FilterOptions::default()
    }) {
        for is_dir in [false, true] {
            let _ = filter.leaves_out_source(path.as_bytes(), is_dir);
        }
    }
});
