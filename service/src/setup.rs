//! What the guided start does between its questions: it judges answers, writes the settings, and proves the first backup by
//! restoring a file. The questions are the interface's.

use crate::catalogue::{Action, Cause, SetCause};
use crate::context::Context;
use crate::env::Env;
use crate::face::Face;
use crate::failure::Failure;
use crate::init::check_vacant;
use crate::listing::{self, Among};
use crate::paths::SnapshotSpec;
use crate::resolve::{self, Location};
use crate::restore::{self, Overwrite, Patterns, Permissions, RestorePlace};
use crate::secret::{Hidden, SecretSource};
use crate::settings::edit::{self, Draft, KeyValue, KeyValues};
use crate::settings::schedule::Schedule;
use crate::settings::values::{Host, MailAddress};
use crate::settings::{Remote, Settings};
use crate::status::Status;
use engine::entry::Kind;
use engine::manifest::Manifest;
use engine::monitor::Quiet;
use engine::platform::{files, paths::from_root};
use engine::repo::Repo;
use engine::select::Filter;
use engine::{Error, SessionId, list};
use std::ffi::OsString;
use std::io::ErrorKind::AlreadyExists;
use std::path::{Path, PathBuf};

/// A file that is restored as a proof is no larger.
const PROOF_MOST: u64 = 16 << 20;
/// So many files of the snapshot are looked at for one that is as it was.
const PROOF_CANDIDATES: usize = 100;

/// So many files of interrupted setups are tried.
const KEPT_MOST: usize = 16;

/// Where backups are to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SetupPlace {
    /// A place that can be reached, is empty and can be written to, in its absolute form.
    Vacant { url: String },
    /// A remote of the settings.
    Remote { name: String },
    /// A repository without a name, and the key file that opens it if it is the embedded one.
    Repository { url: String, key: Option<PathBuf> },
}

/// Judges a place for backups.
pub fn destination(context: &Context, text: &str) -> Result<SetupPlace, Failure> {
    if context.settings.remote(text).is_some() {
        let name = text.to_string();
        return Ok(SetupPlace::Remote { name });
    }
    let text = match engine::repo::local_path(text) {
        Some(_) if text.starts_with('~') => {
            let path = context.env.expand(text.as_ref())?;
            path.to_string_lossy().into_owned()
        }
        _ => text.to_string(),
    };
    let url = resolve::absolute(&text)?;
    engine::repo::check_location(&url)?;
    let remotes = &context.settings.remotes;
    if let Some(known) = remotes.iter().find(|remote| remote.url == url) {
        let name = known.name.clone();
        return Ok(SetupPlace::Remote { name });
    }
    if engine::repo::exists(&url, &context.run()?)? {
        let usual = resolve::usual(&Env::without_variables(&context.env), &Settings::default())?;
        let key = resolve::default_key(&context.env)?;
        let key = Some(key).filter(|key| url == usual.url && key.exists());
        return Ok(SetupPlace::Repository { url, key });
    }
    check_vacant(&context.run()?, &Location::of(&url))?;
    if let Some(path) = engine::repo::local_path(&url) {
        try_directory(path)?;
    }
    Ok(SetupPlace::Vacant { url })
}

/// Whether a directory can be made and written to.
fn try_directory(path: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::system(Action::Use, path, e);
    let is_new = !path.exists();
    let probe = path.join(".dedup-setup");
    files::create(&probe, b"").or_else(|e| match e.kind() {
        // Of a setup that was killed.
        AlreadyExists => Ok(()),
        _ => Err(failed(e)),
    })?;
    std::fs::remove_file(&probe).map_err(failed)?;
    if is_new {
        // It is made again with the repository; one that stays harms nobody.
        let _ = std::fs::remove_dir(path);
    }
    Ok(())
}

/// Whether a text is a schedule.
pub fn check_schedule(text: &str) -> Result<(), Failure> {
    let parsed = Schedule::parse(text);
    parsed.map(drop).map_err(|fault| Cause::Value { fault }.into())
}

/// Whether mail can be sent to an address.
pub fn check_mail_address(text: &str) -> Result<(), Failure> {
    let parsed = MailAddress::parse(text);
    parsed.map(drop).map_err(|fault| Cause::Value { fault }.into())
}

/// Whether a text can be the name of a server.
pub fn check_host(text: &str) -> Result<(), Failure> {
    let parsed = Host::parse(text);
    parsed.map(drop).map_err(|fault| Cause::Value { fault }.into())
}

