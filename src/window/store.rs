//! All keys of one partition: sharded maps that others may read beside the scoring thread, and the
//! forgetting of keys that have gone quiet. Counts nothing itself (`series` does), and knows no
//! rule.

use std::hash::BuildHasher;

use dashmap::{DashMap, SharedValue};

use crate::event::{Event, EventType, Field, Path};

use super::{
    Hasher,
    calendar::Calendar,
    dictionary::{ABSENT, Dictionary, Kind, ValueState},
    facts::{Facts, Found},
    plan::{ListPlan, Plan, Predicate, WindowPlan},
    rows,
    series::{self, Bounds, Series, SeriesState},
    spec::{Counter, Reading, Window},
    wheel::Wheel,
};

/// Shards a map: small enough that the growth of one is no pause, few enough to stay in the cache.
const SHARDS: usize = 256;
/// Keys looked at an event and list, to see whether they are quiet.
const LOOKED_AT: usize = 4;

/// The numbers of the values of the key fields in the dictionary. Those of a key with more than
/// [`KEY_PLACES`] fields share the last place.
type Key = [u32; KEY_PLACES];
const KEY_PLACES: usize = 4;

/// The counters' state of one partition.
#[derive(Debug)]
pub struct Store {
    plan: Plan,
    lists: Vec<List>,
    dictionary: Dictionary,
    calendar: Calendar,
    hasher: Hasher,
    lateness_ms: i64,
    limit: usize,
    /// By counter: values met that it can do nothing with.
    unusable: Vec<u64>,
    facts: Facts,
    row: Vec<u64>,
    bounds: Vec<Bounds>,
    /// The numbers of values of events to come.
    ahead: Vec<u32>,
}

/// All keys of one list of key fields.
#[derive(Debug)]
struct List {
    /// By bit, the counters whose events it marks.
    counters_of: Vec<Vec<usize>>,
    keys: DashMap<Key, Series, Hasher>,
    wheel: Wheel,
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
    /// The values that keys and rows refer to.
    pub values: Vec<ValueState>,
    /// By list of key fields, the keys, in no order.
    pub lists: Vec<Vec<(Key, SeriesState)>>,
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

impl Store {
    /// A store without keys.
    ///
    /// `lateness_ms`: how far behind the clock an event may be and still see its counters;
    /// `limit`: the most rows a key.
    pub fn new(counters: &[Counter], calendar: Calendar, lateness_ms: i64, limit: usize) -> Store {
        let hasher = Hasher::default();
        let plan = Plan::new(counters);
        let list = |plan: &ListPlan| List {
            counters_of: counters_of(plan),
            keys: DashMap::with_capacity_and_hasher_and_shard_amount(0, hasher.clone(), SHARDS),
            wheel: Wheel::new(plan.reach_ms.saturating_add(lateness_ms)),
        };
        Store {
            lists: plan.lists.iter().map(list).collect(),
            plan,
            dictionary: Dictionary::new(hasher.clone()),
            calendar,
            lateness_ms,
            limit,
            unusable: vec![0; counters.len()],
            facts: Facts::default(),
            row: Vec::new(),
            bounds: Vec::new(),
            ahead: Vec::new(),
            hasher,
        }
    }

