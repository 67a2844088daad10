//! What happened in the repository's storage, and with its objects.

use super::io::io_error;
use super::tree::{tree_fault, tree_feature};
use super::url::url_fault;
use engine::StoreError;
use engine::error::store::{
    Feature, Flaw, IndexFault, Invalid, Object, Operation, PhraseFault, Refusal, Task, Unreadable, ZstdCall,
};

/// What happened and to what, without advice.
pub fn store_error(error: &StoreError) -> String {
    match error {
        StoreError::Missing { object } => format!("{} is missing", self::object(object)),
        StoreError::Corrupt { object, flaw } => {
            format!(
                "{} is damaged: {}",
                self::object(object),
                self::flaw(object, flaw)
            )
        }
        StoreError::Unreadable { object, cause } => {
            format!("{} can't be read: {}", self::object(object), unreadable(cause))
        }
        StoreError::NoRepository { location } => format!("no repository at {location}"),
        StoreError::RepositoryExists { location } => format!("a repository already exists at {location}"),
        StoreError::WrongKey => "wrong password or key".to_string(),
        StoreError::NewerFormat(feature) => format!(
            "the repository needs {}, which this version does not know",
            self::feature(feature)
        ),
        StoreError::NoSpace { object } => format!("no space left while writing {}", self::object(object)),
        StoreError::Remote {
            operation,
            object,
            source,
        } => format!(
            "{} {}: {}",
            self::operation(*operation),
            self::object(object),
            io_error(source)
        ),
        StoreError::Local {
            operation: Operation::WriteIndex,
            path,
            source,
        } if path.as_os_str().is_empty() => format!("write the local index: {}", io_error(source)),
        StoreError::Local {
            operation,
            path,
            source,
        } => format!(
            "{} {}: {}",
            self::operation(*operation),
            path.display(),
            io_error(source)
        ),
        StoreError::TooManyOpen { object, limit } => format!(
            "too many open files: {} could not be opened (the limit is {limit})",
            self::object(object)
        ),
        StoreError::Thread(error) => format!("no thread could be started: {error}"),
        StoreError::Random(error) => format!("the system gives no random numbers: {error}"),
        StoreError::NoMemory { task, needed } => {
            let needed = needed >> 20;
            match task {
                Task::DeriveKey => format!("not enough memory to derive the key: it needs {needed} MiB"),
                Task::GatherPack => format!("not enough memory to gather a pack: it needs {needed} MiB"),
            }
        }
        StoreError::Index(fault) => format!("local index: {}", index_fault(fault)),
        StoreError::Invalid(invalid) => self::invalid(invalid),
        StoreError::Fenced => "this session was ended by garbage collection".to_string(),
        StoreError::Interrupted => "interrupted".to_string(),
        StoreError::WriterFailed => "an earlier write failed".to_string(),
        StoreError::Refused(refusal) => format!("refused: {}", self::refusal(refusal)),
    }
}

/// What is wrong with this object, to be said after its name. Of another one, the name of that is in it.
pub(super) fn about(error: &StoreError, name: &[u8]) -> String {
    let is_it = |object: &Object| object.to_string().as_bytes() == name;
    match error {
        StoreError::Missing { object } if is_it(object) => "missing".to_string(),
        StoreError::Corrupt { object, flaw } if is_it(object) => self::flaw(object, flaw),
        StoreError::Unreadable { object, cause } if is_it(object) => {
            format!("can't be read: {}", unreadable(cause))
        }
        StoreError::Remote { object, source, .. } if is_it(object) => {
            format!("can't be read: {}", io_error(source))
        }
        StoreError::NewerFormat(feature) => format!(
            "can't be read: it needs {}, which this version does not know",
            self::feature(feature)
        ),
        error => store_error(error),
    }
}

fn unreadable(cause: &Unreadable) -> String {
    match cause {
        Unreadable::Io(error) => io_error(error),
        Unreadable::UnknownLocation(error) => {
            format!("its location is not known, because {}", store_error(error))
        }
        Unreadable::NotIndexed => "its location is not known".to_string(),
        Unreadable::NewerFormat(feature) => {
            format!(
                "it needs {}, which this version does not know",
                self::feature(feature)
            )
        }
        Unreadable::Invalid(invalid) => self::invalid(invalid),
    }
}

