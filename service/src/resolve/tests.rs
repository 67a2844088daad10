use super::*;
use crate::status::Status;

/// Options as they are typed.
fn global(words: &[&str]) -> RepositoryOptions {
    let mut options = RepositoryOptions::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, value),
            None => (*word, *words.next().unwrap()),
        };
        let option = match name {
            "-r" | "--repo" => &mut options.repo,
            "--repository-file" => &mut options.repository_file,
            "-p" => &mut options.password_file,
            "--password-command" => &mut options.password_command,
            "--key-file" => &mut options.key_file,
            "--recovery-phrase-file" => &mut options.recovery_phrase_file,
            other => panic!("{other}"),
        };
        *option = Some(value.into());
    }
    options
}

fn url(options: &[&str], vars: &[(&str, &str)]) -> Result<(String, bool), Failure> {
    let found = location(&global(options), &Env::of(vars), &Settings::default());
    found.map(|l| (l.url, l.embedded))
}

#[test]
fn which_repository() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("place");
    std::fs::write(&file, "/from/file\nrest\n").unwrap();
    let file = file.to_str().unwrap();
    let env = ("DEDUP_REPOSITORY", "/env");
    let embedded = "/home/u/.local/share/dedup/repository";
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str, bool);
    let rows: &[Row] = &[
        (&[], &[], embedded, true),
        (&[], &[("XDG_DATA_HOME", "/d")], "/d/dedup/repository", true),
        (&[], &[("XDG_DATA_HOME", "d")], embedded, true),
        (&[], &[("DEDUP_REPOSITORY", "")], embedded, true),
        (&[], &[env], "/env", false),
        (&["-r", "/opt"], &[env], "/opt", false),
        (&["--repo="], &[env], embedded, true),
        (&["--repo="], &[("DEDUP_REPOSITORY_FILE", file)], embedded, true),
        (&[], &[("DEDUP_REPOSITORY_FILE", file)], "/from/file", false),
        (&["--repository-file", file], &[env], "/from/file", false),
        (&["--repository-file="], &[env], embedded, true),
        (
            &["-r", "mem:"],
            &[("DEDUP_REPOSITORY_FILE", "/missing")],
            "mem:",
            false,
        ),
    ];
    for (options, vars, want, is_embedded) in rows {
        assert_eq!(
            url(options, vars),
            Ok((want.to_string(), *is_embedded)),
            "{options:?} {vars:?}"
        );
    }
    let both = url(&[], &[env, ("DEDUP_REPOSITORY_FILE", file)]).unwrap_err();
    assert!(both.status == Status::BadSettings && both.message().contains("DEDUP_REPOSITORY_FILE"));
    assert_eq!(
        url(&["--repository-file", "/no/such"], &[]).unwrap_err().status,
        Status::BadSettings
    );
}

