//! From a checked expression to native closures over slots.
//!
//! A closure exists for every part whose type is known, and gives its value as that type: nothing
//! is boxed, looked up by name or allocated while an ordinary rule is evaluated (an attribute is
//! searched among the few of its event). Only parts that are dynamic, or lists, go through
//! [`Value`]. The shapes of which most rules are made have closures of their own.

mod conditions;
mod values;

use std::borrow::Cow;

use super::schema::{Constant, Schema, Table};
use super::typed::Typed;
use super::value::{Miss, Value};
use super::{Facts, Truth};
use crate::event::{Event, Field};
use crate::window::spec::Reading;

/// What the closures read: the facts of an event, and what the program itself lends.
pub(super) struct Scope<'x> {
    event: &'x Event<'x>,
    counters: &'x [Option<Reading>],
    late: bool,
    pool: &'x Pool,
}

impl<'x> Scope<'x> {
    pub(super) fn new(facts: &Facts<'x>, pool: &'x Pool) -> Self {
        Scope { event: facts.event, counters: facts.counters, late: facts.late, pool }
    }

    #[inline]
    fn text(&self, field: Field) -> Result<&'x str, Miss> {
        self.event.text(field).ok_or(Miss::Absent)
    }

    #[inline]
    fn int(&self, field: Field) -> Result<i64, Miss> {
        self.event.int(field).ok_or(Miss::Absent)
    }

    #[inline]
    fn counter(&self, index: usize) -> Option<Reading> {
        self.counters.get(index).copied().flatten()
    }

    #[inline]
    fn int_counter(&self, index: usize) -> Result<i64, Miss> {
        match self.counter(index) {
            Some(Reading::Int(int)) => Ok(int),
            Some(Reading::Double(_)) => Err(Miss::Failed),
            None => Err(Miss::Absent),
        }
    }

    fn double_counter(&self, index: usize) -> Result<f64, Miss> {
        match self.counter(index) {
            Some(Reading::Double(double)) => Ok(double),
            Some(Reading::Int(_)) => Err(Miss::Failed),
            None => Err(Miss::Absent),
        }
    }
}

/// What the closures borrow from their program.
#[derive(Debug, Default)]
pub(super) struct Pool {
    constants: Vec<Constant>,
    tables: Vec<Table>,
}

pub(super) type Test = Box<dyn Fn(&Scope<'_>) -> Truth + Send + Sync>;
type Int = Box<dyn Fn(&Scope<'_>) -> Result<i64, Miss> + Send + Sync>;
type Double = Box<dyn Fn(&Scope<'_>) -> Result<f64, Miss> + Send + Sync>;
type Text = Box<dyn for<'x> Fn(&Scope<'x>) -> Result<Cow<'x, str>, Miss> + Send + Sync>;
type Any = Box<dyn for<'x> Fn(&Scope<'x>) -> Result<Value<'x>, Miss> + Send + Sync>;

fn text<F>(f: F) -> Text
where
    F: for<'x> Fn(&Scope<'x>) -> Result<Cow<'x, str>, Miss> + Send + Sync + 'static,
{
    Box::new(f)
}

fn any<F>(f: F) -> Any
where
    F: for<'x> Fn(&Scope<'x>) -> Result<Value<'x>, Miss> + Send + Sync + 'static,
{
    Box::new(f)
}

/// The truth of a value that there may be.
#[inline]
fn truth(value: Result<bool, Miss>) -> Truth {
    match value {
        Ok(true) => Truth::Holds,
        Ok(false) => Truth::HoldsNot,
        Err(Miss::Absent) => Truth::Absent,
        Err(Miss::Failed) => Truth::Failed,
    }
}

#[inline]
fn known(truth: Truth) -> Result<bool, Miss> {
    match truth {
        Truth::Holds => Ok(true),
        Truth::HoldsNot => Ok(false),
        Truth::Absent => Err(Miss::Absent),
        Truth::Failed => Err(Miss::Failed),
    }
}

/// Compiles a checked expression, of type bool or dynamic.
pub(super) fn compile(typed: &Typed, schema: &Schema) -> (Test, Pool) {
    let mut compiler = Compiler { schema, pool: Pool::default() };
    let test = compiler.test(typed);
    (test, compiler.pool)
}

struct Compiler<'s> {
    schema: &'s Schema,
    pool: Pool,
}

impl Compiler<'_> {
    fn constant(&mut self, constant: &Constant) -> usize {
        self.pool.constants.push(constant.clone());
        self.pool.constants.len() - 1
    }

    fn table(&mut self, index: usize) -> usize {
        self.pool.tables.push(self.schema.tables[index].clone());
        self.pool.tables.len() - 1
    }
}
