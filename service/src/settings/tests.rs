use super::*;
use crate::catalogue::Lang;
use crate::status::Status;

fn parse(text: &str) -> Result<Settings, Failure> {
    Settings::parse(Path::new("/x/dedup.toml"), text, &Env::of(&[]))
}

/// Every key that there is to be, as a user would write it.
const EVERYTHING: &str = r#"
host = "alpha"
[remotes.main]
url = "/mnt/backup/repo"
password-command = "secret-tool lookup dedup main"
quota = "500G"
[remotes.okinawa]
url = "s3://office/pc1?endpoint=https://s3.example.jp&region=jp"
append-only = true
password-file = "/etc/dedup/okinawa"
key-file = "~/okinawa.key"

[sets.documents]
sources = ["~/Documents", "~/Pictures"]
exclude = ["*.tmp", "!keep.tmp"]
exclude-extensions = ["iso"]
ignore-files = [".dedupignore"]
exclude-if-xattr = ["user.skip"]
hidden = true
destinations = ["main", "okinawa"]
priority = 10
schedule = "daily 12:30"
tags = ["office"]
run-before = "pg_dump app > /var/tmp/app.sql"
run-after = "a"
run-failed = "b"
run-finally = "c"
run-timeout = "10m"
standard-excludes = false
source-snapshot = "auto"
former-names = ["papers"]
[sets.documents.commands]
NAME = "pg_dump app"
[sets.documents.retention]
tiers = [
  { until = "7d", keep-every = "1h" },
  { until = "90d", keep-every = "1d" },
  { until = "365d", keep-every = "1w" },
  { keep-every = "1M" },
]
deleted-files = "90d"
max-generations = 1000
keep-tags = ["keep"]

[maintenance]
light = "1d"
full = "30d"
[limits]
upload = "10M"
download = "08:00=1M,18:00=unlimited"
upload-idle = "unlimited"
download-idle = "unlimited"
cpu-active = 30
cpu-idle = 80
battery-min = 20
skip-wifi = ["Tethering"]
skip-interfaces = ["wwan0"]
skip-metered = true
upload-lan = "unlimited"
download-lan = "unlimited"
upload-lan-idle = "unlimited"
download-lan-idle = "unlimited"
proxy = "http://proxy:8080"
[notify]
on = "failure"
overdue-after = "3d"
overdue-again = "7d"
monthly-usage = true
desktop = true
[notify.mail]
server = "smtp.example.jp"
port = 587
tls = "starttls"
user = "backup@example.jp"
password-file = "/etc/dedup/smtp"
from = "backup@example.jp"
to = ["a@example.jp", "b@example.jp"]
[notify.webhook]
url = "https://hooks.example.jp/x"
preset = "ntfy"
[notify.ping]
url = "https://hc-ping.com/ping-key/{set}"
[notify.prometheus]
textfile = "/var/lib/node_exporter/dedup.prom"
[console]
listen = "127.0.0.1:4280"
allowed-hosts = ["backup.example.jp", "192.0.2.7"]
tls-certificate = "/etc/dedup/console.pem"
tls-key = "/etc/dedup/console.key"
lang = "ja"
[update]
url = "https://example.jp/dedup/version"
"#;

