//! What became of the events of a run, in numbers.

use crate::{
    cases::case::Status,
    decision::{Action, Answer, Fate, Reason, Trigger},
};

use super::histogram::Histogram;

/// The buckets of scores, in points.
pub const SCORES: &[f64] = &[
    0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 150.0, 200.0, 500.0, 1000.0,
];

/// Events by fate, decisions by action, dead letters by reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    fates: [u64; Fate::ALL.len()],
    actions: [u64; Action::ALL.len()],
    answers: [u64; Answer::ALL.len()],
    reasons: [u64; Reason::ALL.len()],
    /// Follow-ups, by answer: those that feedback made, and those of deadlines.
    answers_by: [[u64; 2]; Answer::ALL.len()],
    case_changes: [u64; Status::ALL.len()],
    scores: Histogram,
}

impl Default for Statistics {
    fn default() -> Statistics {
        Statistics {
            fates: Default::default(),
            actions: Default::default(),
            answers: Default::default(),
            reasons: Default::default(),
            answers_by: Default::default(),
            case_changes: Default::default(),
            scores: Histogram::new(SCORES),
        }
    }
}

/// What makes follow-ups, by name, in the order in which they are counted.
pub const TRIGGERS: [&str; 2] = ["feedback", "expiry"];

impl Statistics {
    /// One more event of this fate.
    pub fn fate(&mut self, fate: Fate) {
        self.fates[fate as usize] += 1;
    }

    /// One more decision of this action.
    pub fn action(&mut self, action: Action) {
        self.actions[action as usize] += 1;
    }

    /// So many more follow-ups, by answer.
    pub fn answers(&mut self, answers: [u64; Answer::ALL.len()]) {
        self.answers.iter_mut().zip(answers).for_each(|(sum, more)| *sum += more);
    }

    /// One more decision's score.
    pub fn score(&mut self, score: i64) {
        self.scores.observe(score as f64);
    }

    /// One more follow-up, and what made it.
    pub fn answer(&mut self, answer: Answer, trigger: &Trigger<'_>) {
        self.answers[answer as usize] += 1;
        let by_deadline = matches!(trigger, Trigger::Expiry(_));
        self.answers_by[answer as usize][usize::from(by_deadline)] += 1;
    }

    /// One more record of a case that stands so.
    pub fn case_change(&mut self, status: &str) {
        if let Some(at) = Status::ALL.iter().position(|known| known.name() == status) {
            self.case_changes[at] += 1;
        }
    }

    /// Adds what another one has seen.
    pub fn add(&mut self, other: &Statistics) {
        fn sum<const N: usize>(sum: &mut [u64; N], more: &[u64; N]) {
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        sum(&mut self.fates, &other.fates);
        sum(&mut self.actions, &other.actions);
        sum(&mut self.answers, &other.answers);
        sum(&mut self.reasons, &other.reasons);
        sum(&mut self.case_changes, &other.case_changes);
        let by = self.answers_by.iter_mut().zip(&other.answers_by);
        by.for_each(|(mine, more)| sum(mine, more));
        self.scores.add(&other.scores);
    }

    /// One more dead letter.
    pub fn dead_letter(&mut self, reason: Reason) {
        self.fate(Fate::DeadLetter);
        self.reasons[reason as usize] += 1;
    }

    /// Lines but blank ones: the sum of the fates.
    pub fn events(&self) -> u64 {
        self.fates.iter().sum()
    }

    /// Events of this fate.
    pub fn of_fate(&self, fate: Fate) -> u64 {
        self.fates[fate as usize]
    }

    /// Decisions of this action.
    pub fn of_action(&self, action: Action) -> u64 {
        self.actions[action as usize]
    }

    /// Follow-ups of this answer.
    pub fn of_answer(&self, answer: Answer) -> u64 {
        self.answers[answer as usize]
    }

    /// Follow-ups of this answer, by [`TRIGGERS`].
    pub fn of_answer_by(&self, answer: Answer) -> [u64; TRIGGERS.len()] {
        self.answers_by[answer as usize]
    }

    /// Records of cases that stand so.
    pub fn of_case_change(&self, status: Status) -> u64 {
        self.case_changes[status as usize]
    }

    /// The scores of decisions, in points.
    pub fn scores(&self) -> &Histogram {
        &self.scores
    }

    /// Dead letters of this reason.
    pub fn of_reason(&self, reason: Reason) -> u64 {
        self.reasons[reason as usize]
    }

    /// Dead letters by reason, those that there are.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.reasons).filter(|(_, count)| *count > 0)
    }

    /// The closing line of a run that took so long, as JSON.
    pub fn closing_line(&self, seconds: f64) -> String {
        let fate = |fate: Fate| format!("\"{}\":{}", fate.name(), self.of_fate(fate));
        let actions = Action::ALL.into_iter().map(|a| (a.name(), self.of_action(a)));
        let answers = Answer::ALL.into_iter().map(|a| (a.name(), self.of_answer(a)));
        let there = actions.chain(answers).filter(|(_, count)| *count > 0);
        let there = there.map(|(name, count)| format!("\"{name}\":{count}"));
        format!(
            "{{\"events\":{},{},\"actions\":{{{}}},\"seconds\":{seconds:.3}}}",
            self.events(),
            Fate::ALL.map(fate).join(","),
            there.collect::<Vec<_>>().join(","),
        )
    }
}
