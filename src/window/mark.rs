//! How an event stands to one list of counters: which of them count it, and the row that says so.
//! Knows no key and nothing that is kept.

use crate::event::{Event, EventType, Field};

use super::{
    facts::{Facts, Found},
    plan::{ListPlan, Predicate},
    rows::{self, Bit},
};

/// How an event stands to a list.
#[derive(Debug)]
pub struct Mark {
    /// Are all fields of its key there?
    pub full_key: bool,
    /// Does a counter of the list count it, and can a window reach it?
    pub counts: bool,
    /// The row, if anything counts it.
    pub row: Vec<u64>,
}

impl Mark {
    /// For the events of a list.
    pub fn new(plan: &ListPlan) -> Mark {
        Mark { full_key: false, counts: false, row: vec![0; plan.row.stride] }
    }

    /// Sees whether the counters of a list count an event, and begins its row.
    pub fn make(
        &mut self,
        plan: &ListPlan,
        counters_of: &[Vec<usize>],
        event: &Event<'_>,
        facts: &Facts,
        filters: &[bool],
        unusable: &mut [u64],
    ) {
        self.counts = false;
        self.full_key = plan.key.iter().all(|path| facts.at(*path).found.is_value());
        if !self.full_key {
            note_doubles_in_key(plan, counters_of, event, facts, unusable);
            if !plan.groups_missing {
                return;
            }
        }
        rows::start(&mut self.row, event.time);
        for (bit, predicate) in plan.predicates.iter().enumerate() {
            if !qualifies(predicate, event, filters, self.full_key) {
                continue;
            }
            let usable = match predicate.field.map(|(path, apart)| (facts.at(path).found, apart)) {
                None | Some((Found::Integer, _) | (Found::Text, true)) => true,
                Some((Found::Nothing, _)) => false,
                Some((Found::Text | Found::Double, _)) => {
                    counters_of[bit].iter().for_each(|counter| unusable[*counter] += 1);
                    false
                }
            };
            if usable {
                Bit::nth(bit).set(&mut self.row);
                self.counts = true;
            }
        }
        if self.counts {
            for (column, path) in plan.integers.iter().enumerate() {
                self.row[plan.row.integers_at + column] = facts.at(*path).integer as u64;
            }
        }
    }

    /// Completes the row, now that the values have numbers.
    pub fn set_values(&mut self, plan: &ListPlan, facts: &Facts) {
        for (column, path) in plan.values.iter().enumerate() {
            plan.row.value(column).set(&mut self.row, facts.at(*path).number);
        }
    }

    /// Has the event a key in the list?
    pub fn speaks(&self, plan: &ListPlan) -> bool {
        self.full_key || plan.groups_missing
    }
}

#[inline]
fn qualifies(predicate: &Predicate, event: &Event<'_>, filters: &[bool], full_key: bool) -> bool {
    predicate.types.contains(event.event_type)
        && (full_key || !predicate.full_key)
        && predicate.filter.is_none_or(|filter| filters[filter])
        && predicate
            .currency
            .as_deref()
            .is_none_or(|currency| event.text(Field::Currency) == Some(currency))
}

fn note_doubles_in_key(
    plan: &ListPlan,
    counters_of: &[Vec<usize>],
    event: &Event<'_>,
    facts: &Facts,
    unusable: &mut [u64],
) {
    if event.event_type == EventType::Tick
        || !plan.key.iter().any(|path| facts.at(*path).found == Found::Double)
    {
        return;
    }
    for (predicate, counters) in plan.predicates.iter().zip(counters_of) {
        if predicate.types.contains(event.event_type) {
            counters.iter().for_each(|counter| unusable[*counter] += 1);
        }
    }
}
