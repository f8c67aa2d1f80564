//! Which authorizations of an account a case yet to come may link: by what counts them, so that a
//! case looks through those of its own keys alone.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hash, Hasher as _},
};

use smallvec::SmallVec;

use crate::{
    event::{Event, Path, Scalar},
    window::Hasher,
};

use super::{
    ascending::Ascending,
    member::{Member, MemberNumber},
};

/// The keys of counters, within an account.
#[derive(Debug)]
pub struct Keys {
    /// By the counter's place in the ruleset, the fields of its key but for the account.
    of: Box<[Box<[Path]>]>,
    span_ms: i64,
    hasher: Hasher,
}

impl Keys {
    /// With these fields, by the counter's place in the ruleset. No case reaches further back than
    /// `span_ms` of the clock.
    pub fn new(of: Box<[Box<[Path]>]>, span_ms: i64) -> Keys {
        Keys { of, span_ms, hasher: Hasher::default() }
    }

    /// The hash of a counter, and of its key where these values stand.
    fn hash<'v>(&self, counter: u32, value: impl Fn(&Path) -> Option<Scalar<'v>>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(counter);
        for path in &self.of[counter as usize] {
            match value(path) {
                Some(Scalar::Text(text)) => text.hash(&mut hasher),
                Some(Scalar::Int(integer)) => hasher.write_i64(integer),
                Some(Scalar::Bool(flag)) => hasher.write_u8(flag.into()),
                Some(Scalar::Double(_)) | None => hasher.write_u8(u8::MAX),
            }
        }
        hasher.finish()
    }

    /// The hash of a counter, and of its key at an event.
    pub fn hash_at(&self, counter: u32, event: &Event<'_>) -> u64 {
        self.hash(counter, |path| event.value(path))
    }

    /// The hash of a counter, and of its key at an authorization that it counts.
    pub fn hash_of(&self, counter: u32, member: &Member) -> u64 {
        self.hash(counter, |path| member.packed.value(path))
    }

    /// How far back a case reaches, in the clock's ms, at most.
    pub fn span_ms(&self) -> i64 {
        self.span_ms
    }

    /// Has an authorization the key that a counter has at an event?
    pub fn is_of(&self, counter: u32, member: &Member, event: &Event<'_>) -> bool {
        let value = |path| event.value(path).filter(|value| !matches!(value, Scalar::Double(_)));
        self.of[counter as usize].iter().all(|path| member.packed.value(path) == value(path))
    }
}

/// Authorizations of one account that a case yet to come may link: by what counts them, so that a
/// case looks through those of its own keys alone. A key is known by its hash.
#[derive(Debug, Default)]
pub struct Log {
    /// Of nearly every account, all of them, the newest last.
    few: SmallVec<[(u64, MemberNumber); 1]>,
    /// Else all of them.
    more: BTreeMap<u64, Ascending>,
}

/// So many are looked through for those of one key.
const FEW: usize = 16;

impl Log {
    /// Takes one in, which is newer than all that are there. Those that are not `within_reach` may
    /// go.
    pub fn insert(
        &mut self,
        hash: u64,
        number: MemberNumber,
        within_reach: impl Fn(MemberNumber) -> bool,
    ) {
        if self.few.len() == FEW {
            self.few.retain(|(_, number)| within_reach(*number));
            if self.few.len() > FEW / 2 {
                for (hash, number) in std::mem::take(&mut self.few) {
                    self.more.entry(hash).or_default().push(number);
                }
            }
        }
        match self.more.is_empty() {
            true => self.few.push((hash, number)),
            false => self.more.entry(hash).or_default().push(number),
        }
    }

    /// One stands otherwise now.
    pub fn fall(&mut self, number: MemberNumber, member: &Member, keys: &Keys) {
        let fallen = member.reach().filter(|counter| !member.is_linked_by(*counter));
        fallen.for_each(|counter| self.take_out(keys.hash_of(counter, member), number));
    }

    /// Lets one go.
    pub fn remove(&mut self, number: MemberNumber, member: &Member, keys: &Keys) {
        if self.few.is_empty() && self.more.is_empty() {
            return;
        }
        member.reach().for_each(|counter| self.take_out(keys.hash_of(counter, member), number));
    }

    fn take_out(&mut self, hash: u64, number: MemberNumber) {
        if let Some(at) = self.few.iter().position(|known| *known == (hash, number)) {
            self.few.remove(at);
        }
        let Some(known) = self.more.get_mut(&hash) else { return };
        known.remove(number);
        if known.is_empty() {
            self.more.remove(&hash);
        }
    }

    /// Those under a hash, the newest first.
    pub fn newest(&self, hash: u64) -> impl Iterator<Item = MemberNumber> {
        let few = self.few.iter().rev().filter(move |(known, _)| *known == hash);
        let more = self.more.get(&hash).into_iter().flat_map(|known| known.iter().rev());
        few.map(|(_, number)| *number).chain(more)
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Log, MemberNumber};
    use proptest::prelude::*;

    proptest! {
        /// Against all of them, of which those from some number on are within reach.
        #[test]
        fn has_what_is_within_reach(
            steps in prop::collection::vec((0u8..9, 0u64..4, 0u64..80), 1..300),
            reach in 1u64..40,
        ) {
            let (mut log, mut all) = (Log::default(), Vec::<(u64, MemberNumber)>::new());
            for (next, (step, hash, which)) in (0..).zip(steps) {
                let from = |now: MemberNumber| now.saturating_sub(reach);
                if step < 6 {
                    for hash in hash..4.min(hash + 1 + which % 2) {
                        log.insert(hash, next, |number| number >= from(next));
                        all.push((hash, next));
                    }
                } else if let Some(gone) = all.get(which as usize % all.len().max(1)).copied() {
                    log.take_out(gone.0, gone.1);
                    all.retain(|known| *known != gone);
                }
                for hash in 0..4 {
                    let of = all.iter().rev().filter(|(known, _)| *known == hash);
                    let of = of.map(|(_, number)| *number).take_while(|number| *number >= from(next));
                    prop_assert!(log.newest(hash).take_while(|number| *number >= from(next)).eq(of));
                }
                prop_assert!(log.few.len() <= FEW && (log.few.is_empty() || log.more.is_empty()));
            }
            all.iter().for_each(|(hash, number)| log.take_out(*hash, *number));
            prop_assert!(log.few.is_empty() && log.more.is_empty());
        }
    }
}
