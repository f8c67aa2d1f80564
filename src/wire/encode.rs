//! Decisions as bytes: one JSON object each, written straight out, always in the same order of
//! fields. A pure function of the decision; where it goes is not known here.

use sha2::Digest;

use super::put::{double, hex, integer, raw, text};
use crate::{
    decision::{
        Because, CaseRecord, CaseTarget, Decision, Effect, FieldValue, Filed, FollowUp, RulesetId,
        Subject, Trigger,
    },
    event::{Event, Field},
    window::spec::Reading,
};

/// Appends a decision, without a line end.
pub fn decision(decision: &Decision<'_>, out: &mut Vec<u8>) {
    let event = decision.event;
    raw("{\"schema\":\"holdfast.decision/1\",\"decision_id\":\"", out);
    decision_id(decision, out);
    raw("\"", out);
    identity(event, out);
    raw(",\"action\":\"", out);
    raw(decision.action.name(), out);
    raw("\",\"score\"", out);
    integer(b':', decision.score, out);
    raw(",\"reasons\":[", out);
    separated(&decision.reasons, out, because);
    raw("],\"shadow\":[", out);
    separated(&decision.shadow, out, |id, out| text("\"", id, out));
    raw("],\"suppressed\":[", out);
    separated(&decision.suppressed, out, |id, out| text("\"", id, out));
    raw("]", out);
    filed(&decision.filed, out);
    raw(",\"state\":\"", out);
    raw(decision.state.name(), out);
    raw("\",\"ruleset\":\"", out);
    raw(decision.ruleset, out);
    raw("\"}", out);
}

/// Appends the record that from an offset of a partition on another ruleset decides it.
pub fn ruleset(partition: i32, offset: i64, former: &str, ruleset: &str, out: &mut Vec<u8>) {
    raw("{\"schema\":\"holdfast.ruleset/1\",\"partition\"", out);
    integer(b':', partition.into(), out);
    raw(",\"offset\"", out);
    integer(b':', offset, out);
    text(",\"former\":\"", former, out);
    text(",\"ruleset\":\"", ruleset, out);
    raw("}", out);
}

/// Appends an event that does nothing but move the deadlines of a quiet partition.
pub fn tick(time_ms: i64, out: &mut Vec<u8>) {
    raw("{\"type\":\"tick\",\"event_time\"", out);
    integer(b':', time_ms, out);
    raw("}", out);
}

/// Appends a decision about an earlier event, without a line end.
pub fn follow_up(follow_up: &FollowUp<'_>, out: &mut Vec<u8>) {
    let FollowUp { subject, answer, case_id, ruleset, .. } = follow_up;
    raw("{\"schema\":\"holdfast.decision/1\",\"decision_id\":\"", out);
    let begin = out.len();
    name(subject.account_id, subject.event_id, subject.clock_ms, answer.name(), out);
    trigger(&follow_up.trigger, out);
    hash(begin, ruleset, out);
    raw("\",\"event_id\":", out);
    subject_from_id(subject, true, out);
    raw(",\"action\":\"", out);
    raw(answer.name(), out);
    text("\",\"case_id\":\"", case_id, out);
    raw(",\"trigger\":", out);
    trigger(&follow_up.trigger, out);
    raw(",\"ruleset\":\"", out);
    raw(ruleset, out);
    raw("\"}", out);
}

/// Appends where a case stands, without a line end.
pub fn case_record(record: &CaseRecord<'_>, out: &mut Vec<u8>) {
    text("{\"schema\":\"holdfast.case/1\",\"case_id\":\"", record.case_id, out);
    text(",\"account_id\":\"", record.account_id, out);
    text(",\"target\":{\"account_id\":\"", record.account_id, out);
    match &record.target {
        CaseTarget::Event(event_id) => text(",\"event_id\":\"", event_id, out),
        CaseTarget::Fields(fields) => {
            for (name, value) in fields {
                text(",\"", name, out);
                match value {
                    None => raw(":null", out),
                    Some(FieldValue::Text(value)) => text(":\"", value, out),
                    Some(FieldValue::Int(value)) => integer(b':', *value, out),
                    Some(FieldValue::Bool(true)) => raw(":true", out),
                    Some(FieldValue::Bool(false)) => raw(":false", out),
                }
            }
        }
    }
    raw("},\"status\":\"", out);
    raw(record.status, out);
    raw("\",\"trigger\":", out);
    trigger(&record.trigger, out);
    raw(",\"totals\":[", out);
    let amount = |before: &str, amount: i64, out: &mut Vec<u8>| {
        raw(before, out);
        integer(b':', amount, out);
    };
    separated(&record.totals, out, |total, out| {
        text("{\"tender\":\"", total.tender, out);
        text(",\"currency\":\"", total.currency, out);
        amount(",\"pending\"", total.pending, out);
        amount(",\"passed\"", total.passed, out);
        amount(",\"released\"", total.released, out);
        amount(",\"cancelled\"", total.cancelled, out);
        amount(",\"reversed\"", total.reversed, out);
        amount(",\"withdrawn\"", total.withdrawn, out);
        raw("}", out);
    });
    raw("],\"ruleset\":\"", out);
    raw(record.ruleset, out);
    raw("\"}", out);
}

