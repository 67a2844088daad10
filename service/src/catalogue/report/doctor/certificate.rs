//! The console's certificate.

use crate::catalogue::{Lang, say};
use crate::doctor::CertificateState;
use crate::text::time;

pub(super) fn found(lang: Lang, state: &CertificateState) -> String {
    match state {
        CertificateState::Fails { failure } => {
            let why = failure.text(lang);
            say!(
                lang,
                "the console can't use its certificate: {why}",
                "コンソールの証明書を使えません: {why}"
            )
        }
        CertificateState::TooNew { from } => {
            let from = time(*from);
            say!(
                lang,
                "the console's certificate is valid from {from} only, so browsers refuse it",
                "コンソールの証明書は {from} から有効なため、ブラウザーに拒否されます"
            )
        }
        CertificateState::Expired { until } => {
            let until = time(*until);
            say!(
                lang,
                "the console's certificate expired at {until}, so browsers refuse it",
                "コンソールの証明書は {until} に期限が切れたため、ブラウザーに拒否されます"
            )
        }
        CertificateState::Expires { until } | CertificateState::Valid { until } => {
            let until = time(*until);
            say!(
                lang,
                "the console's certificate is valid until {until}",
                "コンソールの証明書は {until} まで有効です"
            )
        }
    }
}

pub(super) fn advice(state: &CertificateState) -> Option<(&'static str, &'static str)> {
    Some(match state {
        CertificateState::Fails { .. } => (
            "correct tls-certificate and tls-key under [console] in dedup.toml; a console that runs keeps its last good certificate",
            "dedup.toml の [console] の tls-certificate と tls-key を直してください。動作中のコンソールは、前の証明書を使い続けます",
        ),
        CertificateState::TooNew { .. } => (
            "check this machine's clock",
            "このコンピューターの時計を確かめてください",
        ),
        CertificateState::Expires { .. } | CertificateState::Expired { .. } => (
            "replace the file by a new certificate; the console takes it over without a restart",
            "新しい証明書のファイルに置き換えてください。コンソールは再起動しなくても読み込みます",
        ),
        CertificateState::Valid { .. } => return None,
    })
}
