//! Writer, cursor and diff against plain vectors.

use super::*;
use crate::tree::page::{INLINE_MAX, encode_page};
use std::collections::HashSet;

fn ids(pieces: &Pieces, root: &Root) -> Vec<ChunkId> {
    let mut cursor = pieces.cursor(root);
    let mut ids = Vec::new();
    while let Some(segment) = cursor.segment_ahead().unwrap() {
        ids.push(segment.segment.id);
        cursor.skip_piece();
    }
    ids
}

/// Writes `new` as a backup does: what the parent has equal is pushed as the same.
fn write_over(pieces: &Pieces, parent: &Root, new: &Stream) -> Root {
    let mut old = pieces.cursor(parent);
    let mut writer = TreeWriter::with_params(KEY, SMALL, pieces.store());
    for (dir, entry) in new {
        while old
            .peek_key()
            .is_some_and(|key| cmp_keys(key, (dir, &entry.name)).is_lt())
        {
            old.next().unwrap();
        }
        match old.peek().unwrap() {
            Some((other, same)) if other == dir && same == entry => {
                let item = old.next().unwrap().unwrap();
                writer.push_same(dir, item.entry, &item.pos).unwrap();
            }
            _ => writer.push(dir, entry.clone()).unwrap(),
        }
    }
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read(stream in stream(80)) {
        let pieces = Pieces::default();
        let root = pieces.write(SMALL, &stream);
        prop_assert_eq!(root.entries, stream.len() as u64);
        let files = stream.iter().filter(|(_, entry)| entry.kind == Kind::File);
        prop_assert_eq!(root.files, files.count() as u64);
        let bytes = stream.iter().fold(0u64, |sum, (_, entry)| sum.saturating_add(entry.meta.size));
        prop_assert_eq!(root.bytes, bytes);
        let coded = minicbor::to_vec(&root).unwrap();
        prop_assert_eq!(Root::decode(&coded).unwrap(), root.clone());
        prop_assert_eq!(pieces.read(&root), stream);
    }

    #[test]
    fn pushing_the_same_gives_what_pushing_gives(
        stream in stream(80),
        edits in edits(4),
        until in option::of(any::<Index>()),
    ) {
        let pieces = Pieces::default();
        // The parent may be a checkpoint, whose last segment ends where no cut is.
        let held = until.map_or(stream.len(), |until| until.index(stream.len()) + 1);
        let parent = pieces.write(SMALL, &stream[..held].to_vec());
        let new = edited(&stream, &edits);
        let over = write_over(&pieces, &parent, &new);
        prop_assert_eq!(&pieces.read(&over), &new);
        prop_assert_eq!(over, Pieces::default().write(SMALL, &new));
    }

    #[test]
    fn the_same_stream_stores_nothing(stream in stream(80)) {
        let pieces = Pieces::default();
        let root = pieces.write(SMALL, &stream);
        let before = pieces.stores.get();
        prop_assert_eq!(write_over(&pieces, &root, &stream), root);
        prop_assert_eq!(pieces.stores.get(), before);
    }

    #[test]
    fn checkpoints_are_prefixes_and_change_nothing(stream in stream(60), every in 1usize..20) {
        let pieces = Pieces::default();
        let mut writer = TreeWriter::with_params(KEY, SMALL, pieces.store());
        for (i, (dir, entry)) in stream.iter().enumerate() {
            if i % every == 0 {
                let root = writer.checkpoint().unwrap();
                prop_assert_eq!(&pieces.read(&root)[..], &stream[..i]);
            }
            writer.push(dir, entry.clone()).unwrap();
        }
        prop_assert_eq!(writer.finish().unwrap(), Pieces::default().write(SMALL, &stream));
    }

    #[test]
    fn seek_finds_what_a_search_finds(stream in stream(60), keys in vec((dir(), name()), 1..6)) {
        let pieces = Pieces::default();
        let root = pieces.write(SMALL, &stream);
        let mut cursor = pieces.cursor(&root);
        for (dir, name) in &keys {
            let at = stream.partition_point(|(d, e)| cmp_keys((d, &e.name), (dir, name)).is_lt());
            let before = pieces.loads.get();
            cursor.seek(dir, name).unwrap();
            prop_assert!(pieces.loads.get() - before <= 1);
            let key = stream.get(at).map(|(d, e)| (&**d, e.name.as_slice()));
            prop_assert_eq!(cursor.peek_key(), key);
            for want in &stream[at..stream.len().min(at + 3)] {
                let (dir, entry) = cursor.peek().unwrap().unwrap();
                prop_assert_eq!((dir, entry), (&want.0, &want.1));
                let item = cursor.next().unwrap().unwrap();
                prop_assert_eq!(&(item.dir, item.entry), want);
            }
        }
    }

    /// Listings go depth first: from a directory's entries to those of the directories in it, of which some are empty.
    #[test]
    fn going_on_loads_nothing_twice(stream in stream(60), empty in vec(dir(), 0..20)) {
        let pieces = Pieces::default();
        let root = pieces.write(SMALL, &stream);
        let segments = ids(&pieces, &root).len();
        let mut dirs: Vec<Vec<u8>> = stream.iter().map(|(dir, _)| dir.to_vec()).chain(empty).collect();
        dirs.sort_by(|a, b| crate::entry::cmp_dirs(a, b));
        dirs.dedup();
        let before = pieces.loads.get();
        let (mut cursor, mut read) = (pieces.cursor(&root), Stream::new());
        for dir in &dirs {
            cursor.seek(dir, b"").unwrap();
            while cursor.peek_key().is_some_and(|(at, _)| at == dir) {
                let item = cursor.next().unwrap().unwrap();
                read.push((item.dir, item.entry));
            }
        }
        prop_assert_eq!(read, stream);
        prop_assert!(pieces.loads.get() - before <= segments);
    }

    #[test]
    fn selections_are_what_a_walk_finds(stream in stream(60), keys in vec((dir(), name()), 0..6), every in 1usize..5) {
        let pieces = Pieces::default();
        let root = pieces.write(SMALL, &stream);
        let mut cursor = pieces.cursor(&root);
        let is_wanted = |dir: &[u8], name: &[u8]| (dir.len() + name.len()).is_multiple_of(every);
        let (mut asked, mut found) = (Vec::new(), Stream::new());
        while cursor.segment_ahead().unwrap().is_some() {
            let selected = cursor.select(&mut |dir, name| {
                asked.push((dir.to_vec(), name.to_vec()));
                is_wanted(dir, name)
            });
            found.extend(selected.unwrap());
        }
        let all: Vec<_> = stream.iter().map(|(dir, entry)| (dir.to_vec(), entry.name.clone())).collect();
        prop_assert_eq!(asked, all);
        let want: Stream = stream.iter().filter(|(dir, entry)| is_wanted(dir, &entry.name)).cloned().collect();
        prop_assert_eq!(found, want);
        let there = stream.iter().map(|(dir, entry)| (dir.to_vec(), entry.name.clone()));
        for (dir, name) in keys.into_iter().chain(there) {
            let path = crate::entry::join(&dir, &name);
            let want = pieces.cursor(&root).lookup(&path).unwrap().map(|item| item.entry);
            prop_assert_eq!(cursor.entry_at(&path).unwrap(), want);
        }
    }

    #[test]
    fn scopes_and_lookups(stream in stream(60), at in any::<Index>(), other in dir()) {
        let pieces = Pieces::default();
        let root = pieces.write(SMALL, &stream);
        let (dir, entry) = &stream[at.index(stream.len())];
        let mut cursor = pieces.cursor(&root);
        let path = crate::entry::join(dir, &entry.name);
        prop_assert_eq!(&cursor.lookup(&path).unwrap().unwrap().entry, entry);
        for path in [&**dir, &other] {
            cursor.under(path).unwrap();
            let below = [path, b"/"].concat();
            let inside = |d: &[u8]| path.is_empty() || d == path || d.starts_with(&below);
            let want: Stream = stream.iter().filter(|(d, _)| inside(d)).cloned().collect();
            prop_assert_eq!(rest(&mut cursor), want);
        }
        cursor.under(b"").unwrap();
        let found = stream.iter().any(|(d, e)| crate::entry::join(d, &e.name) == other);
        prop_assert_eq!(cursor.lookup(&other).unwrap().is_some(), found);
    }

    #[test]
    fn diff_is_what_comparing_gives(stream in stream(60), edits in edits(6)) {
        let pieces = Pieces::default();
        let new = edited(&stream, &edits);
        let roots = (pieces.write(SMALL, &stream), pieces.write(SMALL, &new));
        let mut got = Vec::new();
        for change in diff(pieces.cursor(&roots.0), pieces.cursor(&roots.1)) {
            got.push(match change.unwrap() {
                Change::Added(item) => (item.dir, None, Some(item.entry)),
                Change::Removed(item) => (item.dir, Some(item.entry), None),
                Change::Changed { dir, old, new, differs } => {
                    prop_assert!(differs.any());
                    (dir, Some(*old), Some(*new))
                }
            });
        }
        prop_assert_eq!(got, naive_diff(&stream, &new));
    }
}

