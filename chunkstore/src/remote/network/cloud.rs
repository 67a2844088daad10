//! Object stores through one library: S3 and what speaks it, Google, Azure, Backblaze.
//!
//! Creation is exclusive where the store offers a conditional write. Elsewhere it looks before it writes, which two
//! writers can both do at once: the probe recognises such a store.

use super::fault::{Fault, Outcome};
use super::http::Http;
use super::listed::Listed;
use crate::error::{Cause, Result, UrlFault};
use crate::remote::address::{Address, invalid};
use crate::remote::link::Link;
use crate::remote::{Kind, ObjectName};
use bytes::Bytes;
use futures_util::TryStreamExt;
use opendal::raw::oio::{Read, ReadStream};
use opendal::raw::{OpRead, Service};
use opendal::{BytesRange, EntryMode, HttpTransporter, OperationContext, Operator, services};
use std::io::ErrorKind;

pub(super) struct Cloud {
    /// Of the whole bucket.
    operator: Operator,
    /// What names begin with there: nothing, or a folder with its slash.
    root: String,
    conditional: bool,
}

/// Parameters of each scheme.
pub(super) fn parameters(scheme: &str) -> &'static [&'static str] {
    match scheme {
        "s3" => &["endpoint", "region", "style", "profile"],
        "gs" => &["endpoint", "credential"],
        "azblob" => &["endpoint", "account"],
        "b2" => &["bucket-id"],
        _ => &[],
    }
}

