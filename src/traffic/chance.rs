//! Chance from a seed: the same draws on every machine.
//!
//! Integers come straight from ChaCha8; floating point is only added, multiplied, divided and
//! compared, and `sqrt` taken, all of which IEEE 754 fixes to the bit. There is no `ln`, `exp` or
//! `powf`: their last digits differ between platforms.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A seeded source of chance.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Dice(ChaCha8Rng::from_seed(key))
    }

    /// A number in `0..n`; 0 if `n` is 0. (The bias of the multiplication is below 2^-32.)
    pub(super) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.0.next_u64()) * n as u128;
        (wide >> 64) as usize
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// A number in `0.0..1.0`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True in this share of the cases.
    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.below(N)]
    }

    /// An exponential number of mean 1, by comparing uniform ones (von Neumann, 1951).
    pub(super) fn exponential(&mut self) -> f64 {
        let mut whole = 0.0;
        loop {
            let first = self.unit();
            let mut last = first;
            let mut run = 1;
            loop {
                let next = self.unit();
                if next >= last {
                    break;
                }
                last = next;
                run += 1;
            }
            if run % 2 == 1 {
                return whole + first;
            }
            whole += 1.0;
        }
    }

    /// A number of this distribution, given by equally spaced quantiles, least and greatest
    /// included; straight lines between them.
    pub(super) fn spread(&mut self, quantiles: &[i64]) -> i64 {
        let steps = quantiles.len() - 1;
        let at = self.below(steps * 1024);
        let (low, high) = (quantiles[at / 1024], quantiles[at / 1024 + 1]);
        low + (high - low) * (at % 1024) as i64 / 1024
    }

    pub(super) fn token(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// A well mixed 64-bit value of two (the finalizer of SplitMix64): tokens that are not stored.
pub(super) fn mix(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Draws indices in proportion to weights, in constant time (Walker's alias method).
pub(super) struct Weighted {
    /// For each column: the share that it keeps, and whose the rest is.
    columns: Vec<(f64, u32)>,
}

impl Weighted {
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Weighted {
        let weights: Vec<f64> = weights.into_iter().collect();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut columns: Vec<(f64, u32)> =
            weights.iter().zip(0..).map(|(w, at)| (w / mean, at)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..columns.len()).partition(|&at| columns[at].0 < 1.0);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            columns[poor].1 = rich as u32;
            columns[rich].0 -= 1.0 - columns[poor].0;
            if columns[rich].0 < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Weighted { columns }
    }

    pub(super) fn draw(&self, dice: &mut Dice) -> usize {
        let column = dice.below(self.columns.len());
        let (keeps, other) = self.columns[column];
        if dice.unit() < keeps { column } else { other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_numbers_have_mean_and_variance_one() {
        let mut dice = Dice::new(1);
        let drawn: Vec<f64> = (0..200_000).map(|_| dice.exponential()).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 200_000.0;
        assert!((mean - 1.0).abs() < 0.02 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn weights_are_kept() {
        let (mut dice, mut drawn) = (Dice::new(2), [0u32; 4]);
        let weighted = Weighted::new([4.0, 3.0, 2.0, 1.0]);
        (0..100_000).for_each(|_| drawn[weighted.draw(&mut dice)] += 1);
        for (count, expected) in drawn.into_iter().zip([40_000u32, 30_000, 20_000, 10_000]) {
            assert!(count.abs_diff(expected) < 800, "{drawn:?}");
        }
    }

    #[test]
    fn a_spread_stays_within_its_ends() {
        let mut dice = Dice::new(3);
        assert!((0..10_000).all(|_| (10..=500).contains(&dice.spread(&[10, 20, 40, 500]))));
    }
}
