//! What opens a repository: its keys, a recovery phrase that is shown once, and the check whether the phrase that
//! somebody wrote down is right.

use crate::browse::{bad, location};
use crate::locks::lock;
use crate::pages::{Sign, shown};
use crate::reply::{self, answer};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::face::{Activity, Face, Nobody, Notice, Watch};
use service::keys::{self, SlotInfo, SlotKind};
use service::secret::Hidden;
use service::{Context, Error, Failure, StoreError, text};
use std::sync::{Mutex, PoisonError};

struct KeyRow {
    id: String,
    kind: &'static str,
    label: String,
    created: String,
    is_current: bool,
}

struct Remote {
    name: String,
    rows: Vec<KeyRow>,
    failed: Option<String>,
    has_phrase: bool,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    f: Frame,
    remotes: Vec<Remote>,
    told: Option<(Sign, String)>,
    /// A phrase that was made now: the remote and its words.
    phrase: Option<(String, Vec<String>)>,
}

/// The job's context at a remote of the settings.
fn at(visit: &Visit, remote: &str) -> Result<Context, Failure> {
    let mut context = visit.app.context_with(visit.app.cancel().child())?;
    if !remote.is_empty() {
        location(&context, remote)?;
        context.options.repo = Some(remote.into());
        context.options.repository_file = None;
    }
    Ok(context)
}

fn row(context: &Context, lang: Lang, slot: &SlotInfo) -> KeyRow {
    let made = slot.note.as_ref();
    let made = made.and_then(|note| Timestamp::from_second(note.created).ok());
    let made = made.map(|at| at.to_zoned(context.now.time_zone().clone()));
    KeyRow {
        id: text::short(&slot.id.to_hex()),
        kind: texts::key_kind(lang, keys::kind_word(slot)),
        label: shown(slot.note.as_ref().map_or("", |note| &note.label).as_bytes()),
        created: made.map_or(String::new(), |at| at.strftime("%Y-%m-%d").to_string()),
        is_current: slot.current,
    }
}

fn remote(visit: &Visit, lang: Lang, name: &str) -> Remote {
    let listed = at(visit, name).and_then(|context| {
        let slots = keys::list(&context, &Nobody)?;
        let has_phrase = slots.iter().any(|slot| slot.kind == Some(SlotKind::Recovery));
        Ok((
            slots.iter().map(|slot| row(&context, lang, slot)).collect(),
            has_phrase,
        ))
    });
    let (rows, has_phrase, failed) = match listed {
        Ok((rows, has_phrase)) => (rows, has_phrase, None),
        Err(failure) => (Vec::new(), false, Some(shown(failure.text(lang).as_bytes()))),
    };
    Remote {
        name: name.to_string(),
        rows,
        failed,
        has_phrase,
    }
}

fn show(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    (status, told): (StatusCode, Option<(Sign, String)>),
    phrase: Option<(String, Vec<String>)>,
) -> Result<Response, Failure> {
    let names = context.settings.remotes.iter().map(|remote| &remote.name);
    reply::html(
        status,
        &KeysPage {
            f: visit.frame_in(Some(context), lang, "settings", Labels(lang).repository_keys()),
            remotes: names.map(|name| remote(visit, lang, name)).collect(),
            told,
            phrase,
        },
    )
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        show(visit, context, lang, (StatusCode::OK, None), None)
    })
    .await
}

/// Whether the phrase that was typed opens the repository.
pub async fn check(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let name = visit.form.text("remote").ok_or_else(|| bad("remote"))?;
        let phrase = Hidden::new(visit.form.text("phrase").unwrap_or_default());
        let t = Labels(lang);
        let (status, sign, told) = match keys::check_phrase(&at(visit, name)?, &phrase) {
            Ok(()) => (StatusCode::OK, Sign::Good, t.phrase_right().to_string()),
            Err(failure) if is_wrong(&failure) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Sign::Bad,
                t.phrase_wrong().to_string(),
            ),
            Err(failure) => (
                reply::status_of(&failure),
                Sign::Bad,
                shown(failure.text(lang).as_bytes()),
            ),
        };
        show(visit, context, lang, (status, Some((sign, told))), None)
    })
    .await
}

fn is_wrong(failure: &Failure) -> bool {
    use service::catalogue::Cause;
    match &failure.cause {
        Cause::Engine { error } => matches!(**error, Error::Store(StoreError::WrongKey)),
        _ => failure.status == service::Status::WrongKey,
    }
}

/// A face that somebody sees the phrase through.
struct Shown(Mutex<Option<String>>);

impl Face for Shown {
    fn can_show_phrase(&self) -> bool {
        true
    }

    fn show_phrase(&self, phrase: &str) -> Result<(), Failure> {
        *lock(&self.0) = Some(phrase.to_string());
        Ok(())
    }

    fn notice(&self, _: &Notice<'_>) {}

    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        Nobody.start(activity)
    }
}

/// Makes a recovery phrase and shows it, this once; it is to be typed back.
pub async fn recovery(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let name = visit.form.text("remote").ok_or_else(|| bad("remote"))?;
        let face = Shown(Mutex::default());
        keys::recovery(&at(visit, name)?, &face)?;
        let phrase = face.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let words: Vec<String> = phrase
            .unwrap_or_default()
            .split_whitespace()
            .map(String::from)
            .collect();
        let phrase = Some((name.to_string(), words));
        show(visit, context, lang, (StatusCode::OK, None), phrase)
    })
    .await
}
