//! Texts of the pages that set up: sets, destinations, machines and settings.

use super::Labels;
use crate::catalogue::{Lang, Noun, count, say};
use crate::estimate::ExcludeRule;

labels! {
    machines => "Machines", "コンピューター";
    settings => "Settings", "設定";
    key_destinations => "Go to Destinations", "保存先へ";
    key_settings => "Go to Settings", "設定へ";
    save => "Save", "保存";
    saved => "Saved. This was changed:", "保存しました。変更した箇所:";
    cancel => "Cancel", "キャンセル";
    load_again => "Load it again", "読み込み直す";
    created => "Created", "作成日";
    default_value => "default", "既定";

    // A set.
    add_set => "Add a set", "セットを追加";
    set_what => "A set says which folders are backed up, where to and when.",
        "セットには、どのフォルダーを、どこへ、いつバックアップするかを決めます。";
    edit_set => "Edit", "編集";
    remove_set => "Remove set", "セットを削除";
    set_name => "Name of the set", "セットの名前";
    set_name_hint => "Letters, digits, - and _, such as documents.", "documents のように、英字、数字、-、_ で書きます。";
    set_rename_hint => "With another name, the set keeps its schedule, its state and its history. Snapshots that were made keep the \
        name that was recorded in them: the set remembers it in former-names, so they are kept and removed by the same rules.",
        "名前を変えても、スケジュール、状態、履歴は引き継がれます。作成済みの世代には記録された名前が残りますが、former-names に\
        書かれるため、同じ規則で保持と削除を行います。";
    command_without_name => "No option renames a set: 'dedup set edit' without options opens the file.",
        "セットの名前を変えるオプションはありません。'dedup set edit' をオプションなしで実行するとファイルを開けます。";
    sources_as_text => "Files and folders, one a line", "ファイルとフォルダー (1 行に 1 つ)";
    sources_hint => "Tick folders on the left, or write paths: absolute, or below your home directory with ~/.",
        "左でフォルダーを選ぶか、パスを書きます。絶対パスか、ホームディレクトリーからなら ~/ で始めます。";
    not_readable => "may not be read", "読み取れません";
    more_folders => "too many folders to show all: write the path", "フォルダーが多すぎて表示しきれません。パスを書いてください";
    exclude_label => "Patterns, one a line", "パターン (1 行に 1 つ)";
    exclude_hint => "*.tmp leaves out files anywhere, /home/me/old/ one folder; a leading ! takes something back.",
        "*.tmp はどこにあっても除外し、/home/me/old/ はそのフォルダーだけを除外します。先頭の ! は除外を取り消します。";
    extensions => "File name extensions", "拡張子";
    standard_excludes => "Leave out caches, trash, swap and temporary files", "キャッシュ、ごみ箱、スワップ、一時ファイルを除外する";
    with_hidden => "Save hidden files", "隠しファイルも保存する";
    rule => "Rule", "規則";
    leaves_out => "Leaves out", "除外するもの";
    hits_nothing => "nothing so far", "今のところなし";
    when_it_runs => "When it runs", "実行する時刻";
    clock_shifted => "(the clocks change before)", "(その前に時計が切り替わります)";
    priority_hint => "Sets with a higher number run first.", "数の大きいセットから実行します。";
    add_destination => "Add a destination", "保存先を追加";
    no_destination_yet => "There is no destination yet.", "保存先がまだありません。";
    retention => "What is kept", "残す世代";
    retention_hint => "Up to an age, one snapshot of each period is kept: up to 7d every 1h, up to 90d every 1d, and with no age \
        every 1M for ever. Without rows everything is kept. h hours, d days, w weeks, M months, y years.",
        "経過時間ごとに、期間に 1 つの世代を残します。例: 7d まで 1h ごと、90d まで 1d ごと、経過時間を空にして 1M ごとなら\
        いつまでも。何も書かなければすべて残します。h 時間、d 日、w 週、M か月、y 年。";
    tier_until => "Up to an age of", "経過時間";
    tier_every => "keep one every", "1 つ残す間隔";
    deleted_files => "Keep files that were deleted from the folders (90d, or forever)", "削除されたファイルを残す期間 (90d、または forever)";
    max_generations => "Maximum number of snapshots", "世代の上限";
    keep_tags => "Always keep snapshots with these tags", "次のタグがある世代は必ず残す";
    look_ahead => "Look ahead (up to three years)", "先の日付を見る (3 年後まで)";
    picture_key => "Tall lines stay, short ones go. Right is new, left is old.", "長い線は残り、短い線は消えます。右が新しく、左が古い世代です。";
    all_imagined => "This set has not run yet: drawn as if it always had.", "まだ実行されていないため、ずっと実行してきたと仮定して描いています。";
    some_imagined => "Faint lines are runs to come.", "薄い線はこれからの実行です。";
    tags_and_commands => "Tags and commands", "タグとコマンド";
    run_before => "Before the backup", "バックアップの前";
    run_after => "After a backup that completed", "完了したとき";
    run_failed => "After one that did not", "完了しなかったとき";
    run_finally => "At the end, whatever happened", "最後に必ず";
    run_timeout => "Time limit of each command", "コマンドの制限時間";
    what_changes => "What changes", "変更内容";
    nothing_changes => "Nothing changes.", "変更はありません。";
    equal_command => "The same as a command:", "同じことをするコマンド:";
    file_changed => "The settings file was changed after this page was opened, so this page can't be saved.",
        "このページを開いたあとに設定ファイルが変更されたため、このままでは保存できません。";
    edit_as_text => "Edit as text", "テキストとして編集";
    show_change => "Show the change", "変更を確認";
    not_saved_yet => "This is valid, and not saved yet.", "内容は正しく、まだ保存していません。";

    // Destinations.
    no_destination_title => "Where should backups go?", "バックアップをどこに保存しますか？";
    no_destination_text => "A destination is a place for backups: a folder on another disk, an SFTP server, or cloud storage. Add \
        one; a set then saves there.",
        "保存先は、別のディスクのフォルダー、SFTP サーバー、クラウドストレージなどです。追加すると、セットがそこへ保存します。";
    remove_destination => "Remove destination", "保存先を削除";
    space_used => "Used", "使用量";
    never_measured => "not measured yet", "まだ測っていません";
    full_about => "full about", "満杯になる見込み";
    last_check => "Last check", "最後の検査";
    last_restore => "Last restore", "最後の復元";
    no_set_here => "no set saves here", "ここに保存するセットはありません";
    reachable => "reachable", "接続できます";
    not_reachable => "not reachable", "接続できません";
    not_used_yet => "not used yet", "まだ使っていません";
    quota_reached => "the quota is reached", "容量の上限に達しました";
    test_connection => "Test connection", "接続を確認";
    show_progress => "Show progress", "進み具合を表示";
    check => "Check", "検査";
    check_what => "Reads the index and the trees, not the data", "索引とツリーを読み取って確かめます。データは読みません";
    check_all => "Check all data", "全データを検査";
    check_all_what => "Reads all stored data; this takes time and traffic", "すべてのデータを読み取ります。時間と通信量がかかります";
    prune => "Prune", "整理";
    prune_what => "Applies what sets keep, and frees space; the cost is shown first", "残す世代の規則を適用して空きを増やします。先に費用を表示します";
    prune_preview => "What a prune would do", "整理した場合";
    prune_now => "Prune now", "今すぐ整理";
    drill => "Restore drill", "復元テスト";
    drill_what => "Restores some files into a scratch folder, compares them, and removes them again", "いくつかのファイルを作業フォルダーに復元して比べ、あとで消します";
    last_drill => "Last restore drill", "最後の復元テスト";
    drill_failed => "found differences", "違いが見つかりました";
    what_uses_it => "What uses it", "容量の内訳";
    heal => "Heal", "修復";
    heal_what => "Reads all data, and mends what is damaged from other destinations", "すべてのデータを読み取り、壊れたものをほかの保存先から直します";
    place_url => "Folder or URL", "フォルダーまたは URL";
    place_examples => "For example", "例";
    what_it_holds => "What it holds", "保存する内容";
    kind_replica => "The same snapshots and keys as", "次の保存先と同じ世代と鍵:";
    kind_own => "A repository of its own", "独立したリポジトリー";
    what_opens => "What opens it", "開くための鍵";
    what_opens_hint => "Without a choice, a new repository gets a key file of its own in the settings folder. A repository that is \
        there already needs what opens it. A password is kept in a file for you only.",
        "何も指定しなければ、新しいリポジトリーには設定フォルダーに鍵ファイルを作ります。すでにあるリポジトリーには、それを開く\
        ものが必要です。パスワードは自分だけが読めるファイルに保存します。";
    key_file => "Key file", "鍵ファイル";
    repository_password => "Password of the repository", "リポジトリーのパスワード";
    add_it => "Add", "追加";
    place_vacant => "It can be reached and written to; a new repository will be made there.", "接続して書き込めます。新しいリポジトリーを作成します。";
    place_for_replica => "It can be reached and written to; a replica will be made there.", "接続して書き込めます。複製を作成します。";
    place_has_repository => "It can be reached, and there is a repository.", "接続でき、リポジトリーがあります。";
    sets_save_here => "Sets save here; change them first:", "ここに保存するセットがあります。先に変更してください:";

    // Machines.
    machines_hint => "Every machine that saves into these repositories, by what it saves. One that never completed a backup is not seen.",
        "これらのリポジトリーに保存しているコンピューターを、対象ごとに表示します。一度も完了していないものは表示されません。";
    no_machines => "No machine has saved anything yet.", "まだどのコンピューターも保存していません。";
    machine => "Machine", "コンピューター";
    newest_snapshot => "Newest snapshot", "最新の世代";
    last_complete => "Last complete", "最後の完全な世代";
    snapshots => "Snapshots", "世代数";

    // Settings.
    repository_keys => "Keys and recovery", "鍵と復旧";
    keys_what => "What opens each repository; check your recovery phrase", "リポジトリーを開くもの。復旧フレーズの確認";
    logs => "Log", "ログ";
    logs_what => "What commands and jobs did; support bundle", "コマンドとジョブの記録、サポート用ファイル";
    about => "About and licences", "このプログラムとライセンス";
    about_what => "Version, and what it is built from", "バージョンと使用しているパッケージ";
    test_messages => "Test notifications", "通知の確認";
    test_messages_what => "Sends a test message through every channel that is set up above.", "上で設定したすべての送信先に、確認のメッセージを送ります。";
    send_test => "Send a test", "テストを送信";
    change_password => "Change the console's password", "コンソールのパスワードを変更";
    current_password => "Current password", "現在のパスワード";
    new_password => "New password", "新しいパスワード";
    tokens => "Tokens for programs", "プログラム用トークン";
    tokens_what => "A program sends one as 'Authorization: Bearer TOKEN' to /api/ and /metrics. It is shown once, and kept as a hash.",
        "プログラムは 'Authorization: Bearer トークン' を付けて /api/ と /metrics を使えます。表示は 1 回だけで、保存するのはハッシュです。";
    token_once => "Copy it now; it is not shown again.", "今すぐ控えてください。二度と表示しません。";
    token_name => "What it is for", "用途の名前";
    token_rights => "May", "できること";
    token_reads => "read", "読み取り";
    token_changes => "read, start and stop", "読み取り、開始、停止";
    token_may_change => "It may start, stop and pause runs, too", "実行の開始、停止、休止も許す";
    make_token => "Make a token", "トークンを作成";
    revoke => "Revoke", "取り消す";

    // Keys.
    key_label => "Made on", "作成したコンピューター";
    opened_now => "(opens it here)", "(ここで使用中)";
    phrase_title => "Recovery phrase", "復旧フレーズ";
    phrase_once => "Write these words down in this order and keep them away from this computer. They open the repository when all else \
        is lost, and are not shown again. Then type them back below.",
        "この順に書き写し、このコンピューターとは別の場所に保管してください。ほかのすべてを失ってもリポジトリーを開けます。二度と\
        表示しません。書き写したら、下に入力して確かめてください。";
    type_phrase_back => "Type the recovery phrase back", "復旧フレーズを入力";
    type_phrase_why => "It is tried, and not kept.", "開けるかどうかだけを確かめ、保存しません。";
    check_phrase => "Check it", "確かめる";
    no_phrase_yet => "There is no recovery phrase: if the key file or password is lost, so are the backups.",
        "復旧フレーズがありません。鍵ファイルやパスワードを失うと、バックアップも失われます。";
    make_phrase => "Make a recovery phrase", "復旧フレーズを作成";
    make_another_phrase => "Make another recovery phrase", "復旧フレーズをもう 1 つ作成";
    phrase_right => "The phrase is right: it opens the repository.", "正しいフレーズです。リポジトリーを開けます。";
    phrase_wrong => "These words do not open the repository. Compare them with what you wrote down.",
        "このフレーズではリポジトリーを開けません。書き写したものと比べてください。";

    // Log and about.
    log_level => "Level", "レベル";
    support_bundle => "Download support bundle", "サポート用ファイルをダウンロード";
    bundle_what => "The bundle holds the log, settings and history without secrets, for somebody who helps you.",
        "サポート用ファイルには、秘密を除いたログ、設定、履歴が入ります。";
    log_files => "Log files:", "ログファイル:";
    no_log_lines => "Nothing was logged at this level.", "このレベルの記録はありません。";
    licence => "Licence", "ライセンス";
    built_from => "It is built from these packages", "使用しているパッケージ";
}

