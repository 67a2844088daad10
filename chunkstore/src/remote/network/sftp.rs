//! SFTP: bytes go to a random name in `tmp/`, are synced, and get their name by a plain rename, which OpenSSH makes of
//! a link and so never replaces (I-2). A second sync of the open file makes the name durable with the journal of the
//! usual filesystems; the protocol has none for folders.

mod connection;

use self::connection::{Connection, fault};
use super::fault::{Fault, Outcome};
use super::listed::{Listed, is_prefix};
use super::temporary;
use crate::error::{Cause, Result, UrlFault};
use crate::remote::address::{Address, invalid};
use crate::remote::link::Direction::{Download, Upload};
use crate::remote::link::Link;
use crate::remote::{Kind, ObjectName};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use russh_sftp::client::error::Error as Said;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

/// Bytes of one request, which every server takes, and requests of one object under way.
const PIECE: usize = 32 << 10;
const UNDER_WAY: usize = 64;
/// Bytes of the names in a folder at most: some million.
const LISTING_MAX: usize = 1 << 29;
/// Folders of packs that are listed at a time.
const LISTED_AT_ONCE: usize = 16;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// `S_IFMT` and `S_IFREG`, which the protocol has from POSIX.
const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

pub(super) const PARAMETERS: &[&str] = &["identity", "config"];

pub(super) struct Sftp {
    address: Address,
    link: Link,
    /// Without a slash at its end.
    root: String,
    connection: Mutex<Option<Arc<Connection>>>,
    connecting: tokio::sync::Mutex<()>,
}

fn with_mode(permissions: u32) -> FileAttributes {
    FileAttributes {
        permissions: Some(permissions),
        ..FileAttributes::empty()
    }
}

impl Sftp {
    pub fn new(address: &Address, link: &Link) -> Result<Sftp> {
        if address.password.is_some() {
            return Err(invalid(UrlFault::SftpPassword));
        }
        // `~/` is below the home directory; the server resolves relative paths from there.
        let root = match address.path.strip_prefix("~/") {
            Some(below) => below.to_string(),
            None => format!("/{}", address.path),
        };
        Ok(Sftp {
            address: address.clone(),
            link: link.clone(),
            root,
            connection: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
        })
    }

    fn path(&self, below: &str) -> String {
        match below {
            "" => self.root.clone(),
            below => format!("{}/{below}", self.root.trim_end_matches('/')),
        }
    }

    /// The connection, made anew when the last one broke.
    async fn connection(&self) -> Outcome<Arc<Connection>> {
        let usable = || {
            self.connection
                .lock()
                .clone()
                .filter(|connection| connection.is_open())
        };
        if let Some(connection) = usable() {
            return Ok(connection);
        }
        let _one = self.connecting.lock().await;
        if let Some(connection) = usable() {
            return Ok(connection);
        }
        let made = Arc::new(Connection::make(&self.address).await?);
        *self.connection.lock() = Some(made.clone());
        Ok(made)
    }

    pub async fn create(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        self.store(name, bytes, false).await
    }

    pub async fn replace(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        self.store(name, bytes, true).await
    }

    async fn store(&self, name: &ObjectName, bytes: Bytes, replacing: bool) -> Outcome<()> {
        let connection = self.connection().await?;
        let temporary = self.path(&temporary::name()?);
        let created = self
            .store_by(&connection, name, &temporary, &bytes, replacing)
            .await;
        if created.is_err() && connection.is_open() {
            // What can't be removed counts for nothing and is left to the sweep.
            let _ = connection.ask(|sftp| sftp.remove(temporary.as_str())).await;
        }
        let created = created.map_err(|said| match is(&said, StatusCode::NoSuchFile) {
            // The folders are there, or were made.
            true => temporary::swept(),
            false => fault(said),
        });
        if matches!(&created, Err(fault) if fault.kind() == ErrorKind::Other)
            && self.is_full(&connection, bytes.len()).await
        {
            return Err(Fault::lasting(ErrorKind::StorageFull, Cause::ServerFull));
        }
        created
    }

