//! One key: the exact events of all its windows, and what is read off them.
//!
//! A key with few rows is counted by walking over them. From [`FEW`] rows on, each window keeps
//! two places, where it begins and where it ends, and totals between them: a row enters and leaves
//! each window once while time goes on, so that an event costs amortised O(1) a window however long
//! the window is. An event that comes out of order moves the places back and forth over the rows
//! between. Knows no other key, and not which events count: a row says so by its bits.

use crate::ahead::fetch;

use super::{
    Hasher,
    calendar::Bounds,
    plan::{ListPlan, Reader, ReaderKind, WindowPlan},
    rows::{Row, Rows},
    spec::Reading,
    totals::{self, Kept},
    values::Values,
    walk::{Asked, Walk},
};

/// Up to this many rows are walked over.
const FEW: usize = 16;

/// Words of rows that stand beside the key: six events of a counter of amounts.
const BESIDE: usize = 12;

/// One key.
#[derive(Debug, Default)]
pub struct Series {
    rows: Rows<BESIDE>,
    rest: Option<Box<Rest>>,
}

/// What few keys need.
#[derive(Debug, Default)]
struct Rest {
    /// One a window; empty while there are few rows.
    cursors: Vec<Cursor>,
    /// The greatest time of a row that the bound on rows drove out, in epoch ms.
    dropped_ms: Option<i64>,
}

/// Where a window stands: the totals are those of the rows between two words.
#[derive(Debug)]
struct Cursor {
    head: usize,
    tail: usize,
    totals: Vec<Kept>,
}

/// One key as plain data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SeriesState {
    /// The words of its rows; values by their numbers among the owner's.
    pub words: Vec<u64>,
    /// See [`Series::dropped_ms`].
    pub dropped_ms: Option<i64>,
}

impl Series {
    /// Adds a row, and holds the number of rows to `limit`: the oldest goes. Returns whether one went.
    pub fn insert(
        &mut self,
        plan: &ListPlan,
        row: &Row,
        limit: usize,
        values: &mut Values,
        hasher: &Hasher,
    ) -> bool {
        for column in 0..plan.values() {
            values.retain(plan.row.value(column).of(row));
        }
        let at = self.rows.insert(row);
        for (cursor, window) in self.cursors().iter_mut().zip(&plan.windows) {
            cursor.row_came(at, window, row);
        }
        let evicts = self.rows.more_than(limit, plan.row.stride);
        if evicts {
            let time = self.rows.time_ms(0);
            self.pop_first(plan, values, hasher);
            let dropped = &mut self.rest.get_or_insert_default().dropped_ms;
            *dropped = Some(dropped.map_or(time, |before| before.max(time)));
        }
        evicts
    }

    /// Forgets the rows up to this time.
    #[inline]
    pub fn forget(&mut self, plan: &ListPlan, until_ms: i64, values: &mut Values, hasher: &Hasher) {
        while self.rows.oldest_ms().is_some_and(|oldest| oldest <= until_ms) {
            self.pop_first(plan, values, hasher);
        }
    }

    /// The time of its newest event that is not out of reach, in epoch ms.
    pub fn newest_ms(&self, plan: &ListPlan) -> Option<i64> {
        self.rows.newest_ms(plan.row.stride).or(self.dropped_ms())
    }

    /// The greatest time of a row that the bound on rows drove out, in epoch ms.
    #[inline]
    pub fn dropped_ms(&self) -> Option<i64> {
        self.rest.as_ref().and_then(|rest| rest.dropped_ms)
    }

    /// Reads the counters of the list into `readings`.
    pub fn read(
        &mut self,
        plan: &ListPlan,
        asked: &mut Asked<'_>,
        full_key: bool,
        walk: &mut Walk,
        readings: &mut [Option<Reading>],
    ) {
        let stride = plan.row.stride;
        if self.rows.more_than(FEW, stride) && self.cursors().is_empty() {
            let cursors = plan.windows.iter().map(Cursor::new).collect();
            self.rest.get_or_insert_default().cursors = cursors;
        }
        let Series { rows, rest } = self;
        match rest {
            Some(rest) if !rest.cursors.is_empty() => {
                for (window, cursor) in plan.windows.iter().zip(&mut rest.cursors) {
                    cursor.slide(rows, window, stride, asked.bounds(window.window));
                    for reader in window.readers.iter().filter(|r| full_key || r.group_missing) {
                        readings[reader.counter] = cursor.read(reader);
                    }
                }
            }
            _ => walk.read(&plan.chains, rows.words(), stride, asked, &[full_key], readings),
        }
    }

