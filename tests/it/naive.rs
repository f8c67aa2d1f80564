//! The meaning of a counter by its definition: a filter over all events so far, evaluated anew for
//! every event. No window slides here, nothing is shared and nothing is forgotten.
//!
//! It shares no code with the engine, the look-up of time zone offsets apart: what it knows of an
//! event it is told by the test, not by the decoder.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// A value as an event carries it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
}

/// An event: its fields by name, attributes as `attributes.NAME`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) event_type: &'static str,
    pub(crate) time: i64,
    pub(crate) fields: BTreeMap<String, Value>,
}

impl Told {
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        match path {
            "type" => Some(Value::Text(self.event_type.into())),
            "event_time" => Some(Value::Int(self.time)),
            "tender" => Some(self.fields.get(path).cloned().unwrap_or(Value::Text("card".into()))),
            _ => self.fields.get(path).cloned(),
        }
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn int(&self, path: &str) -> Option<i64> {
        match self.get(path)? {
            Value::Int(int) => Some(int),
            _ => None,
        }
    }
}

/// Which times count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Window {
    Sliding { span: i64, delay: i64 },
    Day,
    Month,
}

/// A filter, and what it comes to for an event; `None` if it has no value.
#[derive(Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) text: &'static str,
    pub(crate) value: fn(&Told) -> Option<bool>,
}

/// A counter.
#[derive(Clone)]
pub(crate) struct Counter {
    pub(crate) name: String,
    /// As it was written.
    pub(crate) key: Vec<&'static str>,
    pub(crate) groups_missing: bool,
    pub(crate) types: Vec<&'static str>,
    pub(crate) measure: &'static str,
    pub(crate) field: &'static str,
    pub(crate) currency: Option<&'static str>,
    pub(crate) window: Window,
    pub(crate) filter: Option<Filter>,
}

/// What a configuration says.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) zone: TimeZone,
    pub(crate) lateness: i64,
    pub(crate) horizon: i64,
    pub(crate) events_per_key: usize,
    pub(crate) account_fields: Vec<&'static str>,
    pub(crate) counters: Vec<Counter>,
}

/// What a counter reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Double(f64),
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Decided { state: &'static str, readings: Vec<Option<Number>> },
    Counted,
    Ignored,
    Duplicate,
    TooOld,
}

/// An accepted event, with what it means to each counter.
struct Accepted {
    account: String,
    id: String,
    time: i64,
    clock_after: i64,
    /// By counter: the values of its key (a number for each list of values), and the value that it
    /// adds if it counts.
    means: Vec<(u32, Option<Value>)>,
}

/// All events so far.
pub(crate) struct Model {
    rules: Rules,
    clock: Option<i64>,
    accepted: Vec<Accepted>,
    keys: HashMap<String, u32>,
    midnights: HashMap<Date, i64>,
}

impl Model {
    pub(crate) fn new(rules: Rules) -> Model {
        let (keys, midnights) = (HashMap::new(), HashMap::new());
        Model { rules, clock: None, accepted: Vec::new(), keys, midnights }
    }

    pub(crate) fn process(&mut self, event: &Told) -> Outcome {
        if event.event_type == "tick" {
            return Outcome::Counted;
        }
        let (account, id) =
            (event.text("account_id").expect("an account"), event.text("event_id").expect("an id"));
        let before = self.clock;
        let repeats = |f: &Accepted| {
            f.account == account
                && f.id == id
                && before.is_some_and(|clock| clock - f.clock_after <= self.rules.horizon)
        };
        if self.accepted.iter().any(repeats) {
            return Outcome::Duplicate;
        }
        if before.is_some_and(|clock| clock - event.time > self.rules.horizon) {
            return Outcome::TooOld;
        }
        let late = before.is_some_and(|clock| clock - event.time > self.rules.lateness);
        let clock_after = before.map_or(event.time, |clock| clock.max(event.time));
        self.clock = Some(clock_after);
        let means = (0..self.rules.counters.len()).map(|c| self.means(c, event)).collect();
        self.accepted.push(Accepted { account, id, time: event.time, clock_after, means });
        match event.event_type {
            "authorization" if late => {
                let readings = vec![None; self.rules.counters.len()];
                Outcome::Decided { state: "late", readings }
            }
            "authorization" => self.decide(event),
            "feedback" => Outcome::Ignored,
            _ => Outcome::Counted,
        }
    }

