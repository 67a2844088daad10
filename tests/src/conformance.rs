//! One suite that every remote passes: the contract of [`Remote`], as tests.

use crate::remotes::listed;
use chunkstore::id::RecordName;
use chunkstore::remote::{Kind, ObjectName, Published, Remote};
use chunkstore::{Error, IndexId, ListId, MarkId, PackId, SessionId, SlotId};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

const RACERS: u8 = 8;
const ROUNDS: u8 = 20;

/// Runs the suite; `make` gives an empty remote each time.
pub fn conformance(make: &dyn Fn() -> Arc<dyn Remote>) {
    publishes_and_reads_at_once(&*make());
    never_replaces(&*make());
    one_racer_wins(&*make());
    reads_ranges(&*make());
    refuses_large_objects(&*make());
    tells_what_is_missing(&*make());
    lists_every_kind(&*make());
    lists_a_thousand(&*make());
    stops_listing_when_told(&*make());
    can_be_used_while_listing(&*make());
    deletes_again(&*make());
    drops_what_is_not_published(&*make());
    a_sweep_harms_no_writer(&*make());
    keeps_empty_objects(&*make());
    joins_pieces(&*make());
    is_read_by_many(&*make());
}

fn session(n: u8) -> ObjectName {
    ObjectName::session(SessionId([n; 16]))
}

fn one_of_each_kind(n: u8) -> Vec<ObjectName> {
    let names = vec![
        ObjectName::config(),
        ObjectName::key(SlotId([n; 16])),
        ObjectName::pack(PackId([n; 32])),
        ObjectName::index(IndexId([n; 32])),
        ObjectName::session(SessionId([n; 16])),
        ObjectName::snapshot(SessionId([n; 16])),
        ObjectName::mark(MarkId([n; 16])),
        ObjectName::trash(SessionId([n; 16])),
        ObjectName::parity(PackId([n; 32])),
        ObjectName::upgrade(u64::from(n)),
        ObjectName::forgotten(ListId([n; 16])),
        ObjectName::overview(u64::from(n)),
        ObjectName::machine(RecordName {
            series: [n; 8],
            number: u64::from(n),
        }),
    ];
    assert!(names.iter().map(ObjectName::kind).eq(Kind::ALL));
    names
}

fn publish(remote: &dyn Remote, name: &ObjectName, bytes: &[u8]) -> Published {
    let mut staged = remote.begin().unwrap();
    staged.write(bytes).unwrap();
    staged.publish(name).unwrap()
}

fn read(remote: &dyn Remote, name: &ObjectName, offset: u64, len: usize) -> Vec<u8> {
    let mut out = b"left over".to_vec();
    remote.read(name, offset, len, &mut out).unwrap();
    out
}

fn publishes_and_reads_at_once(remote: &dyn Remote) {
    for name in one_of_each_kind(1) {
        assert_eq!(publish(remote, &name, b"bytes"), Published::Created, "{name}");
        assert_eq!(remote.get(&name, 5).unwrap(), b"bytes");
        assert_eq!(remote.size(&name).unwrap(), Some(5));
        assert_eq!(listed(remote, name.kind()).unwrap(), [(name.clone(), 5)]);
    }
    remote.barrier().unwrap();
    remote.barrier().unwrap();
    assert_eq!(remote.put(&session(9), b"small").unwrap(), Published::Created);
    assert_eq!(remote.put(&session(9), b"small").unwrap(), Published::Exists);
}

fn never_replaces(remote: &dyn Remote) {
    for name in one_of_each_kind(2) {
        assert_eq!(publish(remote, &name, b"first"), Published::Created);
        assert_eq!(publish(remote, &name, b"second"), Published::Exists);
        assert_eq!(publish(remote, &name, b""), Published::Exists);
        assert_eq!(remote.get(&name, 10).unwrap(), b"first");
        remote.delete(&name).unwrap();
        assert_eq!(publish(remote, &name, b"third"), Published::Created);
        assert_eq!(remote.get(&name, 10).unwrap(), b"third");
    }
}

