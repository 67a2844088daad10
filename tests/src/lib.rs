//! Test kit.

pub mod conformance;
pub mod remotes;
