//! XML within an archive, piece by piece. Nothing is kept of it, entities of the document's own are not followed, and what is
//! no XML ends it.

use super::unzip::Archive;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// One part of a document, decompressed.
pub(super) const PART_MAX: usize = 24 << 20;
/// What a walk through XML meets. Prefixes are the writer's choice and are passed over.
pub(super) enum Piece<'a> {
    Open(&'a str, &'a BytesStart<'a>),
    Close(&'a str),
    Text(&'a str),
}

pub(super) fn part(zip: &Archive<'_>, name: &str) -> Option<String> {
    let bytes = zip.read(name, PART_MAX)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Calls `each` until it gives false; true if the end was reached.
pub(super) fn walk(xml: &str, each: &mut dyn FnMut(Piece<'_>) -> bool) -> bool {
    let mut reader = Reader::from_str(xml);
    loop {
        let goes_on = match reader.read_event() {
            Ok(Event::Start(start)) => each(Piece::Open(start.local_name().as_ref(), &start)),
            Ok(Event::Empty(empty)) => {
                let name = empty.local_name();
                each(Piece::Open(name.as_ref(), &empty)) && each(Piece::Close(name.as_ref()))
            }
            Ok(Event::End(end)) => each(Piece::Close(end.local_name().as_ref())),
            Ok(Event::Text(text)) => each(Piece::Text(&text)),
            Ok(Event::CData(text)) => each(Piece::Text(&text)),
            Ok(Event::GeneralRef(name)) => {
                let mut buffer = [0; 4];
                let named = match &*name {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    // Entities of the document's own are not followed.
                    _ => name.resolve_char_ref().ok().flatten(),
                };
                named.is_none_or(|char| each(Piece::Text(char.encode_utf8(&mut buffer))))
            }
            Ok(Event::Eof) => return true,
            Ok(_) => true,
            Err(_) => return false,
        };
        if !goes_on {
            return false;
        }
    }
}

/// The value of an attribute, whatever its prefix.
pub(super) fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut all = start.attributes();
    // That each is there once is not checked: the first counts.
    let mut found = all.with_checks(false).flatten();
    let found = found.find(|one| one.key.local_name().as_ref() == name)?;
    let value = found.normalized_value(XmlVersion::Implicit1_0).ok()?;
    Some(value.into_owned())
}
