//! How an event stands to the counters of a group: which of them count it, and the row that says
//! so. Knows no key and nothing that is kept.

use crate::event::{Event, EventType, Field};

use super::{
    facts::{Facts, Found},
    plan::{GroupPlan, ListPlan, Plan, Predicate},
    rows::{self, Bit, Row},
};

/// How an event stands to a group.
#[derive(Debug)]
pub struct Mark {
    /// By list of the group: are all fields of its key there?
    pub full_key: Vec<bool>,
    /// Does any counter of the group count it?
    pub counts: bool,
    /// The row for all lists, if anything counts it.
    pub row: Vec<u64>,
}

impl Mark {
    /// For the events of a group.
    pub fn new(group: &GroupPlan) -> Mark {
        let full_key = vec![false; group.lists.len()];
        Mark { full_key, counts: false, row: vec![0; group.row.stride] }
    }

    /// Sees which counters of a group count an event, and begins its row.
    pub fn make(
        &mut self,
        group: &GroupPlan,
        plan: &Plan,
        event: &Event<'_>,
        facts: &Facts,
        filters: &[bool],
        unusable: &mut [u64],
    ) {
        self.counts = false;
        rows::start(&mut self.row, group.row.integers_at, event.time);
        for (full_key, list) in self.full_key.iter_mut().zip(&group.lists) {
            let plan = &plan.lists[*list];
            *full_key = match plan.key_at_once {
                Some(paths) => facts.has_values(paths),
                None => plan.key.iter().all(|path| facts.at(*path).found.is_value()),
            };
            let question = Question { plan, event, facts, filters, full_key: *full_key };
            let mut counts = false;
            if *full_key {
                let beforehand = &plan.by_type[event.event_type as usize];
                for place in &beforehand.asked {
                    counts |= question.ask(*place, &mut self.row, unusable);
                }
                for (path, place) in &beforehand.valued {
                    if facts.has_values(*path) {
                        Bit::nth(plan.first_bit + place).set(&mut self.row);
                        counts = true;
                    } else {
                        counts |= question.ask(*place, &mut self.row, unusable);
                    }
                }
                for (word, bits) in &beforehand.hold {
                    self.row[*word] |= bits;
                    counts = true;
                }
            } else {
                note_doubles_in_key(plan, event, facts, unusable);
                if !plan.groups_missing {
                    continue;
                }
                for place in 0..plan.predicates.len() {
                    counts |= question.ask(place, &mut self.row, unusable);
                }
            }
            if let Some(presence) = plan.presence.filter(|_| counts) {
                Bit::nth(plan.first_bit + presence).set(&mut self.row);
            }
            self.counts |= counts;
        }
        for (column, path) in group.integers.iter().enumerate() {
            self.row[group.row.integers_at + column] = facts.at(*path).integer as u64;
        }
    }

    /// Completes the row, now that the values have numbers. `place` is that of the event in the log.
    pub fn set_values(&mut self, group: &GroupPlan, facts: &Facts, place: u64) {
        for (path, half) in &group.values {
            half.set(&mut self.row, facts.at(*path).number);
        }
        if let Some(identity) = group.identity {
            identity.set(&mut self.row, place as u32);
        }
    }
}

/// What the predicates of a list are asked about.
struct Question<'q> {
    plan: &'q ListPlan,
    event: &'q Event<'q>,
    facts: &'q Facts,
    filters: &'q [bool],
    full_key: bool,
}

impl Question<'_> {
    /// Does a predicate hold? Then its bit is set.
    #[inline]
    fn ask(&self, place: usize, row: &mut Row, unusable: &mut [u64]) -> bool {
        let predicate = &self.plan.predicates[place];
        if !self.qualifies(predicate) {
            return false;
        }
        match predicate.field.map(|(path, apart)| (self.facts.at(path).found, apart)) {
            None | Some((Found::Integer, _) | (Found::Text, true)) => {
                Bit::nth(self.plan.first_bit + place).set(row);
                true
            }
            Some((Found::Nothing, _)) => false,
            Some((Found::Text | Found::Double, _)) => {
                self.plan.counters_of[place].iter().for_each(|counter| unusable[*counter] += 1);
                false
            }
        }
    }

    #[inline]
    fn qualifies(&self, predicate: &Predicate) -> bool {
        let Question { event, filters, full_key, .. } = self;
        predicate.types.contains(event.event_type)
            && (*full_key || !predicate.full_key)
            && predicate.filter.is_none_or(|filter| filters[filter])
            && predicate
                .currency
                .as_deref()
                .is_none_or(|currency| event.text(Field::Currency) == Some(currency))
    }
}

fn note_doubles_in_key(plan: &ListPlan, event: &Event<'_>, facts: &Facts, unusable: &mut [u64]) {
    if event.event_type == EventType::Tick
        || !plan.key.iter().any(|path| facts.at(*path).found == Found::Double)
    {
        return;
    }
    for (predicate, counters) in plan.predicates.iter().zip(&plan.counters_of) {
        if predicate.types.contains(event.event_type) {
            counters.iter().for_each(|counter| unusable[*counter] += 1);
        }
    }
}
