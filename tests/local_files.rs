//! Power cuts while local files are written: notes, settings and keys are the old ones or the new ones, never a part, and
//! what a command relied on is there.

use chunkstore::platform::files::{atomic_write, create, rewrite, write_hint};
use chunkstore::remote::Memory;
use chunkstore::simulation::{PowerCut, cut_power};
use engine::backup;
use engine::monitor::Quiet;
use engine::repo::Repo;
use kit::machine::{self, Machine};
use service::env::Env;
use service::settings::{Remote, Settings, edit};
use std::io;
use std::path::Path;
use std::sync::Arc;

type Write = fn(&Path, &[u8]) -> io::Result<()>;

/// Does something on a disk whose power is cut before step `at`, and what the disk then holds.
fn on_a_disk<T>(at: u64, lose_names: bool, act: impl FnOnce() -> T) -> (T, Arc<PowerCut>) {
    let cut = PowerCut::new(at);
    cut_power(Some(cut.clone()));
    let done = act();
    cut_power(None);
    cut.lose(lose_names).unwrap();
    (done, cut)
}

/// Writes to a file that held `old` and checks what is there, for a cut before each step and after the last.
fn cut_everywhere(write: Write, old: Option<&[u8]>) -> u64 {
    let new = b"what is new".as_slice();
    for at in 0.. {
        let mut happened = false;
        for lose_names in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("state/repositories/note");
            if let Some(old) = old {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, old).unwrap();
            }
            let (written, cut) = on_a_disk(at, lose_names, || write(&path, new));
            let found = std::fs::read(&path).ok();
            let context = format!("cut at {at}, names lost: {lose_names}, found {found:?}");
            match written {
                Ok(()) => assert_eq!(found.as_deref(), Some(new), "{context}"),
                Err(_) => assert!(
                    found.as_deref() == Some(new) || found.as_deref() == old,
                    "{context}"
                ),
            }
            assert_eq!(written.is_err(), cut.happened(), "{context}");
            happened = cut.happened();
        }
        if !happened {
            return at;
        }
    }
    unreachable!()
}

#[test]
fn a_power_cut_leaves_the_old_file_or_the_new_one() {
    for write in [atomic_write as Write, rewrite] {
        assert_eq!(cut_everywhere(write, Some(b"old")), 4);
        // Two folders are made and synced, too.
        assert_eq!(cut_everywhere(write, None), 8);
    }
    assert_eq!(cut_everywhere(create, None), 8);
}

/// This disk does lose what is not synced; hints may be lost.
#[test]
fn a_power_cut_tears_what_is_only_a_hint() {
    let found = |lose_names| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hint");
        std::fs::write(&path, "old").unwrap();
        let (written, _) = on_a_disk(u64::MAX, lose_names, || write_hint(&path, b"12345678"));
        written.unwrap();
        std::fs::read(&path).unwrap()
    };
    assert_eq!((found(true), found(false)), (b"old".to_vec(), b"1234".to_vec()));
}

/// What a backup notes of its repository is there after a power cut: what was published last, which generations there are,
/// and whose machine it is.
#[test]
fn the_notes_of_a_backup_survive_a_power_cut() {
    for lose_names in [true, false] {
        let remote = Arc::new(Memory::new());
        machine::create_small(&*remote).unwrap();
        let (machine, source) = (Machine::new("notes"), tempfile::tempdir().unwrap());
        std::fs::write(source.path().join("file"), "content").unwrap();
        let open = || machine.open(remote.clone()).unwrap();
        let ((before, id), cut) = on_a_disk(u64::MAX, lose_names, || {
            let repo = open();
            let options = machine.options(&[source.path()]);
            backup::run(&repo, &options, None, &Quiet).unwrap();
            repo.survey().unwrap();
            (repo.remembered(), repo.machine())
        });
        assert!(cut.steps() > 10 && before.snapshot.is_some(), "{}", cut.steps());
        let after: Repo = open();
        assert_eq!((after.remembered(), after.machine()), (before, id));
        let state = machine.dirs().state.join("repositories");
        let notes = std::fs::read_dir(state).unwrap().next().unwrap().unwrap().path();
        assert!(notes.join("generations").metadata().unwrap().len() > 16);
    }
}

/// A settings file that was edited is whole, and keeps what it had.
#[test]
fn settings_survive_a_power_cut() {
    let remote = Remote {
        name: "new".to_string(),
        url: "/new".to_string(),
        keys: Vec::new(),
        quota: None,
        append_only: false,
    };
    for at in 0..=4 {
        for lose_names in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let env = Env::of(&[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
            let file = dir.path().join("dedup/dedup.toml");
            std::fs::create_dir(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "# mine\n[remotes.old]\nurl = '/old'\n").unwrap();
            let (edited, _) = on_a_disk(at, lose_names, || edit::add_remote(&env, &remote).is_ok());
            assert_eq!(edited, at == 4);
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(
                text.starts_with("# mine\n[remotes.old]\nurl = '/old'\n"),
                "{text}"
            );
            let remotes = Settings::read(&env).unwrap().remotes;
            assert!(
                remotes.len() == 2 || remotes.len() == 1 && !edited,
                "{at}: {text}"
            );
        }
    }
}
