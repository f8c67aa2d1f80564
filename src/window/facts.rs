//! What the counters of a ruleset read of an event: each path once, looked up once.

use crate::event::{Event, Path, Scalar};

use super::{
    Hasher,
    plan::Plan,
    values::{ABSENT, Kind, Values},
};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// An integer, or a boolean as 0 or 1.
    Integer,
    /// Text.
    Text,
    /// A double, which is neither.
    Double,
}

impl Found {
    /// Can it be told apart from others, in a key or a distinct count?
    #[inline]
    pub fn is_value(self) -> bool {
        matches!(self, Found::Integer | Found::Text)
    }
}

/// An event as the counters see it, by path of the plan.
#[derive(Debug, Default)]
pub struct Facts {
    /// What stands there.
    pub found: Vec<Found>,
    /// The integer that stands there.
    pub integers: Vec<i64>,
    /// The number of the value among those of the owner at hand; [`ABSENT`] for what the owner's
    /// lists do not tell apart.
    pub numbers: Vec<u32>,
}

impl Facts {
    /// Looks at an event.
    pub fn look(&mut self, event: &Event<'_>, plan: &Plan) {
        self.found.clear();
        self.integers.clear();
        for path in &plan.paths {
            let (found, integer) = match value(event, path) {
                None => (Found::Nothing, 0),
                Some(Scalar::Double(_)) => (Found::Double, 0),
                Some(Scalar::Text(_)) => (Found::Text, 0),
                Some(Scalar::Int(value)) => (Found::Integer, value),
                Some(Scalar::Bool(flag)) => (Found::Integer, i64::from(flag)),
            };
            self.found.push(found);
            self.integers.push(integer);
        }
        self.numbers.clear();
        self.numbers.resize(plan.paths.len(), ABSENT);
    }

    /// Holds the values of an event that an owner's lists tell apart, and knows their numbers,
    /// until [`Facts::let_go`]: forgetting old rows must not take them away.
    pub fn hold(
        &mut self,
        event: &Event<'_>,
        plan: &Plan,
        told_apart: &[usize],
        values: &mut Values,
        hasher: &Hasher,
    ) {
        for path in told_apart {
            self.numbers[*path] = match value(event, &plan.paths[*path]) {
                None | Some(Scalar::Double(_)) => ABSENT,
                Some(Scalar::Text(text)) => values.hold(Kind::Text, text.as_bytes(), hasher),
                Some(Scalar::Int(value)) => values.hold(Kind::Int, &value.to_le_bytes(), hasher),
                Some(Scalar::Bool(flag)) => values.hold(Kind::Bool, &[u8::from(flag)], hasher),
            };
        }
    }

    /// Lets go of them: what nothing has come to refer to is forgotten.
    pub fn let_go(&mut self, told_apart: &[usize], values: &mut Values, hasher: &Hasher) {
        for path in told_apart {
            values.release(std::mem::replace(&mut self.numbers[*path], ABSENT), hasher);
        }
    }
}

/// What stands at a path of an event.
#[inline]
pub fn value<'e>(event: &Event<'e>, path: &Path) -> Option<Scalar<'e>> {
    match path {
        Path::Field(field) => match event.text(*field) {
            Some(text) => Some(Scalar::Text(text)),
            None => event.int(*field).map(Scalar::Int),
        },
        Path::Attribute(name) => event.attribute(name),
    }
}
