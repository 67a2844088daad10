//! Two destinations that somebody wrote into the settings, before anything is at the second one: how it gets its replica,
//! and what is said where it has none.

use kit::program::Home;
use std::fs;

const SETTINGS: &str = ".config/dedup/dedup.toml";

/// A home with the repository `main`, and a set that is to be saved there and at `nas`.
fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.write("docs/letter", "dear");
    let remote = |name: &str, folder: &str| {
        let (url, key) = (home.text(folder), home.text("key"));
        format!("[remotes.{name}]\nurl = '{url}'\nkey-file = '{key}'\n")
    };
    let set = "[sets.docs]\nsources = ['~/docs']\ndestinations = ['main', 'nas']\n";
    let text = remote("main", "disk1") + &remote("nas", "disk2") + set;
    home.write(SETTINGS, text);
    home.ok(&["init", "-r", "main", "--key-file", "key"]);
    home
}

fn settings(home: &Home) -> String {
    fs::read_to_string(home.path(SETTINGS)).unwrap()
}

/// A repository of its own where the replica belongs.
fn make_another(home: &Home) {
    home.ok(&["init", "-r", "nas", "--key-file", "key", "--no-recovery"]);
}

#[test]
fn a_destination_of_the_settings_gets_its_replica() {
    let home = home();
    let (before, url) = (settings(&home), home.text("disk2"));
    let add = ["-r", "main", "remote", "add", "nas", &url];
    // Another place, another name, and no repository to make a replica of.
    home.ends(2, &["-r", "main", "remote", "add", "nas", "disk3"])
        .says(&["'nas' is the name of"]);
    home.ends(2, &["-r", "main", "remote", "add", "second", &url])
        .says(&["already has the name 'nas'"]);
    home.ends(10, &["-r", "nas", "remote", "add", "nas", &url])
        .says(&["'dedup -r main remote add nas "]);
    assert!(!home.path("disk2").exists() && !home.path("disk3").exists());
    let said = home.ok(&add).out;
    assert!(
        said.contains("Made an empty replica") && said.contains("Next: dedup run docs"),
        "{said}"
    );
    let config = fs::read(home.path("disk2/config")).unwrap();
    assert!(home.ok(&add).out.contains("nothing to do"));
    let with_slash = url.clone() + "/";
    let run = home.ok(&["-r", "main", "remote", "add", "nas", &with_slash, "--json"]);
    assert_eq!(run.summary()["made"], false);
    assert_eq!(fs::read(home.path("disk2/config")).unwrap(), config);
    assert_eq!(settings(&home), before, "it had its name");
    home.ok(&["run", "docs"]);
    assert_eq!(home.ok(&["-r", "nas", "snapshots", "--json"]).objects().len(), 1);
}

#[test]
fn another_repository_is_not_taken_for_a_replica() {
    let home = home();
    make_another(&home);
    let before = (settings(&home), home.contents(&home.path("disk2")));
    home.ends(1, &["-r", "main", "remote", "add", "nas", &home.text("disk2")])
        .says(&["holds another repository", "choose another folder"]);
    assert!(before == (settings(&home), home.contents(&home.path("disk2"))));
}

#[test]
fn what_is_said_where_no_replica_is() {
    let home = home();
    let command = format!(
        "'dedup -r main remote add nas {}' makes a replica",
        home.text("disk2")
    );
    let run = home
        .ends(3, &["run", "docs"])
        .says(&["no repository at", &command]);
    assert!(
        !run.err.contains("dedup init") && !run.err.contains("mounted"),
        "{}",
        run.err
    );
    // A set's run has no --also.
    assert!(
        run.out.contains("the next run, or 'dedup replicate'") && !run.out.contains("--also"),
        "{}",
        run.out
    );
    let run = home.ends(3, &["-r", "main", "backup", "docs", "--also", "nas"]);
    assert!(run.out.contains("the next run with --also"), "{}", run.out);
    home.ends(3, &["--lang", "ja", "run", "docs"])
        .says(&["'dedup -r main remote add nas ", "レプリカを作れます"]);
    let listed = home.ok(&["-r", "main", "remote", "list"]).out;
    assert!(listed.contains("no repository"), "{listed}");
    let replicate: &[&str] = &["-r", "main", "replicate"];
    for args in [replicate, &["-r", "nas", "snapshots"]] {
        let run = home.ends(10, args).says(&[&command]);
        assert!(!run.err.contains("dedup init"), "{}", run.err);
    }
    let doctor = home.ends(3, &["doctor"]).out;
    assert!(
        doctor.contains(&command) && !doctor.contains("dedup init"),
        "{doctor}"
    );
}

