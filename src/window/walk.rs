//! The windows over few rows. What is met of them from the newest back is written down row by row:
//! what a window holds is then what had been met when as many rows were as lie in it. Nothing asks at
//! a row which windows begin there: that differs from key to key, and the machine would guess the
//! answer wrong about as often as right.

use super::{
    calendar::{Bounds, Calendar},
    facts::Facts,
    plan::{Chain, ChainTotal, ChainWindow, Says, Total, TotalKind},
    rows::{self, Bit, Half, Row},
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
    /// The bounds of a window at the event. Apart, so that those who seldom ask for a local day
    /// keep their registers.
    #[inline(never)]
    pub fn bounds(&mut self, window: Window) -> Bounds {
        self.calendar.bounds(window, self.time_ms)
    }
}

/// Room for a walk; nothing stays in it from one to the next.
#[derive(Debug, Default)]
pub struct Walk {
    /// By window of a chain, how many rows lie in it.
    lengths: Vec<usize>,
    /// The rows of the event's key, where those of other keys stand between them.
    of_key: Vec<u64>,
    met: Room,
}

/// What has been met, by number of rows: in none, in the newest, in the newest two, and so on.
#[derive(Debug, Default)]
struct Room {
    counts: Vec<i64>,
    sums: Vec<Sum>,
    extents: Vec<Extent>,
}

/// How many values there are, and their sum.
type Sum = (u64, i128);

/// How many values there are, the least of them, the greatest of them.
type Extent = (u64, i64, i64);

const NO_EXTENT: Extent = (0, i64::MAX, i64::MIN);

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
        let Walk { lengths, of_key, met } = self;
        for chain in chains {
            let until_ms = asked.time_ms.saturating_sub(chain.delay_ms);
            let mut words = not_after(until_ms, words, stride);
            if !chain.key.is_empty() {
                chain.take_those_of_key(words, stride, asked.facts, of_key);
                words = of_key;
            }
            let (longest, common) = chain.measure(words, stride, until_ms, asked, lengths);
            let rows = Rows { words, stride, lengths, longest, common };
            let full_key = full_key[chain.list];
            for total in &chain.totals {
                total.read(rows, full_key, met, readings);
            }
        }
    }
}

impl Chain {
    /// Takes those rows that are of the same key as the event.
    #[inline(never)]
    fn take_those_of_key(
        &self,
        words: &[u64],
        stride: usize,
        facts: &Facts,
        of_key: &mut Vec<u64>,
    ) {
        of_key.clear();
        let mut rest = words;
        while let Some((row, newer)) = rest.split_at_checked(stride) {
            rest = newer;
            if self.key.iter().all(|(half, path)| half.of(row) == facts.at(*path).number) {
                of_key.extend_from_slice(row);
            }
        }
    }

    /// Finds how many rows lie in each window. Returns how many lie in any, and what they have in
    /// common.
    #[inline(never)]
    fn measure(
        &self,
        words: &[u64],
        stride: usize,
        until_ms: i64,
        asked: &mut Asked<'_>,
        lengths: &mut Vec<usize>,
    ) -> (usize, Common) {
        lengths.clear();
        let mut older = newest_first(words, stride);
        let (mut longest, mut longest_ms, mut common) = (0, until_ms, Common::ALL);
        let mut next = older.next();
        for ChainWindow { window, span_ms } in &self.windows {
            let after_ms = match span_ms {
                Some(span_ms) => until_ms.saturating_sub(*span_ms),
                None => asked.bounds(*window).after_ms,
            };
            if after_ms > longest_ms {
                // A local day or month that is shorter than the window before it.
                let within = |(row, _): &(&Row, _)| rows::time_ms(row) > after_ms;
                lengths.push(newest_first(words, stride).take_while(within).count());
                continue;
            }
            longest_ms = after_ms;
            while let Some((row, _)) = next.filter(|(row, _)| rows::time_ms(row) > after_ms) {
                common.meet(row);
                longest += 1;
                next = older.next();
            }
            lengths.push(longest);
        }
        (longest, common)
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

/// Rows, the newest first, each with the words of all that are newer.
#[inline]
fn newest_first(words: &[u64], stride: usize) -> impl Iterator<Item = (&Row, &[u64])> {
    let mut rest = words;
    std::iter::from_fn(move || {
        let newer = &words[rest.len()..];
        let (older, row) = rest.split_at(rest.len().checked_sub(stride)?);
        rest = older;
        Some((row, newer))
    })
}

/// The rows that a total is read off.
#[derive(Clone, Copy)]
struct Rows<'r> {
    /// The oldest first.
    words: &'r [u64],
    stride: usize,
    /// By window, how many lie in it,
    lengths: &'r [usize],
    /// and how many in any of them.
    longest: usize,
    common: Common,
}

impl ChainTotal {
    /// Reads its counters off rows. One loop a kind: which kind it is, is asked once and not at
    /// every row; nor is whether rows have its bit, where all do.
    #[inline]
    fn read(
        &self,
        rows: Rows<'_>,
        full_key: bool,
        met: &mut Room,
        readings: &mut [Option<Reading>],
    ) {
        let Total { bit, kind } = self.total;
        match kind {
            TotalKind::Count if rows.common.has(bit) => {
                let count = |length, _| Some(Reading::Int(length as i64));
                self.say(rows, full_key, readings, count);
            }
            TotalKind::Count => self.count(rows, full_key, &mut met.counts, readings),
            TotalKind::Distinct(half) => {
                self.distinct(half, rows, full_key, &mut met.counts, readings);
            }
            TotalKind::Sum(word) => self.sum(word, rows, full_key, &mut met.sums, readings),
            TotalKind::Extremes(word) => {
                let value = |row: &Row| row[word] as i64;
                self.extent(value, rows, full_key, &mut met.extents, readings);
            }
            TotalKind::Times => {
                self.extent(rows::time_ms, rows, full_key, &mut met.extents, readings);
            }
        }
    }