/// What is in the sources: `60,573 files, 3.5 GiB`.
pub fn in_sources(lang: Lang, files: u64, size: &str) -> String {
    let files = count(lang, files, Noun::File);
    say!(lang, "{files}, {size}", "{files}、{size}")
}

pub fn files_left_out(lang: Lang, files: u64) -> String {
    count(lang, files, Noun::File)
}

pub fn source_missing(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} is not there now; if its disk is unplugged, that is fine.",
        "{path} は今ありません。ディスクを外しているだけなら問題ありません。"
    )
}

pub fn unreadable_folders(lang: Lang, folders: u64) -> String {
    let folders = count(lang, folders, Noun::Folder);
    say!(
        lang,
        "{folders} could not be looked into.",
        "{folders}を調べられませんでした。"
    )
}

pub fn look_stopped(lang: Lang, seconds: u64) -> String {
    say!(
        lang,
        "There is more: counting stopped after {seconds} s.",
        "ほかにもあります。{seconds} 秒で数えるのをやめました。"
    )
}

/// A rule that is no pattern of the user's.
pub fn exclude_rule(lang: Lang, rule: &ExcludeRule) -> &'static str {
    match rule {
        ExcludeRule::Extensions => lang.pick("file name extensions", "拡張子"),
        ExcludeRule::Hidden => lang.pick("hidden files", "隠しファイル"),
        ExcludeRule::Standard | ExcludeRule::Pattern(_) => lang.pick(
            "caches, trash and temporary files",
            "キャッシュ、ごみ箱、一時ファイル",
        ),
    }
}

