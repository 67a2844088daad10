//! Trees of files as generations: walk, backup, restore, retention, prune, check.

pub mod entry;
pub mod error;
pub mod facts;
pub mod monitor;
pub mod retain;
pub mod select;
pub mod units;
pub mod when;

pub use error::{Error, Result, StoreError};
