//! Every cause of trouble against every command: the exit code, the message, and that nothing is called damaged that is
//! not. The table of expectations is the one in docs/reliability.md.

mod services;
mod table;

use self::table::{Row, rows};
use crate::cli_bad::Disk;
use crate::full_disk::fill;
use kit::generation::noise;
use kit::nobody::NOBODY;
use kit::odd::Odd;
use kit::program::{Home, Run};
use kit::servers::{Proxy, Rclone, Serve, ports};
use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

const PROGRAM: &str = env!("CARGO_BIN_EXE_dedup-under-test");
/// Most cells wait for something: a timeout, or a descriptor that is never given back.
const AT_ONCE: usize = 8;

/// The columns: names of commands, and their arguments.
const COMMANDS: [(&str, &[&str]); 16] = [
    ("backup", &["backup", "docs"]),
    ("backup --also", &["backup", "docs", "--also", "BEHIND"]),
    ("restore", &["restore", "latest", "--target", "out"]),
    ("dump", &["dump", "latest", "FILE", "--target", "out/a"]),
    ("ls", &["ls", "latest"]),
    ("snapshots", &["snapshots"]),
    ("find", &["find", "a"]),
    ("diff", &["diff", "latest~1", "latest"]),
    ("stats", &["stats"]),
    ("check", &["check", "--read-data"]),
    ("check --max-age", &["check", "--max-age", "30d"]),
    ("drill", &["drill", "--scratch", "out"]),
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
    /// Of the cell's own, which the command is to outlive.
    server: Option<Arc<Mutex<Rclone>>>,
}