/// Where the embedded repository is not.
#[test]
fn the_only_remote_of_the_settings() {
    let home = tempfile::tempdir().unwrap();
    let env = Env::of(&[("XDG_DATA_HOME", home.path().to_str().unwrap())]);
    let remote = |name: &str| Remote {
        name: name.to_string(),
        url: format!("/mnt/{name}"),
        keys: Vec::new(),
        quota: None,
        append_only: false,
    };
    let found = |remotes: &[&str]| {
        let settings = Settings {
            remotes: remotes.iter().map(|name| remote(name)).collect(),
            ..Settings::default()
        };
        let found = location(&RepositoryOptions::default(), &env, &settings).unwrap();
        (found.url, found.embedded)
    };
    let embedded = home.path().join("dedup/repository");
    let usual = (embedded.to_str().unwrap().to_string(), true);
    assert_eq!(found(&[]), usual);
    assert_eq!(found(&["main"]), ("/mnt/main".to_string(), false));
    assert_eq!(found(&["main", "okinawa"]), usual);
    let same = Settings {
        remotes: vec![
            remote("okinawa"),
            Remote {
                url: usual.0.clone(),
                keys: vec![SecretSource::KeyFile("/k".into())],
                ..remote("main")
            },
        ],
        ..Settings::default()
    };
    let found_same = location(&RepositoryOptions::default(), &env, &same).unwrap();
    assert_eq!(found_same.url, usual.0);
    assert_eq!(
        found_same.keys, same.remotes[1].keys,
        "opened by what the settings say"
    );
    let mut without_keys = same.clone();
    without_keys.remotes.remove(0);
    without_keys.remotes[0].keys.clear();
    let found_embedded = location(&RepositoryOptions::default(), &env, &without_keys).unwrap();
    assert!(
        found_embedded.embedded,
        "opened by the default key, also before it is there"
    );
    std::fs::create_dir_all(embedded.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/no/such/disk", &embedded).unwrap();
    assert_eq!(found(&["main"]), usual, "on a disk that is not mounted");
}

fn password_is(text: &str) -> SecretSource {
    SecretSource::Password(Hidden::new(text))
}

fn in_file(path: &str) -> SecretSource {
    SecretSource::PasswordFile(path.into())
}

fn key(path: &str) -> SecretSource {
    SecretSource::KeyFile(path.into())
}

const ELSEWHERE: Location = Location {
    keys: Vec::new(),
    url: String::new(),
    embedded: false,
};
const EMBEDDED: Location = Location {
    keys: Vec::new(),
    url: String::new(),
    embedded: true,
};

#[test]
fn what_opens() {
    let var = ("DEDUP_PASSWORD", "secret");
    let key_var = ("DEDUP_KEY_FILE", "/k");
    let command = SecretSource::PasswordCommand("pass show x".into());
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], Vec<SecretSource>);
    let rows: &[Row] = &[
        (&[], &[], vec![SecretSource::Prompt]),
        (&[], &[var], vec![password_is("secret")]),
        (&[], &[("DEDUP_PASSWORD", "")], vec![SecretSource::Prompt]),
        (&[], &[("DEDUP_PASSWORD_FILE", "/p")], vec![in_file("/p")]),
        (
            &[],
            &[("DEDUP_PASSWORD_COMMAND", "pass show x")],
            vec![command.clone()],
        ),
        (
            &[],
            &[("DEDUP_PASSWORD_FD", "7")],
            vec![SecretSource::PasswordFd(7)],
        ),
        (&[], &[key_var], vec![key("/k")]),
        (&[], &[key_var, var], vec![key("/k"), password_is("secret")]),
        (&["-p", "/p"], &[var], vec![in_file("/p")]),
        (&["-p", "/p"], &[("DEDUP_PASSWORD_FD", "x")], vec![in_file("/p")]),
        (
            &["--password-command", "pass show x"],
            &[("DEDUP_PASSWORD_FILE", "/q")],
            vec![command],
        ),
        // An option names a secret: no other is tried.
        (&["-p", "/p"], &[key_var], vec![in_file("/p")]),
        (&["--key-file", "/o"], &[key_var, var], vec![key("/o")]),
        (
            &["--recovery-phrase-file", "/r"],
            &[key_var, var],
            vec![SecretSource::PhraseFile("/r".into())],
        ),
        (
            &["--key-file", "/o", "-p", "/p"],
            &[],
            vec![key("/o"), in_file("/p")],
        ),
        // An empty option clears its own kind.
        (&["-p", ""], &[var], vec![SecretSource::Prompt]),
        (&["-p", ""], &[var, key_var], vec![key("/k")]),
        (&["--key-file="], &[var, key_var], vec![password_is("secret")]),
    ];
    for (options, vars, want) in rows {
        let got = opening(&global(options), &Env::of(vars), &ELSEWHERE);
        assert_eq!(got.as_ref(), Ok(want), "{options:?} {vars:?}");
    }
    let two = opening(
        &global(&[]),
        &Env::of(&[var, ("DEDUP_PASSWORD_FILE", "/p")]),
        &ELSEWHERE,
    )
    .unwrap_err();
    assert!(
        two.status == Status::BadSettings && two.message().contains("DEDUP_PASSWORD and DEDUP_PASSWORD_FILE"),
        "{two:?}"
    );
    for fd in ["x", "-1", "1.0"] {
        let bad = opening(&global(&[]), &Env::of(&[("DEDUP_PASSWORD_FD", fd)]), &ELSEWHERE).unwrap_err();
        assert!(bad.status == Status::BadSettings && bad.message().contains("DEDUP_PASSWORD_FD"));
    }
}

#[test]
fn the_embedded_repository_opens_with_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().to_str().unwrap();
    let vars = [("XDG_CONFIG_HOME", config)];
    let open = |options: &[&str], vars: &[(&str, &str)]| {
        opening(&global(options), &Env::of(vars), &EMBEDDED).unwrap()
    };
    // Made with a password: there is no default key.
    assert_eq!(open(&[], &vars), [SecretSource::Prompt]);
    let file = default_key(&Env::of(&vars)).unwrap();
    assert_eq!(file, dir.path().join("dedup/default.key"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "key").unwrap();
    assert_eq!(open(&[], &vars), [SecretSource::KeyFile(file.clone())]);
    assert_eq!(open(&[], &[vars[0], ("DEDUP_PASSWORD", "x")]), [password_is("x")]);
    assert_eq!(
        opening(&global(&[]), &Env::of(&vars), &ELSEWHERE).unwrap(),
        [SecretSource::Prompt]
    );
}

