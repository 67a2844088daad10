//! How a storage is spoken to: one request at a time, tried once. The contract that they make up together is
//! [`super::Network`]'s.

use super::cloud::Cloud;
use super::fault::Outcome;
use super::listed::Listed;
use super::rclone::Rclone;
use super::sftp::Sftp;
use super::webdav::WebDav;
use crate::error::Result;
use crate::remote::address::Address;
use crate::remote::link::Link;
use crate::remote::{Kind, ObjectName};
use bytes::Bytes;

pub(super) enum Wire {
    Cloud(Cloud),
    Rclone(Rclone),
    Sftp(Sftp),
    WebDav(WebDav),
}

impl Wire {
    pub fn new(address: &Address, link: &Link) -> Result<Wire> {
        Ok(match address.scheme.as_str() {
            "rclone" => Wire::Rclone(Rclone::new(address, link)),
            "sftp" => Wire::Sftp(Sftp::new(address, link)?),
            "webdav" | "webdavs" => Wire::WebDav(WebDav::new(address, link)?),
            _ => Wire::Cloud(Cloud::new(address, link)?),
        })
    }

    /// Stores an object whole, under a name that is free: a taken one is a fault of that kind.
    pub async fn create(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        match self {
            Wire::Cloud(cloud) => cloud.create(name, bytes).await,
            Wire::Rclone(rclone) => rclone.server().await?.create(name, bytes).await,
            Wire::Sftp(sftp) => sftp.create(name, bytes).await,
            Wire::WebDav(webdav) => webdav.create(name, bytes).await,
        }
    }

    /// Stores an object whole in the place of one that is there, if any, in one step.
    pub async fn replace(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        match self {
            Wire::Cloud(cloud) => cloud.replace(name, bytes).await,
            Wire::Rclone(rclone) => rclone.server().await?.replace(name, bytes).await,
            Wire::Sftp(sftp) => sftp.replace(name, bytes).await,
            Wire::WebDav(webdav) => webdav.replace(name, bytes).await,
        }
    }

    /// Appends up to `len` bytes from `offset`; `len` is not 0.
    pub async fn read(&self, name: &ObjectName, offset: u64, len: u64, out: &mut Vec<u8>) -> Outcome<()> {
        match self {
            Wire::Cloud(cloud) => cloud.read(name, offset, len, out).await,
            Wire::Rclone(rclone) => rclone.server().await?.read(name, offset, len, out).await,
            Wire::Sftp(sftp) => sftp.read(name, offset, len, out).await,
            Wire::WebDav(webdav) => webdav.read(name, offset, len, out).await,
        }
    }

    pub async fn size(&self, name: &ObjectName) -> Outcome<Option<u64>> {
        match self {
            Wire::Cloud(cloud) => cloud.size(name).await,
            Wire::Rclone(rclone) => rclone.server().await?.size(name).await,
            Wire::Sftp(sftp) => sftp.size(name).await,
            Wire::WebDav(webdav) => webdav.size(name).await,
        }
    }

    pub async fn list(&self, kind: Kind) -> Outcome<Vec<Listed>> {
        match self {
            Wire::Cloud(cloud) => cloud.list(kind).await,
            Wire::Rclone(rclone) => rclone.server().await?.list(kind).await,
            Wire::Sftp(sftp) => sftp.list(kind).await,
            Wire::WebDav(webdav) => webdav.list(kind).await,
        }
    }

    pub async fn delete(&self, name: &ObjectName) -> Outcome<()> {
        match self {
            Wire::Cloud(cloud) => cloud.delete(name).await,
            Wire::Rclone(rclone) => rclone.server().await?.delete(name).await,
            Wire::Sftp(sftp) => sftp.delete(name).await,
            Wire::WebDav(webdav) => webdav.delete(name).await,
        }
    }

    /// Names of unpublished writes.
    pub async fn staged(&self) -> Outcome<Vec<String>> {
        match self {
            // An unfinished request leaves nothing.
            Wire::Cloud(_) => Ok(Vec::new()),
            Wire::Rclone(rclone) => rclone.server().await?.staged().await,
            Wire::Sftp(sftp) => sftp.staged().await,
            Wire::WebDav(webdav) => webdav.staged().await,
        }
    }

    /// Removes one of them; false where it is gone already.
    pub async fn remove_staged(&self, name: &str) -> Outcome<bool> {
        match self {
            Wire::Cloud(_) => Ok(false),
            Wire::Rclone(rclone) => rclone.server().await?.remove_staged(name).await,
            Wire::Sftp(sftp) => sftp.remove_staged(name).await,
            Wire::WebDav(webdav) => webdav.remove_staged(name).await,
        }
    }
}
