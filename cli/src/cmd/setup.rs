//! `setup`: the guided start. Asks on the terminal, writes the settings, and ends with one real backup and one restored
//! file.

use crate::output;
use crate::phrase::{Confirming, line};
use crate::terminal::Terminal;
use service::catalogue::report::schedule;
use service::catalogue::report::setup::{self as say, Ask};
use service::catalogue::{Cause, Lang, SetCause};
use service::face::Face;
use service::init::{self, Bounds};
use service::notify;
use service::notify::channel::ChannelKind;
use service::platform::process::user_name;
use service::resolve::{self, RepositoryOptions};
use service::runs::{Request, WhichSets};
use service::scheduler::SchedulerKind;
use service::secret::{Hidden, PasswordPrompt, SecretSource};
use service::setup::{self, Answers, MailAnswers, SetupPlace};
use service::units::escape;
use service::{Context, Failure, Status, scheduler, sets};
use std::path::Path;

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

    /// One of a few words.
    fn choose(&self, ask: Ask, words: &[&'static str]) -> Result<&'static str, Failure> {
        loop {
            let answer = self.ask(ask, words.first().unwrap_or(&""))?.to_lowercase();
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

    /// A place that was tried and found good.
    fn destination(&self) -> Result<SetupPlace, Failure> {
        let usual = resolve::usual(&self.context().env, &Default::default())?;
        loop {
            let answer = self.ask(Ask::Destination, &usual.url)?;
            match setup::destination(self.context(), &answer) {
                Ok(found) => return Ok(found),
                Err(failure) => {
                    self.tell_failure(&failure);
                    self.tell(&say::try_another(self.lang()));
                }
            }
        }
    }

    /// The remaining questions; then makes the repository, if there is none.
    fn make(&self, sources: Vec<String>, destination: SetupPlace) -> Result<Answers, Failure> {
        let (env, settings) = (&self.context().env, &self.context().settings);
        let free = setup::free_name("main", |name| settings.remote(name).is_some());
        let (remote, place, schedule) = match destination {
            SetupPlace::Remote { name } => (name, None, self.schedule()?),
            SetupPlace::Embedded { url, key } => {
                (free, Some((url, SecretSource::KeyFile(key))), self.schedule()?)
            }
            SetupPlace::Vacant { url } => {
                let key = self.key(&free)?;
                let schedule = self.schedule()?;
                self.init(&url, &key)?;
                (free, Some((url, key)), schedule)
            }
        };
        let first = sources.first().map_or("", String::as_str);
        let set = setup::free_name(&setup::set_name(env, first), |name| settings.set(name).is_some());
        Ok(Answers {
            remote,
            place,
            set,
            sources,
            schedule,
        })
    }

    /// What opens the repository that is to be made.
    fn key(&self, remote: &str) -> Result<SecretSource, Failure> {
        let env = &self.context().env;
        Ok(match self.choose(Ask::Key, &["key", "password"])? {
            "password" => {
                let password = self.terminal.password(PasswordPrompt::First)?;
                let password = password.filter(|password| !password.expose().is_empty());
                let password = password.ok_or(Cause::EmptyPassword)?;
                SecretSource::PasswordFile(setup::keep_password(env, remote, &password)?)
            }
            _ => SecretSource::KeyFile(setup::key_path(env, remote)?),
        })
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

    fn init(&self, url: &str, key: &SecretSource) -> Result<(), Failure> {
        let context = self.context();
        let options = RepositoryOptions {
            repo: Some(url.into()),
            password_file: path_of(key, |key| matches!(key, SecretSource::PasswordFile(_))),
            key_file: path_of(key, |key| matches!(key, SecretSource::KeyFile(_))),
            ..RepositoryOptions::default()
        };
        let job = context.for_job(options, context.now.clone(), context.cancel().child());
        let request = init::Request {
            recovery_phrase: true,
            bounds: Bounds::DEFAULT,
            parity: None,
        };
        let made = init::run(&job, &request, &Confirming(self.terminal));
        if let (Err(_), SecretSource::PasswordFile(path)) = (&made, key) {
            // It opens nothing; that it can't be removed is less than why we are here.
            let _ = std::fs::remove_file(path);
        }
        made.map(drop)
    }

    /// Who is told of failures, tried with a test mail.
    fn mail(&self) -> Result<(), Failure> {
        let context = self.context();
        if context.settings.notify.mail.is_some() {
            return Ok(());
        }
        let to = self.ask(Ask::Mail, "")?;
        if to.is_empty() {
            return Ok(());
        }
        let host = to.rsplit('@').next().unwrap_or_default();
        loop {
            let server = self.ask(Ask::MailServer, &format!("smtp.{host}"))?;
            let tls = self.choose(Ask::MailTls, &["starttls", "implicit", "none"])?;
            let port = self.ask(Ask::MailPort, if tls == "implicit" { "465" } else { "587" })?;
            let user = self.ask(Ask::MailUser, "")?;
            let password_file = match user.is_empty() {
                true => None,
                false => {
                    let password = self.terminal.password(PasswordPrompt::Known)?;
                    let password = password.unwrap_or_else(|| Hidden::new(""));
                    Some(setup::keep_password(&context.env, "smtp", &password)?)
                }
            };
            let mail = MailAnswers {
                to: to.clone(),
                server,
                port,
                tls: tls.to_string(),
                user,
                password_file,
            };
            let done = setup::write_mail(&context.env, &mail).and_then(|()| self.test_mail());
            match done {
                Ok(None) => {
                    self.tell(&say::mail_sent(self.lang(), &escape(to.as_bytes())));
                    return Ok(());
                }
                Ok(Some(why)) => {
                    self.tell(&say::mail_failed(self.lang(), &escape(why.as_bytes())));
                    setup::remove_mail(&context.env)?;
                }
                Err(failure) => self.tell_failure(&failure),
            }
            if let Some(path) = &mail.password_file {
                // It was for a server that is not used.
                let _ = std::fs::remove_file(path);
            }
            if self.choose(Ask::MailAgain, &["yes", "no"])? == "no" {
                return Ok(());
            }
        }
    }

    /// Why the test mail was not sent.
    fn test_mail(&self) -> Result<Option<String>, Failure> {
        let context = setup::with_new_settings(self.context())?;
        let reports = notify::test(&context, Some(ChannelKind::Mail))?;
        Ok(reports.into_iter().find_map(|report| report.done.err()))
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

fn path_of(key: &SecretSource, is_meant: impl Fn(&SecretSource) -> bool) -> Option<std::ffi::OsString> {
    match key {
        SecretSource::PasswordFile(path) | SecretSource::KeyFile(path) if is_meant(key) => {
            Some(path.clone().into_os_string())
        }
        _ => None,
    }
}
