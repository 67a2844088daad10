//! Files at several moments: their versions, what is in them, what was deleted and what changed, and the basket.

use super::kit::{Answer, Console, run};
use crate::fields::encoded;
use crate::preview::unzip::Archive;
use crate::preview::unzip::tests::archive;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use std::fs;
use tower::ServiceExt;

const LETTER: &str = "docs/letter <b>&\"x.txt";

/// A console with several snapshots, oldest first.
struct Past {
    console: Console,
    session: String,
    snapshots: Vec<String>,
}

impl Past {
    async fn begin() -> Past {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let mut past = Past {
            console,
            session,
            snapshots: Vec::new(),
        };
        past.back_up().await;
        past
    }

    async fn back_up(&mut self) {
        self.console.back_up(&self.session, "docs").await;
        let snapshot = self.console.rows()[0].snapshot.clone();
        self.snapshots.push(snapshot.unwrap());
    }

    fn write(&self, below: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.console.path(below), bytes).unwrap();
    }

    fn path(&self, below: &str) -> String {
        encoded(self.console.path(below).as_os_str().as_encoded_bytes())
    }

    /// A page about a path in a snapshot.
    fn at(&self, page: &str, nr: usize, below: &str) -> String {
        let (snapshot, path) = (&self.snapshots[nr], self.path(below));
        format!("{page}?remote=main&snapshot={snapshot}&path={path}")
    }

    async fn get(&self, path: &str) -> Answer {
        self.console.get_as(&self.session, path).await
    }

    #[track_caller]
    fn says(&self, answer: &Answer, words: &[&str]) {
        assert_eq!(answer.status, 200, "{}", answer.text);
        for word in words {
            assert!(answer.text.contains(word), "{word}: {}", answer.text);
        }
    }

    async fn pick(&self, nr: usize, below: &str, kind: char) {
        let value = format!("{kind}{}", self.path(below));
        let fields = [
            ("remote", "main"),
            ("snapshot", self.snapshots[nr].as_str()),
            ("pick", value.as_str()),
        ];
        let picked = self.console.change(&self.session, "/basket/add", &fields).await;
        assert_eq!(picked.status, 303, "{}", picked.text);
    }

    async fn bytes(&self, path: &str) -> (HeaderMap, Vec<u8>) {
        let request = super::kit::get(path).header(header::COOKIE, &self.session);
        let request = request.body(Body::empty()).unwrap();
        let answer = self.console.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let headers = answer.headers().clone();
        (
            headers,
            to_bytes(answer.into_body(), 64 << 20).await.unwrap().to_vec(),
        )
    }
}

#[test]
fn the_versions_of_a_file() {
    run(async {
        let mut past = Past::begin().await;
        past.write(LETTER, "Dear all\nsecond\n");
        past.back_up().await;
        past.back_up().await;
        let page = past.get(&past.at("/restore/versions", 2, LETTER)).await;
        past.says(
            &page,
            &[
                "2 versions in 3 snapshots",
                "newest snapshot",
                "in 2 snapshots",
                "content changed",
                "unchanged",
                "first seen",
                "Compare with now",
            ],
        );
        assert!(!page.text.contains("Deleted:") && !page.text.contains("<b>&\""));
        fs::remove_file(past.console.path(LETTER)).unwrap();
        past.back_up().await;
        // From a snapshot that has it, and from one that has not.
        for nr in [0, 3] {
            let page = past.get(&past.at("/restore/versions", nr, LETTER)).await;
            past.says(
                &page,
                &["Deleted: it is in the snapshot of", "2 versions in 4 snapshots"],
            );
            assert!(!page.text.contains("newest snapshot"));
        }
        // An older version into the basket, and back.
        past.pick(0, LETTER, 'f').await;
        let page = past.get(&past.at("/restore/versions", 0, LETTER)).await;
        past.says(&page, &["Basket (1)", "/basket/download"]);
        let nowhere = past.get(&past.at("/restore/versions", 0, "docs/nothing")).await;
        assert!(nowhere.status >= 400, "{}", nowhere.text);
        let ja = format!("{}; dedup-test-lang=ja", past.session);
        let page = past
            .console
            .get_as(&ja, &past.at("/restore/versions", 0, LETTER))
            .await;
        past.says(&page, &["スナップショット 4 個に 2 版", "削除されています"]);
    });
}

