//! The story of one account, out of the logs: what happened, what was decided of it and why, who
//! was called and what was answered, and what every instrument paid, got back and is still out.
//!
//! It is built over what Holdfast writes for everybody, the public JSON of decisions, follow-ups
//! and case records, over the account's own lines and the ruleset; it knows nothing of what the
//! engine keeps. An [`Incident`] is plain data, and the JSON form is nothing but it. [`mod@text`] and
//! [`html`] say the same to people.

mod burst;
mod cases;
mod collect;
mod fired;
mod heard;
pub mod html;
mod ledger;
mod money;
mod period;
mod printable;
mod tables;
pub mod text;
mod words;

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{config::Settings, event::Field, window::spec::Measure};

pub use burst::Spared;
pub use cases::{CaseStory, Change};
pub use collect::Collector;
pub use fired::{Firing, RuleStory};
pub use ledger::{Payment, Row, Standing};
pub use period::Period;

/// The name and version of the JSON form.
pub const SCHEMA: &str = "holdfast.incident/1";

/// The story of one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// [`SCHEMA`]
    pub schema: String,
    /// Whose story it is.
    pub account_id: String,
    /// The time zone of all local times.
    pub timezone: String,
    /// The identity of the ruleset that decided.
    pub ruleset: String,
    /// The stretch of time that was asked for, if it was.
    #[serde(default, skip_serializing_if = "Period::is_open")]
    pub period: Period,
    /// By tender, card and currency.
    pub instruments: Vec<Row>,
    /// By tender and currency.
    pub tenders: Vec<Row>,
    /// Every authorization, and what became of it.
    pub payments: Vec<Payment>,
    /// Reversals of authorizations that are not in the log.
    pub unmatched_reversals: Vec<String>,
    /// What was left alone although something around it was not.
    pub spared: Vec<Spared>,
    /// The cases, as they were opened.
    pub cases: Vec<CaseStory>,
    /// The rules that held, as they first did.
    pub rules: Vec<RuleStory>,
    /// What the values of counters are, where they are no plain numbers: `time` (epoch ms), or the
    /// currency that they are minor units of.
    pub units: BTreeMap<String, String>,
    /// What happened, by time.
    pub timeline: Vec<Entry>,
}

/// Something that happened, and what it caused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in epoch ms; none of a refused line that does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// The same in the time zone of the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_time: Option<String>,
    /// The type of the event; `expiry` where a deadline came; `unreadable` of a refused line whose
    /// type is not known.
    pub kind: String,
    /// What became of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<String>,
    /// `false` of an answer that no case which it speaks of takes from its source (`answer_by`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<bool>,
    /// Where its record stood: the offset, or the number of the line from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// The event, as far as its fields are known to Holdfast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
    /// Why the line was refused: `reason`, `field`, `detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Value>,
    /// What was decided of it (`holdfast.decision/1`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Value>,
    /// What became of earlier authorizations (`holdfast.decision/1`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_ups: Vec<Value>,
    /// The cases that it changed (`holdfast.case/1`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub case_records: Vec<Value>,
}

impl Entry {
    /// A field of its event that is text.
    pub fn text(&self, field: Field) -> Option<&str> {
        text(self.event.as_ref()?, field.name())
    }

    /// Did the engine accept its event, and not as a repeat?
    pub fn is_accepted(&self) -> bool {
        !matches!(self.fate.as_deref(), Some("duplicate" | "dead_letter"))
    }
}

impl Incident {
    /// The story that these entries tell, which stand in the order of the log.
    pub fn of(settings: &Settings, account: &str, period: Period, mut log: Vec<Entry>) -> Incident {
        let zone = &settings.ruleset.timezone;
        heard::mark(&mut log, settings);
        let (mut payments, mut unmatched) = ledger::payments(&log, zone);
        payments.retain(|payment| period.contains(payment.time));
        let mut timeline = period::within(log, &payments, period);
        let shown = |id: &String| timeline.iter().any(|e| e.text(Field::EventId) == Some(id));
        unmatched.retain(shown);
        // Within one time, as in the log. A line without a time stays behind the one before it.
        let mut last = i64::MIN;
        let mut keyed: Vec<(i64, Entry)> = Vec::new();
        for entry in timeline.drain(..) {
            last = entry.time.unwrap_or(last);
            keyed.push((last, entry));
        }
        keyed.sort_by_key(|(time, _)| *time);
        let timeline: Vec<Entry> = keyed.into_iter().map(|(_, entry)| entry).collect();
        let incident = Incident {
            schema: SCHEMA.to_owned(),
            account_id: account.to_owned(),
            timezone: zone.iana_name().unwrap_or("UTC").to_owned(),
            ruleset: settings.ruleset.identity.to_string(),
            period,
            instruments: ledger::rows(&payments, true),
            tenders: ledger::rows(&payments, false),
            unmatched_reversals: unmatched,
            spared: burst::spared(&payments, &timeline),
            cases: cases::stories(&timeline, zone),
            rules: fired::stories(&timeline),
            units: units(settings),
            payments,
            timeline,
        };
        printable::masked(&incident)
    }

    /// It as one JSON object over several lines.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a story is plain data") + "\n"
    }

    /// Did nothing happen that could be told?
    pub fn is_empty(&self) -> bool {
        self.timeline.is_empty()
    }
}

/// Which counters are times, and which are money.
fn units(settings: &Settings) -> BTreeMap<String, String> {
    let unit = |measure: &Measure, currency: &Option<Box<str>>| match measure {
        Measure::Min(path) | Measure::Max(path) if path.to_string() == "event_time" => {
            Some("time".to_owned())
        }
        Measure::Sum(_) | Measure::Mean(_) | Measure::Max(_) | Measure::Min(_) => {
            currency.as_ref().map(ToString::to_string)
        }
        _ => None,
    };
    let counters = settings.ruleset.counters.iter();
    counters.filter_map(|c| Some((c.name.clone(), unit(&c.measure, &c.currency)?))).collect()
}

/// A time as RFC 3339 says it in this zone.
fn local(time_ms: i64, zone: &TimeZone) -> String {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
    time.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()
}

/// A member that is text.
fn text<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.get(name).and_then(Value::as_str)
}

/// A member that is an integer.
fn integer(object: &Value, name: &str) -> Option<i64> {
    object.get(name).and_then(Value::as_i64)
}

/// The members of an array; none of what is no array.
fn list<'v>(object: &'v Value, name: &str) -> &'v [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The members of an array that are text.
fn texts<'v>(object: &'v Value, name: &str) -> impl Iterator<Item = &'v str> {
    list(object, name).iter().filter_map(Value::as_str)
}
