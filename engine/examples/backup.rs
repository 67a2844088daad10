//! Backs a directory up into a repository, and restores the newest snapshot of it elsewhere:
//!
//!     cargo run --example backup -- REPOSITORY KEY_FILE SOURCE TARGET
//!
//! The repository and the key file are created if they do not exist.

use engine::monitor::ProblemList;
use engine::{BackupRequest, CreateRequest, LocalDirs, Repository, RestoreRequest, RunContext, Secret, key};
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;

/// Local directories of this program: a real one would choose a place that stays.
const LOCAL: &str = "dedup-example";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [repository, key_file, source, target] = args.as_slice() else {
        return Err("usage: backup REPOSITORY KEY_FILE SOURCE TARGET".into());
    };
    let location = repository
        .to_str()
        .ok_or("the repository is a path or URL in UTF-8")?;
    let run = RunContext::new(LocalDirs::below(std::env::temp_dir().join(LOCAL)));
    backup_and_restore(
        location,
        key_file.as_ref(),
        source.as_ref(),
        target.as_ref(),
        &run,
    )
}

pub fn backup_and_restore(
    location: &str,
    key_file: &Path,
    source: &Path,
    target: &Path,
    run: &RunContext,
) -> Result<(), Box<dyn Error>> {
    let secret = secret(key_file)?;
    let repository = match Repository::exists(location, run)? {
        true => Repository::open(location, &secret, run)?,
        false => Repository::create(location, CreateRequest::new(secret), run)?,
    };

    let problems = ProblemList::new();
    let report = repository.backup(BackupRequest::new([source]).tag("example"), &problems)?;
    println!(
        "backed up {} files, {} new bytes stored",
        report.summary.total_files_processed, report.summary.data_added_packed
    );
    for snapshot in repository.snapshots()?.snapshots {
        println!("{}  {}  {}", snapshot.id.to_hex(), snapshot.time, snapshot.host);
    }

    let newest = repository.find("latest")?;
    let request = RestoreRequest::new(target)
        .below(std::path::absolute(source)?)
        .verify();
    let restored = repository.restore(newest.id, request, &problems)?;
    println!("restored {} files", restored.files_restored);
    for problem in problems.list() {
        println!("{}: {:?}", String::from_utf8_lossy(&problem.path), problem.what);
    }
    Ok(())
}

/// The secret in a key file, which is created if there is none.
fn secret(path: &Path) -> Result<Secret, Box<dyn Error>> {
    if path.exists() {
        return Ok(key::parse_key_file(&std::fs::read_to_string(path)?)?);
    }
    let (text, secret) = key::new_key_file()?;
    std::fs::write(path, text.as_str())?;
    Ok(secret)
}
