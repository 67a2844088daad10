//! What all requests share.

use crate::browse::{self, Repos};
use crate::gate::Gate;
use crate::jobs::Jobs;
use crate::kept::KeptSpace;
use crate::opened::{Opened, OpenedSnapshot};
use crate::sessions::{Session, Sessions};
use crate::tokens::Tokens;
use jiff::Zoned;
use serde_json::Value;
use service::catalogue::Lang;
use service::repo::Repo;
use service::run::CancelToken;
use service::settings::Settings;
use service::{Context, Failure, notify};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Streams of events at once; each browser needs one.
const STREAMS_MAX: usize = 64;
/// For a form to be here as a whole.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests that are worked on at once; the others wait.
const WORKERS: usize = 16;

pub struct App {
    /// Environment, options and cancel token; its settings are those of the start.
    base: Context,
    /// What the Host of a request must be.
    pub hosts: Hosts,
    /// Names of the cookies: a browser gives those of one port to all ports of a machine.
    pub cookie: String,
    /// It is called by TLS.
    pub is_secure: bool,
    /// For a form to be here as a whole.
    pub patience: Duration,
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
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hosts {
    /// With their port, exactly like this.
    pub places: Vec<String>,
    /// With any port, since a tunnel or a router may begin at any.
    pub names: Vec<String>,
}

impl Hosts {
    /// Behind a Unix socket: this machine's names.
    pub fn of_this_machine() -> Hosts {
        Hosts {
            places: Vec::new(),
            names: ["127.0.0.1", "localhost", "[::1]"].map(String::from).to_vec(),
        }
    }

    pub fn have(&self, host: &str) -> bool {
        self.places.iter().any(|place| place == host) || self.have_name(host)
    }

    fn have_name(&self, host: &str) -> bool {
        // An IPv6 address has colons of its own, between brackets.
        let (name, port) = match host.split_once(']') {
            Some((_, port)) => host.split_at(host.len() - port.len()),
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let is_port = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let is_right = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        is_right && self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
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
            is_secure: false,
            patience: PATIENCE,
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

    /// Who sends this cookie, unless the session is over. What a page does by itself (`is_idle`) does not prolong it.
    pub fn session(&self, id: &str, is_idle: bool) -> Option<Arc<Session>> {
        if id.is_empty() {
            return None;
        }
        // While the file can't be read nobody gets in. That may pass, so that it does not end the session.
        let stamp = self.gate.stamp().ok().flatten()?;
        self.sessions.find(id, stamp, is_idle, Instant::now())
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

    /// For what happens while nobody asks.
    pub fn log_failure(&self, event: &str, failure: &Failure, fields: Value) {
        self.base.log().failure(event, failure, fields);
    }

    /// What the addresses of its pages begin with.
    pub fn scheme(&self) -> &'static str {
        match self.is_secure {
            true => "https://",
            false => "http://",
        }
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
        let hosts = Hosts {
            places: vec!["127.0.0.1:4280".into(), "localhost:4280".into()],
            names: Vec::new(),
        };
        assert!(hosts.have("localhost:4280") && !hosts.have("localhost") && !hosts.have("localhost:1"));
        let own = Hosts::of_this_machine();
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:80"] {
            assert!(own.have(host), "{host}");
        }
        for host in [
            "",
            "]",
            "[::1]]",
            "[::1",
            "[::1]x",
            "[::1]:",
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

    #[test]
    fn names_that_are_allowed() {
        let hosts = Hosts {
            places: Vec::new(),
            names: vec![
                "backup.example.jp".into(),
                "[2001:db8::1]".into(),
                "192.0.2.7".into(),
            ],
        };
        for host in [
            "backup.example.jp",
            "Backup.Example.JP:8443",
            "[2001:db8::1]:4280",
            "[2001:DB8::1]",
            "192.0.2.7:4280",
        ] {
            assert!(hosts.have(host), "{host}");
        }
        for host in [
            "example.jp",
            "backup.example.jp.",
            "backup.example.jp.evil.example",
            "evil-backup.example.jp",
            "backup.example.jp@evil.example",
            "backup.example.jp:x",
            "2001:db8::1",
            "192.0.2.77",
            "localhost",
        ] {
            assert!(!hosts.have(host), "{host}");
        }
    }
}
