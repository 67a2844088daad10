//! Sets, destinations, machines and settings, as somebody sets them up by the pages.

use super::kit::{Answer, Console, run};
use crate::api;
use serde_json::Value;
use std::fs;
use std::time::Duration;

fn settings(console: &Console) -> String {
    fs::read_to_string(console.path("config/dedup/dedup.toml")).unwrap()
}

/// The value of a hidden field.
fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let after = page
        .text
        .split(&start)
        .nth(1)
        .unwrap_or_else(|| panic!("{name}: {}", page.text));
    after.split('"').next().unwrap().to_string()
}

async fn until_done(console: &Console) {
    while !console.app.jobs.running().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Each page in both languages, with nothing inline.
#[test]
fn pages() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        for path in [
            "/sets",
            "/sets/new",
            "/sets/edit/docs",
            "/sets/remove/docs",
            "/destinations",
            "/destinations/new",
            "/destinations/remove/main",
            "/space",
            "/space?remote=main&path=/a",
            "/space/exclude?remote=main&path=/a&dir=1",
            "/space/purge?remote=main&path=/a",
            "/machines",
            "/settings",
            "/settings/file",
            "/settings/keys",
            "/settings/logs",
            "/settings/about",
        ] {
            for lang in ["en", "ja"] {
                let page = console
                    .get_as(&format!("{session}; dedup-test-lang={lang}"), path)
                    .await;
                assert_eq!(page.status, 200, "{path}: {}", page.text);
                assert!(page.text.contains(&format!("<html lang=\"{lang}\"")), "{path}");
                for word in ["<style", " style=", "onclick", "javascript:"] {
                    assert!(!page.text.contains(word), "{path}: {word}");
                }
            }
        }
        let machines = console.get_as(&session, "/machines").await;
        assert!(machines.text.contains("(this one)"), "{}", machines.text);
    });
}

#[test]
fn a_set_is_added_changed_and_removed() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let page = console.get_as(&session, "/sets/new").await;
        let docs = console.path("docs");
        let docs = docs.to_str().unwrap();
        let mark = hidden(&page, "mark");
        let fields = [
            ("mark", mark.as_str()),
            ("name", "papers"),
            ("sources", docs),
            ("exclude", "*.tmp\nsub"),
            ("hidden", "on"),
            ("standard-excludes", "on"),
            ("destination", "main"),
            ("schedule", "daily 12:30"),
            ("until", "7d"),
            ("every", "1h"),
            ("until", ""),
            ("every", "1M"),
        ];
        let files = console.change(&session, "/sets/answer/files", &fields).await;
        assert!(
            files.text.contains("1 file, 8 B") && files.text.contains("<td class=\"path\">sub</td>"),
            "{}",
            files.text
        );
        let when = console.change(&session, "/sets/answer/schedule", &fields).await;
        assert!(when.text.contains("every day at 12:30"), "{}", when.text);
        assert_eq!(when.text.matches("<li>").count(), 10);
        let change = console.change(&session, "/sets/answer/change", &fields).await;
        for part in [
            "+[sets.papers]",
            "+tiers = [",
            "dedup set add papers",
            "--exclude sub",
            "--tier 7d=1h --tier 1M",
        ] {
            assert!(change.text.contains(part), "{part}: {}", change.text);
        }
        let picture = console.change(&session, "/sets/answer/retention", &fields).await;
        assert!(
            picture.text.contains("<svg") && picture.text.contains(" stay"),
            "{}",
            picture.text
        );
        let saved = console.change(&session, "/sets/save", &fields).await;
        assert_eq!(saved.location, "/sets", "{}", saved.text);
        assert!(
            settings(&console).contains("[sets.papers]\nsources = ["),
            "{}",
            settings(&console)
        );
        let page = console.get_as(&session, "/sets/edit/papers").await;
        assert!(
            page.text.contains("value=\"daily 12:30\"") && page.text.contains("value=\"1M\""),
            "{}",
            page.text
        );
        let mark = hidden(&page, "mark");
        let fields = [
            ("mark", mark.as_str()),
            ("was", "papers"),
            ("sources", docs),
            ("hidden", "on"),
            ("standard-excludes", "on"),
            ("destination", "main"),
            ("schedule", "mon 08:00"),
        ];
        let saved = console.change(&session, "/sets/save", &fields).await;
        assert_eq!(saved.location, "/sets", "{}", saved.text);
        let text = settings(&console);
        assert!(
            text.contains("mon 08:00") && !text.contains("tiers") && !text.contains("exclude"),
            "{text}"
        );
        let list = console.get_as(&session, "/sets").await;
        assert!(
            list.text.contains("papers") && list.text.contains("on Mon at 08:00"),
            "{}",
            list.text
        );
        console
            .change(&session, "/sets/remove", &[("name", "papers")])
            .await;
        assert!(!settings(&console).contains("papers") && settings(&console).contains("docs"));
    });
}

