//! A model of a pack or generation that comes to a replica again (I-18), small enough that every order of steps is tried:
//! what docs/invariants.md argues, and that the rule is needed. Steps are those of the real programs, each one operation on
//! the storage.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// Goes through all states that can be reached. The shortest way to a bad one, if there is one, and else how many states
/// there are.
fn search<S: Clone + Eq + Hash + Debug>(
    start: S,
    next: impl Fn(&S) -> Vec<(&'static str, S)>,
    bad: impl Fn(&S) -> bool,
) -> Result<usize, Vec<&'static str>> {
    let mut before: HashMap<S, Option<(&'static str, S)>> = HashMap::from([(start.clone(), None)]);
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        if bad(&state) {
            let (mut way, mut at) = (Vec::new(), &state);
            while let Some((step, earlier)) = &before[at] {
                way.push(*step);
                at = earlier;
            }
            way.reverse();
            return Err(way);
        }
        for (step, then) in next(&state) {
            before.entry(then.clone()).or_insert_with(|| {
                queue.push_back(then);
                Some((step, state.clone()))
            });
        }
    }
    Ok(before.len())
}

/// One chunk, in one pack that no generation needs any more. A collector, a second run on the same machine that takes
/// its mark over by the note, and a replication that brings the chunk back for a generation.
mod replication {
    use super::{BTreeSet, search};

    type Pack = &'static str;
    type Packs = BTreeSet<Pack>;

    #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    struct State {
        packs: Packs,
        /// Index segments and the pack that each lists.
        index: BTreeSet<(&'static str, Pack)>,
        /// The replication's session is there.
        session: bool,
        /// The packs that the mark condemns, while it is there.
        mark: Option<Packs>,
        /// The replication has published.
        published: bool,
        collector: Collector,
        second: Collector,
        replication: Replication,
    }

    #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    struct Collector {
        at: u8,
        condemned: Packs,
        /// It has to wait for the replication.
        waits: bool,
    }

    #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
    struct Replication {
        at: u8,
        avoids: Packs,
        sees: Packs,
        put: Option<Pack>,
    }

    impl State {
        fn listed(&self) -> Packs {
            let listed: Packs = self.index.iter().map(|(_, pack)| *pack).collect();
            &self.packs & &listed
        }

        /// Present, indexed, and in no mark.
        fn good(&self) -> Packs {
            match &self.mark {
                Some(condemned) => &self.listed() - condemned,
                None => self.listed(),
            }
        }
    }

    const END: u8 = 99;

    fn collect(s: &State, out: &mut Vec<(&'static str, State)>) {
        let mut to = |step, change: &dyn Fn(&mut State)| {
            let mut then = s.clone();
            change(&mut then);
            out.push((step, then));
        };
        let go = |at: u8| move |s: &mut State| s.collector.at = at;
        match s.collector.at {
            0 if !s.published => to("G0: nobody needs the pack", &|s| {
                s.collector = Collector {
                    at: 1,
                    condemned: s.good(),
                    waits: false,
                }
            }),
            1 => to("G1: the mark", &|s| {
                s.mark = Some(s.collector.condemned.clone());
                s.collector.at = 2;
            }),
            2 => to("G2: who is open", &|s| {
                (s.collector.at, s.collector.waits) = (3, s.session);
            }),
            3 if !(s.collector.waits && s.session) => to("G3: all have ended", &go(4)),
            4 if s.mark.is_none() => to("G4: its mark is gone", &go(END)),
            4 => {
                let may = !s.published || !s.good().is_empty();
                to("G5: may it go", &go(if may { 5 } else { END }));
            }
            5 => to("G6: the old index segment", &|s| {
                s.index.remove(&("old", "p"));
                s.collector.at = 6;
            }),
            6 => to("G6: the pack", &|s| {
                s.packs = &s.packs - &s.collector.condemned;
                s.collector.at = 7;
            }),
            7 => to("G6: the mark goes", &|s| {
                s.mark = None;
                s.collector.at = END;
            }),
            _ => {}
        }
    }

    fn collect_again(s: &State, out: &mut Vec<(&'static str, State)>) {
        let mut to = |step, change: &dyn Fn(&mut State)| {
            let mut then = s.clone();
            change(&mut then);
            out.push((step, then));
        };
        let noted = s.collector.at >= 3 && !(s.collector.waits && s.session);
        match s.second.at {
            0 if noted => {
                if let Some(condemned) = &s.mark {
                    to("H takes the mark over by the note", &|s| {
                        s.second = Collector {
                            at: 1,
                            condemned: condemned.clone(),
                            waits: false,
                        }
                    });
                }
            }
            1 => {
                let may = s.mark.is_some() && (!s.published || !s.good().is_empty());
                to("H: may it go", &|s| s.second.at = if may { 2 } else { END });
            }
            2 => to("H: the old index segment", &|s| {
                s.index.remove(&("old", "p"));
                s.second.at = 3;
            }),
            3 => to("H: the pack", &|s| {
                s.packs = &s.packs - &s.second.condemned;
                s.second.at = 4;
            }),
            4 => to("H: the mark goes", &|s| {
                s.mark = None;
                s.second.at = END;
            }),
            _ => {}
        }
    }

    fn replicate(s: &State, fresh: bool, out: &mut Vec<(&'static str, State)>) {
        let mut to = |step, change: &dyn Fn(&mut State)| {
            let mut then = s.clone();
            change(&mut then);
            out.push((step, then));
        };
        match s.replication.at {
            0 => to("R: its session", &|s| (s.session, s.replication.at) = (true, 1)),
            1 => to("R: marks", &|s| {
                s.replication.avoids = s.mark.clone().unwrap_or_default();
                s.replication.at = 2;
            }),
            2 => to("R: index and packs", &|s| {
                s.replication.sees = &s.listed() - &s.replication.avoids;
                s.replication.at = 3;
            }),
            3 if !s.replication.sees.is_empty() => to("R: it is there", &|s| s.replication.at = 5),
            3 => {
                let comes_back = !fresh && !s.replication.avoids.contains("p");
                to("R: brings the pack", &|s| {
                    let name = if comes_back { "p" } else { "new" };
                    s.packs.insert(name);
                    s.replication.put = Some(name);
                    s.replication.at = 4;
                });
            }
            4 => to("R: lists it", &|s| {
                s.index.extend(s.replication.put.map(|name| ("new", name)));
                s.replication.at = 5;
            }),
            5 => to("R: publishes", &|s| (s.published, s.replication.at) = (true, 6)),
            6 => to("R: its session ends", &|s| {
                (s.session, s.replication.at) = (false, END)
            }),
            _ => {}
        }
    }

    pub fn run(fresh: bool) -> Result<usize, Vec<&'static str>> {
        let start = State {
            packs: ["p"].into(),
            index: [("old", "p")].into(),
            ..State::default()
        };
        let next = |s: &State| {
            let mut out = Vec::new();
            collect(s, &mut out);
            collect_again(s, &mut out);
            replicate(s, fresh, &mut out);
            out
        };
        search(start, next, |s| s.published && s.listed().is_empty())
    }
}

/// The real programs go the same way in `names::a_stalled_collector_deletes_nothing_that_was_brought_back`.
#[test]
fn a_name_that_comes_back_loses_what_was_brought() {
    let way = replication::run(false).unwrap_err();
    println!("{way:?}");
    assert!(way.contains(&"H takes the mark over by the note") && way.contains(&"R: brings the pack"));
    let states = replication::run(true).unwrap();
    assert!(states > 100, "{states} states are too few");
}
