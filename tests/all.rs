//! The one integration binary.

mod cli_bad;
mod cli_json;
mod cli_keys;
mod cli_manage;
mod cli_repair;
mod cli_run;
mod cli_start;
mod concurrency;
mod conformance;
mod crash;
mod damage;
mod faults;
mod flips;
mod format;
mod full_disk;
mod gc;
mod golden;
mod hostile;
mod layout;
mod opcount;
mod parity;
mod property;
mod repair;
mod sources;
