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
};

/// The peace after one answer. Rules and counters are named by their places in the ruleset.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Grace {
    /// On which target.
    target: Target,
    /// Until the clock is here, in epoch ms.
    pub until_ms: i64,
    /// The rules that stay quiet.
    rules: Vec<u32>,
    /// The greatest integer printed for each counter.
    greatest: Vec<(u32, i64)>,
}

impl Grace {
    /// Out of what the decisions that were asked about rest on.
    pub fn new<'g>(
        target: Target,
        until_ms: i64,
        grounds: impl Iterator<Item = &'g Ground>,
    ) -> Grace {
        let mut grace = Grace { target, until_ms, rules: Vec::new(), greatest: Vec::new() };
        for ground in grounds {
            match *ground {
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

    /// Does it keep a rule quiet at an event? `counters` are those that the rule names, with their
    /// values.
    pub fn quiets(
        &self,
        rule: u32,
        event: &Event<'_>,
        clock_ms: i64,
        mut counters: impl Iterator<Item = (u32, Reading)>,
    ) -> bool {
        clock_ms < self.until_ms
            && self.rules.contains(&rule)
            && self.is_of(event)
            && !counters.any(|(counter, value)| self.is_exceeded(counter, value))
    }

    /// Names rules and counters by their places in another ruleset; those that are gone are dropped.
    pub fn move_to(&mut self, moved: &Moved) {
        self.rules = self.rules.iter().filter_map(|rule| moved.rule(*rule)).collect();
        let place = |(counter, value): &(u32, i64)| Some((moved.counter(*counter)?, *value));
        self.greatest = self.greatest.iter().filter_map(place).collect();
    }

    fn is_of(&self, event: &Event<'_>) -> bool {
        self.target.0.iter().all(|(path, value)| Value::of(event, path) == *value)
    }

    /// Is an integer more than twice what was answered for?
    fn is_exceeded(&self, counter: u32, value: Reading) -> bool {
        let Reading::Int(value) = value else { return false };
        let greatest = self.greatest.iter().find(|(known, _)| *known == counter);
        greatest.is_some_and(|(_, greatest)| i128::from(value) > 2 * i128::from(*greatest))
    }
}

/// The target of a grace whose case is about one event: its card, or the events without one.
pub fn target_of_event(card_id: Option<&str>) -> Target {
    Target(vec![(Path::Field(Field::CardId), card_id.map(|card| Value::Text(card.into())))])
}
