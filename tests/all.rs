//! The one integration binary.

mod concurrency;
mod conformance;
mod crash;
mod faults;
mod format;
mod golden;
mod layout;
mod opcount;
mod property;
mod sources;
