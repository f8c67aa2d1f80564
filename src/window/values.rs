//! The values that one owner's keys and rows refer to, each once, under a small number. Text,
//! integers and booleans are told apart; a double is no value here. Exact: a number stands for the
//! bytes, and no hash stands for them. Numbers mean nothing outside of their owner.

use std::hash::{BuildHasher, Hasher as _};

use hashbrown::HashTable;

use crate::{
    ahead::fetch,
    stream::{Sink, Source},
};

use super::{
    Hasher,
    bytes::{Bytes, same},
};

/// The number of no value.
pub const ABSENT: u32 = 0;
/// Up to this many values are looked for one by one.
const FEW: usize = 16;
/// Most owners have no more: a card or two, and where they went in a day.
const USUAL: usize = 4;

/// What kind of value some bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// Text in UTF-8.
    Text,
    /// A signed 64-bit integer, little-endian.
    Int,
    /// One byte, 0 or 1.
    Bool,
    /// The numbers of other values: the further fields of a long key.
    Tuple,
}

/// The values of one owner; the number of the one in the first slot is 1.
#[derive(Debug, Default)]
pub struct Values {
    slots: Vec<Slot>,
    many: Option<Box<Many>>,
}

#[derive(Debug, Clone)]
struct Slot {
    value: Bytes,
    /// Keys and rows that refer to it; none if the slot is free.
    uses: u32,
    kind: Kind,
    /// Of the value; most others have another one, and are told apart without being compared.
    tag: u16,
}

/// What is needed where there are many values.
#[derive(Debug, Default)]
struct Many {
    /// Numbers by the hash of their values.
    index: HashTable<u32>,
    free: Vec<u32>,
}

/// A value as plain data: its kind, its bytes. A free slot is an empty tuple.
pub type ValueState = (Kind, Vec<u8>);

