//! Every value that a key or a row refers to, each once, under a small number. Text, integers and
//! booleans are told apart; a double is no value here. Exact: a number stands for the bytes, and no
//! hash stands for them. Not a wire format, and numbers mean nothing outside of one partition.

use std::hash::{BuildHasher, Hasher as _};

use hashbrown::HashTable;

use super::{Hasher, bytes::Bytes};

/// The number of no value.
pub const ABSENT: u32 = 0;

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

/// The values of one partition.
#[derive(Debug)]
pub struct Dictionary {
    /// Slots by number, in chunks, so that growing moves nothing.
    chunks: Vec<Vec<Slot>>,
    free: Vec<u32>,
    /// Numbers by the hash of their values, in parts, so that the growth of one is no pause.
    index: Vec<HashTable<Entry>>,
    hasher: Hasher,
}

#[derive(Debug, Clone)]
struct Slot {
    value: Bytes,
    kind: Kind,
    /// Keys and rows that refer to it.
    uses: u32,
}

/// A number and enough of its value's hash to find a place without a look at the value.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u32,
    number: u32,
}

/// A value as plain data: its number, its kind, its bytes.
pub type ValueState = (u32, Kind, Vec<u8>);

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;
const PARTS: usize = 64;

impl Dictionary {
    /// Without values.
    pub fn new(hasher: Hasher) -> Dictionary {
        let index = (0..PARTS).map(|_| HashTable::new()).collect();
        let mut empty = Dictionary { chunks: Vec::new(), free: Vec::new(), index, hasher };
        empty.place(ABSENT, Kind::Tuple, &[]);
        empty
    }

    /// The number of a value, if it has one.
    #[inline]
    pub fn known(&self, kind: Kind, value: &[u8]) -> Option<u32> {
        self.find(self.hash(kind, value), kind, value)
    }

    #[inline]
    fn find(&self, hash: u64, kind: Kind, value: &[u8]) -> Option<u32> {
        let (part, short) = (hash as usize % PARTS, (hash >> 32) as u32);
        let same = |entry: &Entry| {
            entry.hash == short && {
                let slot = self.slot(entry.number);
                slot.kind == kind && slot.value.as_slice() == value
            }
        };
        self.index[part].find(spread(short), same).map(|entry| entry.number)
    }

    /// The number of a value, which is new if need be. Nothing refers to a new one yet.
    pub fn number(&mut self, kind: Kind, value: &[u8]) -> u32 {
        let hash = self.hash(kind, value);
        if let Some(number) = self.find(hash, kind, value) {
            return number;
        }
        let (part, short) = (hash as usize % PARTS, (hash >> 32) as u32);
        let number = match self.free.pop() {
            Some(number) => number,
            None => match self.chunks.last() {
                Some(chunk) => ((self.chunks.len() - 1) * CHUNK + chunk.len()) as u32,
                None => 0,
            },
        };
        self.place(number, kind, value);
        self.index[part]
            .insert_unique(spread(short), Entry { hash: short, number }, |e| spread(e.hash));
        number
    }

    /// One more key or row refers to it.
    #[inline]
    pub fn retain(&mut self, number: u32) {
        if number != ABSENT {
            self.slot_mut(number).uses += 1;
        }
    }

    /// One key or row fewer refers to it; without any, it is forgotten.
    #[inline]
    pub fn release(&mut self, number: u32) {
        if number != ABSENT {
            self.slot_mut(number).uses -= 1;
            self.forget_unused(number);
        }
    }

    /// Forgets it if nothing refers to it.
    #[inline]
    pub fn forget_unused(&mut self, number: u32) {
        if number != ABSENT && self.slot(number).uses == 0 {
            self.forget(number);
        }
    }

    fn forget(&mut self, number: u32) {
        let slot = self.slot(number);
        let hash = self.hash(slot.kind, slot.value.as_slice());
        let (part, short) = (hash as usize % PARTS, (hash >> 32) as u32);
        match self.index[part].find_entry(spread(short), |entry| entry.number == number) {
            Ok(entry) => drop(entry.remove()),
            // It has been forgotten already: an event may name a value twice.
            Err(_) => return,
        }
        let slot = self.slot_mut(number);
        slot.value = Bytes::new(&[]);
        slot.kind = Kind::Tuple;
        self.free.push(number);
    }

