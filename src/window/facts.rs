//! What the counters of a ruleset read of an event: each path once, looked up once.

use crate::event::{Event, Path, Scalar};

use super::{
    Hasher,
    plan::{GroupPlan, Plan},
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

/// What an event has at a path.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// What stands there.
    pub found: Found,
    /// The number of the value among those of the owner at hand; [`ABSENT`] for what the owner's
    /// lists do not tell apart.
    pub number: u32,
    /// The integer that stands there.
    pub integer: i64,
}

/// An event as the counters see it, by path of the plan.
#[derive(Debug, Default)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// Room for the facts of a plan.
    pub fn new(plan: &Plan) -> Facts {
        Facts(vec![Fact { found: Found::Nothing, number: ABSENT, integer: 0 }; plan.paths.len()])
    }

    /// What the event has at a path.
    #[inline]
    pub fn at(&self, path: usize) -> &Fact {
        &self.0[path]
    }

    /// Looks at an event.
    pub fn look(&mut self, event: &Event<'_>, plan: &Plan) {
        for (fact, path) in self.0.iter_mut().zip(&plan.paths) {
            let (found, integer) = match value(event, path) {
                None => (Found::Nothing, 0),
                Some(Scalar::Double(_)) => (Found::Double, 0),
                Some(Scalar::Text(_)) => (Found::Text, 0),
                Some(Scalar::Int(value)) => (Found::Integer, value),
                Some(Scalar::Bool(flag)) => (Found::Integer, i64::from(flag)),
            };
            *fact = Fact { found, number: ABSENT, integer };
        }
    }

    /// Holds the values of an event that an owner's lists tell apart, and knows their numbers,
    /// until [`Facts::let_go`] or until a row holds them instead: forgetting old rows must not take
    /// them away.
    pub fn hold(
        &mut self,
        event: &Event<'_>,
        plan: &Plan,
        group: &GroupPlan,
        values: &mut Values,
        hasher: &Hasher,
    ) {
        for (path, _) in &group.values {
            self.0[*path].number = match value(event, &plan.paths[*path]) {
                None | Some(Scalar::Double(_)) => ABSENT,
                Some(Scalar::Text(text)) => values.hold(Kind::Text, text.as_bytes(), hasher),
                Some(Scalar::Int(value)) => values.hold(Kind::Int, &value.to_le_bytes(), hasher),
                Some(Scalar::Bool(flag)) => values.hold(Kind::Bool, &[u8::from(flag)], hasher),
            };
        }
    }

    /// Lets go of them: what nothing has come to refer to is forgotten.
    pub fn let_go(&mut self, group: &GroupPlan, values: &mut Values, hasher: &Hasher) {
        for (path, _) in &group.values {
            values.release(std::mem::replace(&mut self.0[*path].number, ABSENT), hasher);
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
        Path::Attribute(name) => attribute(event, name),
    }
}

/// Kept apart, so that looking at a field costs no call.
#[inline(never)]
fn attribute<'e>(event: &Event<'e>, name: &str) -> Option<Scalar<'e>> {
    event.attribute(name)
}
