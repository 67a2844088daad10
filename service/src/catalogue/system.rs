//! What went wrong according to the operating system.

use super::Lang;
use super::faults::io_error;
use engine::error::store::IoError;
use std::io::{self, ErrorKind};

/// An error of the system, kept as data until somebody reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemError(IoError);

impl From<io::Error> for SystemError {
    fn from(error: io::Error) -> SystemError {
        SystemError(error.into())
    }
}

impl From<IoError> for SystemError {
    fn from(error: IoError) -> SystemError {
        SystemError(error)
    }
}

impl SystemError {
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    pub fn text(&self, lang: Lang) -> String {
        io_error(lang, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let broken = SystemError::from(engine::platform::errno::error(5));
        assert_eq!(broken.text(Lang::Ja), "入出力エラーです");
        let denied = SystemError::from(engine::platform::errno::error(13));
        assert_eq!(denied.text(Lang::En), "Permission denied (os error 13)");
        assert_eq!(denied.text(Lang::Ja), "アクセスが拒否されました");
        let said = io::Error::new(ErrorKind::PermissionDenied, "403 Forbidden");
        let said = SystemError::from(said);
        assert_eq!(said.text(Lang::En), "403 Forbidden");
        assert_eq!(said.text(Lang::Ja), "アクセスが拒否されました (403 Forbidden)");
        let other = SystemError::from(io::Error::other("odd"));
        assert_eq!(other.text(Lang::Ja), "odd");
    }
}