type Difference = (DirPath, Option<Entry>, Option<Entry>);

fn naive_diff(old: &Stream, new: &Stream) -> Vec<Difference> {
    let find = |stream: &Stream, key: (&[u8], &[u8])| {
        stream
            .iter()
            .find(|(d, e)| (&**d, e.name.as_slice()) == key)
            .map(|(_, e)| e.clone())
    };
    let mut both: Stream = old.iter().chain(new).cloned().collect();
    sort(&mut both);
    both.dedup_by(|(a, x), (b, y)| a == b && x.name == y.name);
    let pairs = both.into_iter().map(|(dir, entry)| {
        let key = (&*dir, entry.name.as_slice());
        let (old, new) = (find(old, key), find(new, key));
        (dir, old, new)
    });
    pairs.filter(|(_, old, new)| old != new).collect()
}

const MIDDLE: cut::Params = cut::Params {
    min_cost: 1500,
    max_cost: 12_000,
    max_entries: 400,
    mask: 31,
};

#[test]
fn an_edit_changes_few_segments() {
    let stream = plain_stream(6000);
    let pieces = Pieces::default();
    let old: HashSet<_> = ids(&pieces, &pieces.write(MIDDLE, &stream)).into_iter().collect();
    assert!(old.len() > 80);
    let mut worst = 0;
    let mut all = 0;
    for at in (0..6000).step_by(150) {
        let mut new = stream.clone();
        let (dir, mut entry) = new[at].clone();
        entry.name.push(b'x');
        if at % 300 == 0 {
            new.remove(at);
        } else {
            new.insert(at + 1, (dir, entry));
        }
        let changed = ids(&pieces, &pieces.write(MIDDLE, &new))
            .iter()
            .filter(|id| !old.contains(id))
            .count();
        worst = worst.max(changed);
        all += changed;
    }
    assert!(worst <= 12 && all <= 40 * 3, "worst {worst}, all {all}");
}