#[test]
fn what_a_new_repository_gets() {
    let create = |options: &[&str], vars: &[(&str, &str)], at: &Location| {
        creating(&global(options), &Env::of(vars), at)
    };
    let default = key("/home/u/.config/dedup/default.key");
    let var = ("DEDUP_PASSWORD", "x");
    assert_eq!(create(&[], &[], &EMBEDDED), Ok(vec![default]));
    assert_eq!(create(&[], &[var], &EMBEDDED), Ok(vec![password_is("x")]));
    assert_eq!(create(&[], &[], &ELSEWHERE), Ok(vec![SecretSource::Prompt]));
    assert_eq!(
        create(&["--key-file", "/k"], &[var], &ELSEWHERE),
        Ok(vec![key("/k"), password_is("x")])
    );
    assert_eq!(
        create(&["-p", "/p"], &[var, ("DEDUP_KEY_FILE", "/k")], &ELSEWHERE),
        Ok(vec![key("/k"), in_file("/p")])
    );
    let phrase = create(&["--recovery-phrase-file", "/r"], &[], &ELSEWHERE).unwrap_err();
    assert_eq!(phrase.status, Status::BadSettings);
}

#[test]
fn the_new_secret() {
    let new = |options: &[&str], vars: &[(&str, &str)]| {
        let mut args = NewSecretOptions::default();
        if let [name, value] = options {
            let option = match *name {
                "--new-password-file" => &mut args.password_file,
                "--new-key-file" => &mut args.key_file,
                other => panic!("{other}"),
            };
            *option = Some(value.into());
        }
        new_secret(&args, &Env::of(vars))
    };
    assert_eq!(new(&[], &[]), Ok(SecretSource::Prompt));
    // What opens the repository is not what is put in.
    assert_eq!(
        new(&[], &[("DEDUP_PASSWORD", "old"), ("DEDUP_KEY_FILE", "/old")]),
        Ok(SecretSource::Prompt)
    );
    assert_eq!(new(&[], &[("DEDUP_NEW_PASSWORD", "x")]), Ok(password_is("x")));
    assert_eq!(
        new(&[], &[("DEDUP_NEW_PASSWORD_FD", "3")]),
        Ok(SecretSource::PasswordFd(3))
    );
    assert_eq!(new(&[], &[("DEDUP_NEW_KEY_FILE", "/k")]), Ok(key("/k")));
    assert_eq!(
        new(&["--new-password-file", "/p"], &[("DEDUP_NEW_PASSWORD", "x")]),
        Ok(in_file("/p"))
    );
    assert_eq!(
        new(&["--new-key-file", "/k"], &[("DEDUP_NEW_PASSWORD", "x")]),
        Ok(key("/k"))
    );
    assert_eq!(
        new(&["--new-password-file", ""], &[("DEDUP_NEW_PASSWORD", "x")]),
        Ok(SecretSource::Prompt)
    );
    let both = new(&[], &[("DEDUP_NEW_PASSWORD", "x"), ("DEDUP_NEW_KEY_FILE", "/k")]).unwrap_err();
    assert_eq!(both.status, Status::BadSettings);
}

#[test]
fn a_tilde_is_the_home_directory_wherever_a_path_is_given() {
    let home = |name: &str| format!("/home/u/{name}");
    let none = Location::of("/r");
    for (options, vars, want) in [
        (&["-p", "~/p"][..], &[][..], in_file(&home("p"))),
        (&["--key-file=~/k"], &[], key(&home("k"))),
        (
            &["--recovery-phrase-file=~/r"],
            &[],
            SecretSource::PhraseFile(home("r").into()),
        ),
        (&[], &[("DEDUP_PASSWORD_FILE", "~/p")], in_file(&home("p"))),
        (&[], &[("DEDUP_KEY_FILE", "~/k")], key(&home("k"))),
    ] {
        let got = opening(&global(options), &Env::of(vars), &none);
        assert_eq!(got, Ok(vec![want]), "{options:?} {vars:?}");
    }
    let env = Env::of(&[("DEDUP_NEW_KEY_FILE", "~/n"), ("DEDUP_FROM_KEY_FILE", "~/f")]);
    assert_eq!(
        new_secret(&NewSecretOptions::default(), &env),
        Ok(key(&home("n")))
    );
    assert_eq!(
        opening_source(&CopySourceOptions::default(), &env, &none),
        Ok(vec![key(&home("f"))])
    );
    assert_eq!(url(&["-r", "~/repo"], &[]).unwrap().0, home("repo"));
    let missing = url(&["--repository-file", "~/no/such"], &[]).unwrap_err();
    assert!(missing.message().contains("/home/u/no/such"), "{missing:?}");
}