#[test]
fn remotes_and_what_opens_them() {
    let settings = parse(
        "# mine\n[remotes.main]\nurl = '/mnt/backup'\npassword-file = '~/pass'\n\
         [remotes.okinawa]\nurl = 's3://office/pc1'\nkey-file = '/k'\npassword-command = 'pass show x'\n\
         [remotes.a]\nurl = '~/a'\nkey-file = '~/k'\n",
    );
    let settings = settings.unwrap();
    let names: Vec<&str> = settings
        .remotes
        .iter()
        .map(|remote| remote.name.as_str())
        .collect();
    assert_eq!(names, ["main", "okinawa", "a"]);
    let main = settings.remote("main").unwrap();
    assert_eq!(main.keys, [SecretSource::PasswordFile("/home/u/pass".into())]);
    let other = settings.remote("okinawa").unwrap();
    let keys = [
        SecretSource::KeyFile("/k".into()),
        SecretSource::PasswordCommand("pass show x".into()),
    ];
    assert_eq!(
        (other.url.as_str(), &other.keys[..]),
        ("s3://office/pc1", &keys[..])
    );
    let home = settings.named("a").unwrap();
    assert_eq!(home.url, "/home/u/a");
    assert_eq!(home.keys, [SecretSource::KeyFile("/home/u/k".into())]);
    assert!(parse("").unwrap().remotes.is_empty());
    assert!(
        settings
            .named("mian")
            .unwrap_err()
            .message()
            .contains("did you mean 'main'?")
    );
}