/// A name that no table of this kind has yet: `main`, then `main2`.
pub fn free_name(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let names = std::iter::once(wanted.to_string()).chain((2..).map(|n| format!("{wanted}{n}")));
    let mut free = names.filter(|name| !is_taken(name));
    // There is always a next number.
    free.next().unwrap_or_default()
}

/// What a set of this source is called: the name of its directory, or `home`.
pub fn set_name(env: &Env, source: &str) -> String {
    let path = env
        .expand(source.as_ref())
        .unwrap_or_else(|_| PathBuf::from(source));
    if env.home().is_ok_and(|home| home == path) {
        return "home".to_string();
    }
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let letters = name.unwrap_or_default();
    let plain: String = letters
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    match plain.trim_matches(['-', '_']) {
        "" => "files".to_string(),
        name => name.to_string(),
    }
}

/// The set that saves these sources there and nowhere else, as a setup that was interrupted in the first backup wrote it, or
/// a name that no set has yet. Whether the set is new.
pub fn set_for(context: &Context, sources: &[String], remote: &str) -> (String, bool) {
    let sets = &context.settings.sets.0;
    let known = sets.iter().find(|(_, set)| {
        let destinations = set.destinations.iter().map(|name| name.get_ref().0.as_str());
        let known = set.sources.iter().map(ToString::to_string);
        known.eq(sources.iter().cloned()) && destinations.eq([remote])
    });
    if let Some((name, _)) = known {
        return (name.get_ref().0.clone(), false);
    }
    let first = sources.first().map_or("", String::as_str);
    let is_taken = |name: &str| context.settings.set(name).is_some();
    (free_name(&set_name(&context.env, first), is_taken), true)
}

/// Keeps a password in a file of its own, for its owner only, which runs that nobody watches read.
pub fn keep_password(env: &Env, name: &str, password: &Hidden) -> Result<PathBuf, Failure> {
    loop {
        let path = password_path(env, name)?;
        match files::create(&path, format!("{}\n", password.expose()).as_bytes()) {
            // Of another program that was faster.
            Err(e) if e.kind() == AlreadyExists => {}
            Err(e) => return Err(Failure::system(Action::Write, &path, e)),
            Ok(()) => return Ok(path),
        }
    }
}

/// Where the password of a new remote goes.
pub fn password_path(env: &Env, name: &str) -> Result<PathBuf, Failure> {
    free_path(env, name, "password")
}

/// Where the key of a new remote goes.
pub fn key_path(env: &Env, name: &str) -> Result<PathBuf, Failure> {
    free_path(env, name, "key")
}

fn folder(env: &Env) -> Result<PathBuf, Failure> {
    Ok(env.base("XDG_CONFIG_HOME", ".config")?.join("dedup"))
}

fn free_path(env: &Env, name: &str, extension: &str) -> Result<PathBuf, Failure> {
    let folder = folder(env)?;
    let path = |name: &str| folder.join(format!("{name}.{extension}"));
    // A dangling link is in the way, too.
    let taken = |name: &str| path(name).symlink_metadata().is_ok();
    Ok(path(&free_name(name, taken)))
}

/// What an earlier setup that was interrupted may have kept for a remote of this name: files that [`key_path`] and
/// [`password_path`] pass over.
fn kept(env: &Env, name: &str) -> Result<Vec<SecretSource>, Failure> {
    let folder = folder(env)?;
    let files = |extension: &str| -> Vec<PathBuf> {
        let names = std::iter::once(name.to_string()).chain((2..).map(|n| format!("{name}{n}")));
        let paths = names.map(|name| folder.join(format!("{name}.{extension}")));
        paths.take_while(|path| path.exists()).take(KEPT_MOST).collect()
    };
    let keys = files("key").into_iter().map(SecretSource::KeyFile);
    let passwords = files("password").into_iter().map(SecretSource::PasswordFile);
    Ok(keys.chain(passwords).collect())
}

