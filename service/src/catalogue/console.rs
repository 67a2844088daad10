//! Why the console refuses to start, or refuses a request.

use super::{Lang, SystemError, say};
use crate::status::Status;

/// What can be wrong with the console or with what it was asked.
#[derive(Clone, Debug)]
pub enum ConsoleFault {
    /// Other machines could reach it there, and it has no certificate.
    NotLoopback {
        address: String,
    },
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
    /// A file that has no certificate.
    NoCertificate {
        path: String,
    },
    /// A file that has no key.
    NoCertificateKey {
        path: String,
    },
    /// The key is that of another certificate.
    OtherKey {
        certificate: String,
        key: String,
    },
    CertificateUnusable {
        path: String,
        why: String,
    },
    /// The same for `serve`.
    ServeNotLoopback {
        address: String,
    },
    /// Not an address, for `serve`.
    ServeAddress {
        text: String,
    },
    /// Nothing can listen there, for `serve`.
    ServeListen {
        place: String,
        why: SystemError,
    },
    /// Not an address.
    Address {
        text: String,
    },
    /// Nothing can listen there.
    Listen {
        place: String,
        why: SystemError,
    },
    /// The web server stopped.
    Serving {
        why: SystemError,
    },
    /// The system has no random numbers.
    Random {
        why: String,
    },
    /// The password file holds something else.
    PasswordFile {
        path: String,
    },
    /// The password could not be hashed.
    Hash {
        why: String,
    },
    /// A page could not be made.
    Page {
        why: String,
    },
    /// A path that is to be restored to must be absolute.
    TargetNotAbsolute {
        path: String,
    },
    /// Nothing is in the basket.
    EmptyBasket,
    /// A value of a form or an address makes no sense.
    BadRequest {
        name: &'static str,
    },
    /// A repository is there, and nothing was given that opens it.
    NothingOpens,
    /// A set is saved at the destination that is to be removed.
    DestinationInUse {
        name: String,
        set: String,
    },
    /// The file of tokens holds something else.
    TokenFile {
        path: String,
    },
    /// There is a token of this name.
    TokenTaken {
        name: String,
    },
    NoToken {
        name: String,
    },
    TooManyTokens,
    /// No desktop is there to show an icon.
    NoSessionBus {
        why: String,
    },
    /// The desktop has no place for icons.
    NoTray,
    TrayEnded {
        why: String,
    },
}

impl ConsoleFault {
    pub(super) fn status(&self) -> Status {
        match self {
            ConsoleFault::NotLoopback { .. }
            | ConsoleFault::NoPassword { .. }
            | ConsoleFault::LinkOnNetwork { .. }
            | ConsoleFault::NoAllowedHosts { .. }
            | ConsoleFault::NobodyTypes
            | ConsoleFault::PasswordTooShort
            | ConsoleFault::PasswordTooLong
            | ConsoleFault::KeyAlone
            | ConsoleFault::NoCertificate { .. }
            | ConsoleFault::NoCertificateKey { .. }
            | ConsoleFault::OtherKey { .. }
            | ConsoleFault::CertificateUnusable { .. }
            | ConsoleFault::ServeNotLoopback { .. }
            | ConsoleFault::ServeAddress { .. }
            | ConsoleFault::Address { .. }
            | ConsoleFault::TargetNotAbsolute { .. }
            | ConsoleFault::EmptyBasket
            | ConsoleFault::NothingOpens
            | ConsoleFault::DestinationInUse { .. }
            | ConsoleFault::TokenTaken { .. }
            | ConsoleFault::NoToken { .. }
            | ConsoleFault::TooManyTokens
            | ConsoleFault::BadRequest { .. } => Status::BadSettings,
            ConsoleFault::TokenFile { .. }
            | ConsoleFault::NoSessionBus { .. }
            | ConsoleFault::NoTray
            | ConsoleFault::TrayEnded { .. }
            | ConsoleFault::Listen { .. }
            | ConsoleFault::ServeListen { .. }
            | ConsoleFault::Serving { .. }
            | ConsoleFault::Random { .. }
            | ConsoleFault::PasswordFile { .. }
            | ConsoleFault::Hash { .. }
            | ConsoleFault::Page { .. } => Status::Failed,
        }
    }

