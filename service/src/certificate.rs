//! The certificate by which the console proves to browsers who it is: PEM files that `[console]` names. They are read when
//! the console starts and whenever they have changed, and `doctor` looks at them, too, so that a certificate that has
//! expired or does not belong to its key is known before a browser refuses it.

use crate::catalogue::{Action, Cause, CertificateFault};
use crate::context::Context;
use crate::failure::Failure;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use toml::Spanned;
use zeroize::Zeroizing;

/// No chain of certificates is larger; what is, is the wrong file.
const FILE_MAX: u64 = 1 << 20;

/// Tags of DER.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Where the certificate and its key are.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
}

/// By which it is seen that a file was replaced; `None` if it is not there.
pub type FileStamp = Option<(Option<SystemTime>, u64)>;

/// What clients are shown.
pub struct Identity {
    pub config: Arc<ServerConfig>,
    pub validity: Validity,
}

/// When a certificate is valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl CertificateFiles {
    /// Those of the settings. The key may be in the file of the certificate.
    pub fn of(context: &Context) -> Result<Option<CertificateFiles>, Failure> {
        let console = &context.settings.console;
        let Some(certificate) = &console.tls_certificate else {
            return Ok(None);
        };
        let key = console.tls_key.as_ref().map_or(certificate, Spanned::get_ref);
        Ok(Some(CertificateFiles {
            certificate: certificate.expand(&context.env)?,
            key: key.expand(&context.env)?,
        }))
    }

    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Of both files as they are now.
    pub fn stamps(&self) -> [FileStamp; 2] {
        [&self.certificate, &self.key].map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok(), meta.len()))
        })
    }

    pub fn read(&self) -> Result<Identity, Failure> {
        let chain =
            CertificateDer::pem_slice_iter(&contents(&self.certificate)?).collect::<Result<Vec<_>, _>>();
        let chain = chain.unwrap_or_default();
        let Some(first) = chain.first() else {
            return Err(fault(CertificateFault::NoCertificate {
                path: shown(&self.certificate),
            }));
        };
        let unusable = |why: String| {
            fault(CertificateFault::Unusable {
                path: shown(&self.certificate),
                why,
            })
        };
        let validity = validity(first).ok_or_else(|| unusable("not an X.509 certificate".to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&contents(&self.key)?);
        let key = key.map_err(|_| {
            fault(CertificateFault::NoKey {
                path: shown(&self.key),
            })
        })?;
        let provider = Arc::new(default_provider());
        let pair = CertifiedKey::from_der(chain, key, &provider).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => fault(CertificateFault::OtherKey {
                certificate: shown(&self.certificate),
                key: shown(&self.key),
            }),
            other => unusable(other.to_string()),
        })?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|e| unusable(e.to_string()))?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Identity {
            config: Arc::new(config),
            validity,
        })
    }
}

fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes));
    let read = read.and_then(|length| match length as u64 > FILE_MAX {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(()),
    });
    read.map_err(|e| Cause::system(Action::Read, path, e))?;
    Ok(bytes)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn fault(fault: CertificateFault) -> Failure {
    let fault = fault.into();
    Cause::Console { fault }.into()
}

/// From the certificate itself (RFC 5280, 4.1). Nothing else of it is read here: rustls looks at the rest.
fn validity(certificate: &[u8]) -> Option<Validity> {
    let (certificate, _) = field(certificate, SEQUENCE)?;
    let (mut rest, _) = field(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        (_, rest) = field(rest, VERSION)?;
    }
    // Serial number, signature algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, rest) = field(rest, tag)?;
    }
    let (validity, _) = field(rest, SEQUENCE)?;
    let (from, rest) = time(validity)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// The content of the first field, which has this tag, and what follows it.
fn field(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        ..=0x7f => (u64::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            let add = |sum: u64, digit: &u8| (sum << 8) | u64::from(*digit);
            (digits.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    let parts = rest.split_at_checked(usize::try_from(length).ok()?)?;
    (found == tag).then_some(parts)
}

fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let tag = *der.first()?;
    let (text, rest) = field(der, tag)?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        // Two digits for the year: from 1950 to 2049.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_string(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    // 99991231235959Z, which means that it does not expire, is later than any time here.
    let at = time
        .to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MAX, |at| at.timestamp());
    Some((at, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Lang;

    const CERTIFICATE: &str = include_str!("../testdata/localhost.pem");
    const KEY: &str = include_str!("../testdata/localhost.key");

    fn files(certificate: &str, key: &str) -> (tempfile::TempDir, CertificateFiles) {
        let dir = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            certificate: dir.path().join("cert.pem"),
            key: dir.path().join("key.pem"),
        };
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        (dir, files)
    }

    fn why(certificate: &str, key: &str) -> String {
        let (_dir, files) = files(certificate, key);
        let failure = files.read().map(drop).unwrap_err();
        assert_ne!(failure.text(Lang::Ja), failure.text(Lang::En));
        failure.text(Lang::En)
    }

    #[test]
    fn a_certificate_and_its_key() {
        let (_dir, files) = files(CERTIFICATE, KEY);
        let identity = files.read().unwrap();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            (identity.validity.from, identity.validity.until),
            (time("2020-01-02T03:04:05Z"), time("2050-01-02T03:04:05Z")),
            "one has two digits for the year, the other four"
        );
        // Both in one file.
        let both = format!("{KEY}{CERTIFICATE}");
        std::fs::write(&files.certificate, &both).unwrap();
        let before = files.stamps();
        std::fs::write(&files.key, both).unwrap();
        files.read().unwrap();
        assert_ne!(files.stamps(), before, "that a file was replaced is seen");
        std::fs::remove_file(&files.key).unwrap();
        assert_eq!(files.stamps()[1], None);
        let missing = files.read().map(drop).unwrap_err();
        assert!(missing.message().contains("key.pem"), "{}", missing.message());
    }

    #[test]
    fn what_is_wrong_is_named() {
        const OTHER_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4PCyVL8imDLNPhZP
Pgjm9vDaHteYCne9kDnon+IC2t2hRANCAASCyRDqPAVH45rTFxfeHjWtUXj7wQVF
TwKhBVgDi2DZTXlzIqYC2i6ZPk35PphX5/rK8ZRwHrQjHFt2V7kjBEVV
-----END PRIVATE KEY-----
";
        assert!(why(CERTIFICATE, OTHER_KEY).contains("does not belong to"));
        assert!(why(CERTIFICATE, CERTIFICATE).contains("holds no private key"));
        assert!(why(KEY, KEY).contains("holds no certificate"));
        assert!(why("", "").contains("holds no certificate"));
        let broken = CERTIFICATE.replacen("MII", "AII", 1);
        assert!(why(&broken, KEY).contains("can't be used"));
        assert!(why(&"x".repeat((1 << 20) + 1), KEY).contains("cert.pem"));
    }

    /// Whatever is in the file.
    #[test]
    fn damaged_certificates() {
        let der = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        let right = validity(&der).unwrap();
        for end in 0..der.len() {
            assert_eq!(validity(&der[..end]), None, "cut after {end} bytes");
        }
        let mut bytes = der.to_vec();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                // Read or refused; what it says is looked at by rustls.
                validity(&bytes);
                bytes[at] ^= 1 << bit;
            }
        }
        assert_eq!(validity(&bytes), Some(right));
    }
}
