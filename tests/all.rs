//! The one integration binary.

mod conformance;
mod faults;
mod property;
mod sources;
