//! HTTP for everything that speaks it: TLS and proxies according to the address, rates, and a watch on every transfer.
//!
//! A transfer may take as long as it needs, but not stand still: one that moved no byte for the time the address
//! gives is ended, and tried again like any failure that may pass.

use super::fault::{COMPLAINT_MAX, Fault, Outcome, causes};
use super::pages::Pages;
use super::retry::MOST;
use crate::error::{Cause, Error, Operation, Result, UrlFault};
use crate::remote::address::{Address, invalid};
use crate::remote::link::Direction::{Download, Upload};
use crate::remote::link::{Link, Turn};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use opendal::{Buffer, HttpBody, HttpTransport};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use sync_wrapper::SyncStream;
use tokio::time::Sleep;

const CONNECT: Duration = Duration::from_secs(20);
/// Of an answer that the library of storages reads whole, bytes: a page of a listing has a thousand names. An object is asked
/// for in pieces that are shorter.
const ANSWER_MAX: usize = 64 << 20;
/// Of one that says why a request failed.
const REFUSAL_MAX: usize = 64 << 10;
/// Handed to the socket at once: small enough for rates to be even and for the watch to see movement.
const PIECE: usize = 64 << 10;

#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    link: Link,
    stall: Duration,
    scheme: String,
}

impl Http {
    pub fn new(address: &Address, link: &Link) -> Result<Http> {
        // Fails when the process has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dedup/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(MOST)
            // One that is followed changes what is asked: a DELETE becomes a GET, whose answer says nothing.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT);
        if let Some(path) = address.get("ca") {
            let certificates = reqwest::Certificate::from_pem_bundle(&file(path)?);
            builder = builder.tls_certs_merge(certificates.map_err(|e| unusable("ca", &e))?);
        }
        if let Some(path) = address.get("cert") {
            let identity = reqwest::Identity::from_pem(&file(path)?);
            builder = builder.identity(identity.map_err(|e| unusable("cert", &e))?);
        }
        let proxy = |url: &str| reqwest::Proxy::all(url).map_err(|e| unusable("proxy", &e));
        match (address.get("proxy"), &link.proxy) {
            (Some(url), _) => builder = builder.proxy(proxy(url)?),
            (None, Some(url)) => builder = builder.proxy(proxy(url)?.no_proxy(reqwest::NoProxy::from_env())),
            (None, None) => {}
        }
        let client = builder.build();
        Ok(Http {
            client: client.map_err(|e| invalid(UrlFault::Tls { detail: causes(&e) }))?,
            link: link.clone(),
            stall: address.stall()?,
            scheme: address.scheme.clone(),
        })
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Sends a request up to its answer's head.
    pub async fn send(&self, request: reqwest::RequestBuilder, body: Bytes) -> Outcome<reqwest::Response> {
        let moved = Arc::new(AtomicU64::new(0));
        let whole = body.len();
        let request = match body.is_empty() {
            true => request,
            false => request.body(reqwest::Body::wrap(UploadBody {
                rest: body,
                moved: moved.clone(),
                paced: Paced::new(self.link.clone(), whole),
            })),
        };
        let sent = watched(request.send(), &moved, self.stall).await?;
        let answer = sent.map_err(|e| failed(&e))?;
        match answer.headers().get(http::header::LOCATION) {
            Some(to) if answer.status().is_redirection() => {
                let to = String::from_utf8_lossy(&to.as_bytes()[..to.len().min(COMPLAINT_MAX)]).into_owned();
                Err(Fault::lasting(ErrorKind::InvalidInput, Cause::Redirected { to }))
            }
            _ => Ok(answer),
        }
    }

    /// The answer's bytes as they come.
    pub fn body(&self, response: reqwest::Response) -> impl Stream<Item = Outcome<Bytes>> + Send + 'static {
        let (stall, link) = (self.stall, self.link.clone());
        let stream = Box::pin(response.bytes_stream());
        futures_util::stream::unfold(Some((stream, link)), move |state| async move {
            let (mut stream, link) = state?;
            let next = tokio::time::timeout(stall, stream.next()).await;
            match next {
                Err(_) => Some((Err(stalled(stall)), None)),
                Ok(None) => None,
                Ok(Some(Err(e))) => Some((Err(failed(&e)), None)),
                Ok(Some(Ok(bytes))) => {
                    link.pace(Download, bytes.len(), bytes.len()).await;
                    Some((Ok(bytes), Some((stream, link))))
                }
            }
        })
    }