#[test]
fn two_versions_are_compared() {
    run(async {
        let mut past = Past::begin().await;
        past.write("docs/sub/other", "more\nand <more>\n");
        past.write("docs/data.bin", [0, 1, 2]);
        past.back_up().await;
        past.write("docs/sub/other", "now\nand <more>\n");
        let with = format!(
            "{}&with={}",
            past.at("/restore/compare", 1, "docs/sub/other"),
            past.snapshots[0]
        );
        let page = past.get(&with).await;
        past.says(
            &page,
            &["content differs", "and &#60;more&#62;", "class=\"added\""],
        );
        assert!(!page.text.contains("<more>"));
        let now = format!("{}&with=now", past.at("/restore/compare", 1, "docs/sub/other"));
        let page = past.get(&now).await;
        past.says(
            &page,
            &["on the disk now", "class=\"removed\"", "content differs"],
        );
        let same = format!("{}&with=now", past.at("/restore/compare", 1, LETTER));
        past.says(&past.get(&same).await, &["identical"]);
        let binary = format!(
            "{}&with={}",
            past.at("/restore/compare", 1, "docs/data.bin"),
            past.snapshots[0]
        );
        past.says(
            &past.get(&binary).await,
            &["only one of the two has it", "not text"],
        );
        fs::remove_file(past.console.path(LETTER)).unwrap();
        past.says(
            &past.get(&same).await,
            &["only one of the two has it", "not there"],
        );
        for (nr, path, with) in [
            (1, "docs", "now"),
            (1, LETTER, ""),
            (1, LETTER, "latest"),
            (1, "../../../etc/passwd", "now"),
        ] {
            let page = past
                .get(&format!("{}&with={with}", past.at("/restore/compare", nr, path)))
                .await;
            assert!(page.status >= 400, "{path} {with}: {}", page.text);
        }
    });
}

#[test]
fn what_changed_in_a_folder() {
    run(async {
        let mut past = Past::begin().await;
        let first = past.get(&past.at("/restore/changes", 0, "docs")).await;
        past.says(&first, &["There is no earlier snapshot"]);
        fs::remove_file(past.console.path(LETTER)).unwrap();
        past.write("docs/new.txt", "new");
        past.write("docs/sub/other", "other");
        past.back_up().await;
        let page = past.get(&past.at("/restore/changes", 1, "docs")).await;
        past.says(
            &page,
            &[
                "new.txt",
                "added",
                "deleted",
                "letter &#60;b&#62;",
                "sub/other",
                "/restore/compare?",
            ],
        );
        let sub = past.get(&past.at("/restore/changes", 1, "docs/sub")).await;
        past.says(&sub, &["sub/other"]);
        assert!(!sub.text.contains("new.txt"));
        // The same pair from the other end, as the form sends it.
        let (snapshot, path) = (&past.snapshots[0], encoded(past.path("docs").as_bytes()));
        let form = format!(
            "/restore/changes?remote=main&snapshot={snapshot}&coded={path}&with={}",
            past.snapshots[1]
        );
        past.says(&past.get(&form).await, &["new.txt", "added"]);
        past.write("docs/late.txt", "late");
        let now = format!("{}&with=now", past.at("/restore/changes", 1, "docs"));
        past.says(&past.get(&now).await, &["late.txt", "since "]);
        let wrong = format!("{}&with=00", past.at("/restore/changes", 1, "docs"));
        assert_eq!(past.get(&wrong).await.status, 400);
    });
}

