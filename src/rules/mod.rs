//! Rules: expressions in CEL, checked when they are read and compiled to native closures.
//!
//! [`compile()`] takes a text, and a [`Schema`] of the names that it may use, to a [`Program`] or to
//! all that is wrong with it; [`Program::holds`] asks the program about one event. On the way the
//! text is scanned and parsed, names become slots and types are checked, and the checked tree
//! becomes closures.
//!
//! It is not an interpreter, and not all of CEL: rules have no macros but `has`, no maps, messages,
//! bytes, unsigned integers or null. It does not act on what holds, it reads no counter (the
//! [`Facts`] bring their readings), and it has no clock: equal facts, equal answers.
//!
//! What cannot be read has no value. `&&` and `||` absorb that where the other side decides;
//! everything else hands it on, and a failure wins over an absence. The one exception is the key
//! of a table: if it is absent, the table's default is the value.

mod check;
mod compile;
mod error;
mod names;
mod parse;
mod scan;
mod schema;
mod syntax;
#[cfg(test)]
mod tests;
mod typed;
mod value;

use std::fmt;

pub use error::Issue;
pub use parse::DEPTH_MAX;
pub use scan::{BRACKETS_MAX, SIGNS_MAX, TEXT_BYTES_MAX};
pub use schema::{Constant, DEFAULT_ENTRY, List, Place, Schema, Table, Type};

use crate::event::Event;
use crate::window::spec::Reading;

/// What a program is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The event.
    pub event: &'a Event<'a>,
    /// The counters at the event, by their index in the schema; `None` has no value.
    pub counters: &'a [Option<Reading>],
    /// Did the event come late?
    pub late: bool,
}

/// The answer of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It is true.
    Holds,
    /// It is false.
    HoldsNot,
    /// It has no value, because something absent was read: it does not hold.
    Absent,
    /// It has no value for another reason (an overflow, a division by zero, no such operation): it
    /// does not hold, and the failure is worth counting.
    Failed,
}

/// A compiled expression.
pub struct Program {
    test: compile::Test,
    pool: compile::Pool,
    counters: Box<[usize]>,
    canonical: Box<str>,
}

impl Program {
    /// Does it hold for these facts?
    #[inline]
    pub fn holds(&self, facts: &Facts<'_>) -> Truth {
        (self.test)(&compile::Scope::new(facts, &self.pool))
    }

    /// The counters that it names, in `has()` too, in the order of their first appearance.
    pub fn counters(&self) -> &[usize] {
        &self.counters
    }

    /// Its canonical text: the same for texts that differ in spacing, comments, quotes or
    /// parentheses that change nothing. Of tables and lists it holds the names only.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.canonical).finish()
    }
}

/// Parses, checks and compiles an expression.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the text; an error of syntax alone, because
/// nothing can be said of what could not be parsed.
pub fn compile(text: &str, schema: &Schema, place: Place) -> Result<Program, Vec<Issue>> {
    let syntax = parse::parse(text)?;
    let checked = check::check(text, &syntax, schema, place).map_err(|mut issues| {
        issues.sort_by_key(|issue| issue.span.start);
        issues
    })?;
    let (test, pool) = compile::compile(&checked.typed, schema);
    Ok(Program {
        test,
        pool,
        counters: checked.counters.into(),
        canonical: typed::canonical(&checked.typed, schema).into(),
    })
}