    /// Does a window that speaks begin before an event that the bound on rows drove out?
    pub fn is_degraded(&self, plan: &ListPlan, asked: &mut Asked<'_>, full_key: bool) -> bool {
        self.dropped_ms().is_some_and(|dropped| {
            plan.windows.iter().any(|window| {
                asked.bounds(window.window).after_ms < dropped
                    && window.readers.iter().any(|reader| full_key || reader.group_missing)
            })
        })
    }

    /// The event at a place in the log stands no longer.
    pub fn fall(&mut self, plan: &ListPlan, time_ms: i64, place: u32) {
        let (stride, Some(identity)) = (plan.row.stride, plan.identity) else { return };
        let Some(at) = self.rows.find(stride, time_ms, identity, place) else { return };
        let Series { rows, rest } = self;
        let row = rows.row_mut(stride, at);
        if let Some(rest) = rest {
            for (cursor, window) in rest.cursors.iter_mut().zip(&plan.windows) {
                if (cursor.head..cursor.tail).contains(&at) {
                    for (kept, total) in cursor.totals.iter_mut().zip(&window.totals) {
                        if plan.standing.contains(&total.bit) {
                            kept.leave(total, row);
                        }
                    }
                }
            }
        }
        plan.standing.iter().for_each(|bit| bit.clear(row));
    }

    /// Is the event at a place in the log kept?
    pub fn keeps(&self, plan: &ListPlan, time_ms: i64, place: u32) -> bool {
        let find = |identity| self.rows.find(plan.row.stride, time_ms, identity, place);
        plan.identity.and_then(find).is_some()
    }

    /// Has its newest row fetched, its oldest, and those at which its windows begin.
    #[inline]
    pub fn fetch(&self) {
        let words = self.rows.words();
        [words.last(), words.first()].into_iter().flatten().for_each(fetch);
        for cursor in self.rest.iter().flat_map(|rest| &rest.cursors) {
            words.get(cursor.head).into_iter().for_each(fetch);
            cursor.totals.first().into_iter().for_each(fetch);
        }
    }

    /// The heap that it takes, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| {
            let totals = rest.cursors.iter().flat_map(|c| &c.totals);
            let totals: usize = totals.map(|k| k.heap_bytes() + size_of::<Kept>()).sum();
            size_of::<Rest>() + totals + rest.cursors.len() * size_of::<Cursor>()
        });
        self.rows.heap_bytes() + rest
    }

    /// How many rows it has.
    pub fn rows(&self, plan: &ListPlan) -> usize {
        self.rows.len(plan.row.stride)
    }

    /// It as plain data.
    pub fn snapshot(&self) -> SeriesState {
        let (words, dropped_ms) = self.state();
        SeriesState { words: words.to_vec(), dropped_ms }
    }

    /// What a [`SeriesState`] has, where it lies.
    pub fn state(&self) -> (&[u64], Option<i64>) {
        (self.rows.words(), self.dropped_ms())
    }

    /// A key out of plain data, whose values are there.
    pub fn restore(plan: &ListPlan, state: SeriesState, values: &mut Values) -> Series {
        for row in state.words.chunks_exact(plan.row.stride) {
            for column in 0..plan.values() {
                values.retain(plan.row.value(column).of(row));
            }
        }
        let rest = state
            .dropped_ms
            .map(|dropped_ms| Box::new(Rest { cursors: Vec::new(), dropped_ms: Some(dropped_ms) }));
        Series { rows: Rows::from_words(state.words), rest }
    }

    #[inline]
    fn cursors(&mut self) -> &mut [Cursor] {
        self.rest.as_mut().map_or(&mut [], |rest| &mut rest.cursors)
    }

    fn pop_first(&mut self, plan: &ListPlan, values: &mut Values, hasher: &Hasher) {
        let Series { rows, rest } = self;
        let stride = plan.row.stride;
        let row = rows.row(stride, 0);
        for column in 0..plan.values() {
            values.release(plan.row.value(column).of(row), hasher);
        }
        if let Some(rest) = rest {
            for (cursor, window) in rest.cursors.iter_mut().zip(&plan.windows) {
                cursor.first_row_goes(window, row);
            }
            if !rows.more_than(1, stride) {
                rest.cursors = Vec::new();
            }
        }
        rows.pop_first(stride);
    }
}

