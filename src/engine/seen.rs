//! Which events have been accepted within a horizon of the clock: exact, by account and event id.
//! A queue of their names in bytes and an index into it; no hash stands for a name.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hasher as _},
};

use hashbrown::HashTable;

use crate::window::Hasher;

/// Accepted events, in the order of the log.
#[derive(Debug)]
pub struct Seen {
    /// Names, by place: `number of its chunk << CHUNK_BITS | offset in it`.
    chunks: VecDeque<Vec<u8>>,
    /// The number of the first chunk.
    first_chunk: u64,
    /// Where in it the oldest name begins.
    oldest: usize,
    /// In parts, so that the growth of one is no pause.
    index: Vec<HashTable<Entry>>,
    hasher: Hasher,
}

/// A place, and the hash of the name there, without a look at it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    place: u64,
}

/// What is known of a name.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    hash: u64,
    /// The clock just after its newest accepted event, in epoch ms, if there is one.
    pub clock_ms: Option<i64>,
}

/// An accepted event as plain data: account, event id, the clock just after it in epoch ms.
pub type SeenState = (String, String, i64);

const PARTS: usize = 64;
const CHUNK_BITS: u32 = 16;
const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
/// The clock, and the lengths of account and id.
const HEAD_BYTES: usize = 10;
/// Names forgotten an event, at most.
const FORGOTTEN: usize = 8;

/// A name in the queue.
struct Name<'a> {
    clock_ms: i64,
    account: &'a [u8],
    id: &'a [u8],
}

impl Name<'_> {
    fn bytes(&self) -> usize {
        HEAD_BYTES + self.account.len() + self.id.len()
    }

    fn is(&self, account: &[u8], id: &[u8]) -> bool {
        self.account == account && self.id == id
    }
}

impl Default for Seen {
    fn default() -> Seen {
        Seen {
            chunks: VecDeque::new(),
            first_chunk: 0,
            oldest: 0,
            index: (0..PARTS).map(|_| HashTable::new()).collect(),
            hasher: Hasher::default(),
        }
    }
}

impl Seen {
    /// Looks for the newest accepted event of this name.
    pub fn find(&self, account: &str, id: &str) -> Found {
        let (account, id) = (account.as_bytes(), id.as_bytes());
        let hash = self.hash(account, id);
        let same = |entry: &Entry| entry.hash == hash && self.name(entry.place).is(account, id);
        let entry = self.index[part(hash)].find(hash, same);
        Found { hash, clock_ms: entry.map(|entry| self.name(entry.place).clock_ms) }
    }

    /// An event of this name was accepted, and the clock is now `clock_ms`. The name was looked for
    /// since the last was accepted, and found so.
    pub fn accept(&mut self, account: &str, id: &str, clock_ms: i64, found: Found) {
        let (account, id) = (account.as_bytes(), id.as_bytes());
        let bytes = HEAD_BYTES + account.len() + id.len();
        if self.chunks.back().is_none_or(|chunk| chunk.len() + bytes > CHUNK_BYTES) {
            // Written through at once, so that writing a name does not wait for fresh memory.
            let mut chunk = vec![u8::MAX; CHUNK_BYTES];
            chunk.clear();
            self.chunks.push_back(chunk);
        }
        let number = self.first_chunk + self.chunks.len() as u64 - 1;
        let Some(chunk) = self.chunks.back_mut() else { unreachable!("a chunk was just added") };
        let place = number << CHUNK_BITS | chunk.len() as u64;
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&clock_ms.to_le_bytes());
        head[8..].copy_from_slice(&[account.len() as u8, id.len() as u8]);
        chunk.extend_from_slice(&head);
        chunk.extend_from_slice(account);
        chunk.extend_from_slice(id);

