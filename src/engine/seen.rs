//! Which events have been accepted within a horizon of the clock: exact, by account and event id.
//! A queue of their names in bytes and an index into it; no hash stands for a name.

use std::{
    borrow::Cow,
    collections::VecDeque,
    hash::{BuildHasher, Hasher as _},
};

use crate::{
    places::{PLACE_BITS, Places},
    stream::{Sink, Source},
    window::Hasher,
};

/// Accepted events, in the order of the log.
#[derive(Debug, Default)]
pub struct Seen {
    names: Names,
    /// Where in the first chunk the oldest name begins.
    oldest: usize,
    index: Places,
    hasher: Hasher,
}

/// Names, by place: `number of its chunk << CHUNK_BITS | offset in it`.
#[derive(Debug, Default)]
struct Names {
    chunks: VecDeque<Vec<u8>>,
    /// The number of the first chunk. Numbers begin anew after [`CHUNKS`] of them, which is more than
    /// there can be at once.
    first: u64,
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

const CHUNK_BITS: u32 = 16;
const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
/// A terabyte of names.
const CHUNKS: u64 = 1 << (PLACE_BITS - CHUNK_BITS);
/// The clock, the hash, and the lengths of account and id.
const HEAD_BYTES: usize = 18;
/// Names forgotten an event, at most.
const FORGOTTEN: usize = 8;

/// A name in the queue.
struct Name<'a> {
    clock_ms: i64,
    hash: u64,
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

impl Seen {
    /// Looks for the newest accepted event of this name.
    pub fn find(&self, account: &str, id: &str) -> Found {
        let (account, id) = (account.as_bytes(), id.as_bytes());
        let hash = self.hash(account, id);
        let same = |place| self.names.at(place).is(account, id);
        let found = self.index.find(hash, same);
        Found { hash, clock_ms: found.map(|place| self.names.at(place).clock_ms) }
    }

    /// An event of this name was accepted, and the clock is now `clock_ms`. The name was looked for
    /// since the last was accepted, and found so.
    pub fn accept(&mut self, account: &str, id: &str, clock_ms: i64, found: Found) {
        let (account, id) = (account.as_bytes(), id.as_bytes());
        let Found { hash, clock_ms: before } = found;
        let Seen { names, index, .. } = self;
        let place = names.push(&Name { clock_ms, hash, account, id });
        let same = |place| names.at(place).is(account, id);
        // One that was known may have been forgotten since.
        let known = before.and_then(|_| index.find(hash, same));
        if !known.is_some_and(|known| index.replace(hash, known, place)) {
            index.insert(hash, place, &|place| names.at(place).hash);
        }
    }

    /// Has fetched where an event of this name will be looked for. See [`super::Engine::expect`].
    #[inline]
    pub fn fetch(&self, account: &str, id: &str) {
        self.index.fetch(self.hash(account.as_bytes(), id.as_bytes()));
    }

    /// Has fetched what the next few names to be forgotten will need, if the clock will let them be:
    /// those accepted before `before_ms`.
    pub fn warm(&self, count: usize, before_ms: i64) {
        let Some(chunk) = self.names.chunks.front() else { return };
        let mut at = self.oldest;
        for _ in 0..count {
            if at >= chunk.len() {
                break;
            }
            let name = read(&chunk[at..]);
            if name.clock_ms >= before_ms {
                break;
            }
            at += name.bytes();
            self.index.fetch(name.hash);
        }
    }

    /// Forgets a few of the names that were accepted at a clock before `before_ms`.
    pub fn forget(&mut self, before_ms: i64) {
        for _ in 0..FORGOTTEN {
            let Some(chunk) = self.names.chunks.front() else { return };
            if self.oldest == chunk.len() {
                if self.names.chunks.len() == 1 {
                    return;
                }
                self.names.pop_chunk();
                self.oldest = 0;
                continue;
            }
            let name = read(&chunk[self.oldest..]);
            if name.clock_ms >= before_ms {
                return;
            }
            let (hash, bytes) = (name.hash, name.bytes());
            let place = self.names.first << CHUNK_BITS | self.oldest as u64;
            // One that was accepted again stands further behind, and the index knows that one.
            self.index.remove(hash, place);
            self.oldest += bytes;
        }
    }

