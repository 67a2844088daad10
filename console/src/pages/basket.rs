//! The basket: paths that somebody wants back, each as of a snapshot. It belongs to the session, so it stays while other
//! days and pages are looked at.

use super::shown;
use crate::browse::{self, Spot};
use crate::reply::{answer, own_place, see_other};
use crate::sessions::Picked;
use crate::visit::Visit;
use axum::response::Response;
use percent_encoding::percent_decode_str;
use service::{Failure, text};

/// A path in the basket.
pub struct BasketRow {
    pub path: String,
    pub time: String,
    pub nr: usize,
    pub is_dir: bool,
}

pub fn basket(visit: &Visit) -> Vec<BasketRow> {
    let Some(session) = &visit.session else {
        return Vec::new();
    };
    session
        .basket()
        .iter()
        .enumerate()
        .map(|(nr, picked)| BasketRow {
            path: shown(&picked.path),
            time: picked.time.clone(),
            nr,
            is_dir: picked.is_dir,
        })
        .collect()
}

/// What a form says was ticked: `f` or `d`, the snapshot unless it is the form's, and the path from its first slash on.
fn ticked(value: &[u8], of_form: &str) -> Result<(bool, String, Vec<u8>), Failure> {
    let wrong = || browse::bad("pick");
    let value = std::str::from_utf8(value).map_err(|_| wrong())?;
    let (kind, rest) = value.split_at_checked(1).ok_or_else(wrong)?;
    let slash = rest.find('/').unwrap_or(0);
    let (snapshot, path) = rest.split_at(slash);
    let snapshot = if snapshot.is_empty() { of_form } else { snapshot };
    let path: Vec<u8> = percent_decode_str(path).collect();
    Ok((kind == "d", snapshot.to_string(), browse::clean(&path)))
}

/// What was ticked goes into the basket.
pub async fn add(visit: Visit) -> Response {
    answer(visit, |visit, _, _| {
        let spot = Spot::of(&visit.form);
        let repo = visit.app.open(&spot.remote)?;
        let mut has_room = true;
        let mut known: Option<(String, String)> = None;
        for value in visit.form.all("pick") {
            let (is_dir, snapshot, path) = ticked(value, &spot.snapshot)?;
            if known.as_ref().is_none_or(|(id, _)| *id != snapshot) {
                let manifest = repo.manifest(browse::id(&snapshot)?)?;
                known = Some((snapshot.clone(), text::time(manifest.time())));
            }
            let time = known.as_ref().map(|(_, time)| time.clone()).unwrap_or_default();
            let picked = Picked {
                remote: spot.remote.clone(),
                snapshot,
                time,
                path,
                is_dir,
            };
            has_room &= visit.session.as_ref().is_some_and(|session| session.pick(picked));
        }
        let back = own_place(visit.form.text("back"));
        Ok(match has_room {
            true => see_other(back),
            false if back.contains('?') => see_other(&format!("{back}&full=1")),
            false => see_other(&format!("{back}?full=1")),
        })
    })
    .await
}

/// One path, or all of them.
pub async fn remove(visit: Visit) -> Response {
    if let Some(session) = &visit.session {
        let mut basket = session.basket();
        match visit.form.number("nr").and_then(|nr| usize::try_from(nr).ok()) {
            None => basket.clear(),
            Some(nr) if nr < basket.len() => drop(basket.remove(nr)),
            Some(_) => {}
        }
    }
    see_other(own_place(visit.form.text("back")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticked_paths() {
        let read = |value: &str| ticked(value.as_bytes(), "form").ok();
        let path = b"/a b".to_vec();
        assert_eq!(read("f/a%20b"), Some((false, "form".to_string(), path.clone())));
        assert_eq!(read("d1f/a%20b"), Some((true, "1f".to_string(), path)));
        assert_eq!(
            read("f/../../x"),
            Some((false, "form".to_string(), b"/x".to_vec()))
        );
        assert_eq!((read(""), read("日")), (None, None));
    }
}
