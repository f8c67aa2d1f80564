//! Owners in blocks that never move. The place of one that is gone is taken again by another one,
//! with the room that it had: owners come and go all the time, and memory that was just used is
//! still in the cache.

use crate::ahead::fetch;

use super::{bytes::Bytes, owner::Owner};

/// Owners a block.
const BLOCK: usize = 1024;

/// A place for an owner. It begins with a cache line: of two lines, the second comes with the first.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Place {
    /// Who is there.
    pub owner: Owner,
    /// The owner's name,
    pub name: Bytes,
    /// and the hash of that.
    pub hash: u64,
    /// How many owners have left the place.
    generation: u32,
}

/// Who was at a place at some time; another one may be there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    /// The number of the place.
    pub place: u32,
    generation: u32,
}

/// Places, by number.
#[derive(Debug, Default)]
pub struct Slab {
    blocks: Vec<Box<[Place]>>,
    /// Those that nobody is at; the one left last is taken first.
    free: Vec<u32>,
}

impl Slab {
    /// Takes a place for an owner of this name, which has this hash, and who has nothing yet.
    pub fn take(&mut self, hash: u64, name: &[u8]) -> u32 {
        if self.free.is_empty() {
            let first = (self.blocks.len() * BLOCK) as u32;
            self.blocks.push((0..BLOCK).map(|_| Place::default()).collect());
            self.free.extend((first..first + BLOCK as u32).rev());
        }
        let Some(number) = self.free.pop() else { unreachable!("a block was just added") };
        let place = self.at_mut(number);
        place.hash = hash;
        place.name.set(name);
        number
    }

    /// Has the places fetched that are taken next, so many.
    #[inline]
    pub fn fetch_free(&self, count: usize) {
        let next = self.free.iter().rev().take(count);
        next.for_each(|place| fetch(self.at(*place)));
    }

    /// The owner leaves the place, and what it had is forgotten.
    pub fn leave(&mut self, number: u32) {
        let place = self.at_mut(number);
        place.owner.clear();
        place.name = Bytes::default();
        place.generation = place.generation.wrapping_add(1);
        self.free.push(number);
    }

    /// How many places there are, taken or not.
    pub fn len(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// How many of them are taken.
    pub fn taken(&self) -> usize {
        self.len() - self.free.len()
    }

    /// The place with this number.
    #[inline]
    pub fn at(&self, number: u32) -> &Place {
        &self.blocks[number as usize / BLOCK][number as usize % BLOCK]
    }

    /// The place with this number.
    #[inline]
    pub fn at_mut(&mut self, number: u32) -> &mut Place {
        &mut self.blocks[number as usize / BLOCK][number as usize % BLOCK]
    }

    /// Who is at a place now.
    #[inline]
    pub fn guest(&self, place: u32) -> Guest {
        Guest { place, generation: self.at(place).generation }
    }

    /// Is that owner still there?
    #[inline]
    pub fn has(&self, guest: Guest) -> bool {
        self.guest(guest.place) == guest
    }

    /// The memory that the places take, in bytes, without what the owners have on the heap.
    pub fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK * size_of::<Place>() + self.free.capacity() * 4
    }
}
