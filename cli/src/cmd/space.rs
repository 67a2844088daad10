//! `space`: what paths, sets or snapshots hold alone.

use crate::args::paths::{SpaceArgs, SpaceBy};
use crate::output::Lines;
use crate::render::text;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use service::catalogue::report::alone as say;
use service::json;
use service::space::{self, Holder, Report, Request};
use service::text::short;
use service::units::{escape, format_bytes};
use service::{Failure, Status};

/// Rows that are shown without -v.
const ROWS: usize = 40;

pub fn run(terminal: &Terminal, args: &SpaceArgs) -> Result<Status, Failure> {
    let request = match args.by {
        SpaceBy::Path => Request::Path(args.path.clone()),
        SpaceBy::Set => Request::Sets,
        SpaceBy::Snapshot => Request::Snapshots,
    };
    let report = space::run(&terminal.context, &request, terminal)?;
    match terminal.json() {
        true => tell_json(&report)?,
        false => tell(terminal, args, &report)?,
    }
    Ok(report.status())
}

fn tell_json(report: &Report) -> Result<(), Failure> {
    let mut out = Lines::new();
    for (holder, bytes) in &report.rows {
        let mut object = match holder {
            Holder::Path { path, .. } => json!({ "path": json::name(path) }),
            Holder::Rest => json!({ "rest": true }),
            Holder::Set(name) => json!({ "set": name }),
            Holder::Snapshot(facts) => json!({
                "snapshot": facts.id.to_hex(),
                "time": facts.time.to_string(),
                "hostname": facts.host,
            }),
        };
        object["message_type"] = json!("space");
        object["bytes"] = json!(bytes);
        out.object(&object);
    }
    let path = report.path.as_ref().map(|path| json::name(path));
    let mut summary = json!({
        "message_type": "summary",
        "shared_bytes": report.together,
        "all_bytes": report.all,
    });
    if let Some(path) = path {
        summary["path"] = Value::from(path);
    }
    out.object(&summary);
    out.finish()
}

fn tell(terminal: &Terminal, args: &SpaceArgs, report: &Report) -> Result<(), Failure> {
    let lang = terminal.lang;
    let shown = match terminal.global.verbose {
        0 => report.rows.len().min(ROWS),
        _ => report.rows.len(),
    };
    let row = |(holder, bytes): &(Holder, u64)| {
        let name = match holder {
            Holder::Path { path, .. } => escape(path),
            Holder::Rest => say::rest(lang),
            Holder::Set(name) if name.is_empty() => say::no_set(lang),
            Holder::Set(name) => escape(name.as_bytes()),
            Holder::Snapshot(facts) => text::snapshot_line(facts),
        };
        vec![format_bytes(*bytes), name]
    };
    let rows: Vec<Vec<String>> = report.rows.iter().take(shown).map(row).collect();
    let [alone, path] = say::columns(lang);
    let what = match args.by {
        SpaceBy::Path => path,
        SpaceBy::Set => say::set_column(lang),
        SpaceBy::Snapshot => say::snapshot_column(lang),
    };
    let mut out = Lines::new();
    out.line(text::table(&[alone, what], &[0], &rows).trim_end());
    if shown < report.rows.len() {
        out.line(&say::more(lang, (report.rows.len() - shown) as u64));
    }
    if report.together > 0 {
        out.line(&say::together(lang, report.together));
    }
    if let Some(path) = &report.path {
        out.line(&say::all_of(lang, &escape(path), report.all));
    }
    if let Some(advice) = advice(terminal, report) {
        out.line(&advice);
    }
    out.finish()
}

/// What to do about the largest.
fn advice(terminal: &Terminal, report: &Report) -> Option<String> {
    let (largest, bytes) = report.rows.first()?;
    if *bytes == 0 || !terminal.talks() {
        return None;
    }
    Some(match largest {
        Holder::Path { path, .. } => say::advice_on_path(terminal.lang, &String::from_utf8_lossy(path)),
        Holder::Snapshot(facts) => say::advice_on_snapshot(terminal.lang, &short(&facts.id.to_hex())),
        Holder::Set(_) => say::advice_on_sets(terminal.lang),
        Holder::Rest => return None,
    })
}
