//! Why the console refuses to start, or refuses a request.

use super::{Lang, SystemError, say};
use crate::status::Status;

mod network;
mod tray;

pub use network::{CertificateFault, NetworkFault};
pub use tray::TrayFault;

/// What can be wrong with the console or with what it was asked.
#[derive(Clone, Debug)]
pub enum ConsoleFault {
    /// Other machines could reach it there, and it has no certificate.
    NotLoopback {
        address: String,
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
    /// Other machines may not reach it, or not like this.
    Network(NetworkFault),
    /// There is no icon for it.
    Tray(TrayFault),
}

impl From<NetworkFault> for ConsoleFault {
    fn from(fault: NetworkFault) -> Self {
        ConsoleFault::Network(fault)
    }
}

impl From<CertificateFault> for ConsoleFault {
    fn from(fault: CertificateFault) -> Self {
        NetworkFault::Certificate(fault).into()
    }
}

impl From<TrayFault> for ConsoleFault {
    fn from(fault: TrayFault) -> Self {
        ConsoleFault::Tray(fault)
    }
}

impl ConsoleFault {
    pub(super) fn status(&self) -> Status {
        match self {
            ConsoleFault::NotLoopback { .. }
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
            | ConsoleFault::Network(_)
            | ConsoleFault::BadRequest { .. } => Status::BadSettings,
            ConsoleFault::TokenFile { .. }
            | ConsoleFault::Tray(_)
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
            ConsoleFault::NotLoopback { address } => not_loopback(lang, address),
            ConsoleFault::Address { text } => address(lang, text),
            ConsoleFault::Listen { place, why } => listen(lang, place, why),
            ConsoleFault::Serving { why } => serving(lang, why),
            ConsoleFault::Random { why } => random(lang, why),
            ConsoleFault::PasswordFile { path } => password_file(lang, path),
            ConsoleFault::Hash { why } => hash(lang, why),
            ConsoleFault::NothingOpens => nothing_opens(lang),
            ConsoleFault::DestinationInUse { name, set } => destination_in_use(lang, name, set),
            ConsoleFault::TokenFile { path } => token_file(lang, path),
            ConsoleFault::TokenTaken { name } => token_taken(lang, name),
            ConsoleFault::NoToken { name } => no_token(lang, name),
            ConsoleFault::TooManyTokens => too_many_tokens(lang),
            ConsoleFault::Network(fault) => fault.text(lang),
            ConsoleFault::Tray(fault) => fault.text(lang),
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

fn nothing_opens(lang: Lang) -> String {
    say!(
        lang,
        "a repository is there already: give the key file or password that opens it",
        "すでにリポジトリーがあります。開くための鍵ファイルかパスワードを指定してください"
    )
}

fn destination_in_use(lang: Lang, name: &str, set: &str) -> String {
    say!(
        lang,
        "the set '{set}' saves at '{name}': choose another destination for it first",
        "セット「{set}」が「{name}」に保存しています。先に別の保存先を選んでください"
    )
}

fn token_file(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} does not hold tokens of the console; remove it, and make the tokens anew",
        "{path} はコンソールのトークンのファイルではありません。削除して、トークンを作り直してください"
    )
}

fn token_taken(lang: Lang, name: &str) -> String {
    say!(
        lang,
        "there is already a token '{name}': revoke it first, or choose another name",
        "トークン「{name}」はすでにあります。先に取り消すか、別の名前にしてください"
    )
}

fn no_token(lang: Lang, name: &str) -> String {
    say!(
        lang,
        "there is no token '{name}'",
        "トークン「{name}」はありません"
    )
}

fn too_many_tokens(lang: Lang) -> String {
    say!(
        lang,
        "there are too many tokens: revoke those that are not used",
        "トークンが多すぎます。使っていないものを取り消してください"
    )
}

fn not_loopback(lang: Lang, address: &str) -> String {
    say!(
        lang,
        "other machines can reach {address}, so the console needs TLS there: name a certificate with \
         tls-certificate and tls-key under [console] in dedup.toml, or use 127.0.0.1:PORT, [::1]:PORT or \
         unix:/path (and an SSH tunnel from another machine)",
        "{address} にはほかのコンピューターから接続できるため、TLS が必要です。dedup.toml の [console] に \
         tls-certificate と tls-key で証明書を指定するか、127.0.0.1:ポート、[::1]:ポート、unix:/パス のどれかを\
         使ってください (ほかのコンピューターからは SSH トンネルを使えます)"
    )
}

fn address(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not an address and port such as 127.0.0.1:4280, or unix: and the path of a socket",
        "「{text}」は 127.0.0.1:4280 のようなアドレスとポートでも、unix: とソケットのパスでもありません"
    )
}

fn listen(lang: Lang, place: &str, why: &SystemError) -> String {
    let (en, ja) = (why.text(Lang::En), why.text(Lang::Ja));
    say!(
        lang,
        "can't listen on {place}: {en}; if another console runs there, use it, or choose another port with \
         --listen",
        "{place} で待ち受けできません: {ja}。別のコンソールが動いているならそれを使うか、--listen で別のポートを\
         指定してください"
    )
}

fn serving(lang: Lang, why: &SystemError) -> String {
    let (en, ja) = (why.text(Lang::En), why.text(Lang::Ja));
    say!(
        lang,
        "the console stopped: {en}",
        "コンソールが停止しました: {ja}"
    )
}

fn random(lang: Lang, why: &str) -> String {
    say!(
        lang,
        "the system has no random numbers: {why}",
        "システムの乱数を使えません: {why}"
    )
}

fn password_file(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} does not hold a password of the console; 'dedup console --reset-password' sets a new one",
        "{path} はコンソールのパスワードではありません。'dedup console --reset-password' で設定し直せます"
    )
}

fn hash(lang: Lang, why: &str) -> String {
    say!(
        lang,
        "the password can't be checked: {why}",
        "パスワードを確認できません: {why}"
    )
}
