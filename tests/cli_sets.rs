//! The settings of sets as somebody changes them: by command, in an editor, in profiles; their retention and the
//! maintenance of their destinations; commands as sources; and the guided start.

mod kept;
mod setup;

use kit::program::{Home, Run, string};
use serde_json::Value;
use std::fs;

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    for name in ["letter", "photo.iso", ".hidden"] {
        home.write(format!("docs/{name}").as_str(), name);
    }
    home
}

fn file(home: &Home) -> String {
    fs::read_to_string(home.path(SETTINGS)).unwrap()
}

const SETTINGS: &str = ".config/dedup/dedup.toml";

/// `[remotes.main]` is the embedded repository.
fn settings(home: &Home, more: &str) -> String {
    let (repo, key) = (
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key"),
    );
    let text = format!("# mine\n[remotes.main] # first\nurl = '{repo}'\nkey-file = '{key}'\n{more}");
    home.write(SETTINGS, &text);
    text
}

/// What a run in JSON says of its set.
fn report(run: &Run) -> Value {
    let mut rows = run.objects().into_iter();
    rows.find(|row| row["message_type"] == "set").unwrap()
}

/// The rows of the history of one kind, newest first.
fn history(home: &Home, kind: &str) -> Vec<Value> {
    let mut rows = home.ok(&["history", "--json", "--kind", kind]).objects();
    rows.pop();
    rows
}

#[test]
fn sets_are_added_changed_and_removed() {
    let home = home();
    home.ends(2, &["set", "add", "docs", "docs"])
        .says(&["no remote yet", "remote add"]);
    let before = settings(&home, "");
    let shown = home.ok(&[
        "set",
        "add",
        "docs",
        "docs",
        "--schedule",
        "daily 12:30",
        "--dry-run",
    ]);
    assert!(
        shown.out.contains("+[sets.docs]\n") && shown.out.contains("+schedule = \"daily 12:30\"\n"),
        "{}",
        shown.out
    );
    assert_eq!(file(&home), before, "a dry run");
    let added = home.ok(&[
        "set",
        "add",
        "docs",
        "docs",
        "--schedule",
        "daily 12:30",
        "-e",
        "*.tmp",
        "-e",
        "!keep.tmp",
        "--exclude-extension",
        "iso,img",
        "--priority",
        "-3",
        "--tag",
        "office",
        "--no-hidden",
    ]);
    assert!(added.out.contains("Added set 'docs'"), "{}", added.out);
    let text = file(&home);
    let table = format!(
        "\n[sets.docs]\nsources = [\"{}\"]\ndestinations = [\"main\"]\nexclude = [\"*.tmp\", \"!keep.tmp\"]\n\
         exclude-extensions = [\"iso\", \"img\"]\ntags = [\"office\"]\nhidden = false\npriority = -3\n\
         schedule = \"daily 12:30\"\n",
        home.text("docs")
    );
    assert!(text.starts_with(&before) && text.contains(&table), "{text}");
    let run = home.ok(&["run", "docs", "--json"]);
    let id = string(&report(&run)["backup"], "snapshot_id");
    let files = home.ok(&["ls", &id]).out;
    assert!(
        files.contains("letter") && !files.contains("photo.iso") && !files.contains(".hidden"),
        "{files}"
    );
    let snapshots = home.ok(&["snapshots", "--json"]).objects();
    assert_eq!(
        (&snapshots[0]["set"], &snapshots[0]["tags"][0]),
        (&"docs".into(), &"office".into())
    );

    let commented = text.replace("priority = -3", "priority = -3 # low");
    home.write(SETTINGS, &commented);
    home.ok(&[
        "set",
        "edit",
        "docs",
        "--priority",
        "7",
        "--exclude",
        "",
        "--hidden",
        "--schedule",
        "manual",
    ]);
    let text = file(&home);
    assert!(
        text.contains("priority = 7 # low\n") && text.contains("hidden = true\n"),
        "{text}"
    );
    assert!(
        !text.contains("exclude = ") && text.contains("schedule = \"manual\"") && text.starts_with(&before),
        "{text}"
    );
    assert!(
        home.ok(&["set", "edit", "docs", "--priority", "7"])
            .out
            .contains("Nothing was changed")
    );

    let shown = home.ok(&["set", "remove", "docs", "-n"]);
    assert!(shown.out.contains("-[sets.docs]") && file(&home) == text);
    let removed = home.ok(&["set", "remove", "docs"]);
    assert!(removed.out.contains("snapshots stay"), "{}", removed.out);
    assert_eq!(file(&home), before);
    assert_eq!(home.snapshots().len(), 1);
}

