//! Settings that are not of a set: limits, notifications and the console, each table of the file as a form, with a test
//! of notifications; and the whole file as text.

use super::set::answers::{DiffLine, diff_lines};
use super::set::settings_path;
use crate::browse::bad;
use crate::gate::{Unset, Verdict};
use crate::pages::{Sign, shown};
use crate::reply::{self, answer, see_other};
use crate::tokens::Token;
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::{Lang, SetCause};
use service::settings::edit::{self, Draft, KeyValue, KeyValues};
use service::settings::form::{fault, values};
use service::settings::values::{MailTls, NotifyOn, WebhookPreset};
use service::{Context, Failure, notify};
use std::time::Instant;

/// What a key takes.
#[derive(Clone, Copy)]
enum KeyKind {
    Text,
    Number,
    YesNo,
    List,
    /// One of these, or nothing.
    Choice(&'static [&'static str]),
}

/// A table of the file: its name in the form, and its keys.
struct TableInfo {
    word: &'static str,
    path: &'static [&'static str],
    keys: &'static [(&'static str, KeyKind)],
}

use KeyKind::{Choice, List, Number, Text, YesNo};

const TABLES: [TableInfo; 7] = [
    TableInfo {
        word: "limits",
        path: &["limits"],
        keys: &[
            ("upload", Text),
            ("download", Text),
            ("upload-idle", Text),
            ("download-idle", Text),
            ("upload-lan", Text),
            ("download-lan", Text),
            ("upload-lan-idle", Text),
            ("download-lan-idle", Text),
            ("cpu-active", Number),
            ("cpu-idle", Number),
            ("battery-min", Number),
            ("skip-wifi", List),
            ("skip-interfaces", List),
            ("skip-metered", YesNo),
            ("proxy", Text),
        ],
    },
    TableInfo {
        word: "notify",
        path: &["notify"],
        keys: &[
            ("on", Choice(NotifyOn::WORDS)),
            ("overdue-after", Text),
            ("overdue-again", Text),
            ("monthly-usage", YesNo),
        ],
    },
    TableInfo {
        word: "mail",
        path: &["notify", "mail"],
        keys: &[
            ("server", Text),
            ("port", Number),
            ("tls", Choice(MailTls::WORDS)),
            ("user", Text),
            ("password-file", Text),
            ("from", Text),
            ("to", List),
        ],
    },
    TableInfo {
        word: "webhook",
        path: &["notify", "webhook"],
        keys: &[("url", Text), ("preset", Choice(WebhookPreset::WORDS))],
    },
    TableInfo {
        word: "ping",
        path: &["notify", "ping"],
        keys: &[("url", Text)],
    },
    TableInfo {
        word: "prometheus",
        path: &["notify", "prometheus"],
        keys: &[("textfile", Text)],
    },
    TableInfo {
        word: "console",
        path: &["console"],
        keys: &[
            ("lang", Choice(&["en", "ja"])),
            ("listen", Text),
            ("allowed-hosts", List),
            ("tls-certificate", Text),
            ("tls-key", Text),
        ],
    },
];

/// A table as the page shows it.
struct TableView {
    word: &'static str,
    title: &'static str,
    keys: Vec<KeyView>,
    wrong: String,
    is_open: bool,
}

struct KeyView {
    key: &'static str,
    label: &'static str,
    value: String,
    is_yes_no: bool,
    choices: &'static [&'static str],
    wrong: String,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    f: Frame,
    mark: String,
    tables: Vec<TableView>,
    told: Vec<(Sign, String)>,
    diff: Vec<DiffLine>,
    tokens: Vec<TokenRow>,
    secret: Option<String>,
    settings: String,
}

struct TokenRow {
    name: String,
    created: String,
    may_change: bool,
}

/// What the page says beside its forms.
#[derive(Default)]
pub struct Said {
    told: Vec<(Sign, String)>,
    diff: String,
    secret: Option<String>,
    /// A table that was refused: its word, key and why, and what was typed.
    wrong: Option<(&'static str, String, String)>,
}

impl Said {
    pub fn line(sign: Sign, text: String) -> Said {
        Said {
            told: vec![(sign, text)],
            ..Said::default()
        }
    }

    pub fn secret(secret: String) -> Said {
        Said {
            secret: Some(secret),
            ..Said::default()
        }
    }
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        show(visit, context, lang, StatusCode::OK, Said::default())
    })
    .await
}

pub fn show(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    status: StatusCode,
    said: Said,
) -> Result<Response, Failure> {
    let draft = Draft::open(&context.env)?;
    let tables = TABLES.iter().map(|info| view(visit, lang, &draft, info, &said));
    reply::html(
        status,
        &SettingsPage {
            f: visit.frame_in(Some(context), lang, "settings", Labels(lang).settings()),
            mark: draft.mark(),
            tables: tables.collect(),
            diff: diff_lines(&said.diff),
            told: said.told,
            tokens: visit
                .app
                .tokens
                .list()?
                .iter()
                .map(|one| token_row(context, one))
                .collect(),
            secret: said.secret,
            settings: settings_path(context),
        },
    )
}

