//! What a remote really does, as opposed to what it promises: asked once, at `init` and `connect`.
//!
//! Publishing sessions and fences under one name (I-8) and collecting garbage beside writers (I-7) are safe only
//! where creation is exclusive and listings show what was written. Where they are not, the caller must keep garbage
//! collection to itself. Touches no object but those it has created, under random names, and removes them again.

use super::{Kind, ObjectName, Published, Remote, for_all};
use crate::error::{Error, Operation, Result};
use crate::id::{self, SessionId};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::Scope;

/// Races run: a remote that checks and then writes loses some of them by chance only.
const ROUNDS: usize = 20;
/// Where deleting is not allowed every race leaves an object behind, which garbage collection must fence later.
const ROUNDS_WITHOUT_DELETE: usize = 4;
const RACERS: u8 = 4;
/// Length of the objects written, bytes.
const LEN: usize = 64;

/// What was observed; `false` means that the remote was seen to do otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Of racing creates of one name exactly one won, and its bytes stayed.
    pub exclusive_create: bool,
    /// A published object can be read, whole and with its size, at once.
    pub read_after_write: bool,
    /// A listing shows what was just published and no longer what was just deleted.
    pub list_after_write: bool,
    /// A range read gives that range.
    pub range_read: bool,
    /// Deleting works. `false` where it is refused, as for a machine that may only add (I-10).
    pub delete: bool,
}

/// Tries `remote` out. Fails where it can't be asked at all, such as on one that can only be read.
pub fn probe(remote: &dyn Remote) -> Result<Probe> {
    let mut created = Vec::new();
    let observed = observe(remote, &mut created);
    let may_delete = !matches!(observed, Ok(Probe { delete: false, .. }));
    let cleaned: Result<()> = match may_delete {
        true => for_all(remote, &created, |name| remote.delete(name))
            .into_iter()
            .collect(),
        false => Ok(()),
    };
    let observed = observed?;
    cleaned?;
    remote.barrier()?;
    Ok(observed)
}

fn observe(remote: &dyn Remote, created: &mut Vec<ObjectName>) -> Result<Probe> {
    let name = fresh(created)?;
    let bytes: [u8; LEN] = id::random()?;
    let first = remote.put(&name, &bytes)?;
    let read_after_write = reads_back(remote, &name, &bytes)?;
    let range_read = reads_ranges(remote, &name, &bytes)?;
    let listed = is_listed(remote, &name)?;
    let second = remote.put(&name, &[0; LEN])?;
    let kept = reads_back(remote, &name, &bytes)?;
    let delete = may_delete(remote, &name)? && remote.size(&name)?.is_none();
    let gone = !delete || !is_listed(remote, &name)?;

    let mut exclusive_create = first == Published::Created && second == Published::Exists && kept;
    if exclusive_create {
        let rounds = if delete { ROUNDS } else { ROUNDS_WITHOUT_DELETE };
        let names = (0..rounds).map(|_| fresh(created)).collect::<Result<Vec<_>>>()?;
        exclusive_create = races(remote, &names)?;
    }
    Ok(Probe {
        exclusive_create,
        read_after_write,
        list_after_write: listed && gone,
        range_read,
        delete,
    })
}

/// A random name, noted for removal before anything is written under it.
fn fresh(created: &mut Vec<ObjectName>) -> Result<ObjectName> {
    let name = ObjectName::session(SessionId(id::random()?));
    created.push(name.clone());
    Ok(name)
}

