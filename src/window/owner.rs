//! All that is kept for one owner, such as an account. While it has few events, one row an event
//! serves the windows of all its keys; with many, each key has rows of its own. Counts nothing
//! itself (`walk` and `series` do).

use smallvec::SmallVec;

use crate::{
    ahead::fetch,
    stream::{Sink, Source},
};

use super::{
    Hasher,
    keys::{self, KEY_PLACES, Key, Keys, Look},
    plan::{GroupPlan, ListPlan, Plan},
    rows::Rows,
    series::{Series, SeriesState},
    values::{ABSENT, Kind, ValueState, Values},
};

/// A key of an owner: the list that it is of, and its values in the order of the list's fields but
/// the owner's own; of an absent field, none.
pub type KeyLook = (usize, Vec<Option<ValueState>>);

/// Up to this many events an owner has one row each for all its keys.
pub const FEW: usize = 16;
/// Keys whose rows are fetched ahead of an event.
const FETCHED: usize = 4;

/// One owner.
#[derive(Debug, Default)]
pub struct Owner {
    /// What its keys and rows refer to.
    pub values: Values,
    /// Its events, while they are few.
    pub rows: Rows<0>,
    /// Its keys, once its events were many.
    pub keys: Option<Box<Keys>>,
}

/// One owner as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerState {
    /// The values that its keys and rows refer to, in the order of their numbers.
    pub values: Vec<ValueState>,
    /// Its events, while they are few: the words of their rows.
    pub rows: Vec<u64>,
    /// Its keys, once its events were many.
    pub keys: Option<Vec<(Key, SeriesState)>>,
}

/// The parts of an owner.
#[derive(Debug)]
pub struct Parts<'a> {
    words: &'a [u64],
    keys: Option<&'a Keys>,
    values: &'a Values,
}

impl Parts<'_> {
    /// Has fetched what an event of the owner will need.
    #[inline]
    pub fn fetch(&self) {
        [self.words.last(), self.words.first()].into_iter().flatten().for_each(fetch);
        self.values.fetch();
        self.keys.iter().for_each(|keys| keys.fetch(FETCHED));
    }
}

impl Owner {
    /// Forgets everything. Some room stays, for the next one.
    pub fn clear(&mut self) {
        self.values.clear();
        self.rows.clear();
        self.keys = None;
    }

    /// Forgets those of few events that no window can reach any more.
    #[inline]
    pub fn forget(&mut self, group: &GroupPlan, until_ms: i64, hasher: &Hasher) {
        let Owner { values, rows, .. } = self;
        while rows.oldest_ms().is_some_and(|oldest| oldest <= until_ms) {
            for (_, half) in &group.values {
                values.release(half.of(rows.row(group.row.stride, 0)), hasher);
            }
            rows.pop_first(group.row.stride);
        }
    }

    /// Its events become many: each of them goes to its keys. `reachable_ms` says by list after
    /// which time an event is still in reach; the keys are looked at when the clock is at `due_ms`.
    /// Returns how many events the bound on a key drove out.
    pub fn spread(
        &mut self,
        group: &GroupPlan,
        plan: &Plan,
        reachable_ms: impl Fn(&ListPlan) -> i64,
        due_ms: i64,
        limit: usize,
        hasher: &Hasher,
    ) -> u64 {
        let Owner { values, rows, keys } = self;
        let keys = keys.insert(Box::new(Keys::new(due_ms)));
        let (stride, mut of_list, mut evicted) = (group.row.stride, Vec::new(), 0);
        for row in rows.words().chunks_exact(stride) {
            for list in &group.lists {
                let list_plan = &plan.lists[*list];
                if !list_plan.take_row(row, &mut of_list)
                    || super::rows::time_ms(row) <= reachable_ms(list_plan)
                {
                    continue;
                }
                let number = |path: usize| group.value(path).of(row);
                let (key, tuple) = key_of(*list, list_plan, number, values, hasher);
                let place = match keys.find(&key, hasher) {
                    Some(place) => place,
                    None => keys.add(key, Series::default(), values, hasher),
                };
                let evicts = keys.at(place).insert(list_plan, &of_list, limit, values, hasher);
                evicted += u64::from(evicts);
                values.release(tuple, hasher);
            }
        }
        self.forget(group, i64::MAX, hasher);
        self.rows = Rows::default();
        evicted
    }

