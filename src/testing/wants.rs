//! Expectations as they were written, checked: that what they name exists, in the case or in the
//! ruleset, so that a slip of the pen is no test that passes.

use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::{
    config::{
        Problem,
        document::{Entry, Node, Place, Table, Value},
        problem::nearest,
    },
    decision::{Action, Answer, Fate, Reason},
    engine::Ruleset,
};

use super::{fill::json, read::unknown, times};

/// What can be expected of an event.
const OF_EVENT: [&str; 20] = [
    "action",
    "rules",
    "not_rules",
    "counters",
    "score",
    "shadow",
    "suppressed",
    "reasons",
    "case_id",
    "linked_events",
    "linked_truncated",
    "expires_at",
    "state",
    "fate",
    "reason",
    "then",
    "release",
    "cancel",
    "reverse",
    "cases",
];
/// What can be expected of a case.
const OF_CASE: [&str; 5] = ["status", "statuses", "target", "totals", "trigger"];
const STATUSES: [&str; 4] = ["open", "suspended", "confirmed", "closed"];
/// Ids that decisions use for themselves.
const RULES: [&str; 4] = ["score", "suspended", "confirmed_fraud", "limit"];
/// What stands for a value that is not there.
pub(super) const NONE: &str = "none";
/// The same of a counter.
pub(super) const ABSENT: &str = "absent";

pub(super) struct Wants<'a> {
    pub(super) ruleset: &'a Ruleset,
    /// The events of the case, in the order of the log.
    pub(super) ids: Rc<[&'a str]>,
    pub(super) problems: Vec<Problem>,
}