/// What opens a repository that is there: `key`, or what an earlier setup kept for a remote of this name.
pub fn kept_opener(
    context: &Context,
    (url, key): (&str, Option<PathBuf>),
    name: &str,
    face: &dyn Face,
) -> Result<Option<SecretSource>, Failure> {
    let usual = key.map(SecretSource::KeyFile);
    for source in usual.into_iter().chain(kept(&context.env, name)?) {
        match open(context, url, &source, face) {
            Ok(()) => return Ok(Some(source)),
            // Of something else, or no key at all: the next one may be right, and the user is asked in the end.
            Err(failure) if matches!(failure.status, Status::WrongKey | Status::BadSettings) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// Whether a secret opens a repository.
pub fn open(context: &Context, url: &str, source: &SecretSource, face: &dyn Face) -> Result<(), Failure> {
    let sources = vec![source.clone()];
    context.open_with(&Location::of(url), sources, face).map(drop)
}

/// A key file that somebody has, as the settings can name it.
pub fn key_file(env: &Env, text: &str) -> Result<PathBuf, Failure> {
    let path = env.expand(text.as_ref())?;
    std::path::absolute(&path).map_err(|e| Failure::system(Action::Locate, &path, e))
}

/// What the questions were answered with.
#[derive(Clone, Debug)]
pub struct Answers {
    pub remote: String,
    /// What the remote is; nothing if it is in the settings already.
    pub place: Option<(String, SecretSource)>,
    pub set: String,
    pub is_new_set: bool,
    pub sources: Vec<String>,
    pub schedule: String,
}

/// Writes a remote and a set into the settings.
pub fn write(env: &Env, answers: &Answers) -> Result<PathBuf, Failure> {
    if let Some((url, key)) = &answers.place {
        let remote = Remote {
            name: answers.remote.clone(),
            url: url.clone(),
            keys: vec![key.clone()],
            quota: None,
            append_only: false,
        };
        edit::add_remote(env, &remote)?;
    }
    let keys: KeyValues = vec![
        ("sources", KeyValue::Texts(answers.sources.clone())),
        ("destinations", KeyValue::Texts(vec![answers.remote.clone()])),
        ("schedule", KeyValue::Text(answers.schedule.clone())),
    ];
    let draft = edit::save_set(env, &answers.set, answers.is_new_set, &(keys, KeyValues::new()))?;
    draft.write(env)?;
    Ok(draft.path)
}

/// Whether commands that name no repository are about this remote.
pub fn is_usual(context: &Context, remote: &str) -> bool {
    let usual = resolve::usual(&context.env, &context.settings);
    match (usual, context.settings.remote(remote)) {
        (Ok(usual), Some(remote)) => !usual.embedded && usual.url == remote.url,
        _ => false,
    }
}

/// Where mail goes to, and how.
#[derive(Clone, Debug)]
pub struct MailAnswers {
    pub to: String,
    pub server: String,
    pub port: u16,
    pub tls: String,
    pub user: String,
    pub password_file: Option<PathBuf>,
}

/// Writes `[notify.mail]`.
pub fn write_mail(env: &Env, mail: &MailAnswers) -> Result<(), Failure> {
    mail_draft(env, mail)?.write(env)
}

/// The same context with `[notify.mail]`, which is not written: mail that does not arrive is not to stay in the settings,
/// not even if the setup is interrupted while it is sent.
pub fn with_mail(context: &Context, mail: &MailAnswers) -> Result<Context, Failure> {
    let settings = mail_draft(&context.env, mail)?.check(&context.env)?;
    Ok(with_settings(context, settings))
}

fn mail_draft(env: &Env, mail: &MailAnswers) -> Result<Draft, Failure> {
    let text = |text: &str| match text {
        "" => KeyValue::Unset,
        text => KeyValue::Text(text.to_string()),
    };
    let password = mail.password_file.as_ref().map(|path| path.to_string_lossy());
    let keys: KeyValues = vec![
        ("server", text(&mail.server)),
        ("port", KeyValue::Number(mail.port.into())),
        ("tls", text(&mail.tls)),
        ("user", text(&mail.user)),
        ("password-file", text(&password.unwrap_or_default())),
        ("from", text(&mail.to)),
        ("to", KeyValue::Texts(vec![mail.to.clone()])),
    ];
    edit::set_table(env, &["notify", "mail"], &keys)
}

/// The same context with the settings as they are now.
pub fn with_new_settings(context: &Context) -> Result<Context, Failure> {
    Ok(with_settings(context, Settings::read(&context.env)?))
}

fn with_settings(context: &Context, settings: Settings) -> Context {
    let (env, cancel) = (context.env.clone(), context.cancel().clone());
    let mut new = Context::new(env, settings, Default::default(), context.now.clone(), cancel);
    new.lang = context.lang;
    new
}

/// Restores one file of the newest snapshot of a set, whose source is as it was, and compares the two. `None` if there is
/// no such file. `context` is about the repository.
pub fn prove(context: &Context, set: &str, face: &dyn Face) -> Result<Option<PathBuf>, Failure> {
    let among = Among {
        at: None,
        filter: Filter {
            hosts: vec![context.host(None)?],
            sets: vec![set.to_string()],
            ..Filter::default()
        },
    };
    let latest = SnapshotSpec::parse(&[], false);
    let repo = context.open(face)?;
    let chosen = listing::choose_for(context, &repo, &latest, &among, face)?;
    let Some(path) = unchanged_file(&repo, &chosen.manifest)? else {
        return Ok(None);
    };
    let target = tempfile::tempdir().map_err(|e| Failure::system(Action::Create, &path, e))?;
    restore_file(context, (chosen.id, &path), target.path(), face)?;
    let restored = target.path().join(path.strip_prefix("/").unwrap_or(&path));
    let read = |path: &Path| std::fs::read(path).map_err(|e| Failure::system(Action::Read, path, e));
    match read(&restored)? == read(&path)? {
        true => Ok(Some(path)),
        false => {
            let path = path.display().to_string();
            Err(SetCause::ProofDiffers { path }.into())
        }
    }
}

/// A file of a snapshot that is on this machine and has the same size.
fn unchanged_file(repo: &Repo, manifest: &Manifest) -> Result<Option<PathBuf>, Failure> {
    let mut candidates = Vec::new();
    let mut each = |path: &[u8], entry: &engine::entry::Entry| {
        let is_fit = entry.kind == Kind::File && entry.trouble.is_none();
        if is_fit && (1..=PROOF_MOST).contains(&entry.meta.size) {
            candidates.push((from_root(path), entry.meta.size));
        }
        match candidates.len() {
            PROOF_CANDIDATES => Err(Error::Interrupted),
            _ => Ok(()),
        }
    };
    let listed = list::entries(&repo.reader(&Quiet), manifest, None, true, &mut each);
    match listed {
        // Enough were found.
        Err(Error::Interrupted) if candidates.len() == PROOF_CANDIDATES => {}
        listed => listed?,
    }
    let is_there = |(path, size): &(PathBuf, u64)| {
        let meta = path.symlink_metadata();
        meta.is_ok_and(|meta| meta.is_file() && meta.len() == *size)
    };
    Ok(candidates.into_iter().find(is_there).map(|(path, _)| path))
}

/// Restores one file below `target`, and reads it back.
fn restore_file(
    context: &Context,
    (id, path): (SessionId, &Path),
    target: &Path,
    face: &dyn Face,
) -> Result<(), Failure> {
    let request = restore::Request {
        spec: SnapshotSpec::parse(&[OsString::from(id.to_hex()), path.into()], false),
        among: Among::default(),
        target: RestorePlace::Folder(target.to_path_buf()),
        include: Patterns::default(),
        exclude: Patterns::default(),
        deleted_since: None,
        delete: false,
        overwrite: Overwrite::Always,
        permissions: Permissions::Current,
        also: Vec::new(),
        verify: true,
        in_place: false,
        dry_run: false,
    };
    restore::run(context, &request, face).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let env = Env::of(&[]);
        for (source, want) in [
            ("~", "home"),
            ("/home/u", "home"),
            ("~/Documents", "documents"),
            ("/srv/my files", "my-files"),
            ("/", "files"),
            ("/写真", "files"),
        ] {
            assert_eq!(set_name(&env, source), want, "{source}");
        }
        assert_eq!(free_name("main", |_| false), "main");
        assert_eq!(
            free_name("main", |name| ["main", "main2"].contains(&name)),
            "main3"
        );
        assert!(check_schedule("daily 12:30").is_ok() && check_schedule("sometimes").is_err());
    }

    #[test]
    fn what_an_earlier_setup_kept() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().to_str().unwrap();
        let env = Env::of(&[("XDG_CONFIG_HOME", base)]);
        assert_eq!(kept(&env, "main").unwrap(), []);
        let path = |name: &str| dir.path().join("dedup").join(name);
        std::fs::create_dir(path("")).unwrap();
        for name in ["main.key", "main2.key", "main4.key", "main.password", "other.key"] {
            std::fs::write(path(name), "").unwrap();
        }
        let found = [
            SecretSource::KeyFile(path("main.key")),
            SecretSource::KeyFile(path("main2.key")),
            SecretSource::PasswordFile(path("main.password")),
        ];
        assert_eq!(kept(&env, "main").unwrap(), found);
        assert_eq!(key_path(&env, "main").unwrap(), path("main3.key"));
        assert_eq!(
            keep_password(&env, "main", &Hidden::new("sesame")).unwrap(),
            path("main2.password")
        );
    }
}