/// What is wrong is said at its field, and nothing is written.
#[test]
fn a_set_that_is_not_valid() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let before = settings(&console);
        let page = console.get_as(&session, "/sets/edit/docs").await;
        let mark = hidden(&page, "mark");
        let good = [
            ("mark", mark.as_str()),
            ("was", "docs"),
            ("sources", "/x"),
            ("hidden", "on"),
            ("standard-excludes", "on"),
            ("destination", "main"),
        ];
        for (field, value) in [
            ("schedule", "sometimes"),
            ("priority", "high"),
            ("run-timeout", "soon"),
            ("max-generations", "-1"),
            ("exclude", "[a"),
            ("sources", "relative"),
            ("destinations", ""),
        ] {
            let mut fields = good.to_vec();
            fields.retain(|(name, _)| *name != field && !(field == "destinations" && *name == "destination"));
            fields.push((field, value));
            let answer = console.change(&session, "/sets/save", &fields).await;
            assert_eq!(answer.status, 422, "{field}: {}", answer.text);
            assert!(
                answer.text.contains(&format!("id=\"{field}-wrong\"")),
                "{field}: {}",
                answer.text
            );
            assert_eq!(settings(&console), before, "{field}");
        }
        let tiers = [good.as_slice(), &[("until", "7d"), ("every", "often")]].concat();
        let answer = console.change(&session, "/sets/save", &tiers).await;
        assert!(answer.text.contains("id=\"tiers-wrong\""), "{}", answer.text);
        let taken = [
            ("mark", mark.as_str()),
            ("name", "docs"),
            ("sources", "/x"),
            ("destination", "main"),
        ];
        let answer = console.change(&session, "/sets/save", &taken).await;
        assert!(
            answer.status == 422 && answer.text.contains("id=\"name-wrong\""),
            "{}",
            answer.text
        );
        assert_eq!(settings(&console), before);
    });
}

/// A command or an editor was faster.
#[test]
fn a_file_that_was_changed_meanwhile_is_not_overwritten() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let page = console.get_as(&session, "/sets/edit/docs").await;
        let mark = hidden(&page, "mark");
        let seen = console.seen();
        let other = settings(&console).replace("['main']", "['main'] # mine");
        fs::write(console.path("config/dedup/dedup.toml"), &other).unwrap();
        assert_ne!(console.seen()["mark"], seen["mark"], "pages hear of it");
        let fields = [
            ("mark", mark.as_str()),
            ("was", "docs"),
            ("sources", "/x"),
            ("hidden", "on"),
            ("standard-excludes", "on"),
            ("destination", "main"),
        ];
        let said = console.change(&session, "/sets/answer/change", &fields).await;
        assert!(
            said.text.contains("was changed after this page was opened"),
            "{}",
            said.text
        );
        let answer = console.change(&session, "/sets/save", &fields).await;
        assert!(
            answer.status == 409 && answer.text.contains("changed"),
            "{}",
            answer.text
        );
        let table = [("mark", mark.as_str()), ("table", "limits"), ("upload", "1M")];
        assert_eq!(
            console.change(&session, "/settings/save", &table).await.status,
            409
        );
        let text = [("mark", mark.as_str()), ("text", ""), ("write", "yes")];
        assert_eq!(
            console.change(&session, "/settings/file", &text).await.status,
            409
        );
        assert_eq!(settings(&console), other);
    });
}

