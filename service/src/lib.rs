//! Everything a user can ask for, independent of the interface: settings ([`settings`]), environment ([`mod@env`]),
//! finding and opening a repository ([`resolve`], [`credential`], [`context`]), and one job per request. A job takes a
//! [`Context`], a typed request and a [`Face`], and returns a typed report or a [`Failure`]. Both have a [`Status`].
//!
//! `service` sits between `engine`, which knows no settings and no language, and the faces (command line, console),
//! which translate arguments or clicks into requests and reports into text or JSON. It knows no terminal, argument
//! parser or exit code. Faces depend on neither `chunkstore` nor `engine`; they use the types re-exported here
//! (docs/decisions/0030-service.md).

pub mod catalogue;
pub mod certificate;
pub mod context;
pub mod credential;
pub mod desktop;
pub mod env;
pub mod face;
pub mod failure;
mod following;
pub mod history;
pub mod json;
pub mod key_file;
pub mod limits;
pub mod listing;
pub mod log;
pub mod machine;
pub mod maintenance;
pub mod notify;
pub mod objects;
pub mod path_tags;
pub mod paths;
pub mod rates;
pub mod redact;
pub mod removal;
pub mod resolve;
pub mod run_state;
pub mod schedule;
pub mod scheduler;
pub mod secret;
pub mod settings;
pub mod state_file;
pub mod status;
pub mod text;
pub mod usage;

// The jobs.
pub mod backup;
pub mod bench;
pub mod bundle;
pub mod cache;
pub mod check;
pub mod completion;
pub mod copy;
pub mod doctor;
pub mod drill;
pub mod estimate;
pub mod expire;
pub mod forget;
pub mod heal;
pub mod hosts;
pub mod init;
pub mod keys;
pub mod live;
pub mod mount;
pub mod prune;
pub mod purge;
pub mod remotes;
pub mod repair;
pub mod replicate;
pub mod restore;
pub mod runs;
pub mod sets;
pub mod setup;
pub mod shown;
pub mod space;
pub mod stats;
pub mod tags;
pub mod takeover;
pub mod trash;
pub mod update;
pub mod versions;

pub use context::Context;
pub use face::Face;
pub use failure::Failure;
pub use status::Status;

/// What concerns this machine rather than a repository.
pub use engine::platform;
/// Types of the engine that requests and reports are made of.
pub use engine::{Error, RepoId, Result, SessionId, StoreError, error};
/// Reading for faces that stream their output: listings, archives, single files.
pub use engine::{archive, deleted, dump, find, list, repo, run, storage};
/// Snapshots and files, and how they are selected and formatted.
pub use engine::{entry, facts, manifest, monitor, order, problem, retain, select, units, when};
