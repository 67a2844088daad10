//! What a WebDAV server answers about a folder's members (RFC 4918, section 14.16).

use percent_encoding::percent_decode_str;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use std::mem::take;

/// One member of a folder, by its last name.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    /// Bytes; `None` for a folder.
    pub size: Option<u64>,
}

/// Why an answer is no listing.
#[derive(Debug)]
pub enum ListingFlaw {
    /// It is no XML.
    Syntax(quick_xml::Error),
    /// It is another document, or ends before its time.
    Incomplete,
}

impl From<quick_xml::Error> for ListingFlaw {
    fn from(error: quick_xml::Error) -> Self {
        ListingFlaw::Syntax(error)
    }
}

/// The members that a listing names, the folder itself among them. Only a whole answer is taken: one that was cut is short,
/// and nobody could tell (I-9). Prefixes of names are the server's choice and are passed over.
pub fn parse(text: &[u8]) -> Result<Vec<Member>, ListingFlaw> {
    let text = String::from_utf8_lossy(text);
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut members, mut response, mut element) = (Vec::new(), Response::default(), String::new());
    let (mut depth, mut is_listing) = (0u64, false);
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                element = start.local_name().as_ref().to_string();
                is_listing |= depth == 0 && element == "multistatus";
                depth += 1;
                match element.as_str() {
                    "response" => response = Response::default(),
                    "collection" => response.folder = true,
                    _ => {}
                }
            }
            Event::Empty(empty) => response.folder |= empty.local_name().as_ref() == "collection",
            Event::Text(text) => response.text(&element, &text),
            Event::CData(text) => response.text(&element, &text),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(character) => response.text(&element, character.encode_utf8(&mut [0; 4])),
                None => response.text(
                    &element,
                    resolve_predefined_entity(&reference).unwrap_or_default(),
                ),
            },
            Event::End(end) => {
                depth -= 1;
                element.clear();
                if end.local_name().as_ref() == "response" {
                    // Taken, so that responses in one another do not name one member many times.
                    members.extend(take(&mut response).member()?);
                }
            }
            // An answer without members lacks at least the folder itself.
            Event::Eof if depth > 0 || !is_listing || members.is_empty() => {
                return Err(ListingFlaw::Incomplete);
            }
            Event::Eof => return Ok(members),
            _ => {}
        }
    }
}

/// What is said of one member.
#[derive(Default)]
struct Response {
    href: String,
    length: Option<u64>,
    folder: bool,
}

impl Response {
    fn text(&mut self, element: &str, text: &str) {
        match element {
            "href" => self.href.push_str(text),
            "getcontentlength" => self.length = self.length.or(text.trim().parse().ok()),
            _ => {}
        }
    }

    /// `None` for the root of a server, which has no name.
    fn member(self) -> Result<Option<Member>, ListingFlaw> {
        let href = self.href.trim();
        if href.is_empty() {
            return Err(ListingFlaw::Incomplete);
        }
        let last = href.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let name = percent_decode_str(last).decode_utf8_lossy().into_owned();
        let size = match self.folder {
            true => None,
            false => Some(self.length.unwrap_or(0)),
        };
        Ok((!name.is_empty()).then_some(Member { name, size }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">
        <D:response><D:href>/new/packs/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>
        </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
        <D:response><D:href>/new/packs/a%20b</D:href><D:propstat><D:prop><D:getcontentlength>12</D:getcontentlength>
        <D:resourcetype></D:resourcetype></D:prop></D:propstat></D:response></D:multistatus>"#;

    fn names(text: &str) -> Vec<String> {
        let members = parse(text.as_bytes()).unwrap();
        members.into_iter().map(|member| member.name).collect()
    }

    #[test]
    fn listings() {
        let members = parse(WHOLE.as_bytes()).unwrap();
        let members: Vec<_> = members.iter().map(|m| (m.name.as_str(), m.size)).collect();
        assert_eq!(members, [("packs", None), ("a b", Some(12))]);
        assert!(parse(b"<D:multistatus><D:response></wrong>").is_err());
    }

    #[test]
    fn what_was_cut_or_is_another_document_is_no_listing() {
        for cut in 0..WHOLE.len() {
            assert!(parse(&WHOLE.as_bytes()[..cut]).is_err(), "{}", &WHOLE[..cut]);
        }
        for other in [
            "<html/>",
            "<html><body>Please log in</body></html>",
            "<multistatus/>",
            "<multistatus></multistatus>",
            "<error><multistatus><response><href>/a</href></response></multistatus></error>",
            "<multistatus><response><status>404</status></response></multistatus>",
        ] {
            assert!(parse(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_response_names_one_member() {
        let nested = format!(
            "<multistatus>{}<href>/a/b</href>{}</multistatus>",
            "<response>".repeat(9),
            "</response>".repeat(9)
        );
        assert!(parse(nested.as_bytes()).is_err());
        let root = "<multistatus><response><href>/</href></response><response><href>/a</href></response></multistatus>";
        assert_eq!(names(root), ["a"]);
    }

    #[test]
    fn however_a_name_is_written() {
        for href in ["/x/a&amp;b&#x2e;c&unknown;", "<![CDATA[/x/a&b.c]]>", "/x/a%26b.c"] {
            let text = format!("<multistatus><response><href>{href}</href></response></multistatus>");
            assert_eq!(names(&text), ["a&b.c"], "{href}");
        }
    }
}
