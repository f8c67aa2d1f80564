//! Things that are numbered as they come, and found by their numbers in one step. They lie in pages,
//! close together: a page of which most are gone gives room back, and one of which everything is
//! gone goes. What outlives nearly everything that came after it moves to a map, so that it keeps no
//! row of empty pages.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::{Index, IndexMut},
};

/// Things a page: few, because those behind one that goes move up.
const PAGE: usize = u16::BITS as usize;
/// A page gives room back when it has room for so many times what is here.
const SPARSE: usize = 4;
/// So many pages may be empty whatever the others are.
const EMPTY: usize = 64;

/// Things, by their numbers.
#[derive(Debug)]
pub struct Numbered<T> {
    /// What came before the first page.
    old: BTreeMap<u64, T>,
    pages: VecDeque<Page<T>>,
    /// How many of them are empty.
    empty: usize,
    /// The number of the first page.
    first: u64,
    /// The next number.
    next: u64,
}

#[derive(Debug)]
struct Page<T> {
    /// Those that are here, in order.
    things: Vec<T>,
    /// A bit for each slot of which the thing is here.
    here: u16,
}

impl<T> Page<T> {
    /// Where the thing of a slot is, if it is here.
    #[inline]
    fn at(&self, slot: usize) -> Option<usize> {
        let bit = 1 << slot;
        (self.here & bit != 0).then(|| (self.here & (bit - 1)).count_ones() as usize)
    }

    /// One comes, to a slot behind all that are here.
    fn push(&mut self, slot: usize, thing: T) {
        self.things.reserve_exact(PAGE - slot);
        self.things.push(thing);
        self.here |= 1 << slot;
    }

    fn remove(&mut self, slot: usize) -> Option<T> {
        let gone = self.things.remove(self.at(slot)?);
        self.here &= !(1 << slot);
        if self.things.len() * SPARSE <= self.things.capacity() {
            self.things.shrink_to_fit();
        }
        Some(gone)
    }
}

/// The numbers of those that are on a page, in order.
fn numbers(page: u64, here: u16) -> impl Iterator<Item = u64> {
    (0..PAGE)
        .filter(move |slot| here & (1 << slot) != 0)
        .map(move |s| page * PAGE as u64 + s as u64)
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered { old: BTreeMap::new(), pages: VecDeque::new(), empty: 0, first: 0, next: 0 }
    }
}

impl<T> Numbered<T> {
    /// The number that the next one gets.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next one comes. Returns its number.
    pub fn push(&mut self, thing: T) -> u64 {
        self.put(self.next, thing);
        self.next - 1
    }

    /// One comes by a number that no one has had, and none beyond it.
    pub fn put(&mut self, number: u64, thing: T) {
        let (page, slot) = place(number);
        let missing = (page + 1).saturating_sub(self.first + self.pages.len() as u64);
        if missing > (EMPTY + self.pages.len()) as u64 {
            while !self.pages.is_empty() {
                self.retire();
            }
        }
        if self.pages.is_empty() {
            self.first = page;
        }
        while self.first + self.pages.len() as u64 <= page {
            self.pages.push_back(Page { things: Vec::new(), here: 0 });
            self.empty += 1;
        }
        let Some(page) = self.pages.back_mut() else { unreachable!("a page was just added") };
        self.empty -= usize::from(page.here == 0);
        page.push(slot, thing);
        self.next = number + 1;
        if missing > 1 {
            self.thin(missing as usize);
        }
    }

    /// The next number will be this, which is none below it.
    pub fn skip_to(&mut self, next: u64) {
        self.next = next;
    }

    /// The one of this number.
    #[inline]
    pub fn get(&self, number: u64) -> Option<&T> {
        let (page, slot) = place(number);
        let Some(page) = page.checked_sub(self.first) else { return self.old.get(&number) };
        let page = self.pages.get(page as usize)?;
        page.things.get(page.at(slot)?)
    }

