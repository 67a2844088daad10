//! Pages of the console need nothing but the program.

use super::{files, none, root};

/// What a browser loads comes from the program: no page, style or script names another place, and nothing is inline.
#[test]
fn pages_need_nothing_from_elsewhere() {
    let mut wrong = Vec::new();
    for (extension, words) in [
        (
            "html",
            &[
                "://",
                // In the frame of a preview, which has no origin to load anything from, it has a nonce.
                "<style>",
                " style=",
                " onclick=",
                " onload=",
                "javascript:",
                "|safe",
            ][..],
        ),
        ("css", &["://", "@import", "url("]),
        (
            "js",
            &["http://", "https://", "eval(", "innerHTML", "new Function"],
        ),
    ] {
        for (path, text) in files(extension) {
            // htmx itself, whose settings in `frame.html` forbid it to evaluate anything.
            if !path.starts_with("console/") || path.ends_with("htmx.min.js") {
                continue;
            }
            // The frame of a preview has no origin, so it can load nothing: its style has a nonce.
            let is_frame = path.ends_with("preview_frame.html");
            let found = words
                .iter()
                .filter(|word| text.contains(**word) && !(is_frame && **word == "<style"));
            wrong.extend(found.map(|word| format!("{path}: {word}")));
        }
    }
    none("not from the program itself", wrong);
    let frame = std::fs::read_to_string(root().join("console/templates/frame.html")).unwrap();
    assert!(frame.contains("\"allowEval\":false") && frame.contains("\"includeIndicatorStyles\":false"));
}
