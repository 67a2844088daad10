//! Trees of files as generations: walk, backup, restore, retention, prune, check.

pub mod entry;
pub mod error;
pub mod monitor;
pub mod tree;

pub use error::{Error, Result};
