//! How counters share what is kept: one list of events a key, one row an event, one cursor a
//! window. Made once from the counters (see `make`); knows no event and no value.

mod make;

use crate::event::Path;

use super::{
    facts::Paths,
    rows::{self, Bit, Half, Row},
    spec::{Types, Window},
};

/// All counters of a ruleset.
#[derive(Debug, Default)]
pub struct Plan {
    /// What they read of an event, each path once; elsewhere a path is its place here.
    pub paths: Vec<Path>,
    /// One a list of key fields, in the order of first mention.
    pub lists: Vec<ListPlan>,
    /// The lists by what owns their keys.
    pub groups: Vec<GroupPlan>,
    /// By counter, its list and the place of its predicate there.
    pub counters: Vec<(usize, usize)>,
}

/// Lists whose keys lie together: those of an account, or one list of other keys.
///
/// An owner with few events keeps one row an event, for all lists; one with many keeps a row an
/// event and list, by key.
#[derive(Debug)]
pub struct GroupPlan {
    /// The paths that name the owner.
    pub owner: Vec<usize>,
    /// The lists.
    pub lists: Vec<usize>,
    /// The paths whose values they tell apart, in the rest of a key or in a distinct count.
    told_apart: Vec<usize>,
    /// These paths, and where their values stand in a row for all lists.
    pub values: Vec<(usize, Half)>,
    /// The paths of the integers of a row for all lists.
    pub integers: Vec<usize>,
    /// Where a row for all lists has the place of its event in the log, if any counter asks which
    /// events it counts.
    pub identity: Option<Half>,
    /// The bits of the counters that ask whether an event stands.
    pub standing: Vec<Bit>,
    /// How a row for all lists is laid out.
    pub row: RowLayout,
    /// How the counters of all lists are read off such rows.
    pub chains: Vec<Chain>,
    /// How far back of an event's time any window of its lists can begin, in ms,
    pub reach_ms: i64,
    /// and, of the list where that is least, how far.
    pub least_reach_ms: i64,
}

/// All counters over one list of key fields.
#[derive(Debug)]
pub struct ListPlan {
    /// The fields of the key, sorted.
    pub fields: Vec<Path>,
    /// Their paths,
    pub key: Vec<usize>,
    /// and the same to be asked for at once, unless one is beyond those that can be.
    pub key_at_once: Option<Paths>,
    /// Those of them that do not name the owner.
    pub rest: Vec<usize>,
    /// Which events a counter counts, each kind once; its place is its bit in a row of the list.
    pub predicates: Vec<Predicate>,
    /// By predicate, the counters that count what it holds for.
    pub counters_of: Vec<Vec<usize>>,
    /// The place of the first of these bits in a row for all lists.
    pub first_bit: usize,
    /// How many bits it has,
    pub bits: usize,
    /// and the place of the one that says that anything counts the event, if events may fall.
    pub presence: Option<usize>,
    /// By type of event, what is known of the predicates beforehand.
    pub by_type: Vec<Beforehand>,
    /// Does a counter with an absent key field exist?
    pub groups_missing: bool,
    /// The paths of the integers of a row.
    integers: Vec<usize>,
    /// The paths of the values of a row that are told apart.
    values: Vec<usize>,
    /// Where these stand in a row for all lists.
    integers_from: Vec<usize>,
    values_from: Vec<Half>,
    identity_from: Option<Half>,
    /// The windows, each once, with what is measured in them.
    pub windows: Vec<WindowPlan>,
    /// How the counters are read off few rows.
    pub chains: Vec<Chain>,
    /// How far back of an event's time any of its windows can begin, in ms.
    pub reach_ms: i64,
    /// Does any counter ask which events it counts: whether they stand, or to reach back?
    identified: bool,
    /// Where a row has the place of its event in the log, if so.
    pub identity: Option<Half>,
    /// The bits of the counters that ask whether an event stands.
    pub standing: Vec<Bit>,
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
    /// only while it stands,
    pub standing: bool,
    /// and with this field (a path), an integer or (`true`) any value that can be told apart.
    pub field: Option<(usize, bool)>,
}

