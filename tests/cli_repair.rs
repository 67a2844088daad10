//! `repair` as a user meets it: what it prints, its exit codes, and that the way back from damage is the one that the
//! README describes.

use crate::cli_bad::{data_packs, saved};
use kit::program::{copy_program, hurt, number, string};
use std::fs;

#[test]
fn from_damage_to_a_sound_repository() {
    let home = saved();
    let packs = data_packs(&home);
    hurt(&packs[0]);
    let name = packs[0].file_name().unwrap().to_str().unwrap().to_string();
    let run = home.ends(13, &["check", "--read-data"]);
    let about = run.err.lines().filter(|line| line.contains(&name));
    assert_eq!(about.count(), 1, "one damage is one line: {}", run.err);
    assert!(run.out.contains("'dedup heal'"), "{}", run.out);
    let before = home.contents(&home.repository());
    let dry = home
        .ends(13, &["repair", "packs", "--dry-run", "--json", &name])
        .summary();
    assert_eq!((number(&dry, "packs"), number(&dry, "chunks_lost")), (1, 1));
    assert_eq!(before, home.contents(&home.repository()));
    assert!(home.ok(&["repair", "index"]).out.contains("Every readable pack"));
    let run = home.ends(13, &["repair", "packs"]);
    assert!(run.out.contains("dedup repair snapshots"), "{}", run.out);
    let dry = home.ok(&["repair", "snapshots", "-n"]);
    assert!(dry.out.contains("would be repaired"), "{}", dry.out);
    let old = home.snapshots();
    let run = home.ok(&["repair", "snapshots", "--json"]);
    let summary = run.summary();
    assert_eq!(
        (number(&summary, "snapshots"), number(&summary, "repaired")),
        (2, 1)
    );
    let mended = run.objects();
    let mended = mended
        .iter()
        .find(|object| string(object, "message_type") == "repaired")
        .unwrap();
    assert_eq!(number(mended, "lost_entries"), 1);
    let (hurt_id, new) = (
        string(mended, "old_snapshot_id"),
        string(mended, "new_snapshot_id"),
    );
    assert!(old.contains(&hurt_id) && !old.contains(&new));
    assert_eq!(home.snapshots().len(), 3);
    let run = home.ends(13, &["restore", &hurt_id, "--target", "hurt"]);
    assert!(run.out.contains("'dedup heal'"), "{}", run.out);
    home.ends(3, &["restore", &new, "--target", "mended"]);
    assert!(
        home.ok(&["repair", "manifests"])
            .out
            .contains("No snapshot needs repair")
    );
    // Both files are still there: the next backup stores again what was lost.
    home.ok(&["backup", "docs-a", "docs-b"]);
    home.ok(&["restore", &hurt_id, "--target", "healed"]);
    home.ok(&["prune", "--yes", "--keep-trash", "0s"]);
    assert!(!packs[0].exists());
    home.ok(&["check", "--read-data"]);
}

#[test]
fn parity_from_the_command_line() {
    let home = saved();
    assert!(home.ok(&["repair", "parity"]).out.contains("No pack has parity"));
    for bad in ["0", "101%", "x"] {
        home.ends(2, &["repair", "parity", "--add", bad]);
    }
    let done = home.ok(&["repair", "parity", "--add", "5%", "--json"]).summary();
    assert!(number(&done, "packs_protected") > 2 && number(&done, "bytes_added") > 0);
    let before = home.contents(&home.repository());
    let packs = home.objects("packs");
    packs.iter().for_each(|pack| hurt(pack));
    home.ends(13, &["check", "--read-data"]);
    // No key is asked for: there is none to be found.
    let key = home.path(".config/dedup/default.key");
    let away = home.path("away");
    fs::rename(&key, &away).unwrap();
    let done = home.ok(&["repair", "parity", "--json"]).summary();
    assert_eq!(number(&done, "packs_repaired"), packs.len() as u64);
    fs::rename(&away, &key).unwrap();
    assert!(before == home.contents(&home.repository()));
    home.ok(&["check", "--read-data"]);
    // Far too much for five percent.
    fs::write(
        &packs[0],
        vec![0; fs::metadata(&packs[0]).unwrap().len() as usize],
    )
    .unwrap();
    let run = home.ends(13, &["repair", "parity"]);
    assert!(
        run.err.contains(packs[0].file_name().unwrap().to_str().unwrap()),
        "{}",
        run.err
    );
}

#[test]
fn parity_for_the_packs_of_later_backups() {
    let home = saved();
    home.ends(2, &["repair", "parity", "--new-packs"]);
    home.ok(&["repair", "parity", "--add", "5%", "--new-packs", "--dry-run"]);
    assert!(home.objects("upgrades").is_empty() && home.objects("parity").is_empty());
    let run = home.ok(&["repair", "parity", "--add", "5%", "--new-packs"]);
    assert!(
        run.out.contains("New packs get parity from now on"),
        "{}",
        run.out
    );
    home.write("docs/later", "later");
    home.ok(&["backup", "docs"]);
    assert_eq!(home.objects("parity").len(), home.objects("packs").len());
    let again = home.ok(&["repair", "parity", "--add", "5%", "--new-packs"]);
    assert!(!again.out.contains("from now on"), "{}", again.out);
}