#[test]
fn everything_is_understood() {
    let settings = parse(EVERYTHING).unwrap();
    let append_only: Vec<bool> = settings.remotes.iter().map(|remote| remote.append_only).collect();
    assert_eq!(append_only, [false, true]);
    let kept = settings.set("documents").unwrap().retention.deleted_files_for();
    assert_eq!(kept.map(|span| span.get_days()), Some(90));
    let key = |line: &str| line.split(['=', ' ']).next().unwrap_or_default().to_string();
    let written: Vec<String> = EVERYTHING.lines().map(key).collect();
    for key in schema::KEYS {
        let (_, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        let is_written =
            written.iter().any(|word| word == name) || EVERYTHING.contains(&format!(" {name} = "));
        assert!(is_written, "{}", key.path);
    }
}

/// Each key alone, with its documented example.
#[test]
fn every_example_is_right() {
    for key in schema::KEYS {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        let path = table.replace("NAME", "main");
        let mut text = match table {
            "" => format!("{name} = {}\n[remotes.main]\n", key.example),
            _ => String::from("[remotes.main]\n"),
        };
        if key.path != "remotes.NAME.url" {
            text += "url = '/r'\n";
        }
        text += &match path.as_str() {
            "" | "remotes.main" => String::new(),
            "sets.main.retention.tiers[]" => "[[sets.main.retention.tiers]]\n".to_string(),
            path => format!("[{path}]\n"),
        };
        if !table.is_empty() {
            text += &format!("{name} = {}\n", key.example);
        }
        let others = [
            ("sets.NAME", "sources = ['/a']\ndestinations = ['main']\n"),
            ("notify.mail", "server = 'h'\nfrom = 'a@h'\nto = ['b@h']\n"),
            ("notify.webhook", "url = 'http://h'\n"),
            ("sets.NAME.retention.tiers[]", "keep-every = '1d'\n"),
            ("console", "tls-certificate = '/c.pem'\n"),
        ];
        for (place, lines) in others.iter().filter(|(place, _)| *place == table) {
            let lines = lines
                .lines()
                .filter(|line| !line.starts_with(&format!("{name} ")));
            text += &lines.map(|line| format!("{line}\n")).collect::<String>();
            assert!(key.path.starts_with(place));
        }
        if table.starts_with("sets.NAME.") {
            text += "[sets.main]\nsources = ['/a']\ndestinations = ['main']\n";
        }
        if let Err(failure) = parse(&text) {
            panic!("{text}\n{}", failure.message());
        }
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let set = "[remotes.main]\nurl='/r'\n[sets.a]\n";
    let rows = [
        (
            "\n[remote.main]\nurl='/a'",
            "dedup.toml:2:2: unknown key 'remote'; did you mean 'remotes'?",
        ),
        (
            "[remotes.a]\nurl='/a'\npasword-file='/x'",
            ":3:1: unknown key 'pasword-file'; did you mean 'password-file'?",
        ),
        (
            "[remotes.a]\nurl='/a'\nzzzzzzzz=1",
            ":3:1: unknown key 'zzzzzzzz' (allowed here: url, ",
        ),
        (
            "[remotes.a]\nurl=1",
            ":2:5: 'url' must be a string (found integer `1`)",
        ),
        (
            "[remotes.a]\nurl='/a'\npassword-file=true",
            ":3:15: 'password-file' must be a string (found boolean `true`)",
        ),
        // It may be a secret.
        (
            "[remotes]\na='swordfish'",
            ":2:3: 'a' must be a table (found a string)",
        ),
        (
            "[remotes.a]\n url = 'a/b'",
            ":2:8: 'url': 'a/b' is not an absolute path",
        ),
        (
            "[remotes.a]\nurl='/a'\nkey-file='k'",
            ":3:10: 'key-file': 'k' is not an absolute path",
        ),
        (
            "[remotes.a]\nurl='/a'\npassword-file='~you/p'",
            ":3:15: 'password-file': '~you/p': another user's",
        ),
        (
            "[remotes.a]\nurl='ftp://h/x'",
            ":2:5: 'url': invalid repository URL: 'ftp:' is not known",
        ),
        (
            "[remotes.a]\nurl='s3://b?endpiont=x'",
            "has no parameter 'endpiont'",
        ),
        ("[remotes.a]\nurl=''", ":2:5: 'url': "),
        ("[remotes.a]\nkey-file='/x'", ":1:10: remote 'a' has no url"),
        (
            "[remotes.\"a/b\"]\nurl='/x'",
            ":1:10: 'a/b': 'a/b' can't be a name",
        ),
        (
            "[remotes.a]\nurl='/x'\npassword-file='/p'\npassword-command='q'",
            ":4:18: give 'password-file' or 'password-command'",
        ),
        (
            "[remotes.a]\nurl='/x'\nquota='many'",
            ":3:7: 'quota': 'many' is not a size",
        ),
        (
            "[remotes.a]\nurl='/x'\nquota=5",
            ":3:7: 'quota' must be a string such as \"500G\" (found integer",
        ),
        (
            "[remotes.a]\nurl='/x'\nappend-only='yes'",
            ":3:13: 'append-only' must be true or false",
        ),
        ("[remotes.a]\nurl='/x'\nurl='/y'", ":3:1: "),
        (
            "remotes = 3",
            ":1:11: 'remotes' must be a table with a table of its own for each NAME",
        ),
        ("[remotes]\na = 3", ":2:5: 'a' must be a table"),
        ("[remotes.a\n", ":1:11: "),
        (
            &format!("{set}sources=['/a']\ndestinations=['main','mian']"),
            ":5:22: 'destinations': no remote is called 'mian'; did you mean 'main'?",
        ),
        (
            &format!("{set}sources=['/a','b']\ndestinations=['main']"),
            ":4:15: 'sources': 'b' is not an absolute path",
        ),
        (
            &format!("{set}sources=['/a']"),
            ":3:7: set 'a' has no destinations",
        ),
        (
            &format!("{set}destinations=['main']"),
            ":3:7: set 'a' has no sources",
        ),
        (
            &format!("{set}schedule='hourly'"),
            ":4:10: 'schedule': 'hourly' is not a schedule",
        ),
        (&format!("{set}priority='high'"), ":4:10: 'priority' must be "),
        (
            &format!("{set}soruces=['/a']"),
            ":4:1: unknown key 'soruces'; did you mean 'sources'?",
        ),
        (
            &format!(
                "{set}sources=['/a']\ndestinations=['main']\n[sets.a.retention]\ntiers=[{{until='9d',keep-every='1d'}},{{until='7d',keep-every='1w'}}]"
            ),
            ":7:7: 'tiers': tiers must have ascending ages",
        ),
        (
            &format!("{set}[sets.a.retention]\ntiers=[{{until='9d'}}]"),
            ":5:8: [tiers] has no 'keep-every', which is required",
        ),
        (
            &format!("{set}[sets.a.retention]\ntiers=[{{untill='9d',keep-every='1d'}}]"),
            ":5:9: unknown key 'untill'; did you mean 'until'?",
        ),
        (
            &format!("{set}[sets.a.retention]\nmax-generations=0"),
            ":5:17: 'max-generations': 0 is not a whole number from 1",
        ),
        ("[limits]\nupload='fast'", ":2:8: 'upload': 'fast' is not a size"),
        (
            "[limits]\ncpu-idle=101",
            ":2:10: 'cpu-idle': 101 is not a whole number from 1 to 100",
        ),
        ("[limits]\nproxy='proxy:8080'", ":2:7: 'proxy': write a URL"),
        (
            "[maintenance]\nlight='often'",
            ":2:7: 'light': 'often' is not a duration",
        ),
        (
            "[notify]\non='failures'",
            ":2:4: 'on': 'failures' is not one of \"failure\", \"always\", \"never\"; did you mean 'failure'?",
        ),
        (
            "[notify.mail]\nserver='h'\nfrom='a@h'\nto=[]",
            ":4:4: 'to' names nobody",
        ),
        (
            "[notify.mail]\nserver='h'\nto=['a@h']",
            "[mail] has no 'from', which is required",
        ),
        (
            "[console]\nlisten='4280'",
            ":2:8: 'listen': '4280' is not an address and port",
        ),
        (
            "[console]\nlang='fr'",
            ":2:6: 'lang': 'fr' is not one of \"en\", \"ja\"",
        ),
        ("[console]\nlisten='unix:x'", ":2:8: 'listen': 'x'"),
        (
            "[console]\ntls-key='/k'",
            ":2:9: 'tls-key' is of no use without 'tls-certificate'",
        ),
        (
            "[console]\ntls-certificate='k.pem'",
            ":2:17: 'tls-certificate': 'k.pem'",
        ),
        (
            "[console]\nallowed-hosts=['a b']",
            ":2:16: 'allowed-hosts': 'a b'",
        ),
        (
            &format!("{set}sources=['/a']\ndestinations=['main']\n[sets.a.retention]\ndeleted-files='6m'"),
            ":7:15: 'deleted-files': ",
        ),
        (
            &format!("{set}run-timeout='0s'"),
            ":4:13: 'run-timeout': '0s' is not a duration",
        ),
    ];
    for (text, want) in rows {
        let failure = parse(text).unwrap_err();
        assert_eq!(failure.status, Status::BadSettings);
        assert!(failure.message().contains(want), "{text}\n{}", failure.message());
        assert!(
            failure.message().starts_with("/x/dedup.toml:"),
            "{}",
            failure.message()
        );
        assert!(!failure.message().contains('\n'), "{}", failure.message());
    }
}

#[test]
fn what_is_wrong_is_said_in_japanese() {
    let rows = [
        (
            "[limits]\nupload='fast'",
            "「upload」: 「fast」はサイズではありません",
        ),
        (
            "[console]\nlang='fr'",
            "「lang」: 「fr」は \"en\", \"ja\" のどれでもありません",
        ),
        ("[notify]\non='failures'", "「failure」ではありませんか"),
        (
            "[limits]\ncpu-idle=101",
            "101 は 1 から 100 までの整数ではありません",
        ),
        (
            "[limits]\ncpu-idle='x'",
            "必要: 1 から 100 までの整数、実際: 文字列",
        ),
        ("[remotes.a]\nurl=1", "必要: 文字列、実際: 整数 `1`"),
        ("[remotes.a]\nurl='/x'\nquota=5", "\"500G\" のような文字列"),
        ("[remotes.a]\nurl='a/b'", "「a/b」は絶対パスでも"),
        ("[remotes.a]\nurl='ftp://h/x'", "「url」: "),
        ("[maintenance]\nlight='6m'", "m は分です"),
        ("[remotes.a\n", "TOML として読めません"),
    ];
    for (text, want) in rows {
        let said = parse(text).unwrap_err().text(Lang::Ja);
        assert!(said.contains(want), "{text}\n{said}");
        assert!(!said.contains("{\"en\""), "{said}");
    }
}

#[test]
fn limits_are_read() {
    let settings = parse("[limits]\nupload = '10M'\n").unwrap();
    assert!(settings.limits.upload.is_some() && settings.limits.download.is_none());
}

#[test]
fn what_is_not_utf8_has_its_place() {
    let env = Env::of(&[]);
    let failure = Settings::from_bytes(Path::new("/x/dedup.toml"), b"[remotes.a]\nurl = '/\xff'\n", &env);
    let message = failure.unwrap_err().message();
    assert!(
        message.starts_with("/x/dedup.toml:2:9: ") && message.contains("UTF-8"),
        "{message}"
    );
}

#[test]
fn suggestions() {
    let near = |word| nearest(word, &["main", "okinawa"]);
    assert_eq!(near("man").as_deref(), Some("main"));
    assert_eq!(near("tokyo"), None);
}

#[test]
fn what_was_recorded_under_a_name_belongs_to_one_set() {
    let with = |former: &str| {
        parse(&format!(
            "[remotes.a]\nurl = '/a'\n[sets.x]\nsources = ['/x']\ndestinations = ['a']\nformer-names = [{former}]\n\
             [sets.y]\nsources = ['/y']\ndestinations = ['a']\nformer-names = ['z']\n"
        ))
    };
    let settings = with("'w', 'v'").unwrap();
    assert_eq!(settings.names_of("x"), ["x", "w", "v"]);
    assert_eq!(settings.names_of("unknown"), ["unknown"]);
    let today = |name: &str| settings.recorded_as(name).map(|(name, _)| name.to_string());
    for (recorded, want) in [("v", "x"), ("x", "x"), ("z", "y"), ("y", "y")] {
        assert_eq!(today(recorded).as_deref(), Some(want));
    }
    assert_eq!(today("unknown"), None);
    for (former, owner) in [
        ("'y'", "'y'"),
        ("'x'", "'x'"),
        ("'z'", "'x'"),
        ("'w', 'w'", "'x'"),
    ] {
        let message = with(former).unwrap_err().message();
        let is_told =
            message.contains("'former-names'") && message.contains(&format!("belongs to set {owner}"));
        assert!(is_told, "{former}: {message}");
    }
}

/// Everything else in the file stays as it is, and where it is.
#[test]
fn a_set_gets_another_name() {
    const FILE: &str = "[remotes.a]\nurl = '/a'\n\n# mine\n[sets.docs] # of work\nsources = ['/d'] # here\n\
        destinations = ['a']\n\n[sets.docs.retention]\nmax-generations = 9\n\n[sets.other]\nsources = ['/o']\n\
        destinations = ['a']\n";
    let dir = tempfile::tempdir().unwrap();
    let env = Env::of(&[("XDG_CONFIG_HOME", dir.path().to_str().unwrap())]);
    std::fs::create_dir(dir.path().join("dedup")).unwrap();
    std::fs::write(dir.path().join("dedup/dedup.toml"), FILE).unwrap();
    let draft = || edit::Draft::open(&env).unwrap();
    let renamed = draft().renamed("docs", "papers").unwrap();
    let want = FILE.replace("sets.docs", "sets.papers");
    let at = "\n\n[sets.papers.retention]";
    assert_eq!(
        renamed.after,
        want.replace(at, &format!("\nformer-names = [\"docs\"]{at}"))
    );
    let names = renamed.check(&env).unwrap().names_of("papers");
    assert_eq!(names, ["papers", "docs"]);
    let back = renamed.renamed("papers", "docs").unwrap().check(&env).unwrap();
    assert_eq!(back.names_of("docs"), ["docs", "papers"]);
    assert!(
        draft()
            .renamed("docs", "other")
            .unwrap_err()
            .message()
            .contains("already a set")
    );
    assert!(draft().renamed("nobody", "x").is_err());
}
