//! What the scoring loop answers to questions, between two batches of records.

use crate::{
    cases::{case::Status, look::CaseLook, member::CaseNumber},
    pipeline::worker::Worker,
};

use super::desk::{Answer, Asked, Desk, PartitionLook, Question};

/// So many are answered between two batches of records.
const QUESTIONS: usize = 4;

/// Answers a few of those that wait.
pub fn answer_some(desk: &Desk, worker: &mut Worker) {
    for _ in 0..QUESTIONS {
        let Some(asked) = desk.next() else { return };
        answer(worker, asked);
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
