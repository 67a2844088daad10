//! Remotes that are reached over a network: what each of them can do, under the contract of [`Remote`].
//!
//! An object is sent when it is published, from memory, so that a request can be sent again (I-2); memory is bounded by the
//! packs that the writer has open and under way. Requests that fail are tried again
//! ([`retry`]). Where a create finds its name taken after an earlier try whose reply was lost, what is there is read
//! and compared (I-13).

mod cloud;
mod fault;
mod http;
mod listed;
mod pages;
mod rclone;
mod retry;
mod runtime;
mod sftp;
mod temporary;
mod uploads;
mod webdav;
mod wire;

use self::fault::{Fault, Outcome};
use self::retry::RetryingClient;
use self::uploads::UploadGate;
use self::wire::Wire;
use super::address::Address;
use super::link::Link;
use super::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use crate::cancel::Work;
use crate::descriptors::{self, Permit};
use crate::error::{Cause, Error, Object, Operation, Result, cleaned};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// Requests that a caller does well to have under way.
const MAX_CONCURRENCY: usize = 4;
/// Bytes asked for at once: what is longer is read in pieces, so that no more than a piece is sent again.
const READ: u64 = 16 << 20;

/// No object is this long, and servers misread such numbers.
const FAR: u64 = 1 << 60;

/// Connections of one remote; beside the requests under way some are just being made.
const CONNECTIONS_LEAST: usize = 6;
const CONNECTIONS_MOST: usize = retry::MOST + 8;
const BEING_MADE: usize = 4;

struct NetworkState {
    wire: Wire,
    sender: RetryingClient,
    link: Link,
    uploads: UploadGate,
    address: Address,
    /// Names that were listed and are taken by something that is no file, such as a folder or a FIFO: to read it might
    /// give anything, or take for ever.
    not_files: Mutex<HashSet<ObjectName>>,
    _connections: Permit,
}

pub(super) struct Network {
    shared: Arc<NetworkState>,
}

impl Network {
    /// What a URL means. `None` for a scheme that is not a network's.
    pub fn address(url: &str, scheme: &str) -> Result<Option<Address>> {
        let address = match scheme {
            "s3" | "gs" | "azblob" | "b2" => Address::parse(url, cloud::parameters(scheme))?,
            "sftp" => Address::parse(url, sftp::PARAMETERS)?,
            "webdav" | "webdavs" => Address::parse(url, &[])?,
            "rclone" => Address::of_rclone(url)?,
            _ => return Ok(None),
        };
        address.stall()?;
        address.patience()?;
        Ok(Some(address))
    }

    /// Makes no connection yet. `None` for a scheme that is not a network's.
    pub fn open(url: &str, scheme: &str, link: &Link) -> Result<Option<Network>> {
        let Some(address) = Network::address(url, scheme)? else {
            return Ok(None);
        };
        let link = link.to(&address);
        let wire = Wire::new(&address, &link)?;
        let connections = descriptors::hold(CONNECTIONS_LEAST, CONNECTIONS_MOST);
        let most = (connections.count() - BEING_MADE).min(retry::MOST);
        Ok(Some(Network {
            shared: Arc::new(NetworkState {
                wire,
                sender: RetryingClient::new(&address, link.cancel.clone(), most)?,
                link,
                uploads: UploadGate::default(),
                address,
                not_files: Mutex::default(),
                _connections: connections,
            }),
        }))
    }
}

impl NetworkState {
    fn failed(&self, operation: Operation, object: impl Into<Object>, fault: &Fault) -> Error {
        let object = object.into();
        match fault.kind() {
            ErrorKind::NotFound => return Error::Missing { object },
            ErrorKind::Interrupted => return Error::Interrupted,
            _ => {}
        }
        // A server that was busy or broken for as long as it was asked is as good as away.
        let is_away = fault.passing && matches!(fault.kind(), ErrorKind::Other | ErrorKind::ResourceBusy);
        let source = match (self.cleaned(&fault.source), is_away) {
            (source, false) => source,
            (source, true) => Cause::detailed(&source).into_io(ErrorKind::TimedOut),
        };
        Error::remote(operation, object, source)
    }

