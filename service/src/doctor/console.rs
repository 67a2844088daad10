//! The console's certificate: whether browsers will accept it, and for how long.

use super::{Diagnosis, Finding, Mark};
use crate::certificate::{CertificateFiles, Validity};
use crate::context::Context;
use crate::failure::Failure;
use jiff::{SignedDuration, Timestamp};

/// What is renewed by itself is renewed before.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What is known of a certificate.
#[derive(Clone, PartialEq, Debug)]
pub enum CertificateState {
    Valid {
        until: Timestamp,
    },
    /// Before long.
    Expires {
        until: Timestamp,
    },
    Expired {
        until: Timestamp,
    },
    TooNew {
        from: Timestamp,
    },
    /// The console can't use it.
    Fails {
        failure: Failure,
    },
}

impl CertificateState {
    pub(super) fn mark(&self) -> Mark {
        match self {
            CertificateState::Valid { .. } => Mark::Good,
            CertificateState::Expires { .. } => Mark::Warning,
            CertificateState::Expired { .. }
            | CertificateState::TooNew { .. }
            | CertificateState::Fails { .. } => Mark::Problem,
        }
    }
}

/// Nothing without a certificate in the settings.
pub fn certificate(context: &Context) -> Option<Finding> {
    let read = CertificateFiles::of(context).and_then(|files| {
        let read = files.map(|files| Ok((files.certificate().display().to_string(), files.read()?)));
        read.transpose()
    });
    match read {
        Ok(None) => None,
        Ok(Some((path, identity))) => Some(validity(&path, identity.validity, context.now.timestamp())),
        Err(failure) => Some(Diagnosis::Certificate(CertificateState::Fails { failure }).into()),
    }
}

/// What is to be said of a certificate that can be used otherwise.
pub fn validity(path: &str, validity: Validity, now: Timestamp) -> Finding {
    let Validity { from, until } = validity;
    let state = match now {
        now if now < from => CertificateState::TooNew { from },
        now if now > until => CertificateState::Expired { until },
        now if until.duration_since(now) < SOON => CertificateState::Expires { until },
        _ => CertificateState::Valid { until },
    };
    Finding::of(path, Diagnosis::Certificate(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_certificate_is_of_concern() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let day = 24 * 3600;
        let (from, until) = (at(0), at(90 * day));
        let found = |now| match validity("c", Validity { from, until }, at(now)).what {
            Diagnosis::Certificate(state) => state,
            other => panic!("{other:?}"),
        };
        assert_eq!(found(-1), CertificateState::TooNew { from });
        assert_eq!(found(0), CertificateState::Valid { until });
        assert_eq!(found(76 * day), CertificateState::Valid { until });
        assert_eq!(found(76 * day + 1), CertificateState::Expires { until });
        assert_eq!(found(90 * day + 1), CertificateState::Expired { until });
    }
}
