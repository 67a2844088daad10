//! The one integration binary.

mod conformance;
mod faults;
mod format;
mod layout;
