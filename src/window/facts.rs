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
pub struct Facts {
    facts: Vec<Fact>,
    /// A bit for each of the first paths where a value stands that can be told apart.
    values: u64,
}

/// Paths that are all among those that have a bit in [`Facts`]: to ask for them all at once is no
/// branch for each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Paths(u64);

impl Paths {
    /// These; `None` if one of them has no bit.
    pub fn of(paths: &[usize]) -> Option<Paths> {
        let bit = |path: &usize| 1_u64.checked_shl(u32::try_from(*path).ok()?);
        let bits: Option<Vec<u64>> = paths.iter().map(bit).collect();
        Some(Paths(bits?.into_iter().fold(0, |all, bit| all | bit)))
    }
}

impl Facts {
    /// Room for the facts of a plan.
    pub fn new(plan: &Plan) -> Facts {
        let nothing = Fact { found: Found::Nothing, number: ABSENT, integer: 0 };
        Facts { facts: vec![nothing; plan.paths.len()], values: 0 }
    }

    /// What the event has at a path.
    #[inline]
    pub fn at(&self, path: usize) -> &Fact {
        &self.facts[path]
    }

    /// Do values stand at all these paths that can be told apart?
    #[inline]
    pub fn has_values(&self, Paths(bits): Paths) -> bool {
        self.values & bits == bits
    }

    /// Looks at an event.
    pub fn look(&mut self, event: &Event<'_>, plan: &Plan) {
        let (mut values, mut bit) = (0, 1_u64);
        for (fact, path) in self.facts.iter_mut().zip(&plan.paths) {
            let (found, integer) = match path {
                Path::Field(field) if event.text(*field).is_some() => (Found::Text, 0),
                Path::Field(field) => match event.int(*field) {
                    Some(value) => (Found::Integer, value),
                    None => (Found::Nothing, 0),
                },
                Path::Attribute(name) => match attribute(event, name) {
                    None => (Found::Nothing, 0),
                    Some(Scalar::Double(_)) => (Found::Double, 0),
                    Some(Scalar::Text(_)) => (Found::Text, 0),
                    Some(Scalar::Int(value)) => (Found::Integer, value),
                    Some(Scalar::Bool(flag)) => (Found::Integer, i64::from(flag)),
                },
            };
            values |= if found.is_value() { bit } else { 0 };
            bit <<= 1;
            *fact = Fact { found, number: ABSENT, integer };
        }
        self.values = values;
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
            self.facts[*path].number = match value(event, &plan.paths[*path]) {
                Some(Scalar::Text(text)) => values.hold(Kind::Text, text.as_bytes(), hasher),
                None | Some(Scalar::Double(_)) => ABSENT,
                Some(Scalar::Int(value)) => values.hold(Kind::Int, &value.to_le_bytes(), hasher),
                Some(Scalar::Bool(flag)) => values.hold(Kind::Bool, &[u8::from(flag)], hasher),
            };
        }
    }

    /// Lets go of them: what nothing has come to refer to is forgotten.
    pub fn let_go(&mut self, group: &GroupPlan, values: &mut Values, hasher: &Hasher) {
        for (path, _) in &group.values {
            values.release(std::mem::replace(&mut self.facts[*path].number, ABSENT), hasher);
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
