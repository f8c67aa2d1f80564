//! What the counters of a ruleset read of an event: each path once, looked up once.

use crate::event::{Event, Path, Scalar};

use super::{
    dictionary::{ABSENT, Dictionary, Kind},
    plan::Plan,
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

/// An event as the counters see it, by path of the plan.
#[derive(Debug, Default)]
pub struct Facts {
    /// What stands there.
    pub found: Vec<Found>,
    /// The integer that stands there.
    pub integers: Vec<i64>,
    /// The number of the value, of those paths whose values are told apart.
    pub numbers: Vec<u32>,
}

impl Facts {
    /// Looks at an event. Its values stand in the dictionary until
    /// [`Facts::let_go`].
    pub fn look(&mut self, event: &Event<'_>, plan: &Plan, dictionary: &mut Dictionary) {
        self.found.clear();
        self.integers.clear();
        self.numbers.clear();
        for (path, told_apart) in plan.paths.iter().zip(&plan.told_apart) {
            let (mut integer, mut number) = (0, ABSENT);
            let found = match value(event, path) {
                None => Found::Nothing,
                Some(Scalar::Double(_)) => Found::Double,
                Some(Scalar::Text(text)) => {
                    if *told_apart {
                        number = dictionary.number(Kind::Text, text.as_bytes());
                    }
                    Found::Text
                }
                Some(Scalar::Int(value)) => {
                    integer = value;
                    if *told_apart {
                        number = dictionary.number(Kind::Int, &value.to_le_bytes());
                    }
                    Found::Integer
                }
                Some(Scalar::Bool(flag)) => {
                    integer = i64::from(flag);
                    if *told_apart {
                        number = dictionary.number(Kind::Bool, &[u8::from(flag)]);
                    }
                    Found::Integer
                }
            };
            // Held while the event is counted: forgetting old rows must not take it away.
            dictionary.retain(number);
            self.found.push(found);
            self.integers.push(integer);
            self.numbers.push(number);
        }
    }

    /// The numbers that an event's values have already, by path; [`ABSENT`] for what has none.
    pub fn known(event: &Event<'_>, plan: &Plan, dictionary: &Dictionary, out: &mut Vec<u32>) {
        for (path, told_apart) in plan.paths.iter().zip(&plan.told_apart) {
            let number = match value(event, path).filter(|_| *told_apart) {
                Some(Scalar::Text(text)) => dictionary.known(Kind::Text, text.as_bytes()),
                Some(Scalar::Int(value)) => dictionary.known(Kind::Int, &value.to_le_bytes()),
                _ => None,
            };
            out.push(number.unwrap_or(ABSENT));
        }
    }

    /// Lets go of its values: what nothing else has come to refer to is forgotten.
    pub fn let_go(&self, dictionary: &mut Dictionary) {
        self.numbers.iter().for_each(|number| dictionary.release(*number));
    }
}

#[inline]
fn value<'e>(event: &Event<'e>, path: &Path) -> Option<Scalar<'e>> {
    match path {
        Path::Field(field) => match event.text(*field) {
            Some(text) => Some(Scalar::Text(text)),
            None => event.int(*field).map(Scalar::Int),
        },
        Path::Attribute(name) => event.attribute(name),
    }
}
