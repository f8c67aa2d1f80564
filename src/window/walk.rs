//! The windows over few rows, read in one walk over them, from the newest back: what has been met
//! when a window's beginning is reached is what stands in that window.

use smallvec::SmallVec;

use super::{
    calendar::{Bounds, Calendar},
    facts::Facts,
    plan::{Chain, ChainTotal, ChainWindow, Says, Total, TotalKind},
    rows::{self, Row},
    series::clamp,
    spec::{Reading, Window},
    totals,
};

/// The event whose counters are read.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What it has at the paths of the plan.
    pub facts: &'a Facts,
    /// Its time, in epoch ms.
    pub time_ms: i64,
    /// Where local days and months begin.
    pub calendar: &'a mut Calendar,
}

impl Asked<'_> {
    /// The bounds of a window at the event.
    #[inline]
    pub fn bounds(&mut self, window: Window) -> Bounds {
        self.calendar.bounds(window, self.time_ms)
    }
}

/// Room for a walk; nothing stays in it from one to the next.
#[derive(Debug, Default)]
pub struct Walk {
    /// By window of a chain, how many of the newest rows lie in it.
    ends: Vec<usize>,
}

/// The rows of a key in the longest window of a chain.
type NewestFirst<'a> = SmallVec<[&'a Row; 16]>;

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
    /// Reads counters off the rows in `words` into `readings`. `full_key` says by list whether the
    /// event has all fields of its key.
    pub fn read(
        &mut self,
        chains: &[Chain],
        words: &[u64],
        stride: usize,
        asked: &mut Asked<'_>,
        full_key: &[bool],
        readings: &mut [Option<Reading>],
    ) {
        for chain in chains {
            let until_ms = asked.time_ms.saturating_sub(chain.delay_ms);
            let mut ahead = Backwards::until(until_ms, words, stride);
            let (mut rows, mut farthest_ms) = (NewestFirst::new(), until_ms);
            self.ends.clear();
            for ChainWindow { window, span_ms } in &chain.windows {
                let after_ms = match span_ms {
                    Some(span_ms) => until_ms.saturating_sub(*span_ms),
                    None => asked.bounds(*window).after_ms,
                };
                while ahead.peek_ms().is_some_and(|time_ms| time_ms > after_ms) {
                    let row = ahead.next();
                    if chain.is_of_key(row, asked.facts) {
                        rows.push(row);
                    }
                }
                let is_longest = after_ms <= farthest_ms;
                farthest_ms = farthest_ms.min(after_ms);
                let within = |row: &&&Row| rows::time_ms(row) > after_ms;
                let end =
                    if is_longest { rows.len() } else { rows.iter().take_while(within).count() };
                self.ends.push(end);
            }
            let full_key = full_key[chain.list];
            for total in &chain.totals {
                total.read(&rows, &self.ends, full_key, readings);
            }
        }
    }
}

impl ChainTotal {
    /// Reads its counters off rows, the newest first. One loop a kind: which kind it is, is asked
    /// once and not at every row.
    fn read(
        &self,
        rows: &[&Row],
        ends: &[usize],
        full_key: bool,
        readings: &mut [Option<Reading>],
    ) {
        let Total { bit, kind } = self.total;
        let count = |met: &Met, _| Some(Reading::Int(met.count as i64));
        let (to, each) = (readings, (rows, ends, full_key));
        match kind {
            TotalKind::Count => self.each(each, to, |met, _, _| met.count += 1, count),
            TotalKind::Distinct(half) => {
                let meet = |met: &mut Met, newer: &[&Row], row: &Row| {
                    let number = half.of(row);
                    let known = newer.iter().any(|row| half.of(row) == number && bit.is_in(row));
                    met.count += u64::from(!known);
                };
                self.each(each, to, meet, count);
            }
            TotalKind::Sum(word) => {
                let meet = |met: &mut Met, _: &[&Row], row: &Row| {
                    met.count += 1;
                    met.sum += i128::from(row[word] as i64);
                };
                self.each(each, to, meet, Met::say);
            }
            TotalKind::Extremes(word) => {
                self.each(each, to, |met, _, row| met.widen(row[word] as i64), Met::say);
            }
            TotalKind::Times => {
                self.each(each, to, |met, _, row| met.widen(rows::time_ms(row)), Met::say);
            }
        }
    }

    /// Meets those of the rows that have its bit, each with all that are newer, and lets its
    /// counters speak where their windows begin.
    #[inline(always)]
    fn each(
        &self,
        (rows, ends, full_key): (&[&Row], &[usize], bool),
        readings: &mut [Option<Reading>],
        mut meet: impl FnMut(&mut Met, &[&Row], &Row),
        say: impl Fn(&Met, Says) -> Option<Reading>,
    ) {
        let (mut met, mut at) = (NOTHING, 0);
        for reader in &self.readers {
            let end = ends[reader.window];
            if end < at {
                // A local day or month that is shorter than the window before it.
                (met, at) = (NOTHING, 0);
            }
            while at < end {
                if self.total.bit.is_in(rows[at]) {
                    meet(&mut met, &rows[..at], rows[at]);
                }
                at += 1;
            }
            if full_key || reader.group_missing {
                readings[reader.counter] = say(&met, reader.says);
            }
        }
    }
}

impl Chain {
    /// Is a row of the same key as the event?
    #[inline]
    fn is_of_key(&self, row: &Row, facts: &Facts) -> bool {
        self.key.iter().all(|(half, path)| half.of(row) == facts.at(*path).number)
    }
}

impl Met {
    /// What a counter says of it.
    #[inline]
    fn say(&self, says: Says) -> Option<Reading> {
        match says {
            Says::Count => Some(Reading::Int(self.count as i64)),
            Says::Sum => Some(clamp(self.sum)),
            _ if self.count == 0 => None,
            Says::Mean => Some(Reading::Double(totals::mean(self.sum, self.count))),
            Says::Least => Some(Reading::Int(self.least)),
            Says::Greatest => Some(Reading::Int(self.greatest)),
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
#[derive(Clone, Copy)]
struct Backwards<'a> {
    words: &'a [u64],
    stride: usize,
}

impl<'a> Backwards<'a> {
    /// Those that are not after this time.
    #[inline]
    fn until(until_ms: i64, words: &'a [u64], stride: usize) -> Backwards<'a> {
        let mut rows = Backwards { words, stride };
        while rows.peek_ms().is_some_and(|time_ms| time_ms > until_ms) {
            rows.next();
        }
        rows
    }

    /// The time of the next one, in epoch ms.
    #[inline]
    fn peek_ms(&self) -> Option<i64> {
        let at = self.words.len().checked_sub(self.stride)?;
        Some(rows::time_ms(&self.words[at..]))
    }

    /// The next one, which there is.
    #[inline]
    fn next(&mut self) -> &'a Row {
        let (rest, row) = self.words.split_at(self.words.len() - self.stride);
        self.words = rest;
        row
    }
}
