//! Destinations: what each takes up, how it stands and when it was last checked; adding one after its connection was
//! tested; taking one out of the settings.

use crate::browse::bad;
use crate::pages::storage::{DrillView, drilled};
use crate::pages::{Moment, Sign, shown, size};
use crate::reply::{self, answer, see_other};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::report::space;
use service::catalogue::{Cause, ConsoleFault, Lang};
use service::face::Nobody;
use service::init::{self, Bounds};
use service::remotes::{self, AddRequest};
use service::runs::status::{self, RemoteStatus};
use service::secret::{Hidden, SecretSource};
use service::settings::{Remote, edit, is_name};
use service::setup::{self, SetupPlace};
use service::{Context, Failure, repo, usage};

/// Where a destination stands, for people.
struct DestinationRow {
    name: String,
    url: String,
    sign: Sign,
    state: String,
    reached: Option<Moment>,
    used: String,
    quota: String,
    /// 0 to 100.
    share: Option<u64>,
    growth: String,
    full_at: Option<String>,
    checked: Option<Moment>,
    restored: Option<Moment>,
    drilled: Option<DrillView>,
    sets: Vec<String>,
    /// The page of what is done there now.
    job: Option<String>,
    can_heal: bool,
}

#[derive(Template)]
#[template(path = "destinations.html")]
struct DestinationsPage {
    f: Frame,
    rows: Vec<DestinationRow>,
    told: Option<(Sign, String)>,
}

pub async fn list(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| page(visit, context, lang, None)).await
}

fn page(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    told: Option<(Sign, String)>,
) -> Result<Response, Failure> {
    let remotes = status::remotes(context, false)?;
    let rows = remotes.iter().map(|one| row(visit, context, lang, one));
    reply::page(&DestinationsPage {
        f: visit.frame_in(Some(context), lang, "destinations", Labels(lang).destinations()),
        rows: rows.collect(),
        told,
    })
}

/// The sets that are saved there.
fn sets_at(context: &Context, remote: &str) -> Vec<String> {
    let sets = context.settings.sets.0.iter();
    let here = sets.filter(|(_, set)| set.destinations.iter().any(|name| name.get_ref().0 == remote));
    here.map(|(name, _)| name.get_ref().0.clone()).collect()
}

fn row(visit: &Visit, context: &Context, lang: Lang, one: &RemoteStatus<'_>) -> DestinationRow {
    let t = Labels(lang);
    let now = &context.now;
    let ago = |at: Option<jiff::Timestamp>| at.map(|at| Moment::ago(lang, at, now));
    let behind = one.behind.filter(|behind| *behind > 0);
    let is_full = one.quota.zip(one.used).is_some_and(|(quota, used)| used >= quota);
    let (sign, state) = match (one.reachable, behind) {
        (Some(false), _) => (Sign::Bad, t.not_reachable().to_string()),
        (_, Some(behind)) => (Sign::Warn, texts::behind(lang, behind)),
        _ if is_full => (Sign::Bad, t.quota_reached().to_string()),
        (None, None) if one.reached.is_none() => (Sign::Idle, t.not_used_yet().to_string()),
        _ => (Sign::Good, t.reachable().to_string()),
    };
    let url = context
        .settings
        .remote(one.name)
        .map(|remote| repo::shown(&remote.url));
    DestinationRow {
        name: one.name.to_string(),
        url: shown(url.unwrap_or_default().as_bytes()),
        sign,
        state,
        reached: ago(one.reached.max(one.asked)),
        used: one.used.map(size).unwrap_or_default(),
        quota: one.quota.map(size).unwrap_or_default(),
        share: one.quota.zip(one.used).map(|(quota, used)| match quota {
            0 => 100,
            quota => (u128::from(used) * 100 / u128::from(quota)).min(100) as u64,
        }),
        growth: one
            .growth_per_week
            .map(|bytes| space::per_week(lang, bytes))
            .unwrap_or_default(),
        full_at: one.full_at.map(|at| {
            at.to_zoned(now.time_zone().clone())
                .strftime("%Y-%m-%d")
                .to_string()
        }),
        checked: ago(one.proofs.check),
        restored: ago(one.proofs.restore),
        drilled: drilled(context, lang, one),
        sets: sets_at(context, one.name),
        job: visit.app.jobs.of_remote(one.name).map(|job| job.place()),
        can_heal: context.settings.remotes.len() > 1,
    }
}

