//! One key: the exact events of all its windows, and what is read off them.
//!
//! A key with few rows is counted by walking over them. From [`FEW`] rows on, each window keeps
//! two places, where it begins and where it ends, and totals between them: a row enters and leaves
//! each window once while time goes on, so that an event costs amortised O(1) a window however long
//! the window is. An event that comes out of order moves the places back and forth over the rows
//! between. Knows no other key, and not which events count: a row says so by its bits.

use super::{
    Hasher,
    plan::{ListPlan, Reader, ReaderKind, Total, WindowPlan},
    rows::{self, Row, Rows},
    spec::Reading,
    totals::{self, Kept},
    value,
    values::Values,
};

/// Up to this many rows are walked over.
const FEW: usize = 16;

/// The open beginning and the closed end of a window, in epoch ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Not in the window any more.
    pub after_ms: i64,
    /// The last time in the window.
    pub until_ms: i64,
}

/// One key.
#[derive(Debug, Default)]
pub struct Series {
    rows: Rows,
    rest: Option<Box<Rest>>,
}

/// What few keys need.
#[derive(Debug, Default)]
struct Rest {
    /// The values of its rows, by column.
    values: Vec<Values>,
    /// One a window; empty while there are few rows.
    cursors: Vec<Cursor>,
    /// The greatest time of a row that the bound on rows drove out, in epoch ms.
    dropped_ms: Option<i64>,
}

/// Where a window stands: the totals are those of the rows `head..tail`.
#[derive(Debug)]
struct Cursor {
    head: usize,
    tail: usize,
    totals: Vec<Kept>,
}

/// One key as plain data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SeriesState {
    /// The words of its rows.
    pub words: Vec<u64>,
    /// By column, the values that the rows refer to by their places.
    pub values: Vec<Vec<Vec<u8>>>,
    /// See [`Series::dropped_ms`].
    pub dropped_ms: Option<i64>,
}

impl Series {
    /// Adds a row with these values (by column; `None` where it has none), forgets rows up to
    /// `forget_until_ms`, and holds the number of rows to `limit`, oldest first.
    pub fn insert(
        &mut self,
        plan: &ListPlan,
        row: &mut Row,
        values: &[Option<Vec<u8>>],
        limit: usize,
        hasher: &Hasher,
    ) {
        if !plan.values.is_empty() {
            let rest = self.rest.get_or_insert_default();
            rest.values.resize_with(plan.values.len(), Values::default);
            for (column, kept) in rest.values.iter_mut().enumerate() {
                let at = match values[column].as_deref() {
                    Some(value) => kept.retain(value, hasher),
                    None => rows::NO_VALUE,
                };
                rows::set_value(row, plan.row, column, at);
            }
        }
        let at = self.rows.insert(row);
        for (cursor, window) in self.cursors().iter_mut().zip(&plan.windows) {
            cursor.row_came(at, window, plan, row);
        }
        if self.rows.len(plan.row.stride) > limit {
            let time = self.rows.time_ms(plan.row.stride, 0);
            self.pop_first(plan, hasher);
            let dropped = &mut self.rest.get_or_insert_default().dropped_ms;
            *dropped = Some(dropped.map_or(time, |before| before.max(time)));
        }
    }

    /// Forgets the rows up to this time.
    #[inline]
    pub fn forget(&mut self, plan: &ListPlan, until_ms: i64, hasher: &Hasher) {
        let stride = plan.row.stride;
        while self.rows.len(stride) > 0 && self.rows.time_ms(stride, 0) <= until_ms {
            self.pop_first(plan, hasher);
        }
    }

    /// Can no window reach it any more?
    pub fn is_quiet(&self, plan: &ListPlan, until_ms: i64) -> bool {
        self.rows.newest_ms(plan.row.stride).is_none_or(|newest| newest <= until_ms)
            && self.dropped_ms().is_none_or(|dropped| dropped <= until_ms)
    }

    /// The time of the newest row, in epoch ms.
    pub fn newest_ms(&self, plan: &ListPlan) -> Option<i64> {
        self.rows.newest_ms(plan.row.stride)
    }

    /// The greatest time of a row that the bound on rows drove out, in epoch ms.
    #[inline]
    pub fn dropped_ms(&self) -> Option<i64> {
        self.rest.as_ref().and_then(|rest| rest.dropped_ms)
    }

