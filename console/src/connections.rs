//! Connections, from being accepted to their end. There are only so many at once, and only so many from one address of
//! a network; whoever connects and then says nothing, or says it slowly, is let go.

use crate::app::App;
use crate::gate::Neighbour;
use crate::locks::lock;
use crate::tls::Tls;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// At once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 512;
/// From one address of a network; further ones are closed. A browser opens six.
const NEIGHBOUR_MAX: usize = 48;
/// For the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For the head of a request, from when the connection is free for it.
const HEAD: Duration = Duration::from_secs(30);
/// After something like too many open files, which passes when connections end.
const BREATH: Duration = Duration::from_millis(100);

/// Where clients come in.
pub enum Door {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// Answers whoever comes in by the door, and never ends.
pub async fn answer(door: &Door, tls: Option<Arc<Tls>>, app: Arc<App>, router: Router) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let neighbours = Neighbours::default();
    // It is never closed.
    while let Ok(seat) = seats.clone().acquire_owned().await {
        let accepted = match door {
            Door::Unix(listener, _) => listener.accept().await.map(|(stream, _)| {
                let talk = talk(stream, Neighbour::default(), router.clone());
                tokio::spawn(async move {
                    talk.await;
                    drop(seat);
                });
            }),
            Door::Tcp(listener) => listener.accept().await.map(|(stream, from)| {
                let Some(place) = neighbours.seat(Neighbour::of(from.ip())) else {
                    return;
                };
                let talk = meet(stream, place.who, tls.clone(), app.clone(), router.clone());
                tokio::spawn(async move {
                    talk.await;
                    drop((seat, place));
                });
            }),
        };
        if accepted.is_err() {
            sleep(BREATH).await;
        }
    }
}

async fn meet(stream: TcpStream, who: Neighbour, tls: Option<Arc<Tls>>, app: Arc<App>, router: Router) {
    let Some(tls) = tls else {
        return talk(stream, who, router).await;
    };
    // A handshake that fails has told the client why.
    if let Ok(Ok(Some(stream))) = timeout(HANDSHAKE, tls.accept(app, stream)).await {
        talk(stream, who, router).await;
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, who: Neighbour, router: Router) {
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(who);
        inner.call(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // That a client has gone, or sent no HTTP, concerns nobody else.
    let _ = connection.await;
}

/// How many connections each address has. Those of this machine are not counted: a tunnel brings many people from there.
#[derive(Clone, Default)]
struct Neighbours(Arc<Mutex<HashMap<Neighbour, usize>>>);

/// Given back when it is dropped.
struct Seat {
    neighbours: Neighbours,
    who: Neighbour,
}

impl Neighbours {
    fn seat(&self, who: Neighbour) -> Option<Seat> {
        if !who.is_here() {
            let mut counts = self.counts();
            let count = counts.entry(who).or_default();
            if *count >= NEIGHBOUR_MAX {
                return None;
            }
            *count += 1;
        }
        Some(Seat {
            neighbours: self.clone(),
            who,
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Neighbour, usize>> {
        lock(&self.0)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.neighbours.counts();
        if let Some(count) = counts.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places() {
        let neighbours = Neighbours::default();
        let ip = |text: &str| Neighbour::of(text.parse().unwrap());
        let mut places: Vec<Seat> = (0..NEIGHBOUR_MAX)
            .map(|nr| neighbours.seat(ip(&format!("2001:db8:0:1::{nr:x}"))).unwrap())
            .collect();
        assert!(neighbours.seat(ip("2001:db8:0:1:ffff::1")).is_none());
        assert!(neighbours.seat(ip("2001:db8:0:2::1")).is_some());
        let own: Vec<_> = (0..=NEIGHBOUR_MAX)
            .map(|_| neighbours.seat(ip("127.0.0.1")).unwrap())
            .collect();
        assert!(neighbours.seat(ip("::1")).is_some() && neighbours.seat(ip("::ffff:127.0.0.1")).is_some());
        places.pop();
        assert!(
            neighbours.seat(ip("2001:db8:0:1::1")).is_some(),
            "a place is free again"
        );
        drop((places, own));
        assert!(
            neighbours.counts().is_empty(),
            "nothing is kept of those who have gone"
        );
    }
}
