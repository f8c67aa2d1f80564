//! The windows over few rows, read in one walk over them, from the newest back: what has been met
//! when a window's beginning is reached is what stands in that window.

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
    /// By window of a chain, where in the rows it begins.
    begins: Vec<Begin>,
    /// The rows of the event's key, where those of other keys stand between them.
    of_key: Vec<u64>,
}

/// Where a window begins.
#[derive(Debug, Clone, Copy)]
struct Begin {
    /// Among the words of the rows.
    word: usize,
    /// How many rows lie in it.
    rows: usize,
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
        let Walk { begins, of_key } = self;
        for chain in chains {
            let until_ms = asked.time_ms.saturating_sub(chain.delay_ms);
            let mut words = not_after(until_ms, words, stride);
            if !chain.key.is_empty() {
                of_key.clear();
                let rows = words.chunks_exact(stride);
                of_key.extend(rows.filter(|row| chain.is_of_key(row, asked.facts)).flatten());
                words = of_key;
            }
            let (mut farthest, mut farthest_ms) = (Begin { word: words.len(), rows: 0 }, until_ms);
            let mut common = Common::ALL;
            begins.clear();
            for ChainWindow { window, span_ms } in &chain.windows {
                let after_ms = match span_ms {
                    Some(span_ms) => until_ms.saturating_sub(*span_ms),
                    None => asked.bounds(*window).after_ms,
                };
                let is_longest = after_ms <= farthest_ms;
                let mut begin =
                    if is_longest { farthest } else { Begin { word: words.len(), rows: 0 } };
                while let Some(word) = begin.word.checked_sub(stride)
                    && rows::time_ms(&words[word..]) > after_ms
                {
                    common.meet(&words[word..]);
                    begin = Begin { word, rows: begin.rows + 1 };
                }
                if is_longest {
                    (farthest, farthest_ms) = (begin, after_ms);
                }
                begins.push(begin);
            }
            let full_key = full_key[chain.list];
            for total in &chain.totals {
                total.read(Each { words, stride, begins, full_key, common }, readings);
            }
        }
    }
}

/// Those of the rows that are not after this time.
#[inline]
fn not_after(until_ms: i64, mut words: &[u64], stride: usize) -> &[u64] {
    while let Some(newest) = words.len().checked_sub(stride)
        && rows::time_ms(&words[newest..]) > until_ms
    {
        words = &words[..newest];
    }
    words
}

/// The rows that a total is read off.
#[derive(Clone, Copy)]
struct Each<'r> {
    /// The oldest first.
    words: &'r [u64],
    stride: usize,
    /// By window, where it begins.
    begins: &'r [Begin],
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
                    let rows = each.begins[reader.window].rows;
                    readings[reader.counter] = Some(Reading::Int(rows as i64));
                }
            }
            TotalKind::Count => self.each(each, readings, |met, _, _| met.count += 1, count),
            TotalKind::Distinct(half) => {
                let stride = each.stride;
                let meet = |met: &mut Met, mut newer: &[u64], row: &Row| {
                    let number = half.of(row);
                    while !newer.is_empty() {
                        if half.of(newer) == number && bit.is_in(newer) {
                            return;
                        }
                        newer = &newer[stride..];
                    }
                    met.count += 1;
                };
                self.each(each, readings, meet, count);
            }
            TotalKind::Sum(word) => {
                let meet = |met: &mut Met, _: &[u64], row: &Row| {
                    met.count += 1;
                    met.sum += i128::from(row[word] as i64);
                };
                self.each(each, readings, meet, Met::say);
            }
            TotalKind::Extremes(word) => {
                let meet = |met: &mut Met, _: &[u64], row: &Row| met.widen(row[word] as i64);
                self.each(each, readings, meet, Met::say);
            }
            TotalKind::Times => {
                let meet = |met: &mut Met, _: &[u64], row: &Row| met.widen(rows::time_ms(row));
                self.each(each, readings, meet, Met::say);
            }
        }
    }

    /// Those of its counters that speak.
    #[inline]
    fn speaking(&self, full_key: bool) -> impl Iterator<Item = &ChainReader> {
        self.readers.iter().filter(move |reader| full_key || reader.group_missing)
    }

    /// Meets those of the rows that have its bit, from the newest back and each with all that are
    /// newer, and lets its counters speak where their windows begin.
    #[inline(always)]
    fn each(
        &self,
        Each { words, stride, begins, full_key, common }: Each<'_>,
        readings: &mut [Option<Reading>],
        mut meet: impl FnMut(&mut Met, &[u64], &Row),
        say: impl Fn(&Met, Says) -> Option<Reading>,
    ) {
        let all_count = common.has(self.total.bit);
        let (mut met, mut at) = (NOTHING, words.len());
        for reader in self.speaking(full_key) {
            let begin = begins[reader.window].word;
            if begin > at {
                // A local day or month that is shorter than the window before it.
                (met, at) = (NOTHING, words.len());
            }
            while at > begin {
                let (older, newer) = words.split_at(at);
                at -= stride;
                let row = &older[at..];
                if all_count || self.total.bit.is_in(row) {
                    meet(&mut met, newer, row);
                }
            }
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