/// Nothing of it reaches the file.
#[test]
fn bad_changes_are_refused() {
    let home = home();
    let more = "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n";
    let before = settings(&home, more);
    let rows: [(&[&str], &[&str]); 11] = [
        (&["add", "docs", "docs"], &["already a set 'docs'", "set edit"]),
        (&["add", "a/b", "docs"], &["can't be a name"]),
        (&["add", "..", "docs"], &["can't be a name"]),
        (&["add", "new"], &["at least one source"]),
        (
            &["add", "new", "docs", "--destination", "mian"],
            &["did you mean 'main'?"],
        ),
        (
            &["add", "new", "docs", "--schedule", "sometimes"],
            &["'schedule'"],
        ),
        (&["edit", "docs", "--priority", "high"], &["'priority'"]),
        (&["edit", "docs", "--run-timeout", "0s"], &["'run-timeout'"]),
        (
            &["edit", "dosc", "--priority", "1"],
            &["no set is called 'dosc'", "did you mean 'docs'?"],
        ),
        (&["remove", "dosc"], &["no set is called 'dosc'"]),
        (&["edit", "docs"], &["not a terminal"]),
    ];
    for (args, words) in rows {
        home.ends(2, &[&["set"], args].concat()).says(words);
        assert_eq!(file(&home), before, "{args:?}");
    }
    home.ok(&["set", "add", "later", "no-such-dir"])
        .says(&["does not exist at the moment"]);
    let again = home.ends(2, &["set", "add", "later", "no-such-dir"]);
    assert!(!again.err.contains("does not exist"), "{}", again.err);
    // A file that is not valid is not changed by command either.
    let broken = format!("{before}[sets.docs\n");
    home.write(SETTINGS, &broken);
    home.ends(2, &["set", "edit", "docs", "--priority", "1"])
        .says(&["dedup.toml:8:"]);
    assert_eq!(file(&home), broken);
}

#[test]
fn a_removal_is_asked_for_on_a_terminal() {
    let home = home();
    let before = settings(
        &home,
        "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n",
    );
    let run = home.on_terminal(&[], &["set", "remove", "docs"], &[("Remove set 'docs'", "n")]);
    assert!(run.code == 2 && file(&home) == before, "{}", run.out);
    let run = home.on_terminal(&[], &["set", "remove", "docs"], &[("Remove set 'docs'", "y")]);
    assert!(run.code == 0 && !file(&home).contains("sets"), "{}", run.out);
}

/// What is edited replaces the file only when it is valid.
#[test]
fn the_file_in_an_editor() {
    let home = home();
    let before = settings(&home, "");
    home.ends(2, &["config", "edit"]).says(&["not a terminal"]);
    let append = |home: &Home, lines: &str| {
        let script = format!("#!/bin/sh\nprintf '%b' '{lines}' >> \"$1\"\n");
        let path = home.write("editor", script);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&path, mode).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let editor = append(&home, "[sets.a]\\nsorces = []\\n");
    let vars = [("VISUAL", editor.as_str())];
    let run = home.on_terminal(&vars, &["config", "edit"], &[("sorces(?s:.*)Edit it again", "n")]);
    assert!(
        run.code == 2 && run.out.contains("nothing was changed"),
        "{}",
        run.out
    );
    assert_eq!(file(&home), before);
    let editor = append(&home, "[limits]\\nupload = \"1M\"\\n");
    let run = home.on_terminal(&[("EDITOR", editor.as_str())], &["config", "edit"], &[]);
    assert!(run.code == 0 && run.out.contains("was changed"), "{}", run.out);
    assert_eq!(file(&home), format!("{before}[limits]\nupload = \"1M\"\n"));
    for editor in ["false", "/no/such/editor"] {
        let run = home.on_terminal(&[("VISUAL", editor)], &["config", "edit"], &[]);
        assert!(run.code == 1 && run.out.contains("the editor"), "{}", run.out);
    }
    let run = home.on_terminal(&[("VISUAL", "true")], &["config", "edit"], &[]);
    assert!(
        run.code == 0 && run.out.contains("Nothing was changed"),
        "{}",
        run.out
    );
    // Every other command refuses a broken file; this one repairs it.
    home.write(SETTINGS, "[limits\n");
    home.ends(2, &["snapshots"]);
    let script = "#!/bin/sh\necho '[limits]' > \"$1\"\n";
    home.write("editor", script);
    let run = home.on_terminal(
        &[("VISUAL", editor_path(&home).as_str())],
        &["config", "edit"],
        &[],
    );
    assert!(run.code == 0 && file(&home) == "[limits]\n", "{}", run.out);
}

