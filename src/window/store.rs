//! All keys of one partition: sharded maps that others may read beside the scoring thread, and the
//! forgetting of keys that have gone quiet. Counts nothing itself ([`super::series`] does), and
//! knows no rule.

use std::{collections::BTreeMap, hash::BuildHasher};

use dashmap::{DashMap, SharedValue};

use crate::event::{Event, EventType, Field, Path, Scalar};

use super::{
    Hasher,
    calendar::Calendar,
    plan::{ListPlan, Predicate},
    rows,
    series::{self, Bounds, Series, SeriesState},
    spec::{Counter, Reading, Window},
    value,
};

/// Shards a map: small enough that the growth of one is no pause, few enough to stay in the cache.
const SHARDS: usize = 256;
/// Keys looked at an event and list, to see whether they are quiet.
const LOOKED_AT: usize = 4;

/// The counters' state of one partition.
#[derive(Debug)]
pub struct Store {
    lists: Vec<List>,
    calendar: Calendar,
    hasher: Hasher,
    lateness_ms: i64,
    limit: usize,
    /// By counter: values met that it can do nothing with.
    unusable: Vec<u64>,
    key: Vec<u8>,
    row: Vec<u64>,
    values: Vec<Option<Vec<u8>>>,
    bounds: Vec<Bounds>,
}

/// All keys of one list of key fields.
#[derive(Debug)]
struct List {
    plan: ListPlan,
    /// By bit, the counters whose events it marks.
    counters_of: Vec<Vec<usize>>,
    keys: DashMap<value::Bytes, Series, Hasher>,
    quiet: Wheel,
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StoreState {
    /// By list of key fields, the keys, in no order.
    pub lists: Vec<Vec<(Vec<u8>, SeriesState)>>,
}

impl Store {
    /// A store without keys.
    ///
    /// `lateness_ms`: how far behind the clock an event may be and still see its counters;
    /// `limit`: the most rows a key.
    pub fn new(counters: &[Counter], calendar: Calendar, lateness_ms: i64, limit: usize) -> Store {
        let hasher = Hasher::default();
        let list = |plan: ListPlan| List {
            counters_of: counters_of(&plan),
            keys: DashMap::with_capacity_and_hasher_and_shard_amount(0, hasher.clone(), SHARDS),
            quiet: Wheel::new(plan.reach_ms.saturating_add(lateness_ms)),
            plan,
        };
        Store {
            lists: ListPlan::plan(counters).into_iter().map(list).collect(),
            calendar,
            lateness_ms,
            limit,
            unusable: vec![0; counters.len()],
            key: Vec::new(),
            row: Vec::new(),
            values: Vec::new(),
            bounds: Vec::new(),
            hasher,
        }
    }

    /// Counts an accepted event in all its windows and, if asked, reads its counters, itself
    /// included. `filters` says by filter whether it holds; `clock_ms` is the clock after it.
    ///
    /// Returns whether a window that was read begins before an event that a bound drove out.
    pub fn observe(
        &mut self,
        event: &Event<'_>,
        filters: &[bool],
        clock_ms: i64,
        sight: Sight,
        readings: &mut [Option<Reading>],
    ) -> bool {
        readings.fill(None);
        let mut degraded = false;
        for at in 0..self.lists.len() {
            degraded |= self.observe_in(at, event, filters, clock_ms, sight, readings);
            self.lists[at].forget_quiet(clock_ms, self.lateness_ms, &self.hasher);
        }
        degraded
    }

    fn observe_in(
        &mut self,
        at: usize,
        event: &Event<'_>,
        filters: &[bool],
        clock_ms: i64,
        sight: Sight,
        readings: &mut [Option<Reading>],
    ) -> bool {
        let Store { lists, calendar, hasher, unusable, key, row, values, bounds, .. } = self;
        let List { plan, counters_of, keys, quiet } = &mut lists[at];
        let full_key = series::key_of(plan, event, key);
        if !full_key {
            note_doubles_in_key(plan, counters_of, event, unusable);
            if !plan.groups_missing {
                return false;
            }
        }
        row.resize(plan.row.stride, 0);
        rows::start(row, event.time);
        values.clear();
        values.resize(plan.values.len(), None);
        let marked = mark(plan, counters_of, event, filters, full_key, row, values, unusable);
        let reads = sight == Sight::Reads;
        if !marked && !reads {
            return false;
        }
        let forget_until_ms = clock_ms.saturating_sub(self.lateness_ms + plan.reach_ms);
        let hash = hasher.hash_one(key.as_slice());
        let mut shard = keys.shards()[keys.determine_shard(hash as usize)].write();
        if marked && event.time > forget_until_ms {
            let series = match shard.get_mut(hash, |(known, _)| known.as_slice() == key.as_slice())
            {
                Some((_, series)) => series.get_mut(),
                None => {
                    quiet.push(hash, event.time);
                    let entry = (value::Bytes::new(key), SharedValue::new(Series::default()));
                    let entry = shard.insert_entry(hash, entry, |(known, _)| {
                        hasher.hash_one(known.as_slice())
                    });
                    entry.1.get_mut()
                }
            };
            series.forget(plan, forget_until_ms, hasher);
            series.insert(plan, row, values, self.limit, hasher);
            return reads && read(series, plan, calendar, event.time, full_key, bounds, readings);
        }
        match shard.get_mut(hash, |(known, _)| known.as_slice() == key.as_slice()) {
            Some((_, series)) if reads => {
                let series = series.get_mut();
                series.forget(plan, forget_until_ms, hasher);
                read(series, plan, calendar, event.time, full_key, bounds, readings)
            }
            None if reads => {
                let readers = plan.windows.iter().flat_map(|window| &window.readers);
                for reader in readers.filter(|reader| full_key || reader.group_missing) {
                    readings[reader.counter] = series::nothing(reader.kind);
                }
                false
            }
            _ => false,
        }
    }

