//! The windows over few rows, read in one walk over them, from the newest back: what has been met
//! when a window's beginning is reached is what stands in that window.

use super::{
    calendar::{Bounds, Calendar},
    facts::Facts,
    plan::{Chain, ChainWindow, ReaderKind, TotalKind},
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
    /// Where the windows of a chain begin, and which they are, the shortest first.
    begins: Vec<(i64, usize)>,
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
        let Walk { begins, met } = self;
        for chain in chains {
            let until_ms = asked.time_ms.saturating_sub(chain.delay_ms);
            met.clear();
            met.resize(chain.totals.len(), NOTHING);
            let rows = Backwards::until(until_ms, words, stride);
            let mut way = Way { chain, rows, newest: rows.words, met, facts: asked.facts };
            let full_key = full_key[chain.list];
            if chain.fixed {
                for window in &chain.windows {
                    way.go_back_to(until_ms.saturating_sub(window.span_ms));
                    way.say(window, full_key, readings);
                }
            } else {
                order(chain, asked, begins);
                for (after_ms, window) in &*begins {
                    way.go_back_to(*after_ms);
                    way.say(&chain.windows[*window], full_key, readings);
                }
            }
        }
    }
}

/// Sees where the windows of a chain begin, and puts them in order. They nearly are, so that this
/// seldom moves one.
fn order(chain: &Chain, asked: &mut Asked<'_>, begins: &mut Vec<(i64, usize)>) {
    begins.clear();
    for (place, window) in chain.windows.iter().enumerate() {
        let mut at = begins.len();
        begins.push((asked.bounds(window.window).after_ms, place));
        while at > 0 && begins[at - 1].0 < begins[at].0 {
            begins.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// One walk, for one chain.
struct Way<'a> {
    chain: &'a Chain,
    facts: &'a Facts,
    /// What is still ahead.
    rows: Backwards<'a>,
    /// All rows that are not after the chain's end.
    newest: &'a [u64],
    met: &'a mut [Met],
}

impl Way<'_> {
    /// Meets the rows after this time that have not been met.
    #[inline]
    fn go_back_to(&mut self, after_ms: i64) {
        while self.rows.peek_ms().is_some_and(|time_ms| time_ms > after_ms) {
            let row = self.rows.next();
            if !self.chain.is_of_key(row, self.facts) {
                continue;
            }
            let newer = &self.newest[self.rows.words.len() + row.len()..];
            for (met, total) in self.met.iter_mut().zip(&self.chain.totals) {
                if !total.bit.is_in(row) {
                    continue;
                }
                match total.kind {
                    TotalKind::Count => met.count += 1,
                    TotalKind::Sum(word) => met.sum += i128::from(row[word] as i64),
                    TotalKind::Extremes(word) => met.widen(row[word] as i64),
                    TotalKind::Times => met.widen(rows::time_ms(row)),
                    TotalKind::Distinct(half) => {
                        let (number, bit) = (half.of(row), total.bit);
                        let known = newer.chunks_exact(row.len()).any(|other| {
                            half.of(other) == number
                                && bit.is_in(other)
                                && self.chain.is_of_key(other, self.facts)
                        });
                        met.count += u64::from(!known);
                    }
                }
            }
        }
    }

    /// What the counters of a window say of all that has been met.
    #[inline]
    fn say(&self, window: &ChainWindow, full_key: bool, readings: &mut [Option<Reading>]) {
        for reader in &window.readers {
            if full_key || reader.group_missing {
                readings[reader.counter] = self.read(reader.kind);
            }
        }
    }

    #[inline]
    fn read(&self, kind: ReaderKind) -> Option<Reading> {
        let met = |at: usize| &self.met[at];
        match kind {
            ReaderKind::Count(at) | ReaderKind::Distinct(at) => {
                Some(Reading::Int(met(at).count as i64))
            }
            ReaderKind::Sum(at) => Some(clamp(met(at).sum)),
            ReaderKind::Mean(of, over) => match met(over).count {
                0 => None,
                count => Some(Reading::Double(totals::mean(met(of).sum, count))),
            },
            ReaderKind::Min(at) => (met(at).count > 0).then(|| Reading::Int(met(at).least)),
            ReaderKind::Max(at) => (met(at).count > 0).then(|| Reading::Int(met(at).greatest)),
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
