//! Where the console listens: an address, or a Unix socket. An address that other machines can reach needs TLS, a password
//! that is there already, and names by which the console may be called.

use crate::app::{App, Hosts};
use crate::connections::{self, Door};
use crate::gate::{Gate, Unset};
use crate::router;
use crate::tls::Tls;
use futures_util::future::select;
use service::catalogue::{Cause, ConsoleFault, NetworkFault, SystemError};
use service::certificate::{CertificateFiles, Identity};
use service::doctor::{self, Finding};
use service::platform::{files, private};
use service::run::CancelToken;
use service::secret::Hidden;
use service::settings::values::Listen;
use service::{Context, Failure};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::runtime::Builder;

/// The port where nothing says another.
const PORT: u16 = 4280;
/// How often it is looked whether the process is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How long jobs may take to come to their next safe point at the end.
const ENDING: Duration = Duration::from_secs(60);

/// How the console is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Instead of what the settings say.
    pub listen: Option<String>,
    /// Print a link by which a new password can be set.
    pub reset_password: bool,
    /// Names and licences of the crates in the program, a line each, with a tab between.
    pub licences: &'static str,
}

/// Told once requests are answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Started {
    /// For people: the page, or the socket.
    pub place: String,
    /// The link by which the password is set, if one is to be.
    pub link: Option<String>,
    /// How things stand with the certificate, if there is one.
    pub certificate: Option<Finding>,
}

enum Place {
    Address(SocketAddr),
    Socket(PathBuf),
}

/// Another password for the console. One that runs asks for it from now on: nobody stays logged in there, and its link is
/// void.
pub fn set_password(context: &Context, password: &Hidden) -> Result<(), Failure> {
    let changed = Gate::of(&context.dirs()?).change(password.expose())?;
    changed.map_err(|unset| {
        fault(match unset {
            Unset::Short => NetworkFault::PasswordTooShort,
            Unset::Long | Unset::BadLink => NetworkFault::PasswordTooLong,
        })
    })
}

/// Answers requests until the context is cancelled.
pub fn serve(
    context: Context,
    options: &Options,
    started: &mut dyn FnMut(&Started) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let place = place(&context, options)?;
    let secured = secured(&context, options, &place)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .thread_name("console")
        .enable_all()
        .build()
        .map_err(serving)?;
    let cancel = context.cancel().clone();
    let app = runtime.block_on(async {
        let door = open(&place).await?;
        let called = called(&context, &door, secured.is_some())?;
        let certificate = secured
            .as_ref()
            .map(|(path, _, identity)| doctor::validity(path, identity.validity, context.now.timestamp()));
        let mut app = App::new(context, called.hosts, called.cookie)?;
        (app.licences, app.is_secure) = (options.licences, secured.is_some());
        let app = Arc::new(app);
        let link = match options.reset_password || !app.gate.has_password()? {
            // What follows the hash sign stays in the browser: neither a log nor a proxy sees it.
            true => Some(format!(
                "{}start#{}",
                called.place,
                app.gate.new_link(Instant::now())?
            )),
            false => None,
        };
        started(&Started {
            place: called.place,
            link,
            certificate,
        })?;
        let tls = secured.map(|(_, tls, _)| Arc::new(tls));
        let answers = connections::answer(&door, tls, app.clone(), router::router(app.clone()));
        // Streams of events never end by themselves, so connections are not waited for.
        select(pin!(answers), pin!(ended(cancel))).await;
        if let Door::Unix(_, path) = door {
            // Whoever starts next removes it otherwise.
            let _ = std::fs::remove_file(path);
        }
        Ok::<_, Failure>(app)
    })?;
    app.jobs.wait(ENDING);
    // Pages that are being made are of no use any more.
    runtime.shutdown_background();
    Ok(())
}

async fn ended(cancel: CancelToken) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Where nothing says another.
pub fn usual_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
}

fn place(context: &Context, options: &Options) -> Result<Place, Failure> {
    let given = match &options.listen {
        Some(text) => Listen::parse(text).map_err(|_| fault(ConsoleFault::Address { text: text.clone() }))?,
        None => match &context.settings.console.listen {
            Some(listen) => listen.clone(),
            None => Listen::Address(usual_address()),
        },
    };
    match given {
        Listen::Address(address) => Ok(Place::Address(address)),
        Listen::Socket(path) => Ok(Place::Socket(context.env.expand(path.to_string().as_ref())?)),
    }
}

