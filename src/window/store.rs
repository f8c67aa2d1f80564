//! All keys of one partition: sharded maps that others may read beside the scoring thread, and the
//! forgetting of keys that have gone quiet. Counts nothing itself (`series` does), and knows no
//! rule.

use std::hash::BuildHasher;

use dashmap::{DashMap, SharedValue};
use smallvec::SmallVec;

use crate::event::{Event, Field, Path, Scalar};

use super::{
    Hasher,
    bytes::Bytes,
    calendar::Calendar,
    facts::{self, Facts},
    mark::Mark,
    owner::{KEY_PLACES, Key, Look, Owner, OwnerState, Parts},
    plan::{GroupPlan, ListPlan, Plan, WindowPlan},
    series::{self, Bounds, Series},
    spec::{Counter, Reading, Window},
    values::{ABSENT, Kind, Values},
    walk::Walk,
    wheel::Wheel,
};

/// Shards a map: small enough that the growth of one is no pause, few enough to stay in the cache.
const SHARDS: usize = 256;
/// Room for those who come next, when they are warmed up.
const COMING: usize = 64;
/// Owners looked at an event and group, to see what has gone quiet.
const LOOKED_AT: usize = 2;

/// The counters' state of one partition.
#[derive(Debug)]
pub struct Store {
    plan: Plan,
    /// Who has the store has all of it, so that no lock is taken on the way of an event: a lock
    /// keeps later reads waiting for earlier ones, even without anybody beside.
    groups: Vec<Group>,
    calendar: Calendar,
    hasher: Hasher,
    lateness_ms: i64,
    limit: usize,
    /// By list and bit, the counters whose events it marks.
    counters_of: Vec<Vec<Vec<usize>>>,
    /// By counter: values met that it can do nothing with.
    unusable: Vec<u64>,
    facts: Facts,
    marks: Vec<Mark>,
    bounds: Vec<Bounds>,
    walk: Walk,
    name: Vec<u8>,
    /// Hashes of the names of owners that come next.
    coming: Vec<u64>,
}

/// The owners of one group of lists.
#[derive(Debug)]
struct Group {
    owners: DashMap<Bytes, Box<Owner>, Hasher>,
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

impl Store {
    /// A store without keys.
    ///
    /// `lateness_ms`: how far behind the clock an event may be and still see its counters;
    /// `limit`: the most rows a key.
    pub fn new(counters: &[Counter], calendar: Calendar, lateness_ms: i64, limit: usize) -> Store {
        let hasher = Hasher::default();
        let plan = Plan::new(counters);
        let group = |plan: &GroupPlan| Group {
            owners: DashMap::with_capacity_and_hasher_and_shard_amount(0, hasher.clone(), SHARDS),
            wheel: Wheel::new(plan.least_reach_ms.saturating_add(lateness_ms)),
        };
        Store {
            groups: plan.groups.iter().map(group).collect(),
            marks: plan.lists.iter().map(Mark::new).collect(),
            counters_of: plan.lists.iter().map(counters_of).collect(),
            facts: Facts::new(&plan),
            plan,
            calendar,
            lateness_ms,
            limit,
            unusable: vec![0; counters.len()],
            bounds: Vec::new(),
            walk: Walk::default(),
            name: Vec::new(),
            coming: Vec::new(),
            hasher,
        }
    }

    /// Touches what these events will need, so that it is in the cache when they come. One after
    /// the other they would wait for memory many times each. Here all take one step towards their
    /// rows before any takes the next, so that the waits of a step overlap. Changes nothing.
    pub fn warm<'e>(&mut self, events: impl Iterator<Item = &'e Event<'e>> + Clone) {
        let Store { plan, groups, hasher, name, coming, .. } = self;
        let mut touched = 0;
        for (group_plan, Group { owners, wheel }) in plan.groups.iter().zip(groups) {
            coming.clear();
            for event in events.clone() {
                name_of(event, plan, group_plan, name);
                coming.push(hash_of(hasher, name));
            }
            let count = coming.len();
            coming.extend(wheel.next().take(count));
            let shard_of = |hash: &u64| (owners.determine_shard(*hash as usize), *hash);
            let coming: SmallVec<[(usize, u64); COMING]> = coming.iter().map(shard_of).collect();
            let shards: Vec<_> = owners.shards_mut().iter_mut().map(|s| &*s.get_mut()).collect();
            // Who is taken for another one by a few bits of the hash is touched in vain.
            let find = |(shard, hash): &(usize, u64)| shards[*shard].get(*hash, |_| true);
            let entries: SmallVec<[_; COMING]> = coming.iter().filter_map(find).collect();
            let found: SmallVec<[&Owner; COMING]> =
                entries.iter().map(|(_, owner)| &**owner.get()).collect();
            let parts: SmallVec<[_; COMING]> = found.iter().map(|owner| owner.parts()).collect();
            touched ^= parts.iter().map(Parts::touch).fold(0, |all, one| all ^ one);
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
        self.facts.look(event, &self.plan);
        for (list, mark) in self.marks.iter_mut().enumerate() {
            let plan = &self.plan.lists[list];
            let counters_of = &self.counters_of[list];
            let reach_ms = self.lateness_ms + plan.reach_ms;
            mark.make(plan, counters_of, event, &self.facts, filters, &mut self.unusable);
            mark.counts &= event.time > clock_ms.saturating_sub(reach_ms);
        }
        let mut degraded = false;
        for at in 0..self.groups.len() {
            degraded |= self.observe_in(at, event, clock_ms, sight == Sight::Reads, readings);
            self.look_at_some(at, clock_ms);
        }
        degraded
    }