/// What a decision has to do with a case.
fn filed(filed: &Filed<'_>, out: &mut Vec<u8>) {
    if let Some(case_id) = filed.case_id {
        text(",\"case_id\":\"", case_id, out);
    }
    if !filed.linked.is_empty() {
        raw(",\"linked_events\":[", out);
        separated(&filed.linked, out, |linked, out| {
            raw("{\"event_id\":", out);
            subject_from_id(&linked.subject, false, out);
            raw(",\"standing\":\"", out);
            raw(linked.standing, out);
            raw("\"}", out);
        });
        raw("]", out);
    }
    if filed.truncated {
        raw(",\"linked_truncated\":true", out);
    }
    if let Some(expires_ms) = filed.expires_ms {
        raw(",\"expires_at\"", out);
        integer(b':', expires_ms, out);
    }
}

/// An earlier authorization, from the value of its `event_id` on; with its account if asked.
fn subject_from_id(subject: &Subject<'_>, account: bool, out: &mut Vec<u8>) {
    text("\"", subject.event_id, out);
    raw(",\"event_time\"", out);
    integer(b':', subject.time_ms, out);
    if account {
        text(",\"account_id\":\"", subject.account_id, out);
    }
    if let Some(card_id) = subject.card_id {
        text(",\"card_id\":\"", card_id, out);
    }
    if let Some(order_id) = subject.order_id {
        text(",\"order_id\":\"", order_id, out);
    }
    text(",\"tender\":\"", subject.tender, out);
    raw(",\"amount_minor\"", out);
    integer(b':', subject.amount_minor, out);
    text(",\"currency\":\"", subject.currency, out);
}

fn trigger(trigger: &Trigger<'_>, out: &mut Vec<u8>) {
    match trigger {
        Trigger::Decision(event_id) => {
            text("{\"type\":\"decision\",\"event_id\":\"", event_id, out);
        }
        Trigger::Reversal(event_id) => {
            text("{\"type\":\"reversal\",\"event_id\":\"", event_id, out);
        }
        Trigger::Feedback { event_id, verdict, source } => {
            text("{\"type\":\"feedback\",\"event_id\":\"", event_id, out);
            text(",\"verdict\":\"", verdict, out);
            text(",\"source\":\"", source, out);
        }
        Trigger::Expiry(time_ms) => {
            raw("{\"type\":\"expiry\",\"time\"", out);
            integer(b':', *time_ms, out);
        }
    }
    raw("}", out);
}

/// Appends a byte that stands before the value of a counter, and the value: an integer, or the
/// shortest decimal that reads back as the same double.
#[inline(always)]
pub fn reading(before: u8, reading: Reading, out: &mut Vec<u8>) {
    match reading {
        Reading::Int(value) => integer(before, value, out),
        Reading::Double(value) => double(before, value, out),
    }
}

/// The fields by which the event is known again. Their names are written out here, so that they
/// and what is around them are one copy.
fn identity(event: &Event<'_>, out: &mut Vec<u8>) {
    let field = |before: &str, field, out: &mut Vec<u8>| {
        if let Some(value) = event.text(field) {
            text(before, value, out);
        }
    };
    field(",\"event_id\":\"", Field::EventId, out);
    raw(",\"event_time\"", out);
    integer(b':', event.time, out);
    field(",\"account_id\":\"", Field::AccountId, out);
    field(",\"card_id\":\"", Field::CardId, out);
    field(",\"order_id\":\"", Field::OrderId, out);
    field(",\"tender\":\"", Field::Tender, out);
    if let Some(amount) = event.amount_minor {
        raw(",\"amount_minor\"", out);
        integer(b':', amount, out);
    }
    field(",\"currency\":\"", Field::Currency, out);
}

fn because(because: &Because<'_>, out: &mut Vec<u8>) {
    text("{\"rule\":\"", because.rule, out);
    if let Some(category) = because.category {
        raw(",\"category\":\"", out);
        raw(category.name(), out);
        raw("\"", out);
    }
    match because.effect {
        Effect::Act(action) => {
            raw(",\"action\":\"", out);
            raw(action.name(), out);
            raw("\"", out);
        }
        Effect::Points(points) => {
            raw(",\"points\"", out);
            integer(b':', points, out);
        }
    }
    if let Some(reason) = because.reason {
        text(",\"reason\":\"", reason, out);
    }
    if let Some(counters) = &because.counters {
        raw(",\"counters\":{", out);
        separated(counters, out, |(name, value), out| {
            text("\"", name, out);
            reading(b':', *value, out);
        });
        raw("}", out);
    }
    raw("}", out);
}

/// 128 bits of a hash of account, event, the clock just after it, action, trigger and ruleset:
/// unique in a log, because the clock tells an event from one of its name that was accepted long
/// before.
fn decision_id(decision: &Decision<'_>, out: &mut Vec<u8>) {
    let (event, begin) = (decision.event, out.len());
    name(event.account(), event.id(), decision.clock_ms, decision.action.name(), out);
    hash(begin, decision.ruleset, out);
}

/// What is hashed lies in one piece, for a moment where its hash will be. Behind the ruleset, which
/// is a block that has been taken in already, most of it is one block.
fn name(account: &str, event: &str, clock_ms: i64, action: &str, out: &mut Vec<u8>) {
    for part in [account, event] {
        out.extend_from_slice(&(part.len() as u16).to_le_bytes());
        raw(part, out);
    }
    out.extend_from_slice(&clock_ms.to_le_bytes());
    raw(action, out);
}

fn hash(begin: usize, ruleset: &RulesetId, out: &mut Vec<u8>) {
    let hash: [u8; 32] = ruleset.hash().chain_update(&out[begin..]).finalize().into();
    out.truncate(begin);
    let (halves, _) = hash.as_chunks::<16>();
    hex(&halves[0], out);
}

fn separated<T>(items: &[T], out: &mut Vec<u8>, each: impl Fn(&T, &mut Vec<u8>)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        each(item, out);
    }
}