    async fn store_by(
        &self,
        connection: &Connection,
        name: &ObjectName,
        temporary: &str,
        bytes: &Bytes,
        replacing: bool,
    ) -> Result<(), Said> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
        let open = || connection.ask(|sftp| sftp.open(temporary, flags, with_mode(FILE_MODE)));
        let handle = match open().await {
            Err(e) if is(&e, StatusCode::NoSuchFile) => {
                self.make_folders(connection, temporary::FOLDER).await?;
                open().await?
            }
            opened => opened?,
        };
        let handle = handle.handle;
        let pieces = (0..bytes.len()).step_by(PIECE).map(|start| {
            let piece = bytes.slice(start..(start + PIECE).min(bytes.len()));
            let handle = handle.clone();
            async move {
                self.link.pace(Upload, piece.len(), bytes.len()).await;
                connection
                    .ask(|sftp| sftp.write(handle, start as u64, piece.to_vec()))
                    .await
            }
        });
        let written = futures_util::stream::iter(pieces).buffer_unordered(UNDER_WAY);
        let written = written.try_for_each(|_| async { Ok(()) }).await;
        let published = match written {
            Ok(()) if replacing => self.put_in_place(connection, &handle, temporary, name).await,
            Ok(()) => self.publish(connection, &handle, temporary, name).await,
            Err(e) => Err(e),
        };
        let closed = connection.ask(|sftp| sftp.close(handle)).await;
        published?;
        closed.map(drop)
    }

    async fn publish(
        &self,
        connection: &Connection,
        handle: &str,
        temporary: &str,
        name: &ObjectName,
    ) -> Result<(), Said> {
        connection.sync(handle).await?;
        let path = name.path();
        let target = self.path(&path);
        let rename = || connection.ask(|sftp| sftp.rename(temporary, target.as_str()));
        let renamed = match rename().await {
            Err(e) if is(&e, StatusCode::NoSuchFile) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                self.make_folders(connection, folder).await?;
                rename().await
            }
            renamed => renamed,
        };
        match renamed {
            // The protocol has no word for a name that is taken.
            Err(e) if is(&e, StatusCode::Failure) => {
                match connection.ask(|sftp| sftp.lstat(target.as_str())).await {
                    Ok(_) => Err(connection::taken()),
                    Err(_) => Err(e),
                }
            }
            Err(e) => Err(e),
            Ok(_) => connection.sync(handle).await,
        }
    }

    async fn put_in_place(
        &self,
        connection: &Connection,
        handle: &str,
        temporary: &str,
        name: &ObjectName,
    ) -> Result<(), Said> {
        connection.sync(handle).await?;
        connection
            .rename_over(temporary, &self.path(&name.path()))
            .await?;
        connection.sync(handle).await
    }

    /// Makes a folder and what is missing above it.
    async fn make_folders(&self, connection: &Connection, folder: &str) -> Result<(), Said> {
        let mut path = self.path(folder);
        let mut missing = Vec::new();
        while !path.is_empty() {
            match connection.ask(|sftp| sftp.stat(path.as_str())).await {
                Err(e) if is(&e, StatusCode::NoSuchFile) => {}
                Err(e) => return Err(e),
                Ok(_) => break,
            }
            missing.push(path.clone());
            path.truncate(path.rfind('/').unwrap_or(0));
        }
        for path in missing.iter().rev() {
            let made = connection
                .ask(|sftp| sftp.mkdir(path.as_str(), with_mode(FOLDER_MODE)))
                .await;
            if let Err(e) = made
                && connection.ask(|sftp| sftp.stat(path.as_str())).await.is_err()
            {
                return Err(e);
            }
        }
        Ok(())
    }

    /// The protocol has no code for a full disk either; OpenSSH reports how much room there is.
    async fn is_full(&self, connection: &Connection, len: usize) -> bool {
        let room = connection.ask(|sftp| sftp.statvfs(self.root.as_str())).await;
        room.is_ok_and(|room| room.blocks_avail.saturating_mul(room.fragment_size) < len as u64)
    }

    pub async fn read(&self, name: &ObjectName, offset: u64, len: u64, out: &mut Vec<u8>) -> Outcome<()> {
        let connection = self.connection().await?;
        let path = self.path(&name.path());
        let opened = connection
            .ask(|sftp| sftp.open(path.as_str(), OpenFlags::READ, FileAttributes::empty()))
            .await;
        let handle = opened.map_err(fault)?.handle;
        let read = self.read_by(&connection, &handle, offset, len, out).await;
        let closed = connection.ask(|sftp| sftp.close(handle)).await;
        read.map_err(fault)?;
        closed.map(drop).map_err(fault)
    }

    async fn read_by(
        &self,
        connection: &Connection,
        handle: &str,
        offset: u64,
        len: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Said> {
        let size = connection
            .ask(|sftp| sftp.fstat(handle))
            .await?
            .attrs
            .size
            .ok_or(Said::UnexpectedPacket)?;
        let end = offset.saturating_add(len).min(size);
        let starts = (offset..end).step_by(PIECE);
        let pieces = starts.map(|start| async move {
            let mut piece = Vec::new();
            let wanted = PIECE.min(usize::try_from(end - start).unwrap_or(PIECE));
            // A server may give less than was asked for.
            while piece.len() < wanted {
                let at = start + piece.len() as u64;
                let rest = (wanted - piece.len()) as u32;
                let read = connection.ask(|sftp| sftp.read(handle, at, rest)).await;
                match read {
                    Err(e) if is(&e, StatusCode::Eof) => break,
                    Ok(data) if data.data.is_empty() => break,
                    Ok(data) if data.data.len() > rest as usize => return Err(Said::UnexpectedPacket),
                    read => piece.extend_from_slice(&read?.data),
                }
            }
            self.link.pace(Download, piece.len(), piece.len()).await;
            Ok::<_, Said>((piece.len() == wanted, piece))
        });
        let mut pieces = std::pin::pin!(futures_util::stream::iter(pieces).buffered(UNDER_WAY));
        while let Some((whole, piece)) = pieces.try_next().await? {
            out.extend_from_slice(&piece);
            if !whole {
                break;
            }
        }
        Ok(())
    }

    pub async fn size(&self, name: &ObjectName) -> Outcome<Option<u64>> {
        let connection = self.connection().await?;
        let path = self.path(&name.path());
        match connection.ask(|sftp| sftp.stat(path.as_str())).await {
            Ok(found) if file_type(&found.attrs).is_some_and(|file_type| file_type != REGULAR) => {
                Err(Fault::lasting(ErrorKind::InvalidData, Cause::NotARegularFile))
            }
            // Without a size it is there all the same.
            Ok(found) => found.attrs.size.map(Some).ok_or_else(no_size),
            Err(e) if is(&e, StatusCode::NoSuchFile) => Ok(None),
            Err(e) => Err(fault(e)),
        }
    }

    /// Also what is no file under an object's name: a server that opens a FIFO may never answer again.
    pub async fn list(&self, kind: Kind) -> Outcome<Vec<Listed>> {
        let connection = self.connection().await?;
        let mut listed = Vec::new();
        for (name, attributes) in self.objects(&connection, kind).await? {
            let size = attributes
                .size
                .filter(|_| file_type(&attributes).is_none_or(|file_type| file_type == REGULAR));
            let followed = match size {
                Some(_) => Ok(size),
                // A link is listed as such.
                None => self.size(&name).await,
            };
            match followed {
                Ok(size) => listed.push((name, size)),
                Err(fault) if fault.kind() == ErrorKind::InvalidData => listed.push((name, None)),
                Err(fault) if fault.passing => return Err(fault),
                // Whoever reads it gets the error.
                Err(_) => listed.push((name, Some(0))),
            }
        }
        Ok(listed)
    }

    async fn objects(
        &self,
        connection: &Connection,
        kind: Kind,
    ) -> Outcome<Vec<(ObjectName, FileAttributes)>> {
        let folder = kind.folder();
        let mut found = Vec::new();
        let members = self.members(connection, folder).await?;
        if kind != Kind::Pack {
            objects(kind, folder, members, &mut found);
            return Ok(found);
        }
        let prefixes = members
            .into_iter()
            .filter(|(name, attributes)| attributes.is_dir() && is_prefix(name))
            .map(|(name, _)| name);
        let prefixes: BTreeSet<String> = prefixes.collect();
        let folders = prefixes.into_iter().map(|name| format!("{folder}/{name}"));
        let listings = folders.map(|folder| async move {
            let members = self.members(connection, &folder).await?;
            Ok::<_, Fault>((folder, members))
        });
        let listings = futures_util::stream::iter(listings).buffer_unordered(LISTED_AT_ONCE);
        let mut listings = std::pin::pin!(listings);
        while let Some((folder, members)) = listings.try_next().await? {
            objects(kind, &folder, members, &mut found);
        }
        Ok(found)
    }

    /// What lies directly in a folder; nothing where it is missing below a root that is there (I-9).
    async fn members(&self, connection: &Connection, folder: &str) -> Outcome<Vec<(String, FileAttributes)>> {
        let path = self.path(folder);
        let handle = match connection.ask(|sftp| sftp.opendir(path.as_str())).await {
            Err(e) if is(&e, StatusCode::NoSuchFile) => {
                let root = self.path("");
                let root = connection.ask(|sftp| sftp.stat(root.as_str())).await;
                return root.map(|_| Vec::new()).map_err(fault);
            }
            opened => opened.map_err(fault)?.handle,
        };
        let (mut members, mut length) = (Vec::new(), 0);
        loop {
            match connection.ask(|sftp| sftp.readdir(handle.as_str())).await {
                // A server that has no more names says so.
                Ok(names) if names.files.is_empty() => return Err(fault(Said::UnexpectedPacket)),
                Ok(_) if length > LISTING_MAX => {
                    return Err(Fault::lasting(ErrorKind::InvalidData, Cause::AnswerTooLong));
                }
                Ok(names) => {
                    length += names.files.iter().map(|file| file.filename.len()).sum::<usize>();
                    members.extend(names.files.into_iter().map(|file| (file.filename, file.attrs)));
                }
                Err(e) if is(&e, StatusCode::Eof) => break,
                Err(e) => return Err(fault(e)),
            }
        }
        connection.ask(|sftp| sftp.close(handle)).await.map_err(fault)?;
        Ok(members)
    }

    pub async fn delete(&self, name: &ObjectName) -> Outcome<()> {
        let connection = self.connection().await?;
        let path = self.path(&name.path());
        match connection.ask(|sftp| sftp.remove(path.as_str())).await {
            Err(e) if is(&e, StatusCode::NoSuchFile) => Ok(()),
            removed => removed.map(drop).map_err(fault),
        }
    }

    pub async fn staged(&self) -> Outcome<Vec<String>> {
        let connection = self.connection().await?;
        let members = self.members(&connection, temporary::FOLDER).await?;
        let names = members.into_iter().map(|(name, _)| name);
        Ok(names.filter(|name| temporary::is_ours(name)).collect())
    }

    pub async fn remove_staged(&self, name: &str) -> Outcome<bool> {
        let connection = self.connection().await?;
        let path = self.path(&format!("{}/{name}", temporary::FOLDER));
        match connection.ask(|sftp| sftp.remove(path.as_str())).await {
            // Published, or swept by another.
            Err(e) if is(&e, StatusCode::NoSuchFile) => Ok(false),
            removed => removed.map(|_| true).map_err(fault),
        }
    }
}

fn no_size() -> Fault {
    Fault::lasting(ErrorKind::InvalidData, Cause::NoLength)
}

fn is(said: &Said, code: StatusCode) -> bool {
    matches!(said, Said::Status(status) if status.status_code == code)
}

fn objects(
    kind: Kind,
    folder: &str,
    members: Vec<(String, FileAttributes)>,
    found: &mut Vec<(ObjectName, FileAttributes)>,
) {
    for (name, attributes) in members {
        let name =
            ObjectName::parse(kind, &name).filter(|object| object.path() == format!("{folder}/{name}"));
        found.extend(name.map(|name| (name, attributes)));
    }
}

/// The bits of the mode that say what kind of file it is, if the server sent them.
fn file_type(attributes: &FileAttributes) -> Option<u32> {
    attributes.permissions.map(|mode| mode & FILE_TYPE)
}
