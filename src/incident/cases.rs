//! The cases of an account: what each was about, which rules opened it, and how its status went.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Entry, list, local, text};

/// A case from its opening to the end of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseStory {
    /// The event that opened it.
    pub case_id: String,
    /// What it is about, as its records say.
    pub target: Value,
    /// The rules that asked for the action that opened it; none where an analyst did.
    pub rules: Vec<String>,
    /// Each status that it came to.
    pub history: Vec<Change>,
    /// Its totals at the end, as its records say.
    pub totals: Value,
}

/// A case came to a status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When, in epoch ms.
    pub time: i64,
    /// The same in the time zone of the report.
    pub local_time: String,
    /// `open`, `suspended`, `confirmed` or `closed`.
    pub status: String,
    /// What did it, as the record says.
    pub trigger: Value,
}

/// The cases of a timeline, as they were opened.
pub(super) fn stories(timeline: &[Entry], zone: &TimeZone) -> Vec<CaseStory> {
    let mut stories: Vec<CaseStory> = Vec::new();
    for entry in timeline {
        for record in &entry.case_records {
            let id = text(record, "case_id").unwrap_or("");
            let at = stories.iter().rposition(|story| story.case_id == id);
            let story = match at {
                Some(at) => &mut stories[at],
                None => {
                    stories.push(CaseStory {
                        case_id: id.to_owned(),
                        target: record["target"].clone(),
                        rules: opened_by(entry, id),
                        history: Vec::new(),
                        totals: Value::Null,
                    });
                    let last = stories.len() - 1;
                    &mut stories[last]
                }
            };
            story.totals = record["totals"].clone();
            let status = text(record, "status").unwrap_or("");
            if story.history.last().is_none_or(|last| last.status != status) {
                let time = entry.time.unwrap_or(0);
                story.history.push(Change {
                    time,
                    local_time: local(time, zone),
                    status: status.to_owned(),
                    trigger: record["trigger"].clone(),
                });
            }
        }
    }
    stories
}

/// The rules whose action the decision took that opened a case, if it was the one of this entry.
fn opened_by(entry: &Entry, case_id: &str) -> Vec<String> {
    let Some(decision) = &entry.decision else { return Vec::new() };
    if text(decision, "event_id") != Some(case_id) {
        return Vec::new();
    }
    let action = text(decision, "action");
    let asked = |reason: &&Value| text(reason, "action") == action;
    let reasons = list(decision, "reasons").iter().filter(asked);
    reasons.filter_map(|reason| text(reason, "rule")).map(str::to_owned).collect()
}
