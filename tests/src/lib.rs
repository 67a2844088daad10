//! Test kit.

pub mod conformance;
pub mod generation;
pub mod machine;
pub mod oracle;
pub mod program;
pub mod random;
pub mod remotes;
pub mod tree;
