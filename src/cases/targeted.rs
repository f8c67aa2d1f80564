//! Things by their targets, found by an event: by its values at the fields of each shape that the
//! targets have. A ruleset knows few shapes; of targets there may be many.

use std::collections::BTreeMap;

use crate::event::{Event, Path};

use super::life::Target;

/// Things by their targets.
#[derive(Debug)]
pub struct Targeted<T> {
    things: BTreeMap<Target, T>,
    /// The lists of fields of the targets, and how many have each.
    shapes: Vec<(Vec<Path>, usize)>,
}

impl<T> Default for Targeted<T> {
    fn default() -> Self {
        Targeted { things: BTreeMap::new(), shapes: Vec::new() }
    }
}

impl<T> Targeted<T> {
    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// What is on a target.
    pub fn get(&self, target: &Target) -> Option<&T> {
        self.things.get(target)
    }

    /// What is on a target.
    pub fn get_mut(&mut self, target: &Target) -> Option<&mut T> {
        self.things.get_mut(target)
    }

    /// What is on the target of each shape that an event has.
    pub fn of(&self, event: &Event<'_>) -> impl Iterator<Item = &T> {
        self.shapes.iter().filter_map(|(fields, _)| self.things.get(&Target::of(event, fields)))
    }

    /// Puts something on a target, instead of what was there.
    pub fn insert(&mut self, target: &Target, thing: T) {
        if self.things.insert(target.clone(), thing).is_some() {
            return;
        }
        let fields = target.fields();
        match self.shapes.iter_mut().find(|(known, _)| known.iter().eq(fields.clone())) {
            Some((_, count)) => *count += 1,
            None => self.shapes.push((fields.cloned().collect(), 1)),
        }
    }

    /// Takes away what is on a target.
    pub fn remove(&mut self, target: &Target) {
        if self.things.remove(target).is_none() {
            return;
        }
        let shape = |(fields, _): &(Vec<Path>, usize)| fields.iter().eq(target.fields());
        if let Some(at) = self.shapes.iter().position(shape) {
            self.shapes[at].1 -= 1;
            if self.shapes[at].1 == 0 {
                self.shapes.swap_remove(at);
            }
        }
    }

    /// All of it, in the order of the targets.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.values()
    }
}
