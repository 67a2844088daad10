//! `console`: the local web page.

use crate::args::program::ConsoleArgs;
use crate::output::{self, Lines};
use crate::terminal::Terminal;
use console::{Options, Started, Tokens};
use serde_json::json;
use service::catalogue::report::{console as report, doctor};
use service::catalogue::{Cause, NetworkFault};
use service::face::Face;
use service::secret::PasswordPrompt;
use service::{Failure, Status, objects};

pub fn run(terminal: &Terminal, args: &ConsoleArgs) -> Result<Status, Failure> {
    let context = &terminal.context;
    if let Some(name) = &args.new_token {
        return new_token(terminal, name, args.allow_changes);
    }
    if let Some(name) = &args.revoke_token {
        Tokens::of(context)?.revoke(name)?;
        return done(terminal, name, None);
    }
    if args.set_password {
        return set_password(terminal);
    }
    crate::signals::catch()?;
    let own = context.for_job(
        context.options.clone(),
        context.now.clone(),
        context.cancel().clone(),
    );
    let options = Options {
        listen: args.listen.clone(),
        reset_password: args.reset_password,
        licences: super::version::LICENCES,
    };
    console::serve(own, &options, &mut |started| tell(terminal, started))?;
    Ok(Status::Completed)
}

fn set_password(terminal: &Terminal) -> Result<Status, Failure> {
    let typed = terminal.password(PasswordPrompt::New)?;
    let password = typed.ok_or(Cause::Console {
        fault: NetworkFault::NobodyTypes.into(),
    })?;
    console::set_password(&terminal.context, &password)?;
    match terminal.json() {
        true => output::object(&json!({ "message_type": "summary" }))?,
        false => terminal.line(&report::password_set(terminal.lang))?,
    }
    Ok(Status::Completed)
}

fn new_token(terminal: &Terminal, name: &str, may_change: bool) -> Result<Status, Failure> {
    let tokens = Tokens::of(&terminal.context)?;
    let made = tokens.add(name, may_change, terminal.context.now.timestamp())?;
    done(terminal, name, Some(&made.secret))
}

fn done(terminal: &Terminal, name: &str, secret: Option<&str>) -> Result<Status, Failure> {
    match (terminal.json(), secret) {
        (true, _) => output::object(&json!({ "message_type": "summary", "name": name, "token": secret }))?,
        // It is the answer, and nothing else is printed beside it.
        (false, Some(secret)) => output::line(secret)?,
        (false, None) => terminal.line(&report::token_revoked(terminal.lang, name))?,
    }
    Ok(Status::Completed)
}

fn tell(terminal: &Terminal, started: &Started) -> Result<(), Failure> {
    if terminal.json() {
        return output::object(&json!({
            "message_type": "console",
            "url": started.place,
            "link": started.link,
            "certificate": started.certificate.as_ref().map(objects::finding),
        }));
    }
    if let Some(finding) = &started.certificate
        && let Some(advice) = doctor::advice(terminal.lang, finding)
    {
        let meaning = doctor::meaning(terminal.lang, finding);
        output::say(&format!("dedup: {meaning}\n    {advice}"));
    }
    let mut out = Lines::new();
    out.line(&report::listening(terminal.lang, &started.place));
    if let Some(link) = &started.link {
        out.line(&report::first_link(terminal.lang, link));
    }
    out.finish()
}
