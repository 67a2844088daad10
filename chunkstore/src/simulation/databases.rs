//! Databases of simulated machines: their local indexes. To open one takes longer than most of what is simulated, so those
//! below some folders stay open as long as their machine lives; then they are emptied, and become the new databases of
//! others. A copy of a machine gets a copy of the rows.

use crate::error::{Error, Operation, Result};
use crate::families::FAMILIES;
use parking_lot::Mutex;
use rocksdb::{ColumnFamily, DB, IteratorMode, WriteBatch};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What was deleted from a database slows it down, so that one is closed after so many machines.
const USES: u32 = 24;
/// Databases that wait for a machine at most.
const SPARE_MAX: usize = 16;

/// All rows of a database: those of each family, sorted.
type Rows = [Vec<(Box<[u8]>, Box<[u8]>)>; FAMILIES.len()];

/// Where a machine's files would be, to what is in them.
type Machine = BTreeMap<PathBuf, Kept>;

#[derive(Default)]
struct Databases {
    /// The folders of machines.
    machines: BTreeMap<PathBuf, Machine>,
    spare: Vec<Database>,
}

static DATABASES: Mutex<Databases> = Mutex::new(Databases {
    machines: BTreeMap::new(),
    spare: Vec::new(),
});

/// One that is open, or what a copy of it is to hold once it is opened.
enum Kept {
    Open(Database, Option<Arc<Rows>>),
    Copied(Arc<Rows>),
}

/// An open database in a folder of its own, which goes with it.
struct Database {
    db: Arc<DB>,
    folder: PathBuf,
    uses: u32,
}

impl Drop for Database {
    fn drop(&mut self) {
        // Whoever has it open still writes to files without a name; what is left in a temporary folder harms nothing.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// From now on databases below `folder` stay open, until they are wiped or [`close_below`] is called.
pub fn keep_open_below(folder: &Path) {
    let mut databases = DATABASES.lock();
    databases.machines.insert(folder.to_path_buf(), Machine::new());
}

/// Closes what was kept open below `folder`; what is opened there later is kept open again if `still`.
pub fn close_below(folder: &Path, still: bool) {
    let mut databases = DATABASES.lock();
    let Some(machine) = databases.machines.remove(folder) else {
        return;
    };
    if still {
        databases.machines.insert(folder.to_path_buf(), Machine::new());
    }
    let over = databases.give_back(machine.into_values());
    // Closing takes long, and is nothing that others wait for.
    drop(databases);
    drop(over);
}

/// Copies what was kept open below the folder of a machine to that of another.
pub fn copy_below(from: &Path, to: &Path) -> Result<()> {
    let mut databases = DATABASES.lock();
    let Some(machine) = databases.machines.get_mut(from) else {
        return Ok(());
    };
    let mut copies = Machine::new();
    for (dir, kept) in machine {
        let rows = match kept {
            Kept::Copied(rows) | Kept::Open(_, Some(rows)) => rows.clone(),
            Kept::Open(database, rows) => rows.insert(Arc::new(read(&database.db)?)).clone(),
        };
        if let Ok(below) = dir.strip_prefix(from) {
            copies.insert(to.join(below), Kept::Copied(rows));
        }
    }
    databases.machines.insert(to.to_path_buf(), copies);
    Ok(())
}

/// The database of a directory: the one that was kept open, or `open`ed.
pub(crate) fn database(dir: &Path, open: impl Fn(&Path) -> Result<DB>) -> Result<Arc<DB>> {
    let mut databases = DATABASES.lock();
    let Some((folder, machine)) = databases.machine_of(dir) else {
        drop(databases);
        return open(dir).map(Arc::new);
    };
    let rows = match machine.get_mut(dir) {
        Some(Kept::Open(database, rows)) => {
            // It is about to change.
            *rows = None;
            return Ok(database.db.clone());
        }
        Some(Kept::Copied(rows)) => rows.clone(),
        None => Arc::default(),
    };
    let spare = databases.spare.pop();
    drop(databases);
    // As the library does it.
    fs::create_dir_all(dir).map_err(|e| Error::local(Operation::Create, dir, e))?;
    let database = match spare {
        Some(spare) => spare,
        None => Database::open(folder, open)?,
    };
    fill(&database.db, &rows)?;
    let db = database.db.clone();
    let mut databases = DATABASES.lock();
    if let Some(machine) = databases.machines.get_mut(folder) {
        machine.insert(dir.to_path_buf(), Kept::Open(database, None));
    }
    Ok(db)
}

/// Called before the files of a database are removed.
pub(crate) fn close(dir: &Path) {
    let mut databases = DATABASES.lock();
    let closed = databases
        .machine_of(dir)
        .and_then(|(_, machine)| machine.remove(dir));
    let over = databases.give_back(closed.into_iter());
    drop(databases);
    drop(over);
}

impl Databases {
    fn machine_of<'d>(&mut self, dir: &'d Path) -> Option<(&'d Path, &mut Machine)> {
        let folder = dir
            .ancestors()
            .find(|folder| self.machines.contains_key(*folder))?;
        Some((folder, self.machines.get_mut(folder)?))
    }

    /// Takes what others may have. Returns what is to be closed: all of it, once there is no machine.
    fn give_back(&mut self, closed: impl Iterator<Item = Kept>) -> Vec<Database> {
        let mut over = Vec::new();
        for kept in closed {
            let Kept::Open(mut database, _) = kept else {
                continue;
            };
            database.uses += 1;
            let is_free = Arc::strong_count(&database.db) == 1;
            match is_free && database.uses < USES && self.spare.len() < SPARE_MAX {
                true => self.spare.push(database),
                false => over.push(database),
            }
        }
        if self.machines.is_empty() {
            over.append(&mut self.spare);
        }
        over
    }
}

impl Database {
    /// Opens a new one beside the folder of a machine.
    fn open(machine: &Path, open: impl Fn(&Path) -> Result<DB>) -> Result<Database> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let folder = machine.with_added_extension(format!("database-{number}"));
        let db = Arc::new(open(&folder)?);
        Ok(Database { db, folder, uses: 0 })
    }
}

fn families(db: &DB) -> impl Iterator<Item = &ColumnFamily> {
    FAMILIES.iter().filter_map(|name| db.cf_handle(name))
}

fn read(db: &DB) -> Result<Rows> {
    let mut rows = Rows::default();
    for (family, rows) in families(db).zip(&mut rows) {
        let found: Result<Vec<_>, _> = db.iterator_cf(family, IteratorMode::Start).collect();
        *rows = found.map_err(Error::database)?;
    }
    Ok(rows)
}

/// Makes it so that a database has exactly these rows.
fn fill(db: &DB, wanted: &Rows) -> Result<()> {
    let mut batch = WriteBatch::default();
    for (family, wanted) in families(db).zip(wanted) {
        let mut wanted = wanted.iter().peekable();
        for row in db.iterator_cf(family, IteratorMode::Start) {
            let (key, value) = row.map_err(Error::database)?;
            while let Some((key, value)) = wanted.next_if(|(next, _)| *next < key) {
                batch.put_cf(family, key, value);
            }
            match wanted.next_if(|(next, _)| *next == key) {
                Some((_, same)) if *same == value => {}
                Some((key, value)) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        wanted.for_each(|(key, value)| batch.put_cf(family, key, value));
    }
    db.write(batch).map_err(Error::database)
}
