//! What the scoring loop answers to questions, between two batches of records.

use std::collections::VecDeque;

use crate::{
    cases::{case::Status, look::CaseLook, member::CaseNumber},
    pipeline::worker::Worker,
};

use super::desk::{Answer, Asked, Desk, PartitionLook, Question, WAITING};

/// So many are answered between two batches of records,
const QUESTIONS: usize = 4;
/// and so many places for accounts are looked at, if a card is looked for: a fraction of a
/// millisecond.
const PLACES: usize = 2048;

/// The questions that take longer than a moment.
#[derive(Debug, Default)]
pub struct Questions {
    searches: VecDeque<Search>,
}

/// Somebody looks for the account of a card: how far that is.
#[derive(Debug)]
struct Search {
    asked: Asked,
    card: String,
    partition: i32,
    place: usize,
}

impl Questions {
    /// Answers a few of those that wait.
    pub fn answer_some(&mut self, desk: &Desk, worker: &mut Worker) {
        for _ in 0..QUESTIONS {
            let Some(asked) = desk.next() else { break };
            match &asked.question {
                // Whoever asks hears that it is too much.
                Question::AccountOf { .. } if self.searches.len() >= WAITING => {}
                Question::AccountOf { card } => {
                    let card = card.clone();
                    self.searches.push_back(Search { asked, card, partition: i32::MIN, place: 0 });
                }
                _ => answer(worker, asked),
            }
        }
        self.search(worker);
    }

    /// Is something looked for?
    pub fn is_searching(&self) -> bool {
        !self.searches.is_empty()
    }

    /// Goes on with the first search.
    fn search(&mut self, worker: &mut Worker) {
        self.searches.retain(|search| !search.asked.is_forgotten());
        let Some(search) = self.searches.front_mut() else { return };
        let here = worker.deciding_mut().find(|partition| partition.number() >= search.partition);
        let (found, is_over) = match here {
            None => (None, true),
            Some(partition) => {
                if partition.number() > search.partition {
                    (search.partition, search.place) = (partition.number(), 0);
                }
                let engine = partition.engine_mut();
                let (found, next) = engine.account_of(&search.card, search.place, PLACES);
                (search.partition, search.place) = match next {
                    Some(next) => (search.partition, next),
                    None => (search.partition.saturating_add(1), 0),
                };
                (found, false)
            }
        };
        if is_over || found.is_some() {
            let over = self.searches.pop_front();
            over.into_iter()
                .for_each(|search| search.asked.answer(Answer::AccountOf(found.clone())));
        }
    }
}

fn answer(worker: &mut Worker, asked: Asked) {
    let answer = match &asked.question {
        Question::Account { account, card, most } => {
            let known = worker.deciding_mut().find_map(|partition| {
                let look = partition.engine_mut().look(account, card.as_deref(), *most);
                look.map(|look| (partition.number(), look))
            });
            Answer::Account(known)
        }
        // It takes more than a moment: see `Questions::search`.
        Question::AccountOf { .. } => return,
        Question::Cases { status, after, most } => {
            Answer::Cases(cases(worker, status, *after, *most))
        }
        Question::Partitions => Answer::Partitions(partitions(worker)),
    };
    asked.answer(answer);
}

fn cases(
    worker: &Worker,
    statuses: &[Status],
    after: Option<(Status, i32, CaseNumber)>,
    most: usize,
) -> Vec<(i32, CaseLook)> {
    let mut found = Vec::new();
    for status in statuses {
        for partition in worker.deciding() {
            let here = (*status as usize, partition.number());
            let behind = match after {
                Some((of, number, _)) if here < (of as usize, number) => continue,
                Some((of, number, case)) if here == (of as usize, number) => Some(case),
                _ => None,
            };
            let left = most - found.len();
            let cases = partition.engine().look_at_cases(*status, behind, left);
            found.extend(cases.into_iter().map(|case| (partition.number(), case)));
            if found.len() == most {
                return found;
            }
        }
    }
    found
}

fn partitions(worker: &Worker) -> Vec<PartitionLook> {
    let look = |(number, state)| {
        let here = worker.deciding().find(|partition| partition.number() == number);
        PartitionLook {
            number,
            state,
            next: here.map(|partition| partition.next()),
            clock_ms: here.and_then(|partition| partition.engine().clock_ms()),
            record_ms: here.and_then(|partition| partition.record_ms()),
        }
    };
    worker.places().map(look).collect()
}