impl Wants<'_> {
    /// The events that an `[[expect]]` names.
    pub(super) fn subjects(&mut self, node: &Node, table: &Table) -> Vec<usize> {
        let Some(event) = table.get("event") else {
            self.wrong(node, "the expectation names no `event`", "event = \"e-1\"");
            return Vec::new();
        };
        let named = event.list().unwrap_or(std::slice::from_ref(event));
        named.iter().filter_map(|node| self.event(node)).collect()
    }

    /// What is expected, at this place, of an event of this time.
    pub(super) fn of_event(
        &mut self,
        place: &Place,
        table: &Table,
        time_ms: i64,
    ) -> Map<String, Json> {
        let entries = table.0.iter().filter(|entry| entry.key != "event");
        if entries.clone().next().is_none() {
            let problem = Problem::new(place.clone(), "nothing is expected of the event");
            self.problems.push(problem.hint("action = \"allow\""));
        }
        let mut wants = Map::new();
        for entry in entries {
            if let Some(problem) = unknown(entry, "an expectation", &OF_EVENT) {
                self.problems.push(problem);
            } else if let Some(want) = self.of_key(entry, time_ms) {
                wants.insert(entry.key.clone(), want);
            }
        }
        wants
    }

    /// What is expected of a case, and its id.
    pub(super) fn of_case(
        &mut self,
        node: &Node,
        table: &Table,
    ) -> Option<(String, Map<String, Json>)> {
        let Some(case_id) = table.get("case_id") else {
            self.wrong(node, "the case has no `case_id`", "the event_id that opened it");
            return None;
        };
        let at = self.event(case_id)?;
        if table.0.len() == 1 {
            self.wrong(node, "nothing is expected of the case", "status = \"closed\"");
        }
        let mut wants = Map::new();
        for entry in table.0.iter().filter(|entry| entry.key != "case_id") {
            let node = &entry.node;
            let want = match entry.key.as_str() {
                "status" => self.word(node, &STATUSES, "status"),
                "statuses" => self.words(node, &STATUSES, "status"),
                _ => {
                    let problem = unknown(entry, "a case's expectation", &OF_CASE);
                    self.problems.extend(problem);
                    self.as_it_is(node)
                }
            };
            wants.extend(want.map(|want| (entry.key.clone(), want)));
        }
        Some((self.ids[at].to_owned(), wants))
    }

    fn of_key(&mut self, entry: &Entry, time_ms: i64) -> Option<Json> {
        let node = &entry.node;
        let rules = self.ruleset.rules.iter().map(|rule| rule.id.as_str());
        let names = |names: Vec<&'static str>| names.into_iter().chain([NONE]).collect::<Vec<_>>();
        match entry.key.as_str() {
            "action" => {
                let actions = names(Action::ALL.map(Action::name).to_vec());
                self.word(node, &actions, "action")
            }
            "fate" => self.word(node, &Fate::ALL.map(Fate::name), "fate"),
            "reason" => self.word(node, &Reason::ALL.map(Reason::name), "reason"),
            "state" => self.word(node, &["complete", "late", "degraded", "warming"], "state"),
            "rules" | "not_rules" | "shadow" | "suppressed" => {
                let known: Vec<&str> = rules.chain(RULES).collect();
                match node.text() {
                    Some(_) => self.word(node, &known, "rule"),
                    None => self.words(node, &known, "rule"),
                }
            }
            "then" => self.words(node, &Answer::ALL.map(Answer::name), "follow-up"),
            "release" | "cancel" | "reverse" => match node.value {
                Value::Integer(count) => Some(count.into()),
                _ => {
                    let ids = self.ids.clone();
                    let named = node.list().unwrap_or(std::slice::from_ref(node));
                    named.iter().for_each(|one| self.is_clear(one));
                    self.words(node, &ids, "event of this case")
                }
            },
            "case_id" => match node.text() {
                Some(NONE) => Some(NONE.into()),
                _ => self.event(node).map(|at| self.ids[at].into()),
            },
            "linked_events" => {
                for one in node.list().unwrap_or(&[]).iter().filter(|one| one.table().is_none()) {
                    self.event(one);
                }
                self.as_it_is(node)
            }
            "counters" => self.counters(node),
            "cases" => self.cases(node),
            "expires_at" => {
                let zone = &self.ruleset.timezone;
                let time = match &node.value {
                    Value::Text(text) | Value::Datetime(text) => times::parse(text, time_ms, zone),
                    Value::Integer(time_ms) => Some(*time_ms),
                    _ => None,
                };
                match time {
                    Some(time_ms) => return Some(times::print(time_ms, zone).into()),
                    None if node.text() == Some(NONE) => return Some(NONE.into()),
                    None => self.wrong(node, "this is no time", times::FORMS),
                }
                None
            }
            _ => self.as_it_is(node),
        }
    }

    fn counters(&mut self, node: &Node) -> Option<Json> {
        let Some(table) = node.table() else {
            self.wrong(node, "`counters` names values", "expect.counters.NAME = 5");
            return None;
        };
        let known: Vec<&str> = self.ruleset.counters.iter().map(|c| c.name.as_str()).collect();
        for entry in &table.0 {
            if !known.contains(&entry.key.as_str()) {
                let message = format!("there is no counter `{}`", entry.key);
                let problem = Problem::new(entry.place.clone(), message);
                self.problems.push(problem.maybe_hint(nearest(&entry.key, known.iter().copied())));
            }
            let value = matches!(entry.node.value, Value::Integer(_) | Value::Float(_));
            if !value && entry.node.text() != Some(ABSENT) {
                self.wrong(&entry.node, "a counter is a number or \"absent\"", "");
            }
        }
        self.as_it_is(node)
    }

    fn cases(&mut self, node: &Node) -> Option<Json> {
        let Some(table) = node.table() else {
            self.wrong(node, "`cases` names cases", "expect.cases = { \"e-1\" = \"closed\" }");
            return None;
        };
        for entry in &table.0 {
            let named = Node { place: entry.place.clone(), ..text_node(&entry.key, &entry.node) };
            self.known(&named);
            self.is_clear(&named);
            match &entry.node.value {
                Value::Table(inner) => {
                    let known = OF_CASE.iter().copied().filter(|key| *key != "statuses");
                    let known: Vec<&str> = known.collect();
                    let unknown = inner.0.iter().filter_map(|e| unknown(e, "a case", &known));
                    self.problems.extend(unknown);
                }
                _ => drop(self.word(&entry.node, &STATUSES, "status")),
            }
        }
        self.as_it_is(node)
    }

    /// The place in the log of the event that is named.
    fn event(&mut self, node: &Node) -> Option<usize> {
        let at = node.text().and_then(|text| self.ids.iter().position(|id| *id == text));
        match at {
            Some(_) => self.is_clear(node),
            None => self.known(node),
        }
        at
    }

    /// An id that two events have says of neither what is expected.
    fn is_clear(&mut self, node: &Node) {
        let Some(text) = node.text() else { return };
        if self.ids.iter().filter(|id| **id == text).count() > 1 {
            let message = format!("`{text}` is the id of several events of this case");
            self.wrong(node, &message, "write `expect` under the event itself, or another id");
        }
    }

    fn known(&mut self, node: &Node) {
        let ids = self.ids.clone();
        self.word(node, &ids, "event of this case");
    }

    /// One of these words.
    fn word(&mut self, node: &Node, known: &[&str], what: &str) -> Option<Json> {
        if let Some(text) = node.text()
            && known.contains(&text)
        {
            return Some(text.into());
        }
        let text = node.text().map_or_else(|| node.kind().to_owned(), |text| format!("`{text}`"));
        let near = nearest(node.text().unwrap_or_default(), known.iter().copied());
        let all = || match known.len() {
            0..=20 => format!("one of {}", known.join(", ")),
            _ => String::new(),
        };
        let hint = near.unwrap_or_else(all);
        self.wrong(node, &format!("{text} is no {what}"), &hint);
        None
    }

    /// Some of these words; one word is a list of one.
    fn words(&mut self, node: &Node, known: &[&str], what: &str) -> Option<Json> {
        let words = node.list().unwrap_or(std::slice::from_ref(node));
        words.iter().map(|word| self.word(word, known, what)).collect()
    }

    fn as_it_is(&mut self, node: &Node) -> Option<Json> {
        json(node).map_err(|problem| self.problems.push(problem)).ok()
    }

    fn wrong(&mut self, node: &Node, message: &str, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.problems.push(Problem::new(node.place.clone(), message).maybe_hint(hint));
    }
}

/// A text that stands where this node does.
fn text_node(text: &str, node: &Node) -> Node {
    Node { value: Value::Text(text.to_owned()), ..node.clone() }
}
