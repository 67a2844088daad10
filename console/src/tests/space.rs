//! What uses the space, and what can be done about it; and a set that gets another name.

use super::kit::{Answer, Console, run};
use crate::fields::encoded;
use std::fs;

fn settings(console: &Console) -> String {
    fs::read_to_string(console.path("config/dedup/dedup.toml")).unwrap()
}

fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let after = page.text.split(&start).nth(1);
    let after = after.unwrap_or_else(|| panic!("{name}: {}", page.text));
    after.split('"').next().unwrap().to_string()
}

/// Bytes that can't be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut byte = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..len).map(|_| byte()).collect()
}

struct Used {
    console: Console,
    session: String,
    docs: String,
}

impl Used {
    async fn begin() -> Used {
        let console = Console::with_sets().await;
        fs::write(console.path("docs/sub/big"), noise(300 << 10)).unwrap();
        fs::create_dir(console.path("docs/small")).unwrap();
        fs::write(console.path("docs/small/file"), noise(20 << 10)).unwrap();
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        let docs = console.path("docs").into_os_string().into_string().unwrap();
        Used {
            console,
            session,
            docs,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.console.get_as(&self.session, path).await
    }

    async fn change(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.console.change(&self.session, path, fields).await
    }

    /// The page of a folder, once it has been calculated.
    async fn calculated(&self, folder: &str) -> String {
        let fields = [("remote", "main"), ("coded", folder)];
        let begun = self.change("/space/start", &fields).await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        self.console.until_ended(&self.session, &begun.location).await
    }
}

#[test]
fn what_each_path_frees() {
    run(async {
        let used = Used::begin().await;
        let before = used.get("/space?remote=main").await.text;
        assert!(
            before.contains("Calculate") && !before.contains("<tbody>"),
            "{before}"
        );
        let page = used.calculated("").await;
        let places = ["sub/</a>", "small/</a>", "letter "].map(|name| page.find(name));
        assert!(
            places.is_sorted() && places[0].is_some(),
            "the largest first: {places:?} {page}"
        );
        assert!(
            page.contains("As of just now") && page.contains("300 KiB"),
            "{page}"
        );
        assert!(!page.contains("<b>&"), "names are escaped");
        let again = used.get("/space?remote=main").await.text;
        assert!(
            again.contains("sub/</a>") && used.console.app.jobs.running().is_empty(),
            "it is kept"
        );
        let by_path = used
            .get(&format!(
                "/space?remote=main&path={}",
                encoded(used.docs.as_bytes())
            ))
            .await;
        assert!(by_path.text.contains("sub/</a>"), "{}", by_path.text);
        let below = format!("{}/sub", used.docs);
        let inside = used.get(&format!("/space?remote=main&path={below}")).await.text;
        assert!(!inside.contains("<tbody>"), "not looked at yet: {inside}");
        let inside = used.calculated(&below).await;
        assert!(
            inside.contains("big</td>") && inside.contains("other</td>"),
            "{inside}"
        );
        let nowhere = used.calculated("/nowhere").await;
        assert!(
            nowhere.contains("class=\"note bad\"") && nowhere.contains("/nowhere"),
            "{nowhere}"
        );
        for (path, status) in [
            ("/space?remote=elsewhere", 404),
            ("/space/job/1", 400),
            ("/space/job/999", 303),
        ] {
            assert_eq!(used.get(path).await.status, status, "{path}");
        }
    });
}

#[test]
fn a_path_is_excluded_from_now_on() {
    run(async {
        let used = Used::begin().await;
        let place = format!("/space/exclude?remote=main&path={}/sub&dir=1", used.docs);
        let page = used.get(&place).await;
        let line = format!("+exclude = [&#34;{}/sub/&#34;]", used.docs);
        assert!(page.text.contains(&line), "{line}: {}", page.text);
        assert!(
            page.text.contains("dedup set edit docs --exclude"),
            "{}",
            page.text
        );
        let (mark, before) = (hidden(&page, "mark"), settings(&used.console));
        let coded = encoded(format!("{}/sub", used.docs).as_bytes());
        let fields = |mark: &'static str| {
            [
                ("remote", "main"),
                ("coded", ""),
                ("dir", "1"),
                ("set", "docs"),
                ("mark", mark),
            ]
        };
        let send = async |mark: &str| {
            let mut all = fields("");
            (all[1].1, all[4].1) = (&coded, mark);
            used.change("/space/exclude", &all).await
        };
        let late = send("0000").await;
        assert!(
            late.status == 400 && settings(&used.console) == before,
            "{}",
            late.text
        );
        let saved = send(&mark).await;
        assert_eq!(saved.status, 303, "{}", saved.text);
        let now = settings(&used.console);
        assert!(
            now.contains(&format!("exclude = [\"{}/sub/\"]", used.docs)),
            "{now}"
        );
        let told = used.get(&saved.location).await.text;
        assert!(
            told.contains("leaves out") && told.contains("/sub from now on"),
            "{told}"
        );
        let again = used.get(&place).await.text;
        assert!(again.contains("leaves it out already"), "{again}");
        used.console.back_up(&used.session, "docs").await;
        let snapshot = used.console.rows()[0].snapshot.clone().unwrap();
        let entries = format!("/api/entries?remote=main&snapshot={snapshot}&path={}", used.docs);
        let names = used.get(&entries).await.text;
        assert!(names.contains("small") && !names.contains("\"sub\""), "{names}");
        let source = used
            .get(&format!("/space/exclude?remote=main&path={}&dir=1", used.docs))
            .await;
        assert!(source.text.contains("No set that saves here"), "{}", source.text);
        let mut all = fields("");
        all[1].1 = "/elsewhere";
        assert_eq!(used.change("/space/exclude", &all).await.status, 400);
    });
}

