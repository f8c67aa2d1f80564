//! The values of one column of one key, each once, as long as a row has it.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::{Hasher, rows::NO_VALUE, value::Bytes};

/// Up to this many values are looked for one by one.
const FEW: usize = 16;

/// Values and the places at which rows refer to them.
#[derive(Debug, Default)]
pub struct Values {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: Option<HashTable<u32>>,
}

#[derive(Debug)]
struct Slot {
    value: Bytes,
    rows: u32,
}

impl Values {
    /// The place of a value for one more row.
    pub fn retain(&mut self, value: &[u8], hasher: &Hasher) -> u32 {
        if let Some(at) = self.find(value, hasher) {
            self.slots[at as usize].rows += 1;
            return at;
        }
        let slot = Slot { value: Bytes::new(value), rows: 1 };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        let hash = |at: &u32| hasher.hash_one(slots[*at as usize].value.as_slice());
        match &mut self.index {
            Some(index) => {
                index.insert_unique(hash(&at), at, hash);
            }
            None if slots.len() > FEW => {
                let mut index = HashTable::with_capacity(2 * slots.len());
                for at in 0..slots.len() as u32 {
                    if slots[at as usize].rows > 0 {
                        index.insert_unique(hash(&at), at, hash);
                    }
                }
                self.index = Some(index);
            }
            None => {}
        }
        at
    }

    /// One row fewer has the value at this place.
    pub fn release(&mut self, at: u32, hasher: &Hasher) {
        if at == NO_VALUE {
            return;
        }
        let slot = &mut self.slots[at as usize];
        slot.rows -= 1;
        if slot.rows > 0 {
            return;
        }
        if let Some(index) = &mut self.index
            && let Ok(entry) =
                index.find_entry(hasher.hash_one(slot.value.as_slice()), |other| *other == at)
        {
            entry.remove();
        }
        slot.value = Bytes::new(&[]);
        self.free.push(at);
        if self.free.len() == self.slots.len() {
            *self = Values::default();
        }
    }

    fn find(&self, value: &[u8], hasher: &Hasher) -> Option<u32> {
        match &self.index {
            Some(index) => index
                .find(hasher.hash_one(value), |at| {
                    self.slots[*at as usize].value.as_slice() == value
                })
                .copied(),
            None => self
                .slots
                .iter()
                .position(|slot| slot.rows > 0 && slot.value.as_slice() == value)
                .map(|at| at as u32),
        }
    }

    /// The value at a place that a row refers to.
    pub fn get(&self, at: u32) -> &[u8] {
        self.slots[at as usize].value.as_slice()
    }

    /// The number of places, taken or free.
    pub fn places(&self) -> usize {
        self.slots.len()
    }

    /// The heap that they take, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let values: usize = self.slots.iter().map(|slot| slot.value.heap_bytes()).sum();
        let index = self.index.as_ref().map_or(0, |index| index.capacity() * 6);
        values + self.slots.capacity() * size_of::<Slot>() + self.free.capacity() * 4 + index
    }
}