#[test]
fn folders_are_ticked() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let docs = console.path("docs");
        let (docs, sub) = (docs.to_str().unwrap(), console.path("docs/sub"));
        let click = async |fields: &[(&str, &str)]| console.change(&session, "/sets/click", fields).await;
        let open = [
            ("sources", docs),
            ("open", docs),
            ("toggle", sub.to_str().unwrap()),
        ];
        let page = click(&open).await;
        let pattern = format!("{}/", sub.display());
        assert!(
            page.status == 200 && page.text.contains(&pattern),
            "{}",
            page.text
        );
        let page = click(&[("sources", docs), ("unfold", docs)]).await;
        assert!(
            page.text.contains(&format!("name=\"open\" value=\"{docs}\"")),
            "{}",
            page.text
        );
    });
}

#[test]
fn destinations_are_tested_added_and_removed() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        let place = console.path("second");
        let place = place.to_str().unwrap();
        let fields = [("name", "usb"), ("url", place), ("kind", "replica")];
        let tested = console.change(&session, "/destinations/test", &fields).await;
        assert!(
            tested.status == 200 && tested.text.contains("a replica will be made"),
            "{}",
            tested.text
        );
        assert!(!console.path("second").exists(), "a test makes nothing");
        fs::write(console.path("file"), "x").unwrap();
        let file = console.path("file/in");
        let bad = [("name", "bad"), ("url", file.to_str().unwrap()), ("kind", "own")];
        assert_eq!(
            console.change(&session, "/destinations/test", &bad).await.status,
            422
        );
        let added = console.change(&session, "/destinations/add", &fields).await;
        assert_eq!(added.location, "/destinations", "{}", added.text);
        assert!(settings(&console).contains("[remotes.usb]"));
        let own = console.path("third");
        let own = [("name", "own"), ("url", own.to_str().unwrap()), ("kind", "own")];
        let added = console.change(&session, "/destinations/add", &own).await;
        assert_eq!(added.location, "/destinations", "{}", added.text);
        assert!(console.path("config/dedup/own.key").exists());
        let again = console.change(&session, "/destinations/add", &own).await;
        assert!(
            again.status == 422 && again.text.contains("own"),
            "{}",
            again.text
        );
        let measured = console
            .change(&session, "/destinations/measure", &[("remote", "main")])
            .await;
        assert!(measured.text.contains("main answered"), "{}", measured.text);
        let used = console.get_as(&session, "/destinations/remove/main").await;
        assert!(used.text.contains("/sets/edit/docs"), "{}", used.text);
        let refused = console
            .change(&session, "/destinations/remove", &[("name", "main")])
            .await;
        assert!(refused.status == 400 && settings(&console).contains("[remotes.main]"));
        console
            .change(&session, "/destinations/remove", &[("name", "usb")])
            .await;
        assert!(!settings(&console).contains("[remotes.usb]") && console.path("second").exists());
    });
}

/// The first destination of all.
#[test]
fn the_first_destination() {
    run(async {
        let console = Console::new("");
        let session = console.log_in().await;
        let place = console.path("first");
        let fields = [
            ("name", "main"),
            ("url", place.to_str().unwrap()),
            ("kind", "own"),
        ];
        let added = console.change(&session, "/destinations/add", &fields).await;
        assert_eq!(added.location, "/destinations", "{}", added.text);
        assert!(settings(&console).contains("[remotes.main]") && console.path("first").exists());
        let keys = console.get_as(&session, "/settings/keys").await;
        assert!(
            keys.text.contains("key file") && keys.text.contains("no recovery phrase"),
            "{}",
            keys.text
        );
    });
}

#[test]
fn a_destination_is_checked_and_pruned() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        let job = async |kind: &str| {
            let fields = [("remote", "main"), ("kind", kind)];
            let begun = console.change(&session, "/destinations/job", &fields).await;
            assert!(begun.location.starts_with("/destinations/job/"), "{}", begun.text);
            until_done(&console).await;
            console.get_as(&session, &begun.location).await.text
        };
        let checked = job("check-all").await;
        assert!(checked.contains("class=\"note good\""), "{checked}");
        assert_eq!(console.rows()[0].kind, "check");
        let drilled = job("drill").await;
        assert!(
            drilled.contains("class=\"note good\"") && drilled.contains("restored as it was backed up"),
            "{drilled}"
        );
        assert_eq!(console.rows()[0].kind, "drill");
        for page in ["/", "/destinations"] {
            let page = console.get_as(&session, page).await.text;
            let after = page.split("Last restore drill").nth(1).unwrap();
            assert!(
                page.contains("Restore drill") || page.contains(">drill"),
                "{page}"
            );
            assert!(after.contains("just now"), "{after}");
        }
        let rows = console.rows().len();
        let preview = job("prune-preview").await;
        assert!(
            preview.contains("Prune now") && console.rows().len() == rows,
            "{preview}"
        );
        let pruned = job("prune").await;
        assert!(
            !pruned.contains("Prune now") && console.rows()[0].kind == "prune",
            "{pruned}"
        );
        let healed = job("heal").await;
        assert!(
            healed.contains("class=\"note bad\""),
            "there is no other: {healed}"
        );
    });
}

