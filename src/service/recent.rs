//! The last outputs that stand, for whoever asks about an account: the transactions themselves, kept
//! for a while after they were delivered. Nothing is copied on the way of an event.
//!
//! It is no store of decisions: it begins empty at each start, and holds the last few megabytes.

use std::{
    collections::VecDeque,
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::RandomState;

use crate::pipeline::transaction::{Destination, Transaction};

/// So many bytes of outputs are kept.
const BYTES: usize = 32 << 20;
/// How a decision or a follow-up begins; case records are told from the cases themselves.
const DECISION: &[u8] = b"{\"schema\":\"holdfast.decision/1\"";
/// Of small ones, so many transactions.
const TRANSACTIONS: usize = 100_000;

/// Transactions that stand, the newest last.
#[derive(Debug, Default)]
pub struct Recent {
    kept: Mutex<Kept>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Kept {
    transactions: VecDeque<Past>,
    bytes: usize,
}

#[derive(Debug)]
struct Past {
    transaction: Arc<Transaction>,
    /// By output, a part of the hash of the account that it is about.
    accounts: Box<[u32]>,
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
    /// What a panicking thread left is whole: a transaction comes and goes in one step.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(&self, account: &[u8]) -> u32 {
        self.hasher.hash_one(account) as u32
    }

    /// One more stands.
    pub fn push(&self, transaction: Arc<Transaction>) {
        if transaction.output_count() == 0 {
            return;
        }
        let part = |key: Option<&[u8]>| key.map_or(0, |account| self.part(account));
        let accounts = transaction.outputs().map(|made| part(made.key)).collect();
        let mut kept = self.kept();
        kept.bytes += transaction.byte_count();
        kept.transactions.push_back(Past { transaction, accounts });
        while kept.bytes > BYTES || kept.transactions.len() > TRANSACTIONS {
            let Some(oldest) = kept.transactions.pop_front() else { return };
            kept.bytes -= oldest.transaction.byte_count();
        }
    }

    /// The last decisions about an account that hold this text somewhere, the newest first, at most so
    /// many.
    pub fn of_account(&self, account: &str, holding: &str, most: usize) -> Vec<Output> {
        let part = self.part(account.as_bytes());
        let (mut found, kept) = (Vec::new(), self.kept());
        for Past { transaction, accounts } in kept.transactions.iter().rev() {
            if !accounts.contains(&part) {
                continue;
            }
            let outputs = transaction.outputs().collect::<Vec<_>>();
            for (made, _) in outputs.iter().zip(accounts).rev().filter(|(_, of)| **of == part) {
                let is_decision =
                    made.to == Destination::Decisions && made.payload.starts_with(DECISION);
                let is_its = made.key == Some(account.as_bytes());
                let holds = memchr::memmem::find(made.payload, holding.as_bytes()).is_some();
                if is_decision && is_its && holds {
                    let payload = made.payload.to_vec();
                    found.push(Output { partition: made.partition, offset: made.offset, payload });
                }
                if found.len() == most {
                    return found;
                }
            }
        }
        found
    }

    /// The account that the newest output is about that holds this text somewhere.
    pub fn account_of(&self, holding: &str) -> Option<String> {
        let finder = memchr::memmem::Finder::new(holding);
        let kept = self.kept();
        let outputs = kept.transactions.iter().rev().flat_map(|past| past.transaction.outputs());
        outputs.filter(|made| made.to == Destination::Decisions).find_map(|made| {
            let key = made.key.filter(|_| finder.find(made.payload).is_some())?;
            Some(String::from_utf8_lossy(key).into_owned())
        })
    }
}
