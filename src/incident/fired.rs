//! Which rules held, at which events and on which values.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Entry, integer, list, text, texts};

/// A rule, and where it held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleStory {
    /// Its id; `score`, `suspended`, `confirmed_fraud` and `limit` as in decisions.
    pub rule: String,
    /// What it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The points that it gives instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<i64>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where it had a say.
    pub fired: Vec<Firing>,
    /// The events at which it held and was only watched.
    pub shadow: Vec<String>,
    /// The events at which it held and was kept quiet.
    pub suppressed: Vec<String>,
}

/// A rule had a say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// The event.
    pub event_id: String,
    /// The counters that the rule names, with their values.
    pub counters: Map<String, Value>,
}

/// The rules that held in a timeline, as they first did.
pub(super) fn stories(timeline: &[Entry]) -> Vec<RuleStory> {
    let mut stories: Vec<RuleStory> = Vec::new();
    for decision in timeline.iter().filter_map(|entry| entry.decision.as_ref()) {
        let event_id = text(decision, "event_id").unwrap_or("").to_owned();
        for reason in list(decision, "reasons") {
            let word = |name: &str| text(reason, name).map(str::to_owned);
            let story = story(&mut stories, text(reason, "rule").unwrap_or(""));
            story.category = word("category");
            // The score and a suspension ask for one thing and then another: the last is kept.
            story.action = word("action");
            story.points = integer(reason, "points");
            story.reason = word("reason");
            let counters = reason.get("counters").and_then(Value::as_object).cloned();
            let counters = counters.unwrap_or_default();
            story.fired.push(Firing { event_id: event_id.clone(), counters });
        }
        for rule in texts(decision, "shadow") {
            story(&mut stories, rule).shadow.push(event_id.clone());
        }
        for rule in texts(decision, "suppressed") {
            story(&mut stories, rule).suppressed.push(event_id.clone());
        }
    }
    stories
}

fn story<'s>(stories: &'s mut Vec<RuleStory>, rule: &str) -> &'s mut RuleStory {
    let at = stories.iter().position(|story| story.rule == rule).unwrap_or_else(|| {
        stories.push(RuleStory { rule: rule.to_owned(), ..RuleStory::default() });
        stories.len() - 1
    });
    &mut stories[at]
}
