//! The counters of one partition: the way of an event through the groups of lists that count it.
//! Finds no owner itself (`group` does), reads no window (`walk` and `series` do), and knows no rule.

mod look;

use crate::{
    event::{Event, Field, Path, Scalar},
    stream::{Sink, Source},
};

use super::{
    Hasher,
    calendar::{Bounds, Calendar},
    facts::{self, Facts},
    group::Group,
    keys::Keys,
    mark::Mark,
    owner::{self, Owner, OwnerState},
    plan::{GroupPlan, ListPlan, Plan},
    rows::{Bit, Rows},
    series::{self, Series},
    spec::{Counter, Reading, Window},
    values::Values,
    walk::{Asked, Walk},
};

pub use super::{
    owner::KeyLook,
    values::{Kind, ValueState},
};

/// The counters' state of one partition.
#[derive(Debug)]
pub struct Store {
    plan: Plan,
    /// By list, its group.
    group_of: Vec<usize>,
    groups: Vec<Group>,
    calendar: Calendar,
    hasher: Hasher,
    lateness_ms: i64,
    limit: usize,
    /// By counter: values met that it can do nothing with.
    unusable: Vec<u64>,
    /// By group: events that the bound on a key drove out.
    evicted: Vec<u64>,
    facts: Facts,
    /// By group.
    marks: Vec<Mark>,
    /// A row of one list.
    row: Vec<u64>,
    walk: Walk,
    name: Vec<u8>,
}

/// What an event sees of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It only counts; nobody asks for its counters.
    Blind,
    /// Its counters are read.
    Reads,
}

/// The counters' state as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreState {
    /// By group of lists, the owners by name, in no order.
    pub groups: Vec<Vec<(Vec<u8>, OwnerState)>>,
}

/// How much is kept for one group of lists: those of accounts, or those of one other key.
#[derive(Debug, Clone)]
pub struct GroupSize {
    /// The fields that name an owner.
    pub owner: Vec<Path>,
    /// Owners of whom something is kept.
    pub owners: usize,
    /// Their keys.
    pub keys: usize,
    /// Events kept for them.
    pub rows: usize,
    /// The memory that they take, in bytes, about.
    pub bytes: usize,
}

impl GroupSize {
    /// What is kept elsewhere for the same group, too.
    pub fn add(&mut self, more: &GroupSize) {
        self.owners += more.owners;
        self.keys += more.keys;
        self.rows += more.rows;
        self.bytes += more.bytes;
    }
}

impl Store {
    /// A store without keys.
    ///
    /// `lateness_ms`: how far behind the clock an event may be and still see its counters;
    /// `limit`: the most rows a key.
    pub fn new(counters: &[Counter], calendar: Calendar, lateness_ms: i64, limit: usize) -> Store {
        let hasher = Hasher::default();
        let plan = Plan::new(counters);
        let group = |plan: &GroupPlan| {
            Group::new(plan.reach_ms.saturating_add(lateness_ms), hasher.clone())
        };
        let mut group_of = vec![usize::MAX; plan.lists.len()];
        for (at, group) in plan.groups.iter().enumerate() {
            group.lists.iter().for_each(|list| group_of[*list] = at);
        }
        Store {
            group_of,
            groups: plan.groups.iter().map(group).collect(),
            marks: plan.groups.iter().map(Mark::new).collect(),
            row: Vec::new(),
            facts: Facts::new(&plan),
            evicted: vec![0; plan.groups.len()],
            plan,
            calendar,
            lateness_ms,
            limit,
            unusable: vec![0; counters.len()],
            walk: Walk::default(),
            name: Vec::new(),
            hasher,
        }
    }

