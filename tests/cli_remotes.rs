//! Several remotes as a user has them: names, replicas that follow a backup or catch up later, and what is shown and
//! which code it ends with when one of them is away.

mod by_hand;

use kit::program::{Home, Run, hurt, number, string};
use kit::random::Random;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A home with the embedded repository, a source, and a replica called `okinawa`.
fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/letter", "dear");
    let mut noise = vec![0; 300_000];
    Random::new(1).fill(&mut noise);
    home.write("docs/noise", noise);
    let said = home.ok(&["remote", "add", "okinawa", "replica"]);
    assert!(said.out.contains("Made an empty replica"), "{}", said.out);
    home
}

fn settings(home: &Home) -> String {
    fs::read_to_string(home.path(".config/dedup/dedup.toml")).unwrap()
}

/// The row of `remote list --json` of a name.
fn row(home: &Home, name: &str) -> serde_json::Value {
    let rows = home.ok(&["remote", "list", "--json"]).objects();
    rows.into_iter().find(|row| row["name"] == name).unwrap()
}

fn ids(run: Run) -> Vec<String> {
    run.objects().iter().map(|row| string(row, "id")).collect()
}

/// As `dedup setup` leaves it.
#[test]
fn what_was_set_up_need_not_be_named() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.write("docs/letter", "dear");
    let settings = home.path(".config/dedup/dedup.toml");
    let main = format!(
        "[remotes.main]\nurl = {:?}\nkey-file = {:?}\n",
        home.path("disk"),
        home.path("key")
    );
    home.write(".config/dedup/dedup.toml", &main);
    home.ok(&["init", "-r", "main", "--key-file", "key"]);
    home.ok(&["backup", "docs"]);
    assert_eq!(ids(home.ok(&["snapshots", "--json"])).len(), 1);
    assert!(home.path("disk/config").exists());
    // Of two, which one was meant has to be said.
    fs::write(
        &settings,
        format!("{main}[remotes.okinawa]\nurl = \"/mnt/okinawa\"\n"),
    )
    .unwrap();
    let said = home.ends(10, &["snapshots"]);
    assert!(
        said.err
            .contains("-r NAME chooses a remote of the settings: main, okinawa"),
        "{}",
        said.err
    );
    let said = home.ends(10, &["-r", "mian", "snapshots"]);
    assert!(said.err.contains("of the settings: main\n"), "{}", said.err);
}

#[test]
fn a_destination_that_is_no_url_saves_nothing() {
    let home = home();
    for url in ["mem:", "bogus:x"] {
        home.ends(2, &["backup", "docs", "--also", url]);
    }
    assert_eq!(ids(home.ok(&["snapshots", "--json"])).len(), 0);
}

#[test]
fn a_replica_follows_and_restores_what_was_saved() {
    let home = home();
    assert_eq!(row(&home, "okinawa")["behind"], 0);
    let said = home.ok(&["backup", "docs", "--also", "okinawa"]);
    assert!(said.out.contains("Replica okinawa: current"), "{}", said.out);
    home.write("docs/letter", "dear you");
    let run = home.ok(&[
        "backup", "docs", "--also", "okinawa", "--also", "replica", "--json",
    ]);
    let replicas = run.summary()["replicas"].as_array().unwrap().clone();
    assert_eq!(replicas.len(), 1, "one by two names: {replicas:?}");
    assert_eq!(number(&replicas[0], "behind"), 0);
    let at_okinawa = ids(home.ok(&["-r", "okinawa", "snapshots", "--json"]));
    assert_eq!(at_okinawa.len(), home.snapshots().len());
    fs::remove_dir_all(home.repository()).unwrap();
    home.ok(&["-r", "okinawa", "restore", "--target", "out"]);
    let restored = home
        .path("out")
        .join(home.path("docs").strip_prefix("/").unwrap());
    assert_eq!(fs::read(restored.join("letter")).unwrap(), b"dear you");
    home.ok(&["-r", "okinawa", "check", "--read-data"]);
}