impl Values {
    /// Forgets all of them. The room stays that most need.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.slots.shrink_to(USUAL);
        self.many = None;
    }

    /// The number of a value, to which one more refers. It is new if need be.
    pub fn hold(&mut self, kind: Kind, value: &[u8], hasher: &Hasher) -> u32 {
        let (known, free) = match &mut self.many {
            None => self.find(kind, value),
            Some(many) => {
                let same = |at: &u32| self.slots[*at as usize].is(kind, value);
                match many.index.find(hash(hasher, kind, value), same) {
                    Some(at) => (Some(*at as usize), None),
                    None => (None, many.free.pop().map(|at| at as usize)),
                }
            }
        };
        if let Some(at) = known {
            self.slots[at].uses += 1;
            return at as u32 + 1;
        }
        let at = free.unwrap_or_else(|| {
            if self.slots.len() == self.slots.capacity() {
                self.slots.reserve_exact(2 + self.slots.len() / 2);
            }
            self.slots.push(Slot::FREE);
            self.slots.len() - 1
        });
        self.slots[at].set(kind, value, 1);
        self.index(at as u32, hasher);
        at as u32 + 1
    }

    /// Where a value is, or else a free place, among few.
    #[inline]
    fn find(&self, kind: Kind, value: &[u8]) -> (Option<usize>, Option<usize>) {
        let (tag, mut free) = (tag(value), None);
        for (at, slot) in self.slots.iter().enumerate() {
            if slot.uses == 0 {
                free = Some(at);
            } else if slot.tag == tag && slot.is(kind, value) {
                return (Some(at), None);
            }
        }
        (None, free)
    }

    /// Puts a new value into the index, once there are enough values for one.
    fn index(&mut self, at: u32, hasher: &Hasher) {
        let Values { slots, many } = self;
        let hash = |at: &u32| hash(hasher, slots[*at as usize].kind, slots[*at as usize].bytes());
        match many {
            Some(many) => drop(many.index.insert_unique(hash(&at), at, hash)),
            None if slots.len() > FEW => {
                let many = many.insert(Box::default());
                many.index.reserve(2 * slots.len(), hash);
                for at in 0..slots.len() as u32 {
                    if slots[at as usize].uses > 0 {
                        many.index.insert_unique(hash(&at), at, hash);
                    } else {
                        many.free.push(at);
                    }
                }
            }
            None => {}
        }
    }

    /// Does anything refer to this value?
    pub fn has(&self, kind: Kind, value: &[u8], hasher: &Hasher) -> bool {
        match &self.many {
            None => self.find(kind, value).0.is_some(),
            Some(many) => {
                let same = |at: &u32| self.slots[*at as usize].is(kind, value);
                many.index.find(hash(hasher, kind, value), same).is_some()
            }
        }
    }

    /// One more refers to it.
    #[inline]
    pub fn retain(&mut self, number: u32) {
        if number != ABSENT {
            self.slots[number as usize - 1].uses += 1;
        }
    }

    /// One fewer refers to it; without any, it is forgotten.
    #[inline]
    pub fn release(&mut self, number: u32, hasher: &Hasher) {
        if number == ABSENT {
            return;
        }
        let (at, places) = (number - 1, self.slots.len());
        let slot = &mut self.slots[at as usize];
        slot.uses -= 1;
        if slot.uses > 0 {
            return;
        }
        if let Some(many) = &mut self.many {
            let hash = hash(hasher, slot.kind, slot.value.as_slice());
            if let Ok(entry) = many.index.find_entry(hash, |other| *other == at) {
                entry.remove();
            }
            many.free.push(at);
            if many.free.len() == places {
                return *self = Values::default();
            }
        }
        *slot = Slot::FREE;
    }

    /// The value of a number that something refers to.
    pub fn value(&self, number: u32) -> (Kind, &[u8]) {
        let slot = &self.slots[number as usize - 1];
        (slot.kind, slot.bytes())
    }

    /// The value of a number as plain data; `None` for that of no value.
    pub fn state_of(&self, number: u32) -> Option<ValueState> {
        let (kind, value) = (number != ABSENT).then(|| self.value(number))?;
        Some((kind, value.to_vec()))
    }

    /// The heap that they take, in bytes, as if all were like the first ones, so many.
    pub fn heap_bytes_about(&self, first: usize) -> usize {
        let long = self.slots.iter().take(first).map(|slot| slot.value.heap_bytes()).sum::<usize>();
        let index = self.many.as_ref().map_or(0, |many| many.index.capacity() * 6);
        let all = long * self.slots.len() / self.slots.len().clamp(1, first);
        self.slots.capacity() * size_of::<Slot>() + index + all
    }

    /// Has those fetched that are looked through.
    #[inline]
    pub fn fetch(&self) {
        let a_line = 64 / size_of::<Slot>();
        self.slots.iter().take(FEW).step_by(a_line).for_each(fetch);
    }

    /// The heap that they take, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let long: usize = self.slots.iter().map(|slot| slot.value.heap_bytes()).sum();
        let many = self.many.as_ref().map_or(0, |many| {
            size_of::<Many>() + many.index.capacity() * 6 + many.free.capacity() * 4
        });
        self.slots.capacity() * size_of::<Slot>() + long + many
    }

    /// The values in the order of their numbers.
    pub fn snapshot(&self) -> Vec<ValueState> {
        self.slots.iter().map(|slot| (slot.kind, slot.bytes().to_vec())).collect()
    }

    /// Those values again, under their numbers. Each is held once by whoever restores, until what
    /// refers to it has said so ([`Values::release_all`]).
    pub fn restore(values: Vec<ValueState>, hasher: &Hasher) -> Values {
        let slot = |(kind, value): ValueState| Slot::held(kind, &value);
        Values::of(values.into_iter().map(slot).collect(), hasher)
    }

    fn of(slots: Vec<Slot>, hasher: &Hasher) -> Values {
        let mut values = Values { slots, many: None };
        if values.slots.len() > FEW {
            values.index(0, hasher);
        }
        values
    }

    /// Puts them into a stream, as [`Values::snapshot`] has them.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        to.put(&self.slots.len())?;
        self.slots.iter().try_for_each(|slot| {
            to.put(&slot.kind)?;
            to.put_bytes(slot.bytes())
        })
    }

    /// Those of a stream, held as [`Values::restore`] holds them.
    pub fn read<S: Source>(from: &mut S, hasher: &Hasher) -> Result<Values, S::Error> {
        let slots = (0..from.take::<usize>()?).map(|_| {
            let kind = from.take()?;
            Ok(Slot::held(kind, from.take_bytes()?))
        });
        let slots = slots.collect::<Result<_, _>>()?;
        Ok(Values::of(slots, hasher))
    }

    /// Lets go of what [`Values::restore`] holds.
    pub fn release_all(&mut self, hasher: &Hasher) {
        for number in 1..=self.slots.len() as u32 {
            self.release(number, hasher);
        }
    }
}