    /// Touches what these events will need, so that it is in the cache when they come; the clock
    /// will be at `clock_ms` then. Changes nothing.
    pub fn warm<'e>(&mut self, events: impl Iterator<Item = &'e Event<'e>> + Clone, clock_ms: i64) {
        let Store { plan, groups, name, .. } = self;
        for (group_plan, group) in plan.groups.iter().zip(groups) {
            for event in events.clone() {
                group.expect(name_of(event, plan, group_plan, name));
            }
            group.warm(clock_ms);
        }
    }

    /// Counts an accepted event in all its windows and, if asked, reads its counters, itself
    /// included. `filters` says by filter whether it holds; `clock_ms` is the clock after it, and
    /// `place` its place in the log.
    ///
    /// Returns whether a window that was read begins before an event that a bound drove out.
    pub fn observe(
        &mut self,
        event: &Event<'_>,
        filters: &[bool],
        clock_ms: i64,
        place: u64,
        sight: Sight,
        readings: &mut [Option<Reading>],
    ) -> bool {
        readings.fill(None);
        self.facts.look(event, &self.plan);
        let mut degraded = false;
        for at in 0..self.groups.len() {
            degraded |= self.observe_in(
                at,
                event,
                filters,
                clock_ms,
                place,
                sight == Sight::Reads,
                readings,
            );
            let (group, plan) = (&mut self.groups[at], &self.plan);
            group.look_at_some(&plan.groups[at], plan, self.lateness_ms, clock_ms);
        }
        degraded
    }

    #[allow(clippy::too_many_arguments, reason = "those of `observe`, and which group")]
    fn observe_in(
        &mut self,
        at: usize,
        event: &Event<'_>,
        filters: &[bool],
        clock_ms: i64,
        place_in_log: u64,
        reads: bool,
        readings: &mut [Option<Reading>],
    ) -> bool {
        let Store { plan, groups, hasher, facts, marks, name, walk, row, calendar, .. } = self;
        let (group, owners) = (&plan.groups[at], &mut groups[at]);
        let (mark, limit, lateness_ms) = (&mut marks[at], self.limit, self.lateness_ms);
        mark.make(group, plan, event, facts, filters, &mut self.unusable);
        let reachable_ms = |reach_ms: i64| clock_ms.saturating_sub(lateness_ms + reach_ms);
        let due_ms = |reach_ms: i64| clock_ms.saturating_add(lateness_ms + reach_ms);
        let counts = mark.counts && event.time > reachable_ms(group.reach_ms);
        if !counts && !reads {
            return false;
        }
        let name = name_of(event, plan, group, name);
        let hash = owners.hash(name);
        let place = match owners.find(hash, name) {
            Some(place) => place,
            None if counts => owners.add(hash, name, due_ms(group.reach_ms)),
            None => {
                for (list, full_key) in group.lists.iter().zip(&mark.full_key) {
                    nothing(&plan.lists[*list], *full_key, readings);
                }
                return false;
            }
        };
        let owner = owners.at(place);
        facts.hold(event, plan, group, &mut owner.values, hasher);
        mark.set_values(group, facts, place_in_log);
        let mut held_by_row = false;
        let mut asked = Asked { facts, time_ms: event.time, calendar };
        if owner.keys.is_none() {
            owner.forget(group, reachable_ms(group.reach_ms), hasher);
            let few = owner::FEW.min(limit);
            if counts && !owner.rows.more_than(few - 1, group.row.stride) {
                owner.rows.insert(&mark.row);
                held_by_row = true;
            } else if counts {
                let due_ms = due_ms(group.least_reach_ms);
                let reachable_ms = |list: &ListPlan| reachable_ms(list.reach_ms);
                self.evicted[at] += owner.spread(group, plan, reachable_ms, due_ms, limit, hasher);
                owners.look_at(place, due_ms);
            }
        }
        let mut degraded = false;
        let Owner { values, rows, keys } = owners.at(place);
        match keys {
            None if reads => {
                let stride = group.row.stride;
                walk.read(&group.chains, rows.words(), stride, &mut asked, &mark.full_key, readings)
            }
            None => {}
            Some(keys) => {
                for (list, full_key) in group.lists.iter().zip(&mark.full_key) {
                    let list_plan = &plan.lists[*list];
                    let until_ms = reachable_ms(list_plan.reach_ms);
                    let counts =
                        counts && list_plan.take_row(&mark.row, row) && event.time > until_ms;
                    let speaks = reads && (*full_key || list_plan.groups_missing);
                    if !counts && !speaks {
                        continue;
                    }
                    let Some(series) =
                        series_of(*list, list_plan, counts, asked.facts, keys, values, hasher)
                    else {
                        nothing(list_plan, *full_key, readings);
                        continue;
                    };
                    series.forget(list_plan, until_ms, values, hasher);
                    if counts {
                        let evicts = series.insert(list_plan, row, limit, values, hasher);
                        self.evicted[at] += u64::from(evicts);
                    }
                    if speaks {
                        series.read(list_plan, &mut asked, *full_key, walk, readings);
                        degraded |= series.is_degraded(list_plan, &mut asked, *full_key);
                    }
                }
            }
        }
        if !held_by_row {
            facts.let_go(group, values, hasher);
        }
        degraded
    }

    /// Does a counter count the event that was observed last?
    pub fn counts(&self, counter: usize) -> bool {
        let (list, predicate) = self.plan.counters[counter];
        let bit = Bit::nth(self.plan.lists[list].first_bit + predicate);
        let mark = self.marks.get(self.group_of[list]);
        mark.is_some_and(|mark| bit.is_in(&mark.row))
    }

    /// The bounds of a counter's window at a time.
    pub fn bounds(&mut self, window: Window, time_ms: i64) -> Bounds {
        self.calendar.bounds(window, time_ms)
    }

    /// An event, as it is remembered, stands no longer.
    pub fn fall(&mut self, event: &Event<'_>, place: u64) {
        for at in 0..self.groups.len() {
            if self.plan.groups[at].standing.is_empty() {
                continue;
            }
            self.with_owner(at, event, |owner, group, plan, facts, hasher| {
                let Owner { values, rows, keys } = owner;
                match (keys, group.identity) {
                    (Some(keys), _) => {
                        for list in &group.lists {
                            let list_plan = &plan.lists[*list];
                            let series =
                                series_of(*list, list_plan, false, facts, keys, values, hasher);
                            if let Some(series) = series {
                                series.fall(list_plan, event.time, place as u32);
                            }
                        }
                    }
                    (None, Some(identity)) => {
                        let stride = group.row.stride;
                        if let Some(at) = rows.find(stride, event.time, identity, place as u32) {
                            let row = rows.row_mut(stride, at);
                            group.standing.iter().for_each(|bit| bit.clear(row));
                        }
                    }
                    (None, None) => {}
                }
            });
        }
    }

    /// Does the key of an event, for a counter that asks which events it counts, keep the one of
    /// this time and place in the log?
    pub fn keeps(&mut self, event: &Event<'_>, counter: usize, time_ms: i64, place: u64) -> bool {
        let (list, _) = self.plan.counters[counter];
        self.with_list(list, event, |series, list_plan, rows, group| match series {
            Some(series) => series.keeps(list_plan, time_ms, place as u32),
            None => group.identity.is_some_and(|identity| {
                rows.find(group.row.stride, time_ms, identity, place as u32).is_some()
            }),
        })
        .unwrap_or(false)
    }

    /// The greatest time of an event that the bound on rows drove out of a counter's key at this
    /// event, in epoch ms.
    pub fn dropped_ms(&mut self, event: &Event<'_>, counter: usize) -> Option<i64> {
        let (list, _) = self.plan.counters[counter];
        self.with_list(list, event, |series, _, _, _| series?.dropped_ms()).flatten()
    }

    /// Does something with the key of an event in a list: its series, or the few rows of its owner.
    fn with_list<T>(
        &mut self,
        list: usize,
        event: &Event<'_>,
        act: impl FnOnce(Option<&mut Series>, &ListPlan, &Rows<0>, &GroupPlan) -> T,
    ) -> Option<T> {
        self.with_owner(self.group_of[list], event, |owner, group, plan, facts, hasher| {
            let Owner { values, rows, keys } = owner;
            let list_plan = &plan.lists[list];
            let Some(keys) = keys else { return Some(act(None, list_plan, rows, group)) };
            let series = series_of(list, list_plan, false, facts, keys, values, hasher)?;
            Some(act(Some(series), list_plan, rows, group))
        })
        .flatten()
    }

    /// Does something with the owner of an event in a group, if there is one.
    fn with_owner<T>(
        &mut self,
        at: usize,
        event: &Event<'_>,
        act: impl FnOnce(&mut Owner, &GroupPlan, &Plan, &Facts, &Hasher) -> T,
    ) -> Option<T> {
        let Store { plan, groups, hasher, facts, name, .. } = self;
        let (group, owners) = (plan.groups.get(at)?, groups.get_mut(at)?);
        facts.look(event, plan);
        let name = name_of(event, plan, group, name);
        let place = owners.find(owners.hash(name), name)?;
        let owner = owners.at(place);
        facts.hold(event, plan, group, &mut owner.values, hasher);
        let done = act(owner, group, plan, facts, hasher);
        facts.let_go(group, &mut owner.values, hasher);
        Some(done)
    }

    /// The paths that name the keys of counters that ask whether an event stands.
    pub fn paths(&self) -> Vec<Path> {
        let groups = self.plan.groups.iter().filter(|group| !group.standing.is_empty());
        let lists = groups.flat_map(|group| &group.lists).map(|list| &self.plan.lists[*list]);
        let mut paths: Vec<Path> = lists.flat_map(|list| list.fields.clone()).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// By counter: how many values it met that it can do nothing with.
    pub fn unusable(&self) -> &[u64] {
        &self.unusable
    }

    /// By group: how many events the bound on a key drove out.
    pub fn evicted(&self) -> &[u64] {
        &self.evicted
    }

    /// Begins to tally anew.
    pub fn forget_tallies(&mut self) {
        self.unusable.fill(0);
        self.evicted.fill(0);
    }

    /// How many owners there are.
    pub fn owner_count(&self) -> usize {
        self.groups.iter().map(Group::owner_count).sum()
    }

    /// What is kept, by group of lists.
    pub fn sizes(&self) -> Vec<GroupSize> {
        self.groups
            .iter()
            .zip(&self.plan.groups)
            .map(|(group, of)| group.size(of, &self.plan))
            .collect()
    }

    /// The state as plain data.
    pub fn snapshot(&self) -> StoreState {
        StoreState { groups: self.groups.iter().map(Group::snapshot).collect() }
    }

    /// Puts the state into a stream.
    ///
    /// # Errors
    /// The stream takes no more.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        self.groups.iter().try_for_each(|group| group.write(to))
    }

    /// Takes the state of a stream, which was written under the same counters, into an empty store; the
    /// clock is at `clock_ms`.
    ///
    /// # Errors
    /// The stream has something else.
    pub fn fill<S: Source>(&mut self, from: &mut S, clock_ms: i64) -> Result<(), S::Error> {
        let Store { plan, groups, .. } = self;
        let groups = plan.groups.iter().zip(groups);
        groups.into_iter().try_for_each(|(of, group)| group.fill(of, plan, from, clock_ms))
    }

    /// Takes the state of a snapshot, which was made under the same counters, into an empty store;
    /// the clock is at `clock_ms`.
    pub fn restore(&mut self, state: StoreState, clock_ms: i64) {
        let Store { plan, groups, .. } = self;
        for ((group_plan, group), owners) in plan.groups.iter().zip(groups).zip(state.groups) {
            for (name, state) in owners {
                group.restore(group_plan, plan, &name, state, clock_ms);
            }
        }
    }
}

