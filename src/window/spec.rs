//! What a counter counts: data only. How it is counted stands in `series`.
//!
//! A counter's value at event *e* is taken over the accepted events *f* of its types that its
//! filter holds for, that stand in the log at or before *e*, that have the same values as *e* in
//! all fields of the key, and whose time lies in the window of *e*.

use crate::event::{EventType, Path};

/// The value of a counter at an event.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Reading {
    /// Of `count`, `sum`, `max`, `min`, `distinct`; a sum beyond 64 bits reads as the largest.
    Int(i64),
    /// Of `mean`: the double nearest to the exact quotient.
    Double(f64),
}

/// A set of event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Types(u16);

impl Types {
    /// The set of these types.
    pub fn of(types: &[EventType]) -> Types {
        Types(types.iter().fold(0, |set, t| set | 1 << *t as u16))
    }

    /// These and those.
    pub fn with(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    /// Is it one of them?
    #[inline]
    pub fn contains(self, event_type: EventType) -> bool {
        self.0 & 1 << event_type as u16 != 0
    }

    /// Its members, in the order of their definition.
    pub fn members(self) -> impl Iterator<Item = EventType> {
        EventType::ALL.into_iter().filter(move |t| self.contains(*t))
    }
}

/// What is taken over the events of a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Measure {
    /// How many.
    Count,
    /// The sum of an integer.
    Sum(Path),
    /// Its mean.
    Mean(Path),
    /// Its greatest value.
    Max(Path),
    /// Its least value.
    Min(Path),
    /// How many values of a field there are.
    Distinct(Path),
}

impl Measure {
    /// Its key in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Measure::Count => "count",
            Measure::Sum(_) => "sum",
            Measure::Mean(_) => "mean",
            Measure::Max(_) => "max",
            Measure::Min(_) => "min",
            Measure::Distinct(_) => "distinct",
        }
    }

    /// The field that it reads.
    pub fn field(&self) -> Option<&Path> {
        match self {
            Measure::Count => None,
            Measure::Sum(path)
            | Measure::Mean(path)
            | Measure::Max(path)
            | Measure::Min(path)
            | Measure::Distinct(path) => Some(path),
        }
    }
}

/// Which times count for an event at time *t*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// `(t - delay - span, t - delay]`
    Sliding {
        /// Its length in ms.
        span_ms: i64,
        /// How long before the event it ends, in ms.
        delay_ms: i64,
    },
    /// From the first instant of the local date to *t*, both inclusive.
    Day,
    /// From the first instant of the local month to *t*, both inclusive.
    Month,
}

/// More than the longest local day and the longest local month, whatever the time zone does.
const DAY_REACH_MS: i64 = 3 * 86_400_000;
const MONTH_REACH_MS: i64 = 34 * 86_400_000;

impl Window {
    /// How far back from an event's time its window can begin, in ms.
    pub fn reach_ms(self) -> i64 {
        match self {
            Window::Sliding { span_ms, delay_ms } => span_ms.saturating_add(delay_ms),
            Window::Day => DAY_REACH_MS,
            Window::Month => MONTH_REACH_MS,
        }
    }

    /// Has it the same length at every time?
    pub fn is_fixed(self) -> bool {
        matches!(self, Window::Sliding { .. })
    }

    /// How long before the event it ends, in ms.
    pub fn delay_ms(self) -> i64 {
        match self {
            Window::Sliding { delay_ms, .. } => delay_ms,
            Window::Day | Window::Month => 0,
        }
    }
}

/// A counter as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its name in rules.
    pub name: String,
    /// The fields whose values an event must share: sorted, each once, the account's own field
    /// among them where one of the others belongs to an account.
    pub key: Vec<Path>,
    /// Is an absent key field a value of its own?
    pub group_missing: bool,
    /// Which events count.
    pub types: Types,
    /// What is measured.
    pub measure: Measure,
    /// Only events of this currency count.
    pub currency: Option<Box<str>>,
    /// Which times count.
    pub window: Window,
    /// Only events count that this filter of the ruleset holds for.
    pub filter: Option<usize>,
    /// Do authorizations count only while they stand?
    pub standing: bool,
    /// Does a rule reach back over what it counts?
    pub reached: bool,
}