    /// The same, of an answer that is no longer than so many bytes.
    fn up_to(
        &self,
        max: usize,
        response: reqwest::Response,
    ) -> impl Stream<Item = Outcome<Bytes>> + Send + 'static {
        self.body(response).scan(max, |left, bytes| {
            let bytes = bytes.and_then(|bytes| match left.checked_sub(bytes.len()) {
                Some(rest) => {
                    *left = rest;
                    Ok(bytes)
                }
                None => Err(Fault::lasting(ErrorKind::InvalidData, Cause::AnswerTooLong)),
            });
            std::future::ready(Some(bytes))
        })
    }

    async fn whole(&self, response: reqwest::Response) -> Outcome<Vec<u8>> {
        let mut whole = Vec::new();
        let mut bytes = std::pin::pin!(self.up_to(ANSWER_MAX, response));
        while let Some(bytes) = bytes.next().await.transpose()? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }
}

/// How many bytes of an answer come before those from `offset` on, which were asked for.
pub(super) fn ahead_of(offset: u64, status: StatusCode, headers: &HeaderMap) -> Outcome<u64> {
    let said = headers.get(http::header::CONTENT_RANGE);
    let start = said.and_then(|said| {
        let range = said.to_str().ok()?.trim().strip_prefix("bytes")?;
        range.split('-').next()?.trim().parse::<u64>().ok()
    });
    match start {
        // A caller would take these bytes for damage.
        Some(start) if start != offset => Err(Fault::passing(ErrorKind::InvalidData, Cause::WrongRange)),
        // A part is sent with status 200 by some.
        Some(_) => Ok(0),
        None if status == StatusCode::OK => Ok(offset),
        None => Ok(0),
    }
}

/// Where the range begins that a request asks for.
fn start_of_range(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(http::header::RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
}

fn file(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::local(Operation::Read, Path::new(path), e))
}

fn unusable(parameter: &str, error: &reqwest::Error) -> Error {
    invalid(UrlFault::Parameter {
        parameter: parameter.to_string(),
        detail: causes(error),
    })
}

fn stalled(stall: Duration) -> Fault {
    Fault::passing(
        ErrorKind::TimedOut,
        Cause::Stalled {
            seconds: stall.as_secs(),
        },
    )
}

/// How resolvers report that a name is not known.
const UNKNOWN_HOST: [&str; 2] = ["Name or service not known", "Name does not resolve"];

/// A wrong certificate stays wrong, and so does an unknown name; all else that keeps a request from its answer may
/// pass.
fn failed(error: &reqwest::Error) -> Fault {
    let place = error.url().filter(|_| error.is_connect());
    let place = place.and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    let detail = causes(error);
    let is_certificate = detail.contains("certificate");
    // There is no such host; that no resolver could be reached has another message.
    let is_unknown_host = UNKNOWN_HOST.iter().any(|said| detail.contains(said));
    let cause = match place {
        Some((host, port)) if is_certificate => Cause::NotTrusted {
            host: host.to_string(),
            port,
            detail,
        },
        Some((host, port)) => Cause::NotConnected {
            host: host.to_string(),
            port,
            detail,
        },
        None => Cause::Detail(detail),
    };
    match () {
        () if is_certificate => Fault::lasting(ErrorKind::PermissionDenied, cause),
        () if error.is_builder() => Fault::lasting(ErrorKind::InvalidInput, cause),
        () if is_unknown_host => Fault::lasting(ErrorKind::AddrNotAvailable, cause),
        () if error.is_timeout() => Fault::passing(ErrorKind::TimedOut, cause),
        () => Fault::passing(ErrorKind::ConnectionAborted, cause),
    }
}

/// Waits for `request` as long as `moved` grows.
async fn watched<T>(request: impl Future<Output = T>, moved: &AtomicU64, stall: Duration) -> Outcome<T> {
    let mut request = std::pin::pin!(request);
    loop {
        let before = moved.load(Relaxed);
        match tokio::time::timeout(stall, &mut request).await {
            Ok(done) => return Ok(done),
            Err(_) if moved.load(Relaxed) == before => return Err(stalled(stall)),
            Err(_) => {}
        }
    }
}

