//! Places by the hashes of what stands there: a table that keeps a place in eight bytes, and what
//! belongs to a hash close together. What is at a place, only who asks knows. Repeats, accounts and
//! members of cases are found by it.
//!
//! Open addressing with "Robin Hood" probing (Celis, Larson and Munro, 1985): who is farther from
//! where its hash sends it goes first, and what is removed is closed up, so that nothing marks it.
//! Looking for what is not there, putting it there and taking it away again all touch one cache line
//! as a rule. A table with control bytes beside its entries touches two, and the entry of one that is
//! new only when it is written: every event waited for that.

use std::{collections::BTreeSet, ops::Bound};

use crate::ahead::fetch;

/// So many bits of a place are kept.
pub const PLACE_BITS: u32 = 40;
const TAG_BITS: u32 = 16;
/// A table grows until so few bits of a tag are left; then it asks for the hashes anew.
const TAG_BITS_LEAST: u32 = 8;
/// How far an entry is from where its hash sends it, from 1 on; 0 is nothing.
const WAY_MAX: u64 = 0xff;
/// The least number of slots.
const LEAST: usize = 8;
/// Where hashes are so much alike that they stand far from where they belong although fewer than one
/// slot in so many is taken, more room would not help. Until then a part doubles, four times at most.
const SPARSE: usize = 16;
/// In parts, so that the growth of one is no pause.
const PARTS: usize = 256;

/// Places, by hash.
#[derive(Debug)]
pub struct Places {
    parts: Box<[Part]>,
    count: usize,
    /// Those that share their hash with very many, by hash: a name that is given again and again.
    crowd: Crowd,
}

type Crowd = BTreeSet<(u64, u64)>;

#[derive(Debug, Default)]
struct Part {
    /// `place | tag | way`; as many as a power of two. The low bits of a hash say where it is looked
    /// for first, and its tag is those above them: when the table doubles, one goes over, and nobody
    /// has to be asked for the hash, eight times of nine.
    slots: Vec<u64>,
    /// How many of them are taken.
    count: u32,
    /// How many bits of a hash their tags have.
    tag_bits: u32,
}

/// Where a place is, until something changes.
#[derive(Debug, Clone, Copy)]
struct Slot(usize);

/// The hash of what is at a place.
pub type HashOf<'a> = &'a dyn Fn(u64) -> u64;

impl Default for Places {
    fn default() -> Places {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Places { parts, count: 0, crowd: Crowd::new() }
    }
}

impl Places {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The heap that they take, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let slots: usize = self.parts.iter().map(|part| part.slots.capacity()).sum();
        let crowd = self.crowd.len() * size_of::<(u64, u64)>();
        size_of_val(&*self.parts) + slots * size_of::<u64>() + crowd
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        let crowd = self.crowd.iter().map(|(_, place)| *place);
        self.parts.iter().flat_map(Part::iter).chain(crowd)
    }

    /// Has fetched where a hash is looked for, and put if it is not found.
    #[inline]
    pub fn fetch(&self, hash: u64) {
        self.part(hash).at_home(hash).into_iter().for_each(fetch);
    }

    /// What may be of this hash: what is there can be fetched before it is looked for.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<u64> {
        let slot = self.part(hash).at_home(hash).filter(|slot| way(**slot) > 0)?;
        Some(place(*slot))
    }

    /// The one of this hash that is meant.
    #[inline]
    pub fn find(&self, hash: u64, mut is: impl FnMut(u64) -> bool) -> Option<u64> {
        let found = self.part(hash).find(hash, &mut is).map(|(_, place)| place);
        if found.is_some() || self.crowd.is_empty() {
            return found;
        }
        self.crowd_of(hash).find(|place| is(*place))
    }

    /// All that may be of this hash: nearly always they are.
    pub fn all(&self, hash: u64) -> Vec<u64> {
        let mut all = Vec::new();
        self.find(hash, |place| {
            all.push(place);
            false
        });
        all
    }

    fn crowd_of(&self, hash: u64) -> impl Iterator<Item = u64> {
        let of = (Bound::Included((hash, 0)), Bound::Included((hash, u64::MAX)));
        self.crowd.range(of).map(|(_, place)| *place)
    }

    /// One more, which was not there.
    pub fn insert(&mut self, hash: u64, place: u64, hash_of: HashOf<'_>) {
        self.count += 1;
        let Places { parts, crowd, .. } = self;
        parts[part(hash)].insert(hash, place, hash_of, crowd);
    }

    /// What was at one place is at another now. Returns whether it was there.
    pub fn replace(&mut self, hash: u64, from: u64, to: u64) -> bool {
        let part = &mut self.parts[part(hash)];
        match part.slot(hash, from) {
            Some(Slot(at)) => {
                let rest = part.slots[at] & !PLACE;
                part.slots[at] = rest | to;
                true
            }
            None => self.crowd.remove(&(hash, from)) && self.crowd.insert((hash, to)),
        }
    }

    /// One goes, if it is there.
    #[inline]
    pub fn remove(&mut self, hash: u64, place: u64) {
        let part = &mut self.parts[part(hash)];
        let was_there = match part.slot(hash, place) {
            Some(slot) => {
                part.close_up(slot);
                true
            }
            None => !self.crowd.is_empty() && self.crowd.remove(&(hash, place)),
        };
        self.count -= usize::from(was_there);
    }

    #[inline]
    fn part(&self, hash: u64) -> &Part {
        &self.parts[part(hash)]
    }
}

