//! Where questions wait for the scoring loop. It alone knows how things stand, and answers a few of
//! them between two batches of records: looking never stops it, and never meets half of an event.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    cases::{case::Status, look::CaseLook, member::CaseNumber},
    engine::look::AccountLook,
};

/// Who asks waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// So long where all accounts may have to be looked through.
const PATIENCE_OF_A_SEARCH: Duration = Duration::from_secs(10);
/// With so many questions waiting, more are turned away.
pub(super) const WAITING: usize = 256;

/// What can be asked.
#[derive(Debug)]
pub enum Question {
    /// What is known of an account, or of a card of it?
    Account {
        /// `account_id`
        account: String,
        /// `card_id`
        card: Option<String>,
        /// The most keys and cases that are named.
        most: usize,
    },
    /// Which account has a card of which something is kept?
    AccountOf {
        /// `card_id`
        card: String,
    },
    /// Which cases are alive?
    Cases {
        /// In the order of their opening, those of one status after the other.
        status: Vec<Status>,
        /// Of this partition alone, and behind this case of it.
        after: Option<(Status, i32, CaseNumber)>,
        /// The most cases that are named.
        most: usize,
    },
    /// Which partitions are here?
    Partitions,
}

/// What is answered.
#[derive(Debug)]
pub enum Answer {
    /// What is known, and by which partition; `None` where no partition that is decided here knows
    /// it.
    Account(Option<(i32, AccountLook)>),
    /// The account of the card, if one that is decided here has it.
    AccountOf(Option<String>),
    /// Cases with their partitions; there may be more if they are as many as were asked for.
    Cases(Vec<(i32, CaseLook)>),
    /// All partitions of this instance.
    Partitions(Vec<PartitionLook>),
}

/// A partition of this instance.
#[derive(Debug, Clone)]
pub struct PartitionLook {
    /// Its number.
    pub number: i32,
    /// `deciding`, `restoring` or `leaving`
    pub state: &'static str,
    /// The offset of its next record, if it is decided here.
    pub next: Option<i64>,
    /// Its clock, in epoch ms.
    pub clock_ms: Option<i64>,
    /// The time of the last record that was decided here, in epoch ms.
    pub record_ms: Option<i64>,
}

/// A question, and who waits for its answer.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub question: Question,
    reply: oneshot::Sender<Answer>,
}

impl Asked {
    /// Does nobody wait for the answer any more?
    pub fn is_forgotten(&self) -> bool {
        self.reply.is_closed()
    }

    /// Answers it.
    pub fn answer(self, answer: Answer) {
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Too many others wait.
    Full,
    /// The loop does not come to it: it is starting, or something is wrong.
    Silent,
}

/// Where questions wait.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: Mutex<VecDeque<Asked>>,
    /// How many they are, to be looked at without a lock.
    count: AtomicUsize,
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Asked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// There is none in time.
    pub async fn ask(&self, question: Question) -> Result<Answer, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        let patience = match question {
            Question::AccountOf { .. } => PATIENCE_OF_A_SEARCH,
            _ => PATIENCE,
        };
        {
            let mut waiting = self.waiting();
            if waiting.len() >= WAITING {
                return Err(NoAnswer::Full);
            }
            waiting.push_back(Asked { question, reply });
            self.count.store(waiting.len(), Ordering::Release);
        }
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(NoAnswer::Silent),
        }
    }

    /// The next question, if anybody still waits for its answer.
    #[inline]
    pub fn next(&self) -> Option<Asked> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut waiting = self.waiting();
        let mut next = waiting.pop_front();
        while next.as_ref().is_some_and(Asked::is_forgotten) {
            next = waiting.pop_front();
        }
        self.count.store(waiting.len(), Ordering::Release);
        next
    }
}
