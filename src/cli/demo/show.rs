//! What the demo says on the terminal: decisions with their reasons, what became of them, which
//! cases suspend whom, and a summary.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, IsTerminal, Write},
};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use crate::config::Settings;

/// What is said of one account in a row in full; what comes after it is counted.
const SHOWN_IN_A_ROW: u32 = 6;
const INDENT: &str = "               ";

pub(super) struct Show {
    zone: TimeZone,
    colors: bool,
    actions: BTreeMap<String, u64>,
    answers: BTreeMap<String, u64>,
    rules: BTreeMap<String, u64>,
    /// What the generator says of authorizations, by account and event.
    labels: HashMap<Id, Label>,
    stopped: Labels,
    passed: Labels,
    /// The honest ones that waited and were released.
    released: u64,
    waiting: BTreeSet<Id>,
    /// Cases that suspend somebody, by id.
    suspending: BTreeMap<String, String>,
    in_a_row: (String, u32),
}

/// Account and event.
type Id = (String, String);

/// What no decision says of its event.
#[derive(Debug, Default)]
struct Label {
    time_ms: i64,
    fraud: bool,
    merchant: String,
}

/// Authorizations by what the generator says of them.
#[derive(Debug, Default)]
struct Labels {
    fraud: u64,
    honest: u64,
}

impl Show {
    pub(super) fn new(zone: TimeZone) -> Show {
        Show {
            zone,
            colors: io::stdout().is_terminal(),
            actions: BTreeMap::new(),
            answers: BTreeMap::new(),
            rules: BTreeMap::new(),
            labels: HashMap::new(),
            stopped: Labels::default(),
            passed: Labels::default(),
            released: 0,
            waiting: BTreeSet::new(),
            suspending: BTreeMap::new(),
            in_a_row: (String::new(), 0),
        }
    }

    pub(super) fn opening(&self, settings: &Settings, look: &str) -> io::Result<()> {
        writeln!(
            io::stdout(),
            "Two days of generated card traffic, with fraud in it, through the service: {} exact \
             counters, {} rules.\n\n{look}\nShown: what is not simply allowed and why, whom a case \
             suspends, and what became of what waited. Times are local ({}).\n",
            settings.ruleset.counters.len(),
            settings.ruleset.rules.len(),
            self.zone.iana_name().unwrap_or("UTC")
        )
    }

    /// An event that goes in.
    pub(super) fn event(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { return };
        let label = Label {
            time_ms: time(&event),
            fraud: event["attributes"]["is_fraud"] == true,
            merchant: text(&event, "merchant_id").to_owned(),
        };
        self.labels.entry(id(&event)).or_insert(label);
    }

