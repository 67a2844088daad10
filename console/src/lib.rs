//! The console: a local web page where people watch, browse, restore and set up. Pages are HTML made here, from the same jobs,
//! reports and texts of `service` that the command line uses; a few lines of script keep them current.
//!
//! ```text
//! listen (address) -> connections (tls) -> guard (Host, Origin, session, token) -> pages, api, live (events) -> service
//!                     gate, sessions (who may enter)          jobs (what was started here)
//! ```
//!
//! Nothing is kept here that `service` keeps: settings and history are read anew for each request, so that a change by a
//! command or in a file shows at once. What is only in memory: sessions with their baskets, the progress of jobs that
//! were started here, repositories and snapshots that were opened to be browsed, and what long jobs found out about space
//! (docs/decisions/0042-console.md).
//!
//! Beside the console are the WebDAV server of `dedup serve` ([`serve_snapshots`]), which shares nothing with it but the crate
//! for HTTP, and the icon of `dedup tray` ([`show_tray`]).

mod api;
mod app;
mod assets;
mod browse;
mod connections;
mod dav;
mod download;
mod fields;
mod gate;
mod guard;
mod jobs;
mod kept;
mod listen;
mod live;
mod locks;
mod moments;
mod opened;
mod pages;
mod preview;
mod reply;
mod router;
mod runner;
mod sessions;
mod setting_up;
mod textdiff;
mod tls;
mod tokens;
mod tray;
mod visit;

#[cfg(test)]
mod tests;

pub use dav::{DavOptions, DavStarted, serve_snapshots};
pub use listen::{Options, Started, serve, set_password};
pub use tokens::{NewToken, Token, Tokens};
pub use tray::show_tray;
