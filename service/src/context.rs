//! What every job starts from: settings, environment and the repository that was asked for, and from them an opened
//! repository.

use crate::catalogue::{Cause, Lang, SetCause};
use crate::credential;
use crate::env::Env;
use crate::face::{Face, Notice};
use crate::failure::Failure;
use crate::following::{self, Follower};
use crate::limits::surroundings::Machine;
use crate::limits::upkeep::{GivenRates, Upkeep};
use crate::log::{self, Log, LogLevel};
use crate::machine;
use crate::redact::Redactor;
use crate::resolve::{self, Location, RepositoryOptions};
use crate::secret::{PasswordPrompt, SecretSource};
use crate::settings::{self, Settings};
use engine::platform::process;
use engine::repo::{Found, Repo};
use engine::run::{CancelToken, Link, LocalDirs, RunContext};
use engine::{Error, StoreError, cache, key};
use jiff::{Timestamp, Zoned};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;

/// How often a password is asked for.
const PROMPTS: u32 = 3;

pub struct Context {
    pub env: Env,
    pub settings: Settings,
    /// The repository that was asked for, and what was given to open it.
    pub options: RepositoryOptions,
    /// The job's one "now", in the local time zone.
    pub now: Zoned,
    /// The language that was asked for; otherwise settings and locale decide.
    pub lang: Option<Lang>,
    /// Rates that were asked for; otherwise the settings decide.
    pub rates: GivenRates,
    /// The moment at which policies are applied in a dry run, if not now.
    pub simulate: Option<Timestamp>,
    /// The settings file is of no use, and the settings are the defaults: for who says so, and what else is wrong.
    pub unusable_settings: Option<Failure>,
    local: OnceLock<LocalFiles>,
    log: OnceLock<Log>,
    /// A repository may have been opened, here or by a job, and files made in its cache.
    is_cache_used: Arc<AtomicBool>,
    upkeep: Upkeep,
    cancel: CancelToken,
}

struct LocalFiles {
    dirs: LocalDirs,
    /// Removed when the process ends.
    temporary: Option<TempDir>,
}

impl Context {
    /// `cancel` ends what is done from here, at its next safe point.
    pub fn new(
        env: Env,
        settings: Settings,
        options: RepositoryOptions,
        now: Zoned,
        cancel: CancelToken,
    ) -> Context {
        Context {
            env,
            settings,
            options,
            now,
            lang: None,
            rates: GivenRates::default(),
            simulate: None,
            unusable_settings: None,
            local: OnceLock::new(),
            log: OnceLock::new(),
            is_cache_used: Arc::default(),
            upkeep: Upkeep::default(),
            cancel,
        }
    }

    /// The same for a job of its own: with another repository and another "now", and cancelled alone. Both share the
    /// bandwidth and the processor.
    pub fn for_job(&self, options: RepositoryOptions, now: Zoned, cancel: CancelToken) -> Context {
        let mut context = Context::new(self.env.clone(), self.settings.clone(), options, now, cancel);
        context.lang = self.lang;
        context.rates = self.rates.clone();
        context.upkeep = self.upkeep.clone();
        context.is_cache_used = self.is_cache_used.clone();
        context
    }

    /// Seconds since 1970.
    pub fn now_secs(&self) -> i64 {
        self.now.timestamp().as_second()
    }

    /// Where local files go. They are made here, for their owner only. A job that only reads can do without: then a
    /// directory that goes with this process is the cache.
    pub fn dirs(&self) -> Result<LocalDirs, Failure> {
        let cache = machine::or_nowhere(machine::cache_dir(&self.env)?, &self.env);
        let state = machine::or_nowhere(machine::state_dir(&self.env)?, &self.env);
        let made = self.local.get_or_init(|| {
            // That this fails is reported when something must be noted.
            let _ = cache::make_root(&state);
            let temporary = match is_usable(&cache) {
                true => None,
                false => temporary_dir(&self.env),
            };
            let cache = temporary.as_ref().map_or(cache, |dir| dir.path().to_path_buf());
            let dirs = LocalDirs { cache, state };
            LocalFiles { dirs, temporary }
        });
        Ok(made.dirs.clone())
    }

    /// What repositories are opened with.
    pub fn run(&self) -> Result<RunContext, Failure> {
        let limits = &self.settings.limits;
        self.is_cache_used.store(true, Relaxed);
        self.upkeep.begin(limits, &self.rates, self.machine());
        Ok(RunContext {
            dirs: self.dirs()?,
            link: Link {
                bandwidth: self.upkeep.bandwidth().clone(),
                local: self.upkeep.local(limits),
                proxy: limits.proxy.as_ref().map(|proxy| proxy.0.clone()),
                cancel: self.cancel.clone(),
                // Only what adds data is held to them.
                ..Link::default()
            },
            host: self.host(None)?,
            user: String::new(),
            now: self.now.timestamp(),
            threads: None,
            cpu: self.upkeep.cpu().clone(),
        })
    }

