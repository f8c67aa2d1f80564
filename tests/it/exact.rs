//! Counters, lateness and repeats are exact: random counters over random logs, against a filter over
//! all events so far ([`super::naive`]).

mod looks;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bumpalo::Bump;
use holdfast::{
    decision::{CaseRecord, Decision, Fate, FollowUp, Outbox, Reason},
    engine::{Engine, Ruleset},
    event::TIME_MAX_MS,
    window::spec::Reading,
    wire::decode::{Hints, decode},
};
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use crate::{
    naive::{Counter, Filter, Model, Number, Outcome, Rules, Told, Value, Window, first_instant},
    support::{
        dice::{Dice, for_seeds},
        partition::restarted,
        run::settings,
    },
};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

#[test]
fn every_reading_equals_a_filter_over_all_events() {
    for_seeds("every_reading_equals_a_filter_over_all_events", 500, |seed| {
        Case::new(seed, Shape { events: 220, hot: false }).check();
    });
}

#[test]
fn a_hot_key_is_read_exactly() {
    for_seeds("a_hot_key_is_read_exactly", 40, |seed| {
        Case::new(seed, Shape { events: 700, hot: true }).check();
    });
}

/// What cannot be met proves nothing.
#[test]
fn random_logs_meet_every_fate_and_state() {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..60 {
        let Case { rules, log, .. } = Case::new(seed, Shape { events: 220, hot: seed % 10 == 0 });
        let mut model = Model::new(rules);
        for event in &log {
            let name = match model.process(event) {
                Outcome::Decided { state, .. } => state.to_owned(),
                outcome => format!("{outcome:?}"),
            };
            *met.entry(name).or_default() += 1;
        }
    }
    for name in ["complete", "late", "degraded", "Counted", "Ignored", "Duplicate", "TooOld"] {
        assert!(met.get(name).is_some_and(|times| *times > 50), "{name}: {met:?}");
    }
}

/// How large a case is, and whether its events share few keys and lie within the windows.
#[derive(Clone, Copy)]
struct Shape {
    events: usize,
    hot: bool,
}

/// A random configuration and a random log.
struct Case {
    rules: Rules,
    toml: String,
    log: Vec<Told>,
    /// After so many events the engine is taken down and set up again.
    cut: Option<usize>,
}

impl Case {
    fn new(seed: u64, shape: Shape) -> Case {
        let mut dice = Dice::new(seed);
        let (rules, zone) = rules(&mut dice, shape);
        let toml = written(&rules, zone);
        let log = Log::new(&rules, shape, &mut dice).events(&mut dice);
        let cut = dice.percent(40).then(|| dice.below(shape.events));
        Case { rules, toml, log, cut }
    }

    /// Checks it; what fails is shown by the fewest events that are found to fail.
    fn check(&self) {
        let ruleset = settings(&self.toml).ruleset;
        let Some(failed) = self.difference(&ruleset, &self.log) else { return };
        let mut log = self.log[..=failed.at].to_vec();
        let mut at = log.len();
        while at > 0 {
            at -= 1;
            let mut fewer = log.clone();
            fewer.remove(at);
            if self.difference(&ruleset, &fewer).is_some() {
                log = fewer;
            }
        }
        let Difference { at, due, found } = self.difference(&ruleset, &log).expect("it failed");
        let lines: Vec<String> = log.iter().map(line).collect();
        panic!(
            "{}\n{}\nevent {at} of these, restarted before {:?}:\n due {due:?}\nfound {found:?}",
            self.toml,
            lines.join("\n"),
            self.cut
        );
    }

    fn difference(&self, ruleset: &Arc<Ruleset>, log: &[Told]) -> Option<Difference> {
        let mut model = Model::new(self.rules.clone());
        let mut engine = Engine::new(ruleset.clone());
        for (at, event) in log.iter().enumerate() {
            if self.cut == Some(at) {
                engine = restarted(&engine);
            }
            let due = model.process(event);
            let found = catch_unwind(AssertUnwindSafe(|| met(&mut engine, event))).ok();
            if found.as_ref() != Some(&due) {
                return Some(Difference { at, due, found });
            }
        }
        None
    }
}

/// Where the engine differs from the model.
struct Difference {
    at: usize,
    due: Outcome,
    /// `None`: it panicked.
    found: Option<Outcome>,
}

/// Keeps what a decision says of the counters.
#[derive(Default)]
struct Kept(Option<Outcome>);

