//! How counters share what is kept: one list of events a key, one row an event, one cursor a
//! window. Made once from the counters; knows no event and no value.

use crate::event::{Field, Path};

use super::{
    rows::{Bit, Half},
    spec::{Counter, Measure, Types, Window},
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
}

/// Lists whose keys lie together: those of an account, or one list of other keys.
#[derive(Debug)]
pub struct GroupPlan {
    /// The paths that name the owner.
    pub owner: Vec<usize>,
    /// The lists.
    pub lists: Vec<usize>,
    /// The paths whose values they tell apart, in the rest of a key or in a distinct count.
    pub told_apart: Vec<usize>,
    /// How far back the window of any of its lists can begin at least, in ms.
    pub least_reach_ms: i64,
}

/// All counters over one list of key fields.
#[derive(Debug)]
pub struct ListPlan {
    /// The fields of the key, sorted.
    pub fields: Vec<Path>,
    /// Their paths.
    pub key: Vec<usize>,
    /// Those of them that do not name the owner.
    pub rest: Vec<usize>,
    /// Which events a counter counts, each kind once; its place is its bit in a row.
    pub predicates: Vec<Predicate>,
    /// Does a counter with an absent key field exist?
    pub groups_missing: bool,
    /// The paths of the integers of a row.
    pub integers: Vec<usize>,
    /// The paths of the values of a row that are told apart.
    pub values: Vec<usize>,
    /// The windows, each once, with what is measured in them.
    pub windows: Vec<WindowPlan>,
    /// The windows again, by where they end.
    pub chains: Vec<Chain>,
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
    /// and with this field (a path), an integer or (`true`) any value that can be told apart.
    pub field: Option<(usize, bool)>,
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

/// Windows that end at the same time, so that a longer one holds all of a shorter one.
#[derive(Debug)]
pub struct Chain {
    /// How long before the event they end, in ms.
    delay_ms: i64,
    /// The windows, the shortest first,
    pub windows: Vec<usize>,
    /// if their lengths are fixed: those of a local day and month are not.
    pub fixed: bool,
    /// What is measured in any of them, each once.
    pub totals: Vec<Total>,
}

/// Something kept up over the rows of a window that have a bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Which events it is over,
    pub predicate: usize,
    /// and the bit that their rows have.
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

/// How a counter is read off the totals of its window.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// The counter's place in the ruleset.
    pub counter: usize,
    /// What it says, off the totals of its window.
    pub kind: ReaderKind,
    /// The same, off the totals of the chain that its window is in.
    pub in_chain: ReaderKind,
    /// Does it speak although a key field is absent?
    pub group_missing: bool,
}

/// What a [`Reader`] reads; the numbers are places among the totals of a window or a chain.
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

