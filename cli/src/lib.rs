//! The command line: what was typed ([`args`]) and the environment ([`mod@env`], [`resolve`], [`secret`]) become a call
//! of one command ([`cmd`]), whose end becomes an exit code and at most one line of error ([`exit`]).

pub mod args;
pub mod cmd;
pub mod config;
pub mod confirm;
pub mod context;
pub mod env;
pub mod exit;
pub mod keyfile;
pub mod limits;
pub mod listing;
pub mod outfile;
pub mod output;
pub mod progress;
pub mod rates;
pub mod removal;
pub mod render;
pub mod resolve;
pub mod secret;
pub mod signals;

use args::{Cli, Command};
use clap::Parser;
use context::Context;
use exit::{Code, Failure};
use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs what the process was asked to do.
pub fn main() -> ExitCode {
    if let Some(code) = engine::child::launch() {
        return code;
    }
    // Half of a huge page that the allocator begins is memory that nothing uses and that the kernel clears first. Where
    // the kernel doesn't know the request, it just costs that.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    if let Err(e) = signals::outlive() {
        output::say(&format!("dedup: can't watch for signals: {e}"));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return said_by_the_parser(&error),
    };
    let json = cli.global.json;
    match run(cli) {
        Ok(code) => code.into(),
        Err(failure) => {
            // A closed standard error leaves nobody to tell; the code still says it.
            let _ = writeln!(std::io::stderr(), "{}", failure.line(json));
            failure.code.into()
        }
    }
}

/// Help and version come this way too, to standard output. A closed output leaves nobody to tell.
fn said_by_the_parser(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return Code::Ok.into();
    }
    // The options were not understood, so this one is looked for as it stands.
    if std::env::args_os().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let message = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        output::say(&Failure::usage(message).line(true));
    } else {
        let _ = error.print();
    }
    Code::Usage.into()
}

fn run(cli: Cli) -> Result<Code, Failure> {
    let context = Context::new(cli.global);
    if !cli.command.only_explains() {
        resolve::check_all(&context.env)?;
        limits::prepare()?;
    }
    rates::keep(
        &context.link().bandwidth,
        context.global.limit_upload.clone(),
        context.global.limit_download.clone(),
    );
    if !matches!(
        cli.command,
        Command::Completions(_) | Command::Version | Command::Help(_)
    ) {
        limits::prepare()?;
    }
    let done = call(&context, &cli.command);
    context.tighten();
    done
}

/// The one place where commands are told apart.
fn call(context: &Context, command: &Command) -> Result<Code, Failure> {
    match command {
        Command::Init(args) => cmd::init::run(context, args),
        Command::Backup(args) => cmd::backup::run(context, args),
        Command::Snapshots(args) => cmd::snapshots::run(context, args),
        Command::Ls(args) => cmd::ls::run(context, args),
        Command::Find(args) => cmd::find::run(context, args),
        Command::Diff(args) => cmd::diff::run(context, args),
        Command::Dump(args) => cmd::dump::run(context, args),
        Command::Restore(args) => cmd::restore::run(context, args),
        Command::Forget(args) => cmd::forget::run(context, args),
        Command::Undelete(args) => cmd::undelete::run(context, args),
        Command::Tag(args) => cmd::tag::run(context, args),
        Command::Prune(args) => cmd::prune::run(context, args),
        Command::Check(args) => cmd::check::run(context, args),
        Command::Repair(command) => cmd::repair::run(context, command),
        Command::Stats(args) => cmd::stats::run(context, args),
        Command::Remote(command) => cmd::remote::run(context, command),
        Command::Replicate(args) => cmd::replicate::run(context, args),
        Command::Heal(args) => cmd::heal::run(context, args),
        Command::Copy(args) => cmd::copy::run(context, args),
        Command::Key(command) => cmd::key::run(context, command),
        Command::Cache(command) => cmd::cache::run(context, command),
        Command::Bench(args) => cmd::bench::run(context, args),
        Command::Completions(args) => cmd::completions::run(args),
        Command::Unlock => Ok(Code::Ok),
        Command::Version => cmd::version::run(context.json()),
        Command::Help(args) => cmd::help::run(args),
    }
}