#[test]
fn a_path_is_purged_after_it_was_looked_for_and_typed() {
    run(async {
        let used = Used::begin().await;
        used.calculated("").await;
        let (sub, rows) = (format!("{}/sub", used.docs), used.console.rows().len());
        let page = used
            .get(&format!("/space/purge?remote=main&path={sub}"))
            .await
            .text;
        assert!(page.contains("become free"), "what it frees: {page}");
        let looked = used
            .change("/space/purge", &[("remote", "main"), ("coded", &sub)])
            .await;
        let figures = used.console.until_ended(&used.session, &looked.location).await;
        assert!(
            figures.contains("It is in 1 snapshot, with 2 files") && figures.contains("Purge it now"),
            "{figures}"
        );
        assert_eq!(used.console.rows().len(), rows, "nothing was done yet");
        let nr = looked.location.rsplit('/').next().unwrap().to_string();
        let go = async |nr: &str, typed: &str| {
            used.change("/space/purge/go", &[("nr", nr), ("typed", typed)])
                .await
        };
        for typed in ["", "sub", &used.docs] {
            let wrong = go(&nr, typed).await;
            assert!(
                wrong.status == 422 && wrong.text.contains("not the path"),
                "{typed}: {}",
                wrong.text
            );
        }
        assert_eq!(go("999", &sub).await.status, 400);
        // The job that calculated was no dry run.
        assert_eq!(go("2", &sub).await.status, 400);
        assert_eq!(used.console.rows().len(), rows);
        let purging = go(&nr, &sub).await;
        let done = used.console.until_ended(&used.session, &purging.location).await;
        assert!(done.contains("It was taken out of 1 snapshot"), "{done}");
        let row = used.console.rows().remove(0);
        assert_eq!((row.kind.as_str(), row.status.as_str()), ("delete", "completed"));
        assert!(
            fs::metadata(used.console.path("docs/sub/big")).is_ok(),
            "the file itself stays"
        );
        let space = used.get("/space?remote=main").await.text;
        assert!(
            !space.contains("<tbody>"),
            "what was kept is out of date: {space}"
        );
        let space = used.calculated("").await;
        assert!(
            space.contains("small/</a>") && !space.contains("sub/</a>"),
            "{space}"
        );
        for path in ["/", ""] {
            assert_eq!(
                used.change("/space/purge", &[("remote", "main"), ("coded", path)])
                    .await
                    .status,
                400
            );
        }
        let purged = used.get(&purging.location).await.text;
        let nr = purging.location.rsplit('/').next().unwrap();
        assert!(
            !purged.contains("Purge it now") && go(nr, &sub).await.status == 400,
            "{purged}"
        );
    });
}

