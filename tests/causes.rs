//! Every cause of trouble against every command: the exit code, what is said, and that nothing is called damaged that is
//! not. The table of expectations is the one in docs/reliability.md.

use crate::cli_bad::Disk;
use crate::full_disk::fill;
use kit::generation::noise;
use kit::program::{Home, Run};
use kit::servers::{Proxy, Rclone, Serve, ports};
use rustix::process::geteuid;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");
const NOBODY: u32 = 65_534;
/// Most cells wait for something: a timeout, or a descriptor that nobody gives back.
const AT_ONCE: usize = 8;

/// The columns: names of commands, and their arguments.
const COMMANDS: [(&str, &[&str]); 13] = [
    ("backup", &["backup", "docs"]),
    ("restore", &["restore", "latest", "--target", "out"]),
    ("dump", &["dump", "latest", "FILE", "--target", "out/a"]),
    ("ls", &["ls", "latest"]),
    ("snapshots", &["snapshots"]),
    ("find", &["find", "a"]),
    ("diff", &["diff", "latest~1", "latest"]),
    ("stats", &["stats"]),
    ("check", &["check", "--read-data"]),
    (
        "prune",
        &[
            "prune",
            "--keep-last=1",
            "--keep-trash=0s",
            "--max-unused=0",
            "--yes",
        ],
    ),
    ("copy", &["copy", "--from", "REPO", "--from-key-file", "KEY"]),
    ("replicate", &["replicate", "--to", "BEHIND"]),
    ("heal", &["heal", "--from", "CURRENT", "--read-data"]),
];

/// What there is in the home of a cell, and how its command is run.
struct Cell {
    home: Home,
    user: Option<u32>,
    limits: Option<&'static str>,
    /// URLs or paths of the repository, its key, a replica that has everything, and one that is behind.
    repo: String,
    key: String,
    current: String,
    behind: String,
    /// With other keys, to copy to.
    other: String,
    /// A file as it was saved.
    file: String,
    disk: Option<Disk>,
}

/// A machine with two snapshots in `repo`, all of it in the replica `current`, the first one in `behind`, an empty
/// repository `other`, and a file that is not saved yet. Its cache is lost.
fn template(program: &str) -> Home {
    let home = Home::new(program);
    let of = |args: &[&str]| home.ok(&[&["-r", "repo", "--key-file", "key"], args].concat());
    of(&["init", "--no-recovery"]);
    home.ok(&["-r", "other", "--key-file", "other-key", "init", "--no-recovery"]);
    for name in ["current", "behind"] {
        of(&["remote", "add", name, name]);
    }
    home.write("docs/a", noise(1, 100_000));
    home.write("docs/old", noise(2, 100_000));
    of(&["backup", "docs"]);
    of(&["replicate"]);
    fs::remove_file(home.path("docs/old")).unwrap();
    home.write("docs/b", noise(3, 100_000));
    of(&["backup", "docs"]);
    of(&["replicate", "--to", "current"]);
    home.write("docs/new", noise(4, 100_000));
    fs::create_dir(home.path("out")).unwrap();
    fs::remove_dir_all(home.path(".cache")).unwrap();
    fs::remove_file(home.path(".config/dedup/dedup.toml")).unwrap();
    home
}

/// The program where every user can run it.
fn open_to_all(folder: &Path) -> String {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("dedup");
    fs::hard_link(PROGRAM, &program)
        .or_else(|_| fs::copy(PROGRAM, &program).map(drop))
        .unwrap();
    program.to_str().unwrap().to_string()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
    assert!(copied.unwrap().success());
}

impl Cell {
    fn new(program: &str, template: &Home) -> Cell {
        let home = Home::new(program);
        copy(&template.path(""), &home.path(""));
        let [repo, key, current, behind, other] =
            ["repo", "key", "current", "behind", "other"].map(|name| home.text(name));
        Cell {
            home,
            user: None,
            limits: None,
            repo,
            key,
            current,
            behind,
            other,
            file: template.text("docs/a"),
            disk: None,
        }
    }

    fn run(&self, command: &str, args: &[&str]) -> Run {
        let (repo, key) = match command {
            "copy" => (self.other.clone(), self.home.text("other-key")),
            _ => (self.repo.clone(), self.key.clone()),
        };
        let args = args.iter().map(|arg| match *arg {
            "REPO" => self.repo.clone(),
            "FILE" => self.file.clone(),
            "KEY" => self.key.clone(),
            "BEHIND" => self.behind.clone(),
            "CURRENT" => self.current.clone(),
            arg => arg.to_string(),
        });
        let args: Vec<String> = ["-r".into(), repo, "--key-file".into(), key]
            .into_iter()
            .chain(args)
            .collect();
        let mut command = match self.limits {
            Some(limits) => self.home.limited(limits, &args),
            None => self.home.command(&args),
        };
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        Run::of(command.output().unwrap())
    }

