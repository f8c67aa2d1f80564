//! Which answers count. A rule may name the sources that answer for it (`answer_by`); what others
//! say goes into the timeline, and changes nothing. Told from what was written, as everything here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Entry, integer, list, text, texts};
use crate::{
    config::Settings,
    engine::{Ruleset, SCORE},
    event::Field,
};

/// A case that is alive.
#[derive(Default)]
struct Alive {
    target: Value,
    /// By its place in the ruleset, the rule that opened or suspended it; none if feedback did.
    rule: Option<usize>,
    /// The events that it asks about: id, card and time.
    asked: Vec<(String, Option<String>, i64)>,
}

impl Alive {
    /// Does a feedback speak of it?
    fn is_meant(&self, case_id: &str, entry: &Entry) -> bool {
        let Some(event) = &entry.event else { return false };
        let (from, to) = (integer(event, "from"), integer(event, "to"));
        let asks = |is: &dyn Fn(&str, Option<&str>) -> bool| {
            self.asked.iter().any(|(id, card, time)| {
                from.is_none_or(|from| from <= *time)
                    && to.is_none_or(|to| *time <= to)
                    && is(id, card.as_deref())
            })
        };
        let whole = from.is_none() && to.is_none();
        if let Some(named) = entry.text(Field::CaseId) {
            named == case_id && (whole || asks(&|_, _| true)) || asks(&|id, _| id == named)
        } else if event.get("event_ids").is_some() {
            asks(&|id, _| texts(event, "event_ids").any(|named| named == id))
        } else if let Some(card) = entry.text(Field::CardId) {
            asks(&|_, of| of == Some(card))
                || whole && text(&self.target, Field::CardId.name()) == Some(card)
        } else {
            whole || asks(&|_, _| true)
        }
    }
}

/// Marks the answers of a log, in its order, that no case which they speak of takes from them.
pub(super) fn mark(log: &mut [Entry], settings: &Settings) {
    let ruleset = &settings.ruleset;
    let mut cases: BTreeMap<String, Alive> = BTreeMap::new();
    for entry in log {
        if may_be_unheard(entry) {
            let source = entry.text(Field::Source).unwrap_or("");
            let hears = |case: &Alive| {
                case.rule.is_none_or(|rule| ruleset.hold(rule).life.is_answered_by(source))
            };
            let mut meant = cases.iter().filter(|(id, case)| case.is_meant(id, entry)).peekable();
            if meant.peek().is_some() && !meant.any(|(_, case)| hears(case)) {
                entry.counts = Some(false);
            }
        }
        for record in &entry.case_records {
            let id = text(record, "case_id").unwrap_or("").to_owned();
            if text(record, "status") == Some("closed") {
                cases.remove(&id);
                continue;
            }
            let is_new = !cases.contains_key(&id);
            let case = cases.entry(id).or_default();
            case.target = record["target"].clone();
            if let Some(decision) = &entry.decision
                && (is_new || text(record, "status") == Some("suspended"))
                && let Some(rule) = counting(decision, ruleset)
            {
                case.rule = Some(rule);
            }
        }
        if let Some(decision) = &entry.decision
            && integer(decision, "expires_at").is_some()
            && let (Some(id), Some(case)) = (
                text(decision, "event_id"),
                text(decision, "case_id").and_then(|case| cases.get_mut(case)),
            )
        {
            let card = text(decision, "card_id").map(str::to_owned);
            case.asked.push((id.to_owned(), card, integer(decision, "event_time").unwrap_or(0)));
        }
    }
}

/// An answer that counts only from some sources, was taken note of, and did nothing.
fn may_be_unheard(entry: &Entry) -> bool {
    entry.kind == "feedback"
        && entry.fate.as_deref() == Some("applied")
        && matches!(entry.text(Field::Verdict), Some("legitimate" | "policy_breach" | "restored"))
        && entry.follow_ups.is_empty()
        && entry.case_records.is_empty()
}

/// The rule that counted for a decision: of those whose action it took, the one with the widest
/// target, then the first; the score comes after all rules. None if a suspension decided.
fn counting(decision: &Value, ruleset: &Ruleset) -> Option<usize> {
    let action = text(decision, "action");
    let place = |reason: &Value| match text(reason, "rule")? {
        SCORE => Some(ruleset.rules.len()),
        id => ruleset.rules.iter().position(|rule| rule.id == id),
    };
    let won = list(decision, "reasons").iter().filter(|reason| text(reason, "action") == action);
    won.filter_map(place).min_by_key(|rule| (ruleset.hold(*rule).scope.width(), *rule))
}
