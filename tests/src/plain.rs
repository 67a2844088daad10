//! Reads generations with nothing but the objects: the index segments that are there, the packs that they list, and
//! no local index. What comes back here comes back on any machine.

use chunkstore::frame::Decoder;
use chunkstore::indexfile::IndexSegment;
use chunkstore::pack::Class;
use chunkstore::remote::Kind;
use chunkstore::store::Store;
use chunkstore::{ChunkId, ContentHash, Error as StoreError, IndexId, Place, SessionId, SmallFile};
use engine::Result;
use engine::entry::{Content, Extent, Kind as EntryKind, join};
use engine::repo::Repo;
use engine::tree::{Cursor, open_extent_list};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::generation::Files;

/// Chunks, and whether each is of metadata.
type ReadChunks = HashMap<(bool, ChunkId), Rc<[u8]>>;

/// Where each chunk lies, by all segments, in packs that are there.
struct Plain<'a> {
    store: &'a Store,
    places: HashMap<ChunkId, Vec<(Class, Place)>>,
    /// Where files were moved to.
    moved: HashMap<ContentHash, SmallFile>,
    decoder: RefCell<Decoder>,
    /// What was read already: generations share most of what they have.
    read: RefCell<ReadChunks>,
}

/// Every file of these generations.
pub fn read_each(repo: &Repo, ids: &[SessionId]) -> Result<Vec<Result<Files>>> {
    let plain = Plain::new(&repo.store)?;
    Ok(ids.iter().map(|id| plain.files(repo, *id)).collect())
}

impl<'a> Plain<'a> {
    fn new(store: &'a Store) -> Result<Self> {
        let present = store.packs()?;
        let mut ids = Vec::new();
        store.remote().list(Kind::Index, &mut |name, _| {
            ids.extend(IndexId::from_hex(name.id()));
            Ok(())
        })?;
        let mut places: HashMap<ChunkId, Vec<(Class, Place)>> = HashMap::new();
        let mut moved = HashMap::new();
        for id in ids {
            let segment = IndexSegment::load(store.remote(), store.keys(), id)?;
            for entry in &segment.entries {
                let pack = &segment.packs[entry.pack as usize];
                let place = segment.place(entry);
                if present.contains_key(&pack.id) {
                    places.entry(entry.id).or_default().push((pack.class, place));
                }
            }
            for part in &segment.parts {
                let entry = &segment.entries[part.at as usize];
                let (bundle, hash) = (entry.id, part.hash);
                let (offset, len) = (part.offset, part.len);
                if present.contains_key(&segment.packs[entry.pack as usize].id) {
                    moved.insert(
                        hash,
                        SmallFile {
                            bundle,
                            offset,
                            len,
                            hash,
                        },
                    );
                }
            }
        }
        Ok(Plain {
            store,
            places,
            moved,
            decoder: RefCell::new(Decoder::new()?),
            read: RefCell::default(),
        })
    }

    fn chunk(&self, class: Class, id: &ChunkId) -> Result<Rc<[u8]>> {
        if let Some(bytes) = self.read.borrow().get(&(class.is_tree(), *id)) {
            return Ok(bytes.clone());
        }
        let found = self
            .places
            .get(id)
            .and_then(|places| places.iter().find(|(of, _)| *of == class));
        let (_, place) = found.ok_or_else(|| StoreError::missing(chunkstore::error::Object::Chunk(*id)))?;
        let mut out = Vec::new();
        let (remote, keys) = (self.store.remote(), self.store.keys());
        let mut decoder = self.decoder.borrow_mut();
        decoder.read(remote, keys, class, *id, place, &mut out)?;
        let bytes = Rc::<[u8]>::from(out);
        self.read
            .borrow_mut()
            .insert((class.is_tree(), *id), bytes.clone());
        Ok(bytes)
    }

    fn files(&self, repo: &Repo, id: SessionId) -> Result<Files> {
        let mut files = Files::new();
        let root = repo.manifest(id)?.root()?;
        let mut cursor = Cursor::new(&root, |id: &ChunkId, _: Option<&Place>| {
            Ok(self.chunk(Class::Tree, id)?.to_vec())
        });
        while let Some(item) = cursor.next()? {
            if item.entry.kind == EntryKind::File {
                let path = String::from_utf8(join(&item.dir, &item.entry.name)).unwrap();
                files.insert(path, self.content(&item.entry.content)?);
            }
        }
        Ok(files)
    }

    fn content(&self, content: &Content) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut extents = |list: &[Extent]| -> Result<()> {
            for extent in list {
                match extent {
                    Extent::Chunk { id, .. } => bytes.extend_from_slice(&self.chunk(Class::Data, id)?),
                    Extent::Zero { len } => bytes.resize(bytes.len() + *len as usize, 0),
                }
            }
            Ok(())
        };
        match content {
            Content::None => {}
            Content::Bundled { .. } => {
                let file = content.small_file().unwrap();
                let moved = self.moved.get(&file.hash).unwrap_or(&file);
                let now = match self.places.contains_key(&file.bundle) {
                    true => &file,
                    false => moved,
                };
                return Ok(now
                    .slice(&self.chunk(Class::Data, &now.bundle)?)
                    .unwrap()
                    .to_vec());
            }
            Content::Extents(list) => extents(list)?,
            Content::Lists(lists) => {
                for list in lists {
                    extents(&open_extent_list(list, &self.chunk(Class::Tree, &list.id)?)?)?;
                }
            }
        }
        Ok(bytes)
    }
}