    /// The fields of a counter's key: an account field stands for itself within its account.
    fn list(&self, counter: usize) -> Vec<&'static str> {
        let mut list = self.rules.counters[counter].key.clone();
        if list.iter().any(|field| self.rules.account_fields.contains(field)) {
            list.push("account_id");
        }
        list.sort_unstable();
        list.dedup();
        list
    }

    fn key_values(&self, counter: usize, event: &Told) -> Vec<Option<Value>> {
        let there = |value: &Value| !matches!(value, Value::Double(_));
        self.list(counter).iter().map(|field| event.get(field).filter(there)).collect()
    }

    fn means(&mut self, counter: usize, event: &Told) -> (u32, Option<Value>) {
        let values = self.key_values(counter, event);
        let name = format!("{:?} {values:?}", self.list(counter));
        let next = self.keys.len() as u32;
        let key = *self.keys.entry(name).or_insert(next);
        let Counter { groups_missing, types, currency, filter, measure, field, .. } =
            &self.rules.counters[counter];
        let qualifies = types.contains(&event.event_type)
            && (*groups_missing || values.iter().all(Option::is_some))
            && currency.is_none_or(|currency| event.text("currency").as_deref() == Some(currency))
            && filter.is_none_or(|filter| (filter.value)(event) == Some(true));
        let value = match (*measure, event.get(field)) {
            _ if !qualifies => None,
            ("count", _) => Some(Value::Int(1)),
            (_, None | Some(Value::Double(_))) => None,
            ("distinct", value) => value,
            (_, Some(Value::Int(int))) => Some(Value::Int(int)),
            (_, Some(Value::Bool(flag))) => Some(Value::Int(flag.into())),
            (_, Some(Value::Text(_))) => None,
        };
        (key, value)
    }

    fn decide(&mut self, event: &Told) -> Outcome {
        let (mut readings, mut degraded) = (Vec::new(), false);
        for counter in 0..self.rules.counters.len() {
            let Counter { groups_missing, window, .. } = self.rules.counters[counter];
            let there = self.key_values(counter, event).iter().all(Option::is_some);
            if !there && !groups_missing {
                readings.push(None);
                continue;
            }
            // The window is `(after, until]`.
            let t = event.time;
            let (after, until) = match window {
                Window::Sliding { span, delay } => (t - delay - span, t - delay),
                Window::Day => (self.midnight(self.date(t)) - 1, t),
                Window::Month => (self.midnight(self.date(t).first_of_month()) - 1, t),
            };
            let key = self.accepted.last().expect("itself").means[counter].0;
            let mut kept = self.of_list(counter, key);
            let dropped = kept.split_off(kept.len().min(self.rules.events_per_key));
            degraded |= dropped.iter().any(|place| self.accepted[*place].time > after);
            let counted = kept.iter().map(|place| &self.accepted[*place]);
            let inside = counted.filter(|f| after < f.time && f.time <= until);
            let values: Vec<&Value> = inside.filter_map(|f| f.means[counter].1.as_ref()).collect();
            readings.push(measured(self.rules.counters[counter].measure, &values));
        }
        Outcome::Decided { state: if degraded { "degraded" } else { "complete" }, readings }
    }

    /// The places of the events that any counter of this one's list counts for this key, the newest
    /// by time first; of equal times, the later in the log.
    fn of_list(&self, counter: usize, key: u32) -> Vec<usize> {
        let list = self.list(counter);
        let same: Vec<usize> =
            (0..self.rules.counters.len()).filter(|c| self.list(*c) == list).collect();
        let counts =
            |f: &Accepted| same.iter().any(|c| f.means[*c].0 == key && f.means[*c].1.is_some());
        let places = 0..self.accepted.len();
        let mut places: Vec<usize> = places.filter(|at| counts(&self.accepted[*at])).collect();
        places.sort_by_key(|at| Reverse((self.accepted[*at].time, *at)));
        places
    }

    fn date(&self, time: i64) -> Date {
        date(&self.rules.zone, time)
    }

    /// The first instant of a local date.
    fn midnight(&mut self, day: Date) -> i64 {
        let zone = &self.rules.zone;
        *self.midnights.entry(day).or_insert_with(|| first_instant(zone, day))
    }
}

