//! The making of a plan: counters are put into lists, rows are laid out, and what each counter reads
//! gets its place. Runs once, before the first event.

use crate::event::{EventType, Field, Path};

use super::{
    super::{
        facts::Paths,
        rows::{Bit, Half},
        spec::{Counter, Measure, Window},
    },
    Beforehand, Chain, ChainReader, ChainTotal, ChainWindow, GroupPlan, ListPlan, Plan, Predicate,
    Reader, ReaderKind, RowLayout, Says, Total, TotalKind, WindowPlan,
};

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
        for group in 0..plan.groups.len() {
            plan.lay_out(group);
        }
        for (place, (counter, (list, path))) in counters.iter().zip(lists).enumerate() {
            plan.measure(list, place, counter, path);
        }
        let chains = plan.lists.iter_mut().flat_map(|list| &mut list.chains);
        let of_groups = plan.groups.iter_mut().flat_map(|group| &mut group.chains);
        chains.chain(of_groups).for_each(Chain::sort);
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
                self.groups.push(GroupPlan::of(owner));
                self.groups.len() - 1
            });
            if of_account {
                of_accounts = Some(group);
            }
            let group = &mut self.groups[group];
            group.lists.push(at);
            group.reach_ms = group.reach_ms.max(list.reach_ms);
            group.least_reach_ms = group.least_reach_ms.min(list.reach_ms);
            for path in rest.iter().chain(&list.values) {
                place_of(&mut group.told_apart, *path);
            }
            for path in &list.integers {
                place_of(&mut group.integers, *path);
            }
            list.rest = rest;
        }
    }

    /// Lays out the rows of a group and of its lists.
    fn lay_out(&mut self, group: usize) {
        let group = &mut self.groups[group];
        let mut bits = 0;
        for list in &group.lists {
            let list = &mut self.lists[*list];
            list.first_bit = bits;
            list.counters_of = vec![Vec::new(); list.predicates.len()];
            // An event that stands no longer keeps its place: a bit more says that it has one.
            let standing = list.predicates.iter().any(|predicate| predicate.standing);
            list.presence = standing.then_some(list.predicates.len());
            list.bits = list.predicates.len() + usize::from(standing);
            bits += list.bits;
            let stands = |(place, predicate): (usize, &Predicate)| {
                predicate.standing.then(|| Bit::nth(place))
            };
            list.standing = list.predicates.iter().enumerate().filter_map(stands).collect();
            let values = list.values.len() + usize::from(list.identified);
            list.row = RowLayout::new(list.bits, list.integers.len(), values);
            list.identity = list.identified.then(|| list.row.value(list.values.len()));
            let stands = |(place, predicate): (usize, &Predicate)| {
                predicate.standing.then(|| Bit::nth(list.first_bit + place))
            };
            group.standing.extend(list.predicates.iter().enumerate().filter_map(stands));
        }
        let identified = group.lists.iter().any(|list| self.lists[*list].identified);
        let values = group.told_apart.len() + usize::from(identified);
        group.row = RowLayout::new(bits, group.integers.len(), values);
        group.identity = identified.then(|| group.row.value(group.told_apart.len()));
        let value = |path: &usize| (*path, group.value(*path));
        group.values = group.told_apart.iter().map(value).collect();
        for list in &group.lists {
            let list = &mut self.lists[*list];
            let integer = |path: &usize| {
                group.row.integers_at + group.integers.iter().position(|p| p == path).unwrap_or(0)
            };
            list.integers_from = list.integers.iter().map(integer).collect();
            list.values_from = list.values.iter().map(|path| group.value(*path)).collect();
            list.identity_from = group.identity;
            list.by_type = EventType::ALL.iter().map(|t| list.by_type(*t, &self.paths)).collect();
        }
    }

    /// Plans how a counter of a list is kept and read; `path` is of the field that it measures.
    fn measure(&mut self, list: usize, place: usize, counter: &Counter, path: Option<usize>) {
        let group = self.groups.iter_mut().find(|group| group.lists.contains(&list));
        let Some(group) = group else { unreachable!("every list is in a group") };
        let place_in_group = group.lists.iter().position(|l| *l == list).unwrap_or(0);
        let list_place = list;
        let list = &mut self.lists[list];
        let predicate = place_of(&mut list.predicates, predicate(counter, path));
        let group_missing = counter.group_missing;
        let reader = |kind| Reader { counter: place, kind, group_missing };
        list.counters_of[predicate].push(place);
        self.counters.push((list_place, predicate));

        let (bit, kept) = (Bit::nth(predicate), list.kept(counter, path));
        let at =
            list.windows.iter().position(|w| w.window == counter.window).unwrap_or_else(|| {
                let (totals, readers) = (Vec::new(), Vec::new());
                list.windows.push(WindowPlan { window: counter.window, totals, readers });
                list.windows.len() - 1
            });
        let WindowPlan { totals, readers, .. } = &mut list.windows[at];
        readers.push(reader(reads(counter, bit, kept, totals)));

        Chain::of(&mut list.chains, 0, counter.window, Vec::new).reads(
            counter,
            place,
            Total { bit, kind: kept },
        );

        let bit = Bit::nth(list.first_bit + predicate);
        let kept = match kept {
            TotalKind::Sum(word) => TotalKind::Sum(list.word_in_group(word)),
            TotalKind::Extremes(word) => TotalKind::Extremes(list.word_in_group(word)),
            TotalKind::Distinct(_) => TotalKind::Distinct(group.value(path.unwrap_or(0))),
            TotalKind::Count | TotalKind::Times => kept,
        };
        let key = || list.rest.iter().map(|path| (group.value(*path), *path)).collect();
        let key: Vec<(Half, usize)> = key();
        Chain::of(&mut group.chains, place_in_group, counter.window, || key).reads(
            counter,
            place,
            Total { bit, kind: kept },
        );
    }
}

