//! What `check` reports of what a repair could not save, and of an index that is lost.

use super::*;

/// What a repair had to give up is damage for as long as a snapshot needs it, and for no longer.
#[test]
fn what_was_given_up_is_known_to_be_lost() {
    let mut scene = Scene::new();
    let data = |scene: &Scene| {
        let all = objects(&scene.remote).into_iter();
        let mut packs: Vec<_> = all.filter(|(name, _)| name.kind() == Kind::Pack).collect();
        packs.sort_by_key(|(_, bytes)| bytes.len());
        packs.pop().unwrap().0
    };
    let name = data(&scene);
    let mut bytes = objects(&scene.remote).remove(&name).unwrap();
    bytes[400] ^= 4;
    put(&scene.remote, &name, Some(&bytes));
    let done = repair::packs(&scene.repo, &[], &options(), &Quiet).unwrap();
    assert_eq!(done.chunks_lost, 1, "{done:?}");
    scene.again();
    let quick = check::CheckOptions {
        read_data: ReadData::None,
    };
    let report = check::run(&scene.repo, &quick, &Quiet).unwrap();
    assert!(report.num_errors > 0 && !report.paths.is_empty(), "{report:?}");
    let stats = engine::stats::run(&scene.repo, &Quiet).unwrap();
    assert!(stats.num_errors > 0 && stats.paths == report.paths, "{stats:?}");
    let hurt: Vec<SessionId> = scene
        .generations
        .iter()
        .map(|(id, _)| *id)
        .filter(|id| {
            report
                .paths
                .iter()
                .any(|path| id.to_hex().starts_with(&path.snapshot))
        })
        .collect();
    assert!(!hurt.is_empty());
    forget::apply(&scene.repo, &hurt).unwrap();
    // The trash still needs it; once discarded, nothing does.
    prune(&scene.repo, Duration::ZERO).unwrap();
    scene.again();
    let report = check(&scene.repo);
    assert_eq!(report.num_errors, 0, "{report:?}");
    assert_eq!(engine::stats::run(&scene.repo, &Quiet).unwrap().num_errors, 0);
}

/// Packs that no index lists are distinguished from those of unfinished backups.
#[test]
fn a_lost_index_is_not_an_unfinished_backup() {
    let mut scene = Scene::new();
    let segments: Vec<_> = objects(&scene.remote)
        .into_iter()
        .filter(|(name, _)| name.kind() == Kind::Index)
        .collect();
    assert!(segments.len() > 1);
    for lost in 1..=segments.len() {
        segments
            .iter()
            .take(lost)
            .for_each(|(name, _)| put(&scene.remote, name, None));
        scene.again();
        let report = check(&scene.repo);
        assert!(report.num_errors > 0 && report.packs_unlisted > 0, "{report:?}");
        assert!(report.suggest_repair_index && !report.suggest_prune, "{report:?}");
        segments
            .iter()
            .for_each(|(name, bytes)| put(&scene.remote, name, Some(bytes)));
    }
    let writer = generation::foreign_writer(&scene.repo);
    generation::put_all(&scene.repo, &writer, 9, &files([900], 40_000)).unwrap();
    writer.flush().unwrap();
    for (name, bytes) in objects(&scene.remote) {
        if name.kind() == Kind::Index && segments.iter().all(|(known, _)| *known != name) {
            drop(bytes);
            put(&scene.remote, &name, None);
        }
    }
    scene.again();
    let report = check(&scene.repo);
    assert_eq!(report.num_errors, 0, "{report:?}");
    assert!(report.packs_unlisted > 0 && !report.suggest_repair_index && report.suggest_prune);
}
