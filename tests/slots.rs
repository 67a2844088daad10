//! Key slots that someone adds or removes at the same time: neither locks the owner out.

use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::slot::{Cost, Secret};
use chunkstore::{Error, SlotId};
use kit::machine::{self, Machine};
use kit::remotes::{Hooked, Operation, listed};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

fn repository() -> (Memory, Machine) {
    let memory = Memory::new();
    machine::create_small(&memory).unwrap();
    (memory, Machine::new("here"))
}

fn slots(memory: &Memory) -> Vec<ObjectName> {
    let all = listed(memory, Kind::Key).unwrap();
    all.into_iter().map(|(name, _)| name).collect()
}

/// More slots than were ever tried: those of other kinds don't count.
#[test]
fn slots_of_other_kinds_lock_nobody_out() {
    let (memory, machine) = repository();
    let repo = machine.open(Arc::new(memory.clone())).unwrap();
    for number in 0..70 {
        let phrase = Secret::Phrase([number; 32].into());
        repo.store.add_slot(&phrase, Cost::FLOOR, "", 0).unwrap();
    }
    assert_eq!(slots(&memory).len(), 71);
    machine.open(Arc::new(memory)).unwrap();
}

/// A slot for something that is not a person, as a later version may make one: larger, and of another kind.
#[test]
fn a_slot_of_an_unknown_kind_is_passed_over_and_counts_for_nothing() {
    let (memory, machine) = repository();
    let own = slots(&memory).swap_remove(0);
    let mut bytes = memory.get(&own, 8192).unwrap();
    // The array's head, then the kind.
    assert_eq!(bytes[11], 2);
    bytes[11] = 9;
    bytes.resize(4096, 0);
    memory.put(&ObjectName::key(SlotId([0; 16])), &bytes).unwrap();
    let repo = machine.open(Arc::new(memory.clone())).unwrap();
    let found = repo.store.slots().unwrap();
    assert_eq!(found.len(), 2);
    assert!(found[0].kind.is_none() && found[1].current);
    let refused = repo.store.remove_slot(repo.store.opened_with());
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    // If it is the only one, the error is not damage.
    memory.delete(&own).unwrap();
    let failed = machine.open(Arc::new(memory)).map(drop).unwrap_err();
    assert!(
        matches!(
            &failed,
            engine::Error::Store(Error::NewerFormat(chunkstore::error::Feature::SlotKind(9)))
        ),
        "{failed}"
    );
}

/// Two who each remove the slot that the other one left: one of both comes back.
#[test]
fn two_removals_at_once_leave_a_slot() {
    let (memory, machine) = repository();
    let repo = machine.open(Arc::new(memory.clone())).unwrap();
    let first = repo.store.opened_with();
    let other = machine::other_secret();
    let second = repo.store.add_slot(&other, Cost::FLOOR, "", 0).unwrap();
    let begun = AtomicBool::new(false);
    let result = Arc::new(Mutex::new(None));
    let hooked = Hooked::new(Arc::new(memory.clone()), {
        let result = result.clone();
        move |operation, kind| {
            let deletes = operation == Operation::Delete && kind == Some(Kind::Key);
            if deletes && !begun.swap(true, Ordering::SeqCst) {
                *result.lock().unwrap() = Some(repo.store.remove_slot(second));
            }
        }
    });
    let hooked = machine.open_either(Arc::new(hooked)).unwrap();
    let removed = hooked.store.remove_slot(first);
    assert!(result.lock().unwrap().take().unwrap().is_ok());
    assert!(matches!(removed, Err(Error::Refused(_))), "{removed:?}");
    assert_eq!(slots(&memory), [ObjectName::key(first)]);
    machine.open(Arc::new(memory)).unwrap();
}
