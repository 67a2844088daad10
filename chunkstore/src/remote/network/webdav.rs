//! WebDAV, as RFC 4918 has it: bytes go to a random name in `tmp/` and are then moved with `Overwrite: F`, which never
//! replaces (I-2). A server may lock what others are moving there: then it reports that, and the move is tried again.

use super::fault::{COMPLAINT_MAX, Fault, Outcome, says_full};
use super::http::{Http, ahead_of};
use super::listed::{Listed, is_prefix};
use super::temporary;
use crate::error::{Cause, Result};
use crate::remote::address::Address;
use crate::remote::link::Link;
use crate::remote::multistatus::{self, ListingFlaw, Member};
use crate::remote::{Kind, ObjectName};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Response, StatusCode};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::pin::pin;
use zeroize::Zeroizing;

const PATH: AsciiSet = NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// Folders of packs that are listed at a time.
const LISTED_AT_ONCE: usize = 8;
/// Of one listing: some million entries.
const LISTING_MAX: usize = 1 << 30;
const PROPERTIES: &str = r#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/></prop></propfind>"#;

pub(super) struct WebDav {
    http: Http,
    /// Without a slash at its end.
    base: String,
    user: Option<(String, Option<Zeroizing<String>>)>,
}

impl WebDav {
    pub fn new(address: &Address, link: &Link) -> Result<WebDav> {
        let scheme = if address.scheme == "webdavs" {
            "https"
        } else {
            "http"
        };
        let port = address.port.map(|port| format!(":{port}")).unwrap_or_default();
        let path = utf8_percent_encode(&address.path, &PATH);
        let base = format!("{scheme}://{}{port}/{path}", address.host);
        Ok(WebDav {
            http: Http::new(address, link)?,
            base: base.trim_end_matches('/').to_string(),
            user: address.user.clone().map(|user| (user, address.password.clone())),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    fn request(&self, method: &str, url: &str) -> Outcome<reqwest::RequestBuilder> {
        let method = Method::from_bytes(method.as_bytes());
        let method = method.map_err(|e| Fault::lasting(ErrorKind::InvalidInput, e.to_string()))?;
        let request = self.http.client().request(method, url);
        Ok(match &self.user {
            Some((user, password)) => request.basic_auth(user, password.as_ref().map(|p| p.as_str())),
            None => request,
        })
    }

    /// Sends a request without a body.
    async fn ask(&self, method: &str, path: &str) -> Outcome<Response> {
        let request = self.request(method, &self.url(path))?;
        self.http.send(request, Bytes::new()).await
    }

    pub async fn create(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        self.store(name, bytes, false).await
    }

    pub async fn replace(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        self.store(name, bytes, true).await
    }

    async fn store(&self, name: &ObjectName, bytes: Bytes, replacing: bool) -> Outcome<()> {
        let temporary = temporary::name()?;
        let stored = self.store_by(&temporary, &name.path(), &bytes, replacing).await;
        if stored.is_err() {
            // What can't be removed counts for nothing and is left to the sweep.
            let _ = self.ask("DELETE", &temporary).await;
        }
        stored
    }

    async fn store_by(&self, temporary: &str, path: &str, bytes: &Bytes, replacing: bool) -> Outcome<()> {
        let put = || async {
            let request = self.request("PUT", &self.url(temporary))?;
            let request = request.header("content-length", bytes.len());
            self.http.send(request, bytes.clone()).await
        };
        let mut sent = put().await?;
        if lacks_folder(&sent) {
            self.make_folders(temporary::FOLDER).await?;
            sent = put().await?;
        }
        expect(
            sent,
            &[StatusCode::CREATED, StatusCode::NO_CONTENT, StatusCode::OK],
            &self.http,
        )
        .await?;
        let mut moved = self.rename(temporary, path, replacing).await?;
        // Some servers answer "forbidden" for a missing folder.
        if lacks_folder(&moved) || moved.status() == StatusCode::FORBIDDEN {
            self.make_folders(path.rsplit_once('/').map_or("", |(folder, _)| folder))
                .await?;
            moved = self.rename(temporary, path, replacing).await?;
            if self.is_swept(&moved, temporary).await? {
                return Err(temporary::swept());
            }
        }
        let good: &[StatusCode] = match replacing {
            true => &[StatusCode::CREATED, StatusCode::NO_CONTENT],
            false => &[StatusCode::CREATED],
        };
        expect(moved, good, &self.http).await.map(drop)
    }

    /// Whether a rename failed because its source is gone. Some servers answer "forbidden" when it goes while they are at
    /// work, which is what they answer too where the user may not write: then they are asked for the source.
    async fn is_swept(&self, moved: &Response, temporary: &str) -> Outcome<bool> {
        Ok(match moved.status() {
            StatusCode::NOT_FOUND => true,
            StatusCode::FORBIDDEN => self.ask("HEAD", temporary).await?.status() == StatusCode::NOT_FOUND,
            _ => false,
        })
    }

    async fn rename(&self, from: &str, to: &str, replacing: bool) -> Outcome<Response> {
        let request = self.request("MOVE", &self.url(from))?;
        let request = request
            .header("destination", self.url(to))
            .header("overwrite", if replacing { "T" } else { "F" });
        self.http.send(request, Bytes::new()).await
    }

    /// Makes `folder` and what is missing above it: its own root too.
    async fn make_folders(&self, folder: &str) -> Outcome<()> {
        let url = self.url(folder);
        let start = url.find("://").map_or(0, |at| at + 3);
        let ends = url.match_indices('/').map(|(at, _)| at).filter(|at| *at > start);
        let mut ends: Vec<usize> = ends.chain([url.len()]).collect();
        // The first of them is the server itself.
        ends.remove(0);
        for end in ends {
            let request = self.request("MKCOL", &format!("{}/", &url[..end]))?;
            let made = self.http.send(request, Bytes::new()).await?;
            let there = [
                StatusCode::CREATED,
                StatusCode::OK,
                StatusCode::METHOD_NOT_ALLOWED,
            ];
            // Folders that belong to somebody else may be closed to us, and be there.
            let foreign = end < self.base.len() && made.status() == StatusCode::FORBIDDEN;
            if !foreign {
                expect(made, &there, &self.http).await?;
            }
        }
        Ok(())
    }

    pub async fn read(&self, name: &ObjectName, offset: u64, len: u64, out: &mut Vec<u8>) -> Outcome<()> {
        let request = self.request("GET", &self.url(&name.path()))?;
        let last = offset.saturating_add(len - 1);
        let request = request.header("range", format!("bytes={offset}-{last}"));
        let answer = self.http.send(request, Bytes::new()).await?;
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(());
        }
        let answer = expect(answer, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT], &self.http).await?;
        let (mut skip, mut left) = (ahead_of(offset, answer.status(), answer.headers())?, len);
        let mut body = pin!(self.http.body(answer));
        while let Some(mut bytes) = body.next().await.transpose()? {
            let skipped = bytes.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
            skip -= skipped as u64;
            let bytes = bytes.split_off(skipped);
            let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            out.extend_from_slice(&bytes[..taken]);
            left -= taken as u64;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    pub async fn size(&self, name: &ObjectName) -> Outcome<Option<u64>> {
        let answer = self.ask("HEAD", &name.path()).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = expect(answer, &[StatusCode::OK], &self.http).await?;
        let length = answer.headers().get("content-length");
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let silent = || Fault::lasting(ErrorKind::InvalidData, Cause::NoLength);
        length.map(Some).ok_or_else(silent)
    }

    pub async fn list(&self, kind: Kind) -> Outcome<Vec<Listed>> {
        let folder = kind.folder();
        let mut found = Vec::new();
        if kind != Kind::Pack {
            objects(kind, folder, self.members(folder).await?, &mut found);
            return Ok(found);
        }
        let members = self.members(folder).await?;
        let prefixes = members
            .into_iter()
            .filter(|member| member.size.is_none() && is_prefix(&member.name))
            .map(|member| member.name);
        let prefixes: BTreeSet<String> = prefixes.collect();
        let folders = prefixes.into_iter().map(|name| format!("{folder}/{name}"));
        let listings = folders.map(|folder| async move {
            let members = self.members(&folder).await?;
            Ok::<_, Fault>((folder, members))
        });
        let mut listings = futures_util::stream::iter(listings).buffer_unordered(LISTED_AT_ONCE);
        while let Some((folder, members)) = listings.try_next().await? {
            objects(kind, &folder, members, &mut found);
        }
        Ok(found)
    }

    /// What lies directly in a folder; nothing where it is missing below a root that is there (I-9).
    async fn members(&self, folder: &str) -> Outcome<Vec<Member>> {
        let answer = self.properties(folder, "1").await?;
        if answer.status() == StatusCode::NOT_FOUND {
            let root = self.properties("", "0").await?;
            return match root.status() {
                StatusCode::NOT_FOUND => Err(Fault::lasting(ErrorKind::NotFound, Cause::FolderMissing)),
                _ => expect(root, &[StatusCode::MULTI_STATUS], &self.http)
                    .await
                    .map(|_| Vec::new()),
            };
        }
        let answer = expect(answer, &[StatusCode::MULTI_STATUS], &self.http).await?;
        let text = self.text(answer, LISTING_MAX).await?;
        // A server that died while it answered may give a whole answer next time.
        let mut members = multistatus::parse(&text).map_err(|flaw| {
            let cause = match flaw {
                ListingFlaw::Syntax(e) => Cause::ListingUnparsable {
                    detail: e.to_string(),
                },
                ListingFlaw::Incomplete => Cause::ListingIncomplete,
            };
            Fault::passing(ErrorKind::InvalidData, cause)
        })?;
        // The folder is among its own members.
        let own = folder.rsplit('/').next().unwrap_or_default();
        members.retain(|member| member.size.is_some() || member.name != own);
        Ok(members)
    }

    async fn properties(&self, folder: &str, depth: &str) -> Outcome<Response> {
        let request = self.request(
            "PROPFIND",
            &format!("{}/", self.url(folder).trim_end_matches('/')),
        )?;
        let request = request
            .header("depth", depth)
            .header("content-type", "application/xml");
        let request = request.header("content-length", PROPERTIES.len());
        self.http
            .send(request, Bytes::from_static(PROPERTIES.as_bytes()))
            .await
    }

    async fn text(&self, answer: Response, max: usize) -> Outcome<Vec<u8>> {
        let mut body = pin!(self.http.body(answer));
        let mut text = Vec::new();
        while let Some(bytes) = body.next().await.transpose()? {
            if text.len() + bytes.len() > max {
                return Err(Fault::lasting(ErrorKind::InvalidData, Cause::AnswerTooLong));
            }
            text.extend_from_slice(&bytes);
        }
        Ok(text)
    }

    pub async fn delete(&self, name: &ObjectName) -> Outcome<()> {
        let answer = self.ask("DELETE", &name.path()).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        expect(answer, &[StatusCode::NO_CONTENT, StatusCode::OK], &self.http)
            .await
            .map(drop)
    }

    pub async fn staged(&self) -> Outcome<Vec<String>> {
        let members = self.members(temporary::FOLDER).await?;
        let names = members.into_iter().map(|member| member.name);
        Ok(names.filter(|name| temporary::is_ours(name)).collect())
    }

    /// False where it was published, or swept by another.
    pub async fn remove_staged(&self, name: &str) -> Outcome<bool> {
        let answer = self
            .ask("DELETE", &format!("{}/{name}", temporary::FOLDER))
            .await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        expect(answer, &[StatusCode::NO_CONTENT, StatusCode::OK], &self.http).await?;
        Ok(true)
    }
}

/// Also folders under the names of objects.
fn objects(kind: Kind, folder: &str, members: Vec<Member>, found: &mut Vec<Listed>) {
    for Member { name, size } in members {
        let name =
            ObjectName::parse(kind, &name).filter(|object| object.path() == format!("{folder}/{name}"));
        found.extend(name.map(|name| (name, size)));
    }
}

/// How a server reports that the folder above is missing; some report that the file is.
fn lacks_folder(answer: &Response) -> bool {
    matches!(answer.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND)
}

/// The answer if its status is one of `good`, or what else it means.
async fn expect(answer: Response, good: &[StatusCode], http: &Http) -> Outcome<Response> {
    let status = answer.status();
    if good.contains(&status) {
        return Ok(answer);
    }
    let mut said = Vec::new();
    let mut body = pin!(http.body(answer));
    // What can't be read of a complaint is left out of it.
    while let Some(Ok(bytes)) = body.next().await {
        said.extend_from_slice(&bytes[..bytes.len().min(COMPLAINT_MAX)]);
        if said.len() >= COMPLAINT_MAX {
            break;
        }
    }
    let said = String::from_utf8_lossy(&said);
    let is_full = says_full(&said);
    let cause = Cause::Answered {
        status: status.to_string(),
        detail: said.trim().trim_end_matches([':', ' ']).to_string(),
    };
    Err(match status {
        StatusCode::INSUFFICIENT_STORAGE => Fault::lasting(ErrorKind::StorageFull, cause),
        _ if is_full => Fault::lasting(ErrorKind::StorageFull, cause),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Fault::lasting(ErrorKind::PermissionDenied, cause)
        }
        StatusCode::NOT_FOUND => Fault::lasting(ErrorKind::NotFound, cause),
        StatusCode::PRECONDITION_FAILED => Fault::lasting(ErrorKind::AlreadyExists, cause),
        StatusCode::LOCKED | StatusCode::TOO_MANY_REQUESTS => Fault::passing(ErrorKind::ResourceBusy, cause),
        status if status.is_server_error() => Fault::passing(ErrorKind::Other, cause),
        _ => Fault::lasting(ErrorKind::Other, cause),
    })
}
