//! Everything that the engine asks of the operating system, but for the metadata of files (`fsmeta`).

#[cfg(test)]
pub mod nobody;