/// How many snapshots a policy leaves.
pub fn would_stay(lang: Lang, stay: u64, all: u64) -> String {
    let of = count(lang, all, Noun::Snapshot);
    say!(lang, "{stay} of {of} stay", "{of}のうち {stay} 個が残ります")
}

/// Below the line of ages.
pub fn age_tick(lang: Lang, days: u64) -> String {
    match days {
        0..30 => say!(lang, "{days} d", "{days} 日"),
        30..365 => {
            let months = days / 30;
            say!(lang, "{months} mo", "{months} か月")
        }
        _ => {
            let years = days / 365;
            say!(lang, "{years} y", "{years} 年")
        }
    }
}

/// `Check: main`.
pub fn upkeep_title(lang: Lang, what: &str, remote: &str) -> String {
    say!(lang, "{what}: {remote}", "{what}: {remote}")
}

pub fn answered(lang: Lang, name: &str, used: &str) -> String {
    say!(
        lang,
        "{name} answered; {used} are used there.",
        "{name} に接続できました。使用量は {used} です。"
    )
}

/// What is lost when a destination is taken out of the settings.
pub fn removing_destination(lang: Lang, name: &str, place: &str, is_last: bool) -> Vec<String> {
    let mut lines = vec![say!(
        lang,
        "'{name}' is taken out of the settings. What is stored at {place} stays there, and can be opened again with the same key or \
         password.",
        "「{name}」を設定から外します。{place} に保存されたものはそのまま残り、同じ鍵やパスワードでまた開けます。"
    )];
    if is_last {
        lines.push(say!(
            lang,
            "It is the only destination: nothing can be backed up or restored here until another one is added.",
            "唯一の保存先です。ほかの保存先を追加するまで、バックアップも復元もできません。"
        ));
    }
    lines
}

