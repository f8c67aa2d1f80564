//! How counters share what is kept: one list of events a key, one row an event, one cursor a
//! window. Made once from the counters; knows no event and no value.

use crate::event::{Field, Path};

use super::spec::{Counter, Measure, Types, Window};

/// All counters over one list of key fields.
#[derive(Debug)]
pub struct ListPlan {
    /// The fields of the key, sorted.
    pub key: Vec<Path>,
    /// Which events a counter counts, each kind once; its place is its bit in a row.
    pub predicates: Vec<Predicate>,
    /// Does a counter with an absent key field exist?
    pub groups_missing: bool,
    /// The integers of a row.
    pub integers: Vec<Path>,
    /// The values of a row that are counted apart.
    pub values: Vec<Path>,
    /// The windows, each once, with what is measured in them.
    pub windows: Vec<WindowPlan>,
    /// How far back of an event's time any of its windows can begin, in ms.
    pub reach_ms: i64,
    /// How a row is laid out.
    pub row: RowLayout,
}

/// Which events count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// Of these types,
    pub types: Types,
    /// for which this filter holds,
    pub filter: Option<usize>,
    /// of this currency,
    pub currency: Option<Box<str>>,
    /// with every key field present,
    pub full_key: bool,
    /// and with this field, an integer or (`true`) any value that can be counted apart.
    pub field: Option<(Path, bool)>,
}

/// One window and what is measured in it.
#[derive(Debug)]
pub struct WindowPlan {
    /// Its bounds.
    pub window: Window,
    /// What is kept up while it slides, each once.
    pub totals: Vec<Total>,
    /// The counters that read it.
    pub readers: Vec<Reader>,
}

/// Something kept up over the rows of a window that have a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The bit that a row must have.
    pub predicate: usize,
    /// What is kept.
    pub kind: TotalKind,
}

/// What a [`Total`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalKind {
    /// The number of rows.
    Count,
    /// The sum of an integer of the row.
    Sum(usize),
    /// How often each integer of the row occurs.
    Extremes(usize),
    /// How often each value of the row occurs.
    Distinct(usize),
}

/// How a counter is read off the totals of its window.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// The counter's place in the ruleset.
    pub counter: usize,
    /// What it says.
    pub kind: ReaderKind,
    /// Does it speak although a key field is absent?
    pub group_missing: bool,
}

/// What a [`Reader`] reads; the numbers are places among the window's totals.
#[derive(Debug, Clone, Copy)]
pub enum ReaderKind {
    /// A count.
    Count(usize),
    /// A sum.
    Sum(usize),
    /// A sum over a count.
    Mean(usize, usize),
    /// The least value.
    Min(usize),
    /// The greatest value.
    Max(usize),
    /// The time of the first row with the bit of this total, a count: rows are in order of time.
    First(usize),
    /// The time of its last row.
    Last(usize),
    /// The number of values.
    Distinct(usize),
}

impl ReaderKind {
    /// The total that its own events stand in.
    pub fn total(self) -> usize {
        match self {
            ReaderKind::Count(at)
            | ReaderKind::Sum(at)
            | ReaderKind::Mean(at, _)
            | ReaderKind::Min(at)
            | ReaderKind::Max(at)
            | ReaderKind::First(at)
            | ReaderKind::Last(at)
            | ReaderKind::Distinct(at) => at,
        }
    }
}

/// A row is a few 64-bit words: its time and bits, then further bits, its integers, and its values
/// in halves of words.
#[derive(Debug, Clone, Copy)]
pub struct RowLayout {
    /// Words a row.
    pub stride: usize,
    /// The word of the first integer.
    pub integers_at: usize,
    /// The word of the first two values.
    pub values_at: usize,
}

/// Bits beside the time in the first word of a row; times are below 2^48 ms.
pub const INLINE_BITS: usize = 16;

impl ListPlan {
    /// Plans the counters of a ruleset: one plan a list of key fields, in the order of first
    /// mention.
    pub fn plan(counters: &[Counter]) -> Vec<ListPlan> {
        let mut plans: Vec<ListPlan> = Vec::new();
        for (place, counter) in counters.iter().enumerate() {
            let at = plans.iter().position(|p| p.key == counter.key).unwrap_or_else(|| {
                plans.push(ListPlan::empty(counter.key.clone()));
                plans.len() - 1
            });
            plans[at].add(place, counter);
        }
        for plan in &mut plans {
            let bit_words = plan.predicates.len().saturating_sub(INLINE_BITS).div_ceil(64);
            let integers_at = 1 + bit_words;
            let values_at = integers_at + plan.integers.len();
            let stride = values_at + plan.values.len().div_ceil(2);
            plan.row = RowLayout { stride, integers_at, values_at };
        }
        plans
    }

    fn empty(key: Vec<Path>) -> ListPlan {
        ListPlan {
            key,
            predicates: Vec::new(),
            groups_missing: false,
            integers: Vec::new(),
            values: Vec::new(),
            windows: Vec::new(),
            reach_ms: 0,
            row: RowLayout { stride: 0, integers_at: 0, values_at: 0 },
        }
    }

    fn add(&mut self, place: usize, counter: &Counter) {
        let apart = matches!(counter.measure, Measure::Distinct(_));
        let predicate = Predicate {
            types: counter.types,
            filter: counter.filter,
            currency: counter.currency.clone(),
            full_key: !counter.group_missing,
            field: counter.measure.field().filter(|f| !always_there(f)).map(|f| (f.clone(), apart)),
        };
        let bit = place_of(&mut self.predicates, predicate);
        let integers = &mut self.integers;
        let values = &mut self.values;
        let at = self.windows.iter().position(|w| w.window == counter.window).unwrap_or_else(|| {
            let (totals, readers) = (Vec::new(), Vec::new());
            self.windows.push(WindowPlan { window: counter.window, totals, readers });
            self.windows.len() - 1
        });
        let totals = &mut self.windows[at].totals;
        let mut total = |kind| place_of(totals, Total { predicate: bit, kind });
        let time = |path: &Path| *path == Path::Field(Field::EventTime);
        let kind = match &counter.measure {
            Measure::Count => ReaderKind::Count(total(TotalKind::Count)),
            Measure::Sum(f) => {
                ReaderKind::Sum(total(TotalKind::Sum(place_of(integers, f.clone()))))
            }
            Measure::Mean(f) => ReaderKind::Mean(
                total(TotalKind::Sum(place_of(integers, f.clone()))),
                total(TotalKind::Count),
            ),
            Measure::Min(f) if time(f) => ReaderKind::First(total(TotalKind::Count)),
            Measure::Max(f) if time(f) => ReaderKind::Last(total(TotalKind::Count)),
            Measure::Min(f) => {
                ReaderKind::Min(total(TotalKind::Extremes(place_of(integers, f.clone()))))
            }
            Measure::Max(f) => {
                ReaderKind::Max(total(TotalKind::Extremes(place_of(integers, f.clone()))))
            }
            Measure::Distinct(f) => {
                ReaderKind::Distinct(total(TotalKind::Distinct(place_of(values, f.clone()))))
            }
        };
        let group_missing = counter.group_missing;
        self.windows[at].readers.push(Reader { counter: place, kind, group_missing });
        self.groups_missing |= group_missing;
        self.reach_ms = self.reach_ms.max(counter.window.reach_ms());
    }
}

/// Is there no event without this field?
fn always_there(path: &Path) -> bool {
    matches!(path, Path::Field(Field::EventTime | Field::EventId | Field::AccountId | Field::Type))
}

fn place_of<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter().position(|x| *x == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}