impl Slot {
    /// A free one.
    const FREE: Slot = Slot { value: Bytes::EMPTY, uses: 0, kind: Kind::Tuple, tag: 0 };

    /// One with a value that is used once.
    fn held(kind: Kind, value: &[u8]) -> Slot {
        let mut slot = Slot::FREE;
        slot.set(kind, value, 1);
        slot
    }

    #[inline]
    fn set(&mut self, kind: Kind, value: &[u8], uses: u32) {
        self.value.set(value);
        (self.uses, self.kind, self.tag) = (uses, kind, tag(value));
    }

    #[inline]
    fn is(&self, kind: Kind, value: &[u8]) -> bool {
        same(self.bytes(), value) && self.kind == kind && self.uses > 0
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.value.as_slice()
    }
}

/// Ids of one kind differ in their last characters, if in anything; small integers in the first byte.
#[inline]
fn tag(value: &[u8]) -> u16 {
    match value {
        [first, .., before, last] => u16::from_le_bytes([*before, last.wrapping_mul(31) ^ first]),
        [first, last] => u16::from_le_bytes([*first, *last]),
        [one] => u16::from(*one),
        [] => 0,
    }
}

fn hash(hasher: &Hasher, kind: Kind, value: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(value);
    hasher.write_u8(kind as u8);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Hasher, Kind, Values};
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn values_of_unlike_kinds_are_unlike() {
        let (mut values, hasher) = (Values::default(), Hasher::default());
        let text = values.hold(Kind::Text, &[1], &hasher);
        assert_ne!(text, values.hold(Kind::Bool, &[1], &hasher));
        assert_eq!(text, values.hold(Kind::Text, &[1], &hasher));
    }

    proptest! {
        /// Against a map of how often each is held.
        #[test]
        fn a_value_keeps_its_number_as_long_as_it_is_held(
            steps in prop::collection::vec((any::<bool>(), 0u8..60), 1..500),
        ) {
            let (mut values, hasher) = (Values::default(), Hasher::default());
            let mut held: HashMap<u8, (u32, u32)> = HashMap::new();
            for (hold, value) in steps {
                let bytes = [value; 30];
                let (number, uses) = held.get(&value).copied().unwrap_or_default();
                if hold {
                    let now = values.hold(Kind::Text, &bytes, &hasher);
                    prop_assert!(uses == 0 || now == number);
                    held.insert(value, (now, uses + 1));
                } else if uses > 0 {
                    values.release(number, &hasher);
                    held.insert(value, (number, uses - 1));
                }
                for (value, (number, uses)) in &held {
                    if *uses > 0 {
                        prop_assert_eq!(values.value(*number), (Kind::Text, &[*value; 30][..]));
                    }
                }
            }
            let mut again = Values::restore(values.snapshot(), &hasher);
            for (number, uses) in held.values() {
                (0..*uses).for_each(|_| again.retain(*number));
            }
            again.release_all(&hasher);
            for (value, (number, uses)) in &held {
                if *uses > 0 {
                    prop_assert_eq!(again.hold(Kind::Text, &[*value; 30], &hasher), *number);
                }
            }
        }
    }
}
