//! The system limits how long a file may get. A write beyond that fails and names the file; nothing is lost, and no signal
//! ends the program.

use super::home;
use kit::generation::noise;
use kit::oracle::{assert_same, walk};
use kit::program::Run;
use std::fs;
use std::path::Path;

/// In blocks of 512 bytes: not even a session fits, no pack, no file, none of the large ones.
const BLOCKS: [u32; 6] = [0, 1, 8, 64, 128, 1024];

/// A command under a limit fails because of it, and names the file, or succeeds.
fn judge(run: &Run, codes: &[i32], names: &[&str], what: &str) {
    assert!(codes.contains(&run.code), "{what}: {run:?}");
    let said = format!("{}{}", run.err, if run.code == 0 { "" } else { &run.out });
    assert!(
        !["damage", "missing"].iter().any(|word| said.contains(word)),
        "{what}: {run:?}"
    );
    if run.code != 0 {
        let line = run.err.lines().find(|line| line.contains("File too large"));
        let line = line.unwrap_or_else(|| panic!("{what}: {run:?}"));
        assert!(names.iter().any(|name| line.contains(name)), "{what}: {line}");
    }
}

#[test]
fn files_that_may_not_grow() {
    let home = home();
    home.init();
    for n in 0..4 {
        home.write(&format!("source/small{n}"), noise(n, 200));
        home.write(&format!("source/large{n}"), noise(10 + n, 300_000));
    }
    home.ok(&["backup", "source"]);
    let key = home.text(".config/dedup/default.key");
    let repository = home.repository();
    let restored = format!("{}{}", home.text("target"), home.text("source"));
    for blocks in BLOCKS {
        let limited = |args: &[&str], codes: &[i32], names: &[&str]| {
            let run = home.run_limited(&format!("-f {blocks}"), args);
            judge(&run, codes, names, &format!("{blocks} blocks: {args:?}"));
            run.code
        };
        let local = [".cache/dedup/", ".local/state/"];
        let stored = [".cache/dedup/", ".local/state/", "write tmp/"];
        for cold in [true, false] {
            if cold {
                let _none = fs::remove_dir_all(home.path(".cache"));
            }
            home.write(
                "source/new",
                noise(u64::from(blocks) * 2 + u64::from(cold), 250_000),
            );
            limited(&["backup", "source", "--force"], &[0, 1], &stored);
            limited(&["check", "--read-data"], &[0, 1], &local);
            let prune = [
                "prune",
                "--keep-last=1",
                "--keep-trash=0s",
                "--max-unused=0",
                "--yes",
            ];
            limited(&prune, &[0, 1], &stored);
            // What is short is restored, and what is not leaves nothing behind.
            let code = limited(&["restore", "--target", "target"], &[0, 3], &["source/"]);
            assert_eq!(code == 0, blocks == 1024);
            for entry in fs::read_dir(home.path("source")).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                match fs::read(Path::new(&restored).join(&name)) {
                    Ok(bytes) => assert!(bytes == fs::read(home.path("source").join(&name)).unwrap()),
                    Err(_) => assert!(code != 0 && (blocks == 0 || !name.starts_with("small")), "{name}"),
                }
            }
            assert_eq!(crate::restoring::leftovers(&home.path("target")).len(), 0);
            let _none = fs::remove_dir_all(home.path("target"));
            let dump = ["dump", "source/large1", "--target", "out"];
            let code = limited(&dump, &[0, 1], &["write to out"]);
            assert_eq!(code == 0, blocks == 1024);
            assert_eq!(home.path("out").exists(), code == 0);
            for args in [["ls"], ["snapshots"], ["stats"]] {
                limited(&args, &[0, 1], &local);
            }
        }
        home.ok(&["-r", "other", "--key-file", "other-key", "init", "--no-recovery"]);
        let copy = [
            "-r",
            "other",
            "--key-file",
            "other-key",
            "copy",
            "--from",
            repository.to_str().unwrap(),
            "--from-key-file",
            &key,
        ];
        limited(&copy, &[0, 1], &stored);
        home.ok(&["-r", "other", "--key-file", "other-key", "check", "--read-data"]);
        fs::remove_dir_all(home.path("other")).unwrap();
        fs::remove_file(home.path("other-key")).unwrap();
        home.ok(&["check", "--read-data"]);
    }
    home.ok(&["backup", "source"]);
    home.ok(&["restore", "--target", "target"]);
    assert_same(
        &walk(&home.path("source")),
        &walk(Path::new(&restored)),
        "restored without a limit",
    );
}
