//! The step of one record: bytes in, an admitted event out, or the reason why not. The same for
//! every source, so that a log gives the same answer wherever it is read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bumpalo::Bump;

use super::ports::Arrived;
use crate::{
    decision::{Reason, Rejection},
    engine::ruleset::Input,
    event::Event,
    wire::{
        decode::{self, Hints},
        pan,
        record::{self, Record},
    },
};

/// The record that a line is, which stands without its `\n`, and its event, or why that is refused.
pub fn line<'a>(
    line: &'a [u8],
    input: &Input,
    hints: &mut Hints,
    arena: &'a Bump,
) -> (Record<'a>, Result<&'a Event<'a>, Rejection>) {
    let mut record = Record::bare(line);
    let decoded = guarded(hints, |hints| {
        // Almost every line is a bare event, which costs less to read than to be told as bare.
        if !record::begins_as_envelope(line)
            && let Some(event) = decode::usual(record.payload, hints, arena)
        {
            return event;
        }
        record = record::open(line, arena);
        match record.partition {
            None => decode::unusual(record.payload, arena),
            Some(_) => decode::decode(record.payload, hints, arena),
        }
    });
    let event = decoded.and_then(|event| check(event, record.timestamp_ms, input).map(|()| event));
    (record, event)
}

/// The event of a record of a topic, or why it is refused.
///
/// # Errors
/// The reason, as it stands in the dead letter.
pub fn arrived<'a>(
    record: &Arrived<'a>,
    input: &Input,
    hints: &mut Hints,
    arena: &'a Bump,
) -> Result<&'a Event<'a>, Rejection> {
    let decoded = guarded(hints, |hints| decode::decode(record.payload, hints, arena));
    decoded.and_then(|event| check(event, record.timestamp_ms, input).map(|()| event))
}

/// Nothing has changed yet: a defect in here costs one dead letter and not the stream.
fn guarded<'a>(
    hints: &mut Hints,
    decode: impl FnOnce(&mut Hints) -> Result<&'a Event<'a>, Rejection>,
) -> Result<&'a Event<'a>, Rejection> {
    catch_unwind(AssertUnwindSafe(|| decode(hints))).unwrap_or_else(|_| {
        *hints = Hints::default();
        let detail = "the program failed to decode it; please report this".to_owned();
        Err(Rejection { reason: Reason::Internal, field: None, detail })
    })
}

/// Checks what can be checked without the log: that no token of an event is a card number, and
/// that it is not ahead of its record.
fn check(event: &Event<'_>, timestamp_ms: Option<i64>, input: &Input) -> Result<(), Rejection> {
    if let Some(field) = pan::pan_field(event, &input.pan_check) {
        return Err(pan::rejection(field));
    }
    if let Some(timestamp_ms) = timestamp_ms
        && event.time > timestamp_ms.saturating_add(input.max_future_ms)
    {
        let detail = format!(
            "event_time is {} ms past its record's timestamp, more than max_future ({} ms)",
            event.time - timestamp_ms,
            input.max_future_ms
        );
        return Err(Rejection { reason: Reason::FutureTime, field: Some("event_time"), detail });
    }
    Ok(())
}
