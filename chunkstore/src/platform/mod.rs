//! Everything that `chunkstore` asks of the operating system, but for objects in a local directory (`remote/local`).

pub mod child;
pub mod descriptors;
pub mod keyring;
pub mod private;
pub mod threads;
