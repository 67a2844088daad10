//! Takes secrets out of text that leaves this machine or is kept in logs: values that are known to be secret wherever
//! they stand, and what looks like a secret: passwords and query values in URLs, and values of names such as `token=`.

use crate::env::Env;
use crate::resolve::RepositoryOptions;
use crate::secret::SecretSource;
use crate::settings::Settings;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use toml_edit::visit_mut::VisitMut;
use toml_edit::{DocumentMut, Formatted};

/// Stands for what was taken out.
pub const REMOVED: &str = "(removed)";
/// Variables with one of these in their names hold secrets, unless the name ends in one of [`HARMLESS_ENDS`].
const SECRET_NAMES: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "API_KEY",
    "ACCOUNT_KEY",
    "ACCESS_KEY",
    "APPLICATION_KEY",
];
const HARMLESS_ENDS: [&str; 4] = ["_FILE", "_FD", "_ID", "_CACHE"];
/// What follows one of these and `=` or `:` is a secret, in whatever text.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "authorization",
];
/// Values in the query of a URL that say where something is.
const PLAIN_QUERY: [&str; 6] = [
    "endpoint",
    "region",
    "timeout",
    "path-style",
    "storage-class",
    "known-hosts",
];
/// Secrets that are so short are taken out only where they stand alone: as part of words they are anything.
const SHORT: usize = 6;
/// A word of letters and digits that is as long may be a token.
const TOKEN: usize = 12;
/// A secret file that is larger is none.
const FILE_MAX: u64 = 4096;

/// Knows the secrets of this machine's settings and environment.
#[derive(Default)]
pub struct Redactor {
    /// Longest first, so that one that holds another goes as a whole.
    secrets: Vec<String>,
    removed: AtomicU64,
}

impl Redactor {
    /// With what the environment, the settings, and the files that they name hold.
    pub fn of(env: &Env, settings: &Settings, options: &RepositoryOptions) -> Redactor {
        let mut known = Secrets::default();
        known.environment(env);
        known.files_of_environment(env);
        known.settings(settings, env);
        known.add_text(options.password_command.as_deref());
        let files = [&options.password_file, &options.recovery_phrase_file];
        for file in files.into_iter().flatten() {
            known.first_line_in(file, env);
        }
        known.redactor()
    }

    /// With the secrets of the environment only: no file is read for it.
    pub fn of_environment(env: &Env) -> Redactor {
        let mut known = Secrets::default();
        known.environment(env);
        known.redactor()
    }

    /// How many values were taken out so far.
    pub fn removed(&self) -> u64 {
        self.removed.load(Relaxed)
    }

    /// `text` without secrets.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_string();
        for secret in &self.secrets {
            text = self.without(&text, secret);
        }
        let text = self.without_url_secrets(&text);
        self.without_named(&text)
    }

    pub(crate) fn count(&self) {
        self.removed.fetch_add(1, Relaxed);
    }

    fn without(&self, text: &str, secret: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(secret) {
            let (before, after) = (rest.get(..at).unwrap_or_default(), rest.get(at + secret.len()..));
            let after = after.unwrap_or_default();
            out += before;
            let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            let alone = is_edge(out.chars().next_back()) && is_edge(after.chars().next());
            if secret.len() >= SHORT || alone {
                out += REMOVED;
                self.count();
            } else {
                out += secret;
            }
            rest = after;
        }
        out + rest
    }

    /// Passwords before the host, and values in queries, of every URL in a text.
    fn without_url_secrets(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("://") {
            let (head, tail) = rest.split_at(at + 3);
            out += head;
            let end = tail.find(|c: char| c.is_whitespace() || "\"'<>`\\".contains(c));
            let (url, after) = tail.split_at(end.unwrap_or(tail.len()));
            out += &self.url(url);
            rest = after;
        }
        out + rest
    }

    /// What follows the scheme.
    fn url(&self, url: &str) -> String {
        let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
        let (authority, path) = url.split_at(authority);
        let mut out = match authority.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => {
                self.count();
                let user = user.split(':').next().unwrap_or_default();
                format!("{user}:{REMOVED}@{host}")
            }
            _ => authority.to_string(),
        };
        let Some((path, query)) = path.split_once('?') else {
            return out + path;
        };
        out += path;
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, value)) if PLAIN_QUERY.contains(&name) => format!("{name}={value}"),
            Some((name, _)) => {
                self.count();
                format!("{name}={REMOVED}")
            }
            None => {
                self.count();
                REMOVED.to_string()
            }
        });
        out + "?" + &pairs.collect::<Vec<_>>().join("&")
    }

    /// Values of names that say that they are secret: `token=x`, `"password": "x"`, `Authorization: Bearer x`.
    fn without_named(&self, text: &str) -> String {
        // Lower case of ASCII keeps every position.
        let lower = text.to_ascii_lowercase();
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        while let Some((at, word)) = next_of(&lower, from, &SECRET_WORDS) {
            let end = at + word.len();
            out += text.get(from..end).unwrap_or_default();
            from = end;
            if let Some((start, stop)) = value_after(&lower, end)
                && text.get(start..stop) != Some(REMOVED)
            {
                out += text.get(end..start).unwrap_or_default();
                out += REMOVED;
                self.count();
                from = stop;
            }
        }
        out + text.get(from..).unwrap_or_default()
    }
}

