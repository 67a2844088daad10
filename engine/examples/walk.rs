//! Walks the directories given and says how many entries there are: to be timed against `find -printf`.
//! `walk THREADS DIR...`

use engine::filter::{Filter, FilterOptions};
use engine::walk::{Sources, Walk};
use std::path::PathBuf;

fn main() -> engine::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let threads = args.next().and_then(|t| t.to_str()?.parse().ok()).unwrap_or(2);
    let sources: Vec<PathBuf> = args.map(PathBuf::from).collect();
    let walk = Walk::start(
        &Sources::of(&sources),
        Filter::build(FilterOptions::default())?,
        threads,
    )?;
    let mut directories = 0u64;
    let mut entries = 0u64;
    let mut bytes = 0u64;
    let mut troubles = 0u64;
    for batch in walk {
        directories += u64::from(batch.last);
        entries += batch.entries.len() as u64;
        bytes += batch.entries.iter().map(|e| e.meta.size).sum::<u64>();
        troubles += u64::from(batch.trouble.is_some());
    }
    println!("{directories} directories, {entries} entries, {bytes} bytes, {troubles} troubles");
    Ok(())
}