    /// A record that comes out.
    pub(super) fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Ok(record) = serde_json::from_slice::<Value>(bytes) else { return Ok(()) };
        match (text(&record, "schema"), record.get("trigger")) {
            ("holdfast.decision/1", None) => self.decision(&record),
            ("holdfast.decision/1", Some(_)) => self.follow_up(&record),
            ("holdfast.case/1", _) => self.case_record(&record),
            _ => Ok(()),
        }
    }

    fn decision(&mut self, decision: &Value) -> io::Result<()> {
        let action = text(decision, "action");
        *self.actions.entry(action.to_owned()).or_default() += 1;
        let id = id(decision);
        let fraud = self.labels.get(&id).is_some_and(|label| label.fraud);
        let stopped = ["verify", "hold", "decline"].contains(&action);
        let labels = if stopped { &mut self.stopped } else { &mut self.passed };
        *(if fraud { &mut labels.fraud } else { &mut labels.honest }) += 1;
        if stopped && !fraud {
            self.waiting.insert(id);
        }
        for because in list(decision, "reasons") {
            *self.rules.entry(text(because, "rule").to_owned()).or_default() += 1;
        }
        if action == "allow" { Ok(()) } else { self.tell(decision) }
    }

    fn follow_up(&mut self, follow_up: &Value) -> io::Result<()> {
        let answer = text(follow_up, "action");
        *self.answers.entry(answer.to_owned()).or_default() += 1;
        let waited = self.waiting.remove(&id(follow_up));
        self.released += u64::from(answer == "release" && waited);
        self.tell_follow_up(follow_up)
    }

    /// Shall this be said? Of many things in a row about one account the later ones are counted.
    fn turn_to(&mut self, account: &str) -> io::Result<bool> {
        if self.in_a_row.0 == account {
            self.in_a_row.1 += 1;
        } else {
            let more = self.in_a_row.1.saturating_sub(SHOWN_IN_A_ROW);
            if more > 0 {
                writeln!(io::stdout(), "{INDENT}... and {more} more of {}", self.in_a_row.0)?;
            }
            self.in_a_row = (account.to_owned(), 1);
        }
        Ok(self.in_a_row.1 <= SHOWN_IN_A_ROW)
    }

    fn tell(&mut self, decision: &Value) -> io::Result<()> {
        if !self.turn_to(text(decision, "account_id"))? {
            return Ok(());
        }
        let merchant = self.labels.get(&id(decision)).map_or("", |label| &label.merchant);
        let (mut out, action) = (io::stdout(), text(decision, "action"));
        writeln!(
            out,
            "{}  {}  {} {} {} by {} at {merchant}",
            self.time(time(decision)),
            self.paint(action, color(action)),
            text(decision, "account_id"),
            decision["amount_minor"],
            text(decision, "currency"),
            text(decision, "tender"),
        )?;
        for because in list(decision, "reasons") {
            writeln!(out, "{INDENT}{}", why(because))?;
        }
        match list(decision, "linked_events").len() {
            0 => Ok(()),
            linked => writeln!(out, "{INDENT}reaches back over {linked} before it"),
        }
    }

    fn tell_follow_up(&mut self, follow_up: &Value) -> io::Result<()> {
        if !self.turn_to(text(follow_up, "account_id"))? {
            return Ok(());
        }
        let trigger = &follow_up["trigger"];
        let why = match text(trigger, "type") {
            "feedback" => {
                format!("{}, says the {}", text(trigger, "verdict"), text(trigger, "source"))
            }
            _ => "nobody answered in time".to_owned(),
        };
        let answer = text(follow_up, "action");
        let color = if answer == "release" { 32 } else { 31 };
        writeln!(
            io::stdout(),
            "{}  {}  {} {} {} by {} of {}: {why}",
            self.time(self.time_of_trigger(follow_up)),
            self.paint(answer, color),
            text(follow_up, "account_id"),
            follow_up["amount_minor"],
            text(follow_up, "currency"),
            text(follow_up, "tender"),
            self.time(time(follow_up)),
        )
    }

    /// Tells of a case when it begins to suspend its target, and when that ends.
    fn case_record(&mut self, record: &Value) -> io::Result<()> {
        let (case, status) = (text(record, "case_id").to_owned(), text(record, "status"));
        let suspends = matches!(status, "suspended" | "confirmed");
        let before = match suspends {
            true => self.suspending.insert(case, status.to_owned()),
            false => self.suspending.remove(&case),
        };
        let says = match (before.as_deref(), suspends) {
            (before, true) if before == Some(status) => return Ok(()),
            (None, false) => return Ok(()),
            (_, true) => status,
            (Some(_), false) => "suspension ends",
        };
        let Some(target) = record["target"].as_object() else { return Ok(()) };
        let of: String = target
            .iter()
            .filter(|(name, _)| *name != "account_id")
            .map(|(name, value)| match value {
                Value::Null => format!(", no {name}"),
                Value::String(value) => format!(", {name} {value}"),
                value => format!(", {name} {value}"),
            })
            .collect();
        let mut sums = String::new();
        for total in list(record, "totals") {
            let amounts = total.as_object().into_iter().flatten();
            for (column, amount) in amounts.filter(|(_, v)| v.as_i64().is_some_and(|a| a > 0)) {
                let (currency, tender) = (text(total, "currency"), text(total, "tender"));
                sums.push_str(&format!("  {column} {amount} {currency} by {tender}"));
            }
        }
        writeln!(
            io::stdout(),
            "{}  {}  {}{of}: {says}{sums}",
            self.time(self.time_of_trigger(record)),
            self.paint("case", 36),
            text(record, "account_id"),
        )
    }

    /// When that happened which made something happen.
    fn time_of_trigger(&self, record: &Value) -> i64 {
        let trigger = &record["trigger"];
        let id = (text(record, "account_id").to_owned(), text(trigger, "event_id").to_owned());
        let of_event = || self.labels.get(&id).map(|label| label.time_ms);
        trigger["time"].as_i64().or_else(of_event).unwrap_or_default()
    }

    fn time(&self, time_ms: i64) -> String {
        let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
        self.zone.to_datetime(time).strftime("%a %H:%M:%S").to_string()
    }

    fn paint(&self, word: &str, color: u8) -> String {
        let word = format!("{word:<7}");
        if self.colors { format!("\x1b[1;{color}m{word}\x1b[0m") } else { word }
    }

    pub(super) fn closing(
        &self,
        settings: &Settings,
        events: u64,
        fates: &[(&str, u64)],
    ) -> io::Result<()> {
        let mut out = io::stdout();
        let list = |all: Vec<String>| all.join(", ");
        let there = fates.iter().filter(|(_, n)| *n > 0);
        let fates = there.map(|(fate, n)| format!("{n} {fate}")).collect();
        let actions = self.actions.iter().map(|(action, n)| format!("{n} {action}"));
        let answers = self.answers.iter().map(|(answer, n)| format!("{n} {answer}"));
        writeln!(out, "\n{events} events: {}", list(fates))?;
        writeln!(out, "decisions: {}", list(actions.collect()))?;
        writeln!(out, "what became of them: {}", list(answers.collect()))?;
        let fraud = self.stopped.fraud + self.passed.fraud;
        let honest = self.stopped.honest + self.passed.honest;
        writeln!(
            out,
            "stopped (verify, hold, decline): {} of {fraud} authorizations that are labelled \
             fraud, {} of {honest} honest ones ({} of them released by an answer)",
            self.stopped.fraud, self.stopped.honest, self.released
        )?;
        writeln!(out, "rules that spoke:")?;
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        for (rule, count) in rules {
            writeln!(out, "  {count:>5}  {rule}")?;
        }
        writeln!(
            out,
            "\nruleset {}\nNext: holdfast generate -o log.jsonl; holdfast replay log.jsonl -c \
             config/holdfast.toml",
            settings.ruleset.identity
        )
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], |list| &list[..])
}

fn time(value: &Value) -> i64 {
    value["event_time"].as_i64().unwrap_or_default()
}

fn id(value: &Value) -> Id {
    (text(value, "account_id").to_owned(), text(value, "event_id").to_owned())
}

/// A reason in a line: the rule, what it asks for, its words, its counters.
fn why(because: &Value) -> String {
    let counters = because["counters"].as_object().into_iter().flatten();
    let counters: String = counters.map(|(name, value)| format!("  {name}={value}")).collect();
    let effect = match because["points"].as_i64() {
        Some(points) => format!("{points:+} points"),
        None => text(because, "action").to_owned(),
    };
    let reason = match text(because, "reason") {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    format!("{} ({effect}){reason}{counters}", text(because, "rule"))
}

fn color(action: &str) -> u8 {
    match action {
        "verify" => 33,
        "hold" => 35,
        "decline" => 31,
        _ => 36,
    }
}