    /// The name that this machine has in snapshots.
    pub fn host(&self, option: Option<&str>) -> Result<String, Failure> {
        machine::host(option, &self.env, self.settings.host.as_deref())
    }

    /// The same for what adds data to repositories: none of them grows beyond its quota.
    pub fn run_within_quotas(&self) -> Result<RunContext, Failure> {
        let mut run = self.run()?;
        let mut quotas = BTreeMap::new();
        for remote in &self.settings.remotes {
            if let Some(quota) = remote.quota {
                quotas.insert(remote.url.clone(), quota);
                quotas.insert(resolve::absolute(&remote.url)?, quota);
            }
        }
        run.link.quotas = Arc::new(quotas);
        Ok(run)
    }

    /// Ends what is done from here, at its next safe point.
    pub fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// What the machine says of itself.
    pub fn machine(&self) -> Machine {
        Machine::of(&self.env)
    }

    /// Where this machine's log is written.
    pub fn log(&self) -> &Log {
        self.log.get_or_init(|| {
            // A value that makes no sense was refused when the program started.
            let level = log::level(&self.env).unwrap_or(LogLevel::Info);
            let redactor = Redactor::of_environment(&self.env);
            Log::new(self.dirs().ok().as_ref(), level, redactor)
        })
    }

    /// Gives local files that were made since then to their owner only, too.
    pub fn tighten(&self) {
        if let Some(LocalFiles { dirs, temporary }) = self.local.get() {
            // Looking through the cache is not for a run that finds nothing due.
            if temporary.is_none() && self.is_cache_used.load(Relaxed) {
                cache::tighten(&dirs.cache);
            }
            cache::tighten(&dirs.state);
        }
    }

    /// The repository that was asked for.
    pub fn location(&self) -> Result<Location, Failure> {
        resolve::location(&self.options, &self.env, &self.settings)
    }

    /// What the repository that was asked for is called: the remote's name, or its URL without passwords.
    pub fn repository_name(&self) -> Option<String> {
        // Which one it is says the job, if that is wrong.
        let url = self.location().ok()?.url;
        let named = self.settings.remotes.iter().find(|remote| remote.url == url);
        Some(named.map_or_else(|| engine::repo::shown(&url), |remote| remote.name.clone()))
    }

    /// Refuses where the settings say that this machine removes nothing from the repository that was asked for.
    pub fn may_remove(&self) -> Result<(), Failure> {
        // That the location is wrong says who opens it.
        let Ok(location) = self.location() else {
            return Ok(());
        };
        let url = resolve::absolute(&location.url)?;
        let mut kept = self.settings.remotes.iter().filter(|remote| remote.append_only);
        match kept.find(|remote| remote.url == url) {
            Some(remote) => {
                let name = remote.name.clone();
                Err(SetCause::AppendOnly { name }.into())
            }
            None => Ok(()),
        }
    }

    /// A remote beside it, by name or URL.
    pub fn remote(&self, name_or_url: &str) -> Result<Location, Failure> {
        resolve::remote(name_or_url, &self.env, &self.settings)
    }

    /// Opens the repository. One that isn't there is reported before any secret is read or asked for.
    pub fn open(&self, face: &dyn Face) -> Result<Repo, Failure> {
        self.open_at(&self.location()?, face)
    }

    pub fn open_at(&self, location: &Location, face: &dyn Face) -> Result<Repo, Failure> {
        self.open_while(location, &self.run()?, face, &mut || Ok(()))
    }

