//! The owners of one group of lists: found by name, fetched ahead of their events, and looked at
//! when something of theirs may have gone quiet. Counts nothing itself.

use std::hash::BuildHasher;

use dashmap::{DashMap, SharedValue};
use smallvec::SmallVec;

use crate::{
    ahead::fetch,
    stream::{Sink, Source},
};

use super::{
    Hasher,
    bytes::same,
    keys::Look,
    owner::{Owner, OwnerState, Parts},
    plan::{GroupPlan, Plan},
    slab::{Place, Slab},
    store::GroupSize,
    wheel::Wheel,
};

/// Shards of the names: small enough that the growth of one is no pause, few enough to stay in the
/// cache.
const SHARDS: usize = 256;
/// Owners looked at an event, to see what has gone quiet.
const LOOKED_AT: usize = 2;
/// Room for those for whom memory is fetched ahead.
const COMING: usize = 96;

/// What a name takes in the table of names: its place, and a byte of the table's own.
const NAME_BYTES: usize = size_of::<u32>() + 1;
/// So many owners are all measured.
const FEW: usize = 32;
/// After so many calls of [`Group::size_about`], what was measured earlier begins to count less.
const SAMPLE_CALLS: usize = 128;

/// Sums over places that were looked at, spread over all of them.
#[derive(Debug, Default)]
struct Sample {
    next: u64,
    measured: usize,
    /// Keys, rows, bytes on the heap.
    sums: [usize; 3],
}

impl Sample {
    /// The next place: steps of the golden section spread evenly, whatever the number of places.
    fn next(&mut self, places: usize) -> u32 {
        self.next = self.next.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(self.next) * places as u128) >> 64) as u32
    }

    /// One more place; of so many, earlier ones count less.
    fn add(&mut self, measured: [usize; 3], many: usize) {
        if self.measured >= many {
            self.measured /= 2;
            self.sums.iter_mut().for_each(|sum| *sum /= 2);
        }
        self.measured += 1;
        self.count(measured);
    }

    fn count(&mut self, measured: [usize; 3]) {
        self.sums.iter_mut().zip(measured).for_each(|(sum, more)| *sum += more);
    }

    fn scaled_to(&self, places: usize) -> [usize; 3] {
        self.sums.map(|sum| (sum as u128 * places as u128 / self.measured.max(1) as u128) as usize)
    }
}

/// The owners of one group.
#[derive(Debug)]
pub struct Group {
    /// Where each of them is, by name. The name itself stands there, so that all of this is small and
    /// stays in the cache. Who has the group has all of it, so that no lock is taken on the way of an
    /// event: a lock keeps later reads waiting for earlier ones, even with nobody beside.
    names: DashMap<u32, (), Hasher>,
    owners: Slab,
    wheel: Wheel,
    hasher: Hasher,
    /// Hashes of the names that come next.
    coming: Vec<u64>,
    /// The heap that long names take, in bytes.
    names_bytes: usize,
    sample: Sample,
}

impl Group {
    /// No owners yet; an event is kept for so long.
    pub fn new(span_ms: i64, hasher: Hasher) -> Group {
        Group {
            names: DashMap::with_capacity_and_hasher_and_shard_amount(0, hasher.clone(), SHARDS),
            owners: Slab::default(),
            wheel: Wheel::new(span_ms),
            hasher,
            coming: Vec::new(),
            names_bytes: 0,
            sample: Sample::default(),
        }
    }

    /// The hash of a name.
    #[inline]
    pub fn hash(&self, name: &[u8]) -> u64 {
        self.hasher.hash_one(name)
    }

    /// An event of this owner will come; see [`Group::warm`].
    #[inline]
    pub fn expect(&mut self, name: &[u8]) {
        let hash = self.hash(name);
        self.coming.push(hash);
    }

