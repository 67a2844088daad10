//! The command line: what was typed ([`args`]) becomes a request to `service` ([`cmd`]), its report text or JSON
//! ([`render`]), and its status an exit code and at most one line of error ([`exit`]).

pub mod args;
pub mod cmd;
pub mod complete;
pub mod exit;
pub mod limits;
pub mod outfile;
pub mod output;
pub mod phrase;
pub mod progress;
pub mod render;
pub mod signals;
pub mod terminal;
mod usage;

use args::{Cli, Command};
use clap::FromArgMatches;
use exit::Code;
use jiff::Zoned;
use service::catalogue::Lang;
use service::env::Env;
use service::limits::upkeep::GivenRates;
use service::log::LogLevel;
use service::resolve::RepositoryOptions;
use service::settings::{PROFILE, Settings};
use service::{Context, Failure, Status, platform, when};
use std::io::Write;
use std::process::ExitCode;
use terminal::Terminal;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs what the process was asked to do.
pub fn main() -> ExitCode {
    if let Some(code) = platform::child::launch() {
        return code;
    }
    // The allocator begins more memory than it uses.
    platform::process::avoid_huge_pages();
    if let Err(e) = signals::outlive() {
        output::say(&format!("dedup: can't watch for signals: {e}"));
    }
    let parsed = args::parser().try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error, lang),
    };
    let json = cli.global.json;
    let lang = lang(cli.global.lang.as_deref());
    match run(cli, lang) {
        Ok(status) => Code::from(status).into(),
        Err(failure) => {
            // If standard error is closed, there is no one to report it to; the code still shows it.
            let _ = writeln!(std::io::stderr(), "{}", exit::line(&failure, lang, json));
            Code::from(failure.status).into()
        }
    }
}

/// The language that was asked for, or else that of the locale.
fn lang(option: Option<&str>) -> Lang {
    let given = option.and_then(Lang::from_code);
    given.unwrap_or_else(|| Lang::of_locale(&Env::of_process()))
}

fn run(cli: Cli, lang: Lang) -> Result<Status, Failure> {
    let mut env = Env::of_process();
    if let Some(profile) = &cli.global.profile {
        env = env.with(PROFILE, profile);
    }
    let mut unusable_settings = None;
    let settings = match cli.command.only_explains() {
        true => Settings::default(),
        false => {
            service::context::check_environment(&env)?;
            let settings = Settings::read(&env).or_else(|failure| match cli.command.diagnoses() {
                true => {
                    unusable_settings = Some(failure);
                    Ok(Settings::default())
                }
                false => Err(failure),
            })?;
            limits::prepare()?;
            settings
        }
    };
    let global = cli.global;
    let options = RepositoryOptions::from(&global);
    let mut context = Context::new(env, settings, options, Zoned::now(), signals::cancel_token());
    context.unusable_settings = unusable_settings;
    context.lang = global.lang.as_deref().and_then(Lang::from_code);
    context.rates = GivenRates {
        upload: global.limit_upload.clone(),
        download: global.limit_download.clone(),
    };
    let day = cli.command.simulated_day();
    context.simulate = day.map(|text| when::as_of(text, &context.now)).transpose()?;
    let terminal = Terminal {
        global,
        context,
        lang,
    };
    let done = call(&terminal, &cli.command);
    if !cli.command.only_explains() {
        note(&terminal, &done);
    }
    terminal.context.tighten();
    done
}

/// What the log records of a command: its name, and how it ended.
fn note(terminal: &Terminal, done: &Result<Status, Failure>) {
    let log = terminal.context.log();
    // Options and paths are private.
    let known = args::parser();
    let mut given = std::env::args_os().skip(1);
    let command = given.find_map(|arg| known.find_subcommand(&arg).map(|one| one.get_name().to_string()));
    let fields = serde_json::json!({ "command": command });
    match done {
        Ok(status) => {
            let mut fields = fields;
            fields["status"] = status.word().into();
            log.add(LogLevel::Debug, "command-ended", fields);
        }
        Err(failure) => log.failure("command-failed", failure, fields),
    }
}

/// The one place where commands are distinguished.
fn call(terminal: &Terminal, command: &Command) -> Result<Status, Failure> {
    match command {
        Command::Init(args) => cmd::init::run(terminal, args),
        Command::Backup(args) => cmd::backup::run(terminal, args),
        Command::Run(args) => cmd::run::run(terminal, args),
        Command::Status(args) => cmd::status::run(terminal, args),
        Command::Doctor => cmd::doctor::run(terminal),
        Command::SupportBundle(args) => cmd::doctor::support_bundle(terminal, args),
        Command::Tray(args) => cmd::tray::run(terminal, args),
        Command::Agent => cmd::agent::run(terminal),
        Command::Set(command) => cmd::sets::run(terminal, command),
        Command::Setup => cmd::setup::run(terminal),
        Command::Schedule(command) => cmd::schedule::run(terminal, command),
        Command::Console(args) => cmd::console::run(terminal, args),
        Command::Notify(command) => cmd::notify::run(terminal, command),
        Command::Config(command) => cmd::config::run(terminal, command),
        Command::History(args) => cmd::history::run(terminal, args),
        Command::Pause(args) => cmd::run::pause(terminal, args),
        Command::Resume => cmd::run::resume(terminal),
        Command::Stop(args) => cmd::run::stop(terminal, args),
        Command::Takeover(args) => cmd::takeover::run(terminal, args),
        Command::Snapshots(args) => cmd::snapshots::run(terminal, args),
        Command::Ls(args) => cmd::ls::run(terminal, args),
        Command::Find(args) => cmd::find::run(terminal, args),
        Command::Versions(args) => cmd::versions::run(terminal, args),
        Command::Diff(args) => cmd::diff::run(terminal, args),
        Command::Dump(args) => cmd::dump::run(terminal, args),
        Command::Mount(args) => cmd::mount::run(terminal, args),
        Command::Serve(args) => cmd::serve::run(terminal, args),
        Command::Restore(args) => cmd::restore::run(terminal, args),
        Command::Forget(args) => cmd::forget::run(terminal, args),
        Command::Undelete(args) => cmd::undelete::run(terminal, args),
        Command::Tag(args) => cmd::tag::run(terminal, args),
        Command::Protect(args) => cmd::tag::protect(terminal, args, true),
        Command::Unprotect(args) => cmd::tag::protect(terminal, args, false),
        Command::Purge(args) => cmd::purge::run(terminal, args),
        Command::Prune(args) => cmd::prune::run(terminal, args),
        Command::Check(args) => cmd::check::run(terminal, args),
        Command::Drill(args) => cmd::drill::run(terminal, args),
        Command::Repair(command) => cmd::repair::run(terminal, command),
        Command::Space(args) => cmd::space::run(terminal, args),
        Command::Stats(args) => cmd::stats::run(terminal, args),
        Command::Remote(command) => cmd::remote::run(terminal, command),
        Command::Replicate(args) => cmd::replicate::run(terminal, args),
        Command::Heal(args) => cmd::heal::run(terminal, args),
        Command::Copy(args) => cmd::copy::run(terminal, args),
        Command::Key(command) => cmd::key::run(terminal, command),
        Command::Cache(command) => cmd::cache::run(terminal, command),
        Command::Bench(args) => cmd::bench::run(terminal, args),
        Command::Completions(args) => cmd::completions::run(args),
        Command::Complete(args) => cmd::complete::run(args),
        Command::Unlock => Ok(Status::Completed),
        Command::Version(args) => cmd::version::run(terminal, args),
        Command::About => cmd::version::about(terminal),
        Command::Help(args) => cmd::help::run(args),
    }
}
