//! What went wrong, or is wrong with a path or an object: the texts of typed errors, problems and warnings, without
//! advice. Every function takes a value and does not escape what it holds of names and paths.
//!
//! A `match` on a value names all its variants, so that the compiler finds the text that a new one lacks. What is too long
//! for an arm is a function that takes what the text is about. `tests` sees that each has a text in each language.

mod engine;
mod invalid;
mod problem;
mod restore;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod url;
mod warning;

pub use self::engine::engine_error;
pub use self::problem::{listed_problem, problem, trouble};
pub(crate) use self::store::io::io_error;
pub use self::store::store_error;
