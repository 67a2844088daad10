//! The one integration binary.

mod conformance;
mod crash;
mod faults;
mod opcount;
mod property;
mod sources;