    /// How many names it knows.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// The heap that it takes, in bytes, about.
    pub fn heap_bytes(&self) -> usize {
        self.names.chunks.len() * CHUNK_BYTES + self.index.heap_bytes()
    }

    /// The names that it knows, in the order of the log.
    fn names(&self) -> impl ExactSizeIterator<Item = Name<'_>> {
        let mut places: Vec<u64> = self.index.iter().collect();
        places.sort_unstable_by_key(|place| self.names.distance(*place));
        places.into_iter().map(|place| self.names.at(place))
    }

    /// The names that it knows, in the order of the log, as plain data.
    pub fn snapshot(&self) -> Vec<SeenState> {
        let state =
            |name: Name<'_>| (text(name.account).into(), text(name.id).into(), name.clock_ms);
        self.names().map(state).collect()
    }

    /// Puts them into a stream.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        let mut names = self.names();
        to.put(&names.len())?;
        names.try_for_each(|name| to.put(&(text(name.account), text(name.id), name.clock_ms)))
    }

    /// Those of a stream.
    pub fn read<S: Source>(from: &mut S) -> Result<Seen, S::Error> {
        let mut seen = Seen::default();
        from.take_all(|state| seen.put(&state))?;
        Ok(seen)
    }

    fn put(&mut self, (account, id, clock_ms): &SeenState) {
        let found = self.find(account, id);
        self.accept(account, id, *clock_ms, found);
    }

    /// Those names again.
    pub fn restore(names: Vec<SeenState>) -> Seen {
        let mut seen = Seen::default();
        names.iter().for_each(|state| seen.put(state));
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
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl Names {
    /// Puts a name at the end. Returns its place.
    fn push(&mut self, name: &Name<'_>) -> u64 {
        if self.chunks.back().is_none_or(|chunk| chunk.len() + name.bytes() > CHUNK_BYTES) {
            // Written through at once, so that writing a name does not wait for fresh memory.
            let mut chunk = vec![u8::MAX; CHUNK_BYTES];
            chunk.clear();
            self.chunks.push_back(chunk);
        }
        let number = (self.first + self.chunks.len() as u64 - 1) % CHUNKS;
        let Some(chunk) = self.chunks.back_mut() else { unreachable!("a chunk was just added") };
        let place = number << CHUNK_BITS | chunk.len() as u64;
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&name.clock_ms.to_le_bytes());
        head[8..16].copy_from_slice(&name.hash.to_le_bytes());
        head[16..].copy_from_slice(&[name.account.len() as u8, name.id.len() as u8]);
        chunk.extend_from_slice(&head);
        chunk.extend_from_slice(name.account);
        chunk.extend_from_slice(name.id);
        place
    }

    fn pop_chunk(&mut self) {
        self.chunks.pop_front();
        self.first = (self.first + 1) % CHUNKS;
    }

    /// How far behind the beginning of the first chunk a place is.
    #[inline]
    fn distance(&self, place: u64) -> u64 {
        place.wrapping_sub(self.first << CHUNK_BITS) % (CHUNKS << CHUNK_BITS)
    }

    #[inline]
    fn at(&self, place: u64) -> Name<'_> {
        let at = self.distance(place);
        read(&self.chunks[(at >> CHUNK_BITS) as usize][at as usize % CHUNK_BYTES..])
    }
}

/// The name that begins here.
#[inline]
fn read(bytes: &[u8]) -> Name<'_> {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        word
    };
    let (account, id) = (usize::from(bytes[16]), usize::from(bytes[17]));
    Name {
        clock_ms: i64::from_le_bytes(word(0)),
        hash: u64::from_le_bytes(word(8)),
        account: &bytes[HEAD_BYTES..HEAD_BYTES + account],
        id: &bytes[HEAD_BYTES + account..HEAD_BYTES + account + id],
    }
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