    /// Objects of a kind in the repository, the largest first.
    fn objects(&self, kind: &str) -> Vec<PathBuf> {
        let mut found: Vec<(u64, PathBuf)> = self
            .home
            .contents(&self.home.path("repo").join(kind))
            .into_iter()
            .map(|(path, bytes)| (bytes.len() as u64, path))
            .collect();
        found.sort();
        found.into_iter().rev().map(|(_, path)| path).collect()
    }

    /// The pack of the first backup's files: the second needs half of it.
    fn data(&self) -> PathBuf {
        self.objects("packs").swap_remove(0)
    }

    /// The other packs, but for that of the second backup's file.
    fn trees(&self) -> Vec<PathBuf> {
        self.objects("packs").split_off(2)
    }

    /// The newest manifest.
    fn manifest(&self) -> PathBuf {
        let made = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        self.objects("snapshots").into_iter().max_by_key(made).unwrap()
    }

    /// Runs as somebody who owns everything but these, which only root may read.
    fn closed(&mut self, objects: Vec<PathBuf>) {
        let owned = Command::new("chown")
            .args(["-R", &format!("{NOBODY}:{NOBODY}")])
            .arg(self.home.path(""))
            .status();
        assert!(owned.unwrap().success());
        for object in objects {
            chown(&object, Some(0), Some(0)).unwrap();
            fs::set_permissions(object, Permissions::from_mode(0o600)).unwrap();
        }
        self.user = Some(NOBODY);
    }

    /// A folder, with what is in it, on a file system of its own.
    fn mounted(&mut self, name: &str) -> PathBuf {
        let at = self.home.path(name);
        let aside = self.home.path(format!("{}-aside", name.replace('/', "-")));
        if at.exists() {
            fs::rename(&at, &aside).unwrap();
        }
        self.disk = Some(Disk::of(at.clone(), "8m").unwrap());
        if aside.exists() {
            copy(&aside, &at);
        }
        at
    }

    fn full(&mut self, name: &str) {
        let at = self.mounted(name);
        fill(&at.join("filler"));
    }

    fn read_only(&mut self, name: &str) {
        let at = self.mounted(name);
        let mounted = Command::new("mount").args(["-o", "remount,ro"]).arg(at).status();
        assert!(mounted.unwrap().success());
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    for sixteenth in 1..16 {
        let at = bytes.len() * sixteenth / 16;
        bytes[at] ^= 0x40;
    }
    fs::write(path, bytes).unwrap();
}

/// A server's URL, whose first failure is its last.
fn impatient(url: &str) -> String {
    format!("{url}?retry=1&timeout=5")
}

fn nothing_listens() -> String {
    impatient(&format!("webdav://127.0.0.1:{}/x", ports::<1>()[0]))
}

/// The repository on a server that answers requests like this with an error.
fn refusing(cell: &mut Cell, server: &Rclone, request: &str) {
    let url = server.url();
    let (before, after) = url.split_once("@127.0.0.1:").unwrap();
    let (port, folder) = after.split_once('/').unwrap();
    copy(&cell.home.path("repo"), &server.served(folder));
    let proxy = Proxy::start(port.parse().unwrap());
    proxy.refuse(request, "503 Service Unavailable");
    cell.repo = impatient(&format!("{before}@127.0.0.1:{}/{folder}", proxy.port()));
}

/// Makes one cause happen in a cell.
fn arrange(cause: &str, command: &str, cell: &mut Cell, server: &Rclone) {
    let target = match command {
        "copy" => "other",
        "replicate" => "behind",
        _ => "out",
    };
    match cause {
        "nothing listens at the repository's address" => cell.repo = nothing_listens(),
        "nothing listens at the other repository's" => {
            for place in [&mut cell.current, &mut cell.behind, &mut cell.other] {
                *place = nothing_listens();
            }
        }
        "the server answers 503 for packs" => refusing(cell, server, "/packs/"),
        "the server answers 503 to writes" => refusing(cell, server, "PUT "),
        "no permission to read a pack" => cell.closed(vec![cell.data()]),
        "no permission to read the index" => cell.closed(cell.objects("index")),
        "no permission to read a manifest" => cell.closed(vec![cell.manifest()]),
        "the repository's disk is full" => cell.full("repo"),
        "the cache's disk is full" => cell.full(".cache"),
        "the target's disk is full" => cell.full(target),
        "the repository is mounted read-only" => cell.read_only("repo"),
        "the target is mounted read-only" => cell.read_only(target),
        // In blocks of 512 bytes.
        "no file may be longer than 64 KiB" => cell.limits = Some("-f 128"),
        "no more than 24 open files" => cell.limits = Some("-n 24"),
        "a wrong key" => cell.key = cell.home.text("other-key"),
        "wrong bytes in a pack of files" => flip(&cell.data()),
        "wrong bytes in packs of trees" => cell.trees().iter().for_each(|pack| flip(pack)),
        "wrong bytes in the index" => cell.objects("index").iter().for_each(|segment| flip(segment)),
        "wrong bytes in a manifest" => flip(&cell.manifest()),
        "a pack is gone" => fs::remove_file(cell.data()).unwrap(),
        cause => panic!("docs/reliability.md has a cause that is not tested: {cause}"),
    }
}

/// A row of the table in the document.
struct Row {
    cause: String,
    /// By command, each that is allowed; commands that the cause does not concern are left out.
    codes: BTreeMap<String, Vec<i32>>,
    /// What may be said with a code.
    phrases: Vec<(i32, String)>,
}

impl Row {
    fn is_damage(&self) -> bool {
        self.phrases.iter().any(|(code, _)| *code == 13)
    }