    fn observe_in(
        &mut self,
        at: usize,
        event: &Event<'_>,
        clock_ms: i64,
        reads: bool,
        readings: &mut [Option<Reading>],
    ) -> bool {
        let Store { plan, groups, hasher, facts, marks, name, lateness_ms, walk, .. } = self;
        let (calendar, bounds, limit) = (&mut self.calendar, &mut self.bounds, self.limit);
        let (group, Group { owners, wheel }) = (&plan.groups[at], &mut groups[at]);
        let counts = group.lists.iter().any(|list| marks[*list].counts);
        if !counts && !reads {
            return false;
        }
        name_of(event, plan, group, name);
        let hash = hash_of(hasher, name);
        let shard = owners.determine_shard(hash as usize);
        let shard = owners.shards_mut()[shard].get_mut();
        let is_it = |(known, _): &(Bytes, _)| known.as_slice() == &name[..];
        let owner = match shard.get_mut(hash, is_it) {
            Some((_, owner)) => owner.get_mut(),
            None if counts => {
                wheel.push(hash, clock_ms.saturating_add(*lateness_ms + group.least_reach_ms));
                let keys = group.lists.iter().filter(|list| marks[**list].counts).count();
                let owner = Owner::with_room(keys, group.told_apart.len());
                let entry = (Bytes::new(name), SharedValue::new(Box::new(owner)));
                shard.insert_entry(hash, entry, |(known, _)| hash_of(hasher, known.as_slice()));
                let Some((_, owner)) = shard.get_mut(hash, is_it) else {
                    unreachable!("it was just put there")
                };
                owner.get_mut()
            }
            None => {
                for list in &group.lists {
                    nothing(&plan.lists[*list], marks[*list].full_key, readings);
                }
                return false;
            }
        };
        facts.hold(event, plan, &group.told_apart, &mut owner.values, hasher);
        let mut degraded = false;
        for list in &group.lists {
            let mark = &mut marks[*list];
            let list_plan = &plan.lists[*list];
            let speaks = reads && mark.speaks(list_plan);
            if !mark.counts && !speaks {
                continue;
            }
            let (key, tuple) = key_of(*list, list_plan, facts, &mut owner.values, hasher);
            let place = match owner.find(&key, hasher) {
                Some(place) => Some(place),
                None if mark.counts => Some(owner.add(key, Series::new(key.list), hasher)),
                None => None,
            };
            if let Some(place) = place {
                let until_ms = clock_ms.saturating_sub(*lateness_ms + list_plan.reach_ms);
                let (series, values) = owner.at(place);
                series.forget(list_plan, until_ms, values, hasher);
                if mark.counts {
                    mark.set_values(list_plan, facts);
                    series.insert(list_plan, &mark.row, limit, values, hasher);
                }
                if reads {
                    let (time_ms, full) = (event.time, mark.full_key);
                    bounds.clear();
                    let windows = list_plan.windows.iter();
                    bounds.extend(windows.map(|w| bounds_of(w.window, calendar, time_ms)));
                    series.read(list_plan, bounds, full, walk, readings);
                    degraded |= is_degraded(series, list_plan, bounds, full);
                }
            } else {
                nothing(list_plan, mark.full_key, readings);
            }
            owner.values.release(tuple, hasher);
        }
        facts.let_go(&group.told_apart, &mut owner.values, hasher);
        degraded
    }

    /// Looks at a few owners of whom something may have gone quiet.
    fn look_at_some(&mut self, at: usize, clock_ms: i64) {
        let Store { plan, groups, hasher, lateness_ms, .. } = self;
        let Group { owners, wheel } = &mut groups[at];
        for _ in 0..LOOKED_AT {
            let Some(hash) = wheel.pop_due(clock_ms) else { return };
            let shard = owners.determine_shard(hash as usize);
            let shard = owners.shards_mut()[shard].get_mut();
            let is_it = |(name, _): &(Bytes, _)| hash_of(hasher, name.as_slice()) == hash;
            let Some((_, owner)) = shard.get_mut(hash, is_it) else { continue };
            let quiet_after_ms = |plan: &ListPlan| plan.reach_ms.saturating_add(*lateness_ms);
            match owner.get_mut().look(&plan.lists, quiet_after_ms, clock_ms, hasher) {
                Look::Again(due_ms) => wheel.push(hash, due_ms),
                Look::Gone => drop(shard.remove_entry(hash, is_it)),
            }
        }
    }

