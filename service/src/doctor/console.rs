//! The console's certificate: whether browsers will accept it, and for how long.

use super::{Diagnosis, Finding};
use crate::certificate::{CertificateFiles, Validity};
use crate::context::Context;
use jiff::{SignedDuration, Timestamp};

/// What is renewed by itself is renewed before.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Nothing without a certificate in the settings.
pub fn certificate(context: &Context) -> Option<Finding> {
    let read = CertificateFiles::of(context).and_then(|files| {
        let read = files.map(|files| Ok((files.certificate().display().to_string(), files.read()?)));
        read.transpose()
    });
    match read {
        Ok(None) => None,
        Ok(Some((path, identity))) => Some(validity(&path, identity.validity, context.now.timestamp())),
        Err(failure) => Some(Diagnosis::CertificateFails { failure }.into()),
    }
}

/// What is to be said of a certificate that can be used otherwise.
pub fn validity(path: &str, validity: Validity, now: Timestamp) -> Finding {
    let Validity { from, until } = validity;
    let what = match now {
        now if now < from => Diagnosis::CertificateTooNew { from },
        now if now > until => Diagnosis::CertificateExpired { until },
        now if until.duration_since(now) < SOON => Diagnosis::CertificateExpires { until },
        _ => Diagnosis::CertificateValid { until },
    };
    Finding::of(path, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_certificate_is_of_concern() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let day = 24 * 3600;
        let (from, until) = (at(0), at(90 * day));
        let found = |now| validity("c", Validity { from, until }, at(now)).what;
        assert_eq!(found(-1), Diagnosis::CertificateTooNew { from });
        assert_eq!(found(0), Diagnosis::CertificateValid { until });
        assert_eq!(found(76 * day), Diagnosis::CertificateValid { until });
        assert_eq!(found(76 * day + 1), Diagnosis::CertificateExpires { until });
        assert_eq!(found(90 * day + 1), Diagnosis::CertificateExpired { until });
    }
}