    /// By counter: how many values it met that it can do nothing with.
    pub fn unusable(&self) -> &[u64] {
        &self.unusable
    }

    /// What is kept, by list of key fields.
    pub fn sizes(&self) -> Vec<ListSize> {
        self.lists.iter().map(List::size).collect()
    }

    /// The state as plain data.
    pub fn snapshot(&self) -> StoreState {
        let series = |list: &List| {
            let one = |entry: dashmap::mapref::multiple::RefMulti<'_, value::Bytes, Series>| {
                (entry.key().as_slice().to_vec(), entry.value().snapshot(&list.plan))
            };
            list.keys.iter().map(one).collect()
        };
        StoreState { lists: self.lists.iter().map(series).collect() }
    }

    /// Takes the state of a snapshot, which was made under the same counters.
    pub fn restore(&mut self, state: StoreState) {
        for (list, keys) in self.lists.iter_mut().zip(state.lists) {
            for (key, state) in keys {
                let series = Series::restore(&list.plan, state, &self.hasher);
                let due_after = series.newest_ms(&list.plan).or(series.dropped_ms()).unwrap_or(0);
                list.quiet.push(self.hasher.hash_one(key.as_slice()), due_after);
                list.keys.insert(value::Bytes::new(&key), series);
            }
        }
    }
}

/// How much is kept for one list of key fields.
#[derive(Debug, Clone)]
pub struct ListSize {
    /// The key fields.
    pub key: Vec<Path>,
    /// Keys that have something.
    pub keys: usize,
    /// Events kept for them.
    pub rows: usize,
    /// The memory that they take, in bytes, about.
    pub bytes: usize,
}

impl List {
    fn size(&self) -> ListSize {
        let (mut rows, mut bytes) = (0, self.quiet.heap_bytes());
        for entry in &self.keys {
            rows += entry.value().rows(&self.plan);
            bytes += entry.value().heap_bytes() + entry.key().heap_bytes();
        }
        bytes += self.keys.capacity() * (size_of::<(value::Bytes, Series)>() + 1);
        ListSize { key: self.plan.key.clone(), keys: self.keys.len(), rows, bytes }
    }

    fn forget_quiet(&mut self, clock_ms: i64, lateness_ms: i64, hasher: &Hasher) {
        let List { plan, keys, quiet, .. } = self;
        let until_ms = clock_ms.saturating_sub(lateness_ms + plan.reach_ms);
        for _ in 0..LOOKED_AT {
            let Some(hash) = quiet.pop_due(until_ms) else { return };
            let mut shard = keys.shards()[keys.determine_shard(hash as usize)].write();
            let is_it = |(key, _): &(value::Bytes, SharedValue<Series>)| {
                hasher.hash_one(key.as_slice()) == hash
            };
            let Some((_, series)) = shard.get_mut(hash, is_it) else { continue };
            let series = series.get_mut();
            series.forget(plan, until_ms, hasher);
            if series.is_quiet(plan, until_ms) {
                shard.remove_entry(hash, is_it);
            } else {
                let newest = series.newest_ms(plan).or(series.dropped_ms()).unwrap_or(until_ms);
                quiet.push(hash, newest);
            }
        }
    }
}

fn counters_of(plan: &ListPlan) -> Vec<Vec<usize>> {
    let mut of = vec![Vec::new(); plan.predicates.len()];
    for window in &plan.windows {
        for reader in &window.readers {
            of[window.totals[reader.kind.total()].predicate].push(reader.counter);
        }
    }
    of
}