    /// The value of a number that something refers to.
    pub fn value(&self, number: u32) -> (Kind, &[u8]) {
        let slot = self.slot(number);
        (slot.kind, slot.value.as_slice())
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.index.iter().map(HashTable::len).sum()
    }

    /// The heap that it takes, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let slots = self.chunks.len() * CHUNK * size_of::<Slot>();
        let long: usize = self.chunks.iter().flatten().map(|slot| slot.value.heap_bytes()).sum();
        let places: usize = self.index.iter().map(HashTable::capacity).sum();
        slots + long + places * (size_of::<Entry>() + 1) * 8 / 7 + self.free.capacity() * 4
    }

    /// The values that something refers to.
    pub fn snapshot(&self) -> Vec<ValueState> {
        let mut values: Vec<ValueState> = Vec::with_capacity(self.len());
        for entry in self.index.iter().flatten() {
            let (kind, value) = self.value(entry.number);
            values.push((entry.number, kind, value.to_vec()));
        }
        values.sort_unstable_by_key(|(number, ..)| *number);
        values
    }

    /// Those values again, under their numbers; what refers to them has yet to say so.
    pub fn restore(&mut self, values: Vec<ValueState>) {
        for (number, kind, value) in values {
            let next = self.chunks.iter().map(Vec::len).sum::<usize>() as u32;
            for unused in next..number {
                self.place(unused, Kind::Tuple, &[]);
                self.free.push(unused);
            }
            self.place(number, kind, &value);
            let hash = self.hash(kind, &value);
            let short = (hash >> 32) as u32;
            self.index[hash as usize % PARTS].insert_unique(
                spread(short),
                Entry { hash: short, number },
                |e| spread(e.hash),
            );
        }
    }

    /// Puts a value into the slot of a number, the next one or one that has been there.
    fn place(&mut self, number: u32, kind: Kind, value: &[u8]) {
        let slot = Slot { value: Bytes::new(value), kind, uses: 0 };
        let (chunk, at) = (number as usize / CHUNK, number as usize % CHUNK);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        match self.chunks[chunk].get_mut(at) {
            Some(old) => *old = slot,
            None => self.chunks[chunk].push(slot),
        }
    }

    fn hash(&self, kind: Kind, value: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(value);
        hasher.write_u8(kind as u8);
        hasher.finish()
    }

    #[inline]
    fn slot(&self, number: u32) -> &Slot {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    #[inline]
    fn slot_mut(&mut self, number: u32) -> &mut Slot {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }
}

/// A table wants its bits at both ends.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::{ABSENT, Dictionary, Kind};

    #[test]
    fn a_value_lives_as_long_as_something_refers_to_it() {
        let mut dictionary = Dictionary::new(super::Hasher::default());
        let text = dictionary.number(Kind::Text, b"1");
        let same = dictionary.number(Kind::Text, b"1");
        let flag = dictionary.number(Kind::Bool, &[1]);
        assert!(text == same && text != flag && text != ABSENT);
        dictionary.retain(text);
        dictionary.retain(text);
        dictionary.forget_unused(flag);
        dictionary.forget_unused(flag);
        dictionary.release(text);
        assert_eq!(dictionary.value(text), (Kind::Text, &b"1"[..]));
        assert_eq!(dictionary.len(), 1);
        dictionary.release(text);
        assert_eq!(dictionary.len(), 0);
    }

    #[test]
    fn restored_values_have_their_numbers() {
        let mut dictionary = Dictionary::new(super::Hasher::default());
        let numbers: Vec<u32> = (0..10_000u32)
            .map(|n| dictionary.number(Kind::Text, format!("{n:0>40}").as_bytes()))
            .collect();
        numbers.iter().for_each(|n| dictionary.retain(*n));
        numbers.iter().step_by(3).for_each(|n| dictionary.release(*n));
        let mut again = Dictionary::new(super::Hasher::default());
        again.restore(dictionary.snapshot());
        assert_eq!(again.snapshot(), dictionary.snapshot());
        for (n, number) in numbers.iter().enumerate().filter(|(at, _)| at % 3 != 0) {
            assert_eq!(again.number(Kind::Text, format!("{n:0>40}").as_bytes()), *number);
        }
        let new = again.number(Kind::Text, b"new");
        assert!(new as usize > 10_000 || numbers.iter().step_by(3).any(|n| *n == new));
    }
}