    /// Has fetched what the expected events will need, so that it is in the cache when they come. One
    /// after the other they would wait for memory many times each. Here all take one step towards
    /// their rows before any takes the next, so that the waits of a step overlap. Changes nothing.
    ///
    /// The clock will be at `clock_ms` then.
    pub fn warm(&mut self, clock_ms: i64) {
        let Group { names, owners, wheel, coming, .. } = self;
        let shard = |hash: u64| (names.determine_shard(hash as usize), hash);
        let coming_in: SmallVec<[_; COMING]> = coming.iter().map(|hash| shard(*hash)).collect();
        let due = wheel.due(clock_ms).take(LOOKED_AT * coming.len()).map(|guest| guest.place);
        let due: SmallVec<[&Place; COMING]> = due.map(|place| owners.at(place)).collect();
        // Who is due may be forgotten, and its name with it.
        let due_in: SmallVec<[_; COMING]> = due.iter().map(|place| shard(place.hash)).collect();
        let shards: Vec<_> = names.shards_mut().iter_mut().map(|s| &*s.get_mut()).collect();
        // Who is taken for another one by a few bits of the hash is fetched in vain.
        let find = |(shard, hash): &(usize, u64)| shards[*shard].get(*hash, |_| true);
        let found: SmallVec<[_; COMING]> = coming_in.iter().filter_map(find).collect();
        due_in.iter().filter_map(find).for_each(fetch);
        let places = found.iter().map(|(place, _)| owners.at(*place)).chain(due);
        let places: SmallVec<[&Place; COMING]> = places.collect();
        let parts: SmallVec<[_; COMING]> = places.iter().map(|place| place.owner.parts()).collect();
        parts.iter().for_each(Parts::fetch);
        owners.fetch_free(coming_in.len() - found.len());
        coming.clear();
    }

    /// Where the owner of this name is, if there is one.
    #[inline]
    pub fn find(&mut self, hash: u64, name: &[u8]) -> Option<u32> {
        let shard = self.names.determine_shard(hash as usize);
        let shard = self.names.shards_mut()[shard].get_mut();
        let is_it = |(place, _): &(u32, _)| same(self.owners.at(*place).name.as_slice(), name);
        shard.get(hash, is_it).map(|(place, _)| *place)
    }

    /// Makes an owner, which there is none of, to be looked at when the clock is at `due_ms`.
    pub fn add(&mut self, hash: u64, name: &[u8], due_ms: i64) -> u32 {
        let place = self.owners.take(hash, name);
        let Group { names, owners, .. } = self;
        let shard = names.determine_shard(hash as usize);
        let rehash = |(place, _): &(u32, _)| owners.at(*place).hash;
        names.shards_mut()[shard].get_mut().insert(hash, (place, SharedValue::new(())), rehash);
        self.names_bytes += owners.at(place).name.heap_bytes();
        self.look_at(place, due_ms);
        place
    }

    /// The owner at a place.
    #[inline]
    pub fn at(&mut self, place: u32) -> &mut Owner {
        &mut self.owners.at_mut(place).owner
    }

    /// The owner at a place is to be looked at when the clock is at `due_ms`.
    pub fn look_at(&mut self, place: u32, due_ms: i64) {
        self.wheel.push(self.owners.guest(place), due_ms);
    }

    /// Looks at a few owners of whom something may have gone quiet.
    #[inline]
    pub fn look_at_some(
        &mut self,
        group: &GroupPlan,
        plan: &Plan,
        lateness_ms: i64,
        clock_ms: i64,
    ) {
        for _ in 0..LOOKED_AT {
            let Some((guest, slot)) = self.wheel.pop_due(clock_ms) else { return };
            if !self.owners.has(guest) {
                continue;
            }
            let Place { owner, hash, .. } = self.owners.at_mut(guest.place);
            let hash = *hash;
            if owner.keys.as_ref().is_some_and(|keys| self.wheel.slot(keys.due_ms) != slot) {
                // It was put there before its events were many.
                continue;
            }
            let quiet_after_ms = |reach_ms: i64| reach_ms.saturating_add(lateness_ms);
            match owner.look(group, plan, quiet_after_ms, clock_ms, &self.hasher) {
                Look::Again(due_ms) => self.wheel.push(guest, due_ms),
                Look::Gone => {
                    let shard = self.names.determine_shard(hash as usize);
                    let shard = self.names.shards_mut()[shard].get_mut();
                    shard.remove_entry(hash, |(place, _)| *place == guest.place);
                    self.names_bytes -= self.owners.at(guest.place).name.heap_bytes();
                    self.owners.leave(guest.place);
                }
            }
        }
    }

