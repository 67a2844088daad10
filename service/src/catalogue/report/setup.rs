//! What the guided start asks and reports.

use crate::catalogue::{Lang, say};

/// A question, which is answered with a line of text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    Source,
    AnotherSource,
    Destination,
    /// Key file or password.
    Key,
    /// What opens a repository that is there.
    Opener,
    KeyFile,
    Schedule,
    Mail,
    /// Another one than was entered before.
    MailAddress,
    MailServer,
    MailPort,
    MailTls,
    MailUser,
    /// Whether to answer all about mail again after the test failed.
    MailAgain,
    Timer,
}

impl Ask {
    pub fn text(self, lang: Lang) -> &'static str {
        let (en, ja) = match self {
            Ask::Source => (
                "What should be backed up? A file or directory",
                "何をバックアップしますか。ファイルかディレクトリー",
            ),
            Ask::AnotherSource => (
                "Anything else? Another path, or Enter to go on",
                "ほかにもありますか。あればパスを、なければ Enter を押してください",
            ),
            Ask::Destination => (
                "Where should backups go? A directory, best on another disk, or a URL",
                "どこに保存しますか。ディレクトリー (別のディスクを推奨) か URL",
            ),
            Ask::Key => (
                "What opens the backup: a key file on this machine (key), or a password of yours (password)?",
                "バックアップを開くのに使うもの: このコンピューターの鍵ファイル (key)、または自分で決めるパスワード (password)",
            ),
            Ask::Opener => (
                "What opens it: its key file (key), or its password (password)? Or other for another place",
                "開くのに使うもの: 鍵ファイル (key)、パスワード (password)。別の場所に保存するなら other",
            ),
            Ask::KeyFile => (
                "Path of the key file. Backups will read it there each time",
                "鍵ファイルのパス。バックアップのたびにここから読みます",
            ),
            Ask::Schedule => (
                "When? 'daily 12:30', 'mon,thu 22:00', 'every 4h', or manual",
                "いつ実行しますか。'daily 12:30'、'mon,thu 22:00'、'every 4h'、または manual",
            ),
            Ask::Mail => (
                "Who gets a mail if a backup fails? An address, or Enter for no mail",
                "失敗したときにメールを送る宛先。送らないなら Enter",
            ),
            Ask::MailAddress => ("Mail address", "メールアドレス"),
            Ask::MailServer => ("SMTP server", "SMTP サーバー"),
            Ask::MailPort => ("Port", "ポート"),
            Ask::MailTls => (
                "Encryption: starttls, implicit or none",
                "暗号化: starttls、implicit、none のどれか",
            ),
            Ask::MailUser => ("User name, or Enter for none", "利用者名。不要なら Enter"),
            Ask::MailAgain => (
                "Enter all about mail again? yes, or no to go on without mail",
                "メールについて入力し直しますか。yes、またはメールなしで進むなら no",
            ),
            Ask::Timer => (
                "Install a timer for this user that starts backups when they are due? yes or no",
                "時刻になったらバックアップを始めるタイマーを、この利用者に入れますか。yes か no",
            ),
        };
        lang.pick(en, ja)
    }
}

/// With what Enter means.
pub fn prompt(lang: Lang, ask: Ask, default: &str) -> String {
    let text = ask.text(lang);
    match default {
        "" => format!("{text}: "),
        default => format!("{text} [{default}]: "),
    }
}

pub fn welcome(lang: Lang) -> String {
    say!(
        lang,
        "This sets up a backup that runs by itself. Enter takes what is in [brackets]; Ctrl-C stops at any time.",
        "自動で動くバックアップを設定します。Enter だけを押すと [ ] の中の値になります。Ctrl-C でいつでもやめられます。"
    )
}

pub fn no_such_source(lang: Lang, path: &str) -> String {
    say!(lang, "There is no {path}", "{path} はありません")
}

pub fn try_another(lang: Lang) -> String {
    say!(lang, "Please try again", "もう一度入力してください")
}

pub fn not_one_of(lang: Lang, words: &str) -> String {
    say!(lang, "Please answer {words}", "{words} のどれかで答えてください")
}

pub fn not_a_port(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not a port, a number from 1 to 65535",
        "「{text}」はポートではありません。1 から 65535 までの数を入力してください"
    )
}

/// Before a password is typed.
pub fn password_stored(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "The password will be stored unencrypted in {path}, which only you can read, because it is needed when nobody is \
         there to type it",
        "パスワードは暗号化せずに {path} に保存します。入力する人がいないときにも必要になるためです。\
         このファイルを読めるのはあなただけです"
    )
}

