//! The last outputs that stand, for whoever asks about an account: copied where they are delivered,
//! beside the loop that decides.
//!
//! It is no store of decisions: it begins empty at each start, and holds the last few megabytes.

use std::{
    collections::VecDeque,
    hash::BuildHasher,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::RandomState;

use crate::pipeline::transaction::{Destination, Made, Transaction};

/// So many bytes of outputs make a block,
const BLOCK_BYTES: usize = 512 << 10;
/// and so many blocks are kept beside the one that is being filled.
const BLOCKS: usize = 64;
/// How a decision or a follow-up begins; case records are told from the cases themselves.
const DECISION: &[u8] = b"{\"schema\":\"holdfast.decision/1\"";

/// Outputs that stand, the newest last.
#[derive(Debug, Default)]
pub struct Recent {
    kept: Mutex<Kept>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Kept {
    full: VecDeque<Arc<Block>>,
    open: Block,
}

/// Outputs one after the other, as in a transaction.
#[derive(Debug, Default)]
struct Block {
    outputs: Transaction,
    /// By output, a part of the hash of the account that it is about.
    accounts: Vec<u32>,
}

impl Block {
    fn push(&mut self, made: &Made<'_>, account: u32) {
        let place = (made.partition, made.offset);
        let write = |out: &mut Vec<u8>| out.extend_from_slice(made.payload);
        self.outputs.push(made.to, place, made.key, write);
        self.accounts.push(account);
    }
}

impl Kept {
    /// Another block is filled from here on: the oldest one, so that no memory comes and goes.
    fn turn(&mut self) {
        let oldest = (self.full.len() == BLOCKS).then(|| self.full.pop_front()).flatten();
        // Whoever looks through it at this moment has it to the end.
        let mut next = oldest.and_then(Arc::into_inner).unwrap_or_default();
        next.outputs.clear();
        next.accounts.clear();
        self.full.push_back(Arc::new(mem::replace(&mut self.open, next)));
    }
}

/// An output, and the record that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The partition of the input.
    pub partition: i32,
    /// The offset of the record there.
    pub offset: i64,
    /// It as text: JSON.
    pub payload: Vec<u8>,
}

impl Recent {
    /// What a panicking thread left can be read: at most an output is missing.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(&self, account: &[u8]) -> u32 {
        self.hasher.hash_one(account) as u32
    }

    /// These stand.
    pub fn add(&self, transaction: &Transaction) {
        let mut kept = self.kept();
        for made in transaction.outputs().filter(|made| made.to == Destination::Decisions) {
            if kept.open.outputs.byte_count() >= BLOCK_BYTES {
                kept.turn();
            }
            let account = made.key.map_or(0, |account| self.part(account));
            kept.open.push(&made, account);
        }
    }

    /// What is found in one block after the other, the newest first, until it is enough. Who adds an
    /// output waits for one block at most.
    fn look(&self, mut enough: impl FnMut(&Block) -> bool) {
        let full = {
            let kept = self.kept();
            if enough(&kept.open) {
                return;
            }
            kept.full.clone()
        };
        let _ = full.iter().rev().any(|block| enough(block));
    }

    /// The last decisions about an account that hold this text somewhere, the newest first, at most so
    /// many.
    pub fn of_account(&self, account: &str, holding: &str, most: usize) -> Vec<Output> {
        let (part, mut found) = (self.part(account.as_bytes()), Vec::new());
        let finder = memchr::memmem::Finder::new(holding);
        self.look(|Block { outputs, accounts }| {
            let about = outputs.outputs().zip(accounts).rev().filter(|(_, of)| **of == part);
            let decisions = about.map(|(made, _)| made).filter(|made| {
                made.key == Some(account.as_bytes())
                    && made.payload.starts_with(DECISION)
                    && finder.find(made.payload).is_some()
            });
            found.extend(decisions.take(most - found.len()).map(|made| Output {
                partition: made.partition,
                offset: made.offset,
                payload: made.payload.to_vec(),
            }));
            found.len() == most
        });
        found
    }

    /// The account that the newest output is about that holds this text somewhere.
    pub fn account_of(&self, holding: &str) -> Option<String> {
        let (finder, mut found) = (memchr::memmem::Finder::new(holding), None);
        self.look(|Block { outputs, .. }| {
            let naming = outputs.outputs().rev().filter(|made| finder.find(made.payload).is_some());
            let account = naming.filter_map(|made| made.key).next();
            found = account.map(|key| String::from_utf8_lossy(key).into_owned());
            found.is_some()
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(account: &str, offset: i64, text: &str) -> Transaction {
        let mut transaction = Transaction::default();
        let key = Some(account.as_bytes());
        transaction.push(Destination::Decisions, (0, offset), key, |out| {
            out.extend_from_slice(DECISION);
            out.extend_from_slice(text.as_bytes());
        });
        transaction.push(Destination::DeadLetters, (0, offset), key, |out| {
            out.extend_from_slice(DECISION);
            out.extend_from_slice(b",card-x,");
        });
        transaction
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_go() {
        let (recent, long) = (Recent::default(), "-".repeat(16 << 10));
        let a_block = BLOCK_BYTES as i64 / (16 << 10);
        let offsets = |account: &str, most: usize| -> Vec<i64> {
            let found = recent.of_account(account, "card", most);
            found.into_iter().map(|output| output.offset).collect()
        };
        for offset in 0..a_block * (BLOCKS as i64 + 3) {
            let account = if offset % 2 == 0 { "even" } else { "odd" };
            recent.add(&about(account, offset, &format!("{long},card-{offset},")));
            if [1, 7, a_block * 3].contains(&offset) {
                let due: Vec<i64> = (0..=offset).rev().filter(|offset| offset % 2 == 0).collect();
                assert_eq!(offsets("even", usize::MAX), due);
                assert_eq!(offsets("odd", 1), [offset - (offset + 1) % 2]);
                assert_eq!(recent.account_of(",card-1,").as_deref(), Some("odd"));
                assert_eq!(recent.account_of(",card-x,"), None);
            }
        }
        let (newest, kept) = (a_block * (BLOCKS as i64 + 3) - 1, a_block * BLOCKS as i64);
        let found = [offsets("even", usize::MAX), offsets("odd", usize::MAX)].concat().len() as i64;
        assert!((kept..=kept + a_block).contains(&found), "{found}");
        assert_eq!(recent.account_of(&format!(",card-{newest},")).as_deref(), Some("odd"));
        assert_eq!(recent.account_of(",card-1,"), None);
    }
}
