//! What a name in an expression means, and what to say of one that means nothing.

use super::error::{did_you_mean, nearest};
use super::schema::{Place, Schema};
use super::typed::{Function, TextTest};
use crate::event::Field;

/// What a name means: a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    Field(Field),
    Late,
    Counter(usize),
    Attribute(Box<str>),
    Table(usize),
    List(usize),
}

/// Why a name means nothing: a message, and a hint.
pub(super) type Unknown = (String, Option<String>);

/// The names of a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) schema: &'a Schema,
    pub(super) place: Place,
}

/// Names that only stand before a dot, with the way to write them.
const BASES: [(&str, &str); 5] = [
    ("event", "event.FIELD"),
    ("counter", "counter.NAME"),
    ("attributes", "attributes.NAME"),
    ("table", "table.NAME[FIELD]"),
    ("list", "x in list.NAME"),
];

/// The field of this name, if it holds one value.
fn field(name: &str) -> Option<Field> {
    Field::named(name.as_bytes()).filter(|f| f.is_text() || f.is_integer())
}

fn field_names<'a>() -> impl Iterator<Item = &'a str> {
    Field::ALL.iter().filter(|f| f.is_text() || f.is_integer()).map(|f| f.name())
}

impl<'a> Names<'a> {
    fn counter(&self, name: &str) -> Option<usize> {
        self.schema.counters.iter().position(|(n, _)| n == name)
    }

    /// The counters that may be named here.
    fn counter_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let known: &'a [_] = if self.place == Place::Rule { &self.schema.counters } else { &[] };
        known.iter().map(|(name, _)| name.as_str())
    }

    fn table_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.schema.tables.iter().map(|table| table.name.as_str())
    }

    fn list_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.schema.lists.iter().map(|list| list.name.as_str())
    }

    /// A name by itself.
    pub(super) fn bare(&self, name: &str) -> Result<Named, Unknown> {
        if let Some(field) = field(name) {
            return Ok(Named::Field(field));
        }
        match (name, self.place) {
            ("late", Place::Rule) => return Ok(Named::Late),
            ("late", Place::Filter) => {
                return Err(("`late` is unknown here: a filter knows no `late`".to_owned(), None));
            }
            _ => {}
        }
        if let Some(index) = self.counter(name) {
            return self.counter_here(name, index);
        }
        if let Some((_, form)) = BASES.iter().find(|(base, _)| *base == name) {
            return Err((
                format!("`{name}` is no value by itself"),
                Some(format!("write `{form}`")),
            ));
        }
        if Field::named(name.as_bytes()).is_some() {
            return Err((format!("`{name}` holds many values and cannot be read by a rule"), None));
        }
        Err((format!("there is no field or counter `{name}`"), self.bare_hint(name)))
    }

    fn counter_here(&self, name: &str, index: usize) -> Result<Named, Unknown> {
        match self.place {
            Place::Rule => Ok(Named::Counter(index)),
            Place::Filter => {
                let message = format!("`{name}` is a counter, and a filter knows no counters");
                Err((message, Some("a filter reads the event, tables and lists".to_owned())))
            }
        }
    }

    fn bare_hint(&self, name: &str) -> Option<String> {
        if let Some(dotless) = name.strip_prefix('.') {
            return Some(format!("write `{dotless}`"));
        }
        if self.table_names().any(|table| table == name) {
            return Some(format!("the table is read as `table.{name}[FIELD]`"));
        }
        if self.list_names().any(|list| list == name) {
            return Some(format!("the list is asked as `x in list.{name}`"));
        }
        let late = (self.place == Place::Rule).then_some("late");
        let known = field_names().chain(self.counter_names()).chain(late).chain(["true", "false"]);
        did_you_mean(name, known.chain(BASES.iter().map(|(base, _)| *base)))
    }

    /// A name after a dot.
    pub(super) fn member(&self, base: &str, name: &str) -> Result<Named, Unknown> {
        match base {
            "attributes" => Ok(Named::Attribute(name.into())),
            "event" => field(name).map(Named::Field).ok_or_else(|| {
                if Field::named(name.as_bytes()).is_some() {
                    return (
                        format!("`event.{name}` holds many values and cannot be read by a rule"),
                        None,
                    );
                }
                let hint = if self.counter(name).is_some() && self.place == Place::Rule {
                    Some(format!("the counter is `counter.{name}`"))
                } else {
                    did_you_mean(name, field_names())
                };
                (format!("there is no field `{name}`"), hint)
            }),
            "counter" => match self.counter(name) {
                Some(index) => self.counter_here(name, index),
                None if self.place == Place::Filter => {
                    Err((format!("`counter.{name}`: a filter knows no counters"), None))
                }
                None => {
                    let hint = match field(name) {
                        Some(_) => Some(format!("the field is `event.{name}`")),
                        None => did_you_mean(name, self.counter_names()),
                    };
                    Err((format!("there is no counter `{name}`"), hint))
                }
            },
            "table" => match self.schema.tables.iter().position(|table| table.name == name) {
                Some(index) => Ok(Named::Table(index)),
                None => Err((
                    format!("there is no table `{name}`"),
                    did_you_mean(name, self.table_names()),
                )),
            },
            "list" => match self.schema.lists.iter().position(|list| list.name == name) {
                Some(index) => Ok(Named::List(index)),
                None => Err((
                    format!("there is no list `{name}`"),
                    did_you_mean(name, self.list_names()),
                )),
            },
            _ => match self.bare(base) {
                Ok(_) => Err((format!("`{base}` has no part `{name}`"), None)),
                Err(unknown) => Err(unknown),
            },
        }
    }

    /// What to say of a function that rules do not have.
    pub(super) fn function(&self, name: &str) -> Unknown {
        let message = format!("there is no function `{name}`");
        let hint = match name {
            "has" => "write has(event.FIELD), has(counter.NAME) or has(attributes.NAME)".to_owned(),
            "not" => "write `!(…)`".to_owned(),
            "all" | "exists" | "exists_one" | "existsOne" | "map" | "filter" => {
                "rules have no macros over lists; ask `x in [..]`".to_owned()
            }
            _ => {
                let known = || {
                    let conversions = Function::NAMES.iter().map(|(name, _)| *name);
                    conversions
                        .chain(TextTest::NAMES.iter().map(|(name, _)| *name))
                        .chain(["matches"])
                };
                match nearest(name, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {} and has", known().collect::<Vec<_>>().join(", ")),
                }
            }
        };
        (message, Some(hint))
    }
}
