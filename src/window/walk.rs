//! The windows over few rows, read in one walk over them, from the newest back: what has been met
//! when a window's beginning is reached is what stands in that window.

use smallvec::SmallVec;

use super::{
    calendar::{Bounds, Calendar},
    facts::Facts,
    plan::{Chain, ChainReader, ChainTotal, ChainWindow, Says, Total, TotalKind},
    rows::{self, Bit, Row},
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
            let mut common = Common::ALL;
            self.ends.clear();
            for ChainWindow { window, span_ms } in &chain.windows {
                let after_ms = match span_ms {
                    Some(span_ms) => until_ms.saturating_sub(*span_ms),
                    None => asked.bounds(*window).after_ms,
                };
                while ahead.peek_ms().is_some_and(|time_ms| time_ms > after_ms) {
                    let row = ahead.next();
                    if chain.is_of_key(row, asked.facts) {
                        common.meet(row);
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
                let each = Each { rows: &rows, ends: &self.ends, full_key, common };
                total.read(each, readings);
            }
        }
    }
}

/// The rows that a total is read off.
#[derive(Clone, Copy)]
struct Each<'r> {
    /// The newest first.
    rows: &'r [&'r Row],
    /// By window, how many of them lie in it.
    ends: &'r [usize],
    full_key: bool,
    common: Common,
}

impl ChainTotal {
    /// Reads its counters off rows. One loop a kind: which kind it is, is asked once and not at
    /// every row; nor is whether rows have its bit, where all do.
    fn read(&self, each: Each<'_>, readings: &mut [Option<Reading>]) {
        let Total { bit, kind } = self.total;
        let count = |met: &Met, _| Some(Reading::Int(met.count as i64));
        match kind {
            TotalKind::Count if each.common.has(bit) => {
                for reader in self.speaking(each.full_key) {
                    readings[reader.counter] = Some(Reading::Int(each.ends[reader.window] as i64));
                }
            }
            TotalKind::Count => self.each(each, readings, |met, _, _| met.count += 1, count),
            TotalKind::Distinct(half) => {
                let meet = |met: &mut Met, newer: &[&Row], row: &Row| {
                    let number = half.of(row);
                    let known = newer.iter().any(|row| half.of(row) == number && bit.is_in(row));
                    met.count += u64::from(!known);
                };
                self.each(each, readings, meet, count);
            }
            TotalKind::Sum(word) => {
                let meet = |met: &mut Met, _: &[&Row], row: &Row| {
                    met.count += 1;
                    met.sum += i128::from(row[word] as i64);
                };
                self.each(each, readings, meet, Met::say);
            }
            TotalKind::Extremes(word) => {
                let meet = |met: &mut Met, _: &[&Row], row: &Row| met.widen(row[word] as i64);
                self.each(each, readings, meet, Met::say);
            }
            TotalKind::Times => {
                let meet = |met: &mut Met, _: &[&Row], row: &Row| met.widen(rows::time_ms(row));
                self.each(each, readings, meet, Met::say);
            }
        }
    }

    /// Those of its counters that speak.
    #[inline]
    fn speaking(&self, full_key: bool) -> impl Iterator<Item = &ChainReader> {
        self.readers.iter().filter(move |reader| full_key || reader.group_missing)
    }

    /// Meets those of the rows that have its bit, each with all that are newer, and lets its
    /// counters speak where their windows begin.
    #[inline(always)]
    fn each(
        &self,
        Each { rows, ends, full_key, common }: Each<'_>,
        readings: &mut [Option<Reading>],
        mut meet: impl FnMut(&mut Met, &[&Row], &Row),
        say: impl Fn(&Met, Says) -> Option<Reading>,
    ) {
        let all_count = common.has(self.total.bit);
        let (mut met, mut at) = (NOTHING, 0);
        for reader in self.speaking(full_key) {
            let end = ends[reader.window];
            if end < at {
                // A local day or month that is shorter than the window before it.
                (met, at) = (NOTHING, 0);
            }
            for (at, row) in rows.iter().enumerate().take(end).skip(at) {
                if all_count || self.total.bit.is_in(row) {
                    meet(&mut met, &rows[..at], row);
                }
            }
            at = end;
            readings[reader.counter] = say(&met, reader.says);
        }
    }
}

/// The bits that rows have in common, of those in their first words.
#[derive(Debug, Clone, Copy)]
struct Common(u64);

impl Common {
    const ALL: Common = Common(u64::MAX);

    #[inline]
    fn meet(&mut self, row: &Row) {
        self.0 &= row[0];
    }

    /// Do all rows have it? If it is in another word, nobody knows.
    #[inline]
    fn has(self, bit: Bit) -> bool {
        let (word, mask) = bit.word();
        word == 0 && self.0 & mask != 0
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
