//! What a WebDAV server answers about a folder's members (RFC 4918, section 14.16).

use percent_encoding::percent_decode_str;
use quick_xml::events::Event;

/// One member of a folder, by its last name.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    /// Bytes; `None` for a folder.
    pub size: Option<u64>,
}

/// The members that a listing names. Prefixes of names are the server's choice and are passed over.
pub fn parse(text: &[u8]) -> Result<Vec<Member>, quick_xml::Error> {
    let text = String::from_utf8_lossy(text);
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut members, mut element) = (Vec::new(), String::new());
    let (mut href, mut length, mut folder) = (String::new(), None, false);
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                element = start.local_name().as_ref().to_string();
                match element.as_str() {
                    "response" => (href, length, folder) = (String::new(), None, false),
                    "collection" => folder = true,
                    _ => {}
                }
            }
            Event::Empty(empty) => folder |= empty.local_name().as_ref() == "collection",
            Event::Text(text) => match element.as_str() {
                "href" => href.push_str(&text),
                "getcontentlength" => {
                    length = length.or(text.trim().parse::<u64>().ok());
                }
                _ => {}
            },
            Event::End(end) => {
                element.clear();
                if end.local_name().as_ref() == "response" {
                    let last = href
                        .trim()
                        .trim_end_matches('/')
                        .rsplit('/')
                        .next()
                        .unwrap_or_default();
                    let name = percent_decode_str(last).decode_utf8_lossy().into_owned();
                    let size = if folder { None } else { Some(length.unwrap_or(0)) };
                    members.push(Member { name, size });
                }
            }
            Event::Eof => return Ok(members),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings() {
        let text = br#"<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">
            <D:response><D:href>/new/packs/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>
            </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
            <D:response><D:href>/new/packs/a%20b</D:href><D:propstat><D:prop><D:getcontentlength>12</D:getcontentlength>
            <D:resourcetype></D:resourcetype></D:prop></D:propstat></D:response></D:multistatus>"#;
        let members = parse(text).unwrap();
        let members: Vec<_> = members.iter().map(|m| (m.name.as_str(), m.size)).collect();
        assert_eq!(members, [("packs", None), ("a b", Some(12))]);
        assert!(parse(b"<D:multistatus><D:response></wrong>").is_err());
    }
}