pub(super) fn object(object: &Object) -> String {
    match object {
        Object::Named(name) => name.clone(),
        Object::Path(path) => path.display().to_string(),
        Object::Chunk(id) => format!("chunk {id}"),
        Object::TreeChunk(id) => format!("tree chunk {id}"),
        Object::NewChunk(id) => format!("new chunk {id}"),
        Object::BundledFile(file) => format!("file {} of chunk {}", file.hash, file.bundle),
        Object::LocalIndex(None) => "the local index".to_string(),
        Object::LocalIndex(Some(path)) => format!("the local index, {}", path.display()),
        Object::RestoreTarget => "the restore target".to_string(),
        Object::Frame => "a frame".to_string(),
        Object::SealedKey => "a sealed content key".to_string(),
        Object::KeySlots => "keys".to_string(),
        Object::Manifest => "a manifest".to_string(),
        Object::Entry => "an entry".to_string(),
    }
}

/// What is wrong with it, to be said after its name.
pub(super) fn flaw(object: &Object, flaw: &Flaw) -> String {
    let text = match flaw {
        Flaw::Truncated => "cut short",
        Flaw::BadMagic => "not an object of this repository",
        Flaw::WrongKind => "of another kind than its name says",
        Flaw::SealBroken => "its seal is broken",
        Flaw::HashMismatch => match object {
            Object::Chunk(_) | Object::TreeChunk(_) | Object::NewChunk(_) => {
                "its content is not that of its id"
            }
            Object::Named(name) if name.starts_with("parity/") => "its bytes are not those of its checksum",
            Object::Named(_)
            | Object::Path(_)
            | Object::BundledFile(..)
            | Object::LocalIndex(_)
            | Object::RestoreTarget
            | Object::Frame
            | Object::SealedKey
            | Object::KeySlots
            | Object::Manifest
            | Object::Entry => "its content does not match its name",
        },
        Flaw::Undecodable => "its fields do not decode",
        Flaw::OutOfRange => "a size in it is out of range",
        Flaw::TooLarge { cap } => return format!("larger than {cap} bytes"),
        Flaw::SizeMismatch { indexed, found } => {
            return format!("it has {found} bytes, but the index says {indexed}");
        }
        Flaw::LengthMismatch => "its length is not the recorded one",
        Flaw::Unsorted => "its rows are out of order",
        Flaw::NotCanonical => "it is not in the form in which it is written",
        Flaw::NoFooter => "no footer at its end",
        Flaw::NotAsListed => "it does not fit what lists it",
        Flaw::KeyNotListed => "a key that it needs is not listed",
        Flaw::NoKeySlot => "there is no key slot",
        Flaw::UnknownSealer => "it was sealed with an unknown key",
        Flaw::NoSessionKey => "it carries no session key",
        Flaw::NoManifest => "it holds no manifest",
        Flaw::HeadDamaged => "its head is damaged",
        Flaw::NoSuccessor => "no upgrade can follow it",
        Flaw::NotAsWritten => "it is not as it was written",
        Flaw::NotReproduced(error) => {
            return format!(
                "it does not decode to what was read ({}); check this machine's memory",
                store_error(error)
            );
        }
        Flaw::ParityHeads => "neither head of its parity is whole",
        Flaw::ParityExceeded {
            damaged,
            parts,
            spare,
        } => {
            return format!("{damaged} of its {parts} parts are damaged, and its parity can replace {spare}");
        }
        Flaw::ParityMismatch => "what its parity gives does not match its name",
        Flaw::Tree(part, fault) => return tree_fault(*part, *fault),
        Flaw::Incomplete => "it could not be read when it was backed up, or its data was lost",
    };
    text.to_string()
}

/// What a newer version has, to be said after "it needs".
pub(super) fn feature(feature: &Feature) -> String {
    match feature {
        Feature::RepositoryFormat(format) => format!("repository format {format}"),
        Feature::CipherSuite(suite) => format!("cipher suite {suite}"),
        Feature::Chunker(chunker) => format!("chunker {chunker}"),
        Feature::ObjectFormat { format, suite } => format!("format {format} with suite {suite}"),
        Feature::KeyDomain { domain, generation } => format!("key domain {domain}, generation {generation}"),
        Feature::PackFormat { format, suite } => format!("pack format {format} with suite {suite}"),
        Feature::PackHeader([a, b, c]) => format!("packs with {a}, {b} and {c} in their header"),
        Feature::PackClass(class) => format!("packs of class {class}"),
        Feature::Codec(codec) => format!("frames of codec {codec}"),
        Feature::SealedKeyKind(kind) => format!("sealed keys of kind {kind}"),
        Feature::SlotKind(kind) => format!("key slots of kind {kind}"),
        Feature::ParityVersion(version) => format!("parity of version {version}"),
        Feature::Named(name) => format!("the feature '{name}'"),
        Feature::Tree(feature) => tree_feature(*feature),
    }
}