#[test]
fn a_repository_made_with_parity() {
    let home = kit::program::Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.ok(&["init", "--parity", "10%"]);
    home.write("docs/a", kit::generation::noise(1, 200_000));
    home.ok(&["backup", "docs"]);
    assert_eq!(home.objects("parity").len(), home.objects("packs").len());
    hurt(&home.objects("packs")[0]);
    home.ok(&["repair", "parity"]);
    home.ok(&["check", "--read-data"]);
    hurt(&home.objects("parity")[0]);
    home.ends(13, &["check", "--read-data"]);
    home.ok(&["repair", "parity"]);
    home.ok(&["check", "--read-data"]);
}

#[test]
fn a_damaged_index_is_no_end() {
    let home = saved();
    let index = home.objects("index");
    index.iter().for_each(|segment| hurt(segment));
    fs::remove_dir_all(home.path(".cache/dedup")).unwrap();
    let name = index[0].file_name().unwrap().to_str().unwrap();
    home.write("docs-c/c", "c");
    home.ok(&["backup", "docs-c"])
        .says(&[name, "damaged", "repair index"]);
    home.ends(13, &["prune", "--yes"]);
    let done = home.ok(&["repair", "index", "--json"]).summary();
    assert_eq!(number(&done, "segments_damaged"), index.len() as u64);
    home.ok(&["restore", "latest~1", "--target", "out"]);
    home.ok(&["prune", "--yes"]);
    assert!(index.iter().all(|segment| !segment.exists()));
    home.ok(&["check", "--read-data"]);
}

/// A manifest that can't be read stops every prune, until it is given up.
#[test]
fn an_unreadable_snapshot_is_given_up() {
    let home = saved();
    let ids = home.snapshots();
    let manifest = home.repository().join("snapshots").join(&ids[0]);
    hurt(&manifest);
    let left = fs::read(&manifest).unwrap();
    home.ends(13, &["prune", "--gc-only", "--yes", "--keep-trash", "0s"])
        .says(&["forget --unreadable"]);
    home.ends(1, &["forget", "--unreadable", &ids[1], "--yes"])
        .says(&["can't be read"]);
    let before = home.contents(&home.repository());
    home.ok(&["forget", "--unreadable", &ids[0], "--dry-run"]);
    assert_eq!(before, home.contents(&home.repository()));
    // There is no one to ask here.
    home.ends(2, &["forget", "--unreadable", &ids[0]]);
    let run = home.ok(&["forget", "--unreadable", &ids[0][..8], "--yes", "--json"]);
    let kept = string(&run.objects()[0], "kept_at");
    assert_eq!(fs::read(kept).unwrap(), left);
    assert_eq!(home.snapshots(), ids[1..]);
    home.ok(&["prune", "--gc-only", "--yes", "--keep-trash", "0s"]);
    home.ok(&["restore", &ids[1], "--target", "back"]);
    home.ok(&["check", "--read-data"]);
    home.ends(1, &["forget", "--unreadable", &ids[0], "--yes"]);
}

/// A lost index is not mistaken for unfinished backups, and what a repair gave up stays damage.
#[test]
fn check_names_the_next_command() {
    let home = saved();
    let index = home.objects("index");
    let away: Vec<_> = index.iter().map(|path| (path, fs::read(path).unwrap())).collect();
    index.iter().for_each(|path| fs::remove_file(path).unwrap());
    let run = home.ends(13, &["check"]);
    assert!(run.out.contains("dedup repair index"), "{}", run.out);
    assert!(
        !run.out.contains("prune") && !run.out.contains("can be restored"),
        "{}",
        run.out
    );
    away.iter()
        .for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    home.ok(&["check"]);
    hurt(&data_packs(&home)[0]);
    home.ends(13, &["repair", "packs"]);
    for command in ["check", "stats"] {
        let run = home.ends(13, &[command]);
        assert!(run.out.contains("docs-"), "{command}: {}", run.out);
        assert!(!run.out.contains("No damage"), "{}", run.out);
    }
}

/// What a user may not read is no damage: its owner is named, and the rest is read.
#[test]
fn an_object_of_another_user() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !std::process::Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n")
    {
        return;
    }
    let home = saved();
    let ids = home.snapshots();
    let theirs = home.repository().join("snapshots").join(&ids[1]);
    let folder = home.path(".");
    let all = std::process::Command::new("chown")
        .args(["-R", "1234:1234"])
        .arg(&folder)
        .status();
    assert!(all.unwrap().success());
    chown(&theirs, Some(0), Some(0)).unwrap();
    let mut above = Some(folder.as_path());
    while let Some(path) = above.filter(|path| path.starts_with("/tmp/")) {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o755)).unwrap();
        above = path.parent();
    }
    // Where it was built that user may not go.
    let program = home.path("program");
    copy_program(env!("CARGO_BIN_EXE_dedup-under-test"), &program);
    let run = |args: &[&str]| {
        use std::os::unix::process::CommandExt;
        let asked = home.command(args);
        let mut command = std::process::Command::new(&program);
        command.args(args).current_dir(home.path("")).env_clear();
        command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.uid(1234).gid(1234).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = run(&["snapshots"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains(&ids[0][..8]), "{out}");
    assert!(err.contains("belongs to root") && err.contains("chown"), "{err}");
    assert!(!err.contains("damaged"), "{err}");
    let (code, _, err) = run(&["restore", &ids[0], "--target", "out"]);
    assert_eq!(code, 0, "{err}");
}
