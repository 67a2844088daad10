//! The one integration binary.

mod cli_bad;
mod cli_json;
mod cli_keys;
mod cli_manage;
mod cli_run;
mod cli_start;
mod concurrency;
mod conformance;
mod crash;
mod damage;
mod faults;
mod flips;
mod format;
mod gc;
mod golden;
mod layout;
mod opcount;
mod property;
mod repair;
mod sources;
