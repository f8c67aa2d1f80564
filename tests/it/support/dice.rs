//! Seeded chance, and the loop over seeds.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A stream of chance that its seed decides (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// One of `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    /// One of `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high as i128 - low as i128 + 1) as u128;
        (low as i128 + (u128::from(self.bits()) % span) as i128) as i64
    }

    /// True so many times out of a hundred.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Each with this chance out of a hundred, in order.
    pub(crate) fn some<T: Clone>(&mut self, of: &[T], share: usize) -> Vec<T> {
        of.iter().filter(|_| self.percent(share)).cloned().collect()
    }
}

/// Runs `case` with so many seeds; says which one fails. `HOLDFAST_SEED` runs that one alone,
/// `HOLDFAST_CASES` says how many.
pub(crate) fn for_seeds(name: &str, cases: u64, case: impl Fn(u64)) {
    for_seeds_from(0, name, cases, case);
}

/// The same with seeds that are others in each run.
pub(crate) fn for_new_seeds(name: &str, cases: u64, case: impl Fn(u64)) {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), name);
    let first = random % 1_000_000_000;
    eprintln!("{name}: seeds from {first} on");
    for_seeds_from(first, name, cases, case);
}

fn for_seeds_from(first: u64, name: &str, cases: u64, case: impl Fn(u64)) {
    if let Some(seed) = setting("HOLDFAST_SEED") {
        return case(seed);
    }
    for seed in first..first + setting("HOLDFAST_CASES").unwrap_or(cases) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(seed))) {
            eprintln!("{name}: HOLDFAST_SEED={seed} cargo test --test it {name}");
            resume_unwind(panic);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "to repeat a seed that failed")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}