impl Outbox for Kept {
    fn decision(&mut self, decision: &Decision<'_>) {
        let number = |reading: &Reading| match reading {
            Reading::Int(int) => Number::Int(*int),
            Reading::Double(double) => Number::Double(*double),
        };
        let readings = decision.readings.iter().map(|r| r.as_ref().map(number)).collect();
        let state = decision.state.name();
        assert!(self.0.replace(Outcome::Decided { state, readings }).is_none());
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        panic!("there are no rules here: {follow_up:?}");
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        panic!("there are no rules here: {record:?}");
    }
}

fn met(engine: &mut Engine, event: &Told) -> Outcome {
    let (line, arena) = (line(event), Bump::new());
    let event = decode(line.as_bytes(), &mut Hints::default(), &arena).expect(&line);
    let mut kept = Kept::default();
    match engine.process(event, &mut kept) {
        Ok(Fate::Decided) => kept.0.expect("a decision"),
        Ok(fate) => {
            assert_eq!(kept.0, None, "{fate:?}");
            match fate {
                Fate::Counted => Outcome::Counted,
                Fate::Ignored => Outcome::Ignored,
                Fate::Duplicate => Outcome::Duplicate,
                _ => panic!("{fate:?}"),
            }
        }
        Err(rejection) => {
            assert_eq!(rejection.reason, Reason::TooOld, "{rejection:?}");
            assert_eq!(kept.0, None);
            Outcome::TooOld
        }
    }
}

/// The event as a line of a log.
fn line(event: &Told) -> String {
    let json = |value: &Value| match value {
        Value::Text(text) => serde_json::Value::from(text.as_str()),
        Value::Int(int) => (*int).into(),
        Value::Double(double) => (*double).into(),
        Value::Bool(flag) => (*flag).into(),
    };
    let mut object = serde_json::Map::new();
    object.insert("type".into(), event.event_type.into());
    object.insert("event_time".into(), event.time.into());
    let mut attributes = serde_json::Map::new();
    for (path, value) in &event.fields {
        match path.strip_prefix("attributes.") {
            Some(name) => attributes.insert(name.into(), json(value)),
            None => object.insert(path.clone(), json(value)),
        };
    }
    if !attributes.is_empty() {
        object.insert("attributes".into(), attributes.into());
    }
    serde_json::Value::from(object).to_string()
}

// ------------------------------------------------------------------------------- configurations

const ZONES: &[&str] = &[
    "UTC",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",  // midnights that do not exist
    "America/Sao_Paulo", // the same, and midnights that come twice
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "America/St_Johns", // a minute of the new day, then the old one again
    "Australia/Lord_Howe",
    "Africa/Monrovia", // seconds in the offset
    "Pacific/Apia",    // a day that never was
    "Antarctica/Troll",
];

const FILTERS: &[Filter] = &[
    Filter { text: "amount_minor <= 300", value: |e| Some(e.int("amount_minor")? <= 300) },
    Filter { text: "channel == 'ecom'", value: |e| Some(e.text("channel")? == "ecom") },
    Filter { text: "!(channel == 'pos')", value: |e| Some(e.text("channel")? != "pos") },
    Filter {
        text: "channel == 'ecom' || amount_minor > 200",
        value: |e| {
            let left = e.text("channel").map(|channel| channel == "ecom");
            let right = e.int("amount_minor").map(|amount| amount > 200);
            match (left, right) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            }
        },
    },
    Filter { text: "has(event.order_id)", value: |e| Some(e.get("order_id").is_some()) },
    Filter {
        text: "order_id in list.orders",
        value: |e| Some(["o1", "o3"].contains(&e.text("order_id")?.as_str())),
    },
    Filter {
        text: "attributes.n > 5",
        value: |e| match e.get("attributes.n")? {
            Value::Int(int) => Some(int > 5),
            Value::Double(double) => Some(double > 5.0),
            Value::Text(_) | Value::Bool(_) => None,
        },
    },
    Filter {
        text: "attributes.k == 1",
        value: |e| match e.get("attributes.k")? {
            Value::Int(int) => Some(int == 1),
            Value::Double(double) => Some(double == 1.0),
            Value::Text(_) | Value::Bool(_) => Some(false),
        },
    },
    Filter { text: "tender == 'card'", value: |e| Some(e.text("tender")? == "card") },
    Filter { text: "verdict == 'fraud'", value: |e| Some(e.text("verdict")? == "fraud") },
    Filter { text: "event_time % 2 == 0", value: |e| Some(e.time % 2 == 0) },
    Filter {
        text: "table.tiers[card_tier] >= 2",
        value: |e| Some(e.text("card_tier").as_deref() == Some("gold")),
    },
];