impl Cloud {
    pub fn new(address: &Address, link: &Link) -> Result<Cloud> {
        let unusable = |e: opendal::Error| {
            let detail = address.cleaned(e.message());
            invalid(UrlFault::Other { detail })
        };
        let operator = match address.scheme.as_str() {
            "s3" => Operator::new(s3(address)?),
            "gs" => Operator::new(google(address)),
            "azblob" => Operator::new(azure(address)),
            _ => Operator::new(backblaze(address)?),
        };
        let transport = HttpTransporter::new(Http::new(address, link)?);
        let operator = operator.map_err(unusable)?;
        let context = OperationContext::new().with_http_transport(transport);
        let operator = operator.with_context(context);
        Ok(Cloud {
            root: root(&address.path),
            conditional: operator.info().capability().write_with_if_not_exists,
            operator,
        })
    }

    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.root)
    }

    pub async fn create(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        let path = self.path(&name.path());
        if !self.conditional && self.size(name).await?.is_some() {
            return Err(Fault::lasting(ErrorKind::AlreadyExists, Cause::Exists));
        }
        let write = self
            .operator
            .write_with(&path, bytes)
            .if_not_exists(self.conditional);
        write.await?;
        Ok(())
    }

    pub async fn replace(&self, name: &ObjectName, bytes: Bytes) -> Outcome<()> {
        self.operator.write(&self.path(&name.path()), bytes).await?;
        Ok(())
    }

    /// Below the library's own check of lengths: there what ends with its object counts as cut short. What really is
    /// shorter than its answer announced is found by the transport.
    pub async fn read(&self, name: &ObjectName, offset: u64, len: u64, out: &mut Vec<u8>) -> Outcome<()> {
        let (service, context) = (self.operator.base_service(), self.operator.base_context());
        let reader = service.read(context, &self.path(&name.path()), OpRead::new())?;
        let mut stream = match reader.open(BytesRange::new(offset, Some(len))).await {
            Ok((_, stream)) => stream,
            Err(e) if e.kind() == opendal::ErrorKind::RangeNotSatisfied => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        // A server may send more than was asked for, without end.
        let mut left = usize::try_from(len).unwrap_or(usize::MAX);
        while left > 0 {
            let bytes = stream.read().await?;
            if bytes.is_empty() {
                return Ok(());
            }
            for bytes in bytes {
                let taken = bytes.len().min(left);
                out.extend_from_slice(&bytes[..taken]);
                left -= taken;
            }
        }
        Ok(())
    }

    pub async fn size(&self, name: &ObjectName) -> Outcome<Option<u64>> {
        match self.operator.stat(&self.path(&name.path())).await {
            Ok(found) => Ok(Some(found.content_length())),
            Err(e) if e.kind() == opendal::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    pub async fn list(&self, kind: Kind) -> Outcome<Vec<Listed>> {
        let folder = self.path(&format!("{}/", kind.folder()));
        let lister = self.operator.lister_with(&folder).recursive(true).await?;
        let mut lister = std::pin::pin!(lister);
        let mut found = Vec::new();
        let mut first = None;
        while let Some(entry) = lister.try_next().await? {
            if first.as_deref() == Some(entry.path()) {
                // Its pages begin anew, and would for ever.
                return Err(Fault::lasting(ErrorKind::InvalidData, Cause::ListingIncomplete));
            }
            first.get_or_insert_with(|| entry.path().to_string());
            let size = entry.metadata().content_length();
            // Whatever a server lists that is not below the folder is not ours.
            let Some(path) = entry.path().strip_prefix(&self.root) else {
                continue;
            };
            let id = path.rsplit('/').next().unwrap_or_default();
            let name = ObjectName::parse(kind, id).filter(|name| name.path() == path);
            if entry.metadata().mode() == EntryMode::FILE {
                found.extend(name.map(|name| (name, Some(size))));
            }
        }
        Ok(found)
    }

    pub async fn delete(&self, name: &ObjectName) -> Outcome<()> {
        Ok(self.operator.delete(&self.path(&name.path())).await?)
    }
}

/// As the library writes paths: it would take a listed name outside of a root of its own for one below it, or fail on it.
fn root(path: &str) -> String {
    let folders = path.split('/').filter(|folder| !folder.is_empty());
    let root: String = folders.map(|folder| format!("{folder}/")).collect();
    root.trim_start().to_string()
}

/// Credentials are in the environment or the profile, as every S3 program takes them, or in the URL.
fn s3(address: &Address) -> Result<services::S3> {
    let mut builder = services::S3::default()
        .bucket(&address.host)
        .checksum_algorithm("crc32c");
    let default_region = std::env::var_os("AWS_REGION").or_else(|| std::env::var_os("AWS_DEFAULT_REGION"));
    match address.get("region") {
        Some(region) => builder = builder.region(region),
        None if default_region.is_none() => builder = builder.region("us-east-1"),
        None => {}
    }
    if let Some(endpoint) = address.get("endpoint") {
        builder = builder.endpoint(endpoint);
    }
    if let Some(profile) = address.get("profile") {
        builder = builder.profile(profile);
    }
    match address.get("style") {
        None | Some("path") => {}
        Some("virtual") => builder = builder.enable_virtual_host_style(),
        Some(_) => return Err(invalid(UrlFault::Style)),
    }
    if let (Some(key), Some(secret)) = (&address.user, &address.password) {
        builder = builder.access_key_id(key).secret_access_key(secret);
    }
    Ok(builder)
}

fn google(address: &Address) -> services::Gcs {
    let mut builder = services::Gcs::default().bucket(&address.host);
    if let Some(endpoint) = address.get("endpoint") {
        builder = builder.endpoint(endpoint);
    }
    if let Some(path) = address.get("credential") {
        builder = builder.credential_path(path);
    }
    builder
}

fn azure(address: &Address) -> services::Azblob {
    let variable = |name| std::env::var(name).ok();
    let mut builder = services::Azblob::default().container(&address.host);
    let account = address.get("account").map(String::from).or(address.user.clone());
    let account = account.or_else(|| variable("AZURE_STORAGE_ACCOUNT_NAME"));
    if let Some(account) = &account {
        builder = builder.account_name(account);
    }
    let key = address.password.as_ref().map(|password| password.to_string());
    if let Some(key) = key.or_else(|| variable("AZURE_STORAGE_ACCOUNT_KEY")) {
        builder = builder.account_key(&key);
    }
    match (address.get("endpoint"), account) {
        (Some(endpoint), _) => builder.endpoint(endpoint),
        (None, Some(account)) => builder.endpoint(&format!("https://{account}.blob.core.windows.net")),
        (None, None) => builder,
    }
}

fn backblaze(address: &Address) -> Result<services::B2> {
    let bucket = address
        .get("bucket-id")
        .ok_or_else(|| invalid(UrlFault::NoBucketId))?;
    let credential = |given: Option<&str>, name: &str| {
        let found = given.map(String::from).or_else(|| std::env::var(name).ok());
        found.ok_or_else(|| {
            let variable = name.to_string();
            invalid(UrlFault::NoCredential { variable })
        })
    };
    let password = address.password.as_ref().map(|password| password.as_str());
    Ok(services::B2::default()
        .bucket(&address.host)
        .bucket_id(bucket)
        .application_key_id(&credential(address.user.as_deref(), "B2_APPLICATION_KEY_ID")?)
        .application_key(&credential(password, "B2_APPLICATION_KEY")?))
}