/// What is known of an event by its type alone, if it has all fields of the key.
#[derive(Debug)]
pub struct Beforehand {
    /// The words that the bits of these predicates make in a row for all lists: they hold.
    pub hold: Vec<(usize, u64)>,
    /// The predicates that hold if a value stands at a path that can be told apart; they have to be
    /// asked if none does.
    pub valued: Vec<(Paths, usize)>,
    /// The predicates that have to be asked; the rest do not hold.
    pub asked: Vec<usize>,
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

/// Windows of a list that end at the same time, so that a longer one holds all of a shorter one.
#[derive(Debug)]
pub struct Chain {
    /// The place of the list among those of the group.
    pub list: usize,
    /// What a row of this list has in common with an event: the value of this path, here.
    pub key: Vec<(Half, usize)>,
    /// How long before the event they end, in ms.
    pub delay_ms: i64,
    /// The windows, the shortest first but for those of a local day and month.
    pub windows: Vec<ChainWindow>,
    /// What is measured in any of them, each once, and what is read off it.
    pub totals: Vec<ChainTotal>,
}

/// A window of a chain.
#[derive(Debug)]
pub struct ChainWindow {
    /// Its bounds.
    pub window: Window,
    /// Its length in ms, if it has a fixed one: that of a local day or month is not.
    pub span_ms: Option<i64>,
}

/// Something measured over the rows in the windows of a chain.
#[derive(Debug)]
pub struct ChainTotal {
    /// What it is.
    pub total: Total,
    /// What is read off it, in the order of the windows.
    pub readers: Vec<ChainReader>,
}

/// A counter that is read off a [`ChainTotal`].
#[derive(Debug, Clone, Copy)]
pub struct ChainReader {
    /// The place of its window in the chain.
    pub window: usize,
    /// The counter's place in the ruleset.
    pub counter: usize,
    /// What it says.
    pub says: Says,
    /// Does it speak although a key field is absent?
    pub group_missing: bool,
}

/// What a counter says of a [`ChainTotal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// How many rows, or values, there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The least of them.
    Least,
    /// The greatest of them.
    Greatest,
}

/// Something kept up over the rows of a window that have a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The bit that a row must have.
    pub bit: Bit,
    /// What is kept.
    pub kind: TotalKind,
}

/// What a [`Total`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalKind {
    /// The number of rows.
    Count,
    /// The sum of the integer in a word of the row.
    Sum(usize),
    /// How often each integer in a word of the row occurs.
    Extremes(usize),
    /// How often each value in half a word of the row occurs.
    Distinct(Half),
    /// Their times.
    Times,
}

/// How a counter is read off totals.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// The counter's place in the ruleset.
    pub counter: usize,
    /// What it says.
    pub kind: ReaderKind,
    /// Does it speak although a key field is absent?
    pub group_missing: bool,
}

/// What a [`Reader`] reads; the numbers are places among the totals of a window.
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
    /// The number of values.
    Distinct(usize),
}

/// A row is a few 64-bit words: its time and bits, then further bits, its integers, and its values
/// in halves of words.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowLayout {
    /// Words a row.
    pub stride: usize,
    /// The word of the first integer.
    pub integers_at: usize,
    /// The word of the first two values.
    values_at: usize,
}

impl RowLayout {
    fn new(bits: usize, integers: usize, values: usize) -> RowLayout {
        let integers_at = 1 + Bit::words_beyond_first(bits);
        let values_at = integers_at + integers;
        RowLayout { stride: values_at + values.div_ceil(2), integers_at, values_at }
    }

    /// Where the value of a column stands.
    #[inline]
    pub fn value(self, column: usize) -> Half {
        Half::nth(self.values_at, column)
    }
}

impl GroupPlan {
    /// Where the value of a path stands that is told apart.
    pub fn value(&self, path: usize) -> Half {
        self.row.value(self.told_apart.iter().position(|p| *p == path).unwrap_or(0))
    }
}

impl ListPlan {
    /// How many values its rows have.
    pub fn values(&self) -> usize {
        self.values.len()
    }

    /// Is a row for all lists counted in this one?
    pub fn counts(&self, of_all: &Row) -> bool {
        (0..self.bits).any(|bit| Bit::nth(self.first_bit + bit).is_in(of_all))
    }

    /// Makes the row of this list out of one for all lists. Returns whether anything counts it.
    pub fn take_row(&self, of_all: &Row, row: &mut Vec<u64>) -> bool {
        row.resize(self.row.stride, 0);
        rows::start(row, self.row.integers_at, rows::time_ms(of_all));
        let mut counts = false;
        for bit in 0..self.bits {
            if Bit::nth(self.first_bit + bit).is_in(of_all) {
                Bit::nth(bit).set(row);
                counts = true;
            }
        }
        if counts {
            for (column, from) in self.integers_from.iter().enumerate() {
                row[self.row.integers_at + column] = of_all[*from];
            }
            for (column, from) in self.values_from.iter().enumerate() {
                self.row.value(column).set(row, from.of(of_all));
            }
            if let (Some(identity), Some(from)) = (self.identity, self.identity_from) {
                identity.set(row, from.of(of_all));
            }
        }
        counts
    }
}
