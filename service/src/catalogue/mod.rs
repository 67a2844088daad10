//! The texts that users read, one module for each language. What they say is in the errors and problems of the engine, as
//! codes and values.

pub mod en;
