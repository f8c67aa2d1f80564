//! Things that are numbered as they come, and found by their numbers in one step. They lie in pages;
//! a page of which everything is gone is given back.

use std::{
    collections::VecDeque,
    ops::{Index, IndexMut},
};

/// Things a page: few, because one that stays keeps the room of its page.
const PAGE: usize = 16;

/// Things, by their numbers.
#[derive(Debug)]
pub struct Numbered<T> {
    pages: VecDeque<Page<T>>,
    /// The number of the first page.
    first: u64,
    /// The next number.
    next: u64,
}

#[derive(Debug)]
struct Page<T> {
    /// As many as have come.
    slots: Vec<Option<T>>,
    /// How many of them are here.
    here: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered { pages: VecDeque::new(), first: 0, next: 0 }
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
        if self.pages.is_empty() {
            self.first = page;
        }
        while self.first + self.pages.len() as u64 <= page {
            self.pages.push_back(Page { slots: Vec::new(), here: 0 });
        }
        let Some(page) = self.pages.back_mut() else { unreachable!("a page was just added") };
        page.slots.reserve_exact(PAGE - page.slots.len());
        page.slots.resize_with(slot, || None);
        page.slots.push(Some(thing));
        page.here += 1;
        self.next = number + 1;
    }

    /// The next number will be this, which is none below it.
    pub fn skip_to(&mut self, next: u64) {
        self.next = next;
    }

    /// The one of this number.
    #[inline]
    pub fn get(&self, number: u64) -> Option<&T> {
        let (page, slot) = place(number);
        self.pages.get(page.checked_sub(self.first)? as usize)?.slots.get(slot)?.as_ref()
    }

    /// The one of this number.
    #[inline]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let (page, slot) = place(number);
        let page = self.pages.get_mut(page.checked_sub(self.first)? as usize)?;
        page.slots.get_mut(slot)?.as_mut()
    }

    /// The one of this number goes.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let (at, slot) = place(number);
        let page = self.pages.get_mut(at.checked_sub(self.first)? as usize)?;
        let gone = page.slots.get_mut(slot)?.take()?;
        page.here -= 1;
        if page.here == 0 {
            page.slots = Vec::new();
        }
        while self.pages.front().is_some_and(|page| page.here == 0) {
            self.pages.pop_front();
            self.first += 1;
        }
        Some(gone)
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.pages.iter().zip(self.first..).flat_map(|(page, at)| {
            let numbers = at * PAGE as u64..;
            numbers.zip(&page.slots).filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
        })
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
    use super::Numbered;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a map, with things that go in any order, and restarts.
        #[test]
        fn has_what_a_map_has(steps in prop::collection::vec((0u8..8, 0u64..300), 1..600)) {
            let (mut things, mut map) = (Numbered::default(), BTreeMap::new());
            for (step, number) in steps {
                match step {
                    0..4 => drop(map.insert(things.push(number), number)),
                    4..7 => prop_assert_eq!(things.remove(number), map.remove(&number)),
                    _ => {
                        let mut again = Numbered::default();
                        things.iter().for_each(|(number, thing)| again.put(number, *thing));
                        again.skip_to(things.next());
                        things = again;
                    }
                }
                prop_assert_eq!(things.get(number), map.get(&number));
                prop_assert_eq!(things.get_mut(number), map.get_mut(&number));
            }
            let all: Vec<(u64, u64)> = things.iter().map(|(number, thing)| (number, *thing)).collect();
            prop_assert_eq!(all, map.into_iter().collect::<Vec<_>>());
        }
    }
}