/// Asks a destination now.
pub async fn measure(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let name = visit.form.text("remote").ok_or_else(|| bad("remote"))?;
        let remote = context.settings.named(name)?;
        let told = match usage::measure(context, remote) {
            Ok(note) => (
                Sign::Good,
                texts::answered(lang, name, &size(note.used().unwrap_or_default())),
            ),
            Err(failure) => (Sign::Bad, shown(failure.of(name).text(lang).as_bytes())),
        };
        page(visit, context, lang, Some(told))
    })
    .await
}

/// What was typed to add a destination.
#[derive(Clone, Debug, Default)]
struct TypedDestination {
    name: String,
    url: String,
    /// `replica` of the first destination, or a repository of its `own`.
    kind: String,
    key_file: String,
}

#[derive(Template)]
#[template(path = "destination_new.html")]
struct DestinationNewPage {
    f: Frame,
    typed: TypedDestination,
    /// What it would be a copy of.
    first: Option<String>,
    told: Option<(Sign, String)>,
    /// It was tested, and can be added.
    is_tested: bool,
}

impl TypedDestination {
    fn of(visit: &Visit) -> TypedDestination {
        let text = |name| visit.form.text(name).unwrap_or_default().trim().to_string();
        TypedDestination {
            name: text("name"),
            url: text("url"),
            kind: text("kind"),
            key_file: text("key-file"),
        }
    }

    fn is_replica(&self, context: &Context) -> bool {
        self.kind != "own" && !context.settings.remotes.is_empty()
    }
}

fn new_page(
    visit: &Visit,
    context: &Context,
    lang: Lang,
    typed: TypedDestination,
    told: Option<(Sign, String)>,
) -> Result<Response, Failure> {
    let is_good = told.as_ref().is_some_and(|(sign, _)| *sign == Sign::Good);
    let status = match told.is_none() || is_good {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    reply::html(
        status,
        &DestinationNewPage {
            f: visit.frame_in(
                Some(context),
                lang,
                "destinations",
                Labels(lang).add_destination(),
            ),
            typed,
            first: context.settings.remotes.first().map(|remote| remote.name.clone()),
            is_tested: is_good,
            told,
        },
    )
}

pub async fn new(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let name = setup::free_name("main", |name| context.settings.remote(name).is_some());
        let typed = TypedDestination {
            name,
            kind: "replica".to_string(),
            ..TypedDestination::default()
        };
        new_page(visit, context, lang, typed, None)
    })
    .await
}

/// What is at an address.
enum FoundPlace {
    Vacant(String),
    /// A repository, and what opens it if that is known.
    Repository(String, Option<SecretSource>),
}

fn look(context: &Context, typed: &TypedDestination) -> Result<FoundPlace, Failure> {
    if !is_name(&typed.name) {
        let text = typed.name.clone();
        return Err(Cause::NotAName { text }.into());
    }
    let taken = |name: &str, url: &str| {
        let (name, url) = (name.to_string(), repo::shown(url));
        Failure::from(Cause::NameTaken { name, url })
    };
    if let Some(known) = context.settings.remote(&typed.name) {
        return Err(taken(&known.name, &known.url));
    }
    if typed.url.is_empty() {
        return Err(bad("url"));
    }
    match setup::destination(context, &typed.url) {
        Ok(SetupPlace::Vacant { url }) => Ok(FoundPlace::Vacant(url)),
        Ok(SetupPlace::Repository { url, key }) => {
            Ok(FoundPlace::Repository(url, key.map(SecretSource::KeyFile)))
        }
        Ok(SetupPlace::Remote { name }) => Err(taken(&name, &typed.url)),
        Err(failure) => Err(failure),
    }
}

pub async fn test(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let t = Labels(lang);
        let typed = TypedDestination::of(visit);
        let told = match look(context, &typed) {
            Ok(FoundPlace::Vacant(_)) if typed.is_replica(context) => {
                (Sign::Good, t.place_for_replica().to_string())
            }
            Ok(FoundPlace::Vacant(_)) => (Sign::Good, t.place_vacant().to_string()),
            Ok(FoundPlace::Repository(..)) => (Sign::Good, t.place_has_repository().to_string()),
            Err(failure) => (Sign::Bad, shown(failure.text(lang).as_bytes())),
        };
        new_page(visit, context, lang, typed, Some(told))
    })
    .await
}