fn token_row(context: &Context, token: &Token) -> TokenRow {
    let created = token.created.to_zoned(context.now.time_zone().clone());
    TokenRow {
        name: token.name.clone(),
        created: created.strftime("%Y-%m-%d %H:%M").to_string(),
        may_change: token.may_change,
    }
}

fn view(visit: &Visit, lang: Lang, draft: &Draft, info: &TableInfo, said: &Said) -> TableView {
    let names: Vec<&str> = info.keys.iter().map(|(key, _)| *key).collect();
    let wrong = said.wrong.as_ref().filter(|(word, ..)| *word == info.word);
    let written = values(draft, info.path, &names);
    let keys = info.keys.iter().zip(written).map(|((key, kind), value)| KeyView {
        key,
        label: texts::setting_label(lang, info.word, key),
        value: match wrong {
            Some(_) => visit.form.text(key).unwrap_or_default().to_string(),
            None => value,
        },
        is_yes_no: matches!(kind, YesNo),
        choices: match kind {
            Choice(words) => words,
            _ => &[],
        },
        wrong: match wrong {
            Some((_, at, text)) if at == key => text.clone(),
            _ => String::new(),
        },
    });
    let keys: Vec<KeyView> = keys.collect();
    let is_at_key = keys.iter().any(|key| !key.wrong.is_empty());
    TableView {
        word: info.word,
        title: texts::settings_title(lang, info.word),
        wrong: match wrong {
            Some((_, _, text)) if !is_at_key => text.clone(),
            _ => String::new(),
        },
        is_open: wrong.is_some() || keys.iter().any(|key| !key.value.is_empty()),
        keys,
    }
}

fn key_values(visit: &Visit, info: &TableInfo, draft: &Draft) -> KeyValues {
    let names: Vec<&str> = info.keys.iter().map(|(key, _)| *key).collect();
    let written = values(draft, info.path, &names);
    let mut keys = KeyValues::new();
    for ((key, kind), before) in info.keys.iter().zip(written) {
        let text = visit.form.text(key).unwrap_or_default().trim().to_string();
        let text = match (kind, text.as_str()) {
            (YesNo, "") if before == "true" => String::new(),
            // Off is the default; where it is written it stays.
            (YesNo, "") => before.clone(),
            (YesNo, _) => "true".to_string(),
            _ => text,
        };
        if text == before {
            continue;
        }
        let value = match kind {
            _ if text.is_empty() => KeyValue::Unset,
            YesNo => KeyValue::Flag(true),
            Number => text.parse().map_or(KeyValue::Text(text), KeyValue::Number),
            List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                KeyValue::Texts(items.map(String::from).collect())
            }
            Text | Choice(_) => KeyValue::Text(text),
        };
        keys.push((key, value));
    }
    keys
}

pub async fn save(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let word = visit.form.text("table").unwrap_or_default();
        let info = TABLES
            .iter()
            .find(|info| info.word == word)
            .ok_or_else(|| bad("table"))?;
        let before = Draft::open(&context.env)?;
        if visit.form.text("mark") != Some(&before.mark()) {
            return refused_as_changed(visit, context, lang);
        }
        let keys = key_values(visit, info, &before);
        let mut draft = edit::set_table(&context.env, info.path, &keys)?;
        let is_nothing = info.keys.iter().all(|(key, _)| visit.form.text(key).is_none());
        // Without a table there is nothing that it lacks.
        if is_nothing && info.path.len() > 1 {
            draft = edit::remove_table(&context.env, info.path)?;
        }
        if keys.is_empty() {
            draft = before;
        }
        if let Err(failure) = draft.check(&context.env) {
            let (key, failure) = fault(&failure);
            let wrong = (info.word, key.unwrap_or_default(), failure.text(lang));
            let said = Said {
                wrong: Some(wrong),
                ..Said::default()
            };
            return show(visit, context, lang, StatusCode::UNPROCESSABLE_ENTITY, said);
        }
        let t = Labels(lang);
        if !draft.is_change() {
            let said = Said::line(Sign::Idle, t.nothing_changes().to_string());
            return show(visit, context, lang, StatusCode::OK, said);
        }
        draft.write(&context.env)?;
        let said = Said {
            diff: draft.diff(),
            ..Said::line(Sign::Good, t.saved().to_string())
        };
        show(visit, &visit.app.context()?, lang, StatusCode::OK, said)
    })
    .await
}

fn refused_as_changed(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let path = settings_path(context);
    let failure = Failure::from(service::catalogue::Cause::from(SetCause::ChangedMeanwhile {
        path,
    }));
    let said = Said::line(Sign::Bad, failure.text(lang));
    show(visit, context, lang, StatusCode::CONFLICT, said)
}