#[test]
fn a_recovery_phrase_is_typed_back() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let made = console
            .change(&session, "/settings/keys/recovery", &[("remote", "main")])
            .await;
        let list = made.text.split("<ol class=\"phrase\">").nth(1).unwrap();
        let list = list.split("</ol>").next().unwrap();
        let words: Vec<&str> = list
            .split("<code>")
            .skip(1)
            .map(|word| word.split('<').next().unwrap())
            .collect();
        assert_eq!(words.len(), 24, "{}", made.text);
        let right = words.join("  ");
        let checked = console
            .change(
                &session,
                "/settings/keys/check",
                &[("remote", "main"), ("phrase", &right)],
            )
            .await;
        assert!(
            checked.status == 200 && checked.text.contains("The phrase is right"),
            "{}",
            checked.text
        );
        let other = [&words[1..], &words[..1]].concat().join(" ");
        let checked = console
            .change(
                &session,
                "/settings/keys/check",
                &[("remote", "main"), ("phrase", &other)],
            )
            .await;
        assert!(
            checked.status == 422 && !checked.text.contains(&other),
            "{}",
            checked.text
        );
        let later = console.get_as(&session, "/settings/keys").await;
        assert!(!later.text.contains("class=\"phrase\""), "it is shown once");
    });
}

#[test]
fn settings_are_saved_table_by_table() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let mark = async || hidden(&console.get_as(&session, "/settings").await, "mark");
        let save = async |fields: &[(&str, &str)]| {
            let mark = mark().await;
            let fields = [&[("mark", mark.as_str())], fields].concat();
            console.change(&session, "/settings/save", &fields).await
        };
        let saved = save(&[
            ("table", "limits"),
            ("upload", "10M"),
            ("skip-metered", "yes"),
            ("skip-wifi", "Cafe, Train"),
        ])
        .await;
        assert!(
            saved.status == 200 && saved.text.contains("+upload = "),
            "{}",
            saved.text
        );
        assert!(
            settings(&console).contains("skip-wifi = [\"Cafe\", \"Train\"]"),
            "{}",
            settings(&console)
        );
        let bad = save(&[("table", "limits"), ("upload", "10M"), ("cpu-active", "900")]).await;
        assert!(
            bad.status == 422 && bad.text.contains("from 1 to 100"),
            "{}",
            bad.text
        );
        let saved = save(&[("table", "limits")]).await;
        assert!(!settings(&console).contains("skip-metered"), "{}", saved.text);
        let half = save(&[("table", "mail"), ("server", "smtp.example.jp")]).await;
        assert!(half.status == 422 && half.text.contains("from"), "{}", half.text);
        let place = console.path("dedup.prom");
        save(&[("table", "prometheus"), ("textfile", place.to_str().unwrap())]).await;
        let test = console.change(&session, "/settings/test", &[]).await;
        assert!(
            test.text.contains("prometheus: sent") && place.exists(),
            "{}",
            test.text
        );
        save(&[("table", "prometheus")]).await;
        assert!(
            !settings(&console).contains("prometheus"),
            "{}",
            settings(&console)
        );
        save(&[("table", "console"), ("lang", "ja")]).await;
        let page = console.get_as(&session, "/settings").await;
        assert!(page.text.contains("<html lang=\"ja\""));
    });
}

