//! Unit tests of a ruleset: a case is a log in short and what is expected of it; it is run, and
//! what differs is told.
//!
//! A case speaks of what goes out, by the names that it has there: decisions are compared as the
//! JSON that is written of them, so that a case holds whatever the engine is inside. It is not a
//! recording: only what a case names is compared.

mod compare;
mod fill;
mod outcome;
mod read;
mod report;
mod steps;
mod times;
mod wants;

use serde_json::{Map, Value};

use crate::config::{Problems, Settings};

pub use report::Report;

/// A log, and what is expected of it.
#[derive(Debug)]
pub struct Case {
    name: String,
    about: String,
    events: Vec<Planned>,
    expectations: Vec<Expectation>,
}

/// An event of a case.
#[derive(Debug)]
struct Planned {
    event_id: String,
    time_ms: i64,
    /// Its line of the log.
    json: Value,
    /// Where the case says it, from 1.
    line: usize,
}

/// What is expected, by field; what is not named is not compared.
#[derive(Debug)]
struct Expectation {
    of: Subject,
    wants: Map<String, Value>,
    /// Where the case says it, from 1.
    line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    /// The event with this place in the log.
    Event(usize),
    /// The case of this id, with the last of its records.
    Case(String),
}

impl Case {
    /// Reads a case; `name` is what messages call the file. Names of rules and counters, and times,
    /// are those of the configuration.
    ///
    /// # Errors
    /// All problems at once.
    pub fn read(name: &str, text: String, settings: &Settings) -> Result<Case, Problems> {
        read::read(name, text, settings)
    }

    /// Runs it.
    pub fn run(&self, settings: &Settings) -> Report<'_> {
        Report::new(self, outcome::of(self, settings), settings)
    }
}
