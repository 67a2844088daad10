//! Counts what a remote is asked to do, so that a test can limit how many requests an operation may cost.

use chunkstore::Result;
use chunkstore::remote::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    Begin,
    Write,
    Publish,
    Read,
    Size,
    List,
    Delete,
    Barrier,
    Sweep,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Count {
    pub calls: u64,
    /// Bytes read, written or (all those of the object) published; 0 for what moves no bytes.
    pub bytes: u64,
}

/// Counts at one moment. Calls that failed count too, with the bytes asked for left out.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Counts(BTreeMap<(Operation, Option<Kind>), Count>);

impl Counts {
    /// Calls of one operation on one kind. `Begin`, `Write`, `Barrier` and `Sweep` have no kind: see [`Counts::all`].
    pub fn of(&self, operation: Operation, kind: Kind) -> Count {
        self.0.get(&(operation, Some(kind))).copied().unwrap_or_default()
    }

    /// Calls of one operation, whatever the kind.
    pub fn all(&self, operation: Operation) -> Count {
        let mut sum = Count::default();
        for (_, count) in self.0.iter().filter(|((o, _), _)| *o == operation) {
            sum.calls += count.calls;
            sum.bytes += count.bytes;
        }
        sum
    }

    /// All requests: what a network carries to and fro.
    pub fn requests(&self) -> u64 {
        use Operation::{Delete, List, Publish, Read, Size, Sweep};
        [Publish, Read, Size, List, Delete, Sweep]
            .map(|operation| self.all(operation).calls)
            .iter()
            .sum()
    }

    /// What was counted between `earlier` and this.
    pub fn since(&self, earlier: &Counts) -> Counts {
        let mut rest = self.clone();
        for (key, count) in &mut rest.0 {
            let before = earlier.0.get(key).copied().unwrap_or_default();
            count.calls -= before.calls;
            count.bytes -= before.bytes;
        }
        rest.0.retain(|_, count| *count != Count::default());
        rest
    }
}

/// What a caller of a far remote has waited for: requests that each began after another one had ended.
#[derive(Default)]
struct Rounds {
    /// How long each request takes, milliseconds.
    delay: AtomicU64,
    /// The longest chain that has ended.
    ended: AtomicU64,
}

/// A remote that counts. A clone is another handle to the same counts.
#[derive(Clone)]
pub struct Counting {
    inner: Arc<dyn Remote>,
    counts: Arc<Mutex<Counts>>,
    far: Option<Arc<Rounds>>,
}

impl Counting {
    pub fn new(inner: Arc<dyn Remote>) -> Self {
        Counting {
            inner,
            counts: Arc::default(),
            far: None,
        }
    }

    /// One that behaves as on a network: it bears several requests at once.
    pub fn far(inner: Arc<dyn Remote>) -> Self {
        Counting {
            far: Some(Arc::default()),
            ..Counting::new(inner)
        }
    }

    /// What `run` asks for, and how many round trips it waits for one after the other. Each request takes long enough
    /// for those that are sent together to overlap.
    pub fn rounds<T>(&self, run: impl FnOnce() -> T) -> (T, Counts, u64) {
        let rounds = self.far.clone().unwrap();
        let before = (self.counts(), rounds.ended.load(SeqCst));
        rounds.delay.store(150, SeqCst);
        let result = run();
        rounds.delay.store(0, SeqCst);
        (
            result,
            self.counts().since(&before.0),
            rounds.ended.load(SeqCst) - before.1,
        )
    }

    /// One request.
    fn trip<T>(&self, request: impl FnOnce() -> T) -> T {
        trip(self.far.as_deref(), request)
    }

    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }
}

fn trip<T>(far: Option<&Rounds>, request: impl FnOnce() -> T) -> T {
    let Some(rounds) = far else {
        return request();
    };
    let chain = rounds.ended.load(SeqCst) + 1;
    std::thread::sleep(Duration::from_millis(rounds.delay.load(SeqCst)));
    let result = request();
    rounds.ended.fetch_max(chain, SeqCst);
    result
}

fn note(counts: &Mutex<Counts>, operation: Operation, kind: Option<Kind>, bytes: usize) {
    let mut counts = counts.lock().unwrap();
    let count = counts.0.entry((operation, kind)).or_default();
    count.calls += 1;
    count.bytes += bytes as u64;
}

impl Remote for Counting {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn max_concurrency(&self) -> usize {
        self.far.as_ref().map_or(self.inner.max_concurrency(), |_| 4)
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        note(&self.counts, Operation::Begin, None, 0);
        Ok(Box::new(StagedCounting {
            inner: self.inner.begin()?,
            counts: self.counts.clone(),
            far: self.far.clone(),
            bytes: 0,
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        let result = self.trip(|| self.inner.read(name, offset, len, out));
        let bytes = if result.is_ok() { out.len() } else { 0 };
        note(&self.counts, Operation::Read, Some(name.kind()), bytes);
        result
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        note(&self.counts, Operation::Size, Some(name.kind()), 0);
        self.trip(|| self.inner.size(name))
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        note(&self.counts, Operation::List, Some(kind), 0);
        self.trip(|| self.inner.list(kind, each))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        note(&self.counts, Operation::Delete, Some(name.kind()), 0);
        self.trip(|| self.inner.delete(name))
    }

    fn barrier(&self) -> Result<()> {
        note(&self.counts, Operation::Barrier, None, 0);
        self.inner.barrier()
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        note(&self.counts, Operation::Sweep, None, 0);
        self.inner.sweep_staged(all_ended)
    }
}

struct StagedCounting {
    inner: Box<dyn Staged>,
    counts: Arc<Mutex<Counts>>,
    far: Option<Arc<Rounds>>,
    bytes: usize,
}

impl Staged for StagedCounting {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let result = self.inner.write(bytes);
        let written = if result.is_ok() { bytes.len() } else { 0 };
        note(&self.counts, Operation::Write, None, written);
        self.bytes += written;
        result
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        let StagedCounting {
            inner,
            counts,
            far,
            bytes,
        } = *self;
        let result = trip(far.as_deref(), || inner.publish(name));
        let published = if result.is_ok() { bytes } else { 0 };
        note(&counts, Operation::Publish, Some(name.kind()), published);
        result
    }
}
