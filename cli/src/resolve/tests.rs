use super::*;
use crate::args::{Cli, Command, KeyCommand};
use crate::exit::Code;
use clap::Parser;

fn cli(options: &[&str], command: &[&str]) -> Cli {
    Cli::try_parse_from(["dedup"].iter().chain(options).chain(command)).unwrap()
}

fn global(options: &[&str]) -> Global {
    cli(options, &["check"]).global
}

fn url(options: &[&str], vars: &[(&str, &str)]) -> Result<(String, bool), Failure> {
    location(&global(options), &Env::of(vars)).map(|l| (l.url, l.embedded))
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
    assert!(both.code == Code::Usage && both.message.contains("DEDUP_REPOSITORY_FILE"));
    assert_eq!(
        url(&["--repository-file", "/no/such"], &[]).unwrap_err().code,
        Code::Usage
    );
}

fn password_is(text: &str) -> Source {
    Source::Password(Hidden::new(text))
}

fn in_file(path: &str) -> Source {
    Source::PasswordFile(path.into())
}

fn key(path: &str) -> Source {
    Source::KeyFile(path.into())
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
    let command = Source::PasswordCommand("pass show x".into());
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], Vec<Source>);
    let rows: &[Row] = &[
        (&[], &[], vec![Source::Prompt]),
        (&[], &[var], vec![password_is("secret")]),
        (&[], &[("DEDUP_PASSWORD", "")], vec![Source::Prompt]),
        (&[], &[("DEDUP_PASSWORD_FILE", "/p")], vec![in_file("/p")]),
        (
            &[],
            &[("DEDUP_PASSWORD_COMMAND", "pass show x")],
            vec![command.clone()],
        ),
        (&[], &[("DEDUP_PASSWORD_FD", "7")], vec![Source::PasswordFd(7)]),
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
            vec![Source::PhraseFile("/r".into())],
        ),
        (
            &["--key-file", "/o", "-p", "/p"],
            &[],
            vec![key("/o"), in_file("/p")],
        ),
        // An empty option clears its own kind.
        (&["-p", ""], &[var], vec![Source::Prompt]),
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
        two.code == Code::Usage && two.message.contains("DEDUP_PASSWORD and DEDUP_PASSWORD_FILE"),
        "{two:?}"
    );
    for fd in ["x", "-1", "1.0"] {
        let bad = opening(&global(&[]), &Env::of(&[("DEDUP_PASSWORD_FD", fd)]), &ELSEWHERE).unwrap_err();
        assert!(bad.code == Code::Usage && bad.message.contains("DEDUP_PASSWORD_FD"));
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
    assert_eq!(open(&[], &vars), [Source::Prompt]);
    let file = default_key(&Env::of(&vars)).unwrap();
    assert_eq!(file, dir.path().join("dedup/default.key"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "key").unwrap();
    assert_eq!(open(&[], &vars), [Source::KeyFile(file.clone())]);
    assert_eq!(open(&[], &[vars[0], ("DEDUP_PASSWORD", "x")]), [password_is("x")]);
    assert_eq!(
        opening(&global(&[]), &Env::of(&vars), &ELSEWHERE).unwrap(),
        [Source::Prompt]
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
    assert_eq!(create(&[], &[], &ELSEWHERE), Ok(vec![Source::Prompt]));
    assert_eq!(
        create(&["--key-file", "/k"], &[var], &ELSEWHERE),
        Ok(vec![key("/k"), password_is("x")])
    );
    assert_eq!(
        create(&["-p", "/p"], &[var, ("DEDUP_KEY_FILE", "/k")], &ELSEWHERE),
        Ok(vec![key("/k"), in_file("/p")])
    );
    let phrase = create(&["--recovery-phrase-file", "/r"], &[], &ELSEWHERE).unwrap_err();
    assert_eq!(phrase.code, Code::Usage);
}

#[test]
fn the_new_secret() {
    let new = |options: &[&str], vars: &[(&str, &str)]| {
        let Command::Key(KeyCommand::Add(args)) = cli(&["key", "add"], options).command else {
            panic!("not key add")
        };
        new_secret(&args, &Env::of(vars))
    };
    assert_eq!(new(&[], &[]), Ok(Source::Prompt));
    // What opens the repository is not what is put in.
    assert_eq!(
        new(&[], &[("DEDUP_PASSWORD", "old"), ("DEDUP_KEY_FILE", "/old")]),
        Ok(Source::Prompt)
    );
    assert_eq!(new(&[], &[("DEDUP_NEW_PASSWORD", "x")]), Ok(password_is("x")));
    assert_eq!(
        new(&[], &[("DEDUP_NEW_PASSWORD_FD", "3")]),
        Ok(Source::PasswordFd(3))
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
        new(&["--new-password-file="], &[("DEDUP_NEW_PASSWORD", "x")]),
        Ok(Source::Prompt)
    );
    let both = new(&[], &[("DEDUP_NEW_PASSWORD", "x"), ("DEDUP_NEW_KEY_FILE", "/k")]).unwrap_err();
    assert_eq!(both.code, Code::Usage);
}

#[test]
fn directories() {
    let env = Env::of(&[("DEDUP_CACHE_DIR", "/c"), ("XDG_STATE_HOME", "/s")]);
    assert_eq!(cache_dir(&env).unwrap(), PathBuf::from("/c"));
    assert_eq!(state_dir(&env).unwrap(), PathBuf::from("/s/dedup"));
    let env = Env::of(&[("DEDUP_CACHE_DIR", ""), ("DEDUP_STATE_DIR", "rel")]);
    assert_eq!(cache_dir(&env).unwrap(), PathBuf::from("/home/u/.cache/dedup"));
    assert!(state_dir(&env).unwrap().is_absolute());
}

#[test]
fn names_of_this_machine() {
    let env = Env::of(&[("DEDUP_HOST", "env")]);
    assert_eq!(host(Some("option"), &env).unwrap(), "option");
    assert_eq!(host(None, &env).unwrap(), "env");
    assert_eq!(host(Some(""), &env).unwrap(), system_host());
    assert_eq!(host(None, &Env::of(&[])).unwrap(), system_host());
}

#[test]
fn how_long_keys_are_kept() {
    let time = |text: &str| key_cache(&Env::of(&[("DEDUP_KEY_CACHE", text)]));
    let hours = |hours: u64| Ok(Duration::from_secs(hours * 3600));
    assert_eq!(time(""), hours(2));
    assert_eq!(time("0s"), hours(0));
    assert_eq!(time("1d"), hours(24));
    assert_eq!(time("30m"), Ok(Duration::from_secs(1800)));
    for bad in ["1d1s", "2", "1M", "-1h", "no"] {
        assert!(
            time(bad).unwrap_err().message.contains("DEDUP_KEY_CACHE"),
            "{bad}"
        );
    }
}

#[test]
fn how_often_progress_is_drawn() {
    let interval = |fps: &str| progress_interval(&Env::of(&[("DEDUP_PROGRESS_FPS", fps)]));
    assert_eq!(interval("").unwrap(), Duration::from_millis(100));
    assert_eq!(interval("2").unwrap(), Duration::from_millis(500));
    assert_eq!(interval("0.5").unwrap(), Duration::from_secs(2));
    for bad in ["0", "-1", "61", "NaN", "inf", "many"] {
        assert_eq!(interval(bad).unwrap_err().code, Code::Usage, "{bad}");
    }
}