    /// By counter: how many values it met that it can do nothing with.
    pub fn unusable(&self) -> &[u64] {
        &self.unusable
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
        let owners = |group: &Group| {
            let state = |entry: dashmap::mapref::multiple::RefMulti<'_, Bytes, Box<Owner>>| {
                (entry.key().as_slice().to_vec(), entry.value().snapshot())
            };
            group.owners.iter().map(state).collect()
        };
        StoreState { groups: self.groups.iter().map(owners).collect() }
    }

    /// Takes the state of a snapshot, which was made under the same counters, into an empty store;
    /// the clock is at `clock_ms`.
    pub fn restore(&mut self, state: StoreState, clock_ms: i64) {
        for (group, owners) in self.groups.iter_mut().zip(state.groups) {
            for (name, state) in owners {
                let owner = Owner::restore(&self.plan.lists, state, &self.hasher);
                group.wheel.push(hash_of(&self.hasher, &name), clock_ms);
                group.owners.insert(Bytes::new(&name), Box::new(owner));
            }
        }
    }
}

impl Group {
    fn size(&self, group: &GroupPlan, plan: &Plan) -> GroupSize {
        let (mut keys, mut rows, mut bytes) = (0, 0, self.wheel.heap_bytes());
        for entry in &self.owners {
            keys += entry.value().keys().count();
            rows += entry
                .value()
                .keys()
                .map(|(k, s)| s.rows(&plan.lists[k.list as usize]))
                .sum::<usize>();
            bytes += size_of::<Owner>() + entry.value().heap_bytes() + entry.key().heap_bytes();
        }
        bytes += self.owners.capacity() * 8 / 7 * (size_of::<(Bytes, Box<Owner>)>() + 1);
        let owner = group.owner.iter().map(|path| plan.paths[*path].clone()).collect();
        GroupSize { owner, owners: self.owners.len(), keys, rows, bytes }
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

/// The name of the owner of an event in a group: the account as it is, or the values of the key.
#[inline]
fn name_of(event: &Event<'_>, plan: &Plan, group: &GroupPlan, out: &mut Vec<u8>) {
    out.clear();
    if let [path] = group.owner[..]
        && plan.paths[path] == Path::Field(Field::AccountId)
    {
        return out.extend_from_slice(event.account().as_bytes());
    }
    for path in &group.owner {
        match facts::value(event, &plan.paths[*path]) {
            None | Some(Scalar::Double(_)) => out.push(0),
            Some(Scalar::Text(text)) => {
                out.extend_from_slice(&[1, text.len() as u8, (text.len() >> 8) as u8]);
                out.extend_from_slice(text.as_bytes());
            }
            Some(Scalar::Int(integer)) => {
                out.push(2);
                out.extend_from_slice(&integer.to_le_bytes());
            }
            Some(Scalar::Bool(flag)) => out.push(3 + u8::from(flag)),
        }
    }
}

#[inline]
fn hash_of(hasher: &Hasher, name: &[u8]) -> u64 {
    hasher.hash_one(name)
}

/// The key of an event in a list, and the tuple that stands in for its further fields, which has
/// to be released.
#[inline]
fn key_of(
    list: usize,
    plan: &ListPlan,
    facts: &Facts,
    values: &mut Values,
    hasher: &Hasher,
) -> (Key, u32) {
    let mut numbers = [ABSENT; KEY_PLACES];
    let mut tuple = ABSENT;
    numbers.iter_mut().zip(&plan.rest).for_each(|(n, path)| *n = facts.at(*path).number);
    if plan.rest.len() > KEY_PLACES {
        let further = &plan.rest[KEY_PLACES - 1..];
        let bytes: Vec<u8> = further.iter().flat_map(|p| facts.at(*p).number.to_le_bytes()).collect();
        tuple = values.hold(Kind::Tuple, &bytes, hasher);
        numbers[KEY_PLACES - 1] = tuple;
    }
    (Key { list: list as u32, numbers }, tuple)
}

/// Reads the counters of a list off a key that has nothing.
fn nothing(plan: &ListPlan, full_key: bool, readings: &mut [Option<Reading>]) {
    let readers = plan.windows.iter().flat_map(|window| &window.readers);
    for reader in readers.filter(|reader| full_key || reader.group_missing) {
        readings[reader.counter] = series::nothing(reader.kind);
    }
}

/// Does a window that speaks begin before an event that a bound drove out?
#[inline]
fn is_degraded(series: &Series, plan: &ListPlan, bounds: &[Bounds], full_key: bool) -> bool {
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