pub fn test_sent(lang: Lang, channel: &str) -> String {
    say!(lang, "{channel}: sent", "{channel}: 送信しました")
}

pub fn test_failed(lang: Lang, channel: &str, why: &str) -> String {
    say!(lang, "{channel}: {why}", "{channel}: {why}")
}

/// Printed by the command.
pub fn token_revoked(lang: Lang, name: &str) -> String {
    say!(
        lang,
        "Token '{name}' is revoked",
        "トークン「{name}」を取り消しました"
    )
}

/// What a key is, from the word for its kind.
pub fn key_kind(lang: Lang, word: &str) -> &'static str {
    let (en, ja) = match word {
        "password" => ("password", "パスワード"),
        "key file" | "key-file" => ("key file", "鍵ファイル"),
        "recovery" => ("recovery phrase", "復旧フレーズ"),
        _ => ("damaged", "破損"),
    };
    lang.pick(en, ja)
}

/// A table of the settings.
pub fn settings_title(lang: Lang, table: &str) -> &'static str {
    let (en, ja) = match table {
        "limits" => ("Limits", "制限"),
        "notify" => ("Notifications", "通知"),
        "mail" => ("Notifications by mail", "メールでの通知"),
        "webhook" => ("Notifications to a web hook", "Webhook への通知"),
        "ping" => ("Ping of a watching service", "監視サービスへの ping"),
        "prometheus" => ("Prometheus textfile", "Prometheus のテキストファイル"),
        _ => ("Console", "コンソール"),
    };
    lang.pick(en, ja)
}