#[test]
fn a_set_gets_another_name() {
    run(async {
        let used = Used::begin().await;
        let row = used.console.rows().remove(0);
        let rename = async |was: &str, name: &str, path: &str| {
            let page = used.get(&format!("/sets/edit/{was}")).await;
            let (mark, docs) = (hidden(&page, "mark"), used.docs.as_str());
            let fields = [
                ("mark", mark.as_str()),
                ("was", was),
                ("name", name),
                ("sources", docs),
                ("destination", "main"),
                ("hidden", "on"),
                ("standard-excludes", "on"),
            ];
            used.change(path, &fields).await
        };
        let change = rename("docs", "papers", "/sets/answer/change").await.text;
        for part in [
            "-[sets.docs]",
            "+[sets.papers]",
            "+former-names = [&#34;docs&#34;]",
            "No option renames",
        ] {
            assert!(change.contains(part), "{part}: {change}");
        }
        assert!(
            !change.contains("dedup set edit docs"),
            "no command does it: {change}"
        );
        let dirs = used.console.app.context().unwrap().dirs().unwrap();
        let lock = service::run_state::try_lock(&dirs, "docs").unwrap();
        let busy = rename("docs", "papers", "/sets/save").await;
        assert!(
            busy.status == 409 && busy.text.contains("is running"),
            "{}",
            busy.text
        );
        drop(lock);
        let saved = rename("docs", "papers", "/sets/save").await;
        assert_eq!(saved.location, "/sets", "{}", saved.text);
        let now = settings(&used.console);
        assert!(
            now.contains("[sets.papers]") && now.contains("former-names = [\"docs\"]"),
            "{now}"
        );
        let home = used.get("/").await.text;
        assert!(
            home.contains("Everything is backed up"),
            "its state goes with it: {home}"
        );
        assert!(
            home.contains("papers") && home.contains("1 good"),
            "and its days: {home}"
        );
        let history = used.get("/history?set=papers").await.text;
        assert!(history.contains(&format!("/history/{}", row.id)), "{history}");
        let job = used.get(&format!("/history/{}", row.id)).await.text;
        assert!(
            job.contains("name=\"set\" value=\"papers\""),
            "it runs again as papers: {job}"
        );
        for bad in ["main thing", "-x", ""] {
            let wrong = rename("papers", bad, "/sets/save").await;
            assert_eq!(wrong.status == 422, !bad.is_empty(), "{bad}: {}", wrong.text);
        }
        let drilled = used
            .change("/destinations/job", &[("remote", "main"), ("kind", "drill")])
            .await;
        let drilled = used.console.until_ended(&used.session, &drilled.location).await;
        assert!(
            drilled.contains("of set papers"),
            "its older snapshots are found: {drilled}"
        );
        // Another set can't take a name under which something was recorded.
        let page = used.get("/sets/new").await;
        let mark = hidden(&page, "mark");
        let fields = [
            ("mark", mark.as_str()),
            ("name", "docs"),
            ("sources", &used.docs),
            ("destination", "main"),
        ];
        let taken = used.change("/sets/save", &fields).await;
        assert!(
            taken.status == 422 && taken.text.contains("belongs to set"),
            "{}",
            taken.text
        );
        let back = rename("papers", "docs", "/sets/save").await;
        assert_eq!(back.location, "/sets", "{}", back.text);
        assert!(
            settings(&used.console).contains("former-names = [\"papers\"]"),
            "{}",
            settings(&used.console)
        );
    });
}
