//! The columns of metadata of a segment: kinds, owners, times, numbers, attributes; written and read side by side.

use super::bytes::{Reader, put_bytes, put_varint, unzigzag, zigzag};
use super::columns::{Dictionary, Lookup, Sparse, SparseReader, Times, TimesReader};
use super::fault::{CodecError, TreeFault, TreePart, damaged, newer};
use super::limits;
use super::sections::{Section, Sections};
use super::troubles::{put_trouble, read_trouble};
use crate::entry::{Content, Entry, Kind, Meta, Time, Xattr};
use chunkstore::error::TreeFeature;
use std::sync::Arc;

fn kind_code(kind: &Kind) -> u8 {
    match kind {
        Kind::File => 0,
        Kind::Dir => 1,
        Kind::Symlink { .. } => 2,
        Kind::CharDevice { .. } => 3,
        Kind::BlockDevice { .. } => 4,
        Kind::Fifo => 5,
        Kind::Socket => 6,
    }
}

const KINDS: usize = 7;

/// What most entries of a directory have in common, one row of a dictionary.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Attr<S> {
    kind: u8,
    mode: u32,
    uid: u32,
    gid: u32,
    user: S,
    group: S,
}

impl<S: AsRef<str>> Attr<S> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.kind);
        for value in [self.mode, self.uid, self.gid] {
            put_varint(out, u64::from(value));
        }
        put_bytes(out, self.user.as_ref().as_bytes());
        put_bytes(out, self.group.as_ref().as_bytes());
    }
}

impl Attr<Arc<str>> {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let kind = reader.byte()?;
        if usize::from(kind) >= KINDS {
            return Err(newer(TreeFeature::EntryType(kind.into())));
        }
        let attr = Attr {
            kind,
            mode: reader.u32()?,
            uid: reader.u32()?,
            gid: reader.u32()?,
            user: owner(reader)?,
            group: owner(reader)?,
        };
        limits::check_mode(attr.mode)?;
        Ok(attr)
    }
}

fn owner(reader: &mut Reader<'_>) -> Result<Arc<str>, CodecError> {
    let bytes = reader.bytes(limits::OWNER, (TreePart::Owner, TreeFault::TooLong))?;
    match std::str::from_utf8(bytes) {
        Ok(name) => Ok(name.into()),
        Err(_) => damaged(TreePart::Owner, TreeFault::Undecodable),
    }
}

fn put_xattrs(xattrs: &[Xattr], out: &mut Vec<u8>) {
    put_varint(out, xattrs.len() as u64);
    for xattr in xattrs {
        put_bytes(out, &xattr.name);
        put_bytes(out, &xattr.value);
    }
}

fn read_xattrs(reader: &mut Reader<'_>, left: &mut usize) -> Result<Arc<[Xattr]>, CodecError> {
    let count = reader.up_to(limits::XATTRS.min(*left), (TreePart::Xattrs, TreeFault::TooMany))?;
    *left -= count;
    let mut xattrs = Vec::new();
    for _ in 0..count {
        let name = reader.bytes(limits::XATTR_NAME, (TreePart::XattrName, TreeFault::OutOfRange))?;
        let value = reader.bytes(limits::XATTR_VALUE, (TreePart::Xattr, TreeFault::TooLong))?;
        xattrs.push(Xattr {
            name: name.to_vec(),
            value: value.to_vec(),
        });
    }
    limits::check_xattrs(&xattrs)?;
    if xattrs.is_empty() {
        damaged(TreePart::Xattrs, TreeFault::Empty)
    } else {
        Ok(xattrs.into())
    }
}

/// Bytes of a file that its content accounts for; mostly its size, so that sizes are sparse.
fn covered(content: &Content) -> u64 {
    match content {
        Content::None => 0,
        Content::Bundled { len, .. } => u64::from(*len),
        Content::Extents(extents) => extents
            .iter()
            .fold(0, |sum, extent| sum.wrapping_add(extent.len())),
        Content::Lists(lists) => lists.iter().fold(0, |sum, list| sum.wrapping_add(list.bytes)),
    }
}

