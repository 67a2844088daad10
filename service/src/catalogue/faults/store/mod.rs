//! What happened in the repository's storage.

pub(super) mod io;
pub(super) mod object;

use super::invalid::invalid;
use super::tree::tree_feature;
use crate::catalogue::{Lang, say};
use engine::StoreError;
use engine::error::store::{
    Feature, Flaw, IndexFault, IoError, Object, Operation, Refusal, Task, Unreadable,
};
use engine::units::format_bytes;
use io::io_error;
use object::{attempt, flaw, joined, object};
use std::path::Path;

/// What happened and to what, without advice.
pub fn store_error(lang: Lang, error: &StoreError) -> String {
    match error {
        StoreError::Missing { object } => missing_object(lang, object),
        StoreError::Corrupt { object, flaw } => corrupt_object(lang, object, flaw),
        StoreError::Unreadable { object, cause } => unreadable_object(lang, object, cause),
        StoreError::NoSpace { object } => no_space(lang, object),
        StoreError::TooManyOpen { object, limit } => too_many_open(lang, object, *limit),
        StoreError::Remote {
            operation,
            object,
            source,
        } => remote(lang, *operation, object, source),
        StoreError::Local {
            operation,
            path,
            source,
        } => local(lang, *operation, path, source),
        StoreError::OverQuota { used, quota } => {
            let (used, quota) = (format_bytes(*used), format_bytes(*quota));
            say!(
                lang,
                "the quota is reached: {used} of {quota} are used, and the next pack would exceed it",
                "容量制限に達しました: {quota} のうち {used} を使用中で、次のパックを保存すると超えます"
            )
        }
        StoreError::NoRepository { location } => say!(
            lang,
            "no repository at {location}",
            "{location} にリポジトリーがありません"
        ),
        StoreError::RepositoryExists { location } => say!(
            lang,
            "a repository already exists at {location}",
            "{location} にはすでにリポジトリーがあります"
        ),
        StoreError::WrongKey => say!(lang, "wrong password or key", "パスワードか鍵が違います"),
        StoreError::NewerFormat(feature) => newer(lang, feature),
        StoreError::Thread(error) => thread(lang, error),
        StoreError::Random(error) => random(lang, error),
        StoreError::NoMemory { task, needed } => no_memory(lang, *task, needed >> 20),
        StoreError::Index(fault) => index(lang, fault),
        StoreError::Invalid(invalid) => self::invalid(lang, invalid),
        StoreError::Fenced => say!(
            lang,
            "this session was ended by garbage collection",
            "ガベージコレクションがこのセッションを終了させました"
        ),
        StoreError::Interrupted => say!(lang, "interrupted", "中断されました"),
        StoreError::WriterFailed => say!(lang, "an earlier write failed", "前の書き込みに失敗しました"),
        StoreError::Refused(refusal) => {
            let why = self::refusal(lang, refusal);
            say!(lang, "refused: {why}", "拒否しました: {why}")
        }
    }
}

fn thread(lang: Lang, error: &IoError) -> String {
    let why = io_error(lang, error);
    say!(
        lang,
        "no thread could be started: {why}",
        "スレッドを開始できません: {why}"
    )
}

fn random(lang: Lang, error: &IoError) -> String {
    let why = io_error(lang, error);
    say!(
        lang,
        "the system gives no random numbers: {why}",
        "システムから乱数を得られません: {why}"
    )
}

fn index(lang: Lang, fault: &IndexFault) -> String {
    let why = index_fault(lang, fault);
    say!(lang, "local index: {why}", "ローカル索引: {why}")
}

fn corrupt_object(lang: Lang, object: &Object, flaw: &Flaw) -> String {
    let (name, why) = (self::object(lang, object), self::flaw(lang, object, flaw));
    let name_ja = joined(&name, "が破損しています");
    say!(lang, "{name} is damaged: {why}", "{name_ja}: {why}")
}

fn unreadable_object(lang: Lang, object: &Object, cause: &Unreadable) -> String {
    let (name, why) = (self::object(lang, object), unreadable(lang, cause));
    let name_ja = joined(&name, "を読み取れません");
    say!(lang, "{name} can't be read: {why}", "{name_ja}: {why}")
}