#[test]
fn default_segments_are_as_large_as_meant() {
    let pieces = Pieces::default();
    let root = pieces.write(cut::Params::default(), &plain_stream(60_000));
    let Segments::Inline(rows) = &root.segments else {
        panic!("pages for {} entries", root.entries);
    };
    let mean = 60_000 / rows.len();
    assert!((1500..6000).contains(&mean), "{mean}");
    assert!(
        rows.iter()
            .all(|row| row.plain_len < 2 << 20 && row.entries <= 16_384)
    );
}

/// One entry a segment.
const SINGLE: cut::Params = cut::Params {
    min_cost: 0,
    max_cost: 0,
    max_entries: 1,
    mask: 0,
};

#[test]
fn very_many_segments_go_on_pages() {
    let stream = plain_stream(5000);
    let pieces = Pieces::default();
    let root = pieces.write(SINGLE, &stream);
    let Segments::Pages(pages) = &root.segments else {
        panic!("segments in the root");
    };
    assert!((5..40).contains(&pages.len()), "{}", pages.len());
    assert_eq!(pages.iter().map(|page| page.segments).sum::<u32>(), 5000);
    assert_eq!(Root::decode(&minicbor::to_vec(&root).unwrap()).unwrap(), root);
    assert_eq!(pieces.read(&root), stream);

    let mut cursor = pieces.cursor(&root);
    for at in [4999, 0, 2500, 2501, 700] {
        let (dir, entry) = &stream[at];
        let before = pieces.loads.get();
        let path = crate::entry::join(dir, &entry.name);
        assert_eq!(
            cursor.lookup(&path).unwrap().map(|item| item.entry).as_ref(),
            Some(entry)
        );
        assert!(pieces.loads.get() - before <= 2);
    }

    let mut cursor = pieces.cursor(&root);
    let passed = cursor.skip_piece().unwrap();
    assert_eq!(passed, pages[0].span);
    let path = crate::entry::join(&stream[3].0, &stream[3].1.name);
    assert!(cursor.lookup(&path).unwrap().is_some());

    // The same again stores neither segments nor pages; a touched entry its segment and its page.
    let rewrite = |touched: Option<usize>| {
        let before = pieces.stores.get();
        let mut writer = TreeWriter::with_params(KEY, SINGLE, pieces.store());
        let mut cursor = pieces.cursor(&root);
        for i in 0.. {
            let Some(mut item) = cursor.next().unwrap() else {
                break;
            };
            if touched == Some(i) {
                item.entry.meta.ino += 1;
                writer.push(&item.dir, item.entry).unwrap();
            } else {
                writer.push_same(&item.dir, item.entry, &item.pos).unwrap();
            }
        }
        (writer.finish().unwrap(), pieces.stores.get() - before)
    };
    assert_eq!(rewrite(None), (root.clone(), 0));
    let (touched, stored) = rewrite(Some(3333));
    assert!((2..5).contains(&stored), "{stored}");

    // What both share is not read: the page of either, and the two segments.
    let before = pieces.loads.get();
    let changes: Vec<_> = diff(pieces.cursor(&root), pieces.cursor(&touched)).collect();
    assert_eq!(changes.len(), 1);
    assert!(
        pieces.loads.get() - before <= 8,
        "{}",
        pieces.loads.get() - before
    );
}

