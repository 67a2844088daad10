//! The page around a preview: which file it is, as of when, and what can be done with it.

use super::{Moment, rows, shown, size, stamp};
use crate::guard::POLICY;
use crate::preview::{file, is_named, opened};
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::text;

#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage {
    f: Frame,
    remote: String,
    snapshot: String,
    name: String,
    folder: String,
    folder_link: String,
    value: String,
    as_of: String,
    changed: Option<Moment>,
    size: String,
    frame: String,
    /// The frame is the browser's own viewer.
    is_pdf: bool,
    versions: String,
    compare: String,
    download: String,
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let (spot, repo, manifest) = opened(visit)?;
        let Some(entry) = file(&repo, &manifest, &spot)? else {
            return Ok(gone(visit, lang));
        };
        let folder = spot.parent().unwrap_or_default();
        let page = PreviewPage {
            f: visit.frame_in(Some(context), lang, "restore", &shown(&entry.name)),
            name: shown(&entry.name),
            folder: shown(&folder),
            folder_link: spot.link("/restore", &folder),
            value: rows::pick_value(&spot.path, false, None),
            as_of: texts::as_of(lang, &text::time(manifest.time())),
            changed: stamp(entry.meta.mtime).map(|at| Moment::ago(lang, at, &context.now)),
            size: size(entry.meta.size),
            frame: spot.link("/preview/frame", &spot.path),
            is_pdf: is_named(&entry, &["pdf"]),
            versions: spot.link("/restore/versions", &spot.path),
            compare: format!("{}&with=now", spot.link("/restore/compare", &spot.path)),
            download: spot.link("/download", &spot.path),
            remote: spot.remote,
            snapshot: spot.snapshot,
        };
        let mut page = reply::page(&page)?;
        let policy = HeaderValue::from_str(&format!("{POLICY}; frame-src 'self'"));
        let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
        page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        Ok(page)
    })
    .await
}

fn gone(visit: &Visit, lang: Lang) -> Response {
    let t = Labels(lang);
    let text = t.not_found_text().to_string();
    reply::told(visit, lang, StatusCode::NOT_FOUND, t.not_found(), text)
}