    pub(super) fn text(&self, lang: Lang) -> String {
        match self {
            ConsoleFault::Page { .. }
            | ConsoleFault::TargetNotAbsolute { .. }
            | ConsoleFault::EmptyBasket
            | ConsoleFault::BadRequest { .. }
            | ConsoleFault::ServeNotLoopback { .. }
            | ConsoleFault::ServeAddress { .. }
            | ConsoleFault::ServeListen { .. } => self.of_request(lang),
            ConsoleFault::NotLoopback { .. }
            | ConsoleFault::Address { .. }
            | ConsoleFault::Listen { .. }
            | ConsoleFault::Serving { .. }
            | ConsoleFault::Random { .. }
            | ConsoleFault::PasswordFile { .. }
            | ConsoleFault::Hash { .. } => self.of_start(lang),
            ConsoleFault::NoPassword { .. }
            | ConsoleFault::LinkOnNetwork { .. }
            | ConsoleFault::NoAllowedHosts { .. }
            | ConsoleFault::NobodyTypes
            | ConsoleFault::PasswordTooShort
            | ConsoleFault::PasswordTooLong
            | ConsoleFault::KeyAlone
            | ConsoleFault::NoCertificate { .. }
            | ConsoleFault::NoCertificateKey { .. }
            | ConsoleFault::OtherKey { .. }
            | ConsoleFault::CertificateUnusable { .. } => self.of_network(lang),
            ConsoleFault::NothingOpens
            | ConsoleFault::DestinationInUse { .. }
            | ConsoleFault::TokenFile { .. }
            | ConsoleFault::TokenTaken { .. }
            | ConsoleFault::NoToken { .. }
            | ConsoleFault::TooManyTokens => self.of_setup(lang),
            ConsoleFault::NoSessionBus { .. } | ConsoleFault::NoTray | ConsoleFault::TrayEnded { .. } => {
                self.of_tray(lang)
            }
        }
    }

    /// Why a request is not answered, and why `serve` does not start.
    fn of_request(&self, lang: Lang) -> String {
        match self {
            ConsoleFault::Page { why } => {
                say!(
                    lang,
                    "the page can't be shown: {why}",
                    "ページを表示できません: {why}"
                )
            }
            ConsoleFault::TargetNotAbsolute { path } => say!(
                lang,
                "'{path}' is not a whole path: write it from the root, such as /home/me/restored, or from your home \
                 directory, such as ~/restored",
                "「{path}」は完全なパスではありません。/home/me/restored のようにルートから、または ~/restored のように\
                 ホームディレクトリーから書いてください"
            ),
            ConsoleFault::EmptyBasket => say!(
                lang,
                "nothing is selected: select files or folders to restore first",
                "何も選択されていません。先に復元するファイルかフォルダーを選んでください"
            ),
            ConsoleFault::BadRequest { name } => say!(
                lang,
                "the value of '{name}' makes no sense; reload the page and try again",
                "「{name}」の値が正しくありません。ページを読み込み直して、もう一度試してください"
            ),
            ConsoleFault::ServeNotLoopback { address } => serve_not_loopback(lang, address),
            ConsoleFault::ServeAddress { text } => say!(
                lang,
                "'{text}' is not an address and port such as 127.0.0.1:4281",
                "「{text}」は 127.0.0.1:4281 のようなアドレスとポートではありません"
            ),
            ConsoleFault::ServeListen { place, why } => {
                let (en, ja) = (why.text(Lang::En), why.text(Lang::Ja));
                say!(
                    lang,
                    "can't listen on {place}: {en}; choose another port with --listen",
                    "{place} で待ち受けできません: {ja}。--listen で別のポートを指定してください"
                )
            }
            other => format!("{other:?}"),
        }
    }

