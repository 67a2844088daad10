//! `serve`: snapshots over WebDAV and HTTP, asked for by curl and rclone.

use kit::generation::noise;
use kit::program::{Home, objects, string};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Serving {
    child: Child,
    told: Value,
}

impl Serving {
    fn start(home: &Home) -> Serving {
        let args = ["serve", "--listen", "127.0.0.1:0", "--json"];
        let mut child = home.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let told = objects(&line).remove(0);
        assert_eq!(told["message_type"], "serving");
        Serving { child, told }
    }

    /// The address with the token, or the one without.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", string(&self.told, "url"))
    }

    fn bare(&self, path: &str) -> String {
        let token = string(&self.told, "token");
        self.url("").replace(&format!("{token}/"), path)
    }

    /// Status, head and body.
    fn curl(&self, args: &[&str]) -> (u16, String, Vec<u8>) {
        let done = Command::new("curl")
            .args(["-s", "-i"])
            .args(args)
            .output()
            .unwrap();
        let at = done
            .stdout
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(done.stdout[..at].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), done.stdout[at + 4..].to_vec())
    }

    fn status(&self, args: &[&str]) -> u16 {
        self.curl(args).0
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    home.write("docs/large", noise(1, 3_000_000));
    home.write("docs/odd & <names> #1?/naïve 100%.txt", "small");
    home.write("docs/empty", "");
    std::os::unix::fs::symlink("large", home.path("docs/link")).unwrap();
    home.ok(&["backup", "docs", "--host", "h"]);
    home
}

/// Where the sources are below the address.
fn docs(home: &Home) -> String {
    format!("hosts/h/latest{}", home.text("docs"))
}

/// The output of a command that failed, which is recorded without a size, does not look like an empty file.
#[test]
fn what_was_not_saved_is_not_served_as_an_empty_file() {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.init();
    let settings = format!(
        "host = 'h'\n[remotes.main]\nurl = '{}'\nkey-file = '{}'\n[sets.only]\ndestinations = ['main']\n\
         [sets.only.commands]\nbad = 'exit 3'\nempty = 'true'\n",
        home.text(".local/share/dedup/repository"),
        home.text(".config/dedup/default.key")
    );
    home.write(".config/dedup/dedup.toml", settings);
    home.ends(3, &["run", "only"]);
    let serving = Serving::start(&home);
    let status = |name: &str| serving.status(&[&serving.url(&format!("hosts/h/latest/commands/{name}"))]);
    assert_eq!((status("empty"), status("bad")), (200, 500));
}

#[test]
fn what_is_there_is_served_and_nothing_can_be_changed() {
    let home = home();
    let serving = Serving::start(&home);
    let docs = docs(&home);
    let large = serving.url(&format!("{docs}/large"));
    let bytes = noise(1, 3_000_000);
    let (status, head, body) = serving.curl(&[&large]);
    assert!(status == 200 && body == bytes, "{head}");
    assert!(head.contains("content-length: 3000000") && head.contains("etag: \""));
    let (status, head, body) = serving.curl(&["-r", "1000000-1000099", &large]);
    assert_eq!((status, &body[..]), (206, &bytes[1_000_000..1_000_100]));
    assert!(
        head.contains("content-range: bytes 1000000-1000099/3000000"),
        "{head}"
    );
    assert_eq!(serving.curl(&["-r", "-10", &large]).2, bytes[2_999_990..]);
    assert_eq!(serving.status(&["-r", "3000000-", &large]), 416);
    let (status, head, body) = serving.curl(&["--head", &large]);
    assert!(status == 200 && body.is_empty() && head.contains("content-length: 3000000"));
    let odd = "odd%20%26%20%3Cnames%3E%20%231%3F/na%C3%AFve%20100%25.txt";
    assert_eq!(
        serving.curl(&[&serving.url(&format!("{docs}/{odd}"))]).2,
        b"small"
    );
    assert_eq!(serving.curl(&[&serving.url(&format!("{docs}/empty"))]).0, 200);
    let (status, _, page) = serving.curl(&[&serving.url(&docs)]);
    let page = String::from_utf8(page).unwrap();
    assert!(
        status == 200 && page.contains("odd &amp; &lt;names&gt; #1?/") && !page.contains("link"),
        "{page}"
    );
    for gone in [
        "none",
        "hosts/h/latest/none",
        "ids/../ids",
        &format!("{docs}/link"),
        &format!("{docs}/large/x"),
    ] {
        assert_eq!(
            serving.status(&["--path-as-is", &serving.url(gone)]),
            404,
            "{gone}"
        );
    }
    for method in [
        "PUT",
        "DELETE",
        "MKCOL",
        "MOVE",
        "COPY",
        "PROPPATCH",
        "LOCK",
        "POST",
        "PATCH",
    ] {
        assert_eq!(serving.status(&["-X", method, &large]), 405, "{method}");
    }
    let (status, head, _) = serving.curl(&["-X", "OPTIONS", &large]);
    assert!(
        status == 200 && head.contains("\r\ndav: 1") && head.contains("allow: options, get, head, propfind")
    );
}