    /// The same for a run of its own. `begin` is called once, when all questions are answered and opening takes its time.
    pub(crate) fn open_while(
        &self,
        location: &Location,
        run: &RunContext,
        face: &dyn Face,
        begin: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<Repo, Failure> {
        let sources = resolve::opening(&self.options, &self.env, location)?;
        self.open_by((location, run), sources, face, begin)
    }

    /// Opens a repository by the first of these that fits.
    pub fn open_with(
        &self,
        location: &Location,
        sources: Vec<SecretSource>,
        face: &dyn Face,
    ) -> Result<Repo, Failure> {
        self.open_by((location, &self.run()?), sources, face, &mut || Ok(()))
    }

    fn open_by(
        &self,
        (location, run): (&Location, &RunContext),
        sources: Vec<SecretSource>,
        face: &dyn Face,
        begin: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<Repo, Failure> {
        let found = self.look_at(location, run)?;
        let mut begun = false;
        // Who mistypes a password is asked again.
        let tries = |source: SecretSource| {
            let times = if source == SecretSource::Prompt {
                PROMPTS
            } else {
                1
            };
            (1..=times).map(move |nr| (source.clone(), nr))
        };
        for (source, nr) in sources.into_iter().flat_map(tries) {
            match nr {
                1 if source == SecretSource::Prompt => self.explain_prompt(location, face)?,
                1 => {}
                _ => face.notice(&Notice::WrongPassword),
            }
            let secret = credential::read(&source, PasswordPrompt::Known, face)?;
            let secret = self.kept(&source, credential::unlocking(&secret)?)?;
            if !std::mem::replace(&mut begun, true) {
                begin()?;
            }
            match found.open(&secret) {
                Err(Error::Store(StoreError::WrongKey)) => {}
                opened => return Ok(opened?),
            }
        }
        Err(Error::Store(StoreError::WrongKey).into())
    }

    /// Whether there is a repository, which needs no secret.
    pub(crate) fn look(&self, location: &Location) -> Result<(), Failure> {
        self.look_at(location, &self.run()?).map(drop)
    }

    fn look_at(&self, location: &Location, run: &RunContext) -> Result<Found, Failure> {
        Repo::look(&location.url, run).map_err(|e| self.not_found(location, e))
    }

    /// Why a repository can't be opened. Where there is none, and nothing names it or its name is misspelt, a remote of the
    /// settings may be meant.
    fn not_found(&self, location: &Location, error: Error) -> Failure {
        let is_missing = matches!(error, Error::Store(StoreError::NoRepository { .. }));
        let failure = self.of_follower(location, error.into());
        let remotes: Vec<&str> = self
            .settings
            .remotes
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let meant = match location.embedded {
            _ if !is_missing => None,
            true => Some(remotes.join(", ")).filter(|names| !names.is_empty()),
            false if settings::is_name(&location.url) => settings::nearest(&location.url, &remotes),
            false => None,
        };
        match meant {
            Some(names) => Failure {
                cause: failure.cause.followed_by(Cause::MeantRemote { names }),
                ..failure
            },
            None => failure,
        }
    }

    /// Where a set has a replica, a new repository would only be in the way.
    fn of_follower(&self, location: &Location, failure: Failure) -> Failure {
        let named = self.settings.remotes.iter().find(|one| one.url == location.url);
        let follows = named.and_then(|one| Some((one, following::followed(&self.settings, &one.name)?.1)));
        let (Some((one, first)), Ok(dirs)) = (follows, self.dirs()) else {
            return failure;
        };
        let follower = Follower {
            of: Some(&first.name),
            name: &one.name,
            url: &one.url,
        };
        follower.explained(&dirs, failure)
    }

    /// The kernel may keep what a password that lies on this machine opens. One that was typed, or that a command had
    /// to be asked for, is needed each time.
    fn kept(&self, source: &SecretSource, secret: key::Secret) -> Result<key::Secret, Failure> {
        Ok(match (source, secret) {
            (SecretSource::Password(_) | SecretSource::PasswordFile(_), key::Secret::Password(password)) => {
                key::Secret::Password(password.kept_for(machine::key_cache(&self.env)?))
            }
            (_, secret) => secret,
        })
    }

    /// The embedded repository is opened by a key file: that it is gone explains why a password is asked for.
    fn explain_prompt(&self, location: &Location, face: &dyn Face) -> Result<(), Failure> {
        if location.embedded {
            face.notice(&Notice::NoKeyFile(&resolve::default_key(&self.env)?));
        }
        Ok(())
    }
}

fn is_usable(cache: &Path) -> bool {
    cache::make_root(cache).is_ok() && process::may_write_in(cache)
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

/// Whether all of the environment is valid. Checked before a command begins, even one that needs nothing of it:
/// what is wrong and passed over is something that somebody relies on.
pub fn check_environment(env: &Env) -> Result<(), Failure> {
    for name in ["DEDUP_REPOSITORY", "DEDUP_FROM_REPOSITORY"] {
        if let Some(url) = env.text(name)? {
            let checked = engine::repo::check_location(url);
            checked.map_err(|e| Failure::from(e).of(name))?;
        }
    }
    for name in ["DEDUP_PASSWORD", "DEDUP_NEW_PASSWORD", "DEDUP_FROM_PASSWORD"] {
        env.text(name)?;
        resolve::descriptor(env, &format!("{name}_FD"))?;
    }
    env.text("DEDUP_HOST")?;
    machine::progress_interval(env)?;
    log::level(env)?;
    machine::key_cache(env)?;
    machine::checkpoint(env).map(drop)
}
