//! What people look at every day: the files of a run, the basket that stays, and how full a destination is.

use super::kit::{Answer, Console, run};
use crate::fields::encoded;
use std::fs;
use std::time::Duration;

async fn get(console: &Console, session: &str, path: &str) -> Answer {
    let page = console.get_as(session, path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    page
}

#[test]
fn the_files_of_a_run_in_pages_of_a_hundred() {
    run(async {
        let console = Console::with_sets().await;
        let write =
            |nr: u32, text: &str| fs::write(console.path(&format!("docs/{nr:03}.txt")), text).unwrap();
        (0..250).for_each(|nr| write(nr, "first"));
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        (0..130).for_each(|nr| write(nr, "the second"));
        fs::remove_file(console.path("docs/200.txt")).unwrap();
        console.back_up(&session, "docs").await;
        let id = console.rows().remove(0).id;
        let files = async |query: &str| {
            get(&console, &session, &format!("/history/{id}?{query}"))
                .await
                .text
        };
        let count = |page: &str, class: &str| page.matches(&format!("<td class=\"{class}\">")).count();
        for (query, changed, deleted) in [
            ("files=all", 100, 0),
            ("files=all&page=2", 30, 1),
            ("files=changed", 100, 0),
            ("files=changed&page=2", 30, 0),
            ("files=deleted", 0, 1),
            ("files=failed", 0, 0),
        ] {
            let page = files(query).await;
            assert_eq!(
                (count(&page, "changed"), count(&page, "deleted")),
                (changed, deleted),
                "{query}: {page}"
            );
        }
        let first = files("files=changed").await;
        assert!(first.contains("?files=changed&#38;page=2#files"), "{first}");
        assert!(count(&files("files=unchanged&page=2").await, "unchanged") > 0);
        assert!(
            first.contains("action=\"/run\"") && first.contains("Run again"),
            "{first}"
        );
    });
}

/// A command that failed: its output is among the files with the reason, and no empty file is sent in its place.
#[test]
fn what_was_not_saved_is_said_so() {
    run(async {
        let console = Console::with_sets().await;
        let settings = console.path("config/dedup/dedup.toml");
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, text + "[sets.docs.commands]\nbad = 'exit 3'\n").unwrap();
        let session = console.log_in().await;
        console.change(&session, "/run", &[("set", "docs")]).await;
        while console.app.jobs.of_set("docs").is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let row = console.rows().remove(0);
        assert_eq!(row.status, "incomplete", "{row:?}");
        let page = get(&console, &session, &format!("/history/{}?files=failed", row.id)).await;
        assert!(
            page.text.contains("/commands/bad") && page.text.contains("the command failed"),
            "{}",
            page.text
        );
        let place = format!(
            "/download?remote=main&snapshot={}&path=/commands/bad",
            row.snapshot.unwrap()
        );
        let refused = console.get_as(&session, &place).await;
        assert_eq!(refused.status, 404, "{}", refused.text);
        assert!(
            refused.text.contains("could not be read when it was backed up"),
            "{}",
            refused.text
        );
        let refused = console.get_as(&session, "/api/history?status=bogus").await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    });
}

/// It keeps each path with its moment: on the page of a day, on that of another, and on that of a file's versions.
#[test]
fn one_basket_for_time_and_file() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let mut snapshots = Vec::new();
        for text in ["one", "two"] {
            fs::write(console.path("docs/sub/other"), text).unwrap();
            console.back_up(&session, "docs").await;
            snapshots.push(console.rows()[0].snapshot.clone().unwrap());
        }
        let path = encoded(console.path("docs/sub/other").as_os_str().as_encoded_bytes());
        let folder = encoded(console.path("docs/sub").as_os_str().as_encoded_bytes());
        let pick = format!("f{path}");
        for (nr, snapshot) in snapshots.iter().enumerate() {
            let fields = [
                ("remote", "main"),
                ("snapshot", snapshot.as_str()),
                ("pick", pick.as_str()),
            ];
            console.change(&session, "/basket/add", &fields).await;
            for page in [
                format!("/restore?remote=main&snapshot={}&path={folder}", snapshots[0]),
                format!("/restore?remote=main&snapshot={}&path={folder}", snapshots[1]),
                "/restore?month=2020-01".to_string(),
                format!("/restore/versions?remote=main&snapshot={snapshot}&path={path}"),
            ] {
                let text = get(&console, &session, &page).await.text;
                let title = format!("Basket ({})", nr + 1);
                assert!(text.contains(&title), "{page}: {text}");
            }
        }
        let target = get(&console, &session, "/restore/target").await.text;
        assert_eq!(target.matches("<li>").count(), 2, "one of each moment: {target}");
    });
}

#[test]
fn how_full_a_destination_is_and_when() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let file = console.path("config/dedup/dedup.toml");
        let settings = fs::read_to_string(&file).unwrap();
        fs::write(
            &file,
            settings.replace("[sets.docs]", "quota = '2G'\n[sets.docs]"),
        )
        .unwrap();
        let now = jiff::Timestamp::now();
        let sample = |days: i64, mib: u64| {
            let at = now - jiff::SignedDuration::from_hours(24 * days);
            serde_json::json!({ "at": at.to_string(), "used": mib << 20 })
        };
        let samples: Vec<_> = (0..8)
            .map(|week| sample(49 - 7 * week, 300 + 100 * week as u64))
            .collect();
        let note = serde_json::json!({
            "place": console.path("data/dedup/repository"),
            "asked": now.to_string(),
            "reachable": true,
            "samples": samples,
        });
        fs::create_dir_all(console.path("state/dedup/usage")).unwrap();
        fs::write(console.path("state/dedup/usage/main.json"), note.to_string()).unwrap();
        let home = get(&console, &session, "/").await.text;
        for part in ["1000 MiB of 2.0 GiB", "+100 MiB a week", "full in about", "48 %"] {
            assert!(home.contains(part), "{part}: {home}");
        }
        let page = get(&console, &session, "/destinations").await.text;
        for part in ["1000 MiB", "2.0 GiB", "a week", "full about"] {
            assert!(page.contains(part), "{part}: {page}");
        }
    });
}