    #[inline(never)]
    fn count(
        &self,
        rows: Rows<'_>,
        full_key: bool,
        met: &mut Vec<i64>,
        readings: &mut [Option<Reading>],
    ) {
        self.meet(rows, met, 0, |count, _, _| count + 1);
        self.say(rows, full_key, readings, |length, _| Some(Reading::Int(met[length])));
    }

    #[inline(never)]
    fn distinct(
        &self,
        half: Half,
        rows: Rows<'_>,
        full_key: bool,
        met: &mut Vec<i64>,
        readings: &mut [Option<Reading>],
    ) {
        let (stride, bit) = (rows.stride, self.total.bit);
        self.meet(rows, met, 0, |count, row, mut newer| {
            let number = half.of(row);
            while let Some((other, rest)) = newer.split_at_checked(stride) {
                if half.of(other) == number && bit.is_in(other) {
                    return count;
                }
                newer = rest;
            }
            count + 1
        });
        self.say(rows, full_key, readings, |length, _| Some(Reading::Int(met[length])));
    }

    #[inline(never)]
    fn sum(
        &self,
        word: usize,
        rows: Rows<'_>,
        full_key: bool,
        met: &mut Vec<Sum>,
        readings: &mut [Option<Reading>],
    ) {
        let add =
            |(count, sum), row: &Row, _: &[u64]| (count + 1, sum + i128::from(row[word] as i64));
        self.meet(rows, met, (0, 0), add);
        self.say(rows, full_key, readings, |length, says| {
            let (count, sum) = met[length];
            match says {
                Says::Mean if count == 0 => None,
                Says::Mean => Some(Reading::Double(totals::mean(sum, count))),
                _ => Some(clamp(sum)),
            }
        });
    }

    #[inline(never)]
    fn extent(
        &self,
        value: impl Fn(&Row) -> i64,
        rows: Rows<'_>,
        full_key: bool,
        met: &mut Vec<Extent>,
        readings: &mut [Option<Reading>],
    ) {
        self.meet(rows, met, NO_EXTENT, |(count, least, greatest), row, _| {
            let value = value(row);
            (count + 1, least.min(value), greatest.max(value))
        });
        self.say(rows, full_key, readings, |length, says| {
            let (count, least, greatest) = met[length];
            (count > 0).then_some(Reading::Int(if says == Says::Least { least } else { greatest }))
        });
    }

    /// Meets those of the rows that have its bit, from the newest back.
    #[inline(always)]
    fn meet<Met: Copy>(
        &self,
        Rows { words, stride, longest, common, .. }: Rows<'_>,
        room: &mut Vec<Met>,
        nothing: Met,
        meet: impl Fn(Met, &Row, &[u64]) -> Met,
    ) {
        let (bit, mut met) = (self.total.bit, nothing);
        let all_count = common.has(bit);
        room.clear();
        room.push(met);
        for (row, newer) in newest_first(words, stride).take(longest) {
            if all_count || bit.is_in(row) {
                met = meet(met, row, newer);
            }
            room.push(met);
        }
    }

    /// Lets its counters speak: each by how many rows lie in its window.
    #[inline(always)]
    fn say(
        &self,
        rows: Rows<'_>,
        full_key: bool,
        readings: &mut [Option<Reading>],
        say: impl Fn(usize, Says) -> Option<Reading>,
    ) {
        for reader in &self.readers {
            if full_key || reader.group_missing {
                readings[reader.counter] = say(rows.lengths[reader.window], reader.says);
            }
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
