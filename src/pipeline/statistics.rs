//! What became of the events of a run, in numbers.

use crate::decision::{Action, Answer, Fate, Reason};

/// Events by fate, decisions by action, dead letters by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    fates: [u64; Fate::ALL.len()],
    actions: [u64; Action::ALL.len()],
    answers: [u64; Answer::ALL.len()],
    reasons: [u64; Reason::ALL.len()],
}

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

    /// One more follow-up.
    pub fn answer(&mut self, answer: Answer) {
        self.answers[answer as usize] += 1;
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
