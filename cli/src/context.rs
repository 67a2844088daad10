//! What every command starts from: options and environment of this run, and from them an opened repository.

use crate::args::Global;
use crate::env::Env;
use crate::exit::{Code, Failure};
use crate::output;
use crate::resolve::{self, Location};
use crate::secret::{self, Ask, Source};
use crate::signals;
use engine::repo::Repo;
use engine::run::{Bandwidth, Link, LocalDirs, RunContext};
use engine::{Error, StoreError, cache, key};
use jiff::Zoned;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

fn is_usable(cache: &Path) -> bool {
    use rustix::fs::{Access, access};
    cache::make_root(cache).is_ok() && access(cache, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// `None` where there is nowhere to write at all.
fn temporary_dir(env: &Env) -> Option<TempDir> {
    let given = env.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = [std::env::temp_dir()].into_iter().chain(given);
    let mut places = places.chain(["/var/tmp", "/dev/shm"].map(PathBuf::from));
    places.find_map(|place| {
        tempfile::Builder::new()
            .prefix("dedup-cache.")
            .tempdir_in(place)
            .ok()
    })
}

/// How often a password is asked for.
const PROMPTS: u32 = 3;

pub struct Context {
    pub global: Global,
    pub env: Env,
    /// The run's one "now", in the local time zone.
    pub now: Zoned,
    local: OnceLock<Local>,
    link: Link,
}

struct Local {
    dirs: LocalDirs,
    /// Removed when the run ends.
    temporary: Option<TempDir>,
}

impl Context {
    pub fn new(global: Global) -> Context {
        Context {
            global,
            env: Env::of_process(),
            now: Zoned::now(),
            local: OnceLock::new(),
            link: Link {
                bandwidth: Bandwidth::unlimited(),
                cancel: signals::cancel_token(),
            },
        }
    }

    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Prose may be printed: neither JSON nor quiet was asked for.
    pub fn talks(&self) -> bool {
        !self.global.json && !self.global.quiet
    }

    /// Seconds since 1970.
    pub fn now_secs(&self) -> i64 {
        self.now.timestamp().as_second()
    }

    /// Where local files go. They are made here, for their owner only. Whoever only reads can do without: then a
    /// directory that goes with this run is the cache.
    pub fn dirs(&self) -> Result<LocalDirs, Failure> {
        let cache = resolve::or_nowhere(resolve::cache_dir(&self.env)?, &self.env);
        let state = resolve::or_nowhere(resolve::state_dir(&self.env)?, &self.env);
        let made = self.local.get_or_init(|| {
            // That this fails is told when something must be noted.
            let _ = cache::make_root(&state);
            let temporary = match is_usable(&cache) {
                true => None,
                false => temporary_dir(&self.env),
            };
            let cache = temporary.as_ref().map_or(cache, |dir| dir.path().to_path_buf());
            let dirs = LocalDirs { cache, state };
            Local { dirs, temporary }
        });
        Ok(made.dirs.clone())
    }

    /// What this run opens repositories with. The first signal cancels it.
    pub fn run(&self) -> Result<RunContext, Failure> {
        Ok(RunContext {
            dirs: self.dirs()?,
            link: self.link.clone(),
        })
    }

    /// What was made of local files meanwhile is its owner's only, too.
    pub fn tighten(&self) {
        if let Some(Local { dirs, temporary }) = self.local.get() {
            if temporary.is_none() {
                cache::tighten(&dirs.cache);
            }
            cache::tighten(&dirs.state);
        }
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    pub fn location(&self) -> Result<Location, Failure> {
        resolve::location(&self.global, &self.env)
    }

    /// Opens the repository. One that isn't there is told before any secret is read or asked for.
    pub fn open(&self) -> Result<Repo, Failure> {
        self.open_at(&self.location()?)
    }

    pub fn open_at(&self, location: &Location) -> Result<Repo, Failure> {
        self.open_while(location, &mut || Ok(()))
    }

    /// The same; `begin` is called once, when everything that the user is asked for is there and opening takes its time.
    pub fn open_while(
        &self,
        location: &Location,
        begin: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<Repo, Failure> {
        let sources = resolve::opening(&self.global, &self.env, location)?;
        self.open_by(location, sources, begin)
    }

    /// Opens a repository by the first of these that fits.
    pub fn open_with(&self, location: &Location, sources: Vec<Source>) -> Result<Repo, Failure> {
        self.open_by(location, sources, &mut || Ok(()))
    }

    fn open_by(
        &self,
        location: &Location,
        sources: Vec<Source>,
        begin: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<Repo, Failure> {
        let found = Repo::look(&location.url, &self.run()?)?;
        let (mut refused, mut begun) = (None, false);
        // Who mistypes a password is asked again.
        let tries = |source: Source| {
            let times = if source == Source::Prompt { PROMPTS } else { 1 };
            (1..=times).map(move |nr| (source.clone(), nr))
        };
        for (source, nr) in sources.into_iter().flat_map(tries) {
            match nr {
                1 if source == Source::Prompt => self.explain_prompt(location)?,
                1 => {}
                _ => output::say("dedup: wrong password; try again"),
            }
            let secret = secret::read(&source, Ask::Known)?;
            let secret = self.kept(&source, unlocking(&secret)?)?;
            if !std::mem::replace(&mut begun, true) {
                begin()?;
            }
            match found.open(&secret) {
                Err(Error::Store(StoreError::WrongKey)) => refused = Some(StoreError::WrongKey),
                opened => return Ok(opened?),
            }
        }
        Err(Error::Store(refused.unwrap_or(StoreError::WrongKey)).into())
    }

    /// What a password that lies on this machine opens may be kept by the kernel. One that was typed, or that a command
    /// had to be asked for, is needed each time.
    fn kept(&self, source: &Source, secret: key::Secret) -> Result<key::Secret, Failure> {
        Ok(match (source, secret) {
            (Source::Password(_) | Source::PasswordFile(_), key::Secret::Password(password)) => {
                key::Secret::Password(password.kept_for(resolve::key_cache(&self.env)?))
            }
            (_, secret) => secret,
        })
    }

    /// The embedded repository is opened by a key file: that it is gone explains why a password is asked for.
    fn explain_prompt(&self, location: &Location) -> Result<(), Failure> {
        if location.embedded {
            let file = resolve::default_key(&self.env)?;
            output::say(&format!(
                "dedup: there is no key file at {}: give another key, a password or the recovery phrase",
                file.display()
            ));
        }
        Ok(())
    }
}

/// What the engine takes for what was read. Text that can't be a key or phrase opens nothing.
pub fn unlocking(secret: &secret::Secret) -> Result<key::Secret, Failure> {
    let useless = |e: StoreError| Failure::new(Code::WrongKey, e.to_string());
    match secret {
        secret::Secret::Password(password) => {
            Ok(key::Secret::Password(key::Password::new(password.expose())))
        }
        secret::Secret::KeyFile(path) => read_key_file(path),
        secret::Secret::Phrase(phrase) => key::parse_phrase(phrase.expose()).map_err(useless),
    }
}

pub fn read_key_file(path: &Path) -> Result<key::Secret, Failure> {
    let text = secret::read_file("the key file", path)?;
    key::parse_key_file(&text).map_err(|e| Failure::new(Code::WrongKey, format!("{}: {e}", path.display())))
}