#[test]
fn one_that_is_away_is_behind_and_catches_up() {
    let home = home();
    home.ok(&["backup", "docs", "--also", "okinawa"]);
    fs::rename(home.path("replica"), home.path("away")).unwrap();
    for n in 1..=2 {
        home.write("docs/letter", format!("number {n}"));
        let run = home.ends(3, &["backup", "docs", "--also", "okinawa", "--json"]);
        let summary = run.summary();
        assert_eq!(number(&summary["replicas"][0], "behind"), n, "{summary}");
        assert!(
            summary["snapshot_id"].is_string(),
            "the first has it all the same"
        );
        assert!(run.err.contains("no repository"), "{}", run.err);
    }
    assert_eq!(row(&home, "okinawa")["reachable"], false);
    assert_eq!(row(&home, "okinawa")["behind"], 2);
    assert!(home.ok(&["remote", "list"]).out.contains("behind by 2 snapshots"));
    home.ends(10, &["replicate"])
        .says(&["okinawa: ", "no repository"]);
    fs::rename(home.path("away"), home.path("replica")).unwrap();
    assert!(
        home.ok(&["replicate", "--dry-run"])
            .out
            .contains("would bring 2 snapshots")
    );
    let run = home.ok(&["replicate", "--json"]);
    assert_eq!(number(&run.summary()["replicas"][0], "snapshots"), 2);
    assert_eq!(row(&home, "okinawa")["behind"], 0);
    home.write("docs/letter", "number 3");
    home.ok(&["backup", "docs"]);
    // The next run brings the older one too.
    home.write("docs/letter", "number 4");
    home.ok(&["backup", "docs", "--also", "okinawa"]);
    // Under names of its own, each by which it is found there, too.
    let at_okinawa = ids(home.ok(&["-r", "okinawa", "snapshots", "--json"]));
    assert_eq!(at_okinawa.len(), home.snapshots().len());
    for id in home.snapshots() {
        assert!(!at_okinawa.contains(&id));
        home.ok(&["-r", "okinawa", "ls", &id]);
    }
}

/// Something listens and never answers: it holds up neither the backup nor the other replica.
#[test]
fn one_that_hangs_holds_up_nobody() {
    let home = home();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("webdav://{}/x?timeout=30", silent.local_addr().unwrap());
    let started = Instant::now();
    let args = [
        "backup",
        "docs",
        "--also",
        &url,
        "--also",
        "okinawa",
        "--also-wait",
        "1s",
    ];
    let run = home.ends(3, &args);
    assert!(
        started.elapsed() < Duration::from_secs(25),
        "{:?}",
        started.elapsed()
    );
    assert!(
        run.out.contains("saved") && run.out.contains("Replica okinawa: current"),
        "{}",
        run.out
    );
    assert!(run.err.contains("its time ran out"), "{}", run.err);
    home.ok(&["-r", "okinawa", "check"]);
}

#[test]
fn each_has_its_own_retention() {
    let home = home();
    for n in 0..3 {
        home.write("docs/letter", format!("number {n}"));
        home.ok(&["backup", "docs", "--also", "okinawa"]);
    }
    home.ok(&[
        "-r",
        "okinawa",
        "prune",
        "--keep-last",
        "1",
        "--keep-trash",
        "0s",
        "--yes",
    ]);
    assert_eq!(home.snapshots().len(), 3);
    let at_okinawa = || ids(home.ok(&["-r", "okinawa", "snapshots", "--json"]));
    assert_eq!(at_okinawa().len(), 1);
    home.ok(&["replicate"]);
    assert_eq!(
        at_okinawa().len(),
        1,
        "what it removed does not come back by itself"
    );
    home.ok(&["replicate", "--all"]);
    assert_eq!(at_okinawa().len(), 3);
    home.ok(&["-r", "okinawa", "check", "--read-data"]);
}

/// From an append-only remote this machine removes nothing; the other one is as ever.
#[test]
fn nothing_is_removed_from_an_append_only_remote() {
    let home = home();
    for n in 0..3 {
        home.write("docs/letter", format!("number {n}"));
        home.ok(&["backup", "docs", "--also", "okinawa"]);
    }
    let text = settings(&home).replace("[remotes.okinawa]\n", "[remotes.okinawa]\nappend-only = true\n");
    home.write(".config/dedup/dedup.toml", text);
    let before = home.contents(&home.path("replica"));
    let newest = ids(home.ok(&["-r", "okinawa", "snapshots", "--json"]))
        .pop()
        .unwrap();
    let removals: [&[&str]; 5] = [
        &["prune", "--keep-last", "1", "--yes"],
        &["prune", "--gc-only"],
        &["forget", &newest, "--yes"],
        &["forget", "--keep-last", "1", "--prune"],
        &["purge", "letter", "--yes"],
    ];
    for removal in removals {
        for place in ["okinawa", "replica"] {
            let refused = home.ends(2, &[&["-r", place], removal].concat());
            let refused = refused.says(&["'okinawa' is append-only", "nothing was changed"]);
            assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
        }
    }
    home.ok(&["-r", "okinawa", "prune", "--keep-last", "1", "--dry-run"]);
    assert!(before == home.contents(&home.path("replica")));
    // Data is added as ever, and the other repository is pruned.
    home.ok(&["backup", "docs", "--also", "okinawa"]);
    home.ok(&["prune", "--keep-last", "1", "--keep-trash", "0s", "--yes"]);
    assert_eq!(home.snapshots().len(), 1);
    assert_eq!(ids(home.ok(&["-r", "okinawa", "snapshots", "--json"])).len(), 4);
    let status = home.ok(&["status", "--json"]).summary();
    assert_eq!(status["remotes"][0]["append_only"], true, "{status}");
    assert!(home.ok(&["status"]).out.contains("okinawa (append-only)"));
    let doctor = home.run(&["doctor"]);
    assert!(doctor.out.contains("okinawa: append-only"), "{}", doctor.out);
}

