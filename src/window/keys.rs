//! The keys of an owner that has many events: the account itself, its cards, its devices, each with
//! rows of its own. Counts nothing itself (`series` does).

use std::hash::BuildHasher;

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::stream::Sink;

use super::{
    Hasher,
    plan::ListPlan,
    plan::Plan,
    series::{Series, SeriesState},
    values::{ABSENT, Kind, Values},
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
/// Keys looked at in one go, to see whether they are quiet.
const LOOKED_AT: usize = 16;

/// The keys of one owner.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<(Key, Series)>,
    /// The places of keys, where there are many.
    index: Option<Box<HashTable<u32>>>,
    /// The next key to look at.
    look_at: u32,
    /// The earliest time at which one of those looked at in this round may be quiet, in epoch ms.
    look_again_ms: i64,
    /// When they are to be looked at, in epoch ms.
    pub due_ms: i64,
}

/// What is to be done with an owner that has been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing is left of it.
    Gone,
    /// Look again when the clock is here, in epoch ms.
    Again(i64),
}

impl Keys {
    /// None yet; they will be looked at when the clock is at `due_ms`.
    pub fn new(due_ms: i64) -> Keys {
        Keys { due_ms, ..Keys::default() }
    }

    /// Where a key is.
    #[inline]
    pub fn find(&self, key: &Key, hasher: &Hasher) -> Option<usize> {
        match &self.index {
            None => self.keys.iter().position(|(known, _)| known == key),
            Some(index) => {
                let same = |at: &u32| self.keys[*at as usize].0 == *key;
                index.find(hasher.hash_one(key), same).map(|at| *at as usize)
            }
        }
    }

    /// The series at a place.
    #[inline]
    pub fn at(&mut self, place: usize) -> &mut Series {
        &mut self.keys[place].1
    }

    /// Makes a key, which there is none of. Returns its place.
    pub fn add(&mut self, key: Key, series: Series, values: &mut Values, hasher: &Hasher) -> usize {
        each_number(&key, values).into_iter().for_each(|number| values.retain(number));
        self.keys.push((key, series));
        let place = self.keys.len() - 1;
        let Keys { keys, index, .. } = self;
        let hash = |at: &u32| hasher.hash_one(keys[*at as usize].0);
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

    fn remove(&mut self, place: usize, values: &mut Values, hasher: &Hasher) {
        let last = self.keys.len() - 1;
        if let Some(index) = &mut self.index {
            let gone = hasher.hash_one(self.keys[place].0);
            if let Ok(entry) = index.find_entry(gone, |at| *at as usize == place) {
                entry.remove();
            }
            // The last one moves into its place.
            let moved = hasher.hash_one(self.keys[last].0);
            if place != last
                && let Some(at) = index.find_mut(moved, |at| *at as usize == last)
            {
                *at = place as u32;
            }
        }
        let (key, _) = self.keys.swap_remove(place);
        let numbers = each_number(&key, values);
        numbers.into_iter().for_each(|number| values.release(number, hasher));
    }

    /// Looks at a few keys, and forgets what no window can reach any more. `quiet_after_ms` says
    /// by list how long after its newest event a key is out of reach.
    pub fn look(
        &mut self,
        plans: &[ListPlan],
        quiet_after_ms: impl Fn(&ListPlan) -> i64,
        clock_ms: i64,
        values: &mut Values,
        hasher: &Hasher,
    ) -> Look {
        if self.look_at == 0 {
            self.look_again_ms = i64::MAX;
        }
        for _ in 0..LOOKED_AT {
            let at = self.look_at as usize;
            let Some((key, series)) = self.keys.get_mut(at) else { break };
            let plan = &plans[key.list as usize];
            let after_ms = quiet_after_ms(plan);
            let until_ms = clock_ms.saturating_sub(after_ms);
            series.forget(plan, until_ms, values, hasher);
            match series.newest_ms(plan) {
                Some(newest) if newest > until_ms => {
                    self.look_again_ms = self.look_again_ms.min(newest.saturating_add(after_ms));
                    self.look_at += 1;
                }
                _ => self.remove(at, values, hasher),
            }
        }
        if self.keys.is_empty() {
            return Look::Gone;
        }
        let round = self.look_at as usize >= self.keys.len();
        self.due_ms = if round { self.look_again_ms } else { clock_ms };
        self.look_at = if round { 0 } else { self.look_at };
        Look::Again(self.due_ms)
    }

    /// The keys and their series.
    pub fn iter(&self) -> impl Iterator<Item = &(Key, Series)> {
        self.keys.iter()
    }

    /// The memory that they take, in bytes, about.
    pub fn bytes(&self) -> usize {
        let series: usize = self.iter().map(|(_, series)| series.heap_bytes()).sum();
        let index = self.index.as_ref().map_or(0, |index| index.capacity() * 6);
        size_of::<Keys>() + series + index + self.keys.capacity() * size_of::<(Key, Series)>()
    }

    /// Has fetched what the first few will need.
    #[inline]
    pub fn fetch(&self, few: usize) {
        self.keys.iter().take(few).for_each(|(_, series)| series.fetch());
    }

    /// Puts them into a stream.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        to.put_all(self.keys.len(), self.keys.iter().map(|(key, series)| (key, series.state())))
    }

    /// A key out of plain data, whose values are there.
    pub fn restore(
        &mut self,
        plan: &Plan,
        (key, state): (Key, SeriesState),
        values: &mut Values,
        hasher: &Hasher,
    ) {
        let series = Series::restore(&plan.lists[key.list as usize], state, values);
        self.add(key, series, values, hasher);
    }

    /// They as plain data.
    pub fn snapshot(&self) -> Vec<(Key, SeriesState)> {
        self.iter().map(|(key, series)| (*key, series.snapshot())).collect()
    }
}

/// The numbers of the values of a key that has so many fields beside the owner's.
pub fn numbers_of(key: &Key, places: usize, values: &Values) -> SmallVec<[u32; 8]> {
    let mut numbers: SmallVec<[u32; 8]> = key.numbers.iter().copied().take(places).collect();
    if places > KEY_PLACES
        && let Some(last) = numbers.pop().filter(|number| *number != ABSENT)
    {
        let (further, _) = values.value(last).1.as_chunks();
        numbers.extend(further.iter().map(|n| u32::from_le_bytes(*n)));
    }
    numbers
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