        let Found { hash, clock_ms: before } = found;
        let Seen { chunks, first_chunk, index, .. } = self;
        let index = &mut index[part(hash)];
        let same = |entry: &Entry| {
            entry.hash == hash && read(chunks, *first_chunk, entry.place).is(account, id)
        };
        // One that was known may have been forgotten since.
        match before.and_then(|_| index.find_mut(hash, same)) {
            Some(known) => known.place = place,
            None => drop(index.insert_unique(hash, Entry { hash, place }, |entry| entry.hash)),
        }
    }

    /// Touches what the next few names to be forgotten will need, if the clock will let them be:
    /// those accepted before `before_ms`. See [`super::Engine::expect`].
    pub fn warm(&self, count: usize, before_ms: i64) {
        let Some(chunk) = self.chunks.front() else { return };
        let (mut at, mut touched) = (self.oldest, 0);
        for _ in 0..count {
            if at >= chunk.len() {
                break;
            }
            let place = self.first_chunk << CHUNK_BITS | at as u64;
            let name = self.name(place);
            if name.clock_ms >= before_ms {
                break;
            }
            let hash = self.hash(name.account, name.id);
            at += name.bytes();
            if let Some(entry) = self.index[part(hash)].find(hash, |entry| entry.place == place) {
                touched ^= entry.hash;
            }
        }
        std::hint::black_box(touched);
    }

    /// Forgets a few of the names that were accepted at a clock before `before_ms`.
    pub fn forget(&mut self, before_ms: i64) {
        for _ in 0..FORGOTTEN {
            let Some(chunk) = self.chunks.front() else { return };
            if self.oldest == chunk.len() {
                if self.chunks.len() == 1 {
                    return;
                }
                self.chunks.pop_front();
                self.first_chunk += 1;
                self.oldest = 0;
                continue;
            }
            if clock_of(&chunk[self.oldest..]) >= before_ms {
                return;
            }
            let place = self.first_chunk << CHUNK_BITS | self.oldest as u64;
            let name = self.name(place);
            let (hash, bytes) = (self.hash(name.account, name.id), name.bytes());
            // One that was accepted again stands further behind, and the index knows that one.
            if let Ok(entry) = self.index[part(hash)].find_entry(hash, |e| e.place == place) {
                entry.remove();
            }
            self.oldest += bytes;
        }
    }

    /// How many names it knows.
    pub fn len(&self) -> usize {
        self.index.iter().map(HashTable::len).sum()
    }

    /// The heap that it takes, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        let places: usize = self.index.iter().map(HashTable::capacity).sum();
        self.chunks.len() * CHUNK_BYTES + places * 8 / 7 * (size_of::<Entry>() + 1)
    }

    /// The names that it knows, in the order of the log.
    pub fn snapshot(&self) -> Vec<SeenState> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut places: Vec<u64> = self.index.iter().flatten().map(|e| e.place).collect();
        places.sort_unstable();
        let state = |place: &u64| {
            let name = self.name(*place);
            (text(name.account), text(name.id), name.clock_ms)
        };
        places.iter().map(state).collect()
    }

    /// Those names again.
    pub fn restore(names: Vec<SeenState>) -> Seen {
        let mut seen = Seen::default();
        for (account, id, clock_ms) in names {
            let found = seen.find(&account, &id);
            seen.accept(&account, &id, clock_ms, found);
        }
        seen
    }

    /// Lengths are not hashed beside the bytes: names are compared in full.
    #[inline]
    fn hash(&self, account: &[u8], id: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(account);
        hasher.write(id);
        hasher.finish()
    }

    fn name(&self, place: u64) -> Name<'_> {
        read(&self.chunks, self.first_chunk, place)
    }
}

/// The top bits choose in a part, and the bottom ones where to look first.
fn part(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}

fn read(chunks: &VecDeque<Vec<u8>>, first_chunk: u64, place: u64) -> Name<'_> {
    let chunk = &chunks[((place >> CHUNK_BITS) - first_chunk) as usize];
    let bytes = &chunk[place as usize % CHUNK_BYTES..];
    let (account, id) = (usize::from(bytes[8]), usize::from(bytes[9]));
    Name {
        clock_ms: clock_of(bytes),
        account: &bytes[HEAD_BYTES..HEAD_BYTES + account],
        id: &bytes[HEAD_BYTES + account..HEAD_BYTES + account + id],
    }
}

/// The clock of the name that begins here.
fn clock_of(bytes: &[u8]) -> i64 {
    let mut clock = [0; 8];
    clock.copy_from_slice(&bytes[..8]);
    i64::from_le_bytes(clock)
}

#[cfg(test)]
mod tests {
    use super::Seen;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Against a map of the newest acceptance by name, with everything kept.
        #[test]
        fn knows_what_a_map_knows(
            steps in prop::collection::vec((0u8..40, 0u8..4, 0i64..50), 1..600),
            horizon in 1i64..400,
        ) {
            let (mut seen, mut all, mut clock) = (Seen::default(), HashMap::new(), 0);
            for (id, account, step) in steps {
                clock += step;
                // Long names, so that chunks fill up.
                let (account, id) = (format!("{account:0>120}"), format!("{id:0>128}"));
                let known = |at: Option<i64>| at.filter(|at| clock - at <= horizon);
                let before = all.get(&(account.clone(), id.clone())).copied();
                let found = seen.find(&account, &id);
                prop_assert_eq!(known(found.clock_ms), known(before));
                // As the engine does: what is looked for may be forgotten before it is accepted.
                seen.forget(clock - horizon);
                if known(before).is_none() {
                    seen.accept(&account, &id, clock, found);
                    all.insert((account, id), clock);
                }
                if step == 0 {
                    seen = Seen::restore(seen.snapshot());
                }
            }
        }
    }
}
