//! Test kit.

pub mod conformance;
pub mod generation;
pub mod machine;
/// The same file as in the engine, whose own tests need it too.
#[path = "../../engine/src/platform/nobody.rs"]
pub mod nobody;
pub mod odd;
pub mod oracle;
pub mod plain;
pub mod program;
pub mod random;
pub mod remotes;
pub mod servers;
pub mod session;
pub mod terminal;
pub mod tree;
pub mod world;