fn no_space(lang: Lang, object: &Object) -> String {
    let name = self::object(lang, object);
    let name_ja = joined(&name, "を書き込む空き容量がありません");
    say!(lang, "no space left while writing {name}", "{name_ja}")
}

fn remote(lang: Lang, operation: Operation, object: &Object, source: &IoError) -> String {
    let name = self::object(lang, object);
    format!("{}: {}", attempt(lang, operation, &name), io_error(lang, source))
}

fn local(lang: Lang, operation: Operation, path: &Path, source: &IoError) -> String {
    let path = path.display().to_string();
    let what = match operation {
        Operation::WriteIndex if path.is_empty() => self::object::operation(lang, operation),
        operation => attempt(lang, operation, &path),
    };
    format!("{what}: {}", io_error(lang, source))
}

fn too_many_open(lang: Lang, object: &Object, limit: usize) -> String {
    let name = self::object(lang, object);
    let name_ja = joined(&name, "を開けません");
    say!(
        lang,
        "too many open files: {name} could not be opened (the limit is {limit})",
        "開いているファイルが多すぎるため、{name_ja} (上限は {limit})"
    )
}

fn missing_object(lang: Lang, object: &Object) -> String {
    let name = self::object(lang, object);
    let name_ja = joined(&name, "がありません");
    say!(lang, "{name} is missing", "{name_ja}")
}

fn no_memory(lang: Lang, task: Task, needed: u64) -> String {
    match task {
        Task::DeriveKey => say!(
            lang,
            "not enough memory to derive the key: it needs {needed} MiB",
            "鍵を導出するメモリーが足りません ({needed} MiB 必要です)"
        ),
        Task::GatherPack => say!(
            lang,
            "not enough memory to gather a pack: it needs {needed} MiB",
            "パックをまとめるメモリーが足りません ({needed} MiB 必要です)"
        ),
    }
}

/// What is wrong with this object, to be put after its name. Of another one, the name of that is in it.
pub(super) fn about(lang: Lang, error: &StoreError, name: &[u8]) -> String {
    let is_it = |object: &Object| object.to_string().as_bytes() == name;
    let unread = |why: String| say!(lang, "can't be read: {why}", "読み取れません: {why}");
    match error {
        StoreError::Missing { object } if is_it(object) => missing(lang).to_string(),
        StoreError::Corrupt { object, flaw } if is_it(object) => self::flaw(lang, object, flaw),
        StoreError::Unreadable { object, cause } if is_it(object) => unread(unreadable(lang, cause)),
        StoreError::Remote { object, source, .. } if is_it(object) => unread(io_error(lang, source)),
        StoreError::NewerFormat(feature) => unread(needs(lang, feature)),
        error => store_error(lang, error),
    }
}

/// Of a whole object.
pub(super) fn missing(lang: Lang) -> &'static str {
    lang.pick("missing", "見つかりません")
}

fn needs(lang: Lang, feature: &Feature) -> String {
    let feature = self::feature(lang, feature);
    say!(
        lang,
        "it needs {feature}, which this version does not know",
        "必要な機能 ({feature}) に、この版は対応していません"
    )
}

pub(super) fn unreadable(lang: Lang, cause: &Unreadable) -> String {
    match cause {
        Unreadable::Io(error) => io_error(lang, error),
        Unreadable::UnknownLocation(error) => {
            let why = store_error(lang, error);
            say!(
                lang,
                "its location is not known, because {why}",
                "場所が分かりません ({why})"
            )
        }
        Unreadable::NotIndexed => say!(lang, "its location is not known", "場所が分かりません"),
        Unreadable::NewerFormat(feature) => needs(lang, feature),
        Unreadable::Invalid(invalid) => self::invalid(lang, invalid),
    }
}

