//! What all requests share.

use crate::browse::{self, Repos};
use crate::gate::Gate;
use crate::jobs::Jobs;
use crate::kept::KeptSpace;
use crate::opened::{Opened, OpenedSnapshot};
use crate::sessions::Sessions;
use crate::tokens::Tokens;
use jiff::Zoned;
use service::catalogue::Lang;
use service::repo::Repo;
use service::run::CancelToken;
use service::settings::Settings;
use service::{Context, Failure, notify};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Streams of events at once; each browser needs one.
const STREAMS_MAX: usize = 64;
/// Requests that are worked on at once; the others wait.
const WORKERS: usize = 16;

pub struct App {
    /// Environment, options and cancel token; its settings are those of the start.
    base: Context,
    /// What the Host of a request must be.
    pub hosts: Hosts,
    /// Names of the cookies: a browser gives those of one port to all ports of a machine.
    pub cookie: String,
    pub gate: Gate,
    pub sessions: Sessions,
    pub tokens: Tokens,
    /// The crates in this program and their licences, one a line.
    pub licences: &'static str,
    pub jobs: Jobs,
    pub repos: Repos,
    pub space: KeptSpace,
    opened: Opened,
    pub streams: Arc<Semaphore>,
    pub workers: Arc<Semaphore>,
}

/// Names by which this console may be called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hosts {
    /// Exactly these.
    Listed(Vec<String>),
    /// Behind a Unix socket: this machine's names with any port, since a tunnel may begin at any.
    OfThisMachine,
}

impl Hosts {
    pub fn have(&self, host: &str) -> bool {
        match self {
            Hosts::Listed(names) => names.iter().any(|name| name == host),
            Hosts::OfThisMachine => {
                let (name, port) = match host.strip_prefix("[::1]") {
                    Some(rest) => ("[::1]", rest),
                    None => host.split_at(host.find(':').unwrap_or(host.len())),
                };
                let is_port = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                let is_right = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
                is_right && ["127.0.0.1", "localhost", "[::1]"].contains(&name)
            }
        }
    }
}

impl App {
    pub fn new(base: Context, hosts: Hosts, cookie: String) -> Result<App, Failure> {
        let base_dirs = base.dirs()?;
        let gate = Gate::of(&base_dirs);
        Ok(App {
            base,
            hosts,
            cookie,
            gate,
            sessions: Sessions::default(),
            tokens: Tokens::at(&base_dirs),
            licences: "",
            jobs: Jobs::default(),
            repos: Repos::default(),
            space: KeptSpace::default(),
            opened: Opened::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            workers: Arc::new(Semaphore::new(WORKERS)),
        })
    }

    /// With the settings as they are now, and the time.
    pub fn context(&self) -> Result<Context, Failure> {
        self.context_with(self.base.cancel().child())
    }

    /// The same for a job that is cancelled alone.
    pub fn context_with(&self, cancel: CancelToken) -> Result<Context, Failure> {
        let mut context = self.base.for_job(self.base.options.clone(), Zoned::now(), cancel);
        context.settings = Settings::read(&context.env)?;
        Ok(context)
    }

    /// For a job at one of the repositories, by the name of its remote; empty for the default repository.
    pub fn context_at(&self, remote: &str, cancel: CancelToken) -> Result<Context, Failure> {
        let mut context = self.context_with(cancel)?;
        if !remote.is_empty() {
            context.settings.named(remote)?;
            context.options.repo = Some(remote.into());
            context.options.repository_file = None;
        }
        Ok(context)
    }

    /// A repository, by the name of its remote. It outlives the request, and ends with the console.
    pub fn open(&self, remote: &str) -> Result<Arc<Repo>, Failure> {
        let context = self.context_with(self.cancel().child())?;
        self.repos.open(&context, remote)
    }

    /// A snapshot of it by its whole id, kept open for a while.
    pub fn snapshot(&self, remote: &str, id: &str) -> Result<Arc<OpenedSnapshot>, Failure> {
        let repo = self.open(remote)?;
        self.opened.open(repo, browse::id(id)?, Instant::now())
    }

    /// The language if neither the person nor, as it may be unreadable, the settings say which.
    pub fn lang(&self) -> Lang {
        notify::language(&self.base)
    }

    pub fn cancel(&self) -> &CancelToken {
        self.base.cancel()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        let listed = Hosts::Listed(vec!["127.0.0.1:4280".into(), "localhost:4280".into()]);
        assert!(listed.have("localhost:4280") && !listed.have("localhost") && !listed.have("localhost:1"));
        let own = Hosts::OfThisMachine;
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:80"] {
            assert!(own.have(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost:",
            "localhost:8a",
            "[::2]",
            "127.0.0.11",
        ] {
            assert!(!own.have(host), "{host}");
        }
    }
}
