//! Programs that were written for restic: `tests/wrappers/restic-0.19.1.json` has what restic 0.19.1 prints, and every field
//! in it must be in what this program prints, with the same type. Two real wrappers read more than fields: lines by how they
//! begin, and times and lists as their language does.

use kit::program::{Home, Run, objects};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const RECORDED: &str = include_str!("wrappers/restic-0.19.1.json");

/// What is not as in restic, and why no program can mind.
const KNOWN: [&str; 19] = [
    // No sizes and times of single files are measured.
    "verbose_status.duration",
    "verbose_status.data_size_in_repo",
    "verbose_status.metadata_size",
    "verbose_status.metadata_size_in_repo",
    "verbose_status.total_files",
    // A dry run makes no snapshot.
    "backup docs -n: summary.snapshot_id",
    // They are there while a file is read, and as long as it takes.
    "status.current_files",
    "status.current_files[]",
    "status.seconds_remaining",
    // Exit code 3 is no error that ends a run: what could not be read was reported.
    "backup docs nowhere: no exit_error",
    // Only snapshots that have one.
    "snapshot.parent",
    "row.keep[].parent",
    "row.remove[].parent",
    "row[].parent",
    // Chunks that files share are not counted here.
    "statistics.added.data_blobs",
    "statistics.added.tree_blobs",
    "statistics.removed.data_blobs",
    "statistics.removed.tree_blobs",
    // An empty list, where Go prints none.
    "summary.broken_packs",
];

/// Types of each field, by its path.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn add(shape: &mut Shape, path: &str, value: &Value) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    shape.entry(path.to_string()).or_default().insert(kind);
    match value {
        Value::Array(all) => all.iter().for_each(|one| add(shape, &format!("{path}[]"), one)),
        Value::Object(all) => all
            .iter()
            .for_each(|(name, one)| add(shape, &format!("{path}.{name}"), one)),
        _ => {}
    }
}

/// Objects of one kind share their fields.
fn shapes(objects: &[Value]) -> BTreeMap<String, Shape> {
    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    for object in objects {
        let kind = ["message_type", "struct_type"]
            .iter()
            .find_map(|field| object[field].as_str());
        let shape = shapes.entry(kind.unwrap_or("row").to_string()).or_default();
        add(shape, "", object);
    }
    shapes
}

/// A program that reads restic's numbers as floats takes whole ones too, and not the other way round.
fn fits(ours: &BTreeSet<&str>, theirs: &BTreeSet<&str>) -> bool {
    ours.iter()
        .all(|kind| theirs.contains(kind) || *kind == "integer" && theirs.contains("float"))
}

fn home() -> Home {
    let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    home.write("docs/sub/a", "a");
    home.write("docs/keep", "keep");
    std::os::unix::fs::symlink("keep", home.path("docs/l")).unwrap();
    home
}

/// The runs before the recorded ones that are not compared, which make the first snapshot.
fn prepare(home: &Home) {
    home.ok(&["backup", "docs", "--host", "h", "--tag", "t"]);
    home.write("docs/b", "bb");
    home.write("docs/sub/a", "more\n");
    std::fs::remove_file(home.path("docs/keep")).unwrap();
    for nr in 0..40u64 {
        home.write(&format!("big/{nr}"), kit::generation::noise(nr, 100_000));
    }
}

fn run(home: &Home, args: &str) -> Run {
    let mut args: Vec<&str> = args.split(' ').collect();
    if args[0] == "backup" {
        args.extend(["--host", "h", "--tag", "t"]);
    }
    args.push("--json");
    home.run(&args)
}

