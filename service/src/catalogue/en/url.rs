//! What is wrong with a repository's URL.

use engine::error::store::UrlFault;

/// What a URL can begin with, beside a path.
const SCHEMES: &str = "file:, s3://, sftp://, webdav://, webdavs://, gs://, azblob://, b2:// or rclone:";

pub(super) fn url_fault(fault: &UrlFault) -> String {
    match fault {
        UrlFault::Empty => "it is empty".to_string(),
        UrlFault::ControlCharacter => {
            "it must not contain tabs, line breaks or other control characters".to_string()
        }
        UrlFault::NoSlashes => "after the scheme, :// is missing".to_string(),
        UrlFault::NotARepository { scheme } => format!("'{scheme}' is not a kind of repository"),
        UrlFault::UnknownScheme { scheme } => {
            format!("'{scheme}:' is not known here; use a path, {SCHEMES}")
        }
        UrlFault::NotUtf8 => "it is not UTF-8".to_string(),
        UrlFault::UnknownParameter {
            scheme,
            parameter,
            known,
        } => format!(
            "{scheme}: has no parameter '{parameter}', but {}",
            known.join(", ")
        ),
        UrlFault::RepeatedParameter { parameter } => format!("'{parameter}' is given twice"),
        UrlFault::NoName { scheme } => format!("after {scheme}:// a name is missing"),
        UrlFault::DotComponent => "its path may not hold '.' or '..'".to_string(),
        UrlFault::NoRcloneRemote => {
            "after rclone: comes a remote of rclone's, such as rclone:name:path".to_string()
        }
        UrlFault::Seconds { parameter, most } => {
            format!("'{parameter}' is a number of seconds, from 1 to {most}")
        }
        UrlFault::Style => "'style' is 'path' or 'virtual'".to_string(),
        UrlFault::NoBucketId => "b2: needs ?bucket-id=..., as the bucket's page shows it".to_string(),
        UrlFault::NoCredential { variable } => format!("b2: needs {variable}"),
        UrlFault::SftpPassword => "sftp: takes keys and agents as 'ssh' does, and no password".to_string(),
        UrlFault::Parameter { parameter, detail } => format!("'{parameter}': {detail}"),
        UrlFault::Other { detail } => detail.clone(),
        UrlFault::Tls { detail } => format!("set up TLS: {detail}"),
    }
}
