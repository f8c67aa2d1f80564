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
    keys::{Keys, Look},
    mark::Mark,
    owner::{self, Owner, OwnerState, Parts},
    plan::{GroupPlan, ListPlan, Plan},
    series::{self, Series},
    spec::{Counter, Reading},
    values::Values,
    walk::{Asked, Walk},
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
    /// By group.
    marks: Vec<Mark>,
    /// A row of one list.
    row: Vec<u64>,
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
            wheel: Wheel::new(plan.reach_ms.saturating_add(lateness_ms)),
        };
        Store {
            groups: plan.groups.iter().map(group).collect(),
            marks: plan.groups.iter().map(Mark::new).collect(),
            row: Vec::new(),
            counters_of: plan.lists.iter().map(counters_of).collect(),
            facts: Facts::new(&plan),
            plan,
            calendar,
            lateness_ms,
            limit,
            unusable: vec![0; counters.len()],
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
        let mut degraded = false;
        for at in 0..self.groups.len() {
            degraded |=
                self.observe_in(at, event, filters, clock_ms, sight == Sight::Reads, readings);
            self.look_at_some(at, clock_ms);
        }
        degraded
    }

    fn observe_in(
        &mut self,
        at: usize,
        event: &Event<'_>,
        filters: &[bool],
        clock_ms: i64,
        reads: bool,
        readings: &mut [Option<Reading>],
    ) -> bool {
        let Store { plan, groups, hasher, facts, marks, name, walk, row, calendar, .. } = self;
        let (group, Group { owners, wheel }) = (&plan.groups[at], &mut groups[at]);
        let (mark, limit, lateness_ms) = (&mut marks[at], self.limit, self.lateness_ms);
        mark.make(group, plan, &self.counters_of, event, facts, filters, &mut self.unusable);
        let reachable_ms = |reach_ms: i64| clock_ms.saturating_sub(lateness_ms + reach_ms);
        let counts = mark.counts && event.time > reachable_ms(group.reach_ms);
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
                wheel.push(hash, clock_ms.saturating_add(lateness_ms + group.reach_ms));
                let entry = (Bytes::new(name), SharedValue::new(Box::new(Owner::of(group))));
                shard.insert_entry(hash, entry, |(known, _)| hash_of(hasher, known.as_slice()));
                let Some((_, owner)) = shard.get_mut(hash, is_it) else {
                    unreachable!("it was just put there")
                };
                owner.get_mut()
            }
            None => {
                for (list, full_key) in group.lists.iter().zip(&mark.full_key) {
                    nothing(&plan.lists[*list], *full_key, readings);
                }
                return false;
            }
        };
        facts.hold(event, plan, group, &mut owner.values, hasher);
        mark.set_values(group, facts);
        let mut held_by_row = false;
        let mut asked = Asked { facts, time_ms: event.time, calendar };
        if owner.keys.is_none() {
            owner.forget(group, reachable_ms(group.reach_ms), hasher);
            let few = owner::FEW.min(limit);
            if counts && !owner.rows.more_than(few - 1, group.row.stride) {
                owner.rows.insert(&mark.row);
                held_by_row = true;
            } else if counts {
                let due_ms = clock_ms.saturating_add(lateness_ms + group.least_reach_ms);
                let reachable_ms = |list: &ListPlan| reachable_ms(list.reach_ms);
                owner.spread(group, plan, reachable_ms, due_ms, limit, hasher);
                wheel.push(hash, due_ms);
            }
        }
        let mut degraded = false;
        let Owner { values, rows, keys } = &mut **owner;
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
                        series.insert(list_plan, row, limit, values, hasher);
                    }
                    if speaks {
                        series.read(list_plan, &mut asked, *full_key, walk, readings);
                        degraded |= series.is_degraded(list_plan, &mut asked, *full_key);
                    }
                }
            }
        }
        if !held_by_row {
            facts.let_go(group, &mut owner.values, hasher);
        }
        degraded
    }

    /// Looks at a few owners of whom something may have gone quiet.
    fn look_at_some(&mut self, at: usize, clock_ms: i64) {
        let Store { plan, groups, hasher, lateness_ms, .. } = self;
        let (group, Group { owners, wheel }) = (&plan.groups[at], &mut groups[at]);
        for _ in 0..LOOKED_AT {
            let Some((hash, slot)) = wheel.pop_due(clock_ms) else { return };
            let shard = owners.determine_shard(hash as usize);
            let shard = owners.shards_mut()[shard].get_mut();
            let is_it = |(name, _): &(Bytes, _)| hash_of(hasher, name.as_slice()) == hash;
            let Some((_, owner)) = shard.get_mut(hash, is_it) else { continue };
            let owner = owner.get_mut();
            if owner.keys.as_ref().is_some_and(|keys| wheel.slot(keys.due_ms) != slot) {
                // It was put there before its events were many.
                continue;
            }
            let quiet_after_ms = |reach_ms: i64| reach_ms.saturating_add(*lateness_ms);
            match owner.look(group, plan, quiet_after_ms, clock_ms, hasher) {
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
        let Store { plan, groups, hasher, .. } = self;
        for ((group_plan, group), owners) in plan.groups.iter().zip(groups).zip(state.groups) {
            for (name, state) in owners {
                let owner = Owner::restore(group_plan, plan, state, clock_ms, hasher);
                group.wheel.push(hash_of(hasher, &name), clock_ms);
                group.owners.insert(Bytes::new(&name), Box::new(owner));
            }
        }
    }
}

impl Group {
    fn size(&self, group: &GroupPlan, plan: &Plan) -> GroupSize {
        let (mut keys, mut rows, mut bytes) = (0, 0, self.wheel.heap_bytes());
        for entry in &self.owners {
            keys += entry.value().count_keys(group, plan);
            rows += entry.value().count_rows(group, plan);
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
            of[reader.predicate].push(reader.counter);
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