#[test]
fn what_is_said_where_a_replica_was() {
    let home = home();
    home.ok(&["-r", "main", "remote", "add", "nas", &home.text("disk2")]);
    // Its disk may be away.
    fs::rename(home.path("disk2"), home.path("away")).unwrap();
    for args in [
        &["run", "docs"][..],
        &["-r", "main", "backup", "docs", "--also", "nas"],
    ] {
        home.ends(3, args)
            .says(&["is a disk not mounted?", "'dedup -r main remote add nas "]);
    }
    // The other one leads in the place of the first.
    fs::rename(home.path("away"), home.path("disk2")).unwrap();
    home.ok(&["run", "docs"]);
    fs::rename(home.path("disk1"), home.path("away")).unwrap();
    home.ends(3, &["run", "docs"])
        .says(&["is a disk not mounted?", "'dedup -r nas remote add main "]);
    fs::rename(home.path("away"), home.path("disk1")).unwrap();
    // Another one is in its place.
    fs::remove_dir_all(home.path("disk2")).unwrap();
    make_another(&home);
    home.ends(3, &["run", "docs"]).says(&[
        "holds another repository",
        "another folder",
        "'dedup -r main remote add nas URL'",
    ]);
}

#[test]
fn doctor_knows_what_is_no_replica() {
    let home = home();
    make_another(&home);
    // First nothing is noted of either, then both are; and then nothing opens the other one.
    for round in 0..3 {
        let doctor = home.ends(3, &["doctor"]).out;
        assert!(
            doctor.contains("! nas: it holds another repository than 'main'")
                && doctor.contains("'dedup -r main remote add nas URL' makes a replica"),
            "{round}: {doctor}"
        );
        assert!(
            !doctor.contains("nas: behind by") && !doctor.contains("nas: it can be reached"),
            "{round}: {doctor}"
        );
        match round {
            0 => drop(home.ends(3, &["run", "docs"])),
            _ => {
                let text = settings(&home);
                let (first, second) = text.split_once("[remotes.nas]").unwrap();
                home.write("other", "correct horse\n");
                let key = format!("key-file = '{}'", home.text("key"));
                let other = format!("password-file = '{}'", home.text("other"));
                let second = second.replace(&key, &other);
                home.write(SETTINGS, format!("{first}[remotes.nas]{second}"));
            }
        }
    }
    fs::remove_dir_all(home.path("disk2")).unwrap();
    home.ok(&["-r", "main", "remote", "add", "nas", &home.text("disk2")]);
    assert!(!home.run(&["doctor"]).out.contains("another repository"));
}

#[test]
fn the_name_of_a_destination_stays() {
    let home = home();
    let before = settings(&home);
    home.ends(2, &["remote", "remove", "nas"]).says(&[
        "'docs'",
        "nothing was changed",
        "'dedup set edit docs --destination main'",
    ]);
    assert_eq!(settings(&home), before);
    home.ok(&["set", "edit", "docs", "--destination", "main"]);
    home.ok(&["remote", "remove", "nas"]);
    home.ends(2, &["remote", "remove", "main"])
        .says(&["'dedup set edit docs --destination NAME'"]);
}

#[test]
fn a_list_without_a_repository_says_how_to_compare() {
    let home = home();
    let hint = "'dedup -r NAME remote list'";
    let listed = home.ok(&["remote", "list"]).out;
    assert_eq!(listed.matches("not compared").count(), 2, "{listed}");
    assert!(
        listed.trim_end().lines().last().unwrap().contains(hint),
        "{listed}"
    );
    assert!(!home.ok(&["-r", "main", "remote", "list"]).out.contains(hint));
    assert_eq!(home.ok(&["remote", "list", "--json"]).objects().len(), 2);
}

#[test]
fn nothing_is_current_before_the_first_snapshot() {
    let home = home();
    home.ok(&["-r", "main", "remote", "add", "nas", &home.text("disk2")]);
    // This notes that it lacks nothing.
    home.ok(&["-r", "main", "remote", "list"]);
    let status = home.ok(&["status"]).out;
    assert!(
        status.contains("main, nas") && !status.contains("(current)"),
        "{status}"
    );
    home.ok(&["run", "docs"]);
    let status = home.ok(&["status"]).out;
    assert!(status.contains("nas (current)"), "{status}");
}
