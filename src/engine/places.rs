//! Places by the hashes of what stands there: a table that keeps a place in eight bytes, and what
//! belongs to a hash close together. What is at a place, only who asks knows.
//!
//! Open addressing with "Robin Hood" probing (Celis, Larson and Munro, 1985): who is farther from
//! where its hash sends it goes first, and what is removed is closed up, so that nothing marks it.
//! Looking for what is not there, putting it there and taking it away again all touch one cache line
//! as a rule. A table with control bytes beside its entries touches two, and the entry of one that is
//! new only when it is written: every event waited for that.

/// So many bits of a place are kept.
pub const PLACE_BITS: u32 = 40;
const TAG_BITS: u32 = 16;
/// How far an entry is from where its hash sends it, from 1 on; 0 is nothing.
const WAY_MAX: u64 = 0xff;
/// The least number of slots.
const LEAST: usize = 8;

/// Places, by hash.
#[derive(Debug, Default)]
pub struct Places {
    /// `place | tag | way`; as many as a power of two.
    slots: Vec<u64>,
    count: usize,
}

/// Where a place is in the table, until that is changed.
#[derive(Debug, Clone, Copy)]
pub struct Slot(usize);

impl Places {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The heap that they take, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().filter(|slot| way(**slot) > 0).map(|slot| place(*slot))
    }

    /// Touches where a hash is looked for, and put if it is not found.
    #[inline]
    pub fn touch(&self, hash: u64) -> u64 {
        self.slots.get(self.home(hash)).copied().unwrap_or(0)
    }

    /// The one of this hash that is meant.
    #[inline]
    pub fn find(&self, hash: u64, is: impl Fn(u64) -> bool) -> Option<(Slot, u64)> {
        let mut at = self.home(hash);
        for wanted in 1.. {
            let slot = *self.slots.get(at)?;
            if way(slot) < wanted {
                // It would have taken this place.
                break;
            }
            if way(slot) == wanted && tag(slot) == tag_of(hash) && is(place(slot)) {
                return Some((Slot(at), place(slot)));
            }
            at = self.after(at);
        }
        None
    }

    /// One more, which was not there. `hash_of` says the hash of what is at a place.
    pub fn insert(&mut self, hash: u64, place: u64, hash_of: &dyn Fn(u64) -> u64) {
        if self.count * 4 >= self.slots.len() * 3 {
            self.grow(hash_of);
        }
        let mut coming = place | tag_of(hash) << PLACE_BITS | WAY;
        let mut at = self.home(hash);
        loop {
            let here = &mut self.slots[at];
            if way(*here) < way(coming) {
                std::mem::swap(here, &mut coming);
                if way(coming) == 0 {
                    break;
                }
            }
            if way(coming) == WAY_MAX {
                // Many hashes that are nearly alike; with twice the room they are farther apart.
                self.grow(hash_of);
                let place = self::place(coming);
                return self.insert(hash_of(place), place, hash_of);
            }
            coming += WAY;
            at = self.after(at);
        }
        self.count += 1;
    }

    /// What was at one place is at another now.
    pub fn set(&mut self, Slot(at): Slot, place: u64) {
        let rest = self.slots[at] & !PLACE;
        self.slots[at] = rest | place;
    }

    /// One goes.
    pub fn remove(&mut self, Slot(mut at): Slot) {
        loop {
            let next = self.after(at);
            if way(self.slots[next]) <= 1 {
                self.slots[at] = 0;
                break;
            }
            self.slots[at] = self.slots[next] - WAY;
            at = next;
        }
        self.count -= 1;
    }

    fn grow(&mut self, hash_of: &dyn Fn(u64) -> u64) {
        let room = (self.slots.len() * 2).max(LEAST);
        let slots = std::mem::replace(&mut self.slots, vec![0; room]);
        self.count = 0;
        for slot in slots.into_iter().filter(|slot| way(*slot) > 0) {
            self.insert(hash_of(place(slot)), place(slot), hash_of);
        }
    }

    /// Where a hash is looked for first.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }
}

const PLACE: u64 = (1 << PLACE_BITS) - 1;
const WAY: u64 = 1 << (PLACE_BITS + TAG_BITS);

#[inline]
fn place(slot: u64) -> u64 {
    slot & PLACE
}

#[inline]
fn tag(slot: u64) -> u64 {
    (slot >> PLACE_BITS) & ((1 << TAG_BITS) - 1)
}

#[inline]
fn way(slot: u64) -> u64 {
    slot >> (PLACE_BITS + TAG_BITS)
}

/// The top bits: the bottom ones say where to look first.
#[inline]
fn tag_of(hash: u64) -> u64 {
    hash >> (u64::BITS - TAG_BITS)
}

#[cfg(test)]
mod tests {
    use super::Places;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What stands at a place in the tests; hashes that are bad on purpose.
    fn hash_of(place: u64) -> u64 {
        ((place % 7) << 60) | ((place % 50) * 41)
    }

    proptest! {
        /// Against a map of all that is there.
        #[test]
        fn has_what_a_map_has(steps in prop::collection::vec((0u8..3, 0u64..400), 1..900)) {
            let (mut places, mut map) = (Places::default(), BTreeMap::new());
            for (step, at) in steps {
                let found = places.find(hash_of(at), |place| place == at);
                prop_assert_eq!(found.map(|(_, place)| place), map.get(&at).copied());
                match (step, found) {
                    (0, Some((slot, _))) => {
                        places.remove(slot);
                        map.remove(&at);
                    }
                    (1 | 2, None) => {
                        places.insert(hash_of(at), at, &hash_of);
                        map.insert(at, at);
                    }
                    _ => {}
                }
                prop_assert_eq!(places.len(), map.len());
            }
            let mut all: Vec<u64> = places.iter().collect();
            all.sort_unstable();
            prop_assert!(all.iter().eq(map.keys()));
        }
    }

    #[test]
    fn hashes_that_are_all_alike_are_kept_apart_by_their_places() {
        let mut places = Places::default();
        // As many as can stand behind one another, and no more: they would need room without end.
        for place in 0..200 {
            places.insert(1, place, &|_| 1);
        }
        for at in 0..200 {
            assert!(places.find(1, |place| place == at).is_some(), "{at}");
        }
    }
}
