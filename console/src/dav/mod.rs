//! `dedup serve`: all snapshots over HTTP, to be looked at and copied with WebDAV or a browser, on this machine alone. The
//! tree is that of `mount`. Nothing can be changed.
//!
//! Whoever knows the token, which is made anew at each start, may read: it is the first part of the address, or the
//! password of HTTP's Basic scheme. [`auth`] looks for it, [`answer`] has the methods, [`multistatus`] what WebDAV says of an
//! entry (docs/decisions/0051-space-and-serve.md).

mod answer;
mod auth;
mod multistatus;

use crate::gate::token;
use answer::Server;
use axum::Router;
use axum::extract::{Request, State};
use futures_util::future::{Either, select};
use service::catalogue::{Cause, ConsoleFault, SystemError};
use service::face::{Activity, Step};
use service::monitor::{Monitor, Problem};
use service::run::CancelToken;
use service::select::Filter;
use service::shown;
use service::{Context, Face, Failure, Status};
use std::future::IntoFuture;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// The port where nothing says another.
const PORT: u16 = 4281;
/// How often it is looked whether to end.
const LOOK: Duration = Duration::from_millis(100);
/// Answers that are written at once; the others wait.
pub(super) const ANSWERS: usize = 64;

/// Where, and which snapshots.
#[derive(Clone, Debug, Default)]
pub struct DavOptions {
    pub listen: Option<String>,
    pub filter: Filter,
}

/// Told once requests are answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DavStarted {
    /// The address without the token, for clients that ask for a password, which is the token.
    pub url: String,
    pub token: String,
    pub snapshots: u64,
}

/// Answers requests until the context is cancelled.
pub fn serve_snapshots(
    context: &Context,
    options: &DavOptions,
    face: &dyn Face,
    started: &mut dyn FnMut(&DavStarted) -> Result<(), Failure>,
) -> Result<Status, Failure> {
    let address = address(options)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(ANSWERS + 16)
        .thread_name("serve")
        .enable_all()
        .build()
        .map_err(serving)?;
    let shown = shown::open(context, &options.filter, (0, 0), face)?;
    let token = token()?;
    let server = Arc::new(Server::new(shown.tree, token.clone()));
    let step = Step::start(face, Activity::Serve)?;
    runtime.block_on(async {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|e| cannot_listen(address, e))?;
        let url = format!("http://{}/", listener.local_addr().map_err(serving)?);
        started(&DavStarted {
            url,
            token,
            snapshots: shown.snapshots,
        })?;
        let answer =
            |State(server): State<Arc<Server>>, request: Request| async move { server.answer(request).await };
        let router = Router::new().fallback(answer).with_state(server);
        let served = axum::serve(listener, router).into_future();
        let ended = ended(shown.cancel, &shown.problems, &step);
        match select(pin!(served), pin!(ended)).await {
            Either::Left((served, _)) => served.map_err(serving),
            Either::Right(((), _)) => Ok(()),
        }
    })?;
    // Answers that are being written are of no use any more.
    runtime.shutdown_background();
    Ok(step.finish().status().max(shown.listed))
}

/// Reports what can't be read, until it is time to end.
async fn ended(cancel: CancelToken, problems: &Receiver<Problem>, step: &Step<'_>) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
        problems.try_iter().for_each(|problem| step.problem(&problem));
    }
}

fn address(options: &DavOptions) -> Result<SocketAddr, Failure> {
    let address = match &options.listen {
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
        Some(text) => text
            .parse()
            .map_err(|_| fault(ConsoleFault::ServeAddress { text: text.clone() }))?,
    };
    match address.ip().is_loopback() {
        true => Ok(address),
        false => {
            let address = address.to_string();
            Err(fault(ConsoleFault::ServeNotLoopback { address }))
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

fn cannot_listen(address: SocketAddr, error: io::Error) -> Failure {
    fault(ConsoleFault::ServeListen {
        place: address.to_string(),
        why: SystemError::from(error),
    })
}
