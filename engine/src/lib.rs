//! Trees of files as generations: walk, backup, restore, retention, prune, check.

pub mod entry;
pub mod error;
pub mod facts;
pub mod filter;
pub mod fsmeta;
pub mod monitor;
pub mod retain;
pub mod select;
pub mod tree;
pub mod units;
pub mod walk;
pub mod when;

pub use error::{Error, Result};