type Secured = (String, Tls, Identity);

/// The certificate, with its path. What other machines can reach has one, and a password that is known to its owner: a
/// link would be good for whoever sees it.
fn secured(context: &Context, options: &Options, place: &Place) -> Result<Option<Secured>, Failure> {
    let Place::Address(listened) = place else {
        return Ok(None);
    };
    let address = listened.to_string();
    let files = CertificateFiles::of(context)?;
    if !listened.ip().is_loopback() {
        if files.is_none() {
            return Err(fault(ConsoleFault::NotLoopback { address }));
        }
        if options.reset_password {
            return Err(fault(NetworkFault::LinkOnNetwork { address }));
        }
        if !Gate::of(&context.dirs()?).has_password()? {
            return Err(fault(NetworkFault::NoPassword { address }));
        }
        if listened.ip().is_unspecified() && context.settings.console.allowed_hosts.is_empty() {
            return Err(fault(NetworkFault::NoAllowedHosts { address }));
        }
    }
    let Some(files) = files else {
        return Ok(None);
    };
    let path = files.certificate().display().to_string();
    let (tls, identity) = Tls::open(files)?;
    Ok(Some((path, tls, identity)))
}

async fn open(place: &Place) -> Result<Door, Failure> {
    match place {
        Place::Address(address) => {
            let listener = TcpListener::bind(address).await;
            listener
                .map(Door::Tcp)
                .map_err(|e| cannot_listen(address.to_string(), e))
        }
        Place::Socket(path) => {
            let failed = |e: io::Error| cannot_listen(path.display().to_string(), e);
            private::create_dir_all(files::folder_of(path)).map_err(failed)?;
            let listener = match UnixListener::bind(path) {
                // One that nobody listens to was left by a console that was killed.
                Err(e) if e.kind() == io::ErrorKind::AddrInUse && is_left(path).await => {
                    std::fs::remove_file(path).map_err(failed)?;
                    UnixListener::bind(path)
                }
                bound => bound,
            };
            let listener = listener.map_err(failed)?;
            private::tighten(path).map_err(failed)?;
            Ok(Door::Unix(listener, path.clone()))
        }
    }
}

async fn is_left(path: &Path) -> bool {
    let answered = UnixStream::connect(path).await;
    answered.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

/// How the console is called.
struct Called {
    /// What people open.
    place: String,
    hosts: Hosts,
    cookie: String,
}

fn called(context: &Context, door: &Door, is_secure: bool) -> Result<Called, Failure> {
    let address = match door {
        Door::Tcp(listener) => listener.local_addr().map_err(serving)?,
        Door::Unix(_, path) => {
            return Ok(Called {
                place: format!("unix:{} http://localhost/", path.display()),
                hosts: Hosts::of_this_machine(),
                cookie: "dedup".to_string(),
            });
        }
    };
    let (ip, port) = (address.ip(), address.port());
    let (scheme, usual) = match is_secure {
        true => ("https", 443),
        false => ("http", 80),
    };
    let allowed = context.settings.console.allowed_hosts.iter().map(|host| &host.0);
    let names: Vec<String> = allowed.map(|name| in_brackets(name)).collect();
    let mut places = vec![address.to_string(), format!("localhost:{port}")];
    if port == usual {
        places.extend([in_brackets(&ip.to_string()), "localhost".to_string()]);
    }
    let shown = match names.first() {
        Some(name) if ip.is_unspecified() => format!("{name}:{port}"),
        _ => address.to_string(),
    };
    // A browser takes a cookie whose name begins like this from nobody but this host, and by TLS only.
    let prefix = if is_secure { "__Host-" } else { "" };
    Ok(Called {
        place: format!("{scheme}://{shown}/"),
        hosts: Hosts { places, names },
        cookie: format!("{prefix}dedup-{port}"),
    })
}

/// An IPv6 address as it stands in URLs.
fn in_brackets(host: &str) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_string(),
    }
}

fn fault(fault: impl Into<ConsoleFault>) -> Failure {
    let fault = fault.into();
    Cause::Console { fault }.into()
}

fn serving(error: io::Error) -> Failure {
    fault(ConsoleFault::Serving {
        why: SystemError::from(error),
    })
}

fn cannot_listen(place: String, error: io::Error) -> Failure {
    fault(ConsoleFault::Listen {
        place,
        why: SystemError::from(error),
    })
}
