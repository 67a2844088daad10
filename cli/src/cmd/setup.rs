//! `setup`: the guided start. Asks on the terminal, writes the settings, and ends with one real backup and one restored
//! file. The questions about a repository that is there are in [`opener`], those about mail in [`mail`].

mod mail;
mod opener;

use crate::output;
use crate::phrase::{Confirming, line};
use crate::terminal::Terminal;
use service::catalogue::report::schedule;
use service::catalogue::report::setup::{self as say, Ask};
use service::catalogue::{Cause, Lang, SetCause};
use service::face::Face;
use service::init::{self, Bounds};
use service::platform::process::user_name;
use service::resolve::{self, RepositoryOptions};
use service::runs::{Request, WhichSets};
use service::scheduler::SchedulerKind;
use service::secret::{Hidden, PasswordPrompt, SecretSource};
use service::setup::{self, Answers, SetupPlace};
use service::units::escape;
use service::{Context, Failure, Status, scheduler, sets};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where nothing else is said.
const SCHEDULE: &str = "daily 12:30";

pub fn run(terminal: &Terminal) -> Result<Status, Failure> {
    if !terminal.can_confirm() {
        return Err(SetCause::NobodySetsUp.into());
    }
    let guide = Guide { terminal };
    guide.tell(&say::welcome(terminal.lang));
    let sources = guide.sources()?;
    let destination = guide.destination()?;
    let answers = guide.make(sources, destination)?;
    guide.mail()?;
    let file = setup::write(&terminal.context.env, &answers)?;
    guide.tell(&say::settings_written(terminal.lang, &shown(&file)));
    guide.first_backup(&answers)?;
    let timer_failed = guide.timer(&answers)?;
    let context = setup::with_new_settings(&terminal.context)?;
    let remote = (!setup::is_usual(&context, &answers.remote)).then_some(answers.remote.as_str());
    guide.tell(&say::finished(terminal.lang, &answers.set, remote, timer_failed));
    Ok(Status::Completed)
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

struct Guide<'a> {
    terminal: &'a Terminal,
}

/// Where backups go.
enum DestinationAnswer {
    /// A remote of the settings.
    Remote(String),
    /// A repository that is there, and what opens it.
    Repository(String, SecretSource),
    Vacant(String),
}

/// What opens the repository that is to be made.
enum NewKey {
    /// It is made there.
    File(PathBuf),
    Password(Hidden),
}

