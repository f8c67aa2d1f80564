//! The names that a rule may use: counters, look-up tables, lists; and their types.
//!
//! The event's own fields are not in it, they are the same in every configuration
//! ([`crate::event::Field`]). It knows nothing of how a counter counts.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// The name of a table's own default, which is no entry.
pub const DEFAULT_ENTRY: &str = "default";

/// The type of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A signed 64-bit integer.
    Int,
    /// An IEEE 754 double.
    Double,
    /// A boolean.
    Bool,
    /// Text.
    Text,
    /// Known for an event only: an attribute, an element of a mixed list.
    Dyn,
    /// A list of elements of a type.
    List(Box<Type>),
}

impl Type {
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Int => "an integer",
            Type::Double => "a double",
            Type::Bool => "a bool",
            Type::Text => "text",
            Type::Dyn => "a dynamic value",
            Type::List(_) => "a list",
        })
    }
}

/// A value that a configuration gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// Text.
    Text(String),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// A boolean.
    Bool(bool),
}

impl Constant {
    /// Its type.
    pub fn value_type(&self) -> Type {
        match self {
            Constant::Text(_) => Type::Text,
            Constant::Int(_) => Type::Int,
            Constant::Double(_) => Type::Double,
            Constant::Bool(_) => Type::Bool,
        }
    }
}

/// Where an expression stands, which decides the names that it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `when` of a rule.
    Rule,
    /// `where` of a counter: it knows neither counters nor `late`.
    Filter,
}

/// The names that an expression may use besides the fields of the event.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Counters: name and type ([`Type::Int`], or [`Type::Double`] of a mean), by their index.
    pub counters: Vec<(String, Type)>,
    /// Look-up tables.
    pub tables: Vec<Table>,
    /// Lists.
    pub lists: Vec<List>,
}

/// A look-up table: text to values of one type. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The value of every key that has no entry.
    pub default: Constant,
    /// The values by key, none of them under the name [`DEFAULT_ENTRY`].
    pub entries: Arc<HashMap<String, Constant, RandomState>>,
    /// The type of every value.
    pub value_type: Type,
}

impl Table {
    /// A table of these entries. All values must be of the default's type; an entry named
    /// [`DEFAULT_ENTRY`] is left out.
    pub fn new(
        name: impl Into<String>,
        default: Constant,
        entries: impl IntoIterator<Item = (String, Constant)>,
    ) -> Self {
        let value_type = default.value_type();
        let entries: HashMap<_, _, _> =
            entries.into_iter().filter(|(key, _)| key != DEFAULT_ENTRY).collect();
        debug_assert!(entries.values().all(|v| v.value_type() == value_type));
        Table { name: name.into(), default, entries: Arc::new(entries), value_type }
    }

    /// The value of a key, or the default.
    #[inline]
    pub fn get(&self, key: &str) -> &Constant {
        self.entries.get(key).unwrap_or(&self.default)
    }
}

/// A list of text and integers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct List {
    /// Its name.
    pub name: String,
    /// Its items, in the order given.
    pub items: Arc<[Constant]>,
    members: Arc<Members>,
}

impl List {
    /// A list of these items.
    pub fn new(name: impl Into<String>, items: impl IntoIterator<Item = Constant>) -> Self {
        let items: Arc<[Constant]> = items.into_iter().collect();
        let members = Arc::new(Members::of(&items));
        List { name: name.into(), items, members }
    }

    /// The type of its elements; [`Type::Dyn`] if they are mixed, or there are none.
    pub fn element_type(&self) -> Type {
        let mut types = self.items.iter().map(Constant::value_type);
        match types.next() {
            Some(first) if types.all(|t| t == first) => first,
            _ => Type::Dyn,
        }
    }

    pub(super) fn members(&self) -> Arc<Members> {
        Arc::clone(&self.members)
    }
}

/// The most texts that are compared one by one rather than hashed.
const FEW: usize = 8;

/// The items of a list, for the question whether a value is among them.
#[derive(Debug, Default)]
pub(super) struct Members {
    few_texts: Vec<Box<str>>,
    texts: HashSet<Box<str>, RandomState>,
    integers: HashSet<i64, RandomState>,
    doubles: Vec<f64>,
    bools: [bool; 2],
}

impl Members {
    pub(super) fn of(items: &[Constant]) -> Self {
        let mut members = Members::default();
        for item in items {
            match item {
                Constant::Text(text) => {
                    members.texts.insert(text.as_str().into());
                }
                Constant::Int(int) => {
                    members.integers.insert(*int);
                }
                Constant::Double(double) => members.doubles.push(*double),
                Constant::Bool(bool) => members.bools[usize::from(*bool)] = true,
            }
        }
        if members.texts.len() <= FEW {
            members.few_texts = members.texts.drain().collect();
        }
        members
    }

    #[inline]
    pub(super) fn has_text(&self, text: &str) -> bool {
        self.few_texts.iter().any(|t| **t == *text)
            || (!self.texts.is_empty() && self.texts.contains(text))
    }

    pub(super) fn has_int(&self, int: i64) -> bool {
        self.integers.contains(&int)
            || self
                .doubles
                .iter()
                .any(|d| super::value::compare_int_double(int, *d).is_some_and(|o| o.is_eq()))
    }

    pub(super) fn has_double(&self, double: f64) -> bool {
        self.doubles.contains(&double)
            || super::value::exact_int(double).is_some_and(|int| self.integers.contains(&int))
    }

    pub(super) fn has_bool(&self, bool: bool) -> bool {
        self.bools[usize::from(bool)]
    }
}
