//! Trees of files as generations: walk, backup, restore, retention, prune, check.

pub mod entry;
pub mod error;
pub mod filter;
pub mod fsmeta;
pub mod monitor;
pub mod walk;

pub use error::{Error, Result};