fn date(zone: &TimeZone, time: i64) -> Date {
    let instant = Timestamp::from_millisecond(time).expect("an instant");
    zone.to_datetime(instant).date()
}

/// The first instant of a local date, found by walking: by minutes from the earliest that it could
/// be, then back by seconds.
pub(crate) fn first_instant(zone: &TimeZone, day: Date) -> i64 {
    let utc = day.to_zoned(TimeZone::UTC).expect("a midnight").timestamp().as_millisecond();
    let hours = 3_600_000;
    let probes = (utc - 27 * hours..utc + 27 * hours).step_by(60_000);
    let mut first = probes.into_iter().find(|at| date(zone, *at) == day).expect("a day that was");
    while date(zone, first - 1000) == day {
        first -= 1000;
    }
    first
}

fn measured(measure: &str, values: &[&Value]) -> Option<Number> {
    let mut integers: Vec<i64> = Vec::new();
    let mut different: Vec<&Value> = Vec::new();
    for value in values {
        if let Value::Int(int) = value {
            integers.push(*int);
        }
        if !different.contains(value) {
            different.push(value);
        }
    }
    let sum: i128 = integers.iter().map(|int| i128::from(*int)).sum();
    match measure {
        "count" => Some(Number::Int(values.len() as i64)),
        "distinct" => Some(Number::Int(different.len() as i64)),
        "sum" => Some(Number::Int(sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64)),
        "max" => integers.iter().max().map(|int| Number::Int(*int)),
        "min" => integers.iter().min().map(|int| Number::Int(*int)),
        "mean" => (!integers.is_empty()).then(|| Number::Double(mean(sum, integers.len()))),
        _ => unreachable!("{measure}"),
    }
}

/// The double nearest to a quotient, found by comparing neighbours exactly.
fn mean(sum: i128, count: usize) -> f64 {
    if sum < 0 {
        return -mean(-sum, count);
    }
    let guess = sum as f64 / count as f64;
    let mut near = [guess.next_down().max(0.0), guess, guess.next_up()];
    near.sort_by_key(|double| (distance(*double, sum, count), double.to_bits() & 1));
    near[0]
}

/// How far `double * count` is from `sum`: units, and parts of 2^-62 of one. A double of at least
/// 2^-10 is a multiple of such a part, and sums and counts of a test are small beside 128 bits.
fn distance(double: f64, sum: i128, count: usize) -> (u128, u128) {
    const PARTS: u32 = 62;
    let whole = double.floor();
    let parts = ((double - whole) * 2f64.powi(PARTS as i32)) as i128 * count as i128;
    let units = whole as i128 * count as i128 + (parts >> PARTS) - sum;
    let parts = parts & ((1 << PARTS) - 1);
    if units < 0 && parts > 0 {
        return ((-units - 1) as u128, ((1 << PARTS) - parts) as u128);
    }
    (units.unsigned_abs(), parts as u128)
}

#[test]
fn the_naive_mean_is_right_where_it_can_be_told() {
    assert_eq!(mean(10, 4), 2.5);
    assert_eq!(mean(-7, 2), -3.5);
    assert_eq!(mean(1, 3), 1.0 / 3.0);
    assert_eq!(mean(-1, 3), -1.0 / 3.0);
    assert_eq!(mean((1 << 53) + 1, 1), 9_007_199_254_740_992.0);
    assert_eq!(mean((1 << 53) + 3, 2), 4_503_599_627_370_497.5);
    assert_eq!(mean(-(1 << 53) - 3, 1), -9_007_199_254_740_996.0);
    assert_eq!(mean(0, 5), 0.0);
}
