//! The service on a real broker, with all that may happen to it; an auditor recomputes its output.
//!
//! Each test has a short form and a long one, `HOLDFAST_LONG=1`. Chance is seeded, and the seed is
//! printed; `HOLDFAST_SEED=n` gives the same kills, though not the same moments of the broker's.

mod admin;
mod answers;
mod broker;
mod exported;
mod foundation;
mod kills;
mod life;
mod poison;
mod pressure;
mod rulesets;
mod security;
mod snapshots;
mod startup;
mod storm;
mod watching;
mod zombie;

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::support::{dice::Dice, process::setting};

/// So long may the rest of an input take.
const REST: Duration = Duration::from_secs(300);

/// Two of these tests go on at a time: most of what they do is to wait.
pub(crate) fn turn() -> Turn {
    Turn::take(1)
}

/// For one that takes the whole machine, or that judges how long something takes.
pub(crate) fn alone() -> Turn {
    Turn::take(AT_ONCE)
}

const AT_ONCE: usize = 2;

/// That a test may go on, until it is dropped.
pub(crate) struct Turn(usize);

struct Turns {
    free: usize,
    /// Those who wait to be alone; who comes after them waits, too.
    alone_next: usize,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns { free: AT_ONCE, alone_next: 0 });
static FREED: Condvar = Condvar::new();

impl Turn {
    fn take(many: usize) -> Turn {
        let alone = many == AT_ONCE;
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.alone_next += usize::from(alone);
        let waits = |turns: &mut Turns| turns.free < many || (!alone && turns.alone_next > 0);
        turns = FREED.wait_while(turns, waits).unwrap_or_else(PoisonError::into_inner);
        turns.free -= many;
        turns.alone_next -= usize::from(alone);
        Turn(many)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURNS.lock().unwrap_or_else(PoisonError::into_inner).free += self.0;
        FREED.notify_all();
    }
}

/// The number for the short form, or for the long one.
fn size<T>(short: T, long: T) -> T {
    if setting("HOLDFAST_LONG").is_some() { long } else { short }
}

/// Events that last longer than a test in which the stream is stopped.
fn plenty() -> u64 {
    size(250_000, 3_000_000)
}

/// Seeded chance; the seed is printed.
fn seeded(test: &str) -> (u64, Dice) {
    let now = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), test) % 1_000_000;
    let given = setting("HOLDFAST_SEED").map(|seed| seed.parse().expect("a number"));
    let seed = given.unwrap_or_else(now);
    eprintln!("{test}: HOLDFAST_SEED={seed}");
    (seed, Dice::new(seed))
}
