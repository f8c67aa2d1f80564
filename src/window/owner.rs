//! All that is kept for one owner, such as an account: its keys (the account itself, its cards, its
//! devices) and the values that they refer to, close together in memory. Counts nothing itself.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::{
    Hasher,
    plan::ListPlan,
    series::{Series, SeriesState},
    values::{ABSENT, Kind, ValueState, Values},
};

/// Which key of an owner: its list, and the numbers of the values of its fields but the owner's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// The list's place in the plan.
    pub list: u32,
    /// The numbers; a key with more fields has those beyond in the last one, a tuple.
    pub numbers: [u32; KEY_PLACES],
}

/// Numbers in a [`Key`].
pub const KEY_PLACES: usize = 2;
/// Up to this many keys are looked for one by one.
const FEW: usize = 16;
/// Keys and values that are touched ahead of an event.
const TOUCHED: usize = 4;
/// Keys looked at in one go, to see whether they are quiet.
const LOOKED_AT: usize = 16;

/// One owner.
#[derive(Debug, Default)]
pub struct Owner {
    /// What its keys and rows refer to.
    pub values: Values,
    keys: Vec<Entry>,
    /// The places of keys, where there are many.
    index: Option<Box<HashTable<u32>>>,
    /// The next key to look at.
    look_at: u32,
    /// The earliest time at which one of those looked at in this round may be quiet, in epoch ms.
    look_again_ms: i64,
}

/// A key and what is kept for it.
#[derive(Debug)]
struct Entry {
    /// See [`Key::numbers`].
    numbers: [u32; KEY_PLACES],
    series: Series,
}

impl Entry {
    #[inline]
    fn key(&self) -> Key {
        Key { list: self.series.list(), numbers: self.numbers }
    }
}

/// The parts of an owner.
#[derive(Debug)]
pub struct Parts<'a> {
    keys: &'a [Entry],
    values: &'a Values,
}

impl Parts<'_> {
    /// Touches what an event of the owner will need.
    #[inline]
    pub fn touch(&self) -> usize {
        let key = |entry: &Entry| entry.series.touch() ^ entry.numbers[0] as usize;
        let keys = self.keys.iter().take(TOUCHED).map(key);
        keys.fold(self.values.touch(TOUCHED), |touched, one| touched ^ one)
    }
}

/// One owner as plain data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OwnerState {
    /// The values that its keys and rows refer to, in the order of their numbers.
    pub values: Vec<ValueState>,
    /// Its keys.
    pub keys: Vec<(Key, SeriesState)>,
}

/// What is to be done with an owner that has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing is left of it.
    Gone,
    /// Look again when the clock is here, in epoch ms.
    Again(i64),
}

impl Owner {
    /// One that has nothing, with room for a few keys and values.
    pub fn with_room(keys: usize, values: usize) -> Owner {
        let (keys, values) = (Vec::with_capacity(keys), Values::with_room(values));
        Owner { keys, values, ..Owner::default() }
    }

    /// Where a key is.
    #[inline]
    pub fn find(&self, key: &Key, hasher: &Hasher) -> Option<usize> {
        match &self.index {
            None => self.keys.iter().position(|known| known.key() == *key),
            Some(index) => {
                let same = |at: &u32| self.keys[*at as usize].key() == *key;
                index.find(hasher.hash_one(key), same).map(|at| *at as usize)
            }
        }
    }

    /// The series at a place, and the values.
    #[inline]
    pub fn at(&mut self, place: usize) -> (&mut Series, &mut Values) {
        (&mut self.keys[place].series, &mut self.values)
    }

    /// Makes a key, which there is none of. Returns its place.
    pub fn add(&mut self, key: Key, series: Series, hasher: &Hasher) -> usize {
        each_number(&key, &self.values).into_iter().for_each(|n| self.values.retain(n));
        if self.keys.len() == self.keys.capacity() {
            // Few owners have many keys, and there are many owners.
            self.keys.reserve_exact(1 + self.keys.len() / 2);
        }
        self.keys.push(Entry { numbers: key.numbers, series });
        let place = self.keys.len() - 1;
        let Owner { keys, index, .. } = self;
        let hash = |at: &u32| hasher.hash_one(keys[*at as usize].key());
        match index {
            Some(index) => drop(index.insert_unique(hash(&(place as u32)), place as u32, hash)),
            None if keys.len() > FEW => {
                let index = index.insert(Box::default());
                for at in 0..keys.len() as u32 {
                    index.insert_unique(hash(&at), at, hash);
                }
            }
            None => {}
        }
        place
    }