fn reads_back(remote: &dyn Remote, name: &ObjectName, bytes: &[u8]) -> Result<bool> {
    let mut whole = Vec::new();
    match remote.read(name, 0, LEN + 1, &mut whole) {
        Ok(()) => Ok(whole == bytes && remote.size(name)? == Some(LEN as u64)),
        Err(Error::Missing { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

fn reads_ranges(remote: &dyn Remote, name: &ObjectName, bytes: &[u8]) -> Result<bool> {
    let mut part = Vec::new();
    for (offset, len) in [(0, 1), (7, 20), (LEN - 1, 1), (LEN - 3, 8), (LEN, 8)] {
        match remote.read(name, offset as u64, len, &mut part) {
            Ok(()) if part == bytes[offset..(offset + len).min(LEN)] => {}
            Ok(()) | Err(Error::Missing { .. }) => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

fn is_listed(remote: &dyn Remote, name: &ObjectName) -> Result<bool> {
    let mut found = false;
    remote.list(Kind::Session, &mut |listed, size| {
        found |= listed == *name && size == LEN as u64;
        Ok(())
    })?;
    Ok(found)
}

fn may_delete(remote: &dyn Remote, name: &ObjectName) -> Result<bool> {
    match remote.delete(name) {
        Ok(()) => Ok(true),
        Err(Error::Remote { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(e) => Err(e),
    }
}

/// For each of `names` several threads publish different bytes at one moment: did exactly one win, and do its bytes stand?
///
/// A race is begun once the one before has a winner. Its losers may come in later: a server that locks names can keep each
/// of them for a second.
fn races(remote: &dyn Remote, names: &[ObjectName]) -> Result<bool> {
    let mut races: Vec<Race> = names.iter().map(|_| Race::default()).collect();
    let starts: Vec<AtomicUsize> = names.iter().map(|_| AtomicUsize::new(RACERS.into())).collect();
    let one_winner_each = std::thread::scope(|scope| {
        let (send, outcomes) = mpsc::channel();
        for (number, name) in names.iter().enumerate() {
            let send = send.clone();
            start(scope, remote, name, &starts[number], move |racer, result| {
                // Only a receiver that has seen enough is gone.
                let _ = send.send((number, racer, result));
            });
            while races[number].winners.is_empty() && races[number].answers < RACERS.into() {
                let Ok((number, racer, result)) = outcomes.recv() else {
                    break;
                };
                races[number].note(racer, result)?;
            }
            if races.iter().any(|race| race.winners.len() > 1) {
                return Ok(false);
            }
        }
        drop(send);
        outcomes
            .iter()
            .try_for_each(|(number, racer, result)| races[number].note(racer, result))
            .map(|()| races.iter().all(|race| race.winners.len() == 1))
    })?;
    if !one_winner_each {
        return Ok(false);
    }
    let ended: Vec<(&ObjectName, &Race)> = names.iter().zip(&races).collect();
    let stand = for_all(remote, &ended, |(name, race)| match race.winners[..] {
        [winner] => reads_back(remote, name, &[winner; LEN]),
        _ => Ok(false),
    });
    stand.into_iter().try_fold(true, |all, stands| Ok(all && stands?))
}

/// What has come in of one race.
#[derive(Default)]
struct Race {
    answers: usize,
    winners: Vec<u8>,
}

impl Race {
    fn note(&mut self, racer: u8, result: Result<Published>) -> Result<()> {
        self.answers += 1;
        if result? == Published::Created {
            self.winners.push(racer);
        }
        Ok(())
    }
}

/// Starts the racers for one name; each reports how it went.
fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    remote: &'env dyn Remote,
    name: &'env ObjectName,
    missing: &'env AtomicUsize,
    tell: impl Fn(u8, Result<Published>) + Clone + Send + 'scope,
) {
    for racer in 0..RACERS {
        let report = tell.clone();
        let started = std::thread::Builder::new().spawn_scoped(scope, move || {
            let staged = remote.begin().and_then(|mut staged| {
                staged.write(&[racer; LEN])?;
                Ok(staged)
            });
            // They spin until all are there. Not a `Barrier`: should a thread not start, the others must not wait for it.
            missing.fetch_sub(1, Ordering::SeqCst);
            while missing.load(Ordering::SeqCst) > 0 {
                std::thread::yield_now();
            }
            report(racer, staged.and_then(|staged| staged.publish(name)));
        });
        if let Err(e) = started {
            missing.fetch_sub(1, Ordering::SeqCst);
            tell(racer, Err(Error::remote(Operation::Race, name, e)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::{Local, Memory};

    fn names(remote: &dyn Remote) -> Vec<ObjectName> {
        let mut names = Vec::new();
        for kind in Kind::ALL {
            remote
                .list(kind, &mut |name, _| {
                    names.push(name);
                    Ok(())
                })
                .unwrap();
        }
        names
    }

    fn sound_and_clean(remote: &dyn Remote) {
        let kept = ObjectName::session(SessionId([7; 16]));
        remote.put(&kept, b"somebody's session").unwrap();
        let sound = Probe {
            exclusive_create: true,
            read_after_write: true,
            list_after_write: true,
            range_read: true,
            delete: true,
        };
        assert_eq!(probe(remote).unwrap(), sound);
        assert_eq!(names(remote), [kept]);
    }

    #[test]
    fn memory_is_sound() {
        sound_and_clean(&Memory::new());
    }

    #[test]
    fn local_is_sound() {
        let dir = tempfile::tempdir().unwrap();
        sound_and_clean(&Local::new(dir.path()));
        assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }
}