/// Names that every expression may use.
const NAMES: &str = "[table.tiers]\ndefault = 1\ngold = 2\n[list]\norders = [\"o1\", \"o3\"]\n";

const KEYS: &[&str] = &[
    "account_id",
    "card_id",
    "merchant_id",
    "device_id",
    "terminal_id",
    "network",
    "currency",
    "tender",
    "type",
    "item_seq",
    "attributes.k",
];
const TYPES: &[&str] = &["authorization", "login", "reversal", "feedback", "address_change"];
const NUMBERS: &[&str] =
    &["amount_minor", "event_time", "item_seq", "item_count", "attributes.n", "attributes.k"];
const VALUES: &[&str] = &[
    "order_id",
    "merchant_id",
    "device_id",
    "item_seq",
    "amount_minor",
    "event_id",
    "currency",
    "attributes.k",
    "attributes.n",
];

/// A random ruleset, and the name of its time zone.
fn rules(dice: &mut Dice, shape: Shape) -> (Rules, &'static str) {
    let zone = dice.pick(ZONES);
    // Short windows with short steps, long ones with long steps.
    let spans: &[i64] = match dice.below(3) {
        0 => &[1, 2, 7, 50, 500],
        1 => &[500, 7 * SECOND, MINUTE, 5 * MINUTE, HOUR],
        _ => &[HOUR, 6 * HOUR, DAY, 3 * DAY, 30 * DAY],
    };
    let horizon = dice.pick(&[0, spans[1], spans[3], DAY]);
    let lateness = dice.pick(&[0, spans[0], spans[2], HOUR, horizon]).min(horizon);
    let limits: &[usize] = if shape.hot { &[3, 40, 250] } else { &[1, 2, 5, 12] };
    let events_per_key = if dice.percent(50) { 1_000_000 } else { dice.pick(limits) };
    let account_fields = dice.some(&["card_id", "card_id", "device_id", "attributes.k"], 35);
    // Few lists of key fields, so that counters share one.
    let lists: Vec<Vec<&str>> = (0..=dice.below(3))
        .map(|_| {
            let pool = if shape.hot { &KEYS[..2] } else { KEYS };
            let mut list: Vec<&str> = (0..=dice.below(3)).map(|_| dice.pick(pool)).collect();
            list.sort_unstable();
            list.dedup();
            if dice.percent(50) {
                list.reverse();
            }
            list
        })
        .collect();
    let count = 1 + dice.below(9);
    let counters = (0..count).map(|n| counter(n, &lists, spans, dice)).collect();
    let zone_of = TimeZoneDatabase::bundled().get(zone).expect("a zone");
    let rules =
        Rules { zone: zone_of, lateness, horizon, events_per_key, account_fields, counters };
    (rules, zone)
}

fn counter(n: usize, lists: &[Vec<&'static str>], spans: &[i64], dice: &mut Dice) -> Counter {
    let key = dice.pick(lists);
    let measure = dice.pick(&["count", "sum", "mean", "max", "min", "distinct", "distinct"]);
    let field = match measure {
        "count" => "",
        "distinct" => dice.pick(VALUES),
        _ => dice.pick(NUMBERS),
    };
    let money = field == "amount_minor" && measure != "distinct" && !key.contains(&"currency");
    let window = match dice.below(10) {
        0 => Window::Day,
        1 => Window::Month,
        _ => {
            let delay = if dice.percent(70) { 0 } else { dice.pick(&[1, spans[0], spans[2]]) };
            Window::Sliding { span: dice.pick(spans), delay }
        }
    };
    let types = dice.some(TYPES, 40);
    Counter {
        name: format!("n{n}"),
        key,
        groups_missing: dice.percent(35),
        types: if types.is_empty() { vec!["authorization"] } else { types },
        measure,
        field,
        currency: (money && dice.percent(60)).then_some("JPY"),
        window,
        filter: dice.percent(40).then(|| dice.pick(FILTERS)),
    }
}

/// The ruleset as a configuration.
fn written(rules: &Rules, zone: &str) -> String {
    let quoted = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        format!("[{}]", names.join(", "))
    };
    let mut text = format!(
        "timezone = \"{zone}\"\n[input]\nallowed_lateness = \"{}ms\"\ndedupe_horizon = \"{}ms\"\n\
         account_fields = {}\n[limits]\nevents_per_key = {}\n{NAMES}",
        rules.lateness,
        rules.horizon,
        quoted(&rules.account_fields),
        rules.events_per_key,
    );
    for counter in &rules.counters {
        let Counter { name, key, types, measure, field, .. } = counter;
        text += &format!("[[counter]]\nname = \"{name}\"\nkey = {}\n", quoted(key));
        text += &format!("types = {}\n", quoted(types));
        match *measure {
            "count" => text += "count = true\n",
            _ => text += &format!("{measure} = \"{field}\"\n"),
        }
        let money = *field == "amount_minor" && !matches!(*measure, "distinct" | "count");
        if money && !key.contains(&"currency") {
            text += &format!("currency = \"{}\"\n", counter.currency.unwrap_or("any"));
        }
        match counter.window {
            Window::Day => text += "window = \"day\"\n",
            Window::Month => text += "window = \"month\"\n",
            Window::Sliding { span, delay: 0 } => text += &format!("window = \"{span}ms\"\n"),
            Window::Sliding { span, delay } => {
                text += &format!("window = \"{span}ms\"\ndelay = \"{delay}ms\"\n");
            }
        }
        if counter.groups_missing {
            text += "missing = \"group\"\n";
        }
        if let Some(filter) = counter.filter {
            text += &format!("where = \"{}\"\n", filter.text);
        }
    }
    text
}

