//! Test kit.

pub mod conformance;
pub mod generation;
pub mod machine;
pub mod oracle;
pub mod plain;
pub mod program;
pub mod random;
pub mod remotes;
pub mod servers;
pub mod tree;
pub mod world;