    /// Touches what these events will need, so that it is in the cache when they come. One after
    /// the other they would wait for memory some twenty times each; here the waits overlap.
    /// Changes nothing.
    pub fn warm<'e>(&mut self, events: impl Iterator<Item = &'e Event<'e>>) {
        let Store { plan, lists, dictionary, hasher, ahead, .. } = self;
        ahead.clear();
        let mut count = 0;
        for event in events {
            Facts::known(event, plan, dictionary, ahead);
            count += 1;
        }
        let mut touched = 0;
        for (plan, list) in plan.lists.iter().zip(lists.iter()) {
            for hash in list.wheel.next().take(count) {
                let shard = list.keys.shards()[list.keys.determine_shard(hash as usize)].read();
                if let Some((_, series)) = shard.get(hash, |(key, _)| hasher.hash_one(key) == hash)
                {
                    touched ^= series.get().newest_ms(plan).unwrap_or(0);
                }
            }
        }
        for numbers in ahead.chunks_exact(plan.paths.len().max(1)) {
            for (plan, list) in plan.lists.iter().zip(lists.iter()) {
                let mut key = [ABSENT; KEY_PLACES];
                key.iter_mut().zip(&plan.key).for_each(|(place, path)| *place = numbers[*path]);
                let hash = hasher.hash_one(key);
                let shard = list.keys.shards()[list.keys.determine_shard(hash as usize)].read();
                if let Some((_, series)) = shard.get(hash, |(known, _)| *known == key) {
                    touched ^= series.get().newest_ms(plan).unwrap_or(0);
                }
            }
        }
        std::hint::black_box(touched);
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
        self.facts.look(event, &self.plan, &mut self.dictionary);
        let mut degraded = false;
        for at in 0..self.lists.len() {
            degraded |= self.observe_in(at, event, filters, clock_ms, sight, readings);
            self.forget_quiet(at, clock_ms);
        }
        self.facts.let_go(&mut self.dictionary);
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
        let Store { plan, lists, dictionary, calendar, hasher, unusable, facts, row, .. } = self;
        let plan = &plan.lists[at];
        let List { counters_of, keys, wheel } = &mut lists[at];
        let full_key = plan.key.iter().all(|path| facts.numbers[*path] != ABSENT);
        if !full_key {
            note_doubles_in_key(plan, counters_of, event, facts, unusable);
            if !plan.groups_missing {
                return false;
            }
        }
        row.clear();
        row.resize(plan.row.stride, 0);
        let marked = mark(plan, counters_of, event, facts, filters, full_key, row, unusable);
        let reads = sight == Sight::Reads;
        if !marked && !reads {
            return false;
        }
        let forget_until_ms = clock_ms.saturating_sub(self.lateness_ms + plan.reach_ms);
        let key = key_of(plan, facts, dictionary);
        let hash = hasher.hash_one(key);
        let mut shard = keys.shards()[keys.determine_shard(hash as usize)].write();
        let known = shard.get_mut(hash, |(known, _)| *known == key).is_some();
        let counts = marked && event.time > forget_until_ms;
        if !known && !counts {
            drop(shard);
            if plan.key.len() > KEY_PLACES {
                // A key that has come to nothing leaves nothing in the dictionary.
                dictionary.forget_unused(key[KEY_PLACES - 1]);
            }
            if reads {
                let readers = plan.windows.iter().flat_map(|window| &window.readers);
                for reader in readers.filter(|reader| full_key || reader.group_missing) {
                    readings[reader.counter] = series::nothing(reader.kind);
                }
            }
            return false;
        }
        let (_, series) = if known {
            match shard.get_mut(hash, |(known, _)| *known == key) {
                Some(entry) => entry,
                None => unreachable!("the key was there, and its shard is locked"),
            }
        } else {
            wheel.push(hash, event.time);
            each_value(&key, dictionary, Dictionary::retain);
            let entry = (key, SharedValue::new(Series::default()));
            shard.insert_entry(hash, entry, |(known, _)| hasher.hash_one(known))
        };
        let series = series.get_mut();
        series.forget(plan, forget_until_ms, dictionary);
        if counts {
            series.insert(plan, row, self.limit, dictionary);
        }
        reads && read(series, plan, calendar, event.time, full_key, &mut self.bounds, readings)
    }

    /// Looks at a few of the keys that may have gone quiet.
    fn forget_quiet(&mut self, at: usize, clock_ms: i64) {
        let Store { plan, lists, dictionary, hasher, .. } = self;
        let plan = &plan.lists[at];
        let List { keys, wheel, .. } = &mut lists[at];
        let until_ms = clock_ms.saturating_sub(self.lateness_ms + plan.reach_ms);
        for _ in 0..LOOKED_AT {
            let Some(hash) = wheel.pop_due(until_ms) else { return };
            let mut shard = keys.shards()[keys.determine_shard(hash as usize)].write();
            let is_it = |(key, _): &(Key, SharedValue<Series>)| hasher.hash_one(key) == hash;
            let Some((_, series)) = shard.get_mut(hash, is_it) else { continue };
            let series = series.get_mut();
            series.forget(plan, until_ms, dictionary);
            if !series.is_quiet(plan, until_ms) {
                wheel.push(hash, series.newest_ms(plan).unwrap_or(until_ms));
            } else if let Some((key, _)) = shard.remove_entry(hash, is_it) {
                each_value(&key, dictionary, Dictionary::release);
            }
        }
    }

    /// By counter: how many values it met that it can do nothing with.
    pub fn unusable(&self) -> &[u64] {
        &self.unusable
    }

    /// What is kept, by list of key fields; and for the values of all of them, number and bytes.
    pub fn sizes(&self) -> (Vec<ListSize>, usize, usize) {
        let lists = self.lists.iter().zip(&self.plan.lists).map(|(list, plan)| list.size(plan));
        (lists.collect(), self.dictionary.len(), self.dictionary.heap_bytes())
    }

    /// The state as plain data.
    pub fn snapshot(&self) -> StoreState {
        let keys = |(list, plan): (&List, &ListPlan)| {
            list.keys.iter().map(|entry| (*entry.key(), entry.value().snapshot(plan))).collect()
        };
        StoreState {
            values: self.dictionary.snapshot(),
            lists: self.lists.iter().zip(&self.plan.lists).map(keys).collect(),
        }
    }

    /// Takes the state of a snapshot, which was made under the same counters, into an empty store.
    pub fn restore(&mut self, state: StoreState) {
        self.dictionary.restore(state.values);
        for ((list, plan), keys) in self.lists.iter_mut().zip(&self.plan.lists).zip(state.lists) {
            for (key, state) in keys {
                each_value(&key, &mut self.dictionary, Dictionary::retain);
                let series = Series::restore(plan, state, &mut self.dictionary);
                let newest_ms = series.newest_ms(plan).unwrap_or(0);
                list.wheel.push(self.hasher.hash_one(key), newest_ms);
                list.keys.insert(key, series);
            }
        }
    }
}