/// The first of these words at or after a position.
fn next_of<'w>(text: &str, from: usize, words: &[&'w str]) -> Option<(usize, &'w str)> {
    let rest = text.get(from..)?;
    let found = words
        .iter()
        .filter_map(|word| Some((from + rest.find(word)?, *word)));
    // Of those at one place the longest.
    found.min_by_key(|(at, word)| (*at, std::cmp::Reverse(word.len())))
}

/// Where the value stands that a name ends before: after an optional quote, and `=` or `:`.
fn value_after(text: &str, end: usize) -> Option<(usize, usize)> {
    let rest = text.get(end..)?;
    let after = rest.trim_start_matches(['"', '\'']).trim_start_matches(' ');
    let after = after.strip_prefix(['=', ':'])?;
    let value = after.trim_start_matches([' ', '"', '\'']);
    let value = value
        .strip_prefix("bearer ")
        .or(value.strip_prefix("basic "))
        .unwrap_or(value);
    let start = text.len() - value.len();
    let stop = value.find(|c: char| c.is_whitespace() || "\"',;&}".contains(c));
    let stop = start + stop.unwrap_or(value.len());
    (stop > start).then_some((start, stop))
}

/// The text of a settings file without values that are secrets, and otherwise as it is: passwords and keys in URLs and
/// commands, and the paths of URLs that give access to whoever knows them. `None` if it is no TOML.
pub fn settings(settings: &Settings, text: &str) -> Option<String> {
    let notify = &settings.notify;
    let webhook = notify.webhook.as_ref().map(|table| &table.url.0);
    let ping = notify.ping.as_ref().map(|table| &table.url.0);
    let mut values = SettingsRedactor {
        redactor: Redactor::default(),
        addresses: webhook.into_iter().chain(ping).cloned().collect(),
    };
    let mut document: DocumentMut = text.parse().ok()?;
    values.visit_document_mut(&mut document);
    let text = document.to_string();
    let lines = text.split_inclusive('\n').map(|line| match comment_in(line) {
        Some(at) => {
            let (code, comment) = line.split_at(at);
            code.to_string() + &values.redactor.scrub(comment)
        }
        None => line.to_string(),
    });
    Some(lines.collect())
}

/// Where the comment of a line begins, as far as a line shows it.
fn comment_in(line: &str) -> Option<usize> {
    let is_outside = |at: &usize| {
        let before = line.get(..*at).unwrap_or_default();
        before.matches('"').count() % 2 == 0 && before.matches('\'').count() % 2 == 0
    };
    line.match_indices('#').map(|(at, _)| at).find(is_outside)
}

struct SettingsRedactor {
    redactor: Redactor,
    /// URLs of which only the host is no secret.
    addresses: Vec<String>,
}

impl VisitMut for SettingsRedactor {
    fn visit_string_mut(&mut self, node: &mut Formatted<String>) {
        let value = node.value();
        let new = match self.addresses.contains(value) {
            true => {
                let (scheme, rest) = value.split_once("://").unwrap_or(("", value));
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = host.rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}/{REMOVED}")
            }
            false => self.redactor.scrub(value),
        };
        if new != *value {
            let decor = node.decor().clone();
            *node = Formatted::new(new);
            *node.decor_mut() = decor;
        }
    }
}