/// The name of the owner of an event in a group: the account as it is, or the values of the key,
/// which are put together in `room`.
#[must_use]
#[inline]
fn name_of<'n>(
    event: &Event<'n>,
    plan: &Plan,
    group: &GroupPlan,
    room: &'n mut Vec<u8>,
) -> &'n [u8] {
    if let [path] = group.owner[..]
        && plan.paths[path] == Path::Field(Field::AccountId)
    {
        return event.account().as_bytes();
    }
    room.clear();
    for path in &group.owner {
        match facts::value(event, &plan.paths[*path]) {
            None | Some(Scalar::Double(_)) => room.push(0),
            Some(Scalar::Text(text)) => {
                room.extend_from_slice(&[1, text.len() as u8, (text.len() >> 8) as u8]);
                room.extend_from_slice(text.as_bytes());
            }
            Some(Scalar::Int(integer)) => {
                room.push(2);
                room.extend_from_slice(&integer.to_le_bytes());
            }
            Some(Scalar::Bool(flag)) => room.push(3 + u8::from(flag)),
        }
    }
    room
}

/// The series of an event's key in a list. It is made if there is none and the event counts.
#[inline]
fn series_of<'k>(
    list: usize,
    plan: &ListPlan,
    counts: bool,
    facts: &Facts,
    keys: &'k mut Keys,
    values: &mut Values,
    hasher: &Hasher,
) -> Option<&'k mut Series> {
    let (key, tuple) = owner::key_of(list, plan, |path| facts.at(path).number, values, hasher);
    let place = match keys.find(&key, hasher) {
        None if counts => Some(keys.add(key, Series::default(), values, hasher)),
        place => place,
    };
    values.release(tuple, hasher);
    place.map(|place| keys.at(place))
}

/// Reads the counters of a list off a key that has nothing.
fn nothing(plan: &ListPlan, full_key: bool, readings: &mut [Option<Reading>]) {
    let readers = plan.windows.iter().flat_map(|window| &window.readers);
    for reader in readers.filter(|reader| full_key || reader.group_missing) {
        readings[reader.counter] = series::nothing(reader.kind);
    }
}
