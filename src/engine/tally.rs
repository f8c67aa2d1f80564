//! What happened that no output says, in plain integers: counting it costs the scoring loop next to
//! nothing, and whoever shows it asks for it now and then.

use crate::{
    cases::ANSWERS,
    decision::State,
    event::{SOURCES, VERDICTS},
};

use super::ruleset::Ruleset;

/// What happened that no output says; for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// By rule: how often it failed (a division by zero, an overflow, unlike types).
    pub rule_errors: Vec<u64>,
    /// By rule: how often it held.
    pub rule_hits: Vec<u64>,
    /// By rule: how often it held in the shadow and asked for more than was decided.
    pub stricter: Vec<u64>,
    /// By rule: answers to authorizations that waited, to which it had a say, by [`ANSWERS`].
    pub rule_answers: Vec<[u64; ANSWERS.len()]>,
    /// By counter: values that it could do nothing with.
    pub unusable_values: Vec<u64>,
    /// By what owns keys: events that the bound on a key drove out.
    pub evicted: Vec<u64>,
    /// Authorizations that were declined because too many of their account wait.
    pub limited: u64,
    /// Decisions whose case reached back to more authorizations than it may link.
    pub truncated_links: u64,
    /// Decisions, by how much their counters can be relied on.
    pub states: [u64; State::ALL.len()],
    /// Accepted feedback, by verdict and by source.
    pub feedback: [[u64; SOURCES.len()]; VERDICTS.len()],
}

impl Tally {
    /// Of a ruleset, with nothing counted yet.
    pub fn of(ruleset: &Ruleset) -> Tally {
        let nothing = vec![0; ruleset.rules.len()];
        Tally {
            rule_errors: nothing.clone(),
            rule_hits: nothing.clone(),
            stricter: nothing,
            ..Tally::default()
        }
    }

    /// Adds another partition's.
    pub fn add(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.rule_errors, &other.rule_errors),
            (&mut self.rule_hits, &other.rule_hits),
            (&mut self.stricter, &other.stricter),
            (&mut self.unusable_values, &other.unusable_values),
            (&mut self.evicted, &other.evicted),
        ];
        pairs.into_iter().for_each(|(sum, more)| add(sum, more, |sum, more| *sum += more));
        add(&mut self.rule_answers, &other.rule_answers, |sum, more| add_each(sum, more));
        self.limited += other.limited;
        self.truncated_links += other.truncated_links;
        add_each(&mut self.states, &other.states);
        let feedback = self.feedback.iter_mut().zip(&other.feedback);
        feedback.for_each(|(sum, more)| add_each(sum, more));
    }
}

fn add<T: Clone + Default>(sum: &mut Vec<T>, more: &[T], add: impl Fn(&mut T, &T)) {
    sum.resize(sum.len().max(more.len()), T::default());
    sum.iter_mut().zip(more).for_each(|(sum, more)| add(sum, more));
}

fn add_each(sum: &mut [u64], more: &[u64]) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}