impl Guide<'_> {
    fn lang(&self) -> Lang {
        self.terminal.lang
    }

    fn context(&self) -> &Context {
        &self.terminal.context
    }

    fn tell(&self, text: &str) {
        output::say(text);
    }

    fn tell_failure(&self, failure: &Failure) {
        self.tell(&escape(failure.text(self.lang()).as_bytes()));
    }

    /// A line; Enter alone is the default.
    fn ask(&self, ask: Ask, default: &str) -> Result<String, Failure> {
        let answer = line(&say::prompt(self.lang(), ask, default))?;
        Ok(match answer.is_empty() {
            true => default.to_string(),
            false => answer,
        })
    }

    /// One of a few words, of which the first is the default.
    fn choose(&self, ask: Ask, words: &[&'static str]) -> Result<&'static str, Failure> {
        self.choose_or(ask, words, words.first().unwrap_or(&""))
    }

    fn choose_or(&self, ask: Ask, words: &[&'static str], default: &str) -> Result<&'static str, Failure> {
        loop {
            let answer = self.ask(ask, default)?.to_lowercase();
            let found = words.iter().find(|word| word.starts_with(&answer));
            if let Some(word) = found {
                return Ok(word);
            }
            self.tell(&say::not_one_of(self.lang(), &words.join(", ")));
        }
    }

    fn sources(&self) -> Result<Vec<String>, Failure> {
        let mut sources: Vec<String> = Vec::new();
        loop {
            let answer = match sources.is_empty() {
                true => self.ask(Ask::Source, "~")?,
                false => self.ask(Ask::AnotherSource, "")?,
            };
            if answer.is_empty() {
                return Ok(sources);
            }
            let judged = sets::source(answer.as_ref()).and_then(|source| {
                let path = self.context().env.expand(source.as_ref())?;
                Ok((source, path))
            });
            let (source, path) = match judged {
                Ok(judged) => judged,
                Err(failure) => {
                    self.tell_failure(&failure);
                    continue;
                }
            };
            match path.symlink_metadata() {
                Ok(_) if sources.contains(&source) => {}
                Ok(_) => sources.push(source),
                Err(_) => self.tell(&say::no_such_source(self.lang(), &shown(&path))),
            }
        }
    }

    /// What a new remote is called.
    fn remote_name(&self) -> String {
        let settings = &self.context().settings;
        setup::free_name("main", |name| settings.remote(name).is_some())
    }

    /// A place that was tried and found good.
    fn destination(&self) -> Result<DestinationAnswer, Failure> {
        let usual = resolve::usual(&self.context().env, &Default::default())?;
        loop {
            let answer = self.ask(Ask::Destination, &usual.url)?;
            match setup::destination(self.context(), &answer) {
                Ok(SetupPlace::Remote { name }) => return Ok(DestinationAnswer::Remote(name)),
                Ok(SetupPlace::Vacant { url }) => return Ok(DestinationAnswer::Vacant(url)),
                Ok(SetupPlace::Repository { url, key }) => {
                    if let Some(source) = self.opener((&url, key), &self.remote_name())? {
                        return Ok(DestinationAnswer::Repository(url, source));
                    }
                }
                Err(failure) => {
                    self.tell_failure(&failure);
                    self.tell(&say::try_another(self.lang()));
                }
            }
        }
    }

    /// The remaining questions; then makes the repository, if there is none.
    fn make(&self, sources: Vec<String>, destination: DestinationAnswer) -> Result<Answers, Failure> {
        let free = self.remote_name();
        let (remote, place, schedule) = match destination {
            DestinationAnswer::Remote(name) => (name, None, self.schedule()?),
            DestinationAnswer::Repository(url, source) => (free, Some((url, source)), self.schedule()?),
            DestinationAnswer::Vacant(url) => {
                let key = self.key(&free)?;
                let schedule = self.schedule()?;
                let source = self.init(&url, &free, key)?;
                (free, Some((url, source)), schedule)
            }
        };
        let (set, is_new_set) = setup::set_for(self.context(), &sources, &remote);
        Ok(Answers {
            remote,
            place,
            set,
            is_new_set,
            sources,
            schedule,
        })
    }

    /// What opens the repository that is to be made.
    fn key(&self, remote: &str) -> Result<NewKey, Failure> {
        let env = &self.context().env;
        loop {
            if self.choose(Ask::Key, &["key", "password"])? == "key" {
                return Ok(NewKey::File(setup::key_path(env, remote)?));
            }
            self.say_where_password(remote)?;
            let password = self.new_password()?;
            match password.expose().is_empty() {
                false => return Ok(NewKey::Password(password)),
                true => self.tell_failure(&Cause::EmptyPassword.into()),
            }
        }
    }

    /// Before a password is typed: who does not want it in a file can still choose something else.
    fn say_where_password(&self, name: &str) -> Result<(), Failure> {
        let path = setup::password_path(&self.context().env, name)?;
        self.tell(&say::password_stored(self.lang(), &shown(&path)));
        Ok(())
    }

    /// A password that was typed twice alike.
    fn new_password(&self) -> Result<Hidden, Failure> {
        loop {
            match self.terminal.password(PasswordPrompt::First) {
                Ok(password) => return password.ok_or_else(|| Cause::NoFirstPassword.into()),
                Err(failure) if matches!(failure.cause, Cause::PasswordsDiffer) => {
                    self.tell_failure(&failure);
                    self.tell(&say::try_another(self.lang()));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn schedule(&self) -> Result<String, Failure> {
        loop {
            let schedule = self.ask(Ask::Schedule, SCHEDULE)?;
            match setup::check_schedule(&schedule) {
                Ok(()) => return Ok(schedule),
                Err(failure) => self.tell_failure(&failure),
            }
        }
    }

    /// Makes the repository, and returns what runs open it with. A password is written down when it opens something: who
    /// leaves at the recovery phrase leaves no file behind.
    fn init(&self, url: &str, remote: &str, key: NewKey) -> Result<SecretSource, Failure> {
        let context = self.context();
        let mut options = RepositoryOptions {
            repo: Some(url.into()),
            ..RepositoryOptions::default()
        };
        let face = match &key {
            NewKey::File(path) => {
                options.key_file = Some(path.clone().into_os_string());
                Confirming::new(self.terminal)
            }
            NewKey::Password(password) => {
                // No secret of the environment takes its place.
                options.key_file = Some(OsString::new());
                options.password_file = Some(OsString::new());
                Confirming::with_password(self.terminal, password.clone())
            }
        };
        let job = context.for_job(options, context.now.clone(), context.cancel().child());
        let request = init::Request {
            recovery_phrase: true,
            bounds: Bounds::DEFAULT,
            parity: None,
        };
        init::run(&job, &request, &face)?;
        Ok(match key {
            NewKey::File(path) => SecretSource::KeyFile(path),
            NewKey::Password(password) => {
                SecretSource::PasswordFile(setup::keep_password(&context.env, remote, &password)?)
            }
        })
    }

    fn first_backup(&self, answers: &Answers) -> Result<(), Failure> {
        let terminal = Terminal {
            global: self.terminal.global.clone(),
            context: setup::with_new_settings(self.context())?,
            lang: self.lang(),
        };
        let request = Request {
            which: WhichSets::Named(vec![answers.set.clone()]),
            wait: true,
            dry_run: false,
            allow_empty: false,
        };
        // What is incomplete was told, and the next run tries again.
        super::run::call(&terminal, &request)?;
        let options = RepositoryOptions {
            repo: Some(answers.remote.clone().into()),
            ..RepositoryOptions::default()
        };
        let context = &terminal.context;
        let job = context.for_job(options, context.now.clone(), context.cancel().child());
        let proven = setup::prove(&job, &answers.set, &terminal)?;
        self.tell(&match proven {
            Some(path) => say::proven(self.lang(), &shown(&path)),
            None => say::nothing_to_prove(self.lang()),
        });
        Ok(())
    }

    /// Has the system start backups, or says how to. Whether that failed.
    fn timer(&self, answers: &Answers) -> Result<bool, Failure> {
        if answers.schedule == "manual" {
            return Ok(false);
        }
        let program = super::schedule::program()?;
        let (why, failed) = match self.choose(Ask::Timer, &["yes", "no"])? {
            "no" => (say::not_wanted(self.lang()).to_string(), false),
            _ => {
                let (env, kind) = (&self.context().env, SchedulerKind::here());
                match scheduler::install(kind, &program, env) {
                    Ok(place) => {
                        let text = schedule::installed(self.lang(), kind, &shown(&place), false);
                        self.tell(&text);
                        let (machine, user) = (self.context().machine(), user_name());
                        self.tell(&schedule::ticks(self.lang(), machine.lingers(&user), &user));
                        return Ok(false);
                    }
                    Err(failure) => (failure.cause.without_advice(self.lang()), true),
                }
            }
        };
        let cron = scheduler::cron::line(&program)?;
        self.tell(&say::no_timer(self.lang(), &why, &cron));
        Ok(failed)
    }
}