    /// What is kept.
    pub fn size(&self, group: &GroupPlan, plan: &Plan) -> GroupSize {
        let (mut keys, mut rows) = (0, 0);
        let mut bytes = self.wheel.heap_bytes() + self.owners.bytes();
        for entry in &self.names {
            let Place { owner, name, .. } = self.owners.at(*entry.key());
            keys += owner.count_keys(group, plan);
            rows += owner.count_rows(group, plan);
            bytes += owner.heap_bytes() + name.heap_bytes();
        }
        bytes += self.names.capacity() * 8 / 7 * NAME_BYTES;
        let owner = group.owner.iter().map(|path| plan.paths[*path].clone()).collect();
        GroupSize { owner, owners: self.names.len(), keys, rows, bytes }
    }

    /// What is kept, about: exact while owners are few, else from a sample that goes on by so many
    /// places with every call, so that no call takes long.
    pub fn size_about(&mut self, some: usize, group: &GroupPlan, plan: &Plan) -> GroupSize {
        let (places, taken) = (self.owners.len(), self.owners.taken());
        if taken <= FEW {
            (self.sample.measured, self.sample.sums) = (places, [0; 3]);
            // To find out that there are no more, all shards would be looked through.
            for entry in self.names.iter().take(taken) {
                self.sample.count(self.owners.at(*entry.key()).owner.measure(group, plan));
            }
        } else {
            for _ in 0..some {
                let place = self.sample.next(places);
                let measured = self.owners.at(place).owner.measure(group, plan);
                self.sample.add(measured, some * SAMPLE_CALLS);
            }
        }
        let [keys, rows, heap] = self.sample.scaled_to(places);
        let fixed = self.wheel.heap_bytes() + self.owners.bytes() + self.names_bytes;
        let room = self.names.shards_mut().iter_mut().map(|shard| shard.get_mut().capacity());
        let names = room.sum::<usize>() * 8 / 7 * NAME_BYTES;
        let owner = group.owner.iter().map(|path| plan.paths[*path].clone()).collect();
        GroupSize { owner, owners: taken, keys, rows, bytes: fixed + names + heap }
    }

    /// How many places for owners there are, taken or not.
    pub fn places(&self) -> usize {
        self.owners.len()
    }

    /// The name of the first owner at these places of whom this holds.
    pub fn first(
        &mut self,
        places: std::ops::Range<usize>,
        holds: impl Fn(&Owner) -> bool,
    ) -> Option<Vec<u8>> {
        let places = places.start as u32..places.end.min(self.owners.len()) as u32;
        let mut places = places.map(|place| self.owners.at(place));
        places.find(|place| holds(&place.owner)).map(|place| place.name.as_slice().to_vec())
    }

    /// How many owners there are.
    pub fn owner_count(&self) -> usize {
        self.names.len()
    }

    /// The owners by name as plain data, in no order.
    pub fn snapshot(&self) -> Vec<(Vec<u8>, OwnerState)> {
        let state = |entry: dashmap::mapref::multiple::RefMulti<'_, u32, ()>| {
            let Place { owner, name, .. } = self.owners.at(*entry.key());
            (name.as_slice().to_vec(), owner.snapshot())
        };
        self.names.iter().map(state).collect()
    }

    /// Puts the owners into a stream, in no order.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        to.put(&self.names.len())?;
        self.names.iter().try_for_each(|entry| {
            let Place { owner, name, .. } = self.owners.at(*entry.key());
            to.put_bytes(name.as_slice())?;
            owner.write(to)
        })
    }

    /// Takes the owners of a stream; the clock is at `clock_ms`.
    pub fn fill<S: Source>(
        &mut self,
        group: &GroupPlan,
        plan: &Plan,
        from: &mut S,
        clock_ms: i64,
    ) -> Result<(), S::Error> {
        for _ in 0..from.take::<usize>()? {
            let name = from.take_bytes()?;
            let place = self.add(self.hash(name), name, clock_ms);
            *self.at(place) = Owner::read(group, plan, from, clock_ms, &self.hasher)?;
        }
        Ok(())
    }

    /// Takes an owner out of plain data; the clock is at `clock_ms`.
    pub fn restore(
        &mut self,
        group: &GroupPlan,
        plan: &Plan,
        name: &[u8],
        state: OwnerState,
        clock_ms: i64,
    ) {
        let place = self.add(self.hash(name), name, clock_ms);
        *self.at(place) = Owner::restore(group, plan, state, clock_ms, &self.hasher);
    }
}