impl List {
    fn size(&self, plan: &ListPlan) -> ListSize {
        let (mut rows, mut bytes) = (0, self.wheel.heap_bytes());
        for entry in &self.keys {
            rows += entry.value().rows(plan);
            bytes += entry.value().heap_bytes();
        }
        bytes += self.keys.capacity() * 8 / 7 * (size_of::<(Key, Series)>() + 1);
        ListSize { key: plan.fields.clone(), keys: self.keys.len(), rows, bytes }
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

/// The key of an event. One of many fields has a value of its own in the dictionary.
#[inline]
fn key_of(plan: &ListPlan, facts: &Facts, dictionary: &mut Dictionary) -> Key {
    let mut key = [ABSENT; KEY_PLACES];
    if let [first @ .., last] = &mut key
        && plan.key.len() > KEY_PLACES
    {
        let (near, far) = plan.key.split_at(first.len());
        first.iter_mut().zip(near).for_each(|(place, path)| *place = facts.numbers[*path]);
        let far: Vec<u8> = far.iter().flat_map(|p| facts.numbers[*p].to_le_bytes()).collect();
        *last = dictionary.number(Kind::Tuple, &far);
    } else {
        key.iter_mut().zip(&plan.key).for_each(|(place, path)| *place = facts.numbers[*path]);
    }
    key
}

/// Every value that a key refers to.
fn each_value(key: &Key, dictionary: &mut Dictionary, act: fn(&mut Dictionary, u32)) {
    for number in key {
        if *number != ABSENT
            && let (Kind::Tuple, numbers) = dictionary.value(*number)
        {
            let (numbers, _) = numbers.as_chunks();
            let numbers: Vec<u32> = numbers.iter().map(|n| u32::from_le_bytes(*n)).collect();
            numbers.iter().for_each(|number| act(dictionary, *number));
        }
        act(dictionary, *number);
    }
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
        let speaks = |w: &WindowPlan| w.readers.iter().any(|r| full_key || r.group_missing);
        plan.windows.iter().zip(bounds).any(|(w, b)| b.after_ms < dropped && speaks(w))
    })
}

#[inline]
fn bounds_of(window: Window, calendar: &mut Calendar, time_ms: i64) -> Bounds {
    match window {
        Window::Sliding { span_ms, delay_ms } => {
            let until_ms = time_ms.saturating_sub(delay_ms);
            Bounds { after_ms: until_ms.saturating_sub(span_ms), until_ms }
        }
        Window::Day => Bounds { after_ms: calendar.day_start_ms(time_ms) - 1, until_ms: time_ms },
        Window::Month => {
            Bounds { after_ms: calendar.month_start_ms(time_ms) - 1, until_ms: time_ms }
        }
    }
}

/// Makes the row of an event. Returns whether it has a bit: whether anything counts it.
#[expect(clippy::too_many_arguments, reason = "the parts of one row, borrowed apart")]
fn mark(
    plan: &ListPlan,
    counters_of: &[Vec<usize>],
    event: &Event<'_>,
    facts: &Facts,
    filters: &[bool],
    full_key: bool,
    row: &mut [u64],
    unusable: &mut [u64],
) -> bool {
    rows::start(row, event.time);
    let mut marked = false;
    for (bit, predicate) in plan.predicates.iter().enumerate() {
        if !qualifies(predicate, event, filters, full_key) {
            continue;
        }
        let usable = match predicate.field.map(|(path, apart)| (facts.found[path], apart)) {
            None | Some((Found::Integer, _) | (Found::Text, true)) => true,
            Some((Found::Nothing, _)) => false,
            Some((Found::Text | Found::Double, _)) => {
                counters_of[bit].iter().for_each(|counter| unusable[*counter] += 1);
                false
            }
        };
        if usable {
            rows::set_bit(row, bit);
            marked = true;
        }
    }
    if marked {
        for (column, path) in plan.integers.iter().enumerate() {
            row[plan.row.integers_at + column] = facts.integers[*path] as u64;
        }
        for (column, path) in plan.values.iter().enumerate() {
            rows::set_value(row, plan.row, column, facts.numbers[*path]);
        }
    }
    marked
}

#[inline]
fn qualifies(predicate: &Predicate, event: &Event<'_>, filters: &[bool], full_key: bool) -> bool {
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
    facts: &Facts,
    unusable: &mut [u64],
) {
    if event.event_type == EventType::Tick
        || !plan.key.iter().any(|path| facts.found[*path] == Found::Double)
    {
        return;
    }
    for (predicate, counters) in plan.predicates.iter().zip(counters_of) {
        if predicate.types.contains(event.event_type) {
            counters.iter().for_each(|counter| unusable[*counter] += 1);
        }
    }
}