    /// Looks at what it has, and forgets what no window can reach any more. `quiet_after_ms` says
    /// by how far a window reaches back how long after an event it is out of reach.
    pub fn look(
        &mut self,
        group: &GroupPlan,
        plan: &Plan,
        quiet_after_ms: impl Fn(i64) -> i64,
        clock_ms: i64,
        hasher: &Hasher,
    ) -> Look {
        if let Some(keys) = &mut self.keys {
            let quiet_after_ms = |list: &ListPlan| quiet_after_ms(list.reach_ms);
            return keys.look(&plan.lists, quiet_after_ms, clock_ms, &mut self.values, hasher);
        }
        let after_ms = quiet_after_ms(group.reach_ms);
        self.forget(group, clock_ms.saturating_sub(after_ms), hasher);
        match self.rows.newest_ms(group.row.stride) {
            Some(newest) => Look::Again(newest.saturating_add(after_ms)),
            None => Look::Gone,
        }
    }

    /// Where its rows, keys and values lie, without a look at them; see
    /// [`super::store::Store::warm`].
    #[inline]
    pub fn parts(&self) -> Parts<'_> {
        Parts { words: self.rows.words(), keys: self.keys.as_deref(), values: &self.values }
    }

    /// Its keys with their values, at most so many; those of its newest events first, while they are
    /// few.
    pub fn keys_of(&self, group: &GroupPlan, plan: &Plan, most: usize) -> Vec<KeyLook> {
        let mut found: Vec<KeyLook> = Vec::new();
        let look = |list: usize, numbers: &[u32]| {
            (list, numbers.iter().map(|number| self.values.state_of(*number)).collect())
        };
        let mut of_list = Vec::new();
        let rows: Vec<&[u64]> = self.rows.words().chunks_exact(group.row.stride).collect();
        for row in rows.into_iter().rev() {
            for list in &group.lists {
                let list_plan = &plan.lists[*list];
                let number = |path: &usize| group.value(*path).of(row);
                let numbers: Vec<u32> = list_plan.rest.iter().map(number).collect();
                let look = look(*list, &numbers);
                if list_plan.take_row(row, &mut of_list) && !found.contains(&look) {
                    found.push(look);
                }
            }
        }
        // Of many, each is there once.
        let keys = self.keys.iter().flat_map(|keys| keys.iter());
        found.extend(keys.take(most).map(|(key, _)| {
            let places = plan.lists[key.list as usize].rest.len();
            look(key.list as usize, &keys::numbers_of(key, places, &self.values))
        }));
        found.truncate(most);
        found
    }

    /// Its keys, rows and bytes on the heap, about; one with very many keys is not looked at whole.
    pub fn measure(&self, group: &GroupPlan, plan: &Plan) -> [usize; 3] {
        const MOST: usize = 512;
        let Some(keys) = &self.keys else {
            return [self.count_keys(group, plan), self.count_rows(group, plan), self.heap_bytes()];
        };
        let (count, looked_at) = (keys.iter().count(), keys.iter().take(MOST));
        let of = |(key, series): &(Key, Series)| {
            (series.rows(&plan.lists[key.list as usize]), series.heap_bytes())
        };
        let (rows, heap) =
            looked_at.map(of).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let all = |some: usize| some * count / count.clamp(1, MOST);
        let heap =
            all(heap) + count * size_of::<(Key, Series)>() + self.values.heap_bytes_about(MOST);
        [count, all(rows), heap]
    }

    /// How many keys it has.
    pub fn count_keys(&self, group: &GroupPlan, plan: &Plan) -> usize {
        if let Some(keys) = &self.keys {
            return keys.iter().count();
        }
        let rows = self.rows.words().chunks_exact(group.row.stride);
        let keys_of = |list: &usize| {
            let list = &plan.lists[*list];
            let places: SmallVec<[_; 4]> =
                list.rest.iter().map(|path| group.value(*path)).collect();
            let counted = rows.clone().filter(|row| list.counts(row));
            let key = |row| places.iter().map(|place| place.of(row)).collect();
            let mut keys: SmallVec<[SmallVec<[u32; 4]>; 16]> = counted.map(key).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.len()
        };
        group.lists.iter().map(keys_of).sum()
    }

    /// How many rows it has.
    pub fn count_rows(&self, group: &GroupPlan, plan: &Plan) -> usize {
        match &self.keys {
            None => self.rows.len(group.row.stride),
            Some(keys) => keys.iter().map(|(k, s)| s.rows(&plan.lists[k.list as usize])).sum(),
        }
    }

    /// The heap that it takes, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.bytes());
        self.values.heap_bytes() + self.rows.heap_bytes() + keys
    }

    /// It as plain data.
    pub fn snapshot(&self) -> OwnerState {
        OwnerState {
            values: self.values.snapshot(),
            rows: self.rows.words().to_vec(),
            keys: self.keys.as_ref().map(|keys| keys.snapshot()),
        }
    }

    /// An owner out of plain data; it will be looked at when the clock is at `due_ms`.
    pub fn restore(
        group: &GroupPlan,
        plan: &Plan,
        state: OwnerState,
        due_ms: i64,
        hasher: &Hasher,
    ) -> Owner {
        let mut values = Values::restore(state.values, hasher);
        let rows = rows_of(group, state.rows, &mut values);
        let keys = state.keys.map(|states| {
            let mut keys = Box::new(Keys::new(due_ms));
            states.into_iter().for_each(|key| keys.restore(plan, key, &mut values, hasher));
            keys
        });
        values.release_all(hasher);
        Owner { values, rows, keys }
    }

    /// Puts it into a stream.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        self.values.write(to)?;
        to.put(self.rows.words())?;
        to.put(&self.keys.is_some())?;
        self.keys.iter().try_for_each(|keys| keys.write(to))
    }

    /// An owner out of a stream; it will be looked at when the clock is at `due_ms`.
    pub fn read<S: Source>(
        group: &GroupPlan,
        plan: &Plan,
        from: &mut S,
        due_ms: i64,
        hasher: &Hasher,
    ) -> Result<Owner, S::Error> {
        let mut values = Values::read(from, hasher)?;
        let rows = rows_of(group, from.take()?, &mut values);
        let mut keys = from.take::<bool>()?.then(|| Box::new(Keys::new(due_ms)));
        if let Some(keys) = &mut keys {
            from.take_all(|key| keys.restore(plan, key, &mut values, hasher))?;
        }
        values.release_all(hasher);
        Ok(Owner { values, rows, keys })
    }
}