fn one_racer_wins(remote: &dyn Remote) {
    for round in 0..ROUNDS {
        // Packs by turns: there the racers make the folder too.
        let name = match round % 2 {
            0 => session(round),
            _ => ObjectName::pack(PackId([round; 32])),
        };
        let bytes = |racer: u8| vec![racer; 1000 + usize::from(racer)];
        let start = Barrier::new(usize::from(RACERS));
        let results: Vec<Published> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|racer| {
                    let (start, name) = (&start, &name);
                    scope.spawn(move || {
                        let mut staged = remote.begin().unwrap();
                        staged.write(&bytes(racer)).unwrap();
                        start.wait();
                        staged.publish(name).unwrap()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let winners: Vec<u8> = (0..RACERS)
            .filter(|racer| results[usize::from(*racer)] == Published::Created)
            .collect();
        assert_eq!(winners.len(), 1, "round {round}: {results:?}");
        assert_eq!(
            remote.get(&name, 2000).unwrap(),
            bytes(winners[0]),
            "round {round}"
        );
    }
}

fn reads_ranges(remote: &dyn Remote) {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let name = ObjectName::pack(PackId([3; 32]));
    publish(remote, &name, &bytes);
    let end = bytes.len();
    for (offset, len) in [(0, end), (0, 1), (1, 0), (70_000, 5000), (end - 1, 1), (0, 0)] {
        assert_eq!(
            read(remote, &name, offset as u64, len),
            bytes[offset..offset + len]
        );
    }
    assert_eq!(read(remote, &name, 0, end + 1), bytes);
    assert_eq!(read(remote, &name, end as u64 - 3, 10), bytes[end - 3..]);
    for beyond in [end as u64, end as u64 + 1, i64::MAX as u64, u64::MAX] {
        assert_eq!(read(remote, &name, beyond, 10), b"", "{beyond}");
    }
    // No allocation of what the caller could take, but of what there is.
    assert_eq!(read(remote, &name, end as u64 - 3, usize::MAX), bytes[end - 3..]);
}

fn refuses_large_objects(remote: &dyn Remote) {
    publish(remote, &session(1), b"12345");
    assert_eq!(remote.get(&session(1), 5).unwrap(), b"12345");
    assert!(matches!(remote.get(&session(1), 4), Err(Error::Corrupt { .. })));
    assert!(matches!(remote.get(&session(1), 0), Err(Error::Corrupt { .. })));
    assert_eq!(remote.get(&session(1), usize::MAX).unwrap(), b"12345");
}

fn tells_what_is_missing(remote: &dyn Remote) {
    // In an empty folder as in one that isn't there.
    publish(remote, &session(1), b"x");
    for name in one_of_each_kind(2) {
        let mut out = b"left over".to_vec();
        let result = remote.read(&name, 0, 10, &mut out);
        assert!(matches!(result, Err(Error::Missing { object }) if object == (&name).into()));
        assert!(matches!(remote.get(&name, 10), Err(Error::Missing { .. })));
        assert!(matches!(
            remote.read(&name, 0, 0, &mut out),
            Err(Error::Missing { .. })
        ));
        assert_eq!(remote.size(&name).unwrap(), None, "{name}");
    }
}

fn lists_every_kind(remote: &dyn Remote) {
    publish(remote, &session(0xff), b"");
    for kind in Kind::ALL {
        let expected = if kind == Kind::Session { 1 } else { 0 };
        assert_eq!(listed(remote, kind).unwrap().len(), expected, "{kind:?}");
    }
    remote.delete(&session(0xff)).unwrap();
    for n in 0..3 {
        for name in one_of_each_kind(n) {
            publish(remote, &name, &vec![0; usize::from(n)]);
        }
    }
    for kind in Kind::ALL {
        let expected: Vec<_> = match kind {
            Kind::Config => vec![(ObjectName::config(), 0)],
            _ => (0..3)
                .flat_map(|n| {
                    one_of_each_kind(n)
                        .into_iter()
                        .map(move |name| (name, u64::from(n)))
                })
                .filter(|(name, _)| name.kind() == kind)
                .collect(),
        };
        assert_eq!(listed(remote, kind).unwrap(), expected);
    }
}

fn lists_a_thousand(remote: &dyn Remote) {
    let mut packs = Vec::new();
    let mut marks = Vec::new();
    for n in 0..500u32 {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_le_bytes());
        id[28..].copy_from_slice(&n.to_le_bytes());
        let mark = MarkId::from_slice(&id[16..]).unwrap();
        packs.push((ObjectName::pack(PackId(id)), u64::from(n)));
        marks.push((ObjectName::mark(mark), u64::from(n)));
    }
    packs.sort();
    marks.sort();
    // Unsynced all: listing has to do with names only.
    for (name, size) in packs.iter().chain(&marks) {
        publish(remote, name, &vec![1; *size as usize]);
    }
    assert_eq!(listed(remote, Kind::Pack).unwrap(), packs);
    assert_eq!(listed(remote, Kind::Mark).unwrap(), marks);
    remote.barrier().unwrap();
}

fn stops_listing_when_told(remote: &dyn Remote) {
    for name in (0..3).flat_map(one_of_each_kind) {
        publish(remote, &name, b"");
    }
    for kind in Kind::ALL {
        let mut calls = 0;
        let result = remote.list(kind, &mut |_, _| {
            calls += 1;
            Err(Error::Fenced)
        });
        assert!(matches!(result, Err(Error::Fenced)), "{kind:?}");
        assert_eq!(calls, 1, "{kind:?}");
    }
}

/// A listing holds no lock: the callback may read, publish and delete.
fn can_be_used_while_listing(remote: &dyn Remote) {
    for n in 0..20 {
        publish(remote, &session(n), &[n]);
    }
    let mut seen = 0;
    remote
        .list(Kind::Session, &mut |name, _| {
            assert_eq!(remote.get(&name, 1)?.len(), 1);
            let snapshot = SessionId::from_hex(name.id()).unwrap();
            publish(remote, &ObjectName::snapshot(snapshot), b"x");
            remote.delete(&name)?;
            seen += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, 20);
    assert_eq!(listed(remote, Kind::Session).unwrap(), []);
    assert_eq!(listed(remote, Kind::Snapshot).unwrap().len(), 20);
}

fn deletes_again(remote: &dyn Remote) {
    publish(remote, &session(1), b"x");
    for name in one_of_each_kind(2) {
        remote.delete(&name).unwrap();
    }
    for name in one_of_each_kind(2) {
        publish(remote, &name, b"x");
        remote.delete(&name).unwrap();
        remote.delete(&name).unwrap();
        assert_eq!(remote.size(&name).unwrap(), None);
        assert!(matches!(remote.get(&name, 10), Err(Error::Missing { .. })));
    }
    assert_eq!(remote.get(&session(1), 1).unwrap(), b"x", "and nothing else");
    remote.barrier().unwrap();
}

fn drops_what_is_not_published(remote: &dyn Remote) {
    let mut dropped = remote.begin().unwrap();
    dropped.write(b"never published").unwrap();
    let mut refused = remote.begin().unwrap();
    refused.write(b"refused").unwrap();
    publish(remote, &session(1), b"x");
    assert_eq!(refused.publish(&session(1)).unwrap(), Published::Exists);
    drop(dropped);
    for kind in Kind::ALL {
        let expected = usize::from(kind == Kind::Session);
        assert_eq!(listed(remote, kind).unwrap().len(), expected);
    }
    let nothing_left = remote.sweep_staged(&mut || Ok(true)).unwrap();
    assert_eq!(nothing_left, 0);
}

/// Even one that is assured that no one writes.
fn a_sweep_harms_no_writer(remote: &dyn Remote) {
    // There is a repository.
    publish(remote, &session(250), b"bytes");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            while !done.load(SeqCst) {
                remote.sweep_staged(&mut || Ok(true)).unwrap();
            }
        });
        let writers: Vec<_> = (0..2u8)
            .map(|writer| {
                scope.spawn(move || {
                    for n in 0..20 {
                        let name = session(writer * 100 + n);
                        assert_eq!(publish(remote, &name, b"bytes"), Published::Created);
                    }
                })
            })
            .collect();
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, SeqCst);
        sweeper.join().unwrap();
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(listed(remote, Kind::Session).unwrap().len(), 41);
}

