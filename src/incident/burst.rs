//! What was spared: payments that stand although others around them were refused or called back.
//! Somebody who lost his history wants to know that his own order is not among those taken away.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Entry, Payment, Standing, list, text, texts};
use crate::event::Field;

/// A payment that was left alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spared {
    /// `event_id`
    pub event_id: String,
    /// Why it was: `excepted` by an answer, `linked` to a case, `asked` about and let stand,
    /// `during` the burst but no part of it, or within a day `before` it.
    pub why: String,
    /// The feedback that excepts it, or the case that it was linked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How long before the burst a payment belongs to the story.
const BEFORE_MS: i64 = 86_400_000;

/// The payments that were left alone, by time.
pub(super) fn spared(payments: &[Payment], timeline: &[Entry]) -> Vec<Spared> {
    let excepted: Vec<(&str, &str)> = timeline
        .iter()
        .filter(|entry| entry.kind == "feedback" && entry.is_accepted())
        // What `legitimate` excepts is said to be fraud.
        .filter(|entry| matches!(entry.text(Field::Verdict), Some("fraud" | "policy_breach")))
        .filter_map(|entry| entry.event.as_ref())
        .flat_map(|event| {
            let by = text(event, "event_id").unwrap_or("");
            texts(event, "except_event_ids").map(move |id| (id, by))
        })
        .collect();
    let decisions = || timeline.iter().filter_map(|entry| entry.decision.as_ref());
    let linked: Vec<(&str, &str)> = decisions()
        .flat_map(|decision| {
            let case = text(decision, "case_id").unwrap_or("");
            list(decision, "linked_events").iter().map(move |event| (event, case))
        })
        .filter_map(|(event, case)| Some((text(event, "event_id")?, case)))
        .collect();
    let asked: HashSet<&str> = decisions()
        .filter(|decision| text(decision, "case_id").is_some())
        .filter_map(|decision| text(decision, "event_id"))
        .collect();

    // The burst is what was refused, cancelled or called back, with what was linked to it.
    let taken = |payment: &&Payment| {
        matches!(payment.standing, Standing::Declined | Standing::Cancelled | Standing::CalledBack)
            || payment.standing == Standing::Returned && payment.answered_by.is_some()
    };
    let begins = payments.iter().filter(taken).map(|payment| payment.time).min();
    let ends = payments.iter().filter(taken).map(|payment| payment.time).max();
    let span = begins.zip(ends);

    let by = |pairs: &[(&str, &str)], id: &str| {
        pairs.iter().find(|(of, _)| *of == id).map(|(_, by)| (*by).to_owned())
    };
    let mut spared: Vec<(i64, Spared)> = Vec::new();
    for payment in payments.iter().filter(|payment| payment.standing == Standing::Paid) {
        let id = &*payment.event_id;
        let (why, by) = if let Some(by) = by(&excepted, id) {
            ("excepted", Some(by))
        } else if span.is_none() {
            continue;
        } else if let Some(case) = by(&linked, id) {
            ("linked", Some(case))
        } else if asked.contains(id) {
            ("asked", None)
        } else {
            match span {
                Some((from, to)) if (from..=to).contains(&payment.time) => ("during", None),
                Some((from, _)) if (from - BEFORE_MS..from).contains(&payment.time) => {
                    ("before", None)
                }
                _ => continue,
            }
        };
        spared.push((payment.time, Spared { event_id: id.to_owned(), why: why.to_owned(), by }));
    }
    spared.sort_by_key(|(time, _)| *time);
    spared.into_iter().map(|(_, spared)| spared).collect()
}