// --------------------------------------------------------------------------------------- logs

/// A random log in the making.
struct Log<'r> {
    rules: &'r Rules,
    shape: Shape,
    /// The longest step of ordinary events.
    step: i64,
    /// How many different accounts, cards, shops.
    width: usize,
    clock: i64,
    /// Accepted or not: events so far, with the clock after each.
    so_far: Vec<(Told, i64)>,
}

impl<'r> Log<'r> {
    fn new(rules: &'r Rules, shape: Shape, dice: &mut Dice) -> Log<'r> {
        let spans = rules.counters.iter().map(|counter| match counter.window {
            Window::Sliding { span, .. } => span,
            Window::Day => DAY,
            Window::Month => 30 * DAY,
        });
        let longest = spans.max().unwrap_or(HOUR);
        let part = if shape.hot { 400 } else { dice.pick(&[3, 20, 200]) };
        let width = if shape.hot { 1 } else { 1 + dice.below(3) };
        Log {
            rules,
            shape,
            step: (longest / part).max(1),
            width,
            clock: first_time(&rules.zone, dice),
            so_far: Vec::new(),
        }
    }

    fn events(mut self, dice: &mut Dice) -> Vec<Told> {
        while self.so_far.len() < self.shape.events {
            let share = dice.below(100);
            if share < 6 && !self.so_far.is_empty() {
                self.repeat(dice);
            } else {
                let time = self.time(dice);
                let id = format!("e{}", self.so_far.len());
                let event = self.event(&id, time, dice);
                self.add(event);
            }
        }
        self.so_far.into_iter().map(|(event, _)| event).collect()
    }

    fn add(&mut self, event: Told) {
        if event.event_type != "tick" {
            self.clock = self.clock.max(event.time);
        }
        self.so_far.push((event, self.clock));
    }

    /// An event's id again, with the same or another content; now and then just as the horizon
    /// passes.
    fn repeat(&mut self, dice: &mut Dice) {
        let recent = self.so_far.len().min(40);
        let (event, clock_after) = self.so_far[self.so_far.len() - 1 - dice.below(recent)].clone();
        let Some(id) = event.text("event_id") else { return };
        if dice.percent(30) {
            let at = clock_after + self.rules.horizon + dice.between(-1, 1);
            let time = at.clamp(self.clock, TIME_MAX_MS);
            let mover = self.event(&format!("m{}", self.so_far.len()), time, dice);
            self.add(mover);
        }
        let again = if dice.percent(50) {
            event
        } else {
            let time = if dice.percent(50) { event.time } else { self.time(dice) };
            self.event(&id, time, dice)
        };
        self.add(again);
    }

    fn time(&self, dice: &mut Dice) -> i64 {
        let jitter = dice.between(-1, 1);
        let Rules { lateness, horizon, counters, .. } = self.rules;
        let before = |dice: &mut Dice| match self.so_far.len() {
            0 => self.clock,
            n => self.so_far[n - 1 - dice.below(n.min(30))].0.time,
        };
        let window = |dice: &mut Dice| match dice.pick(counters).window {
            Window::Sliding { span, delay } => delay + dice.pick(&[0, span]),
            Window::Day => DAY,
            Window::Month => 31 * DAY,
        };
        let time = match dice.below(100) {
            0..50 => self.clock + dice.between(0, self.step),
            50..60 => before(dice),
            60..70 if !self.shape.hot => before(dice) + window(dice) + jitter,
            70..80 => self.clock - dice.between(0, *lateness),
            80..84 => self.clock - lateness + jitter,
            84..86 => self.clock - dice.between(0, *horizon),
            86..88 => self.clock - horizon + jitter,
            88..91 if !self.shape.hot => {
                let tomorrow = self.rules.zone.to_datetime(instant(self.clock)).date().tomorrow();
                let midnight = tomorrow.map(|day| first_instant_of(&self.rules.zone, day));
                midnight.unwrap_or(self.clock) + jitter
            }
            91 if !self.shape.hot => self.clock + dice.pick(&[40 * DAY, 400 * DAY, 40_000 * DAY]),
            _ => self.clock + dice.between(0, 3),
        };
        time.clamp(0, TIME_MAX_MS)
    }

    fn event(&self, id: &str, time: i64, dice: &mut Dice) -> Told {
        let types = ["login", "reversal", "feedback", "address_change", "mfa_change", "tick"];
        let event_type = if dice.percent(70) { "authorization" } else { dice.pick(&types) };
        let mut event = Told { event_type, time, fields: BTreeMap::new() };
        if event_type == "tick" {
            return event;
        }
        let text = |text: &str| Value::Text(text.into());
        let mut set = |path: &str, value: Value| drop(event.fields.insert(path.into(), value));
        set("event_id", text(id));
        set("account_id", text(&format!("a{}", dice.below(self.width))));
        if event_type == "authorization" || dice.percent(30) {
            let amount = dice.pick(&[0, 1, 99, 100, 300, 301, 5000, 1_000_000_000_000_000]);
            set("amount_minor", Value::Int(amount));
            set("currency", text(dice.pick(&["JPY", "JPY", "JPY", "USD"])));
        }
        if event_type == "feedback" {
            set("verdict", text(dice.pick(&["fraud", "legitimate"])));
            set("source", text("analyst"));
            set("scope", text("account"));
        }
        let there = if self.shape.hot { 95 } else { 75 };
        for (field, prefix, wide) in [
            ("card_id", "c", self.width),
            ("merchant_id", "m", self.width),
            ("device_id", "d", self.width),
            ("terminal_id", "t", self.width),
            ("network", "n", 1),
            ("order_id", "o", 6),
        ] {
            if dice.percent(there) {
                set(field, text(&format!("{prefix}{}", dice.below(wide + 1))));
            }
        }
        let now_and_then: [(&str, &[&str]); 3] = [
            ("channel", &["ecom", "pos"]),
            ("card_tier", &["gold", "plain"]),
            ("tender", &["card", "gift_card"]),
        ];
        for (field, words) in now_and_then {
            if dice.percent(60) {
                set(field, text(dice.pick(words)));
            }
        }
        for field in ["item_seq", "item_count"] {
            if dice.percent(50) {
                set(field, Value::Int(dice.pick(&[0, 1, 2, -3, i64::MAX, i64::MIN])));
            }
        }
        let alike = [
            text("1"),
            text("true"),
            text(""),
            Value::Int(1),
            Value::Int(0),
            Value::Bool(true),
            Value::Bool(false),
            Value::Double(1.0),
            Value::Double(1.5),
            Value::Double(7.25),
            Value::Int(6),
            Value::Int(i64::MAX),
        ];
        for name in ["attributes.k", "attributes.n"] {
            if dice.percent(80) {
                set(name, dice.pick(&alike));
            }
        }
        event
    }
}

fn instant(time: i64) -> Timestamp {
    Timestamp::from_millisecond(time).expect("an instant")
}

fn first_instant_of(zone: &TimeZone, day: jiff::civil::Date) -> i64 {
    let midnight = zone.to_ambiguous_zoned(day.to_datetime(jiff::civil::Time::midnight()));
    match midnight.compatible() {
        Ok(zoned) => zoned.timestamp().as_millisecond(),
        Err(_) => first_instant(zone, day),
    }
}

/// Somewhere in time: near a change of the clocks as a rule, also at the ends of time.
fn first_time(zone: &TimeZone, dice: &mut Dice) -> i64 {
    let year = 365 * DAY;
    let somewhere = dice.between(0, 65 * year);
    match dice.below(10) {
        0 => 0,
        1 => TIME_MAX_MS - dice.between(0, 3 * DAY),
        2..8 => {
            let change = zone.following(instant(somewhere)).next();
            let change = change.map_or(somewhere, |c| c.timestamp().as_millisecond());
            (change - dice.between(0, 2 * DAY)).max(0)
        }
        _ => somewhere,
    }
}
