//! What is kept up while a window slides over rows: a row that enters is added, one that leaves is
//! taken away. Over integers only, so that what is taken away leaves no trace.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

use super::{
    Hasher,
    plan::{Total, TotalKind},
    rows::{self, Row},
};

/// A total over the rows of a window that have its bit.
#[derive(Debug)]
pub enum Kept {
    /// How many.
    Count(u64),
    /// Their sum.
    Sum(i128),
    /// How often each integer occurs.
    Extremes(BTreeMap<i64, u64>),
    /// How often each value occurs, by its number.
    Distinct(HashMap<u32, u32, Hasher>),
    /// Their times, in order: rows come and go at the ends, but for those that come out of order.
    Times(VecDeque<i64>),
}

impl Kept {
    /// Over nothing.
    pub fn new(kind: TotalKind) -> Kept {
        match kind {
            TotalKind::Count => Kept::Count(0),
            TotalKind::Sum(_) => Kept::Sum(0),
            TotalKind::Extremes(_) => Kept::Extremes(BTreeMap::new()),
            TotalKind::Distinct(_) => Kept::Distinct(HashMap::default()),
            TotalKind::Times => Kept::Times(VecDeque::new()),
        }
    }

    /// A row enters.
    #[inline]
    pub fn enter(&mut self, total: &Total, row: &Row) {
        if !total.bit.is_in(row) {
            return;
        }
        match (self, total.kind) {
            (Kept::Count(count), _) => *count += 1,
            (Kept::Sum(sum), TotalKind::Sum(word)) => *sum += i128::from(row[word] as i64),
            (Kept::Extremes(of), TotalKind::Extremes(word)) => {
                *of.entry(row[word] as i64).or_insert(0) += 1;
            }
            (Kept::Distinct(of), TotalKind::Distinct(half)) => {
                *of.entry(half.of(row)).or_insert(0) += 1;
            }
            (Kept::Times(times), TotalKind::Times) => {
                let time = rows::time_ms(row);
                if times.back().is_none_or(|last| *last <= time) {
                    times.push_back(time);
                } else {
                    times.insert(times.partition_point(|other| *other <= time), time);
                }
            }
            (kept, kind) => unreachable!("{kept:?} is not kept for {kind:?}"),
        }
    }

    /// A row leaves.
    #[inline]
    pub fn leave(&mut self, total: &Total, row: &Row) {
        if !total.bit.is_in(row) {
            return;
        }
        match (self, total.kind) {
            (Kept::Count(count), _) => *count -= 1,
            (Kept::Sum(sum), TotalKind::Sum(word)) => *sum -= i128::from(row[word] as i64),
            (Kept::Extremes(of), TotalKind::Extremes(word)) => {
                let integer = row[word] as i64;
                if let Some(count) = of.get_mut(&integer) {
                    *count -= 1;
                    if *count == 0 {
                        of.remove(&integer);
                    }
                }
            }
            (Kept::Distinct(of), TotalKind::Distinct(half)) => {
                let number = half.of(row);
                if let Some(count) = of.get_mut(&number) {
                    *count -= 1;
                    if *count == 0 {
                        of.remove(&number);
                    }
                }
            }
            (Kept::Times(times), TotalKind::Times) => {
                let time = rows::time_ms(row);
                if times.front() == Some(&time) {
                    times.pop_front();
                } else {
                    times.remove(times.partition_point(|other| *other < time));
                }
            }
            (kept, kind) => unreachable!("{kept:?} is not kept for {kind:?}"),
        }
    }

    /// All rows have left.
    pub fn clear(&mut self) {
        match self {
            Kept::Count(count) => *count = 0,
            Kept::Sum(sum) => *sum = 0,
            Kept::Extremes(of) => of.clear(),
            Kept::Distinct(of) => of.clear(),
            Kept::Times(times) => times.clear(),
        }
    }

