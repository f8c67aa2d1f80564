//! Where something is, by the hash of its name. The names themselves lie elsewhere, once.

use hashbrown::HashTable;

/// Parts, so that the growth of one is no pause.
const PARTS: usize = 64;

/// Numbers of things, by the hashes of their names. The hashes are kept beside them, so that growth
/// is no look at every name.
#[derive(Debug)]
pub struct Index<N> {
    parts: Vec<HashTable<(u64, N)>>,
    count: usize,
}

impl<N> Default for Index<N> {
    fn default() -> Self {
        Index { parts: (0..PARTS).map(|_| HashTable::new()).collect(), count: 0 }
    }
}

impl<N: Copy + PartialEq> Index<N> {
    /// Is there nothing?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The one with this hash that is meant.
    #[inline]
    pub fn find(&self, hash: u64, is: impl Fn(N) -> bool) -> Option<N> {
        let is = |(known, number): &(u64, N)| *known == hash && is(*number);
        self.parts[part(hash)].find(hash, is).map(|(_, number)| *number)
    }

    /// Those with this hash.
    pub fn all(&self, hash: u64) -> impl Iterator<Item = N> {
        let all = self.parts[part(hash)].iter_hash(hash);
        all.filter(move |(known, _)| *known == hash).map(|(_, number)| *number)
    }

    /// Takes one in.
    pub fn insert(&mut self, hash: u64, number: N) {
        self.count += 1;
        self.parts[part(hash)].insert_unique(hash, (hash, number), |(hash, _)| *hash);
    }

    /// Lets one go.
    pub fn remove(&mut self, hash: u64, number: N) {
        if let Ok(entry) = self.parts[part(hash)].find_entry(hash, |known| *known == (hash, number))
        {
            entry.remove();
            self.count -= 1;
        }
    }
}

/// The top bits choose in a part, and the bottom ones where to look first.
#[inline]
fn part(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}
