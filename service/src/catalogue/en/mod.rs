//! English. Every function takes a value and gives its text, without escaping what it holds of names and paths. Every
//! `match` names all variants, so that a new one shows where its text is missing.

mod engine;
mod io;
mod problem;
mod store;
mod tree;
mod url;
mod value;
mod warning;

pub use self::engine::engine_error;
pub(crate) use self::io::io_error;
pub use self::problem::{listed_problem, problem, trouble};
pub use self::store::store_error;
pub use self::value::{
    group_by_error, measured_run, period_name, policy_error, reason, unit_error, weakness, when_error,
};
