//! The step of one record: bytes in, an admitted event out, or the reason why not. The same for
//! every source, so that a log gives the same answer wherever it is read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bumpalo::Bump;

use crate::{
    decision::{Reason, Rejection},
    engine::ruleset::Input,
    event::Event,
    wire::{
        decode::{self, Hints},
        pan,
        record::Record,
    },
};

/// Decodes a record's event, and checks what can be checked without the log: its form, that no
/// token of it is a card number, and that it is not ahead of its record.
///
/// # Errors
/// Why it is refused.
pub fn admit<'a>(
    record: &Record<'a>,
    input: &Input,
    hints: &mut Hints,
    arena: &'a Bump,
) -> Result<&'a Event<'a>, Rejection> {
    // Nothing has changed yet: a defect in here costs one dead letter and not the stream.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode::decode(record.payload, hints, arena)));
    let event = decoded.unwrap_or_else(|_| {
        *hints = Hints::default();
        let detail = "the program failed to decode it; please report this".to_owned();
        Err(Rejection { reason: Reason::Internal, field: None, detail })
    })?;
    if let Some(field) = pan::pan_field(event, &input.pan_check) {
        return Err(pan::rejection(field));
    }
    if let Some(timestamp_ms) = record.timestamp_ms
        && event.time > timestamp_ms.saturating_add(input.max_future_ms)
    {
        let detail = format!(
            "event_time is {} ms past its record's timestamp, more than max_future ({} ms)",
            event.time - timestamp_ms,
            input.max_future_ms
        );
        return Err(Rejection { reason: Reason::FutureTime, field: Some("event_time"), detail });
    }
    Ok(event)
}