/// A test message through every channel.
pub async fn test(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let told = match notify::test(context, None) {
            Err(failure) => vec![(Sign::Bad, failure.text(lang))],
            Ok(reports) => reports
                .iter()
                .map(|one| match &one.done {
                    Ok(()) => (Sign::Good, texts::test_sent(lang, &shown(one.name.as_bytes()))),
                    Err(why) => {
                        let (name, why) = (shown(one.name.as_bytes()), shown(why.as_bytes()));
                        (Sign::Bad, texts::test_failed(lang, &name, &why))
                    }
                })
                .collect(),
        };
        let said = Said {
            told,
            ..Said::default()
        };
        show(visit, context, lang, StatusCode::OK, said)
    })
    .await
}

/// Another password for the console. Whoever else is logged in has to log in again.
pub async fn password(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let t = Labels(lang);
        let text = |name| visit.form.text(name).unwrap_or_default();
        let refuse = |status, why: String| show(visit, context, lang, status, Said::line(Sign::Bad, why));
        if text("password") != text("again") {
            return refuse(StatusCode::FORBIDDEN, t.passwords_differ().to_string());
        }
        match visit
            .app
            .gate
            .check(text("current"), visit.from, Instant::now())?
        {
            Verdict::Right => {}
            Verdict::Wait(wait) => {
                let why = texts::wait(lang, wait.as_secs() + 1);
                return refuse(StatusCode::TOO_MANY_REQUESTS, why);
            }
            Verdict::Wrong | Verdict::NoPassword => {
                return refuse(StatusCode::FORBIDDEN, t.password_wrong().to_string());
            }
        }
        match visit.app.gate.change(text("password"))? {
            Ok(()) => {
                visit.app.sessions.end_all();
                Ok(see_other("/login"))
            }
            Err(Unset::Long) => refuse(StatusCode::FORBIDDEN, t.password_long().to_string()),
            Err(_) => refuse(StatusCode::FORBIDDEN, t.password_short().to_string()),
        }
    })
    .await
}

pub async fn add_token(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let name = visit.form.text("name").unwrap_or_default().trim();
        let may_change = visit.form.text("changes").is_some();
        match visit.app.tokens.add(name, may_change, context.now.timestamp()) {
            Ok(made) => show(visit, context, lang, StatusCode::OK, Said::secret(made.secret)),
            Err(failure) => {
                let said = Said::line(Sign::Bad, failure.text(lang));
                show(visit, context, lang, StatusCode::UNPROCESSABLE_ENTITY, said)
            }
        }
    })
    .await
}

pub async fn revoke_token(visit: Visit) -> Response {
    answer(visit, |visit, _, _| {
        let name = visit.form.text("name").ok_or_else(|| bad("name"))?;
        visit.app.tokens.revoke(name)?;
        Ok(see_other("/settings#tokens"))
    })
    .await
}

#[derive(Template)]
#[template(path = "settings_file.html")]
struct SettingsFilePage {
    f: Frame,
    mark: String,
    text: String,
    told: Option<(Sign, String)>,
    diff: Vec<DiffLine>,
    settings: String,
}

pub async fn file(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let draft = Draft::open(&context.env)?;
        file_page(visit, context, lang, (StatusCode::OK, None), &draft)
    })
    .await
}

fn file_page(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    (status, told): (StatusCode, Option<(Sign, String)>),
    draft: &Draft,
) -> Result<Response, Failure> {
    reply::html(
        status,
        &SettingsFilePage {
            f: visit.frame_in(Some(context), lang, "settings", Labels(lang).edit_as_text()),
            mark: match visit.form.text("mark") {
                Some(mark) if status != StatusCode::OK => mark.to_string(),
                _ => draft.mark(),
            },
            text: draft.after.clone(),
            told,
            diff: diff_lines(&draft.diff()),
            settings: settings_path(context),
        },
    )
}

/// Shows the change, or writes it.
pub async fn save_file(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let t = Labels(lang);
        // A browser ends lines as DOS did.
        let text = visit.form.text("text").unwrap_or_default().replace("\r\n", "\n");
        let draft = Draft::replaced(&context.env, &text)?;
        let is_current = visit.form.text("mark") == Some(&draft.mark());
        let checked = draft.check(&context.env);
        let (status, sign, told) = match (&checked, is_current) {
            (_, false) => {
                let path = settings_path(context);
                let failure = Failure::from(service::catalogue::Cause::from(SetCause::ChangedMeanwhile {
                    path,
                }));
                (StatusCode::CONFLICT, Sign::Bad, failure.text(lang))
            }
            (Err(failure), _) => (StatusCode::UNPROCESSABLE_ENTITY, Sign::Bad, failure.text(lang)),
            (Ok(_), true) if visit.form.text("write").is_none() => {
                (StatusCode::OK, Sign::Idle, t.not_saved_yet().to_string())
            }
            (Ok(_), true) => {
                draft.write(&context.env)?;
                return Ok(see_other("/settings"));
            }
        };
        file_page(visit, context, lang, (status, Some((sign, told))), &draft)
    })
    .await
}
