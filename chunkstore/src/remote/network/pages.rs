//! Pages of listings of object stores, looked at before the library reads them: it takes any document for an empty page,
//! and begins anew where the next page is not named, so that a listing would be short, or endless (I-9).

use crate::error::Cause;
use quick_xml::events::Event;

/// Whose listing it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pages {
    /// `ListObjectsV2` of S3.
    S3,
    /// `List Blobs` of Azure.
    Azure,
    /// `objects.list` of Google.
    Google,
}

/// How a page of Google's is recognised.
const GOOGLE_KIND: &[u8] = b"\"storage#objects\"";

impl Pages {
    /// What a request asks a page of, if it does.
    pub fn of(scheme: &str, request: &http::request::Parts) -> Option<Pages> {
        let has = |wanted: &str| {
            let query = request.uri.query().unwrap_or_default();
            query.split('&').any(|parameter| parameter == wanted)
        };
        match scheme {
            _ if request.method != http::Method::GET => None,
            "s3" => has("list-type=2").then_some(Pages::S3),
            "azblob" => has("comp=list").then_some(Pages::Azure),
            "gs" => request.uri.path().ends_with("/o").then_some(Pages::Google),
            // The library itself refuses what is no page of Backblaze's.
            _ => None,
        }
    }

    /// Whether this is a whole page, and says where the next one begins if there is one.
    pub fn check(self, page: &[u8]) -> Result<(), Cause> {
        let is_whole = match self {
            Pages::S3 => outline(page).is_ok_and(|page| {
                let ends = page.is_truncated == Some(false);
                page.root == "ListBucketResult" && (ends || page.names_next)
            }),
            Pages::Azure => {
                outline(page).is_ok_and(|page| page.root == "EnumerationResults" && page.has_next)
            }
            Pages::Google => page.windows(GOOGLE_KIND.len()).any(|part| part == GOOGLE_KIND),
        };
        match is_whole {
            true => Ok(()),
            false => Err(Cause::ListingIncomplete),
        }
    }
}

/// What a page says of itself.
#[derive(Default)]
struct Outline {
    root: String,
    /// Whether pages follow, by S3.
    is_truncated: Option<bool>,
    /// It says where, by S3.
    names_next: bool,
    /// It says whether, by Azure: empty on the last page.
    has_next: bool,
}

fn outline(page: &[u8]) -> Result<Outline, quick_xml::Error> {
    let text = String::from_utf8_lossy(page);
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut found = Outline::default();
    let mut path: Vec<String> = Vec::new();
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_string();
                match path.len() {
                    0 => found.root.clone_from(&name),
                    1 => found.has_next |= name == "NextMarker",
                    _ => {}
                }
                path.push(name);
            }
            Event::Empty(empty) if path.len() == 1 => {
                found.has_next |= empty.local_name().as_ref() == "NextMarker";
            }
            Event::Text(text) if path.len() == 2 => match path.last().map(String::as_str) {
                Some("IsTruncated") => found.is_truncated = text.trim().parse().ok(),
                Some("NextContinuationToken") => found.names_next |= !text.trim().is_empty(),
                _ => {}
            },
            Event::End(_) => {
                path.pop();
            }
            // It was cut.
            Event::Eof if !path.is_empty() => return Ok(Outline::default()),
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S3: &str = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><IsTruncated>true</IsTruncated>\
        <NextContinuationToken>t</NextContinuationToken><Contents><Key>a</Key></Contents></ListBucketResult>";
    const AZURE: &str =
        "<?xml version=\"1.0\"?><EnumerationResults><Blobs></Blobs><NextMarker/></EnumerationResults>";

    #[test]
    fn whole_pages() {
        for (pages, page) in [
            (Pages::S3, S3),
            (
                Pages::S3,
                "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
            ),
            (Pages::Azure, AZURE),
            (
                Pages::Azure,
                "<EnumerationResults><NextMarker>m</NextMarker></EnumerationResults>",
            ),
            (Pages::Google, "{\"kind\": \"storage#objects\"}"),
        ] {
            assert_eq!(pages.check(page.as_bytes()), Ok(()), "{page}");
        }
    }

    #[test]
    fn what_would_make_a_listing_short_or_endless() {
        for (pages, page) in [
            (Pages::S3, "<Error><Code>InternalError</Code></Error>"),
            (
                Pages::S3,
                "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            ),
            (Pages::S3, "<ListBucketResult></ListBucketResult>"),
            (Pages::S3, ""),
            (Pages::S3, "{}"),
            (Pages::Azure, "<Error/>"),
            (
                Pages::Azure,
                "<EnumerationResults><Blobs></Blobs></EnumerationResults>",
            ),
            (Pages::Google, "{}"),
            (Pages::Google, "{\"kind\": \"storage#object\"}"),
        ] {
            assert_eq!(
                pages.check(page.as_bytes()),
                Err(Cause::ListingIncomplete),
                "{page}"
            );
        }
        for cut in 0..S3.len() {
            assert!(Pages::S3.check(&S3.as_bytes()[..cut]).is_err(), "{}", &S3[..cut]);
        }
    }

    #[test]
    fn requests_for_pages() {
        let of = |scheme, method: &str, uri: &str| {
            let request = http::Request::builder().method(method).uri(uri).body(()).unwrap();
            Pages::of(scheme, &request.into_parts().0)
        };
        assert_eq!(
            of("s3", "GET", "http://h/b?list-type=2&prefix=a"),
            Some(Pages::S3)
        );
        assert_eq!(of("s3", "GET", "http://h/b/list-type=2"), None);
        assert_eq!(
            of("azblob", "GET", "http://h/c?restype=container&comp=list"),
            Some(Pages::Azure)
        );
        assert_eq!(
            of("gs", "GET", "http://h/storage/v1/b/n/o?prefix=a"),
            Some(Pages::Google)
        );
        assert_eq!(of("gs", "GET", "http://h/storage/v1/b/n/o/name?alt=media"), None);
        assert_eq!(of("gs", "POST", "http://h/upload/storage/v1/b/n/o"), None);
    }
}