    /// Reads the counters of the list, each within the bounds of its window, into `readings`.
    pub fn read(
        &mut self,
        plan: &ListPlan,
        bounds: &[Bounds],
        full_key: bool,
        readings: &mut [Option<Reading>],
    ) {
        let stride = plan.row.stride;
        if self.cursors().is_empty() && self.rows.len(stride) > FEW {
            let cursors = plan.windows.iter().map(Cursor::new).collect();
            self.rest.get_or_insert_default().cursors = cursors;
        }
        let Series { rows, rest } = self;
        let cursors = rest.as_mut().map_or(&mut [][..], |rest| &mut rest.cursors);
        for (at, (window, bounds)) in plan.windows.iter().zip(bounds).enumerate() {
            let asked = window.readers.iter().filter(|r| full_key || r.group_missing);
            if let Some(cursor) = cursors.get_mut(at) {
                cursor.slide(rows, window, plan, *bounds);
                for reader in asked {
                    readings[reader.counter] = cursor.read(reader, window, rows, plan);
                }
            } else {
                let few = Few::within(rows, plan, *bounds);
                for reader in asked {
                    readings[reader.counter] = few.read(reader, window);
                }
            }
        }
    }

    /// The heap that it takes, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| {
            let values: usize = rest.values.iter().map(Values::heap_bytes).sum();
            let totals = rest.cursors.iter().flat_map(|c| &c.totals);
            let totals: usize = totals.map(|k| k.heap_bytes() + size_of::<Kept>()).sum();
            size_of::<Rest>() + values + totals + rest.cursors.len() * size_of::<Cursor>()
        });
        self.rows.heap_bytes() + rest
    }

    /// How many rows it has.
    pub fn rows(&self, plan: &ListPlan) -> usize {
        self.rows.len(plan.row.stride)
    }

    /// It as plain data.
    pub fn snapshot(&self, plan: &ListPlan) -> SeriesState {
        let values = self.rest.as_ref().map_or(&[][..], |rest| &rest.values);
        let column = |v: &Values| (0..v.places() as u32).map(|at| v.get(at).to_vec()).collect();
        SeriesState {
            words: self.rows.words(plan.row.stride).to_vec(),
            values: values.iter().map(column).collect(),
            dropped_ms: self.dropped_ms(),
        }
    }

    /// A key out of plain data.
    pub fn restore(plan: &ListPlan, state: SeriesState, hasher: &Hasher) -> Series {
        let mut values: Vec<Values> = Vec::new();
        values.resize_with(plan.values.len(), Values::default);
        let mut words = state.words;
        for row in words.chunks_exact_mut(plan.row.stride) {
            for (column, kept) in values.iter_mut().enumerate() {
                let at = rows::value(row, plan.row, column);
                if let Some(value) = state.values.get(column).and_then(|v| v.get(at as usize)) {
                    rows::set_value(row, plan.row, column, kept.retain(value, hasher));
                }
            }
        }
        let plain = plan.values.is_empty() && state.dropped_ms.is_none();
        let rest = Rest { values, cursors: Vec::new(), dropped_ms: state.dropped_ms };
        Series { rows: Rows::from_words(words), rest: (!plain).then(|| Box::new(rest)) }
    }

    fn cursors(&mut self) -> &mut [Cursor] {
        self.rest.as_mut().map_or(&mut [], |rest| &mut rest.cursors)
    }

    fn pop_first(&mut self, plan: &ListPlan, hasher: &Hasher) {
        let Series { rows, rest } = self;
        if let Some(rest) = rest {
            let row = rows.row(plan.row.stride, 0);
            for (cursor, window) in rest.cursors.iter_mut().zip(&plan.windows) {
                cursor.first_row_goes(window, plan, row);
            }
            for (column, values) in rest.values.iter_mut().enumerate() {
                values.release(rows::value(row, plan.row, column), hasher);
            }
            if rows.len(plan.row.stride) == 1 {
                rest.cursors = Vec::new();
            }
        }
        rows.pop_first(plan.row.stride);
    }
}

/// What a counter says of a key that has nothing.
pub fn nothing(kind: ReaderKind) -> Option<Reading> {
    match kind {
        ReaderKind::Count(_) | ReaderKind::Sum(_) | ReaderKind::Distinct(_) => {
            Some(Reading::Int(0))
        }
        _ => None,
    }
}

