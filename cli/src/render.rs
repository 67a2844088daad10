//! How results look to people. What programs read is in `service::json`.

pub mod decisions;
pub mod expiry;
pub mod ncdu;
pub mod running;
pub mod text;