impl GroupPlan {
    /// Of owners named by these paths.
    fn of(owner: Vec<usize>) -> GroupPlan {
        GroupPlan {
            owner,
            lists: Vec::new(),
            told_apart: Vec::new(),
            values: Vec::new(),
            integers: Vec::new(),
            identity: None,
            standing: Vec::new(),
            row: RowLayout::default(),
            chains: Vec::new(),
            reach_ms: 0,
            least_reach_ms: i64::MAX,
        }
    }
}

impl Chain {
    /// The chain of a list that a window belongs to.
    fn of(
        chains: &mut Vec<Chain>,
        list: usize,
        window: Window,
        key: impl FnOnce() -> Vec<(Half, usize)>,
    ) -> &mut Chain {
        let delay_ms = window.delay_ms();
        let is_it = |chain: &Chain| chain.list == list && chain.delay_ms == delay_ms;
        let at = chains.iter().position(is_it).unwrap_or_else(|| {
            let (windows, totals) = (Vec::new(), Vec::new());
            chains.push(Chain { list, key: key(), delay_ms, windows, totals });
            chains.len() - 1
        });
        &mut chains[at]
    }

    /// A counter, whose place is this one, is read off a total.
    fn reads(&mut self, counter: &Counter, place: usize, total: Total) {
        let window = counter.window;
        let at = self.windows.iter().position(|of| of.window == window).unwrap_or_else(|| {
            let span_ms = window.is_fixed().then(|| window.reach_ms() - window.delay_ms());
            self.windows.push(ChainWindow { window, span_ms });
            self.windows.len() - 1
        });
        let says = match counter.measure {
            Measure::Count | Measure::Distinct(_) => Says::Count,
            Measure::Sum(_) => Says::Sum,
            Measure::Mean(_) => Says::Mean,
            Measure::Min(_) => Says::Least,
            Measure::Max(_) => Says::Greatest,
        };
        let of = self.totals.iter().position(|of| of.total == total).unwrap_or_else(|| {
            self.totals.push(ChainTotal { total, readers: Vec::new() });
            self.totals.len() - 1
        });
        let group_missing = counter.group_missing;
        let reader = ChainReader { window: at, counter: place, says, group_missing };
        self.totals[of].readers.push(reader);
    }

    /// Puts the shorter windows before the longer ones.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.windows.len()).collect();
        order.sort_by_key(|at| self.windows[*at].window.reach_ms());
        let place = |at: usize| order.iter().position(|other| *other == at).unwrap_or(0);
        for ChainTotal { readers, .. } in &mut self.totals {
            readers.iter_mut().for_each(|reader| reader.window = place(reader.window));
            readers.sort_by_key(|reader| reader.window);
        }
        self.windows.sort_by_key(|of| of.window.reach_ms());
    }
}