/// The middle bits choose among parts; in a part, others do.
#[inline]
fn part(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}

impl Part {
    fn iter(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().filter(|slot| way(**slot) > 0).map(|slot| place(*slot))
    }

    #[inline]
    fn at_home(&self, hash: u64) -> Option<&u64> {
        self.slots.get(self.home(hash))
    }

    #[inline]
    fn find(&self, hash: u64, mut is: impl FnMut(u64) -> bool) -> Option<(Slot, u64)> {
        let (mut at, wanted_tag) = (self.home(hash), self.tag_of(hash));
        for wanted in 1.. {
            let slot = *self.slots.get(at)?;
            if way(slot) < wanted {
                // One of this hash would have taken this place.
                break;
            }
            if way(slot) == wanted && tag(slot) == wanted_tag && is(place(slot)) {
                return Some((Slot(at), place(slot)));
            }
            at = self.after(at);
        }
        None
    }

    #[inline]
    fn slot(&self, hash: u64, place: u64) -> Option<Slot> {
        self.find(hash, |known| known == place).map(|(slot, _)| slot)
    }

    fn insert(&mut self, hash: u64, place: u64, hash_of: HashOf<'_>, crowd: &mut Crowd) {
        if self.count as usize * 4 >= self.slots.len() * 3 {
            self.grow(hash_of, crowd);
        }
        let coming = place | self.tag_of(hash) << PLACE_BITS | WAY;
        if let Some(left) = self.put(self.home(hash), coming) {
            self.put_otherwise(left, hash_of, crowd);
        }
    }

    /// Puts one from its home on. Returns who finds no place near enough, if one does not.
    #[inline]
    fn put(&mut self, home: usize, mut coming: u64) -> Option<u64> {
        let mut at = home;
        loop {
            let here = &mut self.slots[at];
            if way(*here) < way(coming) {
                std::mem::swap(here, &mut coming);
                if way(coming) == 0 {
                    self.count += 1;
                    return None;
                }
            }
            if way(coming) == WAY_MAX {
                return Some(place(coming));
            }
            coming += WAY;
            at = self.after(at);
        }
    }

    #[cold]
    fn put_otherwise(&mut self, place: u64, hash_of: HashOf<'_>, crowd: &mut Crowd) {
        let hash = hash_of(place);
        if self.count as usize * SPARSE < self.slots.len() {
            crowd.insert((hash, place));
            return;
        }
        // Many hashes that are nearly alike; with twice the room they are farther apart.
        self.grow(hash_of, crowd);
        self.insert(hash, place, hash_of, crowd);
    }