/// Collects the metadata of a segment's entries, in order.
pub(super) struct MetaEncoder<'a> {
    at: usize,
    attrs: Dictionary<Attr<&'a str>>,
    /// Row used last for each kind: neighbours mostly have one owner and one mode.
    recent: [Option<(usize, &'a Meta)>; KINDS],
    attr_rows: Vec<u8>,
    mtimes: Times,
    ctimes: Times,
    btimes: Times,
    btime_bits: Vec<u8>,
    inodes: Vec<u8>,
    last_ino: u64,
    devices: Dictionary<u64>,
    last_device: Option<(u64, usize)>,
    device_rows: Vec<u8>,
    links: Sparse,
    sizes: Sparse,
    xattrs: Dictionary<&'a [Xattr]>,
    xattr_rows: Sparse,
    flags: Sparse,
    targets: Vec<u8>,
    rdevs: Vec<u8>,
    troubles: Sparse,
}

impl<'a> MetaEncoder<'a> {
    pub(super) fn new(count: usize) -> Self {
        Self {
            at: 0,
            attrs: Dictionary::new(),
            recent: [None; KINDS],
            attr_rows: Vec::with_capacity(count),
            mtimes: Times::default(),
            ctimes: Times::default(),
            btimes: Times::default(),
            btime_bits: vec![0; count.div_ceil(8)],
            inodes: Vec::with_capacity(count * 2),
            last_ino: 0,
            devices: Dictionary::new(),
            last_device: None,
            device_rows: Vec::with_capacity(count),
            links: Sparse::default(),
            sizes: Sparse::default(),
            xattrs: Dictionary::new(),
            xattr_rows: Sparse::default(),
            flags: Sparse::default(),
            targets: Vec::new(),
            rdevs: Vec::new(),
            troubles: Sparse::default(),
        }
    }

    pub(super) fn push(&mut self, entry: &'a Entry) {
        let at = self.at;
        let meta = &entry.meta;
        self.push_attrs(&entry.kind, meta);
        self.push_times(meta);
        self.push_ids(meta);
        if meta.nlink != 1 {
            put_varint(self.links.at(at), meta.nlink);
        }
        let excess = meta.size.wrapping_sub(covered(&entry.content));
        if excess != 0 {
            put_varint(self.sizes.at(at), zigzag(excess as i64));
        }
        if !meta.xattrs.is_empty() {
            let row = self.xattrs.row(&meta.xattrs);
            put_varint(self.xattr_rows.at(at), row as u64);
        }
        if meta.flags != 0 {
            put_varint(self.flags.at(at), meta.flags.into());
        }
        match &entry.kind {
            Kind::Symlink { target } => put_bytes(&mut self.targets, target),
            Kind::CharDevice { rdev } | Kind::BlockDevice { rdev } => put_varint(&mut self.rdevs, *rdev),
            Kind::File | Kind::Dir | Kind::Fifo | Kind::Socket => {}
        }
        if let Some(trouble) = entry.trouble {
            put_trouble(self.troubles.at(at), trouble);
        }
        self.at += 1;
    }

    fn push_attrs(&mut self, kind: &Kind, meta: &'a Meta) {
        let kind = kind_code(kind);
        let same = |other: &Meta| {
            (meta.mode, meta.uid, meta.gid) == (other.mode, other.uid, other.gid)
                && meta.user == other.user
                && meta.group == other.group
        };
        let recent = &mut self.recent[usize::from(kind)];
        let row = match recent {
            Some((row, other)) if same(other) => *row,
            _ => {
                let row = self.attrs.row(Attr {
                    kind,
                    mode: meta.mode,
                    uid: meta.uid,
                    gid: meta.gid,
                    user: &*meta.user,
                    group: &*meta.group,
                });
                *recent = Some((row, meta));
                row
            }
        };
        put_varint(&mut self.attr_rows, row as u64);
    }

    fn push_times(&mut self, meta: &Meta) {
        self.mtimes.push(meta.mtime, Time::default());
        self.ctimes.push(meta.ctime, meta.mtime);
        if let Some(btime) = meta.btime {
            self.btimes.push(btime, meta.ctime);
            self.btime_bits[self.at / 8] |= 1 << (self.at % 8);
        }
    }

    fn push_ids(&mut self, meta: &Meta) {
        let step = meta.ino.wrapping_sub(self.last_ino) as i64;
        put_varint(&mut self.inodes, zigzag(step));
        self.last_ino = meta.ino;
        let row = match self.last_device {
            Some((dev, row)) if dev == meta.dev => row,
            _ => self.devices.row(meta.dev),
        };
        self.last_device = Some((meta.dev, row));
        put_varint(&mut self.device_rows, row as u64);
    }

    pub(super) fn finish(self, sections: &mut Sections) {
        let mut attrs = self.attrs.put(|row, out| row.put(out));
        attrs.extend_from_slice(&self.attr_rows);
        sections.set(Section::Attrs, attrs);
        sections.set(Section::Mtimes, self.mtimes.finish());
        sections.set(Section::Ctimes, self.ctimes.finish());
        let btimes = self.btimes.finish();
        if !btimes.is_empty() {
            sections.set(Section::Btimes, [self.btime_bits, btimes].concat());
        }
        sections.set(Section::Inodes, self.inodes);
        let mut devices = self.devices.put(|dev, out| put_varint(out, *dev));
        if self.devices.rows.len() > 1 {
            devices.extend_from_slice(&self.device_rows);
        }
        sections.set(Section::Devices, devices);
        sections.set(Section::Links, self.links.out);
        sections.set(Section::Sizes, self.sizes.out);
        if !self.xattrs.rows.is_empty() {
            let table = self.xattrs.put(|xattrs, out| put_xattrs(xattrs, out));
            sections.set(Section::Xattrs, [table, self.xattr_rows.out].concat());
        }
        sections.set(Section::Flags, self.flags.out);
        sections.set(Section::Targets, self.targets);
        sections.set(Section::Rdevs, self.rdevs);
        sections.set(Section::Troubles, self.troubles.out);
    }
}

/// Gives the entries of a segment back, in order.
pub(super) struct MetaDecoder<'a> {
    at: usize,
    attrs: Lookup<Attr<Arc<str>>>,
    attr_rows: Reader<'a>,
    mtimes: TimesReader<'a>,
    ctimes: TimesReader<'a>,
    btimes: TimesReader<'a>,
    /// Empty when no entry has a time of birth.
    btime_bits: &'a [u8],
    inodes: Reader<'a>,
    last_ino: u64,
    devices: Lookup<u64>,
    device_rows: Reader<'a>,
    links: SparseReader<'a>,
    sizes: SparseReader<'a>,
    xattrs: Lookup<Arc<[Xattr]>>,
    xattr_rows: SparseReader<'a>,
    no_xattrs: Arc<[Xattr]>,
    flags: SparseReader<'a>,
    targets: Reader<'a>,
    rdevs: Reader<'a>,
    troubles: SparseReader<'a>,
}

