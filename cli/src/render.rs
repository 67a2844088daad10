//! How results look: [`text`] for people, [`json`] for programs. Both are given the engine's types and do no work.

pub mod decisions;
pub mod json;
pub mod running;
pub mod text;