    /// The same failure without the secrets of the address.
    fn cleaned(&self, error: &io::Error) -> io::Error {
        cleaned(error, &|text| self.address.cleaned(text))
    }

    fn create(&self, name: &ObjectName, bytes: &Bytes) -> Outcome<()> {
        let work = work_on(name);
        let _permit = match name.kind() {
            Kind::Pack => Some(self.uploads.enter(bytes.len(), &self.link)?),
            _ => None,
        };
        self.sender.send(work, |tries| {
            let created = self.sender.run(work, self.wire.create(name, bytes.clone()));
            match created {
                // Of an earlier try, whose reply was lost?
                Err(fault) if tries > 0 && fault.kind() == ErrorKind::AlreadyExists => {
                    let mut found = Vec::new();
                    self.read_once(name, 0, bytes.len() as u64 + 1, &mut found)?;
                    if found == *bytes { Ok(()) } else { Err(fault) }
                }
                created => created,
            }
        })
    }

    fn publish(&self, name: &ObjectName, bytes: &Bytes) -> Result<Published> {
        match self.create(name, bytes) {
            Ok(()) => Ok(Published::Created),
            Err(fault) if fault.kind() == ErrorKind::AlreadyExists => Ok(Published::Exists),
            // No object is missing: it is the bucket, or the folder, that is.
            Err(Fault { source, .. }) if source.kind() == ErrorKind::NotFound => {
                // Not as `NotFound`, which would refer to the object.
                let why = Cause::detailed(&self.cleaned(&source));
                Err(Error::remote(
                    Operation::Write,
                    name,
                    why.into_io(ErrorKind::Other),
                ))
            }
            Err(fault) => Err(self.failed(Operation::Write, name, &fault)),
        }
    }

    /// An error for a name that the last listing showed to be no file's.
    fn is_file(&self, name: &ObjectName) -> Outcome<()> {
        match self.not_files.lock().contains(name) {
            true => Err(Fault::lasting(ErrorKind::InvalidData, Cause::NotARegularFile)),
            false => Ok(()),
        }
    }

    fn read_once(&self, name: &ObjectName, offset: u64, len: u64, out: &mut Vec<u8>) -> Outcome<()> {
        self.is_file(name)?;
        self.sender
            .run(work_on(name), self.wire.read(name, offset, len, out))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: u64, out: &mut Vec<u8>) -> Outcome<()> {
        let mut done = 0;
        while done < len {
            let (start, piece) = (out.len(), READ.min(len - done));
            let Some(at) = offset.checked_add(done) else {
                return Ok(());
            };
            self.sender.send(work_on(name), |_| {
                out.truncate(start);
                self.read_once(name, at, piece, out)
            })?;
            let got = (out.len() - start) as u64;
            done += got;
            if got < piece {
                return Ok(());
            }
        }
        Ok(())
    }

    fn size(&self, name: &ObjectName) -> Outcome<Option<u64>> {
        self.is_file(name)?;
        self.closing(|| self.wire.size(name))
    }

    fn list(&self, kind: Kind) -> Outcome<Vec<(ObjectName, u64)>> {
        let listed = self
            .sender
            .send(Work::Bulk, |_| self.sender.run(Work::Bulk, self.wire.list(kind)))?;
        let mut not_files = self.not_files.lock();
        not_files.retain(|name| name.kind() != kind);
        let others = listed.iter().filter(|(_, size)| size.is_none());
        not_files.extend(others.map(|(name, _)| name.clone()));
        Ok(listed
            .into_iter()
            .map(|(name, size)| (name, size.unwrap_or(0)))
            .collect())
    }