#[test]
fn the_file_as_text() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        let page = console.get_as(&session, "/settings/file").await;
        let mark = hidden(&page, "mark");
        let new = format!("# mine\r\n{}", settings(&console).replace("docs]", "papers]"));
        let look = console
            .change(&session, "/settings/file", &[("mark", &mark), ("text", &new)])
            .await;
        assert!(
            look.status == 200 && look.text.contains("+# mine") && look.text.contains("not saved yet"),
            "{}",
            look.text
        );
        assert!(!settings(&console).contains("papers"));
        let bad = [
            ("mark", mark.as_str()),
            ("text", "[sets.a]\nsauces = []"),
            ("write", "yes"),
        ];
        let bad = console.change(&session, "/settings/file", &bad).await;
        assert!(bad.status == 422 && bad.text.contains("sauces"), "{}", bad.text);
        let good = [("mark", mark.as_str()), ("text", &new), ("write", "yes")];
        let good = console.change(&session, "/settings/file", &good).await;
        assert_eq!(good.location, "/settings", "{}", good.text);
        assert!(settings(&console).contains("[sets.papers]") && !settings(&console).contains('\r'));
    });
}

#[test]
fn tokens_metrics_and_support() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        let made = console
            .change(&session, "/settings/tokens/add", &[("name", "grafana")])
            .await;
        let token = made
            .text
            .split("<code id=\"token\">")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap();
        assert_eq!(console.app.tokens.find(token).unwrap().unwrap().name, "grafana");
        let later = console.get_as(&session, "/settings").await;
        assert!(
            later.text.contains("grafana") && !later.text.contains(token),
            "it is shown once"
        );
        let metrics = console.get_as(&session, "/metrics").await;
        assert!(
            metrics.text.contains("dedup_last_completed{set=\"docs\"} 1"),
            "{}",
            metrics.text
        );
        assert!(
            metrics.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/plain")
        );
        let gone = console
            .change(&session, "/settings/tokens/revoke", &[("name", "grafana")])
            .await;
        assert_eq!(gone.location, "/settings#tokens");
        assert!(console.app.tokens.list().unwrap().is_empty());
        let bundle = console.get_as(&session, "/settings/bundle").await;
        assert!(bundle.status == 200 && bundle.text.starts_with("PK"));
        assert!(
            bundle.headers["content-disposition"]
                .to_str()
                .unwrap()
                .starts_with("attachment")
        );
        let logs = console.get_as(&session, "/settings/logs?level=debug").await;
        assert!(logs.text.contains("job-"), "{}", logs.text);
    });
}

/// The description for programs has every address, and no other; and what is answered has only fields that it has.
#[test]
fn the_description_for_programs() {
    run(async {
        let console = Console::with_sets().await;
        let session = console.log_in().await;
        console.back_up(&session, "docs").await;
        let api = console.get_as(&session, "/api/openapi.json").await.json();
        let mut described: Vec<(String, String)> = Vec::new();
        for (path, methods) in api["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                described.push((method.to_uppercase(), path.clone()));
            }
        }
        let mut want: Vec<(String, String)> = api::ADDRESSES
            .iter()
            .chain(&[("GET", "/metrics")])
            .map(|(method, path)| (method.to_string(), path.to_string()))
            .collect();
        described.sort();
        want.sort();
        assert_eq!(described, want);
        let row = console.rows().remove(0);
        let place = format!("remote=main&snapshot={}&path=/", row.snapshot.unwrap());
        for (method, path) in api::ADDRESSES {
            if method != "GET" || path == "/api/openapi.json" {
                continue;
            }
            let address = format!("{}?{place}", path.replace("{id}", &row.id));
            let answer = console.get_as(&session, &address).await.json();
            let schema =
                &api["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
            fits(&api, schema, &answer, path);
        }
    });
}

fn fits(api: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return fits(
            api,
            &api["components"]["schemas"][name],
            value,
            &format!("{at} {name}"),
        );
    }
    let is_open = schema["additionalProperties"] == true || schema["properties"].is_null();
    for (name, value) in value.as_object().into_iter().flatten() {
        let known = &schema["properties"][name];
        assert!(is_open || !known.is_null(), "{at}: {name} is not described");
        if !known.is_null() {
            fits(api, known, value, &format!("{at}.{name}"));
        }
    }
    for value in value.as_array().into_iter().flatten() {
        fits(api, &schema["items"], value, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let has = |kinds: &Value| match kinds {
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        Value::Null => true,
        one => one == kind,
    };
    assert!(has(&schema["type"]), "{at}: {value} is not {}", schema["type"]);
}
