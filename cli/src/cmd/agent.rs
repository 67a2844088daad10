//! `agent`: runs what is due, minute by minute, where no scheduler of the operating system may be given an entry. Each tick
//! reads the settings again and is on its own: what goes wrong with one is told, and the next one comes.

use super::run;
use crate::exit;
use crate::output;
use crate::signals::StopSignal;
use crate::terminal::Terminal;
use jiff::Zoned;
use service::env::Env;
use service::platform::process;
use service::runs::{Request, WhichSets};
use service::settings::Settings;
use service::{Context, Failure, Status};
use std::time::Duration;

const TICK: Duration = Duration::from_secs(60);

/// Until somebody asks for its end, which waits for the safe point of a run.
pub fn run(terminal: &Terminal) -> Result<Status, Failure> {
    // Before any thread is started, since each has a priority of its own.
    process::be_nice();
    let stop = StopSignal::catch()?;
    loop {
        if let Err(failure) = tick(terminal) {
            output::say(&exit::line(&failure, terminal.lang, terminal.json()));
        }
        if stop.within(TICK) {
            return Ok(Status::Completed);
        }
    }
}

fn tick(terminal: &Terminal) -> Result<Status, Failure> {
    let known = &terminal.context;
    let env = Env::of_process();
    let settings = Settings::read(&env)?;
    let cancel = known.cancel().child();
    let mut context = Context::new(env, settings, known.options.clone(), Zoned::now(), cancel);
    context.lang = known.lang;
    context.rates = known.rates.clone();
    let now = Terminal {
        global: terminal.global.clone(),
        lang: terminal.lang,
        context,
    };
    let request = Request {
        which: WhichSets::Due,
        wait: false,
        dry_run: false,
        allow_empty: false,
    };
    let done = run::call(&now, &request);
    now.context.tighten();
    done
}