/// What a counter says of a key that has nothing.
#[inline]
pub fn nothing(kind: ReaderKind) -> Option<Reading> {
    match kind {
        ReaderKind::Count(_) | ReaderKind::Sum(_) | ReaderKind::Distinct(_) => {
            Some(Reading::Int(0))
        }
        _ => None,
    }
}

/// A sum as a counter says it.
pub fn clamp(sum: i128) -> Reading {
    Reading::Int(sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

impl Cursor {
    fn new(window: &WindowPlan) -> Cursor {
        let totals = window.totals.iter().map(|total| Kept::new(total.kind)).collect();
        Cursor { head: 0, tail: 0, totals }
    }

    fn enter(&mut self, window: &WindowPlan, row: &Row) {
        for (kept, total) in self.totals.iter_mut().zip(&window.totals) {
            kept.enter(total, row);
        }
    }

    fn leave(&mut self, window: &WindowPlan, row: &Row) {
        for (kept, total) in self.totals.iter_mut().zip(&window.totals) {
            kept.leave(total, row);
        }
    }

    /// A row has come to stand at `at`.
    fn row_came(&mut self, at: usize, window: &WindowPlan, row: &Row) {
        if at < self.tail {
            if at < self.head {
                self.head += row.len();
            } else {
                self.enter(window, row);
            }
            self.tail += row.len();
        }
    }

    /// The first row is about to go.
    fn first_row_goes(&mut self, window: &WindowPlan, row: &Row) {
        if self.head > 0 {
            self.head -= row.len();
            self.tail -= row.len();
        } else if self.tail > 0 {
            self.leave(window, row);
            self.tail -= row.len();
        }
    }

    /// Moves to the rows within these bounds.
    fn slide(&mut self, rows: &Rows<BESIDE>, window: &WindowPlan, stride: usize, bounds: Bounds) {
        let Bounds { after_ms, until_ms } = bounds;
        let end = rows.words().len();
        let out = |at: usize| rows.time_ms(at) <= after_ms;
        if self.head < self.tail && out(self.tail - stride) {
            // Time has jumped over all of it.
            self.totals.iter_mut().for_each(Kept::clear);
            self.head = self.tail;
        }
        if self.head == self.tail && self.tail < end && out(self.tail) {
            self.head = rows.not_after(stride, after_ms);
            self.tail = self.head;
        }
        while self.tail < end && rows.time_ms(self.tail) <= until_ms {
            self.enter(window, rows.row(stride, self.tail));
            self.tail += stride;
        }
        while self.head < self.tail && rows.time_ms(self.tail - stride) > until_ms {
            self.tail -= stride;
            self.leave(window, rows.row(stride, self.tail));
        }
        while self.head < self.tail && out(self.head) {
            self.leave(window, rows.row(stride, self.head));
            self.head += stride;
        }
        if self.head == self.tail {
            // Nothing is left of what it had: the rows wanted may all lie before.
            self.tail = rows.not_after(stride, until_ms);
            self.head = self.tail;
        }
        while self.head > 0 && !out(self.head - stride) {
            self.head -= stride;
            self.enter(window, rows.row(stride, self.head));
        }
    }

    fn read(&self, reader: &Reader) -> Option<Reading> {
        let kept = |at: usize| &self.totals[at];
        match reader.kind {
            ReaderKind::Count(at) | ReaderKind::Distinct(at) => {
                Some(Reading::Int(kept(at).count() as i64))
            }
            ReaderKind::Sum(at) => Some(clamp(kept(at).sum())),
            ReaderKind::Mean(sum, count) => match kept(count).count() {
                0 => None,
                count => Some(Reading::Double(totals::mean(kept(sum).sum(), count))),
            },
            ReaderKind::Min(at) => kept(at).least().map(Reading::Int),
            ReaderKind::Max(at) => kept(at).greatest().map(Reading::Int),
        }
    }
}