/// Whether a variable's value is not to be shown.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_NAMES.iter().any(|word| name.contains(word))
        && !HARMLESS_ENDS.iter().any(|end| name.ends_with(end))
}

#[derive(Default)]
struct Secrets(BTreeSet<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.is_empty() {
            return;
        }
        self.0.insert(secret.to_string());
        // As JSON has it.
        let quoted = serde_json::Value::from(secret).to_string();
        let inner = quoted
            .strip_prefix('"')
            .and_then(|quoted| quoted.strip_suffix('"'));
        self.0.insert(inner.unwrap_or_default().to_string());
    }

    fn add_text(&mut self, secret: Option<&OsStr>) {
        self.add(&secret.unwrap_or_default().to_string_lossy());
    }

    fn environment(&mut self, env: &Env) {
        for (name, value) in env.all() {
            let name = name.to_string_lossy();
            if is_secret_name(&name) {
                self.add(&value.to_string_lossy());
            }
            self.url(&value.to_string_lossy());
        }
    }

    fn files_of_environment(&mut self, env: &Env) {
        for (name, value) in env.all() {
            if name.to_string_lossy().ends_with("PASSWORD_FILE") {
                self.first_line_in(value, env);
            }
        }
    }

    fn settings(&mut self, settings: &Settings, env: &Env) {
        for remote in &settings.remotes {
            self.url(&remote.url);
            for key in &remote.keys {
                match key {
                    SecretSource::Password(password) => self.add(password.expose()),
                    SecretSource::PasswordFile(path) | SecretSource::PhraseFile(path) => {
                        self.first_line_in(path.as_os_str(), env)
                    }
                    SecretSource::PasswordCommand(command) => self.command(&command.to_string_lossy()),
                    SecretSource::PasswordFd(_) | SecretSource::KeyFile(_) | SecretSource::Prompt => {}
                }
            }
        }
        for (_, set) in &settings.sets.0 {
            let hooks = [&set.run_before, &set.run_after, &set.run_failed, &set.run_finally];
            hooks.into_iter().flatten().for_each(|hook| self.command(hook));
        }
        let notify = &settings.notify;
        let urls = [
            notify.webhook.as_ref().map(|table| &table.url.0),
            notify.ping.as_ref().map(|table| &table.url.0),
            settings.update.url.as_ref().map(|url| &url.0),
        ];
        for url in urls.into_iter().flatten() {
            // All of it gives access but the host, also in parts: a name may be put into it.
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            if let Some((_, path)) = rest.split_once('/') {
                self.add(path);
                let parts = path.split(['/', '?', '&', '=', '{', '}']);
                parts
                    .filter(|part| part.len() >= SHORT)
                    .for_each(|part| self.add(part));
            }
            self.url(url);
        }
        if let Some(proxy) = &settings.limits.proxy {
            self.url(&proxy.0);
        }
        if let Some(mail) = &notify.mail {
            self.add(mail.user.as_deref().unwrap_or_default());
            if let Some(file) = &mail.password_file {
                self.first_line_in(OsStr::new(&file.to_string()), env);
            }
        }
    }

    /// A command, and what in it looks like a token: it may print that.
    fn command(&mut self, command: &str) {
        self.add(command);
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_token = |part: &&str| {
            let has = |of: fn(&char) -> bool| part.chars().any(|c| of(&c));
            part.len() >= TOKEN && has(char::is_ascii_digit) && has(char::is_ascii_alphabetic)
        };
        let parts = command.split(|c: char| !is_part(c)).filter(is_token);
        parts.for_each(|part| self.add(part));
    }

    /// The password and the query values of a URL.
    fn url(&mut self, url: &str) {
        let Some((_, rest)) = url.split_once("://") else {
            return;
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if let Some((user, _)) = authority.rsplit_once('@') {
            self.add(user.split_once(':').map_or("", |(_, password)| password));
        }
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if !PLAIN_QUERY.contains(&name) {
                self.add(value);
            }
        }
    }

    fn first_line_in(&mut self, path: &OsStr, env: &Env) {
        // What can't be expanded can't be read.
        if let Ok(path) = env.expand(path) {
            self.first_line_of(&path);
        }
    }

    /// What can't be read can't be shown either. A pipe is left to whom it is for.
    fn first_line_of(&mut self, path: &Path) {
        use std::io::Read;
        if !path.is_file() {
            return;
        }
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text));
        if read.is_ok() {
            self.add(text.lines().next().unwrap_or_default());
        }
    }

    fn redactor(self) -> Redactor {
        let mut secrets: Vec<String> = self.0.into_iter().filter(|secret| secret.len() > 1).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Redactor {
            secrets,
            removed: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret() {
        let redactor = Redactor::default();
        for (text, want) in [
            ("sftp://me:pw@host/x y", "sftp://me:(removed)@host/x y"),
            (
                "'s3://b/p?key=AK&region=jp'",
                "'s3://b/p?key=(removed)&region=jp'",
            ),
            ("https://h/x?T0KEN", "https://h/x?(removed)"),
            ("token=abc def", "token=(removed) def"),
            ("{\"password\":\"a b\"}", "{\"password\":\"(removed) b\"}"),
            (
                "curl -H 'Authorization: Bearer abc'",
                "curl -H 'Authorization: (removed)'",
            ),
            ("the password file is /a/b", "the password file is /a/b"),
            ("API_KEY: xyz, next", "API_KEY: (removed), next"),
            ("10.5 GiB of 日本語", "10.5 GiB of 日本語"),
        ] {
            let scrubbed = redactor.scrub(text);
            // What follows "Bearer" is the secret, not the word.
            assert_eq!(scrubbed.replace("Bearer ", ""), want, "{text}");
        }
        assert_eq!(redactor.removed(), 7);
    }

    #[test]
    fn known_secrets_go_wherever_they_stand() {
        let mut known = Secrets::default();
        known.add("hunter2!");
        known.add("abc");
        known.add("say \"x\"");
        let redactor = known.redactor();
        assert_eq!(redactor.scrub("xhunter2!y"), "x(removed)y");
        assert_eq!(redactor.scrub("abc abcd -abc-"), "(removed) abcd -(removed)-");
        assert_eq!(redactor.scrub(r#"{"a":"say \"x\""}"#), r#"{"a":"(removed)"}"#);
        assert_eq!(redactor.scrub("a token: hunter2! b"), "a token: (removed) b");
    }

    #[test]
    fn settings_without_secrets() {
        let text = "# token: abc\n[remotes.a]\nurl = 'sftp://me:pw@h/x' # mine\npassword-command = \"secret-tool x\"\n\
            [sets.s]\nsources = ['/d#1'] # password=1\ndestinations = ['a']\nrun-before = \"dump --password=pw x\"\n\
            [notify.webhook]\nurl = \"https://h.example/T/B\"\n";
        let settings = Settings::parse(Path::new("x"), text, &Env::of(&[])).unwrap();
        let redacted = super::settings(&settings, text).unwrap();
        let want = "# token: (removed)\n[remotes.a]\nurl = \"sftp://me:(removed)@h/x\" # mine\n\
            password-command = \"secret-tool x\"\n[sets.s]\nsources = ['/d#1'] # password=(removed)\ndestinations = ['a']\n\
            run-before = \"dump --password=(removed) x\"\n[notify.webhook]\nurl = \"https://h.example/(removed)\"\n";
        assert_eq!(redacted, want);
        Settings::parse(Path::new("x"), &redacted, &Env::of(&[])).unwrap();
        let plain = "[remotes.a]\nurl   = '/r'  # keep\n\n\n";
        let settings = Settings::parse(Path::new("x"), plain, &Env::of(&[])).unwrap();
        assert_eq!(super::settings(&settings, plain).unwrap(), plain);
    }

    #[test]
    fn names_of_variables() {
        for name in [
            "DEDUP_PASSWORD",
            "DEDUP_PASSWORD_COMMAND",
            "AWS_SECRET_ACCESS_KEY",
            "my_token",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "DEDUP_PASSWORD_FILE",
            "AWS_ACCESS_KEY_ID",
            "DEDUP_KEY_CACHE",
            "HOME",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
