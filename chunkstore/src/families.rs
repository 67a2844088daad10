//! The column families of the local index (`index.rs`), which simulations copy as well (`simulation/databases.rs`).

pub(crate) const FAMILIES: [&str; 7] = [
    "default", "chunks", "copies", "packs", "segments", "files", "parts",
];
