//! Texts of the console without values: headings, buttons, and what is always said in the same words.

use crate::catalogue::Lang;

/// Texts without values, in one language.
#[derive(Clone, Copy, Debug)]
pub struct Labels(pub Lang);

labels! {
    // Every page.
    home => "Home", "ホーム";
    restore => "Restore", "復元";
    history => "History", "履歴";
    sets => "Sets", "セット";
    skip_to_content => "Skip to content", "本文へ移動";
    main_menu => "Main menu", "メインメニュー";
    log_out => "Log out", "ログアウト";
    other_language => "日本語", "English";
    switch_theme => "Switch between light and dark", "明るい表示と暗い表示を切り替える";
    pause => "Pause", "休止";
    pause_what => "Nothing runs by itself meanwhile", "その間は自動で実行しません";
    for_one_hour => "1 hour", "1 時間";
    for_four_hours => "4 hours", "4 時間";
    for_one_day => "1 day", "1 日";
    resume => "Resume", "再開";
    copy => "Copy", "コピー";
    copied => "Copied", "コピーしました";
    back => "Back", "戻る";
    close => "Close", "閉じる";
    keys => "Keyboard", "キーボード";
    key_help => "Show these keys", "このキー一覧を表示";
    key_home => "Go to Home", "ホームへ";
    key_restore => "Go to Restore", "復元へ";
    key_history => "Go to History", "履歴へ";
    key_sets => "Go to Sets", "セットへ";
    key_search => "Search files", "ファイルを検索";
    disconnected => "The console does not answer. It may have been stopped; this page continues when it is back.",
        "コンソールが応答しません。停止している可能性があります。再び動き出すと、このページも更新されます。";

    // Logging in.
    log_in => "Log in", "ログイン";
    password => "Password", "パスワード";
    password_again => "Repeat the password", "パスワードをもう一度";
    choose_password => "Choose a password", "パスワードを決める";
    choose_password_why => "It protects this page, so that other users and programs of this computer can't read your \
        backups through it. It is not the password of your repository.",
        "このページを守るためのパスワードです。このコンピューターのほかの利用者やプログラムが、ここからバックアップを\
        読めないようにします。リポジトリーのパスワードとは別のものです。";
    set_password => "Set password", "パスワードを設定";
    link_code => "Code from the link", "リンクのコード";
    link_code_hint => "It is filled in if you opened the link that 'dedup console' printed.",
        "'dedup console' が表示したリンクを開くと自動で入力されます。";
    password_rule => "At least 8 characters", "8 文字以上";
    password_wrong => "The password is wrong.", "パスワードが違います。";
    passwords_differ => "The two passwords differ.", "2 つのパスワードが一致しません。";
    password_short => "The password must have at least 8 characters.", "パスワードは 8 文字以上にしてください。";
    password_long => "The password is too long.", "パスワードが長すぎます。";
    link_used => "This link has been used, or is older than 15 minutes. Start 'dedup console' again, or run \
        'dedup console --reset-password', for a new one.",
        "このリンクは使用済みか、15 分を過ぎています。'dedup console' を起動し直すか、\
        'dedup console --reset-password' で新しいリンクを出してください。";
    no_password_yet => "No password has been set yet. Open the link that 'dedup console' printed in the terminal.",
        "パスワードがまだ設定されていません。'dedup console' が端末に表示したリンクを開いてください。";
    forgotten => "Forgotten? 'dedup console --reset-password' prints a new link.",
        "忘れたときは 'dedup console --reset-password' で新しいリンクを出せます。";

    // Home.
    set => "Set", "セット";
    destination => "Destination", "保存先";
    state => "State", "状態";
    last_backup => "Last backup", "最後のバックアップ";
    next_run => "Next run", "次の実行";
    days_30 => "30 days", "30 日間";
    back_up_now => "Back up now", "今すぐバックアップ";
    stop => "Stop", "停止";
    stopping => "Stopping…", "停止しています…";
    starting => "Starting…", "開始しています…";
    latest_events => "Latest events", "最近の出来事";
    all_events => "All events", "すべての出来事";
    no_events => "Nothing has happened yet.", "まだ何も起きていません。";
    all_well => "Everything is backed up.", "すべてバックアップ済みです。";
    running_now => "Backing up now.", "バックアップ中です。";
    first_backup => "Waiting for the first backup.", "最初のバックアップを待っています。";
    could_not_run => "A backup could not run.", "バックアップを実行できませんでした。";
    attention => "A backup needs attention.", "バックアップに問題があります。";
    never => "never", "なし";
    by_hand => "when you start it", "手動のみ";
    no_set_title => "No set yet. What should be backed up?", "セットがまだありません。何をバックアップしますか？";
    no_set_text => "A set says which folders are backed up, where to and when. Add one to your settings file; this page \
        follows by itself. For example:",
        "セットには、どのフォルダーを、どこへ、いつバックアップするかを書きます。設定ファイルに追加すると、このページも自動で\
        変わります。例:";
    settings_file => "Settings file", "設定ファイル";
    show_job => "Details", "詳しく";
    try_again => "Try again", "もう一度実行";
    started_elsewhere => "started by a command; its progress is shown where it was started",
        "コマンドから開始されました。進み具合はそちらに表示されます";

    // The cells of the strip.
    cell_ok => "completed", "完了";
    cell_problems => "completed with problems", "問題ありで完了";
    cell_failed => "failed", "失敗";
    cell_skipped => "did not run", "未実行";
    cell_missed => "was due, and nothing ran", "予定時刻に実行されず";
    cell_quiet => "nothing was due", "予定なし";

    // History.
    all_kinds => "All kinds", "すべての種類";
    all_sets => "All sets", "すべてのセット";
    all_statuses => "All states", "すべての状態";
    filter => "Filter", "絞り込み";
    kind => "Kind", "種類";
    what => "What", "対象";
    start => "Start", "開始";
    took => "Took", "時間";
    files => "Files", "ファイル";
    size => "Size", "大きさ";
    no_jobs => "No job matches.", "該当するジョブはありません。";
    no_jobs_yet => "Backups, restores and deletions appear here, and runs that were skipped with the reason.",
        "バックアップ、復元、削除と、実行されなかったものがその理由とともにここに並びます。";
    newer => "Newer", "新しい方へ";
    older => "Older", "古い方へ";
    run_again => "Run again", "もう一度実行";
    problems => "Problems", "問題";
    file_list => "Files of this backup", "このバックアップのファイル";
    all_changes => "All changes", "すべての変更";
    path => "Path", "パス";
    no_files => "No file matches.", "該当するファイルはありません。";
    browse_this => "Browse this snapshot", "この世代を開く";
    show_files => "Show files", "ファイルを表示";

    // Restore.
    repository => "Repository", "リポジトリー";
    open => "Open", "開く";
    previous_month => "Previous month", "前の月";
    next_month => "Next month", "次の月";
    no_snapshots => "There are no snapshots yet. After the first backup, every file in it can be restored from here.",
        "世代はまだありません。最初のバックアップのあとは、ここからどのファイルでも復元できます。";
    snapshots_of_day => "Snapshots of this day", "この日の世代";
    folders => "Folders", "フォルダー";
    name => "Name", "名前";
    changed => "Changed", "更新日時";
    up => "Up", "上へ";
    empty_folder => "This folder is empty.", "このフォルダーは空です。";
    select => "Select", "選択";
    download => "Download", "ダウンロード";
    download_tar => "Download as tar", "tar でダウンロード";
    add_to_basket => "Add to basket", "バスケットに入れる";
    basket => "Basket", "バスケット";
    basket_empty => "Select files and folders on the left; they stay here while you look at other days.",
        "ファイルやフォルダーを選んでください。ほかの日を見ても、ここに残ります。";
    basket_full => "The basket is full. Restore what is in it first, or select whole folders.",
        "バスケットがいっぱいです。先に復元するか、フォルダーごと選んでください。";
    remove => "Remove", "取り除く";
    empty_basket => "Empty the basket", "空にする";
    restore_these => "Restore these…", "復元する…";
    restore_title => "Restore", "復元";
    where_to => "Where to", "復元先";
    target_original => "To where they were", "元の場所";
    target_other => "To another folder", "別のフォルダー";
    folder => "Folder", "フォルダー";
    if_exists => "If a file is already there", "同じ名前のファイルがあるとき";
    rule_rename => "Keep it, and restore the saved one beside it under another name (nothing is lost)",
        "残して、保存したものを別の名前で復元する (何も失われません)";
    rule_never => "Keep it, and leave the saved one out", "残して、保存したものは復元しない";
    rule_newer => "Replace it if the saved one was changed later", "保存したものの方が新しければ置き換える";
    rule_changed => "Replace it if size or time differ", "大きさか日時が違えば置き換える";
    rule_always => "Replace it", "置き換える";
    permissions => "Permissions", "権限";
    permissions_original => "As they were saved", "保存したときのまま";
    permissions_current => "As for new files here", "新しいファイルと同じ";
    look_first => "See what would happen", "何が起きるか確認";
    restore_now => "Restore now", "今すぐ復元";
    nothing_written_yet => "Nothing has been written yet.", "まだ何も書き込んでいません。";
    restoring => "Restoring", "復元中";
    restore_done => "Restore finished", "復元が終わりました";
    search_label => "Search files in all backups", "すべてのバックアップからファイルを検索";
    search => "Search", "検索";
    search_results => "Search results", "検索結果";
    search_hint => "Part of a name, or a pattern such as *.odt", "名前の一部、または *.odt のようなパターン";
    nothing_found => "No file of this name is in any snapshot.", "この名前のファイルはどの世代にもありません。";
    more_found => "There are more matches than are shown; write more of the name.",
        "表示しきれないほど見つかりました。名前をもう少し詳しく書いてください。";
    versions => "Versions", "版";

    // Sets.
    sources => "Sources", "対象";
    excludes => "Excluded", "除外";
    nothing_excluded => "nothing", "なし";
    hidden_left_out => "Hidden files are left out.", "隠しファイルは含みません。";
    schedule => "Schedule", "スケジュール";
    next_ten => "The next ten runs", "次の 10 回";
    no_runs => "None: it runs only when you start it.", "ありません。手動で開始したときだけ実行します。";
    destinations => "Destinations", "保存先";
    tags => "Tags", "タグ";
    priority => "Priority", "優先度";
    commands => "Commands", "コマンド";
    edit_in_file => "Sets stand in the settings file; if it is changed there or by a command, this page follows by itself.",
        "セットは設定ファイルにあります。ファイルやコマンドで変更すると、このページも自動で変わります。";

    // What goes wrong.
    error_title => "Something went wrong", "うまくいきませんでした";
    not_found => "There is no such page", "そのページはありません";
    not_found_text => "The address is wrong, or what it showed is gone.", "アドレスが違うか、表示していたものがなくなりました。";
    refused => "This request was refused", "この要求は拒否されました";
    refused_text => "It did not come from a page of this console, or the page was too old. Reload the page and try again.",
        "このコンソールのページから送られたものでないか、ページが古くなっています。読み込み直して、もう一度試してください。";
}
