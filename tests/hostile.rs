//! What storage may hand out instead of what was put there: cut at every byte, exchanged, or made to ask for much.
//! Every time it is a typed error, soon and in bounded memory (I-14).

use chunkstore::compress::{CHUNK_MAX, Codec, Decompressor};
use chunkstore::id::RecordName;
use chunkstore::indexfile::IndexSegment;
use chunkstore::pack;
use chunkstore::parity;
use chunkstore::remote::{Kind, Local, Memory, ObjectName, Remote};
use chunkstore::session::{self, Mark};
use chunkstore::store::Store;
use chunkstore::{Error, IndexId, ListId, MarkId, PackId, SessionId};
use kit::machine::{Machine, secret};
use kit::remotes::contents;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest that one refusal may take.
const SOON: Duration = Duration::from_secs(1);

struct Golden {
    remote: Memory,
    store: Store,
    objects: Vec<(ObjectName, Vec<u8>)>,
    _machine: Machine,
}

impl Golden {
    /// The objects of the golden repository in memory, where they can be exchanged, and parity of a pack.
    fn new() -> Golden {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1/repository");
        let mut objects = contents(&Local::new(place)).unwrap();
        let remote = Memory::new();
        for (name, bytes) in &objects {
            remote.put(name, bytes).unwrap();
        }
        let machine = Machine::new("here");
        let store = Store::open(Arc::new(remote.clone()), &secret(), &machine.dirs().cache).unwrap();
        let (name, bytes) = objects
            .iter()
            .find(|(name, _)| name.kind() == Kind::Pack)
            .unwrap();
        let id = PackId::from_hex(name.id()).unwrap();
        let parity = parity::encode(store.id(), id, bytes, 5).unwrap();
        objects.push((ObjectName::parity(id), parity));
        Golden {
            remote,
            store,
            objects,
            _machine: machine,
        }
    }

    /// What reading an object of this name makes of these bytes.
    fn read(&self, name: &ObjectName, bytes: &[u8]) -> Result<(), Error> {
        let (store, keys) = (&self.store, self.store.keys());
        let session = || SessionId::from_hex(name.id()).unwrap();
        let pack = || PackId::from_hex(name.id()).unwrap();
        match name.kind() {
            Kind::Config => self.under(name, bytes, || store.check_config()),
            Kind::Key => self.under(name, bytes, || {
                let slots = store.slots()?;
                match slots
                    .iter()
                    .any(|slot| slot.id.to_hex() == name.id() && slot.note.is_some())
                {
                    true => Ok(()),
                    false => Err(Error::corrupt(name, chunkstore::error::Flaw::SealBroken)),
                }
            }),
            Kind::Pack => pack::parse_list(keys, pack(), bytes).and_then(|_| match hashes_to(name, bytes) {
                true => Ok(()),
                false => Err(Error::corrupt(name, chunkstore::error::Flaw::HashMismatch)),
            }),
            Kind::Index => IndexSegment::open(keys, IndexId::from_hex(name.id()).unwrap(), bytes).map(drop),
            Kind::Parity => parity::verify(store.id(), pack(), bytes),
            Kind::Session => self.under(name, bytes, || session::owner(store, session()).map(drop)),
            Kind::Snapshot => self.under(name, bytes, || store.snapshot_object(session()).map(drop)),
            Kind::Trash => self.under(name, bytes, || store.trash(session()).map(drop)),
            Kind::Upgrade => {
                let number = u64::from_str_radix(name.id(), 16).unwrap();
                self.under(name, bytes, || store.read_upgrade(number).map(drop))
            }
            Kind::Forgotten => {
                let id = ListId::from_hex(name.id()).unwrap();
                self.under(name, bytes, || store.forgotten_list(id).map(drop))
            }
            Kind::Overview => {
                let number = u64::from_str_radix(name.id(), 16).unwrap();
                self.under(name, bytes, || store.read_overview(number).map(drop))
            }
            Kind::Machine => {
                let id = RecordName::from_hex(name.id()).unwrap();
                self.under(name, bytes, || store.read_record(id).map(drop))
            }
            Kind::Mark => {
                let id = MarkId::from_hex(name.id()).unwrap();
                self.under(name, bytes, || Mark::load(store, id).map(drop))
            }
        }
    }

    fn under(
        &self,
        name: &ObjectName,
        bytes: &[u8],
        read: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let before = self.remote.get(name, 1 << 20).ok();
        self.remote.replace(name, bytes).unwrap();
        let result = read();
        match before {
            Some(before) => self.remote.replace(name, &before).unwrap(),
            None => self.remote.delete(name).unwrap(),
        }
        result
    }

    fn refused(&self, name: &ObjectName, bytes: &[u8], what: &str) {
        let start = Instant::now();
        let read = self.read(name, bytes);
        assert!(start.elapsed() < SOON, "{name} {what}");
        let typed = |e: &Error| e.is_object_local();
        assert!(read.as_ref().is_err_and(typed), "{name} {what}: {read:?}");
    }
}

fn hashes_to(name: &ObjectName, bytes: &[u8]) -> bool {
    hex(blake3::hash(bytes).as_bytes()) == name.id()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_golden_object_cut_at_every_byte_is_refused() {
    let golden = Golden::new();
    let mut cuts = 0;
    for (name, bytes) in &golden.objects {
        golden.read(name, bytes).unwrap();
        for len in 0..bytes.len() {
            golden.refused(name, &bytes[..len], &format!("cut at {len}"));
            cuts += 1;
        }
    }
    assert!(cuts > 100_000, "{cuts}");
}

#[test]
fn no_object_passes_under_another_name_or_as_another_kind() {
    let golden = Golden::new();
    let mut tried = 0;
    for (name, bytes) in &golden.objects {
        for (other, foreign) in golden.objects.iter().filter(|(other, _)| other != name) {
            golden.refused(name, foreign, &format!("with the bytes of {other}"));
            tried += 1;
        }
        // And grown by one byte.
        golden.refused(name, &[&bytes[..], &[0]].concat(), "grown");
    }
    assert!(tried > 400, "{tried}");
}

#[test]
fn a_bomb_is_refused_by_the_length_that_it_claims() {
    let bomb = zstd::stream::encode_all(std::io::repeat(0).take(1 << 30), 1).unwrap();
    assert!(bomb.len() < 1 << 20);
    let mut decompressor = Decompressor::new().unwrap();
    for claimed in [0, 1, 4096, CHUNK_MAX] {
        let start = Instant::now();
        let mut out = Vec::new();
        assert!(
            decompressor
                .decompress(Codec::Zstd, &bomb, claimed, &mut out)
                .is_err()
        );
        assert!(
            start.elapsed() < SOON && out.capacity() <= CHUNK_MAX + (1 << 20),
            "{claimed}"
        );
    }
    let mut out = Vec::new();
    assert!(
        decompressor
            .decompress(Codec::Zstd, &bomb, usize::MAX, &mut out)
            .is_err()
    );
}

/// All of the above in a process of its own, by the most memory that the system recorded for it.
#[test]
fn hostile_bytes_need_little_memory() {
    let name = "hostile::all_of_it_in_one_process";
    let run = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by hostile_bytes_need_little_memory"]
fn all_of_it_in_one_process() {
    every_golden_object_cut_at_every_byte_is_refused();
    no_object_passes_under_another_name_or_as_another_kind();
    a_bomb_is_refused_by_the_length_that_it_claims();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("hostile: {peak} KiB at most");
    assert!(peak < 256 << 10, "{peak} KiB");
}