#[test]
fn deleted_and_hidden_files() {
    run(async {
        let mut past = Past::begin().await;
        past.write("docs/.hidden", "x");
        past.write("docs/gone.txt", "still here");
        past.back_up().await;
        fs::remove_file(past.console.path("docs/gone.txt")).unwrap();
        fs::remove_file(past.console.path("docs/.hidden")).unwrap();
        past.write("docs/.other", "y");
        past.back_up().await;
        past.back_up().await;
        let plain = past.get(&past.at("/restore", 3, "docs")).await;
        past.says(&plain, &["Names that begin with a dot are not shown"]);
        assert!(!plain.text.contains("gone.txt") && !plain.text.contains(".other"));
        let hidden = past
            .get(&format!("{}&hidden=1", past.at("/restore", 3, "docs")))
            .await;
        past.says(&hidden, &[".other"]);
        assert!(!hidden.text.contains("not shown"));
        let deleted = past
            .get(&format!("{}&deleted=1", past.at("/restore", 3, "docs")))
            .await;
        past.says(&deleted, &["gone.txt", "deleted after", "letter"]);
        assert!(!deleted.text.contains(".hidden"));
        let both = format!("{}&deleted=1&hidden=1", past.at("/restore", 3, "docs"));
        past.says(&past.get(&both).await, &["gone.txt", ".hidden"]);
        // In the snapshot that has it, it is not deleted.
        let there = past
            .get(&format!("{}&deleted=1", past.at("/restore", 1, "docs")))
            .await;
        past.says(&there, &["Nothing that an earlier snapshot has"]);
        // Its row names the snapshot from which it comes back.
        let value = format!("f{}{}", past.snapshots[1], past.path("docs/gone.txt"));
        assert!(deleted.text.contains(&value), "{value}: {}", deleted.text);
        let fields = [
            ("remote", "main"),
            ("snapshot", past.snapshots[3].as_str()),
            ("pick", value.as_str()),
        ];
        past.console.change(&past.session, "/basket/add", &fields).await;
        let out = past.console.path("out");
        let panel = [
            ("place", "other"),
            ("folder", out.to_str().unwrap()),
            ("rule", "rename"),
        ];
        let job = past.console.change(&past.session, "/restore/go", &panel).await;
        past.console.until_ended(&past.session, &job.location).await;
        assert_eq!(fs::read_to_string(out.join("gone.txt")).unwrap(), "still here");
    });
}

/// A wide folder comes in pages that begin behind a name.
#[test]
fn a_wide_folder() {
    run(async {
        let mut past = Past::begin().await;
        fs::create_dir(past.console.path("docs/wide")).unwrap();
        for nr in 0..1100 {
            past.write(&format!("docs/wide/{nr:04} &.txt"), "x");
        }
        past.back_up().await;
        let mut page = past.get(&past.at("/restore", 1, "docs/wide")).await;
        let mut seen = 0;
        let mut pages = 0;
        loop {
            seen += page.text.matches("name=\"pick\"").count();
            pages += 1;
            let Some(next) = page.text.split("class=\"more\"><a href=\"").nth(1) else {
                break;
            };
            let to = next.split('"').next().unwrap().replace("&#38;", "&");
            page = past.get(&to).await;
            assert_eq!(page.status, 200, "{to}");
        }
        assert_eq!((seen, pages), (1100, 11));
    });
}

