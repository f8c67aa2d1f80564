//! The windows of a key that has few rows, read in one walk over them, from the newest back: what
//! has been met when a window's beginning is reached is what stands in that window.

use super::{
    plan::{Chain, ListPlan, ReaderKind, Total, TotalKind},
    rows::{self, Row},
    series::{Bounds, clamp},
    spec::Reading,
    totals,
};

/// Room for a walk; nothing stays in it from one to the next.
#[derive(Debug, Default)]
pub struct Walk {
    /// The windows of a chain, the shortest first.
    order: Vec<usize>,
    met: Vec<Met>,
}

/// What has been met of the rows of one total.
#[derive(Debug, Clone, Copy)]
struct Met {
    /// Rows, or values of a distinct count.
    count: u64,
    sum: i128,
    least: i64,
    greatest: i64,
}

const NOTHING: Met = Met { count: 0, sum: 0, least: i64::MAX, greatest: i64::MIN };

impl Walk {
    /// Reads the counters of a list, each within the bounds of its window, into `readings`.
    /// `words` are all rows of the key.
    pub fn read(
        &mut self,
        plan: &ListPlan,
        words: &[u64],
        bounds: &[Bounds],
        full_key: bool,
        readings: &mut [Option<Reading>],
    ) {
        let Walk { order, met } = self;
        for chain in &plan.chains {
            let order = if chain.fixed { &chain.windows } else { in_order(chain, bounds, order) };
            met.clear();
            met.resize(chain.totals.len(), NOTHING);
            let until_ms = bounds[chain.windows[0]].until_ms;
            let mut ahead = Backwards { words, stride: plan.row.stride };
            while ahead.peek_ms().is_some_and(|time_ms| time_ms > until_ms) {
                ahead.next();
            }
            let met_from = ahead.words.len();
            for window in order {
                let after_ms = bounds[*window].after_ms;
                while ahead.peek_ms().is_some_and(|time_ms| time_ms > after_ms) {
                    let (row, at) = ahead.next();
                    let newer = &words[at + row.len()..met_from];
                    for (met, total) in met.iter_mut().zip(&chain.totals) {
                        met.meet(total, row, newer);
                    }
                }
                for reader in &plan.windows[*window].readers {
                    if full_key || reader.group_missing {
                        readings[reader.counter] = say(met, reader.in_chain);
                    }
                }
            }
        }
    }
}

/// Puts the windows of a chain in order. They nearly are, so that this seldom moves one.
fn in_order<'o>(chain: &Chain, bounds: &[Bounds], order: &'o mut Vec<usize>) -> &'o Vec<usize> {
    order.clear();
    for window in &chain.windows {
        let mut at = order.len();
        order.push(*window);
        while at > 0 && bounds[order[at - 1]].after_ms < bounds[*window].after_ms {
            order.swap(at - 1, at);
            at -= 1;
        }
    }
    order
}

#[inline]
fn say(met: &[Met], kind: ReaderKind) -> Option<Reading> {
    match kind {
        ReaderKind::Count(at) | ReaderKind::Distinct(at) => {
            Some(Reading::Int(met[at].count as i64))
        }
        ReaderKind::Sum(at) => Some(clamp(met[at].sum)),
        ReaderKind::Mean(of, over) => match met[over].count {
            0 => None,
            count => Some(Reading::Double(totals::mean(met[of].sum, count))),
        },
        ReaderKind::Min(at) => (met[at].count > 0).then(|| Reading::Int(met[at].least)),
        ReaderKind::Max(at) => (met[at].count > 0).then(|| Reading::Int(met[at].greatest)),
    }
}

impl Met {
    /// A row comes, behind those that are `newer`.
    #[inline]
    fn meet(&mut self, total: &Total, row: &Row, newer: &[u64]) {
        if !total.bit.is_in(row) {
            return;
        }
        match total.kind {
            TotalKind::Count => self.count += 1,
            TotalKind::Sum(word) => self.sum += i128::from(row[word] as i64),
            TotalKind::Extremes(word) => self.widen(row[word] as i64),
            TotalKind::Times => self.widen(rows::time_ms(row)),
            TotalKind::Distinct(half) => {
                let (number, mut newer) = (half.of(row), newer);
                while let Some((other, rest)) = newer.split_at_checked(row.len())
                    && !other.is_empty()
                {
                    if half.of(other) == number && total.bit.is_in(other) {
                        return;
                    }
                    newer = rest;
                }
                self.count += 1;
            }
        }
    }

    #[inline]
    fn widen(&mut self, value: i64) {
        self.count += 1;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }
}

/// Rows from the newest back.
struct Backwards<'a> {
    words: &'a [u64],
    stride: usize,
}

impl<'a> Backwards<'a> {
    /// The time of the next one, in epoch ms.
    #[inline]
    fn peek_ms(&self) -> Option<i64> {
        let at = self.words.len().checked_sub(self.stride)?;
        Some(rows::time_ms(&self.words[at..]))
    }

    /// The next one, which there is, and where it begins.
    #[inline]
    fn next(&mut self) -> (&'a Row, usize) {
        let (rest, row) = self.words.split_at(self.words.len() - self.stride);
        self.words = rest;
        (row, rest.len())
    }
}