fn keeps_empty_objects(remote: &dyn Remote) {
    let never_written = remote.begin().unwrap();
    assert_eq!(never_written.publish(&session(1)).unwrap(), Published::Created);
    assert_eq!(publish(remote, &session(2), b""), Published::Created);
    for n in [1, 2] {
        assert_eq!(remote.size(&session(n)).unwrap(), Some(0));
        assert_eq!(remote.get(&session(n), 0).unwrap(), b"");
        assert_eq!(read(remote, &session(n), 0, 10), b"");
        assert_eq!(publish(remote, &session(n), b"x"), Published::Exists);
    }
}

fn joins_pieces(remote: &dyn Remote) {
    let bytes: Vec<u8> = (0..20_000_000u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    let mut staged = remote.begin().unwrap();
    for piece in bytes.chunks(99_991) {
        staged.write(piece).unwrap();
        staged.write(b"").unwrap();
    }
    let name = ObjectName::pack(PackId([4; 32]));
    assert_eq!(staged.publish(&name).unwrap(), Published::Created);
    assert!(remote.get(&name, bytes.len()).unwrap() == bytes);
}

fn is_read_by_many(remote: &dyn Remote) {
    for n in 0..8 {
        publish(remote, &session(n), &vec![n; 10_000]);
    }
    std::thread::scope(|scope| {
        for reader in 0..8u8 {
            scope.spawn(move || {
                for round in 0..200u16 {
                    let n = ((round + u16::from(reader)) % 8) as u8;
                    let part = read(remote, &session(n), u64::from(round), 5000);
                    assert!(part.len() == 5000 && part.iter().all(|b| *b == n));
                }
            });
        }
    });
}
