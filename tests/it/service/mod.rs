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
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::support::{dice::Dice, process::setting};

/// So long may the rest of an input take.
const REST: Duration = Duration::from_secs(300);

/// These tests wait for one another: several instances and a broker are enough for a machine.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
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