impl ReaderKind {
    /// The total that its own events stand in.
    pub fn total(self) -> usize {
        match self {
            ReaderKind::Count(at)
            | ReaderKind::Sum(at)
            | ReaderKind::Mean(at, _)
            | ReaderKind::Min(at)
            | ReaderKind::Max(at)
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
    values_at: usize,
}

impl RowLayout {
    /// Where the value of a column stands.
    #[inline]
    pub fn value(self, column: usize) -> Half {
        Half::nth(self.values_at, column)
    }
}

impl Plan {
    /// Plans the counters of a ruleset.
    pub fn new(counters: &[Counter]) -> Plan {
        let mut plan = Plan::default();
        let mut lists = Vec::new();
        for counter in counters {
            let at = plan.lists.iter().position(|l| l.fields == counter.key).unwrap_or_else(|| {
                let key = counter.key.iter().map(|path| plan.path(path)).collect();
                plan.lists.push(ListPlan::empty(counter.key.clone(), key));
                plan.lists.len() - 1
            });
            let path = counter.measure.field().map(|field| plan.path(field));
            plan.lists[at].make_room(counter, path);
            lists.push((at, path));
        }
        plan.group();
        plan.lists.iter_mut().for_each(ListPlan::lay_out);
        for (place, (counter, (list, path))) in counters.iter().zip(lists).enumerate() {
            plan.lists[list].measure(place, counter, path);
        }
        for ListPlan { chains, windows, .. } in &mut plan.lists {
            for chain in chains {
                let window = |at: &usize| windows[*at].window;
                chain.windows.sort_by_key(|at| window(at).reach_ms());
                chain.fixed = chain.windows.iter().all(|at| window(at).is_fixed());
            }
        }
        plan
    }

    fn path(&mut self, path: &Path) -> usize {
        place_of(&mut self.paths, path.clone())
    }

    /// Puts the lists of accounts together, and every other one by itself.
    fn group(&mut self) {
        let account = Path::Field(Field::AccountId);
        let mut of_accounts = None;
        for (at, list) in self.lists.iter_mut().enumerate() {
            let of_account = list.fields.contains(&account);
            let owns = |path: &usize| !of_account || self.paths[*path] == account;
            let (owner, rest): (Vec<usize>, Vec<usize>) =
                list.key.iter().copied().partition(|path| owns(path));
            let group = of_accounts.filter(|_| of_account).unwrap_or_else(|| {
                let (lists, told_apart) = (Vec::new(), Vec::new());
                self.groups.push(GroupPlan { owner, lists, told_apart, least_reach_ms: i64::MAX });
                self.groups.len() - 1
            });
            if of_account {
                of_accounts = Some(group);
            }
            let group = &mut self.groups[group];
            group.lists.push(at);
            group.least_reach_ms = group.least_reach_ms.min(list.reach_ms);
            for path in rest.iter().chain(&list.values) {
                place_of(&mut group.told_apart, *path);
            }
            list.rest = rest;
        }
    }
}

impl ListPlan {
    fn empty(fields: Vec<Path>, key: Vec<usize>) -> ListPlan {
        ListPlan {
            fields,
            key,
            rest: Vec::new(),
            predicates: Vec::new(),
            groups_missing: false,
            integers: Vec::new(),
            values: Vec::new(),
            windows: Vec::new(),
            chains: Vec::new(),
            reach_ms: 0,
            row: RowLayout { stride: 0, integers_at: 0, values_at: 0 },
        }
    }

    /// Makes room in its rows for what a counter needs; `path` is of the field that it measures.
    fn make_room(&mut self, counter: &Counter, path: Option<usize>) {
        place_of(&mut self.predicates, predicate(counter, path));
        if let Some(path) = path {
            match counter.measure {
                Measure::Distinct(_) => _ = place_of(&mut self.values, path),
                _ if is_of_time(counter) => {}
                _ => _ = place_of(&mut self.integers, path),
            }
        }
        self.groups_missing |= counter.group_missing;
        self.reach_ms = self.reach_ms.max(counter.window.reach_ms());
    }

    fn lay_out(&mut self) {
        let integers_at = 1 + Bit::words_beyond_first(self.predicates.len());
        let values_at = integers_at + self.integers.len();
        let stride = values_at + self.values.len().div_ceil(2);
        self.row = RowLayout { stride, integers_at, values_at };
    }

    /// Plans how a counter is kept and read, in rows that are laid out.
    fn measure(&mut self, place: usize, counter: &Counter, path: Option<usize>) {
        let predicate = place_of(&mut self.predicates, predicate(counter, path));
        let bit = Bit::nth(predicate);
        let at =
            self.windows.iter().position(|w| w.window == counter.window).unwrap_or_else(|| {
                let (totals, readers) = (Vec::new(), Vec::new());
                self.windows.push(WindowPlan { window: counter.window, totals, readers });
                self.windows.len() - 1
            });
        let delay_ms = counter.window.delay_ms();
        let chain = self.chains.iter().position(|c| c.delay_ms == delay_ms).unwrap_or_else(|| {
            let (windows, totals) = (Vec::new(), Vec::new());
            self.chains.push(Chain { delay_ms, windows, fixed: true, totals });
            self.chains.len() - 1
        });
        place_of(&mut self.chains[chain].windows, at);

        let integer = || self.integers.iter().position(|integer| Some(*integer) == path);
        let value = || self.values.iter().position(|value| Some(*value) == path);
        let word = self.row.integers_at + integer().unwrap_or_default();
        let kept = match counter.measure {
            Measure::Count => TotalKind::Count,
            Measure::Sum(_) | Measure::Mean(_) => TotalKind::Sum(word),
            Measure::Min(_) | Measure::Max(_) if is_of_time(counter) => TotalKind::Times,
            Measure::Min(_) | Measure::Max(_) => TotalKind::Extremes(word),
            Measure::Distinct(_) => TotalKind::Distinct(self.row.value(value().unwrap_or_default())),
        };
        let reads = |totals: &mut Vec<Total>| {
            let mut total = |kind| place_of(totals, Total { predicate, bit, kind });
            match counter.measure {
                Measure::Count => ReaderKind::Count(total(kept)),
                Measure::Sum(_) => ReaderKind::Sum(total(kept)),
                Measure::Mean(_) => ReaderKind::Mean(total(kept), total(TotalKind::Count)),
                Measure::Min(_) => ReaderKind::Min(total(kept)),
                Measure::Max(_) => ReaderKind::Max(total(kept)),
                Measure::Distinct(_) => ReaderKind::Distinct(total(kept)),
            }
        };
        let kind = reads(&mut self.windows[at].totals);
        let in_chain = reads(&mut self.chains[chain].totals);
        let group_missing = counter.group_missing;
        self.windows[at].readers.push(Reader { counter: place, kind, in_chain, group_missing });
    }
}

/// Which events a counter counts; `path` is of the field that it measures.
fn predicate(counter: &Counter, path: Option<usize>) -> Predicate {
    let apart = matches!(counter.measure, Measure::Distinct(_));
    let sure = counter.measure.field().is_some_and(always_there);
    Predicate {
        types: counter.types,
        filter: counter.filter,
        currency: counter.currency.clone(),
        full_key: !counter.group_missing,
        field: path.filter(|_| !sure).map(|path| (path, apart)),
    }
}

/// Does it read the time of the event, which every row has?
fn is_of_time(counter: &Counter) -> bool {
    matches!(counter.measure, Measure::Min(_) | Measure::Max(_))
        && counter.measure.field() == Some(&Path::Field(Field::EventTime))
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
