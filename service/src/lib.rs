//! What a person can ask for, whoever asks: the command line, the scheduler or the console. Settings ([`settings`]), the
//! environment ([`mod@env`]), where a repository is and what opens it ([`resolve`], [`secret`], [`context`]), and one
//! job for each request. A job is a function of a [`Context`], a typed request and a [`Face`], and returns a typed
//! report or a [`Failure`]; either has a [`Status`].
//!
//! Stands between `engine`, which knows no settings and no language, and the faces, which only translate: what was
//! typed or clicked into a request, a report into text or JSON. Knows no terminal, no option parser and no exit code.
//! Faces name neither `chunkstore` nor `engine`; of what those define they use what is re-exported here
//! (docs/decisions/0030-service.md).

pub mod context;
pub mod env;
pub mod face;
pub mod failure;
pub mod key_file;
pub mod listing;
pub mod machine;
pub mod paths;
pub mod rates;
pub mod removal;
pub mod resolve;
pub mod secret;
pub mod settings;
pub mod status;
pub mod text;

// The jobs.
pub mod backup;
pub mod check;
pub mod copy;
pub mod forget;
pub mod heal;
pub mod init;
pub mod keys;
pub mod prune;
pub mod remotes;
pub mod repair;
pub mod replicate;
pub mod restore;
pub mod tags;
pub mod trash;

pub use context::Context;
pub use face::Face;
pub use failure::Failure;
pub use status::Status;

/// The words of the engine that requests and reports are made of.
pub use engine::{Error, RepoId, Result, SessionId, StoreError};
/// Reading, where a face streams what it gets: listings, archives, single files.
pub use engine::{archive, dump, list, repo, stats, storage};
/// What belongs to this machine rather than to a repository.
pub use engine::{bench, cache, child};
/// What snapshots and their files are, and how they are chosen, measured and shown.
pub use engine::{entry, facts, manifest, monitor, order, retain, select, units, when};