impl ListPlan {
    fn empty(fields: Vec<Path>, key: Vec<usize>) -> ListPlan {
        ListPlan {
            fields,
            key_at_once: Paths::of(&key),
            key,
            rest: Vec::new(),
            predicates: Vec::new(),
            counters_of: Vec::new(),
            first_bit: 0,
            bits: 0,
            presence: None,
            by_type: Vec::new(),
            groups_missing: false,
            integers: Vec::new(),
            values: Vec::new(),
            integers_from: Vec::new(),
            values_from: Vec::new(),
            identity_from: None,
            windows: Vec::new(),
            chains: Vec::new(),
            reach_ms: 0,
            identified: false,
            identity: None,
            standing: Vec::new(),
            row: RowLayout::default(),
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
        self.identified |= counter.standing || counter.reached;
        self.reach_ms = self.reach_ms.max(counter.window.reach_ms());
    }

    /// What has to be kept for a counter, off rows of the list.
    fn kept(&self, counter: &Counter, path: Option<usize>) -> TotalKind {
        let integer = || self.integers.iter().position(|integer| Some(*integer) == path);
        let value = || self.values.iter().position(|value| Some(*value) == path);
        let word = self.row.integers_at + integer().unwrap_or(0);
        match counter.measure {
            Measure::Count => TotalKind::Count,
            Measure::Sum(_) | Measure::Mean(_) => TotalKind::Sum(word),
            Measure::Min(_) | Measure::Max(_) if is_of_time(counter) => TotalKind::Times,
            Measure::Min(_) | Measure::Max(_) => TotalKind::Extremes(word),
            Measure::Distinct(_) => TotalKind::Distinct(self.row.value(value().unwrap_or(0))),
        }
    }

    /// Sorts the predicates by what the type of an event says of them.
    fn by_type(&self, event_type: EventType, paths: &[Path]) -> Beforehand {
        let (hold, valued, asked) = (Vec::new(), Vec::new(), Vec::new());
        let mut beforehand = Beforehand { hold, valued, asked };
        for (place, predicate) in self.predicates.iter().enumerate() {
            if !predicate.types.contains(event_type) {
                continue;
            }
            let has_field = predicate.field.is_none_or(|(path, _)| {
                let amount = paths[path] == Path::Field(Field::AmountMinor);
                amount && event_type == EventType::Authorization
            });
            let asks_more = predicate.filter.is_some() || predicate.currency.is_some();
            if !has_field || asks_more {
                let valued = predicate.field.filter(|(_, apart)| *apart && !asks_more);
                match valued.and_then(|(path, _)| Paths::of(&[path])) {
                    Some(path) => beforehand.valued.push((path, place)),
                    None => beforehand.asked.push(place),
                }
                continue;
            }
            let (word, mask) = Bit::nth(self.first_bit + place).word();
            match beforehand.hold.iter_mut().find(|(known, _)| *known == word) {
                Some((_, all)) => *all |= mask,
                None => beforehand.hold.push((word, mask)),
            }
        }
        beforehand
    }

    /// Where the integer in a word of its rows stands in a row for all lists.
    fn word_in_group(&self, word: usize) -> usize {
        self.integers_from[word - self.row.integers_at]
    }
}

/// What a counter reads off totals, which have what it needs from now on.
fn reads(counter: &Counter, bit: Bit, kept: TotalKind, totals: &mut Vec<Total>) -> ReaderKind {
    let mut total = |kind| place_of(totals, Total { bit, kind });
    match counter.measure {
        Measure::Count => ReaderKind::Count(total(kept)),
        Measure::Sum(_) => ReaderKind::Sum(total(kept)),
        Measure::Mean(_) => ReaderKind::Mean(total(kept), total(TotalKind::Count)),
        Measure::Min(_) => ReaderKind::Min(total(kept)),
        Measure::Max(_) => ReaderKind::Max(total(kept)),
        Measure::Distinct(_) => ReaderKind::Distinct(total(kept)),
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
        standing: counter.standing,
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