/// A grid asks for the rows in sight, wherever they are, and programs do, too.
#[test]
fn ranges_of_a_wide_folder() {
    run(async {
        let mut past = Past::begin().await;
        fs::create_dir(past.console.path("docs/wide")).unwrap();
        for nr in 0..700 {
            past.write(&format!("docs/wide/{nr:03}.txt"), "x");
        }
        past.write("docs/wide/.hidden", "x");
        past.back_up().await;
        let page = past.get(&past.at("/restore", 1, "docs/wide")).await;
        past.says(&page, &["data-src=\"/restore/rows?", "<template><tr>"]);
        let small = past.get(&past.at("/restore", 1, "docs/sub")).await;
        assert!(!small.text.contains("data-src"), "{}", small.text);
        let source = past.at("/restore/rows", 1, "docs/wide");
        let names = async |query: &str, total: usize| {
            let found = past.get(&format!("{source}{query}")).await.json();
            assert_eq!(found["total"], total, "{query}");
            let rows = found["rows"].as_array().unwrap().iter();
            rows.map(|row| row["name"].as_str().unwrap().to_string())
                .collect::<Vec<String>>()
        };
        for (from, count) in [
            (0, 5),
            (254, 4),
            (255, 1),
            (256, 300),
            (511, 3),
            (690, 100),
            (699, 1),
            (700, 5),
        ] {
            let want: Vec<String> = (from..700.min(from + count))
                .map(|nr| format!("{nr:03}.txt"))
                .collect();
            assert_eq!(names(&format!("&from={from}&count={count}"), 700).await, want);
        }
        assert_eq!(names("&count=9999", 700).await.len(), 500, "no more at once");
        assert_eq!(
            names("&hidden=1&from=0&count=2", 701).await,
            [".hidden", "000.txt"]
        );
        let row = past.get(&format!("{source}&from=3&count=1")).await.json()["rows"][0].clone();
        let path = past.path("docs/wide/003.txt");
        assert_eq!(row["value"], format!("f{path}"));
        assert!(
            row["to"].as_str().unwrap().starts_with("/preview?") && row["size"] == "1 B",
            "{row}"
        );
        let programs = past.get(&past.at("/api/entries", 1, "docs/wide")).await.json();
        let len = programs["entries"].as_array().unwrap().len();
        assert_eq!(
            (len, &programs["total"], &programs["more"]),
            (500, &701.into(), &true.into())
        );
        for query in ["&from=699&count=1", "&skip=699&count=1"] {
            let one = past
                .get(&(past.at("/api/entries", 1, "docs/wide") + query))
                .await
                .json();
            assert_eq!(
                (&one["entries"][0]["name"], &one["more"]),
                (&"698.txt".into(), &true.into())
            );
        }
        let gone = past.get(&past.at("/api/entries", 1, "docs/nowhere")).await;
        assert_eq!(gone.status, 404, "{}", gone.text);
    });
}

