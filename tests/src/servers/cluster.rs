//! SeaweedFS as several servers: a master, three that hold data and each object twice, and a gateway.

use super::seaweed::{KEY, SECRET, identity, make_bucket};
use super::{Process, ports, program, wait_for};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const VOLUMES: usize = 3;

pub struct Cluster {
    weed: PathBuf,
    dir: tempfile::TempDir,
    master: [u16; 2],
    gateway: [u16; 4],
    volumes: [[u16; 2]; VOLUMES],
    _servers: [Process; 3],
    holding: [Option<Process>; VOLUMES],
    prefixes: AtomicUsize,
}

impl Cluster {
    /// A cluster with one bucket, `test`.
    pub fn start(test: &str) -> Option<Cluster> {
        let weed = program("weed", test)?;
        let dir = tempfile::tempdir().unwrap();
        let all = ports::<12>();
        let (master, gateway) = ([all[0], all[1]], [all[2], all[3], all[4], all[5]]);
        let volumes = [[all[6], all[7]], [all[8], all[9]], [all[10], all[11]]];
        std::fs::write(
            dir.path().join("s3.json"),
            identity(&["Admin", "Read", "Write", "List", "Tagging"]),
        )
        .unwrap();
        let starter = Starter {
            weed: &weed,
            dir: dir.path(),
            master,
        };
        let master_process = starter.master();
        let holding = [0, 1, 2].map(|number| Some(starter.volume(number, volumes[number])));
        let [filer, s3] = starter.gateway(gateway);
        make_bucket(&weed, master);
        Some(Cluster {
            _servers: [master_process, filer, s3],
            holding,
            weed,
            dir,
            master,
            gateway,
            volumes,
            prefixes: AtomicUsize::new(0),
        })
    }

    /// Ends one of those that hold data, as a power cut would.
    pub fn kill(&mut self, number: usize) {
        self.holding[number] = None;
    }

    pub fn resume(&mut self, number: usize) {
        let starter = Starter {
            weed: &self.weed,
            dir: self.dir.path(),
            master: self.master,
        };
        self.holding[number] = Some(starter.volume(number, self.volumes[number]));
    }

    /// A URL with an empty prefix each time, and with credentials.
    pub fn url(&self) -> String {
        let (prefix, port) = (self.prefixes.fetch_add(1, Relaxed), self.gateway[2]);
        format!("s3://{KEY}:{SECRET}@test/p{prefix}?endpoint=http://127.0.0.1:{port}")
    }
}

struct Starter<'a> {
    weed: &'a Path,
    dir: &'a Path,
    master: [u16; 2],
}

impl Starter<'_> {
    fn start(&self, name: &str, port: u16, args: &[String]) -> Process {
        let folder = self.dir.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let log = self.dir.join(format!("{name}.log"));
        let mut command = Command::new(self.weed);
        command.args(args);
        let process = Process::start(&command, &log);
        wait_for(port, &log);
        process
    }

    fn text(&self, below: &str) -> String {
        self.dir.join(below).display().to_string()
    }

    fn at_master(&self) -> String {
        format!("-master=127.0.0.1:{}.{}", self.master[0], self.master[1])
    }

    fn master(&self) -> Process {
        let [port, grpc] = self.master;
        let mut args = vec!["master".to_string(), "-ip=127.0.0.1".to_string()];
        args.extend([format!("-port={port}"), format!("-port.grpc={grpc}")]);
        args.extend(
            [
                "-volumeSizeLimitMB=64",
                "-defaultReplication=001",
                "-telemetry=false",
            ]
            .map(String::from),
        );
        args.push(format!("-mdir={}", self.text("master")));
        self.start("master", port, &args)
    }

    fn volume(&self, number: usize, [port, grpc]: [u16; 2]) -> Process {
        let name = format!("volume{number}");
        let mut args = vec![
            "volume".to_string(),
            "-ip=127.0.0.1".to_string(),
            "-max=40".to_string(),
        ];
        args.extend([
            format!("-port={port}"),
            format!("-port.grpc={grpc}"),
            self.at_master(),
        ]);
        args.push(format!("-dir={}", self.text(&name)));
        self.start(&name, port, &args)
    }

    /// Names of objects, in a server of their own, and S3 before it in another.
    fn gateway(&self, [port, grpc, s3, s3_grpc]: [u16; 4]) -> [Process; 2] {
        let mut args = vec!["filer".to_string(), "-ip=127.0.0.1".to_string()];
        args.extend([
            format!("-port={port}"),
            format!("-port.grpc={grpc}"),
            self.at_master(),
        ]);
        args.push("-defaultReplicaPlacement=001".to_string());
        args.push(format!("-defaultStoreDir={}", self.text("filer")));
        let filer = self.start("filer", port, &args);
        let mut args = vec!["s3".to_string(), "-ip.bind=127.0.0.1".to_string()];
        args.extend([format!("-port={s3}"), format!("-port.grpc={s3_grpc}")]);
        args.extend(["-port.iceberg=0", "-port.lance=0"].map(String::from));
        args.extend([
            format!("-filer=127.0.0.1:{port}.{grpc}"),
            format!("-config={}", self.text("s3.json")),
        ]);
        [filer, self.start("gateway", s3, &args)]
    }
}
