//! After an answer, the rules that asked stay quiet on the same target for a while: what was
//! answered does not fire again.

use crate::{
    event::{Event, Field, Path},
    window::spec::Reading,
};

use super::{
    carry::Moved,
    life::{Target, Value},
    member::Ground,
    targeted::Targeted,
};

/// The graces of an account. One that another one makes needless is not kept: ten thousand answers
/// about one card leave little more than one.
#[derive(Debug, Default)]
pub struct Graces(Targeted<Vec<Grace>>);

impl Graces {
    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those on the target of an event.
    pub fn of(&self, event: &Event<'_>) -> impl Iterator<Item = &Grace> {
        self.0.of(event).flatten()
    }

    /// One more.
    pub fn insert(&mut self, grace: Grace) {
        let Some(known) = self.0.get_mut(&grace.target) else {
            let target = grace.target.clone();
            return self.0.insert(&target, vec![grace]);
        };
        if !known.iter().any(|known| known.covers(&grace)) {
            known.retain(|known| !grace.covers(known));
            known.push(grace);
        }
    }

    /// Those on a target that end when the clock is here, in epoch ms, go.
    pub fn end(&mut self, target: &Target, until_ms: i64) {
        let Some(known) = self.0.get_mut(target) else { return };
        known.retain(|grace| grace.until_ms != until_ms);
        if known.is_empty() {
            self.0.remove(target);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Grace> {
        self.0.iter().flatten()
    }
}

/// The peace after one answer. Rules and counters are named by their places in the ruleset.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Grace {
    /// On which target.
    pub target: Target,
    /// Until the clock is here, in epoch ms.
    pub until_ms: i64,
    /// The rules that stay quiet.
    rules: Vec<u32>,
    /// The greatest integer printed for each counter.
    greatest: Vec<(u32, i64)>,
}

impl Grace {
    /// Out of what the decisions that were asked about rest on.
    pub fn new(target: Target, until_ms: i64, grounds: impl Iterator<Item = Ground>) -> Grace {
        let mut grace = Grace { target, until_ms, rules: Vec::new(), greatest: Vec::new() };
        for ground in grounds {
            match ground {
                Ground::Rule(rule) if grace.rules.contains(&rule) => {}
                Ground::Rule(rule) => grace.rules.push(rule),
                Ground::Counter(counter, value) => {
                    match grace.greatest.iter_mut().find(|(known, _)| *known == counter) {
                        Some((_, greatest)) => *greatest = (*greatest).max(value),
                        None => grace.greatest.push((counter, value)),
                    }
                }
            }
        }
        grace
    }

    /// Does it keep a rule quiet at an event on its target? `counters` are those that the rule names,
    /// with their values.
    pub fn quiets(
        &self,
        rule: u32,
        clock_ms: i64,
        mut counters: impl Iterator<Item = (u32, Reading)>,
    ) -> bool {
        clock_ms < self.until_ms
            && self.rules.contains(&rule)
            && !counters.any(|(counter, value)| self.is_exceeded(counter, value))
    }

    /// Names rules and counters by their places in another ruleset; those that are gone are dropped.
    pub fn move_to(&mut self, moved: &Moved) {
        self.rules = self.rules.iter().filter_map(|rule| moved.rule(*rule)).collect();
        let place = |(counter, value): &(u32, i64)| Some((moved.counter(*counter)?, *value));
        self.greatest = self.greatest.iter().filter_map(place).collect();
    }

    /// Is whatever another one keeps quiet on the same target kept quiet by this one too?
    fn covers(&self, other: &Grace) -> bool {
        let reaches = |(counter, greatest): &(u32, i64)| {
            other.greatest(*counter).is_some_and(|other| other <= *greatest)
        };
        self.until_ms >= other.until_ms
            && other.rules.iter().all(|rule| self.rules.contains(rule))
            && self.greatest.iter().all(reaches)
    }

    fn greatest(&self, counter: u32) -> Option<i64> {
        let greatest = self.greatest.iter().find(|(known, _)| *known == counter);
        greatest.map(|(_, greatest)| *greatest)
    }

    /// Is an integer more than twice what was answered for?
    fn is_exceeded(&self, counter: u32, value: Reading) -> bool {
        let Reading::Int(value) = value else { return false };
        self.greatest(counter).is_some_and(|greatest| i128::from(value) > 2 * i128::from(greatest))
    }
}

/// The target of a grace whose case is about one event: its card, or the events without one.
pub fn target_of_event(card_id: Option<&str>) -> Target {
    Target(vec![(Path::Field(Field::CardId), card_id.map(|card| Value::Text(card.into())))])
}