#[test]
fn every_field_that_restic_prints() {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let home = home();
    let mut wrong = Vec::new();
    for of in recorded["runs"].as_array().unwrap() {
        let args = of["args"].as_str().unwrap();
        let run = run(&home, args);
        if args == "init" {
            prepare(&home);
        }
        let text = match of["stream"].as_str().unwrap() {
            "out" => &run.out,
            _ => &run.err,
        };
        let ours = shapes(&objects(text));
        for (kind, theirs) in shapes(of["objects"].as_array().unwrap()) {
            let Some(ours) = ours.get(&kind).or(ours.get("summary").filter(|_| kind == "row")) else {
                wrong.push(format!("{args}: no {kind} in {text}{}", run.err));
                continue;
            };
            for (path, theirs) in &theirs {
                match ours.get(path) {
                    None => wrong.push(format!("{args}: {kind}{path} is missing")),
                    Some(ours) if !fits(ours, theirs) => {
                        wrong.push(format!("{args}: {kind}{path} is {ours:?} instead of {theirs:?}"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    let is_known = |line: &String| KNOWN.iter().any(|known| line.contains(known));
    wrong.retain(|line| !is_known(line));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// resticprofile takes lines for JSON by how they begin and end, one of them for the summary, and reads whole numbers. Without
/// `--json` it looks for words at the beginning of lines.
#[test]
fn a_wrapper_that_reads_lines() {
    let home = home();
    home.ok(&["init"]);
    let json = home.ok(&["backup", "docs", "--json"]).out;
    let mut summaries = json
        .lines()
        .filter(|line| line.starts_with(r#"{"message_type":"summary","#) && line.ends_with('}'));
    let summary: Value = serde_json::from_str(summaries.next().unwrap()).unwrap();
    assert!(summaries.next().is_none());
    assert!(json.lines().all(|line| line.starts_with(r#"{"message_type":""#)));
    let whole = [
        ("files_new", 2),
        ("files_changed", 0),
        ("files_unmodified", 0),
        ("dirs_changed", 0),
        ("dirs_unmodified", 0),
        ("total_files_processed", 2),
        ("total_bytes_processed", 5),
    ];
    for (field, value) in whole {
        assert_eq!(summary[field], value, "{field}");
    }
    for field in [
        "dirs_new",
        "data_blobs",
        "tree_blobs",
        "data_added",
        "data_added_packed",
    ] {
        assert!(summary[field].is_u64(), "{field}");
    }
    home.write("docs/sub/a", "z".repeat(1_000_000));
    let text = home.ok(&["backup", "docs"]).out;
    let line = |start: &str| {
        let found = text.lines().find(|line| line.starts_with(start));
        let line = found.unwrap_or_else(|| panic!("no '{start}' in {text}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("Files:"), "Files: 0 new, 1 changed, 1 unmodified");
    let dirs = line("Dirs:");
    assert!(
        dirs.ends_with(" unmodified") && dirs.starts_with("Dirs: "),
        "{dirs}"
    );
    let added = line("Added to the repository:");
    let words: Vec<&str> = added
        .split([' ', '(', ')'])
        .filter(|word| !word.is_empty())
        .collect();
    let [_, _, _, _, size, unit, stored, stored_unit, "stored"] = words[..] else {
        panic!("{added}");
    };
    assert!(
        size.parse::<f64>().is_ok() && stored.parse::<f64>().is_ok(),
        "{added}"
    );
    let units = ["B", "KiB", "MiB"];
    assert!(units.contains(&unit) && units.contains(&stored_unit), "{added}");
    let done = line("processed ");
    assert!(done.starts_with("processed 2 files, 976.566 KiB in 0:"), "{done}");
}

/// What the Prometheus exporter for restic does with the output, in its language.
const EXPORTER: &str = r"
import datetime, json, sys
snapshots = json.loads(sys.argv[1])
assert 'group_key' in snapshots[0], snapshots
for snapshot in [one for group in snapshots for one in group['snapshots']]:
    datetime.datetime.fromisoformat(snapshot['time']).timetuple()
    snapshot['hostname'] + snapshot.get('username', '') + ','.join(snapshot['paths'])
    ','.join(snapshot.get('tags', []))
    snapshot['short_id'] + snapshot['id'] + snapshot.get('program_version', '')
    summary = snapshot['summary']
    took = [datetime.datetime.fromisoformat(summary[name]) for name in ('backup_start', 'backup_end')]
    assert (took[1] - took[0]).total_seconds() >= 0
    for name in ('total_bytes_processed', 'total_files_processed', 'files_new', 'files_changed', 'files_unmodified',
                 'dirs_new', 'dirs_changed', 'dirs_unmodified', 'data_added'):
        assert type(summary[name]) is int, name
stats = json.loads(sys.argv[2])
for name in ('total_size', 'total_blob_count', 'snapshots_count', 'total_uncompressed_size'):
    assert type(stats[name]) is int, name
assert stats['compression_ratio'] >= 0
";

#[test]
fn a_wrapper_that_makes_metrics() {
    let home = home();
    home.ok(&["init"]);
    home.ok(&["backup", "docs", "--host", "h"]);
    home.ok(&["backup", "docs", "--host", "h", "--tag", "t"]);
    let args = [
        "--no-lock",
        "snapshots",
        "--json",
        "--latest",
        "1",
        "--group-by",
        "host,paths",
    ];
    let snapshots = home.ok(&args).out;
    let stats = home
        .ok(&["--no-lock", "stats", "--json", "--mode", "raw-data"])
        .out;
    let done = Command::new("python3")
        .args(["-c", EXPORTER, &snapshots, &stats])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}\n{snapshots}{stats}");
    home.ok(&["--no-lock", "check"]);
    home.ok(&["backup", "docs", "--retry-lock", "5m"]);
}