#[test]
fn previews_run_nothing() {
    run(async {
        let mut past = Past::begin().await;
        let svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>";
        past.write("docs/page.html", "<script>alert(1)</script>");
        past.write("docs/drawing.svg", svg);
        past.write("docs/picture.png", b"\x89PNG\r\n\x1a\n....");
        past.write("docs/liar.png", "<html><script>alert(1)</script>");
        past.write("docs/scan.pdf", "%PDF-1.4\n");
        past.write("docs/liar.pdf", "<html><script>alert(1)</script>");
        past.write("docs/data.bin", [0, 1, 2, 3]);
        past.write("docs/old.txt", b"\x93\xfa\x96\x7b\x8c\xea <b>\n");
        past.write("docs/empty", "");
        past.write(
            "docs/letter.docx",
            archive(&[("word/document.xml", "<w:p><w:t>&lt;b&gt; Dear</w:t></w:p>")]),
        );
        past.write("docs/broken.docx", b"PK\x03\x04nothing");
        past.back_up().await;
        let rows = [
            ("page.html", "text/html; charset=utf-8", "&lt;script&gt;alert(1)"),
            ("drawing.svg", "image/svg+xml", "onload"),
            ("picture.png", "image/png", "PNG"),
            ("liar.png", "text/html; charset=utf-8", "&lt;script&gt;"),
            ("scan.pdf", "application/pdf", "%PDF"),
            ("liar.pdf", "text/html; charset=utf-8", "&lt;script&gt;"),
            ("data.bin", "text/html; charset=utf-8", "no preview"),
            ("old.txt", "text/html; charset=shift_jis", "&lt;b&gt;"),
            ("empty", "text/html; charset=utf-8", "empty"),
            ("letter.docx", "text/html; charset=utf-8", "&#60;b&#62; Dear"),
            ("broken.docx", "text/html; charset=utf-8", "no preview"),
        ];
        for (name, kind, word) in rows {
            let below = format!("docs/{name}");
            let (headers, bytes) = past.bytes(&past.at("/preview/frame", 1, &below)).await;
            let text = String::from_utf8_lossy(&bytes);
            let header = |name: &str| headers[name].to_str().unwrap().to_string();
            assert_eq!(header("content-type"), kind, "{name}");
            assert!(text.contains(word), "{name}: {text}");
            let policy = header("content-security-policy");
            assert!(
                policy.contains("default-src 'none'") && !policy.contains("script-src"),
                "{name}: {policy}"
            );
            assert!(policy.contains("frame-ancestors 'self'"), "{name}: {policy}");
            assert_eq!(policy.contains("sandbox"), name != "scan.pdf", "{name}: {policy}");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("x-frame-options"), "SAMEORIGIN");
            assert_eq!(header("cache-control"), "no-store");
            if kind.starts_with("text/html") {
                assert!(
                    !text.contains("<script") && !text.contains("<b>"),
                    "{name}: {text}"
                );
            }
            let page = past.get(&past.at("/preview", 1, &below)).await;
            past.says(&page, &["<iframe class=\"preview\"", "Compare with now"]);
            assert_eq!(page.text.contains(" sandbox>"), !name.ends_with(".pdf"), "{name}");
        }
        let (_, bytes) = past.bytes(&past.at("/preview/frame", 1, "docs/old.txt")).await;
        assert!(
            bytes.windows(6).any(|six| six == b"\x93\xfa\x96\x7b\x8c\xea"),
            "as it is"
        );
        for below in ["docs", "docs/nothing", "../../etc/passwd"] {
            for page in ["/preview", "/preview/frame"] {
                assert_eq!(
                    past.get(&past.at(page, 1, below)).await.status,
                    404,
                    "{page} {below}"
                );
            }
        }
        // By its address alone nobody sees anything.
        for page in [
            "/preview",
            "/preview/frame",
            "/restore/versions",
            "/restore/changes",
            "/restore/compare",
        ] {
            let answer = past.console.get(&past.at(page, 1, "docs/page.html")).await;
            assert_eq!(
                (answer.status, answer.location.as_str()),
                (303, "/login"),
                "{page}"
            );
        }
        assert_eq!(past.console.get("/basket/download").await.location, "/login");
    });
}

#[test]
fn the_basket_as_an_archive() {
    run(async {
        let mut past = Past::begin().await;
        let empty = past.get("/basket/download").await;
        assert!(
            empty.status == 400 && empty.text.contains("nothing is selected"),
            "{}",
            empty.text
        );
        past.pick(0, "docs/sub", 'd').await;
        past.pick(0, "docs/sub/other", 'f').await;
        past.pick(0, LETTER, 'f').await;
        let (headers, bytes) = past.bytes("/basket/download").await;
        let name = headers["content-disposition"].to_str().unwrap();
        assert!(
            name.starts_with("attachment; filename=\"restored 20") && name.contains(".zip"),
            "{name}"
        );
        let zip = Archive::open(&bytes).unwrap();
        let mut names: Vec<&str> = zip.names().collect();
        names.sort_unstable();
        assert_eq!(names, ["letter <b>&\"x.txt", "sub/", "sub/other"]);
        // The same path as it was at two moments.
        past.write(LETTER, "Dear both");
        past.back_up().await;
        past.pick(1, LETTER, 'f').await;
        let (_, bytes) = past.bytes("/basket/download").await;
        let zip = Archive::open(&bytes).unwrap();
        let letters: Vec<String> = zip
            .names()
            .filter(|name| name.ends_with("x.txt"))
            .map(|name| String::from_utf8(zip.read(name, 100).unwrap()).unwrap())
            .collect();
        assert_eq!(letters, ["Dear all", "Dear both"]);
        assert!(
            zip.names().all(|name| name.contains('/')),
            "each in the folder of its snapshot"
        );
        assert_eq!(
            past.get("/restore").await.text.matches("/basket/remove").count(),
            5,
            "it stays"
        );
    });
}
