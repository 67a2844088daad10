//! Every text that a person reads, in each language. Below this crate, and in its reports and failures, there are only
//! codes and fields; here is what they are called.
//!
//! A text is a function (or a variant of [`Cause`]) that takes what it is about and gives one string for each language
//! of [`Lang`]; one that a language lacks does not compile. JSON is always English: its readers are programs.

mod causes;
mod errors;
mod lang;
mod notices;
mod progress;
mod questions;
pub mod report;
mod system;
mod warnings;
mod words;

pub use causes::{Action, Cause, Expected, Unfit, What};
pub use errors::plain_error;
#[cfg(test)]
pub(crate) use errors::storage_status;
pub(crate) use errors::{
    engine_error, engine_status, output_status, policy_error, remedy, system_status, unit_error, when_error,
};
pub use errors::{is_of_this_machine, object_advice};
pub use lang::Lang;
pub use notices::notice;
pub use progress::{
    not_shown, phase, problem, problem_text, progress_line, share_done, time_left, trouble_text, units_done,
    warning_prefix,
};
pub use questions::Question;
pub use system::SystemError;
pub use warnings::Warning;
pub use words::{Noun, count};

/// One text in the language of the reader: a format string for each.
macro_rules! say {
    ($lang:expr, $en:literal, $ja:literal $(,)?) => {
        match $lang {
            $crate::catalogue::Lang::En => format!($en),
            $crate::catalogue::Lang::Ja => format!($ja),
        }
    };
}
pub(crate) use say;