fn read(
    series: &mut Series,
    plan: &ListPlan,
    calendar: &mut Calendar,
    time_ms: i64,
    full_key: bool,
    bounds: &mut Vec<Bounds>,
    readings: &mut [Option<Reading>],
) -> bool {
    bounds.clear();
    bounds.extend(plan.windows.iter().map(|w| bounds_of(w.window, calendar, time_ms)));
    series.read(plan, bounds, full_key, readings);
    series.dropped_ms().is_some_and(|dropped| {
        let speaks = |w: &super::plan::WindowPlan| {
            w.readers.iter().any(|reader| full_key || reader.group_missing)
        };
        plan.windows.iter().zip(bounds).any(|(w, b)| b.after_ms < dropped && speaks(w))
    })
}

fn bounds_of(window: Window, calendar: &mut Calendar, time_ms: i64) -> Bounds {
    match window {
        Window::Sliding { span_ms, delay_ms } => Bounds {
            after_ms: time_ms.saturating_sub(delay_ms).saturating_sub(span_ms),
            until_ms: time_ms.saturating_sub(delay_ms),
        },
        Window::Day => Bounds { after_ms: calendar.day_start_ms(time_ms) - 1, until_ms: time_ms },
        Window::Month => {
            Bounds { after_ms: calendar.month_start_ms(time_ms) - 1, until_ms: time_ms }
        }
    }
}

/// Sets the bits, integers and values of an event's row. Returns whether it has a bit.
#[expect(clippy::too_many_arguments, reason = "the parts of one row, borrowed apart")]
fn mark(
    plan: &ListPlan,
    counters_of: &[Vec<usize>],
    event: &Event<'_>,
    filters: &[bool],
    full_key: bool,
    row: &mut [u64],
    values: &mut [Option<Vec<u8>>],
    unusable: &mut [u64],
) -> bool {
    let mut marked = false;
    for (bit, predicate) in plan.predicates.iter().enumerate() {
        if !qualifies(predicate, event, filters, full_key) {
            continue;
        }
        let there = match &predicate.field {
            None => true,
            Some((path, apart)) => match event.value(path) {
                None => false,
                Some(Scalar::Int(_) | Scalar::Bool(_)) => true,
                Some(Scalar::Text(_)) if *apart => true,
                Some(_) => {
                    counters_of[bit].iter().for_each(|counter| unusable[*counter] += 1);
                    false
                }
            },
        };
        if there {
            rows::set_bit(row, bit);
            marked = true;
        }
    }
    if marked {
        for (column, path) in plan.integers.iter().enumerate() {
            row[plan.row.integers_at + column] = match event.value(path) {
                Some(Scalar::Int(integer)) => integer as u64,
                Some(Scalar::Bool(flag)) => u64::from(flag),
                _ => 0,
            };
        }
        for (column, path) in plan.values.iter().enumerate() {
            let mut bytes = Vec::new();
            if value::encode(event.value(path), &mut bytes) {
                values[column] = Some(bytes);
            }
        }
    }
    marked
}

#[inline]
fn qualifies(
    predicate: &Predicate,
    event: &Event<'_>,
    filters: &[bool],
    full_key: bool,
) -> bool {
    predicate.types.contains(event.event_type)
        && (full_key || !predicate.full_key)
        && predicate.filter.is_none_or(|filter| filters[filter])
        && predicate
            .currency
            .as_deref()
            .is_none_or(|currency| event.text(Field::Currency) == Some(currency))
}

fn note_doubles_in_key(
    plan: &ListPlan,
    counters_of: &[Vec<usize>],
    event: &Event<'_>,
    unusable: &mut [u64],
) {
    if event.event_type == EventType::Tick
        || !plan.key.iter().any(|path| matches!(event.value(path), Some(Scalar::Double(_))))
    {
        return;
    }
    for (predicate, counters) in plan.predicates.iter().zip(counters_of) {
        if predicate.types.contains(event.event_type) {
            counters.iter().for_each(|counter| unusable[*counter] += 1);
        }
    }
}

/// The hashes of keys by the time of their newest event when they were last looked at: which keys
/// to look at next.
#[derive(Debug)]
struct Wheel {
    slot_ms: i64,
    slots: BTreeMap<i64, Vec<u64>>,
}

/// Slots over the time for which a key may be kept.
const SLOTS: i64 = 16;

impl Wheel {
    fn new(span_ms: i64) -> Wheel {
        Wheel { slot_ms: (span_ms / SLOTS).max(1), slots: BTreeMap::new() }
    }

    /// A key whose newest event is at `time_ms`.
    fn push(&mut self, hash: u64, time_ms: i64) {
        self.slots.entry(time_ms.div_euclid(self.slot_ms)).or_default().push(hash);
    }

    /// A key of a slot that ended at `until_ms` or before.
    fn pop_due(&mut self, until_ms: i64) -> Option<u64> {
        loop {
            let mut first = self.slots.first_entry()?;
            if (first.key() + 1).saturating_mul(self.slot_ms) > until_ms {
                return None;
            }
            match first.get_mut().pop() {
                Some(hash) => return Some(hash),
                None => drop(first.remove()),
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        self.slots.values().map(|slot| slot.capacity() * size_of::<u64>()).sum()
    }
}