fn editor_path(home: &Home) -> String {
    home.text("editor")
}

#[test]
fn profiles() {
    let home = home();
    settings(
        &home,
        "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n",
    );
    let other =
        "[remotes.other]\nurl = '~/other'\n[sets.work]\nsources = ['~/docs']\ndestinations = ['other']\n";
    home.write(".config/dedup/work.toml", other);
    let sets = |run: &Run| -> Vec<Value> {
        let rows = run.objects().into_iter();
        rows.filter(|row| row["message_type"] == "set")
            .map(|row| row["name"].clone())
            .collect()
    };
    assert_eq!(sets(&home.ok(&["set", "list", "--json"])), ["docs"]);
    assert_eq!(sets(&home.ok(&["-P", "work", "set", "list", "--json"])), ["work"]);
    let by_variable = [("DEDUP_PROFILE", "work")];
    assert_eq!(
        sets(&home.run_with(&by_variable, &["set", "list", "--json"])),
        ["work"]
    );
    assert_eq!(
        sets(&home.run_with(&by_variable, &["-P", "", "set", "list", "--json"])),
        ["docs"]
    );
    home.ends(2, &["-P", "wrok", "set", "list"])
        .says(&["no such profile", "wrok.toml"]);
    for bad in ["../work", "a b", "/x"] {
        home.ends(2, &["-P", bad, "set", "list"])
            .says(&["--profile", "can't be a name"]);
    }
    home.ok(&["-P", "work", "set", "edit", "work", "--priority", "2"]);
    let text = fs::read_to_string(home.path(".config/dedup/work.toml")).unwrap();
    assert!(text.contains("priority = 2") && !file(&home).contains("priority"));
    home.ok(&["-P", "work", "config", "check"]);
}

/// A run has read its settings when it begins.
#[test]
fn settings_that_are_changed_during_a_run() {
    let home = home();
    let broken = home.text(SETTINGS);
    let more = format!(
        "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nrun-before = \"echo '[sets' > {broken}\"\n"
    );
    settings(&home, &more);
    home.ok(&["run", "docs"]);
    home.ends(2, &["run", "docs"]).says(&["dedup.toml:1:"]);
    let text = settings(&home, "");
    assert!(!text.contains("sets"));
    home.ends(2, &["run", "docs"]).says(&["no set is called 'docs'"]);
    assert_eq!(home.snapshots().len(), 1);
}

#[test]
fn standard_excludes() {
    let home = home();
    for path in [
        "docs/.cache/x",
        "docs/.local/share/Trash/files/x",
        "docs/__pycache__/x",
        "docs/cached/x",
    ] {
        home.write(path, "x");
    }
    home.write(
        "docs/cached/CACHEDIR.TAG",
        "Signature: 8a477f597d28d172789f06886806bc55\n",
    );
    let more =
        "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nexclude = ['!.local/share/Trash/*']\n";
    settings(&home, more);
    let listed = |args: &[&str]| {
        home.ok(args);
        let out = home.ok(&["ls", "latest"]).out;
        [".cache/x", "Trash/files/x", "__pycache__/x", "cached/x", "letter"].map(|name| out.contains(name))
    };
    assert_eq!(listed(&["run", "docs"]), [false, true, false, false, true]);
    assert_eq!(listed(&["backup", "docs"]), [true; 5]);
    assert_eq!(
        listed(&["backup", "docs", "--standard-excludes"]),
        [false, false, false, false, true]
    );
    home.ok(&["set", "edit", "docs", "--no-standard-excludes", "--exclude", ""]);
    assert_eq!(listed(&["run", "docs"]), [true; 5]);
    // What is named is wanted.
    assert_eq!(
        listed(&["backup", "docs/.cache", "--standard-excludes"]),
        [true, false, false, false, false]
    );
    assert!(home.ok(&["help", "excludes"]).out.contains("__pycache__/"));
}