    /// How many rows there are, or how many values.
    pub fn count(&self) -> u64 {
        match self {
            Kept::Count(count) => *count,
            Kept::Distinct(of) => of.len() as u64,
            kept => unreachable!("{kept:?} is no count"),
        }
    }

    /// The sum.
    pub fn sum(&self) -> i128 {
        match self {
            Kept::Sum(sum) => *sum,
            kept => unreachable!("{kept:?} is no sum"),
        }
    }

    /// The least integer, or the first time.
    pub fn least(&self) -> Option<i64> {
        match self {
            Kept::Extremes(of) => of.keys().next().copied(),
            Kept::Times(times) => times.front().copied(),
            kept => unreachable!("{kept:?} has no order"),
        }
    }

    /// The greatest integer, or the last time.
    pub fn greatest(&self) -> Option<i64> {
        match self {
            Kept::Extremes(of) => of.keys().next_back().copied(),
            Kept::Times(times) => times.back().copied(),
            kept => unreachable!("{kept:?} has no order"),
        }
    }

    /// The heap that it takes, in bytes; of a tree, about.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Kept::Count(_) | Kept::Sum(_) => 0,
            Kept::Extremes(of) => of.len() * 24,
            Kept::Distinct(of) => of.capacity() * 10,
            Kept::Times(times) => times.capacity() * 8,
        }
    }
}

/// The double nearest to `sum / count`, ties to even. `count` is a number of rows, and not 0.
pub fn mean(sum: i128, count: u64) -> f64 {
    const EXACT: u128 = 1 << f64::MANTISSA_DIGITS;
    debug_assert!(0 < count && u128::from(count) <= EXACT, "{count} rows");
    let magnitude = sum.unsigned_abs();
    if magnitude <= EXACT {
        // Both are doubles, and the division of doubles is correctly rounded.
        return sum as f64 / count as f64;
    }
    // Long division in integers: the dividend is moved up until the quotient has more bits than a
    // double; the last bit says whether anything was left, so that the conversion rounds once.
    let shift = magnitude.leading_zeros().min(64);
    let dividend = magnitude << shift;
    let (quotient, left) = (dividend / u128::from(count), dividend % u128::from(count));
    let value = (quotient | u128::from(left != 0)) as f64 / 2f64.powi(shift as i32);
    if sum < 0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::mean;
    use proptest::prelude::*;

    /// How far `double * count` is from `sum`, in units of 2^-16 at most.
    fn off(double: f64, sum: i64, count: u64) -> u128 {
        let scaled = (double * 65_536.0) as i128; // exact: a power of two, far from overflow
        (scaled * i128::from(count) - (i128::from(sum) << 16)).unsigned_abs()
    }

    proptest! {
        #[test]
        fn mean_is_the_nearest_double(
            magnitude in (1i64 << 53)..i64::MAX,
            negative: bool,
            count in 1u64..2_000_000,
        ) {
            // Quotients of at least 2^32: a double of that size is a multiple of 2^-21 or more.
            let sum = if negative { -magnitude } else { magnitude };
            let count = count % (magnitude as u64 >> 38) + 1;
            let double = mean(i128::from(sum), count);
            let here = off(double, sum, count);
            prop_assert!(here <= off(double.next_up(), sum, count));
            prop_assert!(here <= off(double.next_down(), sum, count));
        }
    }

    #[test]
    fn mean_rounds_once() {
        assert_eq!(mean(10, 4), 2.5);
        assert_eq!(mean(-7, 2), -3.5);
        // 2^53 + 1 is no double; rounded before the division it would be 2^53.
        assert_eq!(mean((1 << 53) + 1, 1), 9_007_199_254_740_992.0);
        assert_eq!(mean((1 << 53) + 3, 2), 4_503_599_627_370_497.5);
        assert_eq!(mean(i128::from(i64::MAX) * 1_000_000, 1_000_000), i64::MAX as f64);
        assert_eq!(mean(i128::MAX, 1), i128::MAX as f64);
        assert_eq!(mean(i128::MIN + 1, 1), -(i128::MAX as f64));
    }
}