/// To be said before what it was done to.
pub(super) fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Chmod => "chmod",
        Operation::Create => "create",
        Operation::CreateFolder => "create the folder of",
        Operation::Delete => "delete",
        Operation::Examine => "examine",
        Operation::Free => "free",
        Operation::Link => "link",
        Operation::List => "list",
        Operation::Lock => "lock",
        Operation::LookUp => "look up",
        Operation::Mkdir => "mkdir",
        Operation::Mknod => "mknod",
        Operation::Open => "open",
        Operation::Publish => "publish",
        Operation::Race => "race for",
        Operation::Read => "read",
        Operation::ReadBack => "read back",
        Operation::ReadExcludeFile => "read exclude file",
        Operation::ReadLink => "readlink",
        Operation::Remove => "remove",
        Operation::Rename => "rename",
        Operation::Replace => "replace",
        Operation::Rmdir => "rmdir",
        Operation::SetAside => "set aside",
        Operation::SetSize => "set the size",
        Operation::Stat => "stat",
        Operation::Sweep => "sweep",
        Operation::Symlink => "symlink",
        Operation::Sync => "sync",
        Operation::SyncRestored => "write to disk",
        Operation::Unlink => "unlink",
        Operation::Write => "write",
        Operation::WriteIndex => "write the local index",
        Operation::WriteTo => "write to",
    }
}

fn index_fault(fault: &IndexFault) -> String {
    match fault {
        IndexFault::Database(said) => said.clone(),
        IndexFault::OtherSchema => "another schema or repository".to_string(),
        IndexFault::NoColumnFamily => "a column family is missing".to_string(),
        IndexFault::Undecodable => "an entry does not decode".to_string(),
        IndexFault::AllInUse { copies } => {
            format!("{copies} other processes use this repository's cache; try again later")
        }
        IndexFault::Closed => "the map on disk is closed".to_string(),
        IndexFault::NoRoom => "there is no room for it".to_string(),
    }
}

fn invalid(invalid: &Invalid) -> String {
    match invalid {
        Invalid::ChunkerBounds { min, avg, max } => {
            format!("invalid chunker bounds: {min}, {avg} and {max} bytes")
        }
        Invalid::TooManyKeys => "invalid object: too many keys".to_string(),
        Invalid::PlaintextTooLong => "invalid plaintext: too long to seal".to_string(),
        Invalid::ManifestTooLong { bytes } => format!("invalid manifest: {bytes} bytes are too many"),
        Invalid::SlotLabelTooLong => "invalid key label: it is too long".to_string(),
        Invalid::Argon2Cost(cost) => format!(
            "invalid Argon2 cost: {} KiB, {} passes and {} lanes are out of range",
            cost.memory_kib, cost.passes, cost.lanes
        ),
        Invalid::Argon2(detail) => format!("invalid Argon2 parameters: {detail}"),
        Invalid::Parity { percent, bytes } => format!("invalid parity: {percent} percent of {bytes} bytes"),
        Invalid::ParityCode(detail) => format!("invalid parity: {detail}"),
        Invalid::Zstd { call, detail } => match call {
            ZstdCall::SetUp => format!("invalid set up zstd: {detail}"),
            ZstdCall::Compress => format!("invalid compress: {detail}"),
        },
        Invalid::Phrase(fault) => format!("invalid recovery phrase: {}", phrase_fault(fault)),
        Invalid::KeyFile => "invalid key file: it is not a dedup key file".to_string(),
        Invalid::Url(fault) => format!("invalid repository URL: {}", url_fault(fault)),
        Invalid::Tree { path, part, fault } => match path {
            Some(path) => {
                let path = String::from_utf8_lossy(path);
                format!("invalid entry {path}: {}", tree_fault(*part, *fault))
            }
            None => format!("invalid tree: {}", tree_fault(*part, *fault)),
        },
    }
}

fn phrase_fault(fault: &PhraseFault) -> String {
    match fault {
        PhraseFault::UnknownWord { number, word } => {
            format!("word {number}, '{word}', is not one that recovery phrases are made of")
        }
        PhraseFault::WordCount { found, wanted } => format!("it has {found} words instead of {wanted}"),
        PhraseFault::Checksum => "a word is wrong or in the wrong place: its check fails".to_string(),
        PhraseFault::Library(detail) => detail.clone(),
    }
}

fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NameTaken => "a random name was taken; run the command again".to_string(),
        Refusal::MarkSwept => "another process finished this collection".to_string(),
        Refusal::LastSlot => "this is the last key slot; add another one first".to_string(),
        Refusal::FeaturesChanged => {
            "other processes change this repository's features at the same time; run the command again"
                .to_string()
        }
        Refusal::OtherRepository { location } => {
            format!("{location} holds another repository, which is no replica of this one")
        }
        Refusal::SameReplica { location, of } => format!("{location} is the same replica as {of}"),
        Refusal::NoReplace { object } => {
            format!(
                "this storage can't put anything in the place of {}",
                self::object(object)
            )
        }
    }
}
