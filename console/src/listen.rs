//! Where the console listens: an address of this machine alone, or a Unix socket. Anything else is refused, since what
//! comes over a network would need TLS.

use crate::app::{App, Hosts};
use crate::router;
use futures_util::future::{Either, select};
use service::catalogue::{Cause, ConsoleFault, SystemError};
use service::platform::{files, private};
use service::run::CancelToken;
use service::settings::values::Listen;
use service::{Context, Failure};
use std::future::{Future, IntoFuture};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Started {
    /// For people: the page, or the socket.
    pub place: String,
    /// The link by which the password is set, if one is to be.
    pub link: Option<String>,
}

enum Place {
    Address(SocketAddr),
    Socket(PathBuf),
}

enum Door {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// Answers requests until the context is cancelled.
pub fn serve(
    context: Context,
    options: &Options,
    started: &mut dyn FnMut(&Started) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let place = place(&context, options)?;
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
        let (shown, hosts, cookie) = described(&door)?;
        let mut app = App::new(context, hosts, cookie)?;
        app.licences = options.licences;
        let app = Arc::new(app);
        let link = match options.reset_password || !app.gate.has_password()? {
            // What follows the hash sign stays in the browser: neither a log nor a proxy sees it.
            true => Some(format!("{shown}start#{}", app.gate.new_link(Instant::now())?)),
            false => None,
        };
        started(&Started { place: shown, link })?;
        let router = router::router(app.clone());
        let ended = ended(cancel);
        match door {
            Door::Tcp(listener) => until(axum::serve(listener, router).into_future(), ended).await,
            Door::Unix(listener, path) => {
                let served = until(axum::serve(listener, router).into_future(), ended).await;
                // Whoever starts next removes it otherwise.
                let _ = std::fs::remove_file(path);
                served
            }
        }
        .map_err(serving)?;
        Ok::<_, Failure>(app)
    })?;
    app.jobs.wait(ENDING);
    // Pages that are being made are of no use any more.
    runtime.shutdown_background();
    Ok(())
}

/// Streams of events never end by themselves, so connections are not waited for.
async fn until(
    served: impl Future<Output = io::Result<()>>,
    ended: impl Future<Output = ()>,
) -> io::Result<()> {
    match select(pin!(served), pin!(ended)).await {
        Either::Left((served, _)) => served,
        Either::Right(((), _)) => Ok(()),
    }
}

async fn ended(cancel: CancelToken) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
}

fn place(context: &Context, options: &Options) -> Result<Place, Failure> {
    let given = match &options.listen {
        Some(text) => Listen::parse(text).map_err(|_| fault(ConsoleFault::Address { text: text.clone() }))?,
        None => match &context.settings.console.listen {
            Some(listen) => listen.clone(),
            None => Listen::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
        },
    };
    match given {
        Listen::Address(address) if address.ip().is_loopback() => Ok(Place::Address(address)),
        Listen::Address(address) => {
            let address = address.to_string();
            Err(fault(ConsoleFault::NotLoopback { address }))
        }
        Listen::Socket(path) => Ok(Place::Socket(context.env.expand(path.to_string().as_ref())?)),
    }
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

/// What people open, by which names, and what the cookies are called.
fn described(door: &Door) -> Result<(String, Hosts, String), Failure> {
    match door {
        Door::Tcp(listener) => {
            let address = listener.local_addr().map_err(serving)?;
            let port = address.port();
            let mut names = vec![address.to_string(), format!("localhost:{port}")];
            if port == 80 {
                names.extend([address.ip().to_string(), "localhost".to_string()]);
            }
            Ok((
                format!("http://{address}/"),
                Hosts::Listed(names),
                format!("dedup-{port}"),
            ))
        }
        Door::Unix(_, path) => {
            let place = format!("unix:{}", path.display());
            Ok((
                format!("{place} http://localhost/"),
                Hosts::OfThisMachine,
                "dedup".to_string(),
            ))
        }
    }
}

fn fault(fault: ConsoleFault) -> Failure {
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
