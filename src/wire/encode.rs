//! Decisions as bytes: one JSON object each, written straight out, always in the same order of
//! fields. A pure function of the decision; where it goes is not known here.

use sha2::{Digest, Sha256};

use super::put::{double, hex, integer, raw, text};
use crate::{
    decision::{Because, Decision, Effect},
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
    raw("],\"state\":\"", out);
    raw(decision.state.name(), out);
    raw("\",\"ruleset\":\"", out);
    raw(decision.ruleset, out);
    raw("\"}", out);
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

/// 128 bits of a hash of account, event, the clock just after it, action and ruleset: unique in a
/// log, because the clock tells an event from one of its name that was accepted long before.
fn decision_id(decision: &Decision<'_>, out: &mut Vec<u8>) {
    // What is hashed lies in one piece, for a moment where its hash will be.
    let begin = out.len();
    for part in [decision.event.account(), decision.event.id()] {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        raw(part, out);
    }
    out.extend_from_slice(&decision.clock_ms.to_le_bytes());
    raw(decision.action.name(), out);
    raw(decision.ruleset, out);
    let hash: [u8; 32] = Sha256::digest(&out[begin..]).into();
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