impl<'a> MetaDecoder<'a> {
    pub(super) fn open(sections: &Sections<&'a [u8]>, count: usize) -> Result<Self, CodecError> {
        let reader = |section| Reader::new(sections.get(section));
        let mut attr_rows = reader(Section::Attrs);
        let attrs = Lookup::read(&mut attr_rows, count, Attr::read)?;
        let mut device_rows = reader(Section::Devices);
        let devices = Lookup::read(&mut device_rows, count, Reader::varint)?;
        let (btime_bits, btimes) = open_btimes(sections.get(Section::Btimes), count)?;
        let mut xattr_rows = reader(Section::Xattrs);
        let mut left = limits::XATTRS_IN_SEGMENT;
        let xattrs = match xattr_rows.is_empty() {
            true => Lookup::empty(),
            false => Lookup::read(&mut xattr_rows, count, |reader| read_xattrs(reader, &mut left))?,
        };
        if xattrs.rows.is_empty() && !sections.get(Section::Xattrs).is_empty() {
            return damaged(TreePart::Xattrs, TreeFault::Empty);
        }
        Ok(Self {
            at: 0,
            attrs,
            attr_rows,
            mtimes: TimesReader::open(sections.get(Section::Mtimes), count)?,
            ctimes: TimesReader::open(sections.get(Section::Ctimes), count)?,
            btimes,
            btime_bits,
            inodes: reader(Section::Inodes),
            last_ino: 0,
            devices,
            device_rows,
            links: SparseReader::new(reader(Section::Links))?,
            sizes: SparseReader::new(reader(Section::Sizes))?,
            xattrs,
            xattr_rows: SparseReader::new(xattr_rows)?,
            no_xattrs: Arc::new([]),
            flags: SparseReader::new(reader(Section::Flags))?,
            targets: reader(Section::Targets),
            rdevs: reader(Section::Rdevs),
            troubles: SparseReader::new(reader(Section::Troubles))?,
        })
    }

