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
/// So many are taken at a time by whoever looks through them.
const TAKEN: usize = 64;

/// Transactions that stand, the newest last.
#[derive(Debug, Default)]
pub struct Recent {
    kept: Mutex<Kept>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Kept {
    transactions: VecDeque<Arc<Past>>,
    bytes: usize,
    /// How many have been there before.
    gone: u64,
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
        kept.transactions.push_back(Arc::new(Past { transaction, accounts }));
        while kept.bytes > BYTES || kept.transactions.len() > TRANSACTIONS {
            let Some(oldest) = kept.transactions.pop_front() else { return };
            kept.gone += 1;
            kept.bytes -= oldest.transaction.byte_count();
        }
    }

    /// Transactions that stand, the newest first. They are taken a few at a time, so that nobody who
    /// adds one waits for whoever looks through them.
    fn newest(&self) -> impl Iterator<Item = Arc<Past>> {
        let mut before = u64::MAX;
        let some = std::iter::from_fn(move || {
            let kept = self.kept();
            // As many as came before what is left of those that were taken last.
            let left =
                before.saturating_sub(kept.gone).min(kept.transactions.len() as u64) as usize;
            let first = left.saturating_sub(TAKEN);
            before = kept.gone + first as u64;
            let taken: Vec<_> = kept.transactions.range(first..left).rev().cloned().collect();
            (!taken.is_empty()).then_some(taken)
        });
        some.flatten()
    }

    /// The last decisions about an account that hold this text somewhere, the newest first, at most so
    /// many.
    pub fn of_account(&self, account: &str, holding: &str, most: usize) -> Vec<Output> {
        let (part, mut found) = (self.part(account.as_bytes()), Vec::new());
        for past in self.newest() {
            let Past { transaction, accounts } = &*past;
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
        self.newest().find_map(|past| {
            let outputs =
                past.transaction.outputs().filter(|made| made.to == Destination::Decisions);
            let naming = outputs.filter(|made| finder.find(made.payload).is_some()).last()?;
            Some(String::from_utf8_lossy(naming.key?).into_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(account: &str, offset: i64, text: &str) -> Arc<Transaction> {
        let mut transaction = Transaction::default();
        let key = Some(account.as_bytes());
        transaction.push(Destination::Decisions, (0, offset), key, |out| {
            out.extend_from_slice(DECISION);
            out.extend_from_slice(text.as_bytes());
        });
        Arc::new(transaction)
    }

    #[test]
    fn the_newest_come_first_however_many_there_are() {
        let recent = Recent::default();
        let count = 3 * TAKEN as i64 + 7;
        for offset in 0..count {
            let account = if offset % 2 == 0 { "even" } else { "odd" };
            recent.push(about(account, offset, &format!(",card-{offset},")));
        }
        let offsets = |account: &str, most: usize| -> Vec<i64> {
            let found = recent.of_account(account, "card", most);
            found.into_iter().map(|output| output.offset).collect()
        };
        let due: Vec<i64> = (0..count).rev().filter(|offset| offset % 2 == 0).collect();
        assert_eq!(offsets("even", usize::MAX), due);
        assert_eq!(offsets("odd", 1), [count - 2]);
        assert_eq!(recent.account_of(",card-3,").as_deref(), Some("odd"));
        assert_eq!(recent.account_of(",card-x,"), None);
    }
}
