//! Why other machines may not reach the console, or not like this.

use super::{Lang, say};

/// What the console lacks where other machines can reach it.
#[derive(Clone, Debug)]
pub enum NetworkFault {
    /// Other machines could reach it there, and it has no password.
    NoPassword {
        address: String,
    },
    /// A link to set a password would be good for whoever gets hold of it, from anywhere.
    LinkOnNetwork {
        address: String,
    },
    /// It listens on every address, and no name is allowed.
    NoAllowedHosts {
        address: String,
    },
    /// Somebody would have to type the password.
    NobodyTypes,
    PasswordTooShort,
    PasswordTooLong,
    /// `tls-key` without `tls-certificate`.
    KeyAlone,
    /// The certificate, or its key.
    Certificate(CertificateFault),
}

/// What is wrong with a certificate and its key.
#[derive(Clone, Debug)]
pub enum CertificateFault {
    /// A file that has no certificate.
    NoCertificate {
        path: String,
    },
    /// A file that has no key.
    NoKey {
        path: String,
    },
    /// The key is that of another certificate.
    OtherKey {
        certificate: String,
        key: String,
    },
    Unusable {
        path: String,
        why: String,
    },
}

impl NetworkFault {
    pub(super) fn text(&self, lang: Lang) -> String {
        match self {
            NetworkFault::NoPassword { address } => say!(
                lang,
                "other machines can reach {address}, and the console has no password yet: choose one with \
                 'dedup console --set-password', then start it again",
                "{address} にはほかのコンピューターから接続できますが、コンソールのパスワードがまだありません。\
                 'dedup console --set-password' で決めてから、もう一度起動してください"
            ),
            NetworkFault::LinkOnNetwork { address } => say!(
                lang,
                "other machines can reach {address}, and whoever has the link could choose the password: use \
                 'dedup console --set-password' instead of --reset-password",
                "{address} にはほかのコンピューターから接続でき、リンクを知る人がパスワードを決められてしまいます。\
                 --reset-password の代わりに 'dedup console --set-password' を使ってください"
            ),
            NetworkFault::NoAllowedHosts { address } => say!(
                lang,
                "{address} stands for every address of this machine: write the names by which browsers call the \
                 console in allowed-hosts under [console] in dedup.toml, or listen on one address",
                "{address} はこのコンピューターのすべてのアドレスを表します。ブラウザーが使う名前を dedup.toml の [console] の \
                 allowed-hosts に書くか、1 つのアドレスで待ち受けてください"
            ),
            NetworkFault::NobodyTypes => say!(
                lang,
                "there is no terminal to type the password at: run 'dedup console --set-password' in one",
                "パスワードを入力する端末がありません。端末で 'dedup console --set-password' を実行してください"
            ),
            NetworkFault::PasswordTooShort => say!(
                lang,
                "the password must have at least 8 characters",
                "パスワードは 8 文字以上にしてください"
            ),
            NetworkFault::PasswordTooLong => {
                say!(lang, "the password is too long", "パスワードが長すぎます")
            }
            NetworkFault::KeyAlone => say!(
                lang,
                "'tls-key' is of no use without 'tls-certificate'",
                "「tls-key」には「tls-certificate」も必要です"
            ),
            NetworkFault::Certificate(fault) => fault.text(lang),
        }
    }
}

impl CertificateFault {
    fn text(&self, lang: Lang) -> String {
        match self {
            CertificateFault::NoCertificate { path } => say!(
                lang,
                "{path} holds no certificate: 'tls-certificate' is a file in PEM, with BEGIN CERTIFICATE",
                "{path} に証明書がありません。「tls-certificate」は BEGIN CERTIFICATE のある PEM 形式のファイルです"
            ),
            CertificateFault::NoKey { path } => say!(
                lang,
                "{path} holds no private key, or one that has a password: 'tls-key' is a file in PEM, with BEGIN PRIVATE KEY",
                "{path} に秘密鍵がないか、パスワードがかかっています。「tls-key」は BEGIN PRIVATE KEY のある PEM 形式の\
                 ファイルです"
            ),
            CertificateFault::OtherKey { certificate, key } => say!(
                lang,
                "the key in {key} does not belong to the certificate in {certificate}",
                "{key} の秘密鍵は {certificate} の証明書のものではありません"
            ),
            CertificateFault::Unusable { path, why } => say!(
                lang,
                "the certificate in {path} can't be used: {why}",
                "{path} の証明書は使えません: {why}"
            ),
        }
    }
}