    /// Why there is no icon.
    fn of_tray(&self, lang: Lang) -> String {
        match self {
            ConsoleFault::NoSessionBus { why } => say!(
                lang,
                "there is no desktop session to show an icon in ({why}): start 'dedup tray' in one, or see \
                 'dedup status'",
                "アイコンを表示するデスクトップのセッションがありません ({why})。セッションの中で 'dedup tray' を起動するか、\
                 'dedup status' を使ってください"
            ),
            ConsoleFault::NoTray => say!(
                lang,
                "this desktop has no place for icons (org.kde.StatusNotifierWatcher); GNOME needs the extension \
                 AppIndicator",
                "このデスクトップにはアイコンの表示場所 (org.kde.StatusNotifierWatcher) がありません。GNOME では拡張機能 \
                 AppIndicator が必要です"
            ),
            ConsoleFault::TrayEnded { why } => say!(
                lang,
                "the icon can't be shown any more: {why}",
                "アイコンを表示できなくなりました: {why}"
            ),
            other => format!("{other:?}"),
        }
    }

    /// Why something can't be set up.
    fn of_setup(&self, lang: Lang) -> String {
        match self {
            ConsoleFault::NothingOpens => say!(
                lang,
                "a repository is there already: give the key file or password that opens it",
                "すでにリポジトリーがあります。開くための鍵ファイルかパスワードを指定してください"
            ),
            ConsoleFault::DestinationInUse { name, set } => say!(
                lang,
                "the set '{set}' saves at '{name}': choose another destination for it first",
                "セット「{set}」が「{name}」に保存しています。先に別の保存先を選んでください"
            ),
            ConsoleFault::TokenFile { path } => say!(
                lang,
                "{path} does not hold tokens of the console; remove it, and make the tokens anew",
                "{path} はコンソールのトークンのファイルではありません。削除して、トークンを作り直してください"
            ),
            ConsoleFault::TokenTaken { name } => say!(
                lang,
                "there is already a token '{name}': revoke it first, or choose another name",
                "トークン「{name}」はすでにあります。先に取り消すか、別の名前にしてください"
            ),
            ConsoleFault::NoToken { name } => {
                say!(
                    lang,
                    "there is no token '{name}'",
                    "トークン「{name}」はありません"
                )
            }
            ConsoleFault::TooManyTokens => say!(
                lang,
                "there are too many tokens: revoke those that are not used",
                "トークンが多すぎます。使っていないものを取り消してください"
            ),
            other => format!("{other:?}"),
        }
    }

    /// Why other machines may not reach the console, or not like this.
    fn of_network(&self, lang: Lang) -> String {
        match self {
            ConsoleFault::NoPassword { address } => say!(
                lang,
                "other machines can reach {address}, and the console has no password yet: choose one with \
                 'dedup console --set-password', then start it again",
                "{address} にはほかのコンピューターから接続できますが、コンソールのパスワードがまだありません。\
                 'dedup console --set-password' で決めてから、もう一度起動してください"
            ),
            ConsoleFault::LinkOnNetwork { address } => say!(
                lang,
                "other machines can reach {address}, and whoever has the link could choose the password: use \
                 'dedup console --set-password' instead of --reset-password",
                "{address} にはほかのコンピューターから接続でき、リンクを知る人がパスワードを決められてしまいます。\
                 --reset-password の代わりに 'dedup console --set-password' を使ってください"
            ),
            ConsoleFault::NoAllowedHosts { address } => say!(
                lang,
                "{address} stands for every address of this machine: write the names by which browsers call the \
                 console in allowed-hosts under [console] in dedup.toml, or listen on one address",
                "{address} はこのコンピューターのすべてのアドレスを表します。ブラウザーが使う名前を dedup.toml の [console] の \
                 allowed-hosts に書くか、1 つのアドレスで待ち受けてください"
            ),
            ConsoleFault::NobodyTypes => say!(
                lang,
                "there is no terminal to type the password at: run 'dedup console --set-password' in one",
                "パスワードを入力する端末がありません。端末で 'dedup console --set-password' を実行してください"
            ),
            ConsoleFault::PasswordTooShort => say!(
                lang,
                "the password must have at least 8 characters",
                "パスワードは 8 文字以上にしてください"
            ),
            ConsoleFault::PasswordTooLong => {
                say!(lang, "the password is too long", "パスワードが長すぎます")
            }
            ConsoleFault::KeyAlone => say!(
                lang,
                "'tls-key' is of no use without 'tls-certificate'",
                "「tls-key」には「tls-certificate」も必要です"
            ),
            _ => self.of_certificate(lang),
        }
    }