#[test]
fn settings_stay_as_they_are_written() {
    let home = home();
    let path = home.path(".config/dedup/dedup.toml");
    let mine = format!("# mine\n{}", settings(&home));
    fs::write(&path, &mine).unwrap();
    home.ok(&["remote", "add", "nas", "second", "--like", "okinawa"]);
    let both = settings(&home);
    assert!(
        both.starts_with("# mine\n") && both.contains("[remotes.nas]"),
        "{both}"
    );
    home.ok(&["remote", "remove", "nas"]);
    assert_eq!(settings(&home).trim_end(), mine.trim_end());
    assert!(home.path("second/config").exists(), "what is stored stays");
    // There by now: it only gets its name.
    assert!(
        home.ok(&["remote", "add", "nas", "second"])
            .out
            .contains("There is a repository")
    );
    home.ends(2, &["remote", "add", "nas", "third"])
        .says(&["already"]);
    home.ends(2, &["remote", "add", "a/b", "third"]).says(&["name"]);
    home.ends(2, &["remote", "remove", "nass"])
        .says(&["did you mean 'nas'?"]);
    home.ends(2, &["backup", "docs", "--also", "okinaw"])
        .says(&["did you mean 'okinawa'?"]);
    home.ends(1, &["remote", "add", "full", "docs"])
        .says(&["other files"]);
    fs::write(&path, format!("{mine}\n[remots.x]\nurl = '/x'\n")).unwrap();
    let line = mine.lines().count() + 2;
    home.ends(2, &["remote", "list"])
        .says(&[&format!("dedup.toml:{line}:"), "did you mean 'remotes'?"]);
    // Also where no remote is named: somebody relies on what is misspelt.
    home.ends(2, &["snapshots"]);
}

#[test]
fn a_replica_opens_with_the_password_of_the_first() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.write("docs/letter", "dear");
    home.write("password", "correct horse\n");
    let file = home.text("password");
    home.ok(&["-r", "first", "-p", &file, "init", "--no-recovery"]);
    home.ok(&["-r", "first", "-p", &file, "backup", "docs"]);
    home.ok(&["-r", "first", "-p", &file, "remote", "add", "main", "first"]);
    home.ok(&["remote", "add", "second", "second", "--like", "main"]);
    assert_eq!(settings(&home).matches("password-file").count(), 2);
    home.ok(&["-r", "main", "replicate"]);
    assert_eq!(
        home.ok(&["-r", "second", "snapshots", "--json"]).objects().len(),
        1
    );
    home.write("wrong", "horse\n");
    home.ends(12, &["-r", "second", "-p", "wrong", "snapshots"]);
    home.ends(2, &["-r", "main", "backup", "docs", "--also", "main"])
        .says(&["itself"]);
}

