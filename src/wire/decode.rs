//! One event out of a payload.
//!
//! There are two ways with one meaning. The scanner reads the form that almost every event has, in
//! one pass and guided by the order of fields of the events before; wherever it has a doubt it
//! gives up. Then the strict way decides and names the reason. A hint is never a fact: it changes
//! how fast an event is read, not what it says.

use bumpalo::Bump;

use super::detail;
use super::scan::{self, NAMES, Name};
use super::strict;
use super::validate::{Draft, validate};
use crate::decision::{Reason, Rejection};
use crate::event::{Event, Field};

/// The largest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// How deep arrays and objects may nest, the event itself included. Deeper text is no JSON to us.
pub const NESTING_MAX: usize = 512;

/// Which field followed which in earlier events: producers rarely change their order. One a thread
/// is enough.
#[derive(Debug, Clone)]
pub struct Hints {
    /// By the field before; the last is that of the first field.
    after: [&'static Name; Field::COUNT + 1],
}

impl Default for Hints {
    fn default() -> Self {
        Hints { after: [&NAMES[0]; Field::COUNT + 1] }
    }
}

impl Hints {
    #[inline]
    pub(super) fn after(&self, last: Option<Field>) -> &'static Name {
        self.after[last.map_or(Field::COUNT, |field| field as usize)]
    }

    pub(super) fn remember(&mut self, last: Option<Field>, next: &'static Name) {
        self.after[last.map_or(Field::COUNT, |field| field as usize)] = next;
    }
}

/// Reads one event, into `arena`. Its text borrows from `payload`, or from `arena` where an escape had to be
/// undone.
///
/// # Errors
///
/// A [`Rejection`] for what is wrong with its form: too large, not JSON, or the first field of the
/// table that is missing or invalid.
pub fn decode<'a>(
    payload: &'a [u8],
    hints: &mut Hints,
    arena: &'a Bump,
) -> Result<&'a Event<'a>, Rejection> {
    usual(payload, hints, arena).unwrap_or_else(|| unusual(payload, arena))
}

/// Reads one event if it has the form that almost every event has. A line of that form is bare: it
/// has no member `payload`, and so it is no envelope.
#[inline]
pub fn usual<'a>(
    payload: &'a [u8],
    hints: &mut Hints,
    arena: &'a Bump,
) -> Option<Result<&'a Event<'a>, Rejection>> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return None;
    }
    let text = simdutf8::basic::from_utf8(payload).ok()?;
    let draft = arena.alloc_with(Draft::new);
    scan::scan(text, hints, arena, draft)?;
    Some(match validate(draft) {
        Ok(()) => Ok(&draft.event),
        Err(problem) => Err(detail::rejection(problem, draft.event.event_type, None)),
    })
}

/// Reads one event of whatever form, in the strict way alone.
///
/// # Errors
/// As [`decode`].
pub fn unusual<'a>(payload: &'a [u8], arena: &'a Bump) -> Result<&'a Event<'a>, Rejection> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(detail::too_large(payload.len()));
    }
    let text = std::str::from_utf8(payload).map_err(|error| {
        let at = error.valid_up_to();
        detail::invalid_json(format!("not UTF-8: byte {at} begins no character"))
    })?;
    strict::decode(text, arena)
}

impl Rejection {
    pub(super) fn new(reason: Reason, field: Option<Field>, detail: String) -> Self {
        Rejection { reason, field: field.map(Field::name), detail }
    }
}