#[test]
fn pages_begin_past_what_a_root_holds() {
    let stream = plain_stream(INLINE_MAX + 1);
    let pieces = Pieces::default();
    let mut writer = TreeWriter::with_params(KEY, SINGLE, pieces.store());
    for (i, (dir, entry)) in stream.iter().enumerate() {
        writer.push(dir, entry.clone()).unwrap();
        if i + 1 == INLINE_MAX {
            let root = writer.checkpoint().unwrap();
            assert!(matches!(&root.segments, Segments::Inline(rows) if rows.len() == INLINE_MAX));
        }
    }
    let root = writer.checkpoint().unwrap();
    assert!(matches!(&root.segments, Segments::Pages(_)));
    assert_eq!(pieces.read(&root), stream);
    assert_eq!(writer.finish().unwrap(), root);
}

#[test]
fn no_entries() {
    let pieces = Pieces::default();
    let root = pieces.write(SMALL, &Stream::new());
    assert_eq!((root.entries, pieces.stores.get()), (0, 0));
    assert_eq!(Root::decode(&minicbor::to_vec(&root).unwrap()).unwrap(), root);
    let mut cursor = pieces.cursor(&root);
    assert!(cursor.lookup(b"a").unwrap().is_none() && cursor.next().unwrap().is_none());
}

#[test]
fn entries_out_of_order_are_refused_and_leave_no_trace() {
    let stream = plain_stream(50);
    let pieces = Pieces::default();
    let mut writer = TreeWriter::with_params(KEY, SMALL, pieces.store());
    for (i, (dir, entry)) in stream.iter().enumerate() {
        writer.push(dir, entry.clone()).unwrap();
        assert!(writer.push(dir, entry.clone()).is_err());
        let (dir, entry) = &stream[i / 2];
        assert!(writer.push(dir, entry.clone()).is_err());
    }
    assert_eq!(writer.finish().unwrap(), pieces.write(SMALL, &stream));
}