    /// The next entry, whose name and content were read elsewhere.
    pub(super) fn entry(&mut self, name: Vec<u8>, content: Content) -> Result<Entry, CodecError> {
        let (kind, mut meta) = self.attrs()?;
        meta.mtime = self.mtimes.next(Time::default())?;
        meta.ctime = self.ctimes.next(meta.mtime)?;
        meta.btime = self.btime(meta.ctime)?;
        self.last_ino = self.last_ino.wrapping_add(unzigzag(self.inodes.varint()?) as u64);
        meta.ino = self.last_ino;
        meta.dev = self.device()?;
        let at = self.at;
        meta.nlink = differing(self.links.take(at, Reader::varint)?, 1)?;
        let excess = differing(self.sizes.take(at, Reader::varint)?, 0)?;
        meta.size = covered(&content).wrapping_add(unzigzag(excess) as u64);
        let xattrs = &mut self.xattrs;
        if let Some(found) = self
            .xattr_rows
            .take(at, |reader| xattrs.follow(reader).cloned())?
        {
            meta.xattrs = found;
        }
        let flags = self.flags.take(at, |reader| reader.u32().map(u64::from))?;
        meta.flags = differing(flags, 0)? as u32;
        let trouble = self.troubles.take(at, read_trouble)?;
        self.at += 1;
        let entry = Entry {
            name,
            kind,
            meta,
            content,
            trouble,
        };
        limits::check_kind(&entry)?;
        Ok(entry)
    }

    fn attrs(&mut self) -> Result<(Kind, Meta), CodecError> {
        let attr = self.attrs.follow(&mut self.attr_rows)?;
        let kind = match attr.kind {
            0 => Kind::File,
            1 => Kind::Dir,
            2 => {
                let target = self
                    .targets
                    .bytes(limits::TARGET, (TreePart::LinkTarget, TreeFault::TooLong))?;
                limits::check_target(target)?;
                Kind::Symlink {
                    target: target.to_vec(),
                }
            }
            3 => Kind::CharDevice {
                rdev: self.rdevs.varint()?,
            },
            4 => Kind::BlockDevice {
                rdev: self.rdevs.varint()?,
            },
            5 => Kind::Fifo,
            _ => Kind::Socket,
        };
        let meta = Meta {
            mode: attr.mode,
            uid: attr.uid,
            gid: attr.gid,
            user: attr.user.clone(),
            group: attr.group.clone(),
            size: 0,
            mtime: Time::default(),
            ctime: Time::default(),
            btime: None,
            dev: 0,
            ino: 0,
            nlink: 1,
            xattrs: self.no_xattrs.clone(),
            flags: 0,
        };
        Ok((kind, meta))
    }

    fn btime(&mut self, like: Time) -> Result<Option<Time>, CodecError> {
        match self.btime_bits.get(self.at / 8) {
            Some(bits) if bits >> (self.at % 8) & 1 == 1 => self.btimes.next(like).map(Some),
            _ => Ok(None),
        }
    }

    fn device(&mut self) -> Result<u64, CodecError> {
        match *self.devices.rows.as_slice() {
            [_] => self.devices.get(0).copied(),
            _ => self.devices.follow(&mut self.device_rows).copied(),
        }
    }

    pub(super) fn end(&self) -> Result<(), CodecError> {
        for times in [&self.mtimes, &self.ctimes, &self.btimes] {
            times.secs.end()?;
            times.nanos.end()?;
        }
        for column in [
            &self.attr_rows,
            &self.inodes,
            &self.device_rows,
            &self.targets,
            &self.rdevs,
        ] {
            column.end()?;
        }
        for column in [
            &self.links,
            &self.sizes,
            &self.xattr_rows,
            &self.flags,
            &self.troubles,
        ] {
            column.end()?;
        }
        self.attrs.end()?;
        self.devices.end()?;
        self.xattrs.end()
    }
}

/// The value listed, or the usual one, which may not be listed.
fn differing(listed: Option<u64>, usual: u64) -> Result<u64, CodecError> {
    match listed {
        Some(value) if value == usual => damaged(TreePart::Table, TreeFault::NotCanonical),
        Some(value) => Ok(value),
        None => Ok(usual),
    }
}

/// A bit for each entry, then the times of those whose bit is set.
fn open_btimes(section: &[u8], count: usize) -> Result<(&[u8], TimesReader<'_>), CodecError> {
    if section.is_empty() {
        return Ok((section, TimesReader::open(section, 0)?));
    }
    let mut reader = Reader::new(section);
    let bits = reader.take(count.div_ceil(8))?;
    let set: usize = bits.iter().map(|byte| byte.count_ones() as usize).sum();
    if set == 0 || set > count {
        return damaged(TreePart::Time, TreeFault::OutOfRange);
    }
    let times = TimesReader::open(reader.take(reader.len())?, set)?;
    // A bit past the last entry leaves a time that no entry takes, which `end` refuses.
    Ok((bits, times))
}