/// Rows of these words, which refer to their values.
fn rows_of(group: &GroupPlan, words: Vec<u64>, values: &mut Values) -> Rows<0> {
    for row in words.chunks_exact(group.row.stride) {
        for (_, half) in &group.values {
            values.retain(half.of(row));
        }
    }
    Rows::from_words(words)
}

/// A key of a list, out of the numbers of values by path; and the tuple that stands in for its
/// further fields, which has to be released.
#[inline]
pub fn key_of(
    list: usize,
    plan: &ListPlan,
    number: impl Fn(usize) -> u32,
    values: &mut Values,
    hasher: &Hasher,
) -> (Key, u32) {
    let mut numbers = [ABSENT; KEY_PLACES];
    let mut tuple = ABSENT;
    numbers.iter_mut().zip(&plan.rest).for_each(|(n, path)| *n = number(*path));
    if plan.rest.len() > KEY_PLACES {
        let further = &plan.rest[KEY_PLACES - 1..];
        let bytes: Vec<u8> = further.iter().flat_map(|path| number(*path).to_le_bytes()).collect();
        tuple = values.hold(Kind::Tuple, &bytes, hasher);
        numbers[KEY_PLACES - 1] = tuple;
    }
    (Key { list: list as u32, numbers }, tuple)
}
