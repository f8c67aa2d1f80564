//! Lines of a log, whatever they are: see the README beside this.

use bumpalo::Bump;
use holdfast::{
    decision::Rejection,
    event::{Event, EventType, Field, Kind, Scalar},
    wire::{
        dead_letter::{self, DeadLetter},
        decode::{Hints, decode},
        pan,
        record::{self, Record},
    },
};
use serde_json::{Map, Value};

/// Each line is decoded as the next of its log, and by itself.
pub(crate) fn holds(bytes: &[u8]) {
    let mut hints = Hints::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let arena = Bump::new();
        let record = record::open(line, &arena);
        let guided = decode(record.payload, &mut hints, &arena);
        let fresh = decode(record.payload, &mut Hints::default(), &arena);
        assert_eq!(format!("{guided:?}"), format!("{fresh:?}"), "hints change what is read");
        match guided {
            Ok(event) => is_what_is_written(event, record.payload),
            Err(rejection) => is_a_letter(&rejection, &record),
        }
        record::account_of(record.payload);
    }
}

fn is_a_letter(rejection: &Rejection, record: &Record<'_>) {
    let mut out = Vec::new();
    let letter = DeadLetter { rejection, partition: 0, offset: 0, payload: record.payload };
    dead_letter::encode(&letter, &mut out);
    assert!(!out.contains(&b'\n'), "a letter of two lines");
    let letter: Value = serde_json::from_slice(&out).expect("a letter is JSON");
    if let Some(payload) = letter["payload"].as_str().filter(|_| letter["truncated"] != true) {
        assert_eq!(pan::mask(payload.as_bytes()), payload.as_bytes(), "a card number is shown");
    }
}

/// Against a plain reading, as far as that goes.
fn is_what_is_written(event: &Event<'_>, payload: &[u8]) {
    let written = match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Object(written)) => written,
        Ok(other) => panic!("an event that is no object: {other}"),
        Err(error) => {
            // Deeper, or numbers larger, than a plain reading takes; what nobody reads may be so.
            let said = error.to_string();
            let beyond = said.contains("recursion limit") || said.contains("out of range");
            return assert!(beyond, "an event that is no JSON: {said}");
        }
    };
    for field in Field::ALL.iter().copied() {
        let value = written.get(field.name()).filter(|value| !value.is_null());
        let value = value.filter(|_| is_read(field, event.event_type));
        match field.kind() {
            Kind::Attributes => are_alike(event, value.and_then(Value::as_object)),
            Kind::Ids => {
                let ids =
                    if field == Field::EventIds { event.event_ids } else { event.except_event_ids };
                let found = ids.map(|ids| ids.iter().map(|id| Value::from(*id)).collect());
                assert_eq!(found.map(Value::Array).as_ref(), value, "{}", field.name());
            }
            Kind::Time | Kind::Amount | Kind::Integer => {
                let due = value.map(|value| match value.as_i64() {
                    // -0 is a double in a plain reading.
                    None if value.as_f64() == Some(0.0) => 0,
                    integer => integer.unwrap_or_else(|| panic!("{value} is no integer")),
                });
                assert_eq!(event.int(field), due, "{}", field.name());
            }
            _ => {
                let default = match field {
                    Field::Type => Some(event.event_type.name()),
                    Field::Tender => Some("card"),
                    _ => None,
                };
                let due = value.map(|value| value.as_str().expect("a text")).or(default);
                assert_eq!(event.text(field), due, "{}", field.name());
            }
        }
    }
}

fn are_alike(event: &Event<'_>, written: Option<&Map<String, Value>>) {
    let there = |value: &&Value| !value.is_null();
    let due = written.map_or(0, |written| written.values().filter(there).count());
    assert_eq!(event.attributes.len(), due, "attributes");
    for (name, found) in event.attributes {
        let due = &written.expect("attributes")[*name];
        let alike = match found {
            Scalar::Text(text) => due.as_str() == Some(text),
            Scalar::Int(int) => {
                due.as_i64() == Some(*int) || *int == 0 && due.as_f64() == Some(0.0)
            }
            Scalar::Bool(flag) => due.as_bool() == Some(*flag),
            // A plain reading is not exact to the last bit.
            Scalar::Double(double) => due.as_f64().is_some_and(|due| {
                let off = (due - double).abs();
                double.is_finite() && (off <= due.abs() * 1e-14 || off < f64::MIN_POSITIVE)
            }),
        };
        assert!(alike, "attributes.{name}: {found:?}, not {due}");
    }
}

/// Which fields an event of this type has at all.
fn is_read(field: Field, event_type: EventType) -> bool {
    match (event_type, field) {
        (EventType::Tick, _) => matches!(field, Field::Type | Field::EventTime),
        (EventType::Reversal, Field::RefEventId) => true,
        (EventType::Feedback, _) => field != Field::RefEventId,
        _ => field < Field::RefEventId,
    }
}