/// A machine with two snapshots in `repo`, all of it in the replica `current`, the first one in `behind`, an empty
/// repository `other`, one with other data, `foreign`, and a file that is not saved yet. Its cache is lost.
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
    let foreign = ["-r", "foreign", "--key-file", "other-key"];
    home.ok(&[&foreign[..], &["init", "--no-recovery"]].concat());
    home.ok(&[&foreign[..], &["backup", "docs"]].concat());
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
            server: None,
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
        self.objects_of("repo", kind)
    }

    fn objects_of(&self, repository: &str, kind: &str) -> Vec<PathBuf> {
        let mut found: Vec<(u64, PathBuf)> = self
            .home
            .contents(&self.home.path(repository).join(kind))
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

    /// The index segment of the first backup.
    fn segment(&self) -> PathBuf {
        let made = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        self.objects("index").into_iter().min_by_key(made).unwrap()
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

    /// A loss that a repair could not mend, and declared.
    fn lose_for_good(&self) {
        flip(&self.data());
        let args = ["-r", &self.repo, "--key-file", &self.key, "repair", "packs"];
        self.home.ends(13, &args);
        fs::remove_dir_all(self.home.path(".cache")).unwrap();
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

impl Cell {
    /// Where the repository of this name is.
    fn place(&mut self, name: &str) -> &mut String {
        match name {
            "behind" => &mut self.behind,
            "current" => &mut self.current,
            "other" => &mut self.other,
            _ => &mut self.repo,
        }
    }

    /// Has a server serve a repository, through something that stands between.
    fn serve(&mut self, name: &str, server: &Rclone) -> Proxy {
        let url = server.url();
        let (before, after) = url.split_once("@127.0.0.1:").unwrap();
        let (port, folder) = after.split_once('/').unwrap();
        copy(&self.home.path(name), &server.served(folder));
        let proxy = Proxy::start(port.parse().unwrap());
        *self.place(name) = impatient(&format!("{before}@127.0.0.1:{}/{folder}", proxy.port()));
        proxy
    }
}

/// A repository on a server that answers requests like this with an error.
fn refusing(cell: &mut Cell, name: &str, server: &Rclone, request: &str) {
    let proxy = cell.serve(name, server);
    proxy.refuse(request, "503 Service Unavailable");
}

/// The same for one object of the repository that commands are about.
fn refusing_object(cell: &mut Cell, server: &Rclone, object: &Path) {
    let name = object.file_name().unwrap().to_str().unwrap();
    refusing(cell, "repo", server, name);
}

/// A repository on a server of the cell's own, which is killed by the first request for this.
fn dying(cell: &mut Cell, name: &str, request: &str) {
    let server = Rclone::start(Serve::WebDav, &["--dir-cache-time=1ms"], "dying").unwrap();
    let proxy = cell.serve(name, &server);
    let server = Arc::new(Mutex::new(server));
    cell.server = Some(server.clone());
    proxy.at(request, move || server.lock().unwrap().kill());
}

/// As a later version may write an object: its head declares it, and this version can't open the rest.
fn newer(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[6] = 200;
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Something that is no file, under the name of an object.
fn odd(object: &Path, odd: Odd) {
    fs::remove_file(object).unwrap();
    odd.make(object);
}

/// Makes one cause happen in a cell.
fn arrange(cause: &str, command: &str, cell: &mut Cell, server: &Rclone) {
    let target = match command {
        "copy" => "other",
        "replicate" | "backup --also" => "behind",
        _ => "out",
    };
    match cause {
        "nothing listens at the repository's address" => cell.repo = nothing_listens(),
        "nothing listens at the other repository's" => {
            for place in [&mut cell.current, &mut cell.behind, &mut cell.other] {
                *place = nothing_listens();
            }
        }
        "the server answers 503 for packs" => refusing(cell, "repo", server, "/packs/"),
        "the server answers 503 for one pack" => refusing_object(cell, server, &cell.data()),
        "the server answers 503 for an index segment" => refusing_object(cell, server, &cell.segment()),
        "the server is killed in mid-run" if command == "snapshots" => dying(cell, "repo", "/snapshots/"),
        "the server is killed in mid-run" => dying(cell, "repo", "/packs/"),
        "the other server answers 503 to writes" => refusing(cell, target, server, "PUT "),
        "the other server is killed in mid-run" if command == "heal" => dying(cell, "current", "/packs/"),
        "the other server is killed in mid-run" => dying(cell, target, "/packs/"),
        "the server answers 503 to writes" => refusing(cell, "repo", server, "PUT "),
        "no permission to read a pack" => cell.closed(vec![cell.data()]),
        "no permission to read packs of trees" => cell.closed(cell.trees()),
        "no permission to read an index segment" => cell.closed(vec![cell.segment()]),
        "no permission to read the index" => cell.closed(cell.objects("index")),
        "no permission to read a manifest" => cell.closed(vec![cell.manifest()]),
        "a directory in place of a pack" => odd(&cell.data(), Odd::Directory),
        "a FIFO in place of a pack" => odd(&cell.data(), Odd::Fifo),
        "a symbolic link to itself in place of a pack" => odd(&cell.data(), Odd::Loop),
        "a directory in place of an index segment" => odd(&cell.segment(), Odd::Directory),
        "a FIFO in place of a manifest" => odd(&cell.manifest(), Odd::Fifo),
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
        "a manifest of a newer version" => newer(&cell.manifest()),
        "another repository's pack in place of one" => {
            let other = cell.objects_of("foreign", "packs").swap_remove(0);
            assert!(fs::copy(other, cell.data()).unwrap() > 0);
        }
        "a loss that a repair declared" => cell.lose_for_good(),
        "a pack is gone" => fs::remove_file(cell.data()).unwrap(),
        cause => panic!("docs/reliability.md has a cause that is not tested: {cause}"),
    }
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
    let names = COMMANDS.map(|(name, _)| name);
    let (rows, template) = (rows(&names), template(&program));
    let only = std::env::var("DEDUP_TEST_CAUSE").unwrap_or_default();
    // To read all messages.
    let shows = std::env::var_os("DEDUP_TEST_SHOW").is_some();
    let cells: Vec<(&Row, &str, &[&str])> = rows
        .iter()
        .filter(|row| row.cause.contains(&only))
        .flat_map(|row| COMMANDS.map(|(name, args)| (row, name, args)))
        .filter(|(row, name, _)| row.codes.contains_key(*name))
        .collect();
    assert!(rows.len() >= 30 && !cells.is_empty());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((row, name, args)) = cells.get(next.fetch_add(1, Relaxed)) {
                    let mut cell = Cell::new(&program, &template);
                    arrange(&row.cause, name, &mut cell, &server);
                    let run = cell.run(name, args);
                    let (cause, err, out) = (&row.cause, &run.err, &run.out);
                    if shows {
                        eprintln!(
                            "{cause}: {name} ended with {}\n--- err\n{err}--- out\n{out}",
                            run.code
                        );
                    }
                    if let Some(what) = row.judge(&row.codes[*name], &run) {
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