/// Chunk by chunk in a restore, then for good.
#[test]
fn what_one_lost_comes_from_the_other() {
    let home = home();
    home.ok(&["backup", "docs", "--also", "okinawa"]);
    for pack in home.objects("packs") {
        hurt(&pack);
    }
    // It has a name, so it need not be given.
    let run = home.ok(&["restore", "--target", "out", "--json"]);
    assert!(number(&run.summary(), "chunks_from_others") > 0);
    assert!(run.err.contains("came from okinawa"), "{}", run.err);
    let restored = home
        .path("out")
        .join(home.path("docs").strip_prefix("/").unwrap());
    assert_eq!(fs::read(restored.join("letter")).unwrap(), b"dear");
    home.ends(13, &["check", "--read-data"]);
    let run = home.ok(&["heal", "--read-data"]);
    assert!(
        run.out.contains("is there again") && run.out.contains("Repaired packs/"),
        "{}",
        run.out
    );
    home.ok(&["check", "--read-data"]);
    assert!(home.ok(&["heal", "--read-data"]).out.contains("Nothing"));
    // The other way round: the usual repository need not be named either.
    for pack in home.contents(&home.path("replica/packs")).into_keys() {
        hurt(&pack);
    }
    home.ends(13, &["check", "--read-data", "-r", "okinawa"]);
    let run = home.ok(&["heal", "--read-data", "-r", "okinawa", "--dry-run"]);
    assert!(
        run.out.contains("hold everything that is lost or damaged here"),
        "{}",
        run.out
    );
    home.ok(&["heal", "--read-data", "-r", "okinawa"]);
    home.ok(&["check", "--read-data", "-r", "okinawa"]);
    // The first is away, with the disk that it is on: the other is restored from.
    fs::rename(home.repository(), home.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("/no/such/disk", home.repository()).unwrap();
    home.ends(10, &["restore", "--target", "out2"]);
    home.ok(&["restore", "--target", "out2", "--also", "okinawa"]);
    // There is none but the other one.
    fs::remove_file(home.repository()).unwrap();
    home.ok(&["restore", "--target", "out3"]);
    fs::rename(home.path("elsewhere"), home.repository()).unwrap();
    // No replica has it.
    for pack in home.objects("packs") {
        hurt(&pack);
    }
    for pack in home.contents(&home.path("replica/packs")).into_keys() {
        hurt(&pack);
    }
    let run = home.ends(13, &["heal", "--read-data", "--from", "okinawa", "--json"]);
    assert_eq!(run.summary()["whole"], false);
    home.write("docs/more", "more");
    home.ok(&["backup", "docs"]);
    home.ok(&["remote", "remove", "okinawa"]);
    home.ends(2, &["heal"]).says(&["no replica"]);
}

#[test]
fn copies_into_a_repository_with_other_keys() {
    let home = home();
    home.ok(&["backup", "docs"]);
    home.write("password", "correct horse\n");
    let to = ["-r", "other", "-p", "password"];
    fn both<'a>(to: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [to, more].concat()
    }
    home.ok(&both(&to, &["init", "--no-recovery"]));
    let key = home.text(".config/dedup/default.key");
    let first = home.repository().to_str().unwrap().to_string();
    let copy = both(&to, &["copy", "--from", &first, "--from-key-file", &key]);
    assert!(
        home.ok(&[&copy[..], &["--dry-run"]].concat())
            .out
            .contains("nothing was written")
    );
    let run = home.ok(&[&copy[..], &["--json"]].concat());
    let counts = ["snapshots", "damaged", "unreadable"].map(|name| number(&run.summary(), name));
    assert_eq!(counts, [1, 0, 0]);
    assert!(home.ok(&copy).out.contains("Nothing to copy"));
    home.ok(&both(&to, &["check", "--read-data"]));
    home.ok(&both(&to, &["restore", "--target", "out"]));
    let restored = home
        .path("out")
        .join(home.path("docs").strip_prefix("/").unwrap());
    assert_eq!(fs::read(restored.join("letter")).unwrap(), b"dear");
    // By the id that it had at the source.
    home.ok(&both(&to, &["ls", &home.snapshots()[0]]));
    home.write("docs/letter", "dear you");
    home.ok(&["backup", "docs"]);
    let vars = [
        ("DEDUP_FROM_REPOSITORY", first.as_str()),
        ("DEDUP_FROM_KEY_FILE", key.as_str()),
    ];
    home.run_with(&vars, &both(&to, &["copy"])).ends(0);
    assert_eq!(home.ok(&both(&to, &["snapshots", "--json"])).objects().len(), 2);
    home.ends(2, &both(&to, &["copy"])).says(&["--from"]);
    home.ends(1, &["copy", "--from", "replica", "--from-key-file", &key])
        .says(&["replicas"]);
}

/// The disk of the first repository is not mounted: the other one gets the backup, and the first one catches up.
#[test]
fn a_first_repository_that_is_not_mounted() {
    let home = home();
    home.write("docs/a", "a");
    home.ok(&["remote", "add", "second", "second"]);
    home.ok(&["backup", "docs", "--also", "second"]);
    let (repository, hidden) = (home.repository(), home.path("hidden"));
    std::fs::rename(&repository, &hidden).unwrap();
    home.write("docs/b", "b");
    home.ends(3, &["backup", "docs", "--also", "second"])
        .says(&["no repository at"]);
    let at = |place: &str| home.ok(&["-r", place, "snapshots", "--json"]).objects().len();
    assert_eq!(at("second"), 2);
    // Without another destination it is what it was before.
    home.ends(10, &["backup", "docs"]);
    std::fs::rename(&hidden, &repository).unwrap();
    home.ok(&["backup", "docs", "--also", "second"]);
    assert_eq!((home.snapshots().len(), at("second")), (3, 3));
}