/// What a newer version has, to be put after "it needs".
pub(super) fn feature(lang: Lang, feature: &Feature) -> String {
    match feature {
        Feature::RepositoryFormat(format) => {
            say!(lang, "repository format {format}", "リポジトリー形式 {format}")
        }
        Feature::CipherSuite(suite) => say!(lang, "cipher suite {suite}", "暗号スイート {suite}"),
        Feature::Chunker(chunker) => say!(lang, "chunker {chunker}", "チャンカー {chunker}"),
        Feature::ObjectFormat { format, suite } => say!(
            lang,
            "format {format} with suite {suite}",
            "形式 {format} とスイート {suite}"
        ),
        Feature::KeyDomain { domain, generation } => say!(
            lang,
            "key domain {domain}, generation {generation}",
            "鍵ドメイン {domain} の世代 {generation}"
        ),
        Feature::PackFormat { format, suite } => say!(
            lang,
            "pack format {format} with suite {suite}",
            "パック形式 {format} とスイート {suite}"
        ),
        Feature::PackHeader([a, b, c]) => say!(
            lang,
            "packs with {a}, {b} and {c} in their header",
            "ヘッダーが {a}、{b}、{c} のパック"
        ),
        Feature::PackClass(class) => say!(lang, "packs of class {class}", "クラス {class} のパック"),
        Feature::Codec(codec) => say!(lang, "frames of codec {codec}", "コーデック {codec} のフレーム"),
        Feature::SealedKeyKind(kind) => {
            say!(lang, "sealed keys of kind {kind}", "種類 {kind} の封印された鍵")
        }
        Feature::SlotKind(kind) => say!(lang, "key slots of kind {kind}", "種類 {kind} の鍵スロット"),
        Feature::RecordSubject(subject) => say!(
            lang,
            "machines' records of subject {subject}",
            "種類 {subject} のコンピューター記録"
        ),
        Feature::ParityVersion(version) => {
            say!(lang, "parity of version {version}", "版 {version} のパリティー")
        }
        Feature::Named(name) => say!(lang, "the feature '{name}'", "「{name}」"),
        Feature::Tree(feature) => tree_feature(lang, *feature),
    }
}

fn index_fault(lang: Lang, fault: &IndexFault) -> String {
    match fault {
        IndexFault::Database(said) => said.clone(),
        IndexFault::OtherSchema => say!(
            lang,
            "another schema or repository",
            "スキーマかリポジトリーが異なります"
        ),
        IndexFault::NoColumnFamily => {
            say!(lang, "a column family is missing", "カラムファミリーがありません")
        }
        IndexFault::Undecodable => say!(lang, "an entry does not decode", "解釈できない項目があります"),
        IndexFault::AllInUse { copies } => say!(
            lang,
            "{copies} other processes use this repository's cache; try again later",
            "ほかの {copies} 個のプロセスがこのリポジトリーのキャッシュを使っています。後でもう一度試してください"
        ),
        IndexFault::Closed => say!(
            lang,
            "the map on disk is closed",
            "ディスク上の対応表が閉じています"
        ),
        IndexFault::NoRoom => say!(lang, "there is no room for it", "置く場所がありません"),
    }
}

fn refusal(lang: Lang, refusal: &Refusal) -> String {
    match refusal {
        Refusal::NameTaken => say!(
            lang,
            "a random name was taken; run the command again",
            "無作為に選んだ名前がすでに使われていました。もう一度実行してください"
        ),
        Refusal::MarkSwept => say!(
            lang,
            "another process finished this collection",
            "このガベージコレクションはほかのプロセスが終えました"
        ),
        Refusal::LastSlot => say!(
            lang,
            "this is the last key slot; add another one first",
            "最後の鍵スロットです。先に別の鍵を追加してください"
        ),
        Refusal::FeaturesChanged => say!(
            lang,
            "other processes change this repository's features at the same time; run the command again",
            "ほかのプロセスが同時にこのリポジトリーの機能を変更しています。もう一度実行してください"
        ),
        Refusal::OtherRepository { location } => say!(
            lang,
            "{location} holds another repository, which is no replica of this one",
            "{location} には、このリポジトリーのレプリカではない別のリポジトリーがあります"
        ),
        Refusal::SameReplica { location, of } => say!(
            lang,
            "{location} is the same replica as {of}",
            "{location} は {of} と同じレプリカです"
        ),
        Refusal::NoReplace { object } => {
            let name = self::object(lang, object);
            let name_ja = joined(&name, "を置き換えられません");
            say!(
                lang,
                "this storage can't put anything in the place of {name}",
                "この保存先では{name_ja}"
            )
        }
    }
}

fn newer(lang: Lang, feature: &Feature) -> String {
    let feature = self::feature(lang, feature);
    say!(
        lang,
        "the repository needs {feature}, which this version does not know",
        "リポジトリーに必要な機能 ({feature}) に、この版は対応していません"
    )
}
