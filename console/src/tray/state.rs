//! How things stand, from what this machine has noted; no repository is opened, and nobody is asked but whether the console
//! runs.

use super::icon::Badge;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::report::{runs, tray};
use service::runs::control;
use service::runs::status::{self, SetStatus};
use service::settings::values::Listen;
use service::{Context, Failure, Status};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For this machine to say whether anybody listens at a port of it.
const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrayState {
    pub badge: Badge,
    pub sentence: String,
    pub below: String,
    /// A line for each set.
    pub sets: Vec<String>,
    pub is_paused: bool,
    pub is_running: bool,
    /// Its address, if it answers.
    pub console: Option<String>,
}

impl TrayState {
    /// Nothing can be said but why.
    pub fn unknown(why: String) -> TrayState {
        TrayState {
            badge: Badge::Attention,
            sentence: why,
            below: String::new(),
            sets: Vec::new(),
            is_paused: false,
            is_running: false,
            console: None,
        }
    }
}

pub fn look(context: &Context, lang: Lang) -> Result<TrayState, Failure> {
    let t = Labels(lang);
    let now = &context.now;
    let sets = status::sets(context)?;
    let paused = control::paused_until(context)?;
    let is_running = sets.iter().any(|set| set.running.is_some());
    let wrong = sets.iter().find(|set| is_wrong(set));
    let (badge, sentence) = match (wrong, paused) {
        (Some(_), _) => (Badge::Attention, t.attention().to_string()),
        (_, Some(until)) => {
            let until = texts::day_and_time(lang, until, now);
            (Badge::Paused, texts::paused_until(lang, &until))
        }
        _ if is_running => (Badge::Running, t.running_now().to_string()),
        _ if sets.is_empty() => (Badge::None, tray::no_sets(lang).to_string()),
        _ if sets.iter().any(|set| set.last_success.is_none()) => (Badge::None, t.first_backup().to_string()),
        _ => (Badge::None, t.all_well().to_string()),
    };
    // The oldest of the newest: before that moment everything is safe.
    let last = sets.iter().map(|set| set.last_success).min().flatten();
    let last = last.map(|at| texts::day_and_time(lang, at, now));
    let next = sets.iter().filter_map(|set| set.next_run).min();
    let next = next.map(|at| texts::day_and_time(lang, at, now));
    Ok(TrayState {
        badge,
        sentence,
        below: match sets.is_empty() {
            true => String::new(),
            false => texts::last_and_next(lang, last.as_deref(), next.as_deref()),
        },
        sets: sets.iter().map(|set| line(lang, set)).collect(),
        is_paused: paused.is_some(),
        is_running,
        console: running_console(context),
    })
}

fn is_wrong(set: &SetStatus<'_>) -> bool {
    let failed = |status: &str| status != Status::Completed.word();
    set.overdue || set.last.as_ref().is_some_and(|row| failed(&row.status))
}

fn line(lang: Lang, set: &SetStatus<'_>) -> String {
    let t = Labels(lang);
    let state = match (&set.running, &set.last) {
        (Some(_), _) => t.running_now().to_string(),
        (None, _) if set.overdue => texts::overdue(lang),
        (None, Some(row)) => runs::row_status(lang, row),
        (None, None) => t.first_backup().to_string(),
    };
    texts::because(lang, set.name, &state)
}

/// Where a browser finds the console, if anybody listens there.
fn running_console(context: &Context) -> Option<String> {
    let console = &context.settings.console;
    let listened = match &console.listen {
        None => crate::listen::usual_address(),
        Some(Listen::Address(address)) => *address,
        // No browser opens a Unix socket.
        Some(Listen::Socket(_)) => return None,
    };
    let here = match listened.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let address = SocketAddr::from((here, listened.port()));
    TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    let scheme = match console.tls_certificate {
        Some(_) => "https",
        None => "http",
    };
    let place = match console.allowed_hosts.first() {
        Some(host) if listened.ip().is_unspecified() => format!("{}:{}", host.0, listened.port()),
        _ => address.to_string(),
    };
    Some(format!("{scheme}://{place}/"))
}
