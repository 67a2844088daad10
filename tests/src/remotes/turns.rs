//! A remote for several actors of which one moves at a time, in an order that a seed determines: an actor that is about
//! to do what others could see waits here for its turn. What an actor does between two turns is not disturbed, so a
//! seed gives the same run again, as long as each actor comes here with one thread at a time.
//!
//! Reads of packs, and bytes under no name yet, are no turns: helper threads do these side by side. A pack that
//! vanishes between two turns is seen all the same. With [`Turns::at`] only some acts are turns, and what an actor does
//! between two of them is one step: the fewer there are, the more of their orders a few seeds come to.

use chunkstore::Result;
use chunkstore::remote::{AllEnded, Kind, Memory, ObjectName, Published, Remote, Staged};
use std::sync::{Arc, Condvar, Mutex};

use crate::random::Random;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Moving,
    Waiting,
    Ended,
}

struct State {
    actors: Vec<Status>,
    random: Random,
    /// Percent: how often the actor that has the turn keeps it.
    keep: u64,
    /// One who gets few turns: a process that hangs.
    slow: usize,
    turns: u64,
    /// A hash of who had which turn.
    order: u64,
}

/// Whose turn it is.
pub struct Stage {
    state: Mutex<State>,
    /// One for each actor.
    calls: Vec<Condvar>,
}

impl Stage {
    pub fn new(seed: u64, actors: usize) -> Arc<Stage> {
        let mut random = Random::new(seed);
        let keep = [0, 50, 80, 90, 97][random.below(5) as usize];
        let slow = random.below(actors as u64 * 2) as usize;
        Stage::with(random, actors, keep, slow)
    }

    /// Where each turn is anybody's.
    pub fn fair(seed: u64, actors: usize) -> Arc<Stage> {
        Stage::with(Random::new(seed), actors, 0, actors)
    }

    fn with(random: Random, actors: usize, keep: u64, slow: usize) -> Arc<Stage> {
        Arc::new(Stage {
            calls: (0..actors).map(|_| Condvar::new()).collect(),
            state: Mutex::new(State {
                actors: vec![Status::Moving; actors],
                random,
                keep,
                slow,
                turns: 0,
                order: 0,
            }),
        })
    }

    /// Waits for the actor's next turn.
    pub fn turn(&self, actor: usize) {
        let mut state = self.state.lock().unwrap();
        assert_eq!(
            state.actors[actor],
            Status::Moving,
            "actor {actor} came twice at once"
        );
        state.actors[actor] = Status::Waiting;
        self.pass_on(&mut state, Some(actor));
        while state.actors[actor] != Status::Moving {
            state = self.calls[actor].wait(state).unwrap();
        }
    }

    /// The actor will come no more.
    pub fn end(&self, actor: usize) {
        let mut state = self.state.lock().unwrap();
        state.actors[actor] = Status::Ended;
        self.pass_on(&mut state, None);
    }

    fn pass_on(&self, state: &mut State, last: Option<usize>) {
        if state.actors.contains(&Status::Moving) {
            return;
        }
        let waiting: Vec<usize> = (0..state.actors.len())
            .filter(|actor| state.actors[*actor] == Status::Waiting)
            .collect();
        let keep = state.keep;
        let mut next = match last {
            // Who comes first to the stage is chance.
            Some(last) if state.turns > 0 && state.random.chance(keep) => Some(last),
            _ => state.random.pick(&waiting).copied(),
        };
        if next == Some(state.slow) && state.random.chance(80) {
            next = state.random.pick(&waiting).copied();
        }
        let Some(next) = next else { return };
        state.turns += 1;
        state.order = (state.order ^ next as u64).wrapping_mul(0x0100_0000_01b3);
        state.actors[next] = Status::Moving;
        self.calls[next].notify_all();
    }

    /// How many turns there were, and a hash of who had them.
    pub fn order(&self) -> (u64, u64) {
        let state = self.state.lock().unwrap();
        (state.turns, state.order)
    }
}

/// What others may see or change, by the kind of object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Read(Kind),
    Size(Kind),
    List(Kind),
    Put(Kind),
    Delete(Kind),
}

/// One actor's way to the memory that all share.
#[derive(Clone)]
pub struct Turns {
    inner: Memory,
    stage: Arc<Stage>,
    actor: usize,
    /// The acts that are turns; `None` for all.
    points: Option<Arc<[Act]>>,
}

impl Turns {
    pub fn new(inner: Memory, stage: Arc<Stage>, actor: usize) -> Self {
        Turns {
            inner,
            stage,
            actor,
            points: None,
        }
    }

    /// The actor waits for its turn only right before these.
    pub fn at(mut self, points: &[Act]) -> Self {
        self.points = Some(points.into());
        self
    }

    fn turn(&self, act: Act) {
        if self.points.as_ref().is_none_or(|points| points.contains(&act)) {
            self.stage.turn(self.actor);
        }
    }
}

impl Remote for Turns {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedTurns {
            inner: self.inner.begin()?,
            turns: self.clone(),
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        if !matches!(name.kind(), Kind::Pack | Kind::Config | Kind::Key) {
            self.turn(Act::Read(name.kind()));
        }
        self.inner.read(name, offset, len, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.turn(Act::Size(name.kind()));
        self.inner.size(name)
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        if kind != Kind::Key {
            self.turn(Act::List(kind));
        }
        self.inner.list(kind, each)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.turn(Act::Delete(name.kind()));
        self.inner.delete(name)
    }

    fn barrier(&self) -> Result<()> {
        self.inner.barrier()
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        self.inner.sweep_staged(all_ended)
    }
}

struct StagedTurns {
    inner: Box<dyn Staged>,
    turns: Turns,
}

impl Staged for StagedTurns {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.write(bytes)
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        self.turns.turn(Act::Put(name.kind()));
        self.inner.publish(name)
    }
}
