//! Entries as `ls` and `find` show them, with restic's names. There may be millions, so a line is written from the entry,
//! without a tree of values in between.

use crate::catalogue::{Lang, faults};
use crate::text;
use engine::entry::{Entry, Kind, Time};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

/// In the order in which all our JSON has its fields: the type first, the others by name.
#[derive(Serialize)]
struct EntryFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_type: Option<&'static str>,
    /// No time of reading is kept, and restic's default is the time of modification, too.
    #[serde(serialize_with = "rfc3339")]
    atime: Time,
    #[serde(serialize_with = "rfc3339")]
    ctime: Time,
    device_id: u64,
    gid: u32,
    group: &'a str,
    inode: u64,
    links: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    linktarget: Option<Cow<'a, str>>,
    mode: u32,
    #[serde(serialize_with = "rfc3339")]
    mtime: Time,
    name: Cow<'a, str>,
    path: Cow<'a, str>,
    permissions: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    struct_type: Option<&'static str>,
    /// Of the path.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [&'a str],
    r#type: &'static str,
    uid: u32,
    user: &'a str,
}

impl<'a> EntryFields<'a> {
    /// `path` is from the root.
    fn new(path: &'a [u8], entry: &'a Entry) -> EntryFields<'a> {
        let meta = &entry.meta;
        let (size, target) = match &entry.kind {
            Kind::File => (Some(meta.size), None),
            Kind::Symlink { target } => (None, Some(String::from_utf8_lossy(target))),
            Kind::Dir | Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo | Kind::Socket => {
                (None, None)
            }
        };
        EntryFields {
            message_type: None,
            atime: meta.mtime,
            ctime: meta.ctime,
            device_id: meta.dev,
            gid: meta.gid,
            group: &meta.group,
            inode: meta.ino,
            links: meta.nlink,
            linktarget: target,
            mode: go_mode(entry),
            mtime: meta.mtime,
            name: String::from_utf8_lossy(&entry.name),
            path: String::from_utf8_lossy(path),
            permissions: text::mode(text::kind_letter(&entry.kind), meta.mode),
            problem: entry.trouble.map(|trouble| faults::trouble(Lang::En, trouble)),
            size,
            struct_type: None,
            tags: &[],
            r#type: kind_word(&entry.kind),
            uid: meta.uid,
            user: &meta.user,
        }
    }

    fn node(path: &'a [u8], entry: &'a Entry) -> EntryFields<'a> {
        EntryFields {
            message_type: Some("node"),
            struct_type: Some("node"),
            ..EntryFields::new(path, entry)
        }
    }

    fn tagged(self, tags: &'a [&'a str]) -> EntryFields<'a> {
        EntryFields { tags, ..self }
    }

    fn text(&self) -> String {
        // Numbers and strings can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn value(&self) -> Value {
        // As above.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// An entry as an object that more can be added to.
pub fn entry(path: &[u8], entry: &Entry) -> Value {
    EntryFields::new(&text::absolute(path), entry).value()
}

/// The same as text, with the tags of its path.
pub fn entry_text(path: &[u8], entry: &Entry, tags: &[&str]) -> String {
    EntryFields::new(&text::absolute(path), entry).tagged(tags).text()
}

/// An entry as `ls` shows it.
pub fn node(path: &[u8], entry: &Entry) -> Value {
    EntryFields::node(&text::absolute(path), entry).value()
}

/// The same as text, with the tags of its path.
pub fn node_line(path: &[u8], entry: &Entry, tags: &[&str]) -> String {
    EntryFields::node(&text::absolute(path), entry)
        .tagged(tags)
        .text()
}

/// Nothing for a time that no calendar has.
fn rfc3339<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
    match Timestamp::new(time.secs, time.nanos.min(999_999_999).cast_signed()) {
        Ok(at) => to.collect_str(&at),
        Err(_) => to.serialize_none(),
    }
}

/// restic's word for what an entry is.
fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Symlink { .. } => "symlink",
        Kind::CharDevice { .. } => "chardev",
        Kind::BlockDevice { .. } => "dev",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
    }
}

/// The bits that Go, and so restic, adds for an entry's type.
fn go_mode(entry: &Entry) -> u32 {
    let kind = match entry.kind {
        Kind::File => 0,
        Kind::Dir => 1 << 31,
        Kind::Symlink { .. } => 1 << 27,
        Kind::BlockDevice { .. } => 1 << 26,
        Kind::CharDevice { .. } => 1 << 26 | 1 << 21,
        Kind::Fifo => 1 << 25,
        Kind::Socket => 1 << 24,
    };
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = special.into_iter().filter(|(bit, _)| entry.meta.mode & bit != 0);
    special.fold(kind | entry.meta.mode & 0o777, |mode, (_, bit)| mode | bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::entry::{Content, Trouble};
    use engine::fsmeta::Blank;

    fn sample(kind: Kind) -> Entry {
        let mut meta = Blank::default().meta();
        (meta.mode, meta.uid, meta.gid, meta.user) = (0o4751, 1000, 100, "ann \"a\"".into());
        (meta.size, meta.dev, meta.ino, meta.nlink) = (7, 3, u64::MAX, 2);
        (meta.mtime.secs, meta.mtime.nanos, meta.ctime.secs) = (-1, 500_000_000, i64::MAX);
        Entry {
            name: b"b\xff\n".to_vec(),
            kind,
            meta,
            content: Content::None,
            trouble: None,
        }
    }

    #[test]
    fn lines_of_ls() {
        assert_eq!(
            node_line(b"a/b\xff\n", &sample(Kind::File), &["keep"]),
            concat!(
                r#"{"message_type":"node","atime":"1969-12-31T23:59:59.5Z","ctime":null,"device_id":3,"gid":100,"#,
                r#""group":"","inode":18446744073709551615,"links":2,"mode":8389097,"#,
                r#""mtime":"1969-12-31T23:59:59.5Z","name":"b\ufffd\n","path":"/a/b\ufffd\n","#,
                r#""permissions":"-rwsr-x--x","size":7,"struct_type":"node","tags":["keep"],"type":"file","uid":1000,"#,
                r#""user":"ann \"a\""}"#,
            )
            .replace("\\ufffd", "\u{fffd}")
        );
    }

    /// What is written field by field is what the object has, in the same order.
    #[test]
    fn texts_are_those_of_objects() {
        let target = b"to".to_vec();
        let kinds = [
            Kind::File,
            Kind::Dir,
            Kind::Symlink { target },
            Kind::CharDevice { rdev: 1 },
            Kind::BlockDevice { rdev: 1 },
            Kind::Fifo,
            Kind::Socket,
        ];
        for (kind, trouble) in kinds
            .into_iter()
            .zip([None, Some(Trouble::Changed)].into_iter().cycle())
        {
            let of = Entry {
                trouble,
                ..sample(kind)
            };
            assert_eq!(entry_text(b"/a", &of, &[]), entry(b"/a", &of).to_string());
            assert_eq!(node_line(b"a", &of, &[]), super::super::line(&node(b"a", &of)));
            assert_eq!(entry(b"a", &of)["path"], "/a");
        }
    }
}