/// A dump is a file of the snapshot; one that fails has no content there, and the rest is saved.
#[test]
fn commands_as_sources() {
    let home = home();
    let more = "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nrun-timeout = '20s'\n\
        [sets.docs.commands]\ndb = 'seq 1 300000; test -z \"$DEDUP_PASSWORD\"'\nbad = 'echo half; exit 3'\n";
    settings(&home, more);
    let run = home.run_with(&[("DEDUP_PASSWORD", "")], &["run", "docs"]).ends(3);
    assert!(
        run.err.contains("command 'bad' failed: exit status: 3"),
        "{}",
        run.err
    );
    let dump = home.ok(&["dump", "latest", "/commands/db"]).out;
    let want: String = (1..=300_000).map(|n| format!("{n}\n")).collect();
    assert!(dump == want, "{} bytes", dump.len());
    let files = home.ok(&["ls", "latest"]).out;
    assert!(
        files.contains("/docs/letter") && files.contains("/commands\n"),
        "{files}"
    );
    assert!(
        !home
            .run(&["dump", "latest", "/commands/bad"])
            .out
            .contains("half")
    );
    let row = &history(&home, "backup")[0];
    assert_eq!(row["status"], "incomplete");
    assert!(string(row, "message").contains("'bad'"), "{row}");

    // It works again: the same bytes add nothing, and what is not changed is not read again.
    let text = file(&home).replace("exit 3", "true");
    home.write(SETTINGS, &text);
    let run = home.ok(&["run", "docs", "--json"]);
    let report = report(&run);
    let backup = &report["backup"];
    assert_eq!(
        (&backup["files_unmodified"], &backup["files_changed"]),
        (&4.into(), &1.into()),
        "{backup}"
    );
    assert_eq!(home.ok(&["dump", "latest", "/commands/bad"]).out, "half\n");
    home.ok(&["check", "--read-data"]);

    // Only commands, and nothing before or after them in the root.
    let (start, _) = text.split_once("[sets").unwrap();
    home.write(
        SETTINGS,
        format!("{start}[sets.only]\ndestinations = ['main']\n[sets.only.commands]\nx = 'echo x'\n"),
    );
    home.ok(&["run", "only"]);
    assert_eq!(home.ok(&["dump", "latest", "/commands/x"]).out, "x\n");
    home.ok(&["run", "only"]);
    let target = home.text("target");
    home.ok(&["restore", "latest", "--target", &target]);
    assert_eq!(fs::read_to_string(home.path("target/commands/x")).unwrap(), "x\n");
}

/// What the snapshot itself says it does not hold is no damage: neither `check` nor anything else calls it that.
#[test]
fn the_output_of_a_failed_command_is_no_damage() {
    let home = home();
    let more = "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\n\
        [sets.docs.commands]\nbad = 'echo half; exit 3'\nok = 'echo fine'\n";
    settings(&home, more);
    let run = home.ends(3, &["run", "docs"]);
    let lines: Vec<&str> = run.err.lines().filter(|line| line.contains("bad")).collect();
    assert!(
        lines.len() == 1 && lines[0].contains("command 'bad' failed: exit status: 3"),
        "{}",
        run.err
    );
    assert_eq!(history(&home, "backup")[0]["reason"], "unexpected error");
    let failed = home
        .ok(&["history", "latest", "--files", "--status", "failed"])
        .out;
    assert!(failed.contains("/commands/bad: the command failed"), "{failed}");
    let was_not_read = "could not be read when it was backed up";
    for args in [
        &["dump", "latest", "/commands/bad"][..],
        &["dump", "latest", "/commands/bad", "--target", "bad"],
        &["dump", "latest", "/commands", "--target", "all.tar"],
        &[
            "dump",
            "latest",
            "/commands",
            "--archive",
            "zip",
            "--target",
            "all.zip",
        ],
        &["restore", "latest", "/commands/bad", "--target", "out"],
    ] {
        let run = home.ends(3, args).says(&[was_not_read]);
        assert!(!run.err.contains("damage"), "{args:?}: {}", run.err);
    }
    let archive = fs::read(home.path("all.tar")).unwrap();
    assert!(
        archive.windows(5).any(|bytes| bytes == b"fine\n"),
        "the others are in it"
    );
    home.ok(&["check", "--read-data"]);
}

/// A command that hangs is ended with what it has started.
#[test]
fn a_command_that_hangs() {
    let home = home();
    let more = "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main']\nrun-timeout = '1s'\n\
        [sets.docs.commands]\ndb = 'echo half; sleep 1000 | cat'\n";
    settings(&home, more);
    home.ends(3, &["run", "docs"])
        .says(&["'db'", "longer than", "run-timeout"]);
    assert!(home.ok(&["ls", "latest"]).out.contains("/docs/letter"));
}