#[test]
fn what_webdav_says_of_entries() {
    let home = home();
    let serving = Serving::start(&home);
    let ask = |depth: &str, path: &str| {
        let depth = format!("Depth: {depth}");
        serving.curl(&["-X", "PROPFIND", "-H", &depth, &serving.url(path)])
    };
    let (status, _, top) = ask("1", "");
    let top = String::from_utf8(top).unwrap();
    assert_eq!((status, top.matches("<D:response>").count()), (207, 6), "{top}");
    let (_, _, found) = ask("1", &docs(&home));
    let found = String::from_utf8(found).unwrap();
    assert_eq!(found.matches("<D:response>").count(), 4, "{found}");
    assert!(
        found.contains("<D:getcontentlength>3000000</D:getcontentlength>"),
        "{found}"
    );
    assert!(
        found.contains("odd%20%26%20%3Cnames%3E%20%231%3F/</D:href>"),
        "{found}"
    );
    let (_, _, one) = ask("0", &docs(&home));
    assert_eq!(String::from_utf8(one).unwrap().matches("<D:response>").count(), 1);
    assert_eq!(ask("infinity", "").0, 403);
    assert_eq!(ask("1", "nowhere").0, 404);
    let latest = String::from_utf8(ask("1", "hosts/h/").2).unwrap();
    assert!(latest.contains("/hosts/h/latest/</D:href>"), "{latest}");
}

#[test]
fn only_who_has_the_token_may_read() {
    let home = home();
    let serving = Serving::start(&home);
    let token = string(&serving.told, "token");
    let user = format!("anybody:{token}");
    assert_eq!(serving.status(&["-u", &user, &serving.bare("ids/")]), 200);
    for args in [
        &[&serving.bare("")[..]][..],
        &[&serving.bare("ids/")],
        &[&serving.bare("0/ids/")],
        &["-u", "anybody:wrong", &serving.bare("ids/")],
        &["-X", "PROPFIND", "-H", "Depth: 1", &serving.bare("")],
        &["-X", "OPTIONS", &serving.bare("")],
    ] {
        let (status, head, body) = serving.curl(args);
        assert!(
            status == 401 && body.is_empty() && head.contains("basic realm"),
            "{args:?}"
        );
    }
    for address in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
        home.ends(2, &["serve", "--listen", address])
            .says(&["listens only on this machine", address]);
    }
    home.ends(2, &["serve", "--listen", "somewhere"])
        .says(&["'somewhere'"]);
}

/// A client that many people use copies all of it. Without it this is left to the others.
#[test]
fn rclone_copies_everything() {
    let Some(rclone) = kit::servers::program("rclone", "rclone_copies_everything") else {
        return;
    };
    let home = home();
    let serving = Serving::start(&home);
    let rclone = |args: &[&str]| {
        let mut command = Command::new(&rclone);
        command.env("RCLONE_CONFIG", "/dev/null").args(args);
        command.args(["--webdav-url", &serving.url("")]);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    assert_eq!(rclone(&["lsf", ":webdav:"]).lines().count(), 5);
    let from = format!(":webdav:{}", docs(&home));
    rclone(&["copy", &from, &home.text("copy")]);
    std::fs::remove_file(home.path("docs/link")).unwrap();
    let (want, got) = (
        home.contents(&home.path("docs")),
        home.contents(&home.path("copy")),
    );
    let relative = |from: &str, all: std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| {
        let below = home.path(from);
        let strip = |path: &Path| path.strip_prefix(&below).unwrap().to_path_buf();
        all.into_iter()
            .map(|(path, bytes)| (strip(&path), bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(relative("docs", want), relative("copy", got));
}