    /// What follows the one that goes moves up.
    #[inline]
    fn close_up(&mut self, Slot(mut at): Slot) {
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

    fn grow(&mut self, hash_of: HashOf<'_>, crowd: &mut Crowd) {
        let room = self.slots.len();
        if room == 0 {
            (self.slots, self.tag_bits) = (vec![0; LEAST], TAG_BITS);
            return;
        }
        let slots = std::mem::replace(&mut self.slots, vec![0; 2 * room]);
        self.count = 0;
        let here = slots.into_iter().enumerate().filter(|(_, slot)| way(*slot) > 0);
        if self.tag_bits > TAG_BITS_LEAST {
            self.tag_bits -= 1;
            let mut left = Vec::new();
            for (at, slot) in here {
                let home = (at + room + 1 - way(slot) as usize) & (room - 1);
                let home = home | if tag(slot) & 1 == 1 { room } else { 0 };
                left.extend(self.put(home, place(slot) | tag(slot) >> 1 << PLACE_BITS | WAY));
            }
            left.into_iter().for_each(|place| self.put_otherwise(place, hash_of, crowd));
        } else {
            self.tag_bits = TAG_BITS;
            // All hashes first: what they are made of is fetched side by side.
            let hashed = here.map(|(_, slot)| (hash_of(place(slot)), place(slot)));
            let hashed: Vec<(u64, u64)> = hashed.collect();
            hashed.into_iter().for_each(|(hash, place)| self.insert(hash, place, hash_of, crowd));
        }
    }

    /// Where a hash is looked for first.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn tag_of(&self, hash: u64) -> u64 {
        // An empty table has none.
        (hash >> (self.slots.len() as u32).trailing_zeros()) & ((1 << self.tag_bits) - 1)
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
                prop_assert_eq!(found, map.get(&at).copied());
                match (step, found) {
                    (0, Some(_)) => {
                        places.remove(hash_of(at), at);
                        map.remove(&at);
                    }
                    (1, Some(_)) => prop_assert!(places.replace(hash_of(at), at, at)),
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
    fn of_very_many_each_is_found() {
        const MANY: u64 = 20_000;
        // Good hashes, all of one part, so that its table doubles again and again.
        let hash_of = |place: u64| {
            let mixed = (place % MANY + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) & !(0xff << 32)
        };
        let mut places = Places::default();
        for place in 0..MANY {
            places.insert(hash_of(place), place, &hash_of);
            let earlier = place / 2;
            assert_eq!(places.find(hash_of(earlier), |known| known == earlier), Some(earlier));
        }
        let due = |place: u64| match place {
            _ if place.is_multiple_of(3) => Some(place + MANY),
            _ if place.is_multiple_of(5) => None,
            _ => Some(place),
        };
        for place in 0..MANY {
            match due(place) {
                Some(moved) if moved != place => {
                    assert!(places.replace(hash_of(place), place, moved));
                }
                Some(_) => {}
                None => places.remove(hash_of(place), place),
            }
        }
        for place in 0..MANY {
            let found = places.find(hash_of(place), |known| known % MANY == place);
            assert_eq!(found, due(place), "{place}");
        }
        assert_eq!(places.len(), (0..MANY).filter_map(due).count());
    }

    #[test]
    fn hashes_that_are_all_alike_are_kept_apart_by_their_places() {
        const MANY: u64 = 5000;
        let mut places = Places::default();
        // Another one that has the same part, before they come and after it.
        let other = MANY + 1;
        let hash_of = |place: u64| if place == other { 7 } else { 1 };
        for place in (0..MANY).chain([other]) {
            places.insert(hash_of(place), place, &hash_of);
        }
        assert!(places.heap_bytes() < 400_000, "{}", places.heap_bytes());
        for at in (0..MANY).chain([other]) {
            assert_eq!(places.find(hash_of(at), |place| place == at), Some(at));
        }
        assert_eq!(places.all(1).len(), MANY as usize);
        assert!(places.replace(1, 3000, MANY + 9) && !places.replace(1, 3000, 0));
        for at in (0..MANY).filter(|at| *at != 3000).chain([MANY + 9]) {
            places.remove(1, at);
        }
        assert!(places.iter().eq([other]) && places.len() == 1);
    }
}
