//! How index segments get into the database.
//!
//! The first good copy of a chunk wins: what is listed later is kept beside it, in `copies`, and displaces it only
//! where the first lies in a condemned pack. So no segment can hide what another one lists.

use super::{
    BULK, Condemned, LocalIndex, copy_key, entry_value, failed, family_options, part_row, record_key,
};
use crate::error::Result;
use crate::id::{ChunkId, IndexId, PackId};
use crate::indexfile::{IndexEntry, IndexSegment};
use rocksdb::{Cache, IngestExternalFileOptions, SstFileWriter, WriteBatch};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// Chunks looked up at once.
const LOOK_UPS: usize = 1024;

/// The content of one entry, as it is stored, and whether new references may rest on it.
struct Said {
    value: [u8; 23],
    good: bool,
}

impl LocalIndex {
    pub(super) fn add(
        &self,
        id: IndexId,
        segment: &IndexSegment,
        condemned: &Condemned,
        mut batch: WriteBatch,
        absent: &BTreeSet<PackId>,
    ) -> Result<()> {
        let records: Vec<[u8; 8]> = segment.packs.iter().map(record_key).collect();
        let mut firsts: Vec<(ChunkId, [u8; 23])> = Vec::new();
        let groups: Vec<&[IndexEntry]> = segment.entries.chunk_by(|a, b| a.id == b.id).collect();
        for groups in groups.chunks(LOOK_UPS) {
            let known = self.first_copies(groups)?;
            for (group, known) in groups.iter().zip(known) {
                let said = group.iter().map(|entry| Said {
                    value: entry_value(&records[entry.pack as usize], entry),
                    good: self.is_usable(&segment.packs[entry.pack as usize].id, condemned),
                });
                self.add_chunk(
                    group[0].id,
                    said.collect(),
                    known,
                    condemned,
                    &mut firsts,
                    &mut batch,
                )?;
            }
        }
        match self.home.dir().filter(|_| firsts.len() >= BULK) {
            Some(dir) => {
                let rows = firsts.iter().map(|(id, value)| (id.0, *value));
                self.ingest_sorted(dir, "chunks", &id, rows)?;
            }
            None => {
                let chunks = self.cf("chunks")?;
                firsts
                    .iter()
                    .for_each(|(id, value)| batch.put_cf(chunks, id.0, value));
            }
        }
        self.add_parts(&id, segment, &records, &mut batch)?;
        for (pack, record) in segment.packs.iter().zip(&records) {
            if !absent.contains(&pack.id) {
                batch.put_cf(self.cf("packs")?, record, super::pack_value(pack));
            }
        }
        batch.put_cf(
            self.cf("segments")?,
            id.0,
            (segment.entries.len() as u64).to_le_bytes(),
        );
        self.db.write(batch).map_err(failed)?;
        self.empty.store(false, Relaxed);
        Ok(())
    }

    /// What the database has for the chunks of these entries.
    fn first_copies(&self, groups: &[&[IndexEntry]]) -> Result<Vec<Option<Vec<u8>>>> {
        if self.empty.load(Relaxed) {
            return Ok(vec![None; groups.len()]);
        }
        let keys = groups.iter().map(|group| &group[0].id.0);
        let values = self.db.batched_multi_get_cf(self.cf("chunks")?, keys, true);
        let owned = |value: Option<rocksdb::DBPinnableSlice<'_>>| value.map(|value| value.to_vec());
        values
            .into_iter()
            .map(|value| value.map(owned).map_err(failed))
            .collect()
    }

    /// Takes in what a segment lists of one chunk, beside what is known of it.
    fn add_chunk(
        &self,
        id: ChunkId,
        mut said: Vec<Said>,
        known: Option<Vec<u8>>,
        condemned: &Condemned,
        firsts: &mut Vec<(ChunkId, [u8; 23])>,
        batch: &mut WriteBatch,
    ) -> Result<()> {
        said.sort_by_key(|said| !said.good);
        let copies = self.cf("copies")?;
        let mut further = said.iter();
        match known {
            None => {
                if let Some(first) = further.next() {
                    firsts.push((id, first.value));
                }
            }
            Some(known) => {
                if said
                    .first()
                    .is_some_and(|first| first.good && first.value[..] != known[..])
                    && !self.is_good(&known, condemned)?
                    && let Some(first) = further.next()
                {
                    batch.put_cf(self.cf("chunks")?, id.0, first.value);
                    batch.put_cf(copies, copy_key(&id, &known), &known);
                } else {
                    further = said.iter();
                    let same = |said: &&Said| said.value[..] != known[..];
                    further
                        .filter(same)
                        .for_each(|said| batch.put_cf(copies, copy_key(&id, &said.value), said.value));
                    return Ok(());
                }
            }
        }
        further.for_each(|said| batch.put_cf(copies, copy_key(&id, &said.value), said.value));
        Ok(())
    }

    /// Whether new references may rest on a stored entry.
    fn is_good(&self, value: &[u8], condemned: &Condemned) -> Result<bool> {
        let Some(record) = value.get(..8) else {
            return Ok(false);
        };
        let pack = self.pack(record)?;
        Ok(pack.is_some_and(|pack| self.is_usable(&pack.id, condemned)))
    }

    fn add_parts(
        &self,
        id: &IndexId,
        segment: &IndexSegment,
        records: &[[u8; 8]],
        batch: &mut WriteBatch,
    ) -> Result<()> {
        let mut rows: Vec<([u8; 28], [u8; 40])> = segment
            .parts
            .iter()
            .map(|part| {
                let entry = &segment.entries[part.at as usize];
                part_row(part, entry, &records[entry.pack as usize])
            })
            .collect();
        let Some(dir) = self.home.dir().filter(|_| rows.len() >= BULK) else {
            let parts = self.cf("parts")?;
            rows.iter()
                .for_each(|(key, value)| batch.put_cf(parts, key, value));
            return Ok(());
        };
        rows.sort_unstable();
        rows.dedup_by_key(|(key, _)| *key);
        self.ingest_sorted(dir, "parts", id, rows.into_iter())
    }

    fn ingest_sorted<const K: usize, const V: usize>(
        &self,
        dir: &Path,
        family: &str,
        id: &IndexId,
        rows: impl Iterator<Item = ([u8; K], [u8; V])>,
    ) -> Result<()> {
        let path = dir.join(format!("{family}-{}.sst", &id.to_hex()[..16]));
        let options = family_options(family, &Cache::new_lru_cache(1 << 20));
        let mut writer = SstFileWriter::create(&options);
        writer.open(&path).map_err(failed)?;
        for (key, value) in rows {
            writer.put(key, value).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        self.db
            .ingest_external_file_cf_opts(self.cf(family)?, &options, vec![path])
            .map_err(failed)
    }
}