    fn delete(&self, name: &ObjectName) -> Outcome<()> {
        self.is_file(name)?;
        self.closing(|| self.wire.delete(name))
    }

    /// A small request.
    fn closing<T, F: Future<Output = Outcome<T>>>(&self, request: impl Fn() -> F) -> Outcome<T> {
        self.sender
            .send(Work::Closing, |_| self.sender.run(Work::Closing, request()))
    }
}

impl Remote for Network {
    fn location(&self) -> String {
        self.shared.address.shown().to_string()
    }

    fn max_concurrency(&self) -> usize {
        MAX_CONCURRENCY
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedUpload {
            shared: self.shared.clone(),
            bytes: Vec::new(),
        }))
    }

    fn publish(&self, name: &ObjectName, bytes: Bytes) -> Result<Published> {
        self.shared.publish(name, &bytes)
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        if len == 0 || offset > FAR {
            let missing = || Error::missing(name);
            return self.size(name)?.map(drop).ok_or_else(missing);
        }
        let read = self.shared.read(name, offset, len as u64, out);
        read.map_err(|fault| {
            out.clear();
            self.shared.failed(Operation::Read, name, &fault)
        })
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let size = self.shared.size(name);
        size.map_err(|fault| self.shared.failed(Operation::LookUp, name, &fault))
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        if kind == Kind::Config {
            return match self.size(&ObjectName::config())? {
                Some(size) => each(ObjectName::config(), size),
                None => Ok(()),
            };
        }
        // Complete before the first name is passed on: a listing that breaks off is begun again, and never short (I-9).
        let listed = self.shared.list(kind);
        let listed = listed.map_err(|fault| match fault.kind() {
            ErrorKind::NotFound => Error::remote(Operation::List, kind.folder(), fault.source),
            _ => self.shared.failed(Operation::List, kind.folder(), &fault),
        })?;
        listed.into_iter().try_for_each(|(name, size)| each(name, size))
    }

    fn replace(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        let shared = &self.shared;
        let replaced = shared.sender.send(work_on(name), |_| {
            shared
                .sender
                .run(work_on(name), shared.wire.replace(name, bytes.clone()))
        });
        replaced.map_err(|fault| shared.failed(Operation::Replace, name, &fault))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        match self.shared.delete(name) {
            Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(()),
            Err(fault) => Err(self.shared.failed(Operation::Delete, name, &fault)),
            Ok(()) => Ok(()),
        }
    }

    fn barrier(&self) -> Result<()> {
        // A server answers when it has stored what it was given.
        Ok(())
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        let NetworkState { wire, sender, .. } = &*self.shared;
        let failed = |fault| self.shared.failed(Operation::Sweep, temporary::FOLDER, &fault);
        let listed = sender.send(Work::Bulk, |_| sender.run(Work::Bulk, wire.staged()));
        let staged = listed.map_err(failed)?;
        if staged.is_empty() || !all_ended()? {
            return Ok(0);
        }
        let mut swept = 0;
        for name in &staged {
            let removed = sender.send(Work::Bulk, |_| sender.run(Work::Bulk, wire.remove_staged(name)));
            swept += u64::from(removed.map_err(failed)?);
        }
        Ok(swept)
    }
}

/// What is to happen to a request for this object when the process is asked to stop.
fn work_on(name: &ObjectName) -> Work {
    match name.kind() {
        Kind::Pack | Kind::Parity | Kind::Overview => Work::Bulk,
        Kind::Config
        | Kind::Key
        | Kind::Index
        | Kind::Session
        | Kind::Snapshot
        | Kind::Mark
        | Kind::Trash
        | Kind::Forgotten
        | Kind::Upgrade
        | Kind::Machine => Work::Closing,
    }
}

struct StagedUpload {
    shared: Arc<NetworkState>,
    bytes: Vec<u8>,
}

impl Staged for StagedUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        self.shared.publish(name, &Bytes::from(self.bytes))
    }
}
