//! What is said of entries: as WebDAV's multistatus (RFC 4918), or as lines of a page.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use service::entry::{Entry, Kind, Time};
use std::io::{self, Write};

/// What stands in an address as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'+')
    .remove(b'@');

/// Whether an entry can be shown: a link means another place on the machine that was backed up, and nothing can be read from a
/// device, a pipe or a socket.
pub(super) fn is_shown(kind: &Kind) -> bool {
    matches!(kind, Kind::File | Kind::Dir)
}

/// The address of a path; a directory's ends with a slash.
pub(super) fn href(base: &str, path: &[u8], is_dir: bool) -> String {
    let end = if is_dir && !path.is_empty() { "/" } else { "" };
    format!("{base}/{}{end}", percent_encode(path, PLAIN))
}

/// A moment as HTTP writes it.
pub(super) fn http_date(time: Time) -> Option<String> {
    let at = jiff::Timestamp::from_second(time.secs).ok()?;
    // Of years with more or less than four digits there is no such form.
    let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
    (0..=9999)
        .contains(&zoned.year())
        .then(|| zoned.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// Two entries with the same address and tag have the same bytes.
pub(super) fn tag(inode: u64, entry: &Entry) -> String {
    let (size, time) = (entry.meta.size, entry.meta.mtime);
    format!("\"{inode:x}-{size:x}-{:x}-{:x}\"", time.secs, time.nanos)
}

pub(super) fn begin(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n")
}

pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"</D:multistatus>\n")
}

/// One entry.
pub(super) fn response(
    out: &mut dyn Write,
    base: &str,
    path: &[u8],
    inode: u64,
    entry: &Entry,
) -> io::Result<()> {
    let is_dir = entry.kind == Kind::Dir;
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    write!(
        out,
        "<D:response><D:href>{}</D:href><D:propstat><D:prop><D:displayname>{}</D:displayname>",
        escaped(href(base, path, is_dir).as_bytes()),
        escaped(name)
    )?;
    match is_dir {
        true => write!(out, "<D:resourcetype><D:collection/></D:resourcetype>")?,
        false => write!(
            out,
            "<D:resourcetype/><D:getcontentlength>{}</D:getcontentlength>\
             <D:getcontenttype>application/octet-stream</D:getcontenttype><D:getetag>{}</D:getetag>",
            entry.meta.size,
            escaped(tag(inode, entry).as_bytes())
        )?,
    }
    if let Some(date) = http_date(entry.meta.mtime) {
        write!(out, "<D:getlastmodified>{date}</D:getlastmodified>")?;
    }
    writeln!(
        out,
        "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

pub(super) fn begin_page(out: &mut dyn Write, path: &[u8]) -> io::Result<()> {
    writeln!(
        out,
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>/{0}</title></head><body><h1>/{0}</h1><table>",
        escaped(path)
    )
}

pub(super) fn end_page(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "</table></body></html>")
}

/// One line of a page.
pub(super) fn row(out: &mut dyn Write, href: &str, name: &[u8], entry: Option<&Entry>) -> io::Result<()> {
    let file = entry.filter(|entry| entry.kind == Kind::File);
    let size = file.map(|entry| entry.meta.size.to_string()).unwrap_or_default();
    let date = entry
        .and_then(|entry| http_date(entry.meta.mtime))
        .unwrap_or_default();
    let slash = if file.is_some() { "" } else { "/" };
    writeln!(
        out,
        "<tr><td><a href=\"{}\">{}{slash}</a></td><td align=\"right\">{size}</td><td>{date}</td></tr>",
        escaped(href.as_bytes()),
        escaped(name)
    )
}

/// Text for XML and HTML. What is no text, and what XML has no way to write, becomes U+FFFD.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_so_that_they_come_back() {
        assert_eq!(href("/t", b"", true), "/t/");
        assert_eq!(href("", b"a b/\xff<&>%", false), "/a%20b/%FF%3C%26%3E%25");
        assert_eq!(href("", b"d", true), "/d/");
        assert_eq!(
            escaped(b"<a href=\"x\">&\x01\xff\n"),
            "&lt;a href=&quot;x&quot;&gt;&amp;\u{fffd}\u{fffd}&#10;"
        );
    }

    #[test]
    fn moments() {
        let at = |secs| http_date(Time { secs, nanos: 0 });
        assert_eq!(at(784_111_777).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(0).unwrap(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(i64::MAX), None);
    }
}