fn clamp(sum: i128) -> Reading {
    Reading::Int(sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

impl Cursor {
    fn new(window: &WindowPlan) -> Cursor {
        let totals = window.totals.iter().map(|total| Kept::new(total.kind)).collect();
        Cursor { head: 0, tail: 0, totals }
    }

    fn enter(&mut self, window: &WindowPlan, plan: &ListPlan, row: &Row) {
        for (kept, total) in self.totals.iter_mut().zip(&window.totals) {
            kept.enter(total, plan.row, row);
        }
    }

    fn leave(&mut self, window: &WindowPlan, plan: &ListPlan, row: &Row) {
        for (kept, total) in self.totals.iter_mut().zip(&window.totals) {
            kept.leave(total, plan.row, row);
        }
    }

    /// A row has come to stand at `at`.
    fn row_came(&mut self, at: usize, window: &WindowPlan, plan: &ListPlan, row: &Row) {
        if at < self.tail {
            if at < self.head {
                self.head += 1;
            } else {
                self.enter(window, plan, row);
            }
            self.tail += 1;
        }
    }

    /// The first row is about to go.
    fn first_row_goes(&mut self, window: &WindowPlan, plan: &ListPlan, row: &Row) {
        if self.head > 0 {
            self.head -= 1;
            self.tail -= 1;
        } else if self.tail > 0 {
            self.leave(window, plan, row);
            self.tail -= 1;
        }
    }

    /// Moves to the rows within these bounds.
    fn slide(&mut self, rows: &Rows, window: &WindowPlan, plan: &ListPlan, bounds: Bounds) {
        let stride = plan.row.stride;
        let Bounds { after_ms, until_ms } = bounds;
        let count = rows.len(stride);
        let out = |at: usize| rows.time_ms(stride, at) <= after_ms;
        if self.head < self.tail && out(self.tail - 1) {
            // Time has jumped over all of it.
            self.totals.iter_mut().for_each(Kept::clear);
            self.head = self.tail;
        }
        if self.head == self.tail && (self.tail < count && out(self.tail)) {
            self.head = rows.not_after(stride, after_ms);
            self.tail = self.head;
        }
        while self.tail < count && rows.time_ms(stride, self.tail) <= until_ms {
            self.enter(window, plan, rows.row(stride, self.tail));
            self.tail += 1;
        }
        while self.head < self.tail && rows.time_ms(stride, self.tail - 1) > until_ms {
            self.tail -= 1;
            self.leave(window, plan, rows.row(stride, self.tail));
        }
        while self.head < self.tail && out(self.head) {
            self.leave(window, plan, rows.row(stride, self.head));
            self.head += 1;
        }
        if self.head == self.tail {
            // Nothing is left of what it had: the rows wanted may all lie before.
            self.tail = rows.not_after(stride, until_ms);
            self.head = self.tail;
        }
        while self.head > 0 && !out(self.head - 1) {
            self.head -= 1;
            self.enter(window, plan, rows.row(stride, self.head));
        }
    }

    fn read(
        &self,
        reader: &Reader,
        window: &WindowPlan,
        rows: &Rows,
        plan: &ListPlan,
    ) -> Option<Reading> {
        let count = |at: usize| match &self.totals[at] {
            Kept::Count(count) => *count,
            kept => unreachable!("{kept:?} is no count"),
        };
        let sum = |at: usize| match &self.totals[at] {
            Kept::Sum(sum) => *sum,
            kept => unreachable!("{kept:?} is no sum"),
        };
        let extremes = |at: usize| match &self.totals[at] {
            Kept::Extremes(of) => of,
            kept => unreachable!("{kept:?} has no extremes"),
        };
        let stride = plan.row.stride;
        let has = |at: usize, row: usize| {
            rows::has_bit(rows.row(stride, row), window.totals[at].predicate)
        };
        let time = |row: usize| Reading::Int(rows.time_ms(stride, row));
        match reader.kind {
            ReaderKind::Count(at) => Some(Reading::Int(count(at) as i64)),
            ReaderKind::Sum(at) => Some(clamp(sum(at))),
            ReaderKind::Mean(of, over) => (count(over) > 0)
                .then(|| Reading::Double(totals::mean(sum(of), count(over)))),
            ReaderKind::Min(at) => extremes(at).keys().next().copied().map(Reading::Int),
            ReaderKind::Max(at) => extremes(at).keys().next_back().copied().map(Reading::Int),
            ReaderKind::First(at) | ReaderKind::Last(at) if count(at) == 0 => None,
            ReaderKind::First(at) => {
                (self.head..self.tail).find(|row| has(at, *row)).map(time)
            }
            ReaderKind::Last(at) => {
                (self.head..self.tail).rev().find(|row| has(at, *row)).map(time)
            }
            ReaderKind::Distinct(at) => match &self.totals[at] {
                Kept::Distinct(_, live) => Some(Reading::Int(*live as i64)),
                kept => unreachable!("{kept:?} counts nothing apart"),
            },
        }
    }
}

/// The rows of a window of a key that has few.
struct Few<'a> {
    rows: &'a Rows,
    plan: &'a ListPlan,
    head: usize,
    tail: usize,
}

impl<'a> Few<'a> {
    fn within(rows: &'a Rows, plan: &'a ListPlan, bounds: Bounds) -> Few<'a> {
        let stride = plan.row.stride;
        let mut tail = rows.len(stride);
        while tail > 0 && rows.time_ms(stride, tail - 1) > bounds.until_ms {
            tail -= 1;
        }
        let mut head = tail;
        while head > 0 && rows.time_ms(stride, head - 1) > bounds.after_ms {
            head -= 1;
        }
        Few { rows, plan, head, tail }
    }

    fn counted(&self, total: &Total) -> impl DoubleEndedIterator<Item = &'a Row> {
        let (rows, stride, bit) = (self.rows, self.plan.row.stride, total.predicate);
        (self.head..self.tail)
            .map(move |at| rows.row(stride, at))
            .filter(move |row| rows::has_bit(row, bit))
    }

    fn read(&self, reader: &Reader, window: &WindowPlan) -> Option<Reading> {
        use super::plan::TotalKind;
        let layout = self.plan.row;
        let integers = |at: usize| {
            let column = match window.totals[at].kind {
                TotalKind::Sum(column) | TotalKind::Extremes(column) => column,
                kind => unreachable!("{kind:?} is of no integer"),
            };
            self.counted(&window.totals[at]).map(move |row| rows::integer(row, layout, column))
        };
        let count = |at: usize| self.counted(&window.totals[at]).count();
        let sum = |at: usize| integers(at).map(i128::from).sum::<i128>();
        match reader.kind {
            ReaderKind::Count(at) => Some(Reading::Int(count(at) as i64)),
            ReaderKind::Sum(at) => Some(clamp(sum(at))),
            ReaderKind::Mean(of, over) => match count(over) {
                0 => None,
                count => Some(Reading::Double(totals::mean(sum(of), count as u64))),
            },
            ReaderKind::Min(at) => integers(at).min().map(Reading::Int),
            ReaderKind::Max(at) => integers(at).max().map(Reading::Int),
            ReaderKind::First(at) => {
                self.counted(&window.totals[at]).next().map(|r| Reading::Int(rows::time_ms(r)))
            }
            ReaderKind::Last(at) => {
                self.counted(&window.totals[at]).next_back().map(|r| Reading::Int(rows::time_ms(r)))
            }
            ReaderKind::Distinct(at) => {
                let TotalKind::Distinct(column) = window.totals[at].kind else {
                    unreachable!("it counts nothing apart")
                };
                // A key that has never had more than a few rows has that few places.
                let mut seen = [0u64; (2 * FEW).div_ceil(64)];
                let mut more = Vec::new();
                for row in self.counted(&window.totals[at]) {
                    let place = rows::value(row, layout, column) as usize;
                    match seen.get_mut(place / 64) {
                        Some(word) => *word |= 1 << (place % 64),
                        None if more.contains(&place) => {}
                        None => more.push(place),
                    }
                }
                let near: u32 = seen.iter().map(|word| word.count_ones()).sum();
                Some(Reading::Int(i64::from(near) + more.len() as i64))
            }
        }
    }
}

/// The key of an event: the values of its fields as bytes, and whether all are there.
pub fn key_of(
    plan: &ListPlan,
    event: &crate::event::Event<'_>,
    out: &mut Vec<u8>,
) -> bool {
    out.clear();
    plan.key.iter().fold(true, |full, path| value::encode(event.value(path), out) && full)
}