pub async fn add(visit: Visit) -> Response {
    answer(visit, |visit, context, lang| {
        let typed = TypedDestination::of(visit);
        let password = visit.form.text("password").map(Hidden::new);
        match create(context, &typed, password) {
            Ok(()) => Ok(see_other("/destinations")),
            Err(failure) => {
                let told = (Sign::Bad, shown(failure.text(lang).as_bytes()));
                new_page(visit, context, lang, typed, Some(told))
            }
        }
    })
    .await
}

fn create(context: &Context, typed: &TypedDestination, password: Option<Hidden>) -> Result<(), Failure> {
    let place = look(context, typed)?;
    if let (true, Some(first)) = (typed.is_replica(context), context.settings.remotes.first()) {
        let request = AddRequest {
            name: typed.name.clone(),
            url: match &place {
                FoundPlace::Vacant(url) | FoundPlace::Repository(url, _) => url.clone(),
            },
            like: Some(first.name.clone()),
        };
        return remotes::add(context, &request, &Nobody).map(drop);
    }
    let given = match (password, typed.key_file.as_str()) {
        (_, file) if !file.is_empty() => Some(SecretSource::KeyFile(context.env.expand(file.as_ref())?)),
        (Some(password), _) => {
            let path = setup::keep_password(&context.env, &typed.name, &password)?;
            Some(SecretSource::PasswordFile(path))
        }
        (None, _) => None,
    };
    let (url, key) = match place {
        FoundPlace::Vacant(url) => {
            let key = match given {
                Some(key) => key,
                None => SecretSource::KeyFile(setup::key_path(&context.env, &typed.name)?),
            };
            (url.clone(), made(context, &url, key)?)
        }
        FoundPlace::Repository(url, known) => {
            let key = given.or(known).ok_or(Cause::Console {
                fault: ConsoleFault::NothingOpens,
            })?;
            context.open_with(&service::resolve::Location::of(&url), vec![key.clone()], &Nobody)?;
            (url, key)
        }
    };
    let remote = Remote {
        name: typed.name.clone(),
        url,
        keys: vec![key],
        quota: None,
        append_only: false,
    };
    edit::add_remote(&context.env, &remote).map(drop)
}

/// A new repository, and what opens it.
fn made(context: &Context, url: &str, key: SecretSource) -> Result<SecretSource, Failure> {
    let mut options = context.options.clone();
    options.repo = Some(url.into());
    options.repository_file = None;
    match &key {
        SecretSource::KeyFile(path) => options.key_file = Some(path.clone().into_os_string()),
        SecretSource::PasswordFile(path) => options.password_file = Some(path.clone().into_os_string()),
        _ => {}
    }
    let own = context.for_job(options, context.now.clone(), context.cancel().child());
    let request = init::Request {
        // It can be made and typed back on the page of keys.
        recovery_phrase: false,
        bounds: Bounds::DEFAULT,
        parity: None,
    };
    init::run(&own, &request, &Nobody)?;
    Ok(key)
}

#[derive(Template)]
#[template(path = "destination_remove.html")]
struct DestinationRemovePage {
    f: Frame,
    name: String,
    sets: Vec<String>,
    lines: Vec<String>,
}

pub async fn remove_page(visit: Visit, name: String) -> Response {
    answer(visit, move |visit, context, lang| {
        let remote = context.settings.named(&name)?;
        let sets = sets_at(context, &name);
        let place = shown(repo::shown(&remote.url).as_bytes());
        reply::page(&DestinationRemovePage {
            f: visit.frame_in(
                Some(context),
                lang,
                "destinations",
                Labels(lang).remove_destination(),
            ),
            lines: texts::removing_destination(lang, &name, &place, context.settings.remotes.len() == 1),
            sets,
            name,
        })
    })
    .await
}

pub async fn remove(visit: Visit) -> Response {
    answer(visit, |visit, context, _| {
        let name = visit.form.text("name").ok_or_else(|| bad("name"))?;
        let sets = sets_at(context, name);
        if let Some(set) = sets.first() {
            let (name, set) = (name.to_string(), set.clone());
            let fault = ConsoleFault::DestinationInUse { name, set };
            return Err(Cause::Console { fault }.into());
        }
        remotes::remove(context, name)?;
        Ok(see_other("/destinations"))
    })
    .await
}
