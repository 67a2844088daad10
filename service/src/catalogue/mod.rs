//! Every text that a person reads, in each language. Below this crate, and in its reports and failures, there are only
//! codes and fields; here is what they are called.
//!
//! A text is a function (or a variant of [`Cause`]) that takes what it is about and gives one string for each language
//! of [`Lang`]; one that a language lacks does not compile. JSON is always English: its readers are programs.

mod browse_causes;
mod causes;
mod console;
mod errors;
pub mod faults;
mod lang;
mod limits;
mod notices;
mod os_error;
mod parts;
mod progress;
mod questions;
mod replica_causes;
pub mod report;
mod set_causes;
mod source_snapshots;
mod storage_advice;
mod system;
mod update;
mod usage;
mod value_faults;
mod values;
mod warnings;
mod words;

pub use browse_causes::BrowseCause;
pub use causes::Cause;
pub use console::{CertificateFault, ConsoleFault, NetworkFault, TrayFault};
pub use errors::plain_error;
#[cfg(test)]
pub(crate) use errors::storage_status;
pub(crate) use errors::{engine_error, engine_status, output_status, remedy, system_status};
pub use lang::Lang;
pub use limits::{awake_for_a_backup, hindrance};
pub use notices::notice;
use parts::did_you_mean;
pub use parts::{Action, CommandEnd, Expected, HookEnd, Unfit, What};
pub use progress::{
    listed_problem, not_shown, phase, problem, problem_line, progress_line, share_done, time_left,
    units_done, warning_prefix,
};
pub use questions::Question;
pub use replica_causes::ReplicaCause;
pub(crate) use replica_causes::in_the_way;
pub use set_causes::SetCause;
use source_snapshots::no_source_snapshot;
pub use storage_advice::object_advice;
pub use system::SystemError;
pub use update::UpdateFault;
pub use usage::{UsageFault, usage_error};
pub use value_faults::{Texts, ValueFault};
pub use values::{
    group_by_error, measured_run, period_name, policy_error, reason, unit_error, weakness, when_error,
};
pub use warnings::SetupWarning;
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
