//! Random numbers that a seed determines, and the seeds themselves: a failing test names its seed, and a longer
//! campaign is the same test with more of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough for choosing test cases.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635)
    }

    #[allow(clippy::should_implement_trait)] // it never ends, and an Option would be in the way
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`; `None` when there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        if choices.is_empty() {
            return None;
        }
        choices.get(self.below(choices.len() as u64) as usize)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            word.copy_from_slice(&random[..word.len()]);
        }
    }
}

/// The seeds that a test runs with: `count` of them from a fixed one on. `DEDUP_TEST_SEED` sets the first,
/// `DEDUP_TEST_RUNS` how many times `count` there are, which may be less than once.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok());
    let first = number("DEDUP_TEST_SEED").unwrap_or(1.0) as u64;
    let times = number("DEDUP_TEST_RUNS").unwrap_or(1.0);
    first..first + (count as f64 * times).ceil() as u64
}

/// Tries seeds on two threads; the first at which something was wrong, and what.
pub fn first_failure(
    seeds: std::ops::Range<u64>,
    wrong: impl Fn(u64) -> Vec<String> + Sync,
) -> Option<(u64, Vec<String>)> {
    let next = Mutex::new(seeds);
    let found: Mutex<Option<(u64, Vec<String>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while found.lock().unwrap().is_none() {
                    let Some(seed) = next.lock().unwrap().next() else {
                        return;
                    };
                    let what = wrong(seed);
                    if !what.is_empty() {
                        found.lock().unwrap().get_or_insert((seed, what));
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// Plays each of `plays` with one seed after another on two threads, until there were enough cases; `play` returns how
/// many it had.
pub fn campaign<T: Copy + Sync>(what: &str, wanted: u64, plays: &[T], play: impl Fn(T, u64) -> u64 + Sync) {
    let range = seeds(wanted);
    let (first, wanted) = (range.start, range.end - range.start);
    let (next, cases) = (AtomicU64::new(0), AtomicU64::new(0));
    let each = plays.len() as u64;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while cases.load(Relaxed) < wanted {
                    let unit = next.fetch_add(1, Relaxed);
                    let (which, seed) = (plays[(unit % each) as usize], first + unit / each);
                    cases.fetch_add(play(which, seed), Relaxed);
                }
            });
        }
    });
    let (units, cases) = (next.load(Relaxed), cases.load(Relaxed));
    let last = first + units.div_ceil(each) - 1;
    println!("{what}: {cases} cases, seeds {first} to {last}");
    assert!(cases >= wanted, "{cases}");
}
