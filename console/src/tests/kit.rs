//! A console with a home of its own, and requests as a browser sends them.

use crate::app::{App, Hosts};
use crate::fields::encoded;
use crate::{live, router};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header, request};
use axum::response::Response;
use jiff::Zoned;
use serde_json::Value;
use service::env::Env;
use service::face::Nobody;
use service::history::HistoryRow;
use service::history::journal::Journal;
use service::history::read::HistoryQuery;
use service::resolve::RepositoryOptions;
use service::run::CancelToken;
use service::settings::Settings;
use service::{Context, init};
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tower::ServiceExt;

pub const PASSWORD: &str = "correct horse battery";
pub const HOST: &str = "127.0.0.1:4280";
/// Of the console that is called by TLS.
pub const NAME: &str = "backup.example.jp";

pub struct Console {
    dir: TempDir,
    pub app: Arc<App>,
    pub router: Router,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub location: String,
    pub cookies: Vec<String>,
    pub text: String,
}

impl Answer {
    /// The session's cookie as a browser sends it back.
    pub fn session(&self) -> String {
        self.cookies[0].split(';').next().unwrap().to_string()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }
}

/// Waits for a test.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.unwrap().block_on(test);
}

pub fn get(path: &str) -> request::Builder {
    Request::get(path).header(header::HOST, HOST)
}

pub fn post(path: &str) -> request::Builder {
    Request::post(path)
        .header(header::HOST, HOST)
        .header(header::ORIGIN, format!("http://{HOST}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value.as_bytes())));
    pairs.collect::<Vec<_>>().join("&")
}

pub async fn body(console: &Console, session: &str, path: &str) -> String {
    console.get_as(session, path).await.text
}

impl Console {
    pub fn new(settings: &str) -> Console {
        Console::with(settings, false)
    }

    /// One that is called by TLS, by a name of the network.
    pub fn secure() -> Console {
        Console::with("", true)
    }

    fn with(settings: &str, is_secure: bool) -> Console {
        let dir = tempfile::tempdir().unwrap();
        let path = |below: &str| dir.path().join(below).into_os_string().into_string().unwrap();
        fs::create_dir_all(path("config/dedup")).unwrap();
        fs::write(path("config/dedup/dedup.toml"), settings).unwrap();
        let (config, data) = (path("config"), path("data"));
        let (cache, state) = (path("cache"), path("state"));
        let env = Env::of(&[
            ("XDG_CONFIG_HOME", &config),
            ("XDG_DATA_HOME", &data),
            ("XDG_CACHE_HOME", &cache),
            ("XDG_STATE_HOME", &state),
            ("DEDUP_KEY_CACHE", "0s"),
        ]);
        let read = Settings::read(&env).unwrap();
        let options = RepositoryOptions::default();
        let context = Context::new(env, read, options, Zoned::now(), CancelToken::new());
        let hosts = Hosts {
            places: vec![HOST.to_string(), "localhost:4280".to_string()],
            names: is_secure.then(|| NAME.to_string()).into_iter().collect(),
        };
        let mut app = App::new(context, hosts, "dedup-test".to_string()).unwrap();
        app.is_secure = is_secure;
        if is_secure {
            app.patience = Duration::from_secs(1);
        }
        let app = Arc::new(app);
        Console {
            router: router::router(app.clone()),
            app,
            dir,
        }
    }

    /// With a repository, and a set of two files.
    pub async fn with_sets() -> Console {
        let console = Console::new("");
        let context = console.app.context().unwrap();
        let request = init::Request {
            recovery_phrase: false,
            bounds: init::Bounds::DEFAULT,
            parity: None,
        };
        tokio::task::spawn_blocking(move || init::run(&context, &request, &Nobody).map(drop))
            .await
            .unwrap()
            .unwrap();
        let text = |below: &str| console.path(below).into_os_string().into_string().unwrap();
        fs::create_dir_all(console.path("docs/sub")).unwrap();
        fs::write(console.path("docs/letter <b>&\"x.txt"), "Dear all").unwrap();
        fs::write(console.path("docs/sub/other"), "more").unwrap();
        let settings = format!(
            "[remotes.main]\nurl = '{}'\nkey-file = '{}'\n[sets.docs]\nsources = ['{}']\ndestinations = ['main']\n",
            text("data/dedup/repository"),
            text("config/dedup/default.key"),
            text("docs")
        );
        fs::write(console.path("config/dedup/dedup.toml"), settings).unwrap();
        console
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub async fn raw(&self, request: request::Builder) -> Response {
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let headers = answer.headers().clone();
        let text = |value: &header::HeaderValue| value.to_str().unwrap().to_string();
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), 64 << 20).await.unwrap();
        Answer {
            status,
            location: headers.get(header::LOCATION).map(text).unwrap_or_default(),
            cookies: headers.get_all(header::SET_COOKIE).iter().map(text).collect(),
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_as(&self, cookie: &str, path: &str) -> Answer {
        let request = get(path).header(header::COOKIE, cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Without a session.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(post(path).body(Body::from(form(fields))).unwrap())
            .await
    }

    /// As a page of ours would, with the session's token.
    pub async fn change(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf(cookie);
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        let request = post(path).header(header::COOKIE, cookie);
        self.send(request.body(Body::from(form(&fields))).unwrap()).await
    }

    pub fn csrf(&self, cookie: &str) -> String {
        let id = cookie.split('=').nth(1).unwrap().split(';').next().unwrap();
        let session = self.app.session(id, true).unwrap();
        session.csrf().to_string()
    }

    /// By a link, as its owner does.
    pub fn choose_password(&self) {
        let now = Instant::now();
        let link = self.app.gate.new_link(now).unwrap();
        self.app.gate.set(&link, PASSWORD, now).unwrap().unwrap();
    }

    pub async fn log_in(&self) -> String {
        self.choose_password();
        let entered = self.post("/login", &[("password", PASSWORD)]).await;
        assert_eq!(entered.status, 303, "{}", entered.text);
        entered.session()
    }

    /// Runs a set by its button, until it has ended.
    pub async fn back_up(&self, session: &str, set: &str) {
        let began = self.change(session, "/run", &[("set", set)]).await;
        assert_eq!(began.location, "/", "{}", began.text);
        while self.app.jobs.of_set(set).is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.rows()[0].status, "completed", "{:?}", self.rows());
    }

    pub async fn until_ended(&self, session: &str, path: &str) -> String {
        loop {
            let page = self.get_as(session, path).await;
            assert_eq!(page.status, 200, "{}", page.text);
            if !page.text.contains("data-job=") {
                return page.text;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn rows(&self) -> Vec<HistoryRow> {
        let journal = Journal::of(&self.app.context().unwrap().dirs().unwrap());
        let query = HistoryQuery {
            limit: 100,
            ..HistoryQuery::default()
        };
        journal.rows(&query).unwrap().rows
    }

    pub fn seen(&self) -> Value {
        live::seen(&self.app, None).unwrap()
    }
}
