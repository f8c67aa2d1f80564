//! Things in order, most of which come in order: what is due when, and the cases that stand in one
//! way.
//!
//! The clock only goes on, and a rule gives every authorization the same time: what it makes due
//! comes in the order in which it is due. So there are a few lanes, each in order, and what comes is
//! put at the end of one. What fits at the end of none stands in a tree. What is taken out of the
//! middle stays until its turn comes, and counts no more.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, VecDeque},
};

/// As many rules with times of their own as a ruleset is likely to have.
const LANES: usize = 4;
/// So much of a lane may have been taken out.
const TAKEN_OUT: usize = 64;

/// Things in order, each once.
#[derive(Debug)]
pub struct Ordered<T> {
    lanes: [Lane<T>; LANES],
    rest: BTreeSet<T>,
}

/// Things in order, each once, to which greater ones are added.
#[derive(Debug, Clone)]
pub struct Lane<T> {
    /// In order; whether it is taken out. The first is not.
    entries: VecDeque<(T, bool)>,
    taken_out: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Lane { entries: VecDeque::new(), taken_out: 0 }
    }
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Ordered { lanes: std::array::from_fn(|_| Lane::default()), rest: BTreeSet::new() }
    }
}

impl<T: Copy + Ord> Ordered<T> {
    /// One more, which was not there.
    pub fn insert(&mut self, entry: T) {
        let last = |lane: &Lane<T>| lane.entries.back().map(|(last, _)| *last);
        // Where least is wasted, so that each kind of time keeps to its lane.
        let fits = self.lanes.iter_mut().filter(|lane| last(lane).is_none_or(|last| last < entry));
        match fits.max_by_key(|lane| last(lane)) {
            Some(lane) => lane.push(entry),
            None => drop(self.rest.insert(entry)),
        }
    }

    /// One is taken out, if it was there.
    pub fn remove(&mut self, entry: T) {
        if !self.lanes.iter_mut().any(|lane| lane.take_out(entry)) {
            self.rest.remove(&entry);
        }
    }

    /// The first.
    pub fn first(&self) -> Option<T> {
        let lanes = self.lanes.iter().filter_map(Lane::first);
        lanes.chain(self.rest.first().copied()).min()
    }

    /// Takes out the first.
    pub fn pop_first(&mut self) -> Option<T> {
        let first = self.first()?;
        match self.lanes.iter_mut().find(|lane| lane.first() == Some(first)) {
            Some(lane) => lane.pop_first(),
            None => drop(self.rest.pop_first()),
        }
        Some(first)
    }

    /// The first ones of each lane that are not beyond this one, at most so many of a lane, in no
    /// order: some may be missing, and some be there no more.
    pub fn up_to(&self, last: T, most: usize) -> impl Iterator<Item = T> {
        self.lanes.iter().flat_map(move |lane| {
            let first = lane.entries.iter().take(most).map(|(entry, _)| *entry);
            first.take_while(move |entry| *entry <= last)
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let lanes = self.lanes.iter().map(|lane| lane.entries.len() - lane.taken_out);
        lanes.sum::<usize>() + self.rest.len()
    }

    /// Those from this one on, the first ones, at most so many.
    pub fn from(&self, entry: T, most: usize) -> Vec<T> {
        let mut found: Vec<T> = self.rest.range(entry..).take(most).copied().collect();
        for Lane { entries, .. } in &self.lanes {
            let at = entries.partition_point(|(known, _)| *known < entry);
            let here = entries.range(at..).filter(|(_, taken_out)| !taken_out);
            found.extend(here.take(most).map(|(known, _)| *known));
        }
        found.sort_unstable();
        found.truncate(most);
        found
    }
}

impl<T: Copy + Ord> Lane<T> {
    /// One more, which is greater than all that are there.
    pub fn push(&mut self, entry: T) {
        self.entries.push_back((entry, false));
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = T> {
        self.entries.iter().filter(|(_, taken_out)| !taken_out).map(|(entry, _)| *entry)
    }

    fn first(&self) -> Option<T> {
        self.entries.front().map(|(first, _)| *first)
    }

    fn pop_first(&mut self) {
        self.entries.pop_front();
        while let Some((_, true)) = self.entries.front() {
            self.entries.pop_front();
            self.taken_out -= 1;
        }
    }

    /// One is taken out. Returns whether it was there.
    pub fn take_out(&mut self, entry: T) -> bool {
        match self.first().map(|first| entry.cmp(&first)) {
            None | Some(Ordering::Less) => return false,
            Some(Ordering::Equal) => {
                self.pop_first();
                return true;
            }
            Some(Ordering::Greater) => {}
        }
        let found = self.entries.binary_search_by_key(&entry, |(known, _)| *known);
        let Ok(at) = found else { return false };
        if self.entries[at].1 {
            return false;
        }
        self.entries[at].1 = true;
        self.taken_out += 1;
        if self.taken_out > TAKEN_OUT + self.entries.len() / 2 {
            self.entries.retain(|(_, taken_out)| !taken_out);
            self.taken_out = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Ordered, TAKEN_OUT};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a set, with times that mostly go on.
        #[test]
        fn has_what_a_set_has(
            steps in prop::collection::vec((0u8..9, 0usize..500, 0i64..40), 1..1200),
        ) {
            let (mut ordered, mut set, mut all) = (Ordered::default(), BTreeSet::new(), Vec::new());
            for (number, (step, which, far)) in steps.into_iter().enumerate() {
                match step {
                    0..5 => {
                        let span = [3000, 700, 10, far * 50, far - 20][usize::from(step)];
                        let entry = (number as i64 + span, number as u64);
                        ordered.insert(entry);
                        set.insert(entry);
                        all.push(entry);
                    }
                    5..8 if !all.is_empty() => {
                        let entry = all[which % all.len()];
                        ordered.remove(entry);
                        set.remove(&entry);
                    }
                    _ => prop_assert_eq!(ordered.pop_first(), set.pop_first()),
                }
                prop_assert_eq!(ordered.first(), set.first().copied());
                prop_assert_eq!(ordered.count(), set.len());
                let from = (number as i64 + 400, 0);
                let due: Vec<_> = set.range(from..).take(which % 20).copied().collect();
                prop_assert_eq!(ordered.from(from, which % 20), due);
                let near: Vec<_> = ordered.up_to(from, usize::MAX).collect();
                prop_assert!(near.iter().all(|entry| *entry <= from));
                let missing = set.range(..=from).filter(|entry| !near.contains(entry));
                prop_assert!(missing.eq(ordered.rest.range(..=from)));
                let kept: usize = ordered.lanes.iter().map(|lane| lane.entries.len()).sum();
                prop_assert!(kept + ordered.rest.len() <= 2 * set.len() + 4 * (2 * TAKEN_OUT + 2));
            }
        }
    }
}
