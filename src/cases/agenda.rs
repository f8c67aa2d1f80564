//! What is due when, first things first.
//!
//! The clock only goes on, and a rule gives every authorization the same time: what it makes due
//! comes in the order in which it is due. So there are a few lanes, each in order, and what comes is
//! put at the end of one. What fits at the end of none stands in a tree. What is taken out of the
//! middle stays until its turn comes, and counts no more.

use std::collections::{BTreeSet, VecDeque};

/// As many rules with times of their own as a ruleset is likely to have.
const LANES: usize = 4;
/// So much of a lane may have been taken out.
const TAKEN_OUT: usize = 64;

/// A time, in epoch ms, and what is due then.
pub type Entry = (i64, u64);

/// What is due when, each once.
#[derive(Debug, Default)]
pub struct Agenda {
    lanes: [Lane; LANES],
    rest: BTreeSet<Entry>,
}

#[derive(Debug, Default)]
struct Lane {
    /// In order; whether it is taken out. The first is not.
    entries: VecDeque<(Entry, bool)>,
    taken_out: usize,
}

impl Agenda {
    /// Something is due, which was not.
    pub fn insert(&mut self, entry: Entry) {
        let last = |lane: &Lane| lane.entries.back().map(|(last, _)| *last);
        // Where least is wasted, so that each kind of time keeps to its lane.
        let fits = self.lanes.iter_mut().filter(|lane| last(lane).is_none_or(|last| last < entry));
        match fits.max_by_key(|lane| last(lane)) {
            Some(lane) => lane.entries.push_back((entry, false)),
            None => drop(self.rest.insert(entry)),
        }
    }

    /// Something is due no more, if it was.
    pub fn remove(&mut self, entry: Entry) {
        if !self.lanes.iter_mut().any(|lane| lane.take_out(entry)) {
            self.rest.remove(&entry);
        }
    }

    /// What is due first.
    pub fn first(&self) -> Option<Entry> {
        let lanes = self.lanes.iter().filter_map(Lane::first);
        lanes.chain(self.rest.first().copied()).min()
    }

    /// Takes out what is due first.
    pub fn pop_first(&mut self) -> Option<Entry> {
        let first = self.first()?;
        match self.lanes.iter_mut().find(|lane| lane.first() == Some(first)) {
            Some(lane) => lane.pop_first(),
            None => drop(self.rest.pop_first()),
        }
        Some(first)
    }
}

impl Lane {
    fn first(&self) -> Option<Entry> {
        self.entries.front().map(|(first, _)| *first)
    }

    fn pop_first(&mut self) {
        self.entries.pop_front();
        while let Some((_, true)) = self.entries.front() {
            self.entries.pop_front();
            self.taken_out -= 1;
        }
    }

    /// Returns whether it was there.
    fn take_out(&mut self, entry: Entry) -> bool {
        if self.first().is_none_or(|first| entry < first) {
            return false;
        }
        let found = self.entries.binary_search_by_key(&entry, |(known, _)| *known);
        let Ok(at) = found else { return false };
        if self.entries[at].1 {
            return false;
        }
        if at == 0 {
            self.pop_first();
            return true;
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
    use super::{Agenda, TAKEN_OUT};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a set, with times that mostly go on.
        #[test]
        fn has_what_a_set_has(
            steps in prop::collection::vec((0u8..9, 0usize..500, 0i64..40), 1..1200),
        ) {
            let (mut agenda, mut set, mut all) = (Agenda::default(), BTreeSet::new(), Vec::new());
            for (number, (step, which, far)) in steps.into_iter().enumerate() {
                match step {
                    0..5 => {
                        let span = [3000, 700, 10, far * 50, far - 20][usize::from(step)];
                        let entry = (number as i64 + span, number as u64);
                        agenda.insert(entry);
                        set.insert(entry);
                        all.push(entry);
                    }
                    5..8 if !all.is_empty() => {
                        let entry = all[which % all.len()];
                        agenda.remove(entry);
                        set.remove(&entry);
                    }
                    _ => prop_assert_eq!(agenda.pop_first(), set.pop_first()),
                }
                prop_assert_eq!(agenda.first(), set.first().copied());
                let kept: usize = agenda.lanes.iter().map(|lane| lane.entries.len()).sum();
                prop_assert!(kept + agenda.rest.len() <= 2 * set.len() + 4 * (2 * TAKEN_OUT + 2));
            }
        }
    }
}