/// A key of the settings, beside its field.
pub fn setting_label(lang: Lang, table: &str, key: &str) -> &'static str {
    let (en, ja) = match (table, key) {
        ("limits", key) => limit_label(key),
        ("notify", "on") => ("Which runs send a message", "どの実行で通知するか"),
        ("notify", "overdue-after") => (
            "Warn when the last backup is older than (3d)",
            "最後のバックアップがこれより古ければ警告 (3d)",
        ),
        ("notify", "overdue-again") => ("Warn once more after (7d)", "もう一度警告するまで (7d)"),
        ("notify", "monthly-usage") => ("Report storage usage each month", "毎月、使用量を知らせる"),
        ("mail", "server") => ("SMTP server", "SMTP サーバー"),
        ("mail", "port") => ("Port (587)", "ポート (587)"),
        ("mail", "tls") => ("How the connection is secured", "接続の保護"),
        ("mail", "user") => ("User name", "ユーザー名"),
        ("mail", "password-file") => ("File with the password", "パスワードのファイル"),
        ("mail", "from") => ("Sender address", "差出人"),
        ("mail", "to") => ("Recipients, with commas between", "宛先 (コンマ区切り)"),
        ("webhook", "preset") => ("What the receiver understands", "受け取る側の形式"),
        ("ping", "url") => (
            "URL; {set} stands for the set",
            "URL ({set} はセットの名前になります)",
        ),
        ("prometheus", _) => ("File", "ファイル"),
        ("console", "lang") => (
            "Language of notifications and of this console",
            "通知とコンソールの言語",
        ),
        ("console", key) => console_label(key),
        _ => ("URL", "アドレス (URL)"),
    };
    lang.pick(en, ja)
}

fn console_label(key: &str) -> (&'static str, &'static str) {
    match key {
        "allowed-hosts" => (
            "Names by which it may be called, with commas between (after a restart)",
            "呼び出しに使える名前 (コンマ区切り、再起動後)",
        ),
        "tls-certificate" => (
            "File with the TLS certificate (after a restart)",
            "TLS 証明書のファイル (再起動後)",
        ),
        "tls-key" => ("File with the certificate's key", "証明書の秘密鍵のファイル"),
        _ => (
            "Address to listen on (after a restart)",
            "待ち受けるアドレス (再起動後)",
        ),
    }
}

fn limit_label(key: &str) -> (&'static str, &'static str) {
    match key {
        "upload" => (
            "Upload rate (10M, unlimited, or 08:00=1M,18:00=unlimited)",
            "アップロードの速度 (10M、unlimited、08:00=1M,18:00=unlimited など)",
        ),
        "download" => ("Download rate", "ダウンロードの速度"),
        "upload-idle" => (
            "Upload rate while nobody uses the machine",
            "誰も使っていないときのアップロードの速度",
        ),
        "download-idle" => (
            "Download rate while nobody uses the machine",
            "誰も使っていないときのダウンロードの速度",
        ),
        "upload-lan" => ("Upload rate in the local network", "LAN でのアップロードの速度"),
        "download-lan" => ("Download rate in the local network", "LAN でのダウンロードの速度"),
        "upload-lan-idle" => (
            "Upload rate in the local network while nobody uses the machine",
            "誰も使っていないときの LAN でのアップロードの速度",
        ),
        "download-lan-idle" => (
            "Download rate in the local network while nobody uses the machine",
            "誰も使っていないときの LAN でのダウンロードの速度",
        ),
        "cpu-active" => (
            "Processors in use while somebody works, %",
            "作業中に使う CPU (%)",
        ),
        "cpu-idle" => (
            "Processors in use while nobody works, %",
            "誰も使っていないときに使う CPU (%)",
        ),
        "battery-min" => (
            "Do not run if the battery is below, %",
            "電池の残量がこれ未満なら実行しない (%)",
        ),
        "skip-wifi" => (
            "Do not run in these wireless networks",
            "次の Wi-Fi では実行しない",
        ),
        "skip-interfaces" => (
            "Do not run over these interfaces",
            "次のインターフェースでは実行しない",
        ),
        "skip-metered" => (
            "Do not run while the network is metered",
            "従量制の接続では実行しない",
        ),
        _ => ("HTTP proxy", "HTTP プロキシ"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        assert_eq!(age_tick(Lang::En, 7), "7 d");
        assert_eq!(age_tick(Lang::Ja, 90), "3 か月");
        assert_eq!(age_tick(Lang::En, 1095), "3 y");
    }
}