    /// What is wrong with a run.
    fn judge(&self, codes: &[i32], run: &Run) -> Option<String> {
        let mut phrases = self.phrases.iter().filter(|(of, _)| *of == run.code);
        if !codes.contains(&run.code) {
            return Some(format!("ended with {} instead of {codes:?}", run.code));
        }
        if run.code != 0 && !phrases.any(|(_, phrase)| run.err.contains(phrase)) {
            return Some("says something else".to_string());
        }
        // A success may say on standard output that no damage was found.
        let out = if run.code == 0 { "" } else { &run.out };
        let blames = |text: &str| ["damage", "missing"].iter().any(|word| text.contains(word));
        (!self.is_damage() && (blames(&run.err) || blames(out))).then(|| "speaks of damage".to_string())
    }
}

/// The rows of the table under "Causes and what is said".
fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n## Causes and what is said\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut lines = section.lines().filter(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|').split('|');
        inner.map(|cell| cell.trim().to_string()).collect()
    };
    let columns = cells(lines.next().unwrap());
    let names = COMMANDS.map(|(name, _)| name);
    assert_eq!(columns[1..columns.len() - 1], names);
    lines
        .skip(1)
        .map(|line| {
            let cells = cells(line);
            assert_eq!(cells.len(), columns.len(), "{line}");
            let codes = names.iter().zip(&cells[1..]).filter(|(_, code)| *code != "-");
            Row {
                cause: cells[0].clone(),
                codes: codes
                    .map(|(name, codes)| {
                        let codes = codes.split('/').map(|code| code.parse().unwrap());
                        (name.to_string(), codes.collect())
                    })
                    .collect(),
                phrases: phrases(&cells[cells.len() - 1]),
            }
        })
        .collect()
}

/// Of "1: `a`, `b`; 13: `c`".
fn phrases(text: &str) -> Vec<(i32, String)> {
    let of_a_code = |part: &str| {
        let (code, phrases) = part.split_once(':').unwrap();
        let code: i32 = code.trim().parse().unwrap();
        let phrases = phrases.split('`').skip(1).step_by(2);
        phrases
            .map(|phrase| (code, phrase.to_string()))
            .collect::<Vec<_>>()
    };
    let parts = text.split("; ").filter(|part| !part.is_empty());
    parts.flat_map(of_a_code).collect()
}

#[test]
fn each_cause_is_told_as_itself_by_each_command() {
    let Some(server) = Rclone::start(
        Serve::WebDav,
        &["--dir-cache-time=1ms"],
        "each_cause_is_told_as_itself_by_each_command",
    ) else {
        return;
    };
    if !geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none());
        eprintln!("passed over: only root can mount file systems and be another user");
        return;
    }
    let shared = tempfile::tempdir().unwrap();
    let program = open_to_all(shared.path());
    let (rows, template) = (rows(), template(&program));
    let only = std::env::var("DEDUP_TEST_CAUSE").unwrap_or_default();
    let cells: Vec<(&Row, &str, &[&str])> = rows
        .iter()
        .filter(|row| row.cause.contains(&only))
        .flat_map(|row| COMMANDS.map(|(name, args)| (row, name, args)))
        .filter(|(row, name, _)| row.codes.contains_key(*name))
        .collect();
    assert!(rows.len() >= 20 && !cells.is_empty());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((row, name, args)) = cells.get(next.fetch_add(1, Relaxed)) {
                    let mut cell = Cell::new(&program, &template);
                    arrange(&row.cause, name, &mut cell, &server);
                    let run = cell.run(name, args);
                    if let Some(what) = row.judge(&row.codes[*name], &run) {
                        let (cause, err, out) = (&row.cause, &run.err, &run.out);
                        let said = format!("{cause}: {name} {what}\n--- err\n{err}--- out\n{out}");
                        wrong.lock().unwrap().push(said);
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}