    fn of_certificate(&self, lang: Lang) -> String {
        match self {
            ConsoleFault::NoCertificate { path } => say!(
                lang,
                "{path} holds no certificate: 'tls-certificate' is a file in PEM, with BEGIN CERTIFICATE",
                "{path} に証明書がありません。「tls-certificate」は BEGIN CERTIFICATE のある PEM 形式のファイルです"
            ),
            ConsoleFault::NoCertificateKey { path } => say!(
                lang,
                "{path} holds no private key, or one that has a password: 'tls-key' is a file in PEM, with BEGIN PRIVATE KEY",
                "{path} に秘密鍵がないか、パスワードがかかっています。「tls-key」は BEGIN PRIVATE KEY のある PEM 形式の\
                 ファイルです"
            ),
            ConsoleFault::OtherKey { certificate, key } => say!(
                lang,
                "the key in {key} does not belong to the certificate in {certificate}",
                "{key} の秘密鍵は {certificate} の証明書のものではありません"
            ),
            ConsoleFault::CertificateUnusable { path, why } => say!(
                lang,
                "the certificate in {path} can't be used: {why}",
                "{path} の証明書は使えません: {why}"
            ),
            other => format!("{other:?}"),
        }
    }

    /// Why the console does not start, or does not go on.
    fn of_start(&self, lang: Lang) -> String {
        match self {
            ConsoleFault::NotLoopback { address } => say!(
                lang,
                "other machines can reach {address}, so the console needs TLS there: name a certificate with \
                 tls-certificate and tls-key under [console] in dedup.toml, or use 127.0.0.1:PORT, [::1]:PORT or \
                 unix:/path (and an SSH tunnel from another machine)",
                "{address} にはほかのコンピューターから接続できるため、TLS が必要です。dedup.toml の [console] に \
                 tls-certificate と tls-key で証明書を指定するか、127.0.0.1:ポート、[::1]:ポート、unix:/パス のどれかを\
                 使ってください (ほかのコンピューターからは SSH トンネルを使えます)"
            ),
            ConsoleFault::Address { text } => say!(
                lang,
                "'{text}' is not an address and port such as 127.0.0.1:4280, or unix: and the path of a socket",
                "「{text}」は 127.0.0.1:4280 のようなアドレスとポートでも、unix: とソケットのパスでもありません"
            ),
            ConsoleFault::Listen { place, why } => {
                let (en, ja) = (why.text(Lang::En), why.text(Lang::Ja));
                say!(
                    lang,
                    "can't listen on {place}: {en}; if another console runs there, use it, or choose another port with \
                     --listen",
                    "{place} で待ち受けできません: {ja}。別のコンソールが動いているならそれを使うか、--listen で別のポートを\
                     指定してください"
                )
            }
            ConsoleFault::Serving { why } => {
                let (en, ja) = (why.text(Lang::En), why.text(Lang::Ja));
                say!(
                    lang,
                    "the console stopped: {en}",
                    "コンソールが停止しました: {ja}"
                )
            }
            ConsoleFault::Random { why } => say!(
                lang,
                "the system has no random numbers: {why}",
                "システムの乱数を使えません: {why}"
            ),
            ConsoleFault::PasswordFile { path } => say!(
                lang,
                "{path} does not hold a password of the console; 'dedup console --reset-password' sets a new one",
                "{path} はコンソールのパスワードではありません。'dedup console --reset-password' で設定し直せます"
            ),
            ConsoleFault::Hash { why } => say!(
                lang,
                "the password can't be checked: {why}",
                "パスワードを確認できません: {why}"
            ),
            other => format!("{other:?}"),
        }
    }
}

fn serve_not_loopback(lang: Lang, address: &str) -> String {
    say!(
        lang,
        "'dedup serve' listens only on this machine, since it has no TLS, and other machines could reach {address}: use \
         127.0.0.1:PORT or [::1]:PORT (for another machine, an SSH tunnel)",
        "'dedup serve' は TLS を使わないため、このコンピューターだけで待ち受けます。{address} にはほかのコンピューターから接続できる\
         ため、127.0.0.1:ポート か [::1]:ポート を指定してください (ほかのコンピューターからは SSH トンネルを使ってください)"
    )
}