/// A repository is where backups are to go, and what opens it is not known.
pub fn repository_there(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "A repository already exists at {url}. It can be used if you have its key file or its password",
        "{url} にはすでにリポジトリーがあります。鍵ファイルかパスワードがあれば、そのまま使えます"
    )
}

/// `file` opens it; `name` is what it will be called.
pub fn repository_used(lang: Lang, url: &str, file: &str, name: &str) -> String {
    say!(
        lang,
        "The repository that exists at {url} is used; {file} opens it. Its recovery phrase cannot be shown again: when the \
         setup is complete, 'dedup -r {name} key recovery' makes a new one",
        "{url} にあるリポジトリーをそのまま使います。{file} で開けます。回復フレーズは二度と表示できません。\
         設定が終わったら、'dedup -r {name} key recovery' で新しいものを作れます"
    )
}

/// Before the phrase is asked for word by word.
pub fn write_down(lang: Lang) -> String {
    say!(
        lang,
        "Write these words down on paper now: with them you can open your backups if this machine and its keys are \
         lost. You will be asked for three of them. Press Enter when you have them",
        "この単語を今すぐ紙に書き写してください。このコンピューターや鍵を失っても、これでバックアップを開けます。\
         このあと 3 つの単語を尋ねます。書き写したら Enter を押してください"
    )
}

pub fn which_word(lang: Lang, number: usize) -> String {
    say!(lang, "Word {number}: ", "{number} 番目の単語: ")
}

pub fn wrong_word(lang: Lang) -> String {
    say!(
        lang,
        "That is not the word. Here is the phrase again",
        "その単語ではありません。もう一度表示します"
    )
}

pub fn phrase_confirmed(lang: Lang) -> String {
    say!(
        lang,
        "Right. Keep the paper in a safe place, away from this machine",
        "正しい単語です。紙は、このコンピューターとは別の安全な場所に保管してください"
    )
}

pub fn mail_sent(lang: Lang, to: &str) -> String {
    say!(
        lang,
        "A test mail was sent to {to}",
        "{to} にテストメールを送りました"
    )
}

pub fn mail_failed(lang: Lang, why: &str) -> String {
    say!(
        lang,
        "The test mail could not be sent: {why}",
        "テストメールを送れませんでした: {why}"
    )
}

pub fn settings_written(lang: Lang, file: &str) -> String {
    say!(
        lang,
        "The settings are in {file}. Now the first backup",
        "設定を {file} に書きました。最初のバックアップを始めます"
    )
}

pub fn proven(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} was restored as a test and is the same as the original",
        "{path} を試しに復元し、元のファイルと同じことを確かめました"
    )
}

pub fn nothing_to_prove(lang: Lang) -> String {
    say!(
        lang,
        "No file was restored as a test, because the snapshot has none that is unchanged and small enough",
        "変更のない手ごろな大きさのファイルがなかったため、復元の確認は行っていません"
    )
}

pub fn no_timer(lang: Lang, why: &str, line: &str) -> String {
    say!(
        lang,
        "No timer was installed ({why}). To run backups from cron, add this line with 'crontab -e':\n  {line}",
        "タイマーは入れていません ({why})。cron で動かすには、次の行を 'crontab -e' で追加してください:\n  {line}"
    )
}

/// Why there is no timer, if nothing failed.
pub fn not_wanted(lang: Lang) -> String {
    say!(lang, "as you wished", "希望により")
}

/// At the end. `remote` is where the set is saved, if a command has to name it; `timer_failed` where one was wanted.
pub fn finished(lang: Lang, set: &str, remote: Option<&str>, timer_failed: bool) -> String {
    let done = match timer_failed {
        true => lang.pick(
            "Setup is complete except for the timer.",
            "タイマーのほかは設定が終わりました。",
        ),
        false => lang.pick("Setup is complete.", "設定が終わりました。"),
    };
    let at = remote.map_or_else(String::new, |remote| format!(" -r {remote}"));
    say!(
        lang,
        "{done} 'dedup status' shows how it goes, 'dedup run {set}' backs up now, 'dedup{at} restore --target DIR' brings \
         files back",
        "{done}'dedup status' で状況を見られます。'dedup run {set}' ですぐにバックアップします。\
         ファイルは 'dedup{at} restore --target DIR' で復元できます"
    )
}
