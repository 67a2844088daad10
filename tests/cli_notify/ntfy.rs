//! The preset for ntfy, against a real server of it: what arrives is what its subscribers see.

use super::{break_it, home, mend_it, settings};
use kit::program::{objects, string};
use kit::servers::Ntfy;
use serde_json::{Value, json};

#[test]
fn subscribers_see_title_text_and_urgency() {
    let Some(ntfy) = Ntfy::start("subscribers_see_title_text_and_urgency") else {
        return;
    };
    let home = home("");
    let with = |lang: &str| {
        let url = ntfy.url("backups");
        format!("[notify.webhook]\nurl = '{url}'\npreset = 'ntfy'\n[console]\nlang = '{lang}'\n")
    };
    settings(&home, &with("en"));
    home.ok(&["notify", "test"]);
    break_it(&home);
    home.ends(10, &["run", "docs"]);
    mend_it(&home);
    settings(&home, &with("ja"));
    home.ok(&["run", "docs"]);
    let seen = objects(&ntfy.messages("backups"));
    let seen: Vec<&Value> = seen.iter().filter(|one| one["event"] == "message").collect();
    assert_eq!(seen.len(), 3, "{seen:#?}");
    for (one, title, text, priority, tag) in [
        (
            seen[0],
            "test message",
            "dedup notify test",
            3,
            "white_check_mark",
        ),
        (seen[1], "incomplete (no repository)", "no repository", 5, "x"),
        (
            seen[2],
            "docs のバックアップが回復しました",
            "完了",
            3,
            "white_check_mark",
        ),
    ] {
        assert!(string(one, "title").contains(title), "{one}");
        assert!(string(one, "message").contains(text), "{one}");
        assert_eq!(one["tags"], json!([tag]), "{one}");
        // A priority of 3 is the default, and not named.
        assert_eq!(one["priority"].as_u64().unwrap_or(3), priority, "{one}");
        assert!(one["attachment"].is_null(), "{one}");
    }
}