/// Bytes on their way out, piece by piece.
struct UploadBody {
    rest: Bytes,
    moved: Arc<AtomicU64>,
    paced: Paced,
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let upload = self.get_mut();
        let len = upload.rest.len().min(PIECE);
        if len == 0 {
            return Poll::Ready(None);
        }
        if upload.paced.poll(len, context).is_pending() {
            // A transfer that waits for its turn does not stand still: at a low rate it may take longer than the watch waits.
            upload.moved.fetch_add(1, Relaxed);
            return Poll::Pending;
        }
        upload.moved.fetch_add(len as u64, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(upload.rest.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// Holds bytes back until the rate allows them.
struct Paced {
    link: Link,
    /// Bytes in all.
    whole: usize,
    turn: Option<Turn>,
    look: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    fn new(link: Link, whole: usize) -> Self {
        Paced {
            link,
            whole,
            turn: None,
            look: None,
        }
    }

    fn poll(&mut self, len: usize, context: &mut Context<'_>) -> Poll<()> {
        let turn = match self.turn {
            Some(turn) => turn,
            None => *self.turn.insert(self.link.turn(Upload, len, self.whole)),
        };
        loop {
            if let Some(look) = &mut self.look {
                std::task::ready!(look.as_mut().poll(context));
                self.look = None;
            }
            let wait = self.link.wait(&turn);
            if wait.is_zero() {
                self.turn = None;
                return Poll::Ready(());
            }
            self.look = Some(Box::pin(tokio::time::sleep(wait)));
        }
    }
}

/// What the library of storages sends its requests through.
impl HttpTransport for Http {
    async fn fetch(&self, request: http::Request<Buffer>) -> opendal::Result<http::Response<HttpBody>> {
        let uri = request.uri().clone();
        let is_head = request.method() == http::Method::HEAD;
        let (parts, body) = request.into_parts();
        let pages = Pages::of(&self.scheme, &parts);
        let start = start_of_range(&parts.headers);
        let builder = self
            .client
            .request(parts.method, uri.to_string())
            .headers(parts.headers);
        let mut response = self.send(builder, body.to_bytes()).await.map_err(to_library)?;
        let status = response.status();
        if let Some(start) = start.filter(|_| status.is_success())
            && ahead_of(start, status, response.headers()).map_err(to_library)? > 0
        {
            return Err(to_library(Fault::lasting(
                ErrorKind::InvalidData,
                Cause::WrongRange,
            )));
        }
        let length = response.headers().get(http::header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let mut answer = http::Response::builder().status(status).extension(uri);
        if let Some(headers) = answer.headers_mut() {
            std::mem::swap(headers, response.headers_mut());
        }
        let body = match (status.is_success(), pages) {
            (true, Some(pages)) => {
                let page = self.whole(response).await.map_err(to_library)?;
                let passing = |cause| to_library(Fault::passing(ErrorKind::InvalidData, cause));
                pages.check(&page).map_err(passing)?;
                let length = page.len() as u64;
                let page = futures_util::stream::iter([Ok(Buffer::from(page))]);
                HttpBody::new(page, Some(length))
            }
            (true, None) => to_body(self.up_to(ANSWER_MAX, response), length.filter(|_| !is_head)),
            // What else it has to say is not read.
            (false, _) => to_body(self.up_to(REFUSAL_MAX, response).take_while(is_bytes), None),
        };
        let unusable = |e: http::Error| opendal::Error::new(opendal::ErrorKind::Unexpected, e.to_string());
        answer.body(body).map_err(unusable)
    }
}

/// The library wants a stream that threads can share; one that only its owner uses is as good.
fn to_body(stream: impl Stream<Item = Outcome<Bytes>> + Send + 'static, length: Option<u64>) -> HttpBody {
    let stream = stream.map(|bytes| bytes.map(Buffer::from).map_err(to_library));
    HttpBody::new(SyncStream::new(Box::pin(stream)), length)
}

fn is_bytes(bytes: &Outcome<Bytes>) -> std::future::Ready<bool> {
    std::future::ready(bytes.is_ok())
}

fn to_library(fault: Fault) -> opendal::Error {
    let kind = match fault.kind() {
        ErrorKind::PermissionDenied => opendal::ErrorKind::PermissionDenied,
        ErrorKind::InvalidInput | ErrorKind::AddrNotAvailable => opendal::ErrorKind::ConfigInvalid,
        _ => opendal::ErrorKind::Unexpected,
    };
    let error = opendal::Error::new(kind, fault.source.to_string());
    let error = error.set_source(Cause::detailed(&fault.source));
    match fault.passing {
        true => error.set_temporary(),
        false => error,
    }
}
