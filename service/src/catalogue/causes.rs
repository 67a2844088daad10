//! Why a job failed, apart from what the engine reports: one variant for each cause, with its status and its text. The
//! text is one line that says what happened, to what, and what to do.

mod wording;

use super::Lang::{En, Ja};
use super::parts::{did_you_mean, in_file, no_snapshot};
use super::report::runs::job_kind;
use super::report::snapshots::InCommon;
use super::value_faults::japanese_type;
use super::{
    Action, BrowseCause, CommandEnd, Expected, HookEnd, ReplicaCause, SetCause, Texts, Unfit, UpdateFault,
    ValueFault, What,
};
use super::{Lang, Noun, SystemError, count, engine_error, policy_error, remedy, unit_error, when_error};
use crate::limits::Hindrance;
use crate::runs::hooks::Hook;
use crate::status::Status;
use crate::text::{grouped, time};
use engine::retain::PolicyError;
use engine::units::UnitError;
use engine::when::WhenError;
use jiff::Timestamp;
use std::sync::Arc;

macro_rules! causes {
    ($(
        $(#[$doc:meta])*
        $name:ident $({ $($field:ident: $type:ty),* $(,)? })? [$status:expr] => $en:expr, $ja:expr;
    )*) => {
        #[derive(Clone, Debug)]
        pub enum Cause {
            $($(#[$doc])* $name $({ $($field: $type),* })?,)*
        }

        impl Cause {
            #[allow(unused_variables)] // no field has a part in everything
            pub fn status(&self) -> Status {
                match self {
                    $(Cause::$name $({ $($field),* })? => $status,)*
                }
            }

            #[allow(unused_variables)]
            pub fn text(&self, lang: Lang) -> String {
                match self {
                    $(Cause::$name $({ $($field),* })? => match lang {
                        En => String::from($en),
                        Ja => String::from($ja),
                    },)*
                }
            }
        }
    };
}

use Status::{BadSettings, Failed, Incomplete, WrongKey};

causes! {
    /// What the engine or the storage reports.
    Engine { error: Arc<engine::Error> } [super::engine_status(error)] =>
        engine_error(En, error), engine_error(Ja, error);
    Console { fault: super::ConsoleFault } [fault.status()] => fault.text(En), fault.text(Ja);
    /// Another cause, and what follows from it.
    Followed { cause: Box<Cause>, by: Box<Cause> } [cause.status()] =>
        format!("{}; {}", cause.text(En), by.text(En)),
        format!("{}。{}", cause.text(Ja), by.text(Ja));
    /// Where there is no repository.
    MeantRemote { names: String } [Status::NoRepository] =>
        format!("-r NAME chooses a remote of the settings: {names}"),
        format!("-r 名前 で設定のリモートを選べます: {names}");
    /// Another cause, and what it happened to.
    Of { name: String, cause: Box<Cause> } [cause.status()] =>
        format!("{name}: {}", cause.text(En)), format!("{name}: {}", cause.text(Ja));
    /// Another cause, at a place in the settings file.
    InFile { file: String, line: usize, column: usize, cause: Box<Cause> } [BadSettings] =>
        format!("{file}:{line}:{column}: {}", cause.text(En)),
        format!("{file}:{line}:{column}: {}", cause.text(Ja));
    /// The system refused something, in plain words what.
    System { action: Action, path: String, why: SystemError } [super::system_status(why)] =>
        format!("{}{}", action.text(En, path, why), remedy(En, why)),
        format!("{}{}", action.text(Ja, path, why), remedy(Ja, why));
    /// Sets, profiles and edits of the settings.
    Sets { what: SetCause } [what.status()] => what.text(En), what.text(Ja);
    /// Replicas that are not there, and names of remotes.
    Replica { what: ReplicaCause } [what.status()] => what.text(En), what.text(Ja);
    Update { fault: UpdateFault } [fault.status()] => fault.text(En), fault.text(Ja);
    /// What a library says of a value, which has no words of its own here.
    Said { what: String } [BadSettings] => what.clone(), what.clone();

    // Values.
    Value { fault: ValueFault } [BadSettings] => fault.text(En), fault.text(Ja);
    Unit { error: UnitError } [BadSettings] => unit_error(En, error), unit_error(Ja, error);
    When { error: WhenError } [BadSettings] => when_error(En, error), when_error(Ja, error);
    Policy { error: PolicyError } [BadSettings] => policy_error(En, error), policy_error(Ja, error);
    NotUtf8 { what: What } [BadSettings] =>
        format!("{} is not UTF-8", what.text(En)), format!("{}が UTF-8 ではありません", what.text(Ja));
    NotAPath { text: String, why: SystemError } [BadSettings] =>
        format!("'{text}' is not a path: {}", why.text(En)),
        format!("「{text}」はパスではありません: {}", why.text(Ja));
    OptionValue { option: &'static str, why: String } [BadSettings] =>
        format!("{option}: {why}"), format!("{option}: {why}");
    TrashTooLong { why: String } [BadSettings] =>
        format!("--keep-trash is too long: {why}"), format!("--keep-trash が長すぎます: {why}");
    EmptyTarget [BadSettings] => "--target is empty", "--target が空です";

    // The environment.
    NoHome [BadSettings] =>
        "there is no home directory: set HOME to an absolute path",
        "ホームディレクトリーがありません。HOME に絶対パスを設定してください";
    NoHomeFor { variable: String } [BadSettings] =>
        format!("there is no home directory: set HOME or {variable} to an absolute path"),
        format!("ホームディレクトリーがありません。HOME か {variable} に絶対パスを設定してください");
    OtherUsersHome { path: String } [BadSettings] =>
        format!("'{path}': another user's home directory is not looked up; write the whole path"),
        format!("「{path}」: ほかの利用者のホームディレクトリーは調べません。パス全体を書いてください");
    BothSet { one: String, other: String } [BadSettings] =>
        format!("{one} and {other} are both set: clear one, or give an option"),
        format!("{one} と {other} の両方が設定されています。片方を消すか、オプションで指定してください");
    BadVariable { name: String, text: String, expected: Expected } [BadSettings] =>
        format!("{name} is '{text}', not {}", expected.text(En)),
        format!("{name} の値「{text}」が正しくありません。{}を指定してください", expected.text(Ja));
    NoHostName [BadSettings] =>
        "this machine has no name: give --host or set DEDUP_HOST",
        "このコンピューターには名前がありません。--host か DEDUP_HOST で指定してください";

    // Secrets.
    CannotRead { what: What, path: String, why: Unfit } [BadSettings] =>
        format!("can't read {} from {path}: {}", what.text(En), why.text(En)),
        format!("{path} から{}を読み取れません: {}", what.text(Ja), why.text(Ja));
    EmptyFile { what: What, path: String } [BadSettings] =>
        format!("{} in {path} is empty", what.text(En)), format!("{path} の{}が空です", what.text(Ja));
    PasswordCommand { why: Unfit } [BadSettings] =>
        format!("the password command failed: {}", why.text(En)),
        format!("パスワードのコマンドが失敗しました: {}", why.text(Ja));
    NoDescriptors [BadSettings] =>
        "passwords from open files work on Unix only",
        "開いたファイルからパスワードを読み取れるのは Unix だけです";
    NoPassword [BadSettings] =>
        "no password or key was given, and there is no terminal to ask on: set DEDUP_PASSWORD, \
         DEDUP_PASSWORD_FILE or DEDUP_KEY_FILE, or give --password-file or --key-file",
        "パスワードも鍵も指定されておらず、尋ねる端末もありません。DEDUP_PASSWORD、DEDUP_PASSWORD_FILE、\
         DEDUP_KEY_FILE のどれかを設定するか、--password-file か --key-file を指定してください";
    NoNewPassword [BadSettings] =>
        "no new password or key was given, and there is no terminal to ask on: give --new-password-file or \
         --new-key-file, or set DEDUP_NEW_PASSWORD",
        "新しいパスワードも鍵も指定されておらず、尋ねる端末もありません。--new-password-file か --new-key-file を\
         指定するか、DEDUP_NEW_PASSWORD を設定してください";
    NoFirstPassword [BadSettings] =>
        "no password or key was given for the new repository, and there is no terminal to ask on: set \
         DEDUP_PASSWORD or DEDUP_PASSWORD_FILE, or give --password-file or --key-file",
        "新しいリポジトリーのパスワードも鍵も指定されておらず、尋ねる端末もありません。DEDUP_PASSWORD か \
         DEDUP_PASSWORD_FILE を設定するか、--password-file か --key-file を指定してください";
    EmptyPassword [BadSettings] => "the password is empty", "パスワードが空です";
    PasswordsDiffer [BadSettings] => "the two passwords differ", "2 つのパスワードが一致しません";
    /// What should open a repository can't open any.
    UselessSecret { name: Option<String>, error: Arc<engine::Error> } [WrongKey] =>
        in_file(name, &super::plain_error(En, error)), in_file(name, &super::plain_error(Ja, error));
    PhraseIsMadeByInit [BadSettings] =>
        "--recovery-phrase-file opens a repository; init makes a new phrase and prints it",
        "--recovery-phrase-file は既存のリポジトリーを開くためのものです。init は新しい回復フレーズを作って表示します";
    PhraseIsMadeByRecovery [BadSettings] =>
        "a recovery phrase is made by 'dedup key recovery'", "回復フレーズは 'dedup key recovery' で作ります";
    PhraseOpensNothing [Failed] =>
        "the recovery phrase shown above does not open any repository",
        "上に表示した回復フレーズで開けるリポジトリーはありません";
    NobodySeesPhrase [Failed] =>
        "nobody would see the recovery phrase, so none was made",
        "回復フレーズを見る人がいないため、作りませんでした";
    PhraseNotPrinted { why: Unfit } [Failed] =>
        format!("the recovery phrase could not be printed, and nothing was made: standard output: {}", why.text(En)),
        format!("回復フレーズを表示できないため、何も作りませんでした。標準出力: {}", why.text(Ja));
    KeyInRepository [BadSettings] =>
        "the key file would be in the repository that it opens: choose another place",
        "鍵ファイルが、それで開くリポジトリーの中に入ってしまいます。別の場所を選んでください";
    NoKey { text: String } [Failed] =>
        format!("there is no key '{text}'; 'dedup key list' shows the keys"),
        format!("鍵「{text}」はありません。'dedup key list' で一覧を表示できます");
    SeveralKeys { text: String } [Failed] =>
        format!("several keys begin with '{text}'; write more of the id"),
        format!("「{text}」で始まる鍵が複数あります。ID をもっと長く書いてください");
    KeyInUse { id: String } [Failed] =>
        format!(
            "key {id} is in use: this command opened the repository with it. Open the repository with another key to \
             remove this one, or replace it with 'dedup key passwd'; nothing was removed"
        ),
        format!(
            "鍵 {id} は使用中です。このコマンドはその鍵でリポジトリーを開きました。削除するには別の鍵で開くか、\
             'dedup key passwd' で取り替えてください。何も削除していません"
        );
    OpenedByPhrase [BadSettings] =>
        "the repository was opened with the recovery phrase, which stays: add a password with 'dedup key add'",
        "リポジトリーは回復フレーズで開かれ、回復フレーズは残ります。パスワードは 'dedup key add' で追加してください";
    Exists { path: String } [Failed] =>
        format!("{path} exists already; nothing was changed"),
        format!("{path} はすでに存在します。何も変更していません");

    // Questions.
    NobodyConfirms { question: super::Question } [BadSettings] =>
        format!("{}? This is not a terminal, so nobody can answer: add --yes", question.text(En)),
        format!("{}? 端末ではないため、だれも答えられません。--yes を付けてください", question.text(Ja));
    NotConfirmed [BadSettings] => "not confirmed; nothing was changed", "確認されなかったため、何も変更していません";
    CannotAsk { why: SystemError } [BadSettings] =>
        format!("can't ask: {}; add --yes", why.text(En)),
        format!("確認を求められません: {}。--yes を付けてください", why.text(Ja));
    CannotAskPassword { why: SystemError } [BadSettings] =>
        format!("can't ask for the password: {}", why.text(En)),
        format!("パスワードを尋ねられません: {}", why.text(Ja));

    // Sources.
    NoSourceListed [Incomplete] =>
        "nothing to back up: the lists of files name none; no snapshot was made",
        "バックアップするものがありません。ファイルの一覧が空です。スナップショットは作っていません";
    ListUnreadable { list: String, why: Unfit } [BadSettings] =>
        format!("can't read the list of files {list}: {}", why.text(En)),
        format!("ファイルの一覧 {list} を読み取れません: {}", why.text(Ja));
    UnclosedBracket { pattern: String } [BadSettings] =>
        format!("the pattern '{pattern}' has a '[' without its ']'"),
        format!("パターン「{pattern}」の「[」に対応する「]」がありません");
    StreamName [BadSettings] =>
        "--stdin-filename must be the name or path of a file",
        "--stdin-filename にはファイルの名前かパスを指定してください";
    NoCommand [BadSettings] =>
        "--stdin-from-command needs a command", "--stdin-from-command にはコマンドが必要です";
    CannotRun { program: String, why: Unfit } [Failed] =>
        format!("can't run {program}: {}; no snapshot was made", why.text(En)),
        format!("{program} を実行できません: {}。スナップショットは作っていません", why.text(Ja));
    StdinIsTerminal [BadSettings] =>
        "--stdin reads standard input, which is the terminal: pipe something into it",
        "--stdin は標準入力を読み取りますが、標準入力が端末です。パイプでつないでください";

    // Snapshots.
    NotNamed [BadSettings] =>
        "say which snapshots to remove, or give a --keep-* rule that says which to keep; nothing was removed",
        "削除するスナップショットか、残すものを決める --keep-* の規則を指定してください。何も削除していません";
    NoMatch [Failed] =>
        "no snapshot matches; nothing was copied", "条件に合うスナップショットがありません。何もコピーしていません";
    NotInTrash { text: String } [Failed] =>
        format!("no snapshot in the trash matches '{text}'; 'dedup undelete' lists those that are there"),
        format!("ゴミ箱に「{text}」に合うスナップショットはありません。'dedup undelete' で一覧を表示できます");
    NotToPurge { path: String } [BadSettings] =>
        format!("'{path}' is not a path that can be purged; 'dedup forget' removes whole snapshots"),
        format!("「{path}」は取り除けるパスではありません。スナップショット全体は 'dedup forget' で削除できます");
    NotGone { text: String } [Failed] =>
        format!("no snapshot that is gone matches '{text}'"),
        format!("失われたスナップショットに「{text}」に合うものはありません");
    NotUnreadable { text: String } [Failed] =>
        format!("no snapshot that can't be read matches '{text}'; 'dedup check' names them"),
        format!("読み取れないスナップショットに「{text}」に合うものはありません。'dedup check' で調べられます");
    SeveralSnapshots { text: String } [BadSettings] =>
        format!("'{text}' matches several snapshots"),
        format!("「{text}」に合うスナップショットが複数あります");
    PathNowhere { path: String } [Failed] =>
        format!("{path} is in no snapshot; 'dedup find' searches all of them for a name"),
        format!("{path} はどのスナップショットにもありません。'dedup find' ですべてのスナップショットから名前で探せます");
    /// What keeps a command from looking into snapshots.
    Browse { cause: BrowseCause } [cause.status()] => cause.text(En), cause.text(Ja);
    PathsNotTogether [Failed] =>
        "no single snapshot holds all these paths; name fewer at a time",
        "これらのパスをすべて含むスナップショットはありません。一度に指定する数を減らしてください";
    DifferentSubpaths [BadSettings] =>
        "both snapshots must be given with the same :SUBPATH, or none",
        "2 つのスナップショットには同じ :SUBPATH を指定するか、どちらにも指定しないでください";
    NotASnapshot { text: String } [BadSettings] =>
        format!("'{text}' is not a snapshot: write latest, latest~N or the beginning of an id"),
        format!("「{text}」はスナップショットではありません。latest、latest~N、ID の先頭のどれかを書いてください");
    NothingToDump [BadSettings] =>
        "say which file or directory to dump", "取り出すファイルかディレクトリーを指定してください";
    DumpsOne [BadSettings] =>
        "only one file or directory can be dumped", "取り出せるファイルかディレクトリーは 1 つだけです";

    // Retention.
    KeepsNothingOf { group: InCommon, snapshots: u64 } [BadSettings] =>
        format!(
            "the policy keeps nothing of {}, {}; nothing was removed. Give another --keep-* rule, or \
             --allow-empty if all of them are to go",
            group.text(En), count(En, *snapshots, Noun::Snapshot)
        ),
        format!(
            "この規則では {} ({}) が 1 つも残りません。何も削除していません。別の --keep-* を指定するか、\
             すべて削除してよければ --allow-empty を付けてください",
            group.text(Ja), count(Ja, *snapshots, Noun::Snapshot)
        );
    NothingToPrune [BadSettings] =>
        "--no-gc without a --keep-* rule leaves nothing to do",
        "--keep-* なしで --no-gc を指定すると、することがありません";
    NoPolicyToSimulate [BadSettings] =>
        "no set with a retention policy is saved in this repository; give a --keep-* rule",
        "このリポジトリーに保存するセットに、残す世代の規則がありません。--keep-* を指定してください";
    FilterWithoutRule [BadSettings] =>
        "--host, --tag and --path say which snapshots a --keep-* rule is for, and none was given",
        "--host、--tag、--path は --keep-* の対象を選ぶためのものですが、--keep-* が指定されていません";
    NothingFreed { error: Arc<engine::Error> } [Status::OutOfSpace] =>
        format!("{}: nothing could be freed; a few kilobytes of room are enough to begin", super::plain_error(En, error)),
        format!("{}。何も解放できませんでした。数キロバイトの空きがあれば始められます", super::plain_error(Ja, error));

    // Repositories and remotes.
    NotEmpty { path: String } [Failed] =>
        format!(
            "{path} holds other files and is not a repository; nothing was changed: choose an empty or new \
             directory, such as {path}/dedup"
        ),
        format!(
            "{path} にはほかのファイルがあり、リポジトリーではありません。何も変更していません。空か新しいディレクトリー \
             (たとえば {path}/dedup) を選んでください"
        );
    NoCopySource [BadSettings] =>
        "say where to copy from: --from, or DEDUP_FROM_REPOSITORY",
        "コピー元を --from か DEDUP_FROM_REPOSITORY で指定してください";
    NoReplicaToHeal [BadSettings] =>
        "there is no replica to repair it from: give --from, or see 'dedup remote list'; a backup stores again what \
         its source still has",
        "修復に使えるレプリカがありません。--from で指定するか、'dedup remote list' を見てください。\
         元のファイルが残っているものは、次のバックアップで保存し直されます";
    NoOtherRemote [BadSettings] =>
        "no other remote has a name: give --to, or see 'dedup remote add'",
        "名前の付いたほかの保存先がありません。--to で指定するか、'dedup remote add' を見てください";
    AlsoIsFirst { name: String } [BadSettings] =>
        format!("--also {name}: that is the repository itself"),
        format!("--also {name}: それはリポジトリー自身です");
    FirstNeverReached [Failed] =>
        "no other destination can take its place, because this machine has never reached it",
        "このコンピューターから到達したことがないため、ほかの保存先では代わりになれません";
    NoReplicaOf { name: String, first: String } [Failed] =>
        format!("{name} is no replica of {first}, which could not be reached"),
        format!("{name} は、到達できなかった {first} のレプリカではありません");
    AwayBefore { name: String } [Failed] =>
        format!("{name} could not be reached before"),
        format!("その前に {name} にも到達できませんでした");
    NotAName { text: String } [BadSettings] =>
        format!("'{text}' can't be a name: write letters, digits, - and _"),
        format!("「{text}」は名前に使えません。英数字と - と _ で書いてください");
    NameTaken { name: String, url: String } [BadSettings] =>
        format!("'{name}' is the name of {url} already"),
        format!("「{name}」はすでに {url} の名前です");
    UrlTaken { name: String, url: String } [BadSettings] =>
        format!("{url} already has the name '{name}'"),
        format!("{url} にはすでに「{name}」という名前があります");
    NoSuchRemote { name: String, near: Option<String> } [BadSettings] =>
        format!("no remote is called '{name}'{}", did_you_mean(En, near)),
        format!("「{name}」という名前の保存先はありません{}", did_you_mean(Ja, near));
    NoSuchSet { name: String, near: Option<String> } [BadSettings] =>
        format!("no set is called '{name}'{}", did_you_mean(En, near)),
        format!("「{name}」という名前のセットはありません{}", did_you_mean(Ja, near));
    NoSuchRemoteThere { name: String } [BadSettings] =>
        format!("no remote is called '{name}' there"), format!("そこに「{name}」という名前の保存先はありません");
    NoThread { why: SystemError } [Failed] =>
        format!("no thread could be started: {}", why.text(En)),
        format!("スレッドを開始できません: {}", why.text(Ja));

    // Runs of sets, and the history.
    NoSets [BadSettings] =>
        "there is no set: 'dedup setup' or 'dedup set add' makes one, or add a table [sets.NAME] with sources and \
         destinations to dedup.toml",
        "セットがありません。'dedup setup' か 'dedup set add' で作るか、dedup.toml に [sets.NAME] の表を作り、sources と \
         destinations を書いてください";
    NoSetNamed [BadSettings] =>
        "say which sets to run, or --all, or --due",
        "実行するセットの名前か、--all か、--due を指定してください";
    SetsKnowTheirs [BadSettings] =>
        "a set says itself where it is saved: leave out --repo and --repository-file",
        "セットの保存先は設定にあります。--repo と --repository-file は付けないでください";
    SetBusy { name: String } [Status::Busy] =>
        format!("set '{name}' is running already; --wait waits for it, 'dedup stop {name}' ends it"),
        format!("セット「{name}」は実行中です。--wait を付けると終わるのを待ち、'dedup stop {name}' で止められます");
    RunsPaused { until: Timestamp } [Status::NotRun] =>
        format!("paused until {}; 'dedup resume' ends that", time(*until)),
        format!("{} まで休止中です。'dedup resume' で再開します", time(*until));
    HeldBack { why: Hindrance } [Status::NotRun] => super::hindrance(En, why), super::hindrance(Ja, why);
    RunsMissed { runs: u64 } [Status::NotRun] =>
        format!(
            "{} missed: the machine was off or asleep, or nothing called 'dedup run --due'",
            count(En, *runs, Noun::Run)
        ),
        format!(
            "{}を逃しました。電源が切れていたか、スリープ中だったか、'dedup run --due' が呼ばれませんでした",
            count(Ja, *runs, Noun::Run)
        );
    FilesLost { set: String, before: u64, now: u64 } [Incomplete] =>
        format!(
            "set '{set}': of {} in the snapshot before, {} {} left; it is saved, but is a disk not mounted, or a folder \
             emptied? 'dedup run {set} --allow-empty' accepts it",
            count(En, *before, Noun::File), grouped(*now), if *now == 1 { "is" } else { "are" }
        ),
        format!(
            "セット「{set}」: 前のスナップショットにあった{}のうち、残っているのは {} 個です。保存はしましたが、\
             ディスクが接続されていないか、フォルダーが空になっていませんか。\
             これで正しければ 'dedup run {set} --allow-empty' を実行してください",
            count(Ja, *before, Noun::File), grouped(*now)
        );
    HookFailed { hook: Hook, end: HookEnd } [Failed] =>
        format!("{} failed: {}{}", hook.key(), end.text(En), no_snapshot(En, *hook)),
        format!("{} が失敗しました: {}{}", hook.key(), end.text(Ja), no_snapshot(Ja, *hook));
    NotNow { hook: Hook } [Status::NotRun] =>
        format!("{} ended with code 75: not now", hook.key()),
        format!("{} がコード 75 (今はできない) で終わりました", hook.key());
    PauseTooLong [BadSettings] =>
        "the pause must be longer than nothing and end within this calendar: 1h, 4h, 1d",
        "休止の長さが正しくありません。1h、4h、1d のように書いてください";
    NothingRuns { name: String } [Failed] =>
        format!("'{name}' is neither a running set nor a running job; 'dedup history --status running' lists them"),
        format!("「{name}」は実行中のセットでも実行中のジョブでもありません。'dedup history --status running' で一覧できます");
    JobStopped [Status::Interrupted] =>
        "stopped by 'dedup stop'; what is already stored is safe, and the next run continues from there",
        "'dedup stop' で止められました。保存済みのものは安全で、次の実行はそこから続きます";
    NoSuchJob { id: String } [Failed] =>
        format!("no row of the history matches '{id}'; 'dedup history' lists them"),
        format!("「{id}」に当てはまるジョブは履歴にありません。'dedup history' で一覧できます");
    SeveralJobs { id: String } [Failed] =>
        format!("'{id}' matches several rows of the history; write more of the id"),
        format!("「{id}」に当てはまるジョブが履歴に複数あります。ID をもっと長く書いてください");
    NoSnapshotOfJob { id: String } [Failed] =>
        format!("the job {id} made no snapshot, so there is no list of its files"),
        format!("ジョブ {id} はスナップショットを作っていないため、ファイルの一覧はありません");
    SnapshotOfJobGone { snapshot: String } [Failed] =>
        format!("snapshot {snapshot} has been removed, so the list of its files is gone too"),
        format!("スナップショット {snapshot} は削除されたため、ファイルの一覧もありません");
    CannotRerun { id: String, kind: String } [BadSettings] =>
        format!("the {kind} {id} was not the run of a set, so what it was asked to do is not known: run its command again"),
        format!("{id} ({}) はセットの実行ではないため、何をしたのか分かりません。そのコマンドをもう一度実行してください", job_kind(Ja, kind));
    NoSuchJobKind { kind: String, near: Option<String> } [BadSettings] =>
        format!("no job is of the kind '{kind}'{}", did_you_mean(En, near)),
        format!("「{kind}」という種類のジョブはありません{}", did_you_mean(Ja, near));
    NoSuchJobStatus { status: String, known: String, near: Option<String> } [BadSettings] =>
        format!("no job has the status '{status}' ({known}){}", did_you_mean(En, near)),
        format!("「{status}」という状態のジョブはありません ({known}){}", did_you_mean(Ja, near));
    NoSuchFileStatus { word: String, known: String, near: Option<String> } [BadSettings] =>
        format!("'{word}' is not a status of a file ({known}){}", did_you_mean(En, near)),
        format!("「{word}」はファイルの状態ではありません ({known}){}", did_you_mean(Ja, near));
    NotInAUnit { text: String } [BadSettings] =>
        format!("'{text}' can't be in a unit file"), format!("「{text}」はユニットファイルに書けません");
    ProgramNotInCrontab [BadSettings] =>
        "the path of this program can't be in a crontab", "このプログラムのパスは crontab に書けません";
    ProgramNotUtf8 [BadSettings] =>
        "the path of this program is not UTF-8", "このプログラムのパスが UTF-8 ではありません";
    ProgramUnknown { why: SystemError } [Failed] =>
        format!("can't tell where this program is: {}", why.text(En)),
        format!("このプログラムの場所が分かりません: {}", why.text(Ja));
    Systemctl { command: String, why: CommandEnd } [Failed] =>
        format!(
            "{command}: {}; 'dedup schedule show' prints what to install by hand; --scheduler cron has a line for cron",
            why.text(En)
        ),
        format!(
            "{command}: {}。'dedup schedule show' が手で入れる内容を、--scheduler cron が cron 用の行を表示します",
            why.text(Ja)
        );

    // The settings file.
    UnknownKey { name: String, near: Option<String>, known: Vec<&'static str> } [BadSettings] =>
        format!("unknown key '{name}'{} (allowed here: {})", did_you_mean(En, near), known.join(", ")),
        format!("不明な項目「{name}」です{} (ここに書ける項目: {})", did_you_mean(Ja, near), known.join(", "));
    WrongType { key: String, wanted: String, found: String } [BadSettings] =>
        format!("'{key}' must be {wanted} (found {found})"),
        format!("「{key}」の種類が違います (必要: {}、実際: {})", japanese_type(wanted), japanese_type(found));
    BadValue { key: String, why: Texts } [BadSettings] =>
        format!("'{key}': {}", why.en), format!("「{key}」: {}", why.ja);
    /// The parser's own words.
    Syntax { what: String } [BadSettings] => what.clone(), format!("TOML として読めません: {what}");
    NoField { key: String, field: String } [BadSettings] =>
        format!("[{key}] has no '{field}', which is required"),
        format!("[{key}] に必要な「{field}」がありません");
    RemoteWithoutUrl { name: String } [BadSettings] =>
        format!("remote '{name}' has no url"), format!("保存先「{name}」に url がありません");
    SetLacks { name: String, key: &'static str } [BadSettings] =>
        format!("set '{name}' has no {key}"), format!("セット「{name}」に {key} がありません");
    NobodyToMail [BadSettings] => "'to' names nobody", "「to」に宛先がありません";
    NoChannel [BadSettings] =>
        "nothing to send through: add [notify.mail], [notify.webhook], [notify.ping], [notify.prometheus], or \
         desktop = true in [notify], to dedup.toml",
        "送信先がありません。dedup.toml に [notify.mail]、[notify.webhook]、[notify.ping]、[notify.prometheus] のどれかか、\
         [notify] の desktop = true を書いてください";
    TwoPasswords [BadSettings] =>
        "give 'password-file' or 'password-command', not both",
        "「password-file」と「password-command」は片方だけを書いてください";
    NotATable { key: &'static str } [BadSettings] =>
        format!("'{key}' must be a table"), format!("「{key}」はテーブルでなければなりません");

    // The faces.
    CannotWatchSignals { why: SystemError } [Failed] =>
        format!("can't watch for signals: {}", why.text(En)), format!("シグナルを監視できません: {}", why.text(Ja));
    Output { why: SystemError } [super::output_status(why)] =>
        format!("writing to standard output: {}", why.text(En)),
        format!("標準出力に書き込めません: {}", why.text(Ja));
    AddressSpace { mib: u64, needed: u64 } [Failed] =>
        format!(
            "not enough memory: the limit on address space (ulimit -v) is {mib} MiB, and {needed} MiB are needed"
        ),
        format!("メモリーが足りません。アドレス空間の上限 (ulimit -v) が {mib} MiB で、{needed} MiB 必要です");
    IsDirectory { path: String } [BadSettings] =>
        format!("{path} is a directory"), format!("{path} はディレクトリーです");
    WritingJson { why: String } [Failed] => format!("writing JSON: {why}"), format!("JSON を書けません: {why}");
    NoHelp { topic: String } [BadSettings] =>
        format!("there is no help on '{topic}': name a command, env, excludes or exit-codes"),
        format!("「{topic}」のヘルプはありません。コマンド、env、excludes、exit-codes のどれかを指定してください");
    CacheInUse { caches: Vec<String> } [Status::Busy] =>
        format!("the cache of {} is in use and was left", caches.join(", ")),
        format!("{} のキャッシュは使用中のため残しました", caches.join(", "));
}
