//! From one `[[event]]` to the events that it stands for: defaults and templates laid under it,
//! repeats and items laid out.

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};

use crate::{
    config::{
        Problem,
        document::{Entry, Node, Place, Table, Value},
        problem::nearest,
    },
    event::{Field, Kind},
};

use super::{
    fill::{Turn, fill, filled, json},
    read::unknown,
    times,
};

/// The keys of an event that are no fields of it.
const OWN: [&str; 6] = ["at", "like", "repeat", "every", "items", "expect"];
/// So many events are enough to test a rule with.
const EVENTS_MAX: usize = 100_000;
/// From one item of an order to the next.
const ITEM_GAP_MS: i64 = 1000;

/// An event, and what is expected of it, not yet looked at.
pub(super) struct Laid {
    pub(super) event_id: String,
    pub(super) time_ms: i64,
    pub(super) json: Json,
    pub(super) place: Place,
    pub(super) expect: Option<(Place, Table)>,
}

pub(super) struct Steps<'a> {
    zone: &'a TimeZone,
    defaults: &'a [Entry],
    templates: Vec<(&'a str, &'a Table)>,
    /// What relative times are relative to.
    before_ms: i64,
}

impl<'a> Steps<'a> {
    pub(super) fn new(
        root: &'a Table,
        zone: &'a TimeZone,
        problems: &mut Vec<Problem>,
    ) -> Steps<'a> {
        let mut steps = Steps { zone, defaults: &[], templates: Vec::new(), before_ms: 0 };
        steps.before_ms = times::parse(times::START, 0, zone).unwrap_or_default();
        let start = root.get("start").map(|start| steps.time(start, steps.before_ms));
        let mut table = |key: &str| {
            let node = root.get(key)?;
            if node.table().is_none() {
                let message = format!("`{key}` is {}", node.kind());
                problems.push(Problem::new(node.place.clone(), message).hint("a table"));
            }
            node.table()
        };
        steps.defaults = table("defaults").map_or(&[], |table| &table.0);
        for entry in table("like").map_or(&[][..], |likes| &likes.0) {
            match entry.node.table() {
                Some(table) => steps.templates.push((&entry.key, table)),
                None => problems.push(
                    Problem::new(entry.place.clone(), "a template is a table of fields")
                        .hint(format!("write [like.{}]", entry.key)),
                ),
            }
        }
        let fields: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        let templates = steps.templates.iter().flat_map(|(_, table)| &table.0);
        let entries = steps.defaults.iter().chain(templates);
        problems.extend(entries.filter_map(|entry| unknown(entry, "a template", &fields)));
        match start {
            Some(Ok(start_ms)) => steps.before_ms = start_ms,
            Some(Err(problem)) => problems.push(problem),
            None => {}
        }
        steps
    }

    /// Lays out one `[[event]]`.
    ///
    /// # Errors
    /// The first problem but unknown keys, which are told of all at once.
    pub(super) fn lay_out(
        &mut self,
        node: &Node,
        step: &'a Table,
        laid: &mut Vec<Laid>,
        problems: &mut Vec<Problem>,
    ) -> Result<(), Problem> {
        let known: Vec<&str> =
            OWN.iter().copied().chain(Field::ALL.iter().map(|field| field.name())).collect();
        problems.extend(step.0.iter().filter_map(|entry| unknown(entry, "an event", &known)));
        let entries = self.entries(step)?;
        let pace = self.pace(node, step)?;
        let (repeats, items) = (pace.repeat.unwrap_or(1), pace.items.unwrap_or(1));
        if laid.len() + repeats * items > EVENTS_MAX {
            let message = format!("a case has at most {EVENTS_MAX} events");
            return Err(Problem::new(node.place.clone(), message));
        }
        for n in 1..=repeats {
            for item in 1..=items {
                let (turn, event_id) = pace.turn(&entries, n, item, laid.len() + 1)?;
                let time_ms = pace.time_ms(n, item);
                let mut event = Map::new();
                for entry in entries.iter().filter(|e| !OWN.contains(&e.key.as_str())) {
                    let value = self.value(entry, &turn, pace.repeat.is_some(), time_ms)?;
                    event.insert(entry.key.clone(), value);
                }
                event.insert("event_id".into(), event_id.as_str().into());
                event.insert("event_time".into(), time_ms.into());
                if pace.items.is_some() {
                    event.insert("item_seq".into(), item.into());
                    event.insert("item_count".into(), items.into());
                }
                self.before_ms = time_ms;
                let expect = step.get("expect").map(|node| expected(node, &turn)).transpose()?;
                let (place, json) = (node.place.clone(), Json::Object(event));
                laid.push(Laid { event_id, time_ms, json, place, expect });
            }
        }
        Ok(())
    }

    fn pace(&self, node: &Node, step: &Table) -> Result<Pace, Problem> {
        let wrong = |message: &str, hint: &str| {
            Err(Problem::new(node.place.clone(), message.to_owned()).hint(hint))
        };
        let repeat = count(step, "repeat")?;
        let every_ms = match (step.entry("every"), repeat) {
            (Some(every), Some(_)) => match every.node.text().and_then(times::length) {
                Some(length_ms) => length_ms,
                None => {
                    let problem =
                        Problem::new(every.node.place.clone(), "this is no length of time");
                    return Err(problem.hint("every = \"4m\""));
                }
            },
            (Some(_), None) => return wrong("`every` without `repeat`", "repeat = 12"),
            (None, Some(2..)) => return wrong("`repeat` without `every`", "every = \"4m\""),
            (None, _) => 0,
        };
        let Some(at) = step.get("at").or_else(|| step.get("event_time")) else {
            return wrong("the event has no `at`", times::FORMS);
        };
        let first_ms = self.time(at, self.before_ms)?;
        Ok(Pace { repeat, items: count(step, "items")?, every_ms, first_ms })
    }

    /// The keys of an event: its own, or else those of its templates, the last first, or else the
    /// defaults.
    fn entries(&self, step: &'a Table) -> Result<Vec<&'a Entry>, Problem> {
        let mut layers: Vec<&[Entry]> = Vec::new();
        if let Some(node) = step.get("like") {
            for name in node.list().unwrap_or(std::slice::from_ref(node)) {
                let named = |(known, _): &&(&str, &Table)| name.text() == Some(known);
                let Some((_, table)) = self.templates.iter().find(named) else {
                    let message = format!("there is no template `{}`", name.text().unwrap_or("?"));
                    let names = self.templates.iter().map(|(name, _)| *name);
                    let near = nearest(name.text().unwrap_or(""), names);
                    let hint = near.unwrap_or_else(|| "a template: [like.NAME]".into());
                    return Err(Problem::new(name.place.clone(), message).hint(hint));
                };
                layers.push(&table.0);
            }
        }
        layers.push(&step.0);
        let mut entries: Vec<&Entry> = Vec::new();
        for entry in layers.into_iter().flatten() {
            entries.retain(|earlier| earlier.key != entry.key);
            entries.push(entry);
        }
        // In feedback a card would be its scope, and is said where it is meant.
        let event_type = entries.iter().find(|entry| entry.key == "type");
        let feedback = event_type.is_some_and(|entry| entry.node.text() == Some("feedback"));
        for entry in self.defaults.iter().filter(|e| !feedback || e.key == "account_id") {
            if entries.iter().all(|given| given.key != entry.key) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The value of a field this turn.
    fn value(
        &self,
        entry: &Entry,
        turn: &Turn,
        repeated: bool,
        time_ms: i64,
    ) -> Result<Json, Problem> {
        let field = Field::named(entry.key.as_bytes());
        let mut node = &entry.node;
        if let Value::List(list) = &node.value
            && field.is_none_or(|field| field.kind() != Kind::Ids)
        {
            let at = (turn.n - 1) % list.len().max(1);
            let Some(one) = list.get(at).filter(|_| repeated) else {
                let message =
                    format!("the values of `{}` take turns, and nothing repeats", entry.key);
                return Err(Problem::new(node.place.clone(), message).hint("repeat = 4"));
            };
            node = one;
        }
        if matches!(field, Some(Field::From | Field::To)) {
            return Ok(self.time(node, time_ms)?.into());
        }
        json(&filled(node, turn)?)
    }

    /// A time, relative to this one if it is relative.
    fn time(&self, node: &Node, before_ms: i64) -> Result<i64, Problem> {
        let parsed = match &node.value {
            Value::Text(text) | Value::Datetime(text) => times::parse(text, before_ms, self.zone),
            Value::Integer(ms) => Some(*ms),
            _ => None,
        };
        parsed.ok_or_else(|| Problem::new(node.place.clone(), "this is no time").hint(times::FORMS))
    }
}

/// How many events one `[[event]]` stands for, and when.
struct Pace {
    repeat: Option<usize>,
    items: Option<usize>,
    every_ms: i64,
    first_ms: i64,
}

impl Pace {
    fn time_ms(&self, n: usize, item: usize) -> i64 {
        let after = |turn: usize, gap_ms: i64| gap_ms.saturating_mul(turn as i64 - 1);
        let gap_ms = after(n, self.every_ms).saturating_add(after(item, ITEM_GAP_MS));
        self.first_ms.saturating_add(gap_ms)
    }

    /// Which of the events it is, and its id; `place` is its place in the case, from 1.
    fn turn(
        &self,
        entries: &[&Entry],
        n: usize,
        item: usize,
        place: usize,
    ) -> Result<(Turn, String), Problem> {
        let mut turn = Turn { n, item, id: String::new() };
        let written = entries.iter().find(|entry| entry.key == "event_id");
        let Some((node, text)) = written.and_then(|e| Some((&e.node, e.node.text()?))) else {
            turn.id = format!("e-{place}");
            return Ok((turn.clone(), turn.id));
        };
        turn.id = fill(text, &turn, node)?;
        if self.repeat.is_some() && !text.contains("{n}") {
            turn.id = format!("{}-{n}", turn.id);
        }
        let event_id = match self.items.is_some() && !text.contains("{item}") {
            true => format!("{}-{item}", turn.id),
            false => turn.id.clone(),
        };
        Ok((turn, event_id))
    }
}

fn count(step: &Table, key: &str) -> Result<Option<usize>, Problem> {
    let Some(node) = step.get(key) else { return Ok(None) };
    match node.value {
        Value::Integer(count @ 1..=100_000) => Ok(Some(count as usize)),
        _ => {
            let message = format!("`{key}` is a whole number from 1 to {EVENTS_MAX}");
            Err(Problem::new(node.place.clone(), message))
        }
    }
}

fn expected(node: &Node, turn: &Turn) -> Result<(Place, Table), Problem> {
    match filled(node, turn)?.value {
        Value::Table(table) => Ok((node.place.clone(), table)),
        _ => Err(Problem::new(node.place.clone(), format!("`expect` is {}", node.kind()))
            .hint("expect.action = \"verify\"")),
    }
}
