//! The windows over few rows, read in one walk over them, from the newest back: what has been met
//! when a window's beginning is reached is what stands in that window.

use super::{
    calendar::{Bounds, Calendar},
    facts::Facts,
    plan::{Chain, ReaderKind, Total, TotalKind},
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
        for chain in chains {
            let full_key = full_key[chain.list];
            self.order(chain, asked);
            let Walk { begins, met } = self;
            met.clear();
            met.resize(chain.totals.len(), NOTHING);
            let until_ms = asked.time_ms.saturating_sub(chain.delay_ms);
            let mut ahead = Backwards { words, stride };
            while ahead.peek_ms().is_some_and(|time_ms| time_ms > until_ms) {
                ahead.next();
            }
            let newest = ahead.words;
            for (after_ms, window) in begins {
                while ahead.peek_ms().is_some_and(|time_ms| time_ms > *after_ms) {
                    let row = ahead.next();
                    if !chain.is_of_key(row, asked.facts) {
                        continue;
                    }
                    let newer = &newest[ahead.words.len() + stride..];
                    for (met, total) in met.iter_mut().zip(&chain.totals) {
                        met.meet(total, row, || {
                            newer.chunks(stride).filter(|row| chain.is_of_key(row, asked.facts))
                        });
                    }
                }
                for reader in &chain.windows[*window].1 {
                    if full_key || reader.group_missing {
                        readings[reader.counter] = say(met, reader.kind);
                    }
                }
            }
        }
    }

    /// Sees where the windows of a chain begin, and puts them in order. They nearly are, so that
    /// this seldom moves one.
    fn order(&mut self, chain: &Chain, asked: &mut Asked<'_>) {
        self.begins.clear();
        for (place, (window, _)) in chain.windows.iter().enumerate() {
            let mut at = self.begins.len();
            self.begins.push((asked.bounds(*window).after_ms, place));
            while !chain.fixed && at > 0 && self.begins[at - 1].0 < self.begins[at].0 {
                self.begins.swap(at - 1, at);
                at -= 1;
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
    fn meet<'r, N: Iterator<Item = &'r Row>>(
        &mut self,
        total: &Total,
        row: &Row,
        newer: impl Fn() -> N,
    ) {
        if !total.bit.is_in(row) {
            return;
        }
        match total.kind {
            TotalKind::Count => self.count += 1,
            TotalKind::Sum(word) => self.sum += i128::from(row[word] as i64),
            TotalKind::Extremes(word) => self.widen(row[word] as i64),
            TotalKind::Times => self.widen(rows::time_ms(row)),
            TotalKind::Distinct(half) => {
                let number = half.of(row);
                let is_it = |other: &Row| half.of(other) == number && total.bit.is_in(other);
                self.count += u64::from(!newer().any(is_it));
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

    /// The next one, which there is.
    #[inline]
    fn next(&mut self) -> &'a Row {
        let (rest, row) = self.words.split_at(self.words.len() - self.stride);
        self.words = rest;
        row
    }
}
