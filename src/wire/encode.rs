//! Decisions as bytes: one JSON object each, written straight out, always in the same order of
//! fields. A pure function of the decision; where it goes is not known here.

use sha2::{Digest, Sha256};

use crate::{
    decision::{Because, Decision, Effect},
    event::{Event, Field},
    window::spec::Reading,
};

/// Appends a decision, without a line end.
pub fn decision(decision: &Decision<'_>, out: &mut Vec<u8>) {
    let event = decision.event;
    raw(out, "{\"schema\":\"holdfast.decision/1\",\"decision_id\":\"");
    decision_id(decision, out);
    raw(out, "\"");
    identity(event, out);
    raw(out, ",\"action\":\"");
    raw(out, decision.action.name());
    raw(out, "\",\"score\":");
    integer(decision.score, out);
    raw(out, ",\"reasons\":[");
    separated(&decision.reasons, out, because);
    raw(out, "],\"shadow\":[");
    separated(&decision.shadow, out, |id, out| text(id, out));
    raw(out, "],\"suppressed\":[");
    separated(&decision.suppressed, out, |id, out| text(id, out));
    raw(out, "],\"state\":\"");
    raw(out, decision.state.name());
    raw(out, "\",\"ruleset\":\"");
    raw(out, decision.ruleset);
    raw(out, "\"}");
}

/// Appends the value of a counter: an integer, or the shortest decimal that reads back as the same
/// double.
pub fn reading(reading: Reading, out: &mut Vec<u8>) {
    match reading {
        // Most counts have one digit.
        Reading::Int(value @ 0..=9) => out.push(b'0' + value as u8),
        Reading::Int(value) => integer(value, out),
        Reading::Double(value) => raw(out, ryu::Buffer::new().format(value)),
    }
}

/// The fields by which the event is known again.
fn identity(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut field = |field: Field| {
        if let Some(value) = event.text(field) {
            raw(out, ",\"");
            raw(out, field.name());
            raw(out, "\":");
            text(value, out);
        } else if let Some(value) = event.int(field) {
            raw(out, ",\"");
            raw(out, field.name());
            raw(out, "\":");
            integer(value, out);
        }
    };
    field(Field::EventId);
    field(Field::EventTime);
    field(Field::AccountId);
    field(Field::CardId);
    field(Field::OrderId);
    field(Field::Tender);
    field(Field::AmountMinor);
    field(Field::Currency);
}

fn because(because: &Because<'_>, out: &mut Vec<u8>) {
    raw(out, "{\"rule\":");
    text(because.rule, out);
    if let Some(category) = because.category {
        raw(out, ",\"category\":\"");
        raw(out, category.name());
        raw(out, "\"");
    }
    match because.effect {
        Effect::Act(action) => {
            raw(out, ",\"action\":\"");
            raw(out, action.name());
            raw(out, "\"");
        }
        Effect::Points(points) => {
            raw(out, ",\"points\":");
            integer(points, out);
        }
    }
    if let Some(reason) = because.reason {
        raw(out, ",\"reason\":");
        text(reason, out);
    }
    if let Some(counters) = &because.counters {
        raw(out, ",\"counters\":{");
        separated(counters, out, |(name, value), out| {
            text(name, out);
            raw(out, ":");
            reading(*value, out);
        });
        raw(out, "}");
    }
    raw(out, "}");
}

/// 128 bits of a hash of account, event, the clock just after it, action and ruleset: unique in a
/// log, because the clock tells an event from one of its name that was accepted long before.
fn decision_id(decision: &Decision<'_>, out: &mut Vec<u8>) {
    const BYTES: usize = 16;
    let mut hash = Sha256::new();
    for part in [decision.event.account(), decision.event.id()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(decision.clock_ms.to_le_bytes());
    hash.update(decision.action.name());
    hash.update(decision.ruleset);
    for byte in &hash.finalize()[..BYTES] {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn separated<T>(items: &[T], out: &mut Vec<u8>, each: impl Fn(&T, &mut Vec<u8>)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            raw(out, ",");
        }
        each(item, out);
    }
}

fn raw(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn integer(value: i64, out: &mut Vec<u8>) {
    raw(out, itoa::Buffer::new().format(value));
}

/// A JSON string.
fn text(value: &str, out: &mut Vec<u8>) {
    let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
    if value.as_bytes().iter().all(plain) {
        out.push(b'"');
        raw(out, value);
        out.push(b'"');
    } else {
        serde_json::to_writer(out, value).expect("a vector takes every byte");
    }
}