    fn remove(&mut self, place: usize, hasher: &Hasher) {
        let last = self.keys.len() - 1;
        if let Some(index) = &mut self.index {
            let gone = hasher.hash_one(self.keys[place].key());
            if let Ok(entry) = index.find_entry(gone, |at| *at as usize == place) {
                entry.remove();
            }
            // The last one moves into its place.
            let moved = hasher.hash_one(self.keys[last].key());
            if place != last
                && let Some(at) = index.find_mut(moved, |at| *at as usize == last)
            {
                *at = place as u32;
            }
        }
        let key = self.keys.swap_remove(place).key();
        let numbers = each_number(&key, &self.values);
        numbers.into_iter().for_each(|number| self.values.release(number, hasher));
    }

    /// Looks at a few of its keys, and forgets what no window can reach any more. `quiet_after_ms`
    /// says by list how long after its newest event a key is out of reach.
    pub fn look(
        &mut self,
        plans: &[ListPlan],
        quiet_after_ms: impl Fn(&ListPlan) -> i64,
        clock_ms: i64,
        hasher: &Hasher,
    ) -> Look {
        if self.look_at == 0 {
            self.look_again_ms = i64::MAX;
        }
        for _ in 0..LOOKED_AT {
            let at = self.look_at as usize;
            let Some(Entry { series, .. }) = self.keys.get_mut(at) else { break };
            let plan = &plans[series.list() as usize];
            let after_ms = quiet_after_ms(plan);
            let until_ms = clock_ms.saturating_sub(after_ms);
            series.forget(plan, until_ms, &mut self.values, hasher);
            match series.newest_ms(plan) {
                Some(newest) if newest > until_ms => {
                    self.look_again_ms = self.look_again_ms.min(newest.saturating_add(after_ms));
                    self.look_at += 1;
                }
                _ => self.remove(at, hasher),
            }
        }
        if self.keys.is_empty() {
            return Look::Gone;
        }
        if self.look_at as usize >= self.keys.len() {
            self.look_at = 0;
            return Look::Again(self.look_again_ms);
        }
        Look::Again(clock_ms)
    }

    /// Where its keys and values lie, without a look at them; see [`super::store::Store::warm`].
    #[inline]
    pub fn parts(&self) -> Parts<'_> {
        Parts { keys: &self.keys, values: &self.values }
    }

    /// Its keys and their series.
    pub fn keys(&self) -> impl Iterator<Item = (Key, &Series)> {
        self.keys.iter().map(|entry| (entry.key(), &entry.series))
    }

    /// The heap that it takes, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let series: usize = self.keys().map(|(_, series)| series.heap_bytes()).sum();
        let index = self.index.as_ref().map_or(0, |index| index.capacity() * 6);
        self.values.heap_bytes() + series + index + self.keys.capacity() * size_of::<Entry>()
    }

    /// It as plain data.
    pub fn snapshot(&self) -> OwnerState {
        let keys = self.keys().map(|(key, series)| (key, series.snapshot()));
        OwnerState { values: self.values.snapshot(), keys: keys.collect() }
    }

    /// An owner out of plain data.
    pub fn restore(plans: &[ListPlan], state: OwnerState, hasher: &Hasher) -> Owner {
        let values = Values::restore(state.values, hasher);
        let mut owner = Owner { values, ..Owner::default() };
        for (key, state) in state.keys {
            let plan = &plans[key.list as usize];
            let series = Series::restore(key.list, plan, state, &mut owner.values);
            owner.add(key, series, hasher);
        }
        owner.values.release_all(hasher);
        owner
    }
}

/// Every value that a key refers to.
fn each_number(key: &Key, values: &Values) -> SmallVec<[u32; 8]> {
    let mut numbers = SmallVec::new();
    for number in key.numbers.into_iter().filter(|number| *number != ABSENT) {
        numbers.push(number);
        if let (Kind::Tuple, further) = values.value(number) {
            let (further, _) = further.as_chunks();
            numbers.extend(further.iter().map(|n| u32::from_le_bytes(*n)));
        }
    }
    numbers
}
