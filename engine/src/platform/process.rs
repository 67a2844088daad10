//! This process: who runs it, on which machine, and within which limits.

use super::system;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the user that this process runs as; its number where it has none.
pub fn user_name() -> String {
    system::user_name()
}

/// The name of this machine; empty where it has none.
pub fn host_name() -> String {
    system::host_name()
}

/// Whether something belongs to the user that this process runs as.
pub fn owns(meta: &Metadata) -> bool {
    system::owns(meta)
}

/// Whether a folder belongs to the user that this process runs as, and no other user, but for root, may make, rename or
/// remove what is in it. Where that can't be asked, it is taken to be so.
pub fn only_we_may_change(folder: &Metadata) -> bool {
    system::only_we_may_change(folder)
}

/// The numbers of a file's user and group.
pub fn owner_of(meta: &Metadata) -> (u32, u32) {
    system::owner_of(meta)
}

/// Whether this process may make files in a folder.
pub fn may_write_in(folder: &Path) -> bool {
    system::may_write_in(folder)
}

/// The limit on this process's address space (`ulimit -v`) in bytes, where there is one.
pub fn address_space_limit() -> Option<u64> {
    system::address_space_limit()
}

/// Keeps the kernel from backing memory with huge pages, half of which may be cleared and never used. Where the system
/// doesn't know the request, it just costs that.
pub fn avoid_huge_pages() {
    system::avoid_huge_pages();
}

/// Whether standard output goes nowhere. One that was closed is the null device from the start of the process on.
pub fn output_leads_nowhere() -> bool {
    system::output_leads_nowhere()
}

/// Processor time that this process has used so far, in all its threads; `None` where the system doesn't tell.
pub fn cpu_time() -> Option<Duration> {
    system::cpu_time()
}

/// Lets every other process go first, in this thread and those that it starts from now on: at the processor, and so by
/// default at the disk. A process that is nicer already stays so; where the system refuses, nothing changes.
pub fn be_nice() {
    system::be_nice();
}

/// The number of the user that this process runs as.
pub fn user_id() -> u32 {
    system::user_id()
}

/// A path that opens a file which this process was started with, by its number; `None` where the system has no such paths.
pub fn path_of_descriptor(number: u32) -> Option<PathBuf> {
    system::path_of_descriptor(number)
}