    /// The one of this number.
    #[inline]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let (page, slot) = place(number);
        let Some(page) = page.checked_sub(self.first) else { return self.old.get_mut(&number) };
        let page = self.pages.get_mut(page as usize)?;
        let at = page.at(slot)?;
        page.things.get_mut(at)
    }

    /// The one of this number goes.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let (at, slot) = place(number);
        let Some(at) = at.checked_sub(self.first) else { return self.old.remove(&number) };
        let page = self.pages.get_mut(at as usize)?;
        let gone = page.remove(slot)?;
        if page.here == 0 {
            self.empty += 1;
            self.drop_empty();
            self.thin(1);
        }
        Some(gone)
    }

    /// Empty pages in front are given back.
    fn drop_empty(&mut self) {
        while self.pages.pop_front_if(|page| page.here == 0).is_some() {
            self.first += 1;
            self.empty -= 1;
        }
    }

    /// Retires pages in front while most are empty: two for each that has become so, at most.
    fn thin(&mut self, emptied: usize) {
        for _ in 0..2 * emptied {
            // The last page may not be full yet.
            if self.pages.len() < 2 || 2 * self.empty <= self.pages.len() + EMPTY {
                return;
            }
            self.retire();
            self.drop_empty();
        }
    }

    /// What is on the first page moves to the map.
    fn retire(&mut self) {
        let Some(page) = self.pages.pop_front() else { return };
        self.empty -= usize::from(page.here == 0);
        self.old.extend(numbers(self.first, page.here).zip(page.things));
        self.first += 1;
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let pages = self.pages.iter().zip(self.first..);
        let pages = pages.flat_map(|(page, at)| numbers(at, page.here).zip(&page.things));
        self.old.iter().map(|(number, thing)| (*number, thing)).chain(pages)
    }
}

/// The number of a page, and the place in it.
#[inline]
fn place(number: u64) -> (u64, usize) {
    (number / PAGE as u64, (number % PAGE as u64) as usize)
}

impl<T> Index<u64> for Numbered<T> {
    type Output = T;

    #[inline]
    fn index(&self, number: u64) -> &T {
        match self.get(number) {
            Some(thing) => thing,
            None => unreachable!("{number} is here"),
        }
    }
}

impl<T> IndexMut<u64> for Numbered<T> {
    #[inline]
    fn index_mut(&mut self, number: u64) -> &mut T {
        match self.get_mut(number) {
            Some(thing) => thing,
            None => unreachable!("{number} is here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EMPTY, Numbered, PAGE};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The same, out of what it has.
    fn again(things: &Numbered<u64>) -> Numbered<u64> {
        let mut again = Numbered::default();
        things.iter().for_each(|(number, thing)| again.put(number, *thing));
        again.skip_to(things.next());
        again
    }

    proptest! {
        /// Against a map, with things that go in any order or soon, and restarts.
        #[test]
        fn has_what_a_map_has(
            steps in prop::collection::vec((0u8..10, 0u64..300, 0usize..1500), 1..300),
        ) {
            let (mut things, mut map) = (Numbered::default(), BTreeMap::new());
            for (step, number, many) in steps {
                match step {
                    0..4 => drop(map.insert(things.push(number), number)),
                    4..7 => prop_assert_eq!(things.remove(number), map.remove(&number)),
                    7 => {
                        let first = things.next();
                        for _ in 0..many {
                            map.insert(things.push(number), number);
                        }
                        for gone in first..things.next() {
                            prop_assert_eq!(things.remove(gone), map.remove(&gone));
                        }
                    }
                    8 => things.skip_to(things.next() + many as u64 * number),
                    _ => things = again(&things),
                }
                prop_assert_eq!(things.get(number), map.get(&number));
                prop_assert_eq!(things.get_mut(number), map.get_mut(&number));
            }
            let all: Vec<(u64, u64)> = things.iter().map(|(number, thing)| (number, *thing)).collect();
            prop_assert_eq!(all, map.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_that_stays_keeps_no_pages_behind_it() {
        const PINNED: u64 = 40;
        const COMING: u64 = 300_000;
        let mut things = Numbered::default();
        for number in 0..COMING {
            assert_eq!(things.push(number), number);
            // A few hundred live at a time, and every ten-thousandth stays.
            let gone = number.checked_sub(300).filter(|gone| *gone > PINNED && gone % 10_000 != 0);
            assert_eq!(gone.and_then(|gone| things.remove(gone)), gone);
            assert!(things.pages.len() <= 2 * EMPTY + 2 * 300 / PAGE + 4, "{}", things.pages.len());
        }
        assert!(things.iter().count() < 400 && things.old.len() <= PINNED as usize + 30);
        let mut restored = again(&things);
        assert!(restored.iter().eq(things.iter()));
        for number in 0..COMING {
            assert_eq!(things.remove(number), restored.remove(number), "{number}");
        }
        assert!(things.pages.is_empty() && things.old.is_empty() && things.empty == 0);
    }
}
