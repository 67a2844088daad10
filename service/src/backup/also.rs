//! The replicas that follow a backup.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::failure::Failure;
use crate::resolve::{self, Location};
use engine::replicate::{Follow, Follower, Followers, ReplicateOptions};
use engine::repo::Repo;
use jiff::{SignedDuration, Span};
use std::sync::Arc;
use std::time::Duration;

/// The remotes that were named, each once.
pub fn followers(context: &Context, names: &[String], first: &Location) -> Result<Vec<Follower>, Failure> {
    let mut followers: Vec<Follower> = Vec::new();
    let first = resolve::absolute(&first.url)?;
    for name in names {
        let url = context.remote(name)?.url;
        if url == first {
            return Err(Cause::AlsoIsFirst { name: name.clone() }.into());
        }
        if !followers.iter().any(|known| known.url == url) {
            let name = name.clone();
            followers.push(Follower { name, url });
        }
    }
    Ok(followers)
}

/// Starts them beside the backup; `wait` is how long they may go on once it has ended.
pub fn start(wait: Span, first: &Arc<Repo>, followers: Vec<Follower>) -> Result<Followers, Failure> {
    let wait = SignedDuration::try_from(wait);
    let wait = wait.map_err(|e| Cause::OptionValue {
        option: "--also-wait",
        why: e.to_string(),
    })?;
    let follow = Follow {
        options: ReplicateOptions {
            all: false,
            dry_run: false,
        },
        wait: Duration::try_from(wait).unwrap_or_default(),
    };
    Ok(Followers::start(first, followers, follow)?)
}
