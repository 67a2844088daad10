//! What commands do: one file each, called by [`crate::main`] with what was typed and the environment.

pub mod completions;
pub mod help;
pub mod version;