#[test]
fn pieces_that_do_not_fit_are_damage() {
    let stream = plain_stream(60);
    let pieces = Pieces::default();
    let root = pieces.write(SMALL, &stream);
    let Segments::Inline(rows) = &root.segments else {
        panic!("pages");
    };
    let refused = |spoil: &dyn Fn(&mut Vec<SegmentRef>)| {
        let mut rows = rows.clone();
        spoil(&mut rows);
        let mut root = root.clone();
        root.segments = Segments::Inline(rows);
        let is_damage = |read: Result<()>| match read {
            Ok(()) => false,
            Err(crate::Error::Store(e)) => e.is_damage(),
            Err(e) => panic!("{e}"),
        };
        let mut cursor = pieces.cursor(&root);
        let mut walk = std::iter::from_fn(|| cursor.next().transpose());
        let walked = is_damage(walk.try_for_each(|item| item.map(drop)));
        // Names alone show it, too.
        let mut cursor = pieces.cursor(&root);
        let mut selected = Ok(());
        while selected.is_ok() && cursor.segment_ahead().unwrap().is_some() {
            selected = cursor.select(&mut |_, _| false).map(drop);
        }
        assert_eq!(is_damage(selected), walked);
        walked
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|rows| rows[1].id = rows[2].id));
    assert!(refused(&|rows| rows[1].entries += 1));
    assert!(refused(&|rows| rows[1].first_name.push(b'x')));
    assert!(refused(&|rows| rows[2].first_name = b"a".to_vec()));
    assert!(refused(&|rows| rows[1].id = ChunkId([0; 32])));

    let decode = |rows: &[SegmentRef]| decode_page(&encode_page(rows.iter()).unwrap());
    assert_eq!(decode(rows).as_deref(), Ok(&rows[..]));
    let mut swapped = rows.clone();
    swapped.swap(0, 1);
    assert!(decode(&swapped).is_err());
    let mut totals = root.clone();
    totals.bytes += 1;
    assert!(Root::decode(&minicbor::to_vec(&totals).unwrap()).is_err());
}

/// A lost segment or page takes its entries along and no others.
#[test]
fn damage_is_passed_over() {
    let stream = plain_stream(3000);
    let pieces = Pieces::default();
    for params in [SMALL, SINGLE] {
        let root = pieces.write(params, &stream);
        let lost = match &root.segments {
            Segments::Inline(rows) => rows[7].clone(),
            Segments::Pages(pages) => pages[1].span.clone(),
        };
        let gone = pieces.kept.borrow_mut().remove(&lost.id).unwrap();
        let mut cursor = pieces.cursor(&root);
        let (mut read, mut passed) = (Stream::new(), Vec::new());
        loop {
            match cursor.next() {
                Ok(Some(item)) => read.push((item.dir, item.entry)),
                Ok(None) => break,
                Err(_) => passed.push(cursor.skip_piece().unwrap()),
            }
        }
        assert_eq!(passed, vec![lost.clone()]);
        let first = stream
            .iter()
            .position(|(_, entry)| entry.name == lost.first_name)
            .unwrap();
        let mut want = stream.clone();
        want.drain(first..first + lost.entries as usize);
        assert!(read == want);
        pieces.kept.borrow_mut().insert(lost.id, gone);
    }
}

#[test]
fn files_of_many_extents() {
    let chunk = |i: u64| Extent::Chunk {
        id: ChunkId(blake3::hash(&i.to_le_bytes()).into()),
        len: 10,
    };
    let pieces = Pieces::default();
    let write = |extents: &[Extent]| {
        let mut writer = ExtentListWriter::new(pieces.store());
        for extent in extents {
            writer.push(*extent).unwrap();
        }
        writer.finish().unwrap()
    };
    assert_eq!(write(&[]), Content::None);
    let few: Vec<_> = (0..4096).map(chunk).collect();
    assert_eq!(write(&few), Content::Extents(few.clone()));
    let zeros = [Extent::Zero { len: 1 }, Extent::Zero { len: 2 }, chunk(0)];
    assert_eq!(
        write(&zeros),
        Content::Extents(vec![Extent::Zero { len: 3 }, chunk(0)])
    );

    let many: Vec<_> = (0..30_000).map(chunk).collect();
    let Content::Lists(lists) = write(&many) else {
        panic!("no lists");
    };
    assert!((10..80).contains(&lists.len()), "{}", lists.len());
    let mut load = pieces.load();
    let read = lists
        .iter()
        .flat_map(|list| open_extent_list(list, &load(&list.id, None).unwrap()).unwrap());
    assert_eq!(read.collect::<Vec<_>>(), many);

    let mut patched = many.clone();
    patched[15_000] = chunk(1 << 40);
    let Content::Lists(other) = write(&patched) else {
        panic!("no lists");
    };
    let new = other.iter().filter(|list| !lists.contains(list)).count();
    assert!(new <= 3, "{new}");

    let mut wrong = lists[0];
    wrong.bytes += 1;
    assert!(open_extent_list(&wrong, &load(&wrong.id, None).unwrap()).is_err());
    assert!(
        ExtentListWriter::new(pieces.store())
            .push(Extent::Zero { len: 0 })
            .is_err()
    );
}
