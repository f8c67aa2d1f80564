//! After an answer, the rules that asked stay quiet on the same target for a while: what was
//! answered does not fire again.

use crate::{
    event::{Event, Field, Path},
    window::spec::Reading,
};

use super::{
    life::{Target, Value},
    member::Stood,
};

/// The peace after one answer: a copy of the rules and values at that moment.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Grace {
    /// On which target.
    target: Target,
    /// Until the clock is here, in epoch ms.
    pub until_ms: i64,
    /// The rules that stay quiet.
    rules: Vec<Box<str>>,
    /// The greatest integer printed for each counter.
    greatest: Vec<(Box<str>, i64)>,
}

impl Grace {
    /// Out of the reasons of the decisions that were asked about.
    pub fn new<'r>(
        target: Target,
        until_ms: i64,
        reasons: impl Iterator<Item = &'r Stood>,
    ) -> Grace {
        let mut grace = Grace { target, until_ms, rules: Vec::new(), greatest: Vec::new() };
        for stood in reasons {
            if !stood.allows && !grace.rules.contains(&stood.rule) {
                grace.rules.push(stood.rule.clone());
            }
            for (name, value) in &stood.counters {
                let Reading::Int(value) = value else { continue };
                match grace.greatest.iter_mut().find(|(known, _)| known == name) {
                    Some((_, greatest)) => *greatest = (*greatest).max(*value),
                    None => grace.greatest.push((name.clone(), *value)),
                }
            }
        }
        grace
    }

    /// Does it keep a rule quiet at an event? `counters` are those that the rule names, with their
    /// values.
    pub fn quiets<'c>(
        &self,
        rule: &str,
        event: &Event<'_>,
        clock_ms: i64,
        mut counters: impl Iterator<Item = (&'c str, Reading)>,
    ) -> bool {
        clock_ms < self.until_ms
            && self.rules.iter().any(|quiet| **quiet == *rule)
            && self.is_of(event)
            && !counters.any(|(name, value)| self.is_exceeded(name, value))
    }

    fn is_of(&self, event: &Event<'_>) -> bool {
        self.target.0.iter().all(|(path, value)| Value::of(event, path) == *value)
    }

    /// Is an integer more than twice what was answered for?
    fn is_exceeded(&self, name: &str, value: Reading) -> bool {
        let Reading::Int(value) = value else { return false };
        let greatest = self.greatest.iter().find(|(known, _)| **known == *name);
        greatest.is_some_and(|(_, greatest)| i128::from(value) > 2 * i128::from(*greatest))
    }
}

/// The target of a grace whose case is about one event: its card, or the events without one.
pub fn target_of_event(card_id: Option<&str>) -> Target {
    Target(vec![(Path::Field(Field::CardId), card_id.map(|card| Value::Text(card.into())))])
}
