//! The one integration binary.

mod conformance;
mod crash;
mod damage;
mod faults;
mod format;
mod gc;
mod layout;
mod opcount;
mod property;
mod sources;
