//! One event out of a payload.
//!
//! There are two ways with one meaning. The scanner reads the form that almost every event has, in
//! one pass and guided by the order of fields of the events before; wherever it has a doubt it
//! gives up. Then the strict way decides and names the reason. A hint is never a fact: it changes
//! how fast an event is read, not what it says.

use bumpalo::Bump;

use super::detail;
use super::scan;
use super::strict;
use super::validate::{Draft, validate};
use crate::decision::{Reason, Rejection};
use crate::event::{Event, Field};

/// The largest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// How deep arrays and objects may nest, the event itself included. Deeper text is no JSON to us.
pub const NESTING_MAX: usize = 512;

/// Keys of one object whose order is remembered.
const HINTED_KEYS: usize = 64;

/// The order of fields of earlier events: producers rarely change it. One a thread is enough.
#[derive(Debug, Clone)]
pub struct Hints {
    fields: [Option<Field>; HINTED_KEYS],
}

impl Default for Hints {
    fn default() -> Self {
        Hints { fields: [None; HINTED_KEYS] }
    }
}

impl Hints {
    #[inline]
    pub(super) fn nth(&self, n: usize) -> Option<Field> {
        self.fields.get(n).copied().flatten()
    }

    pub(super) fn remember(&mut self, n: usize, field: Option<Field>) {
        if let Some(hint) = self.fields.get_mut(n) {
            *hint = field;
        }
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
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(detail::too_large(payload.len()));
    }
    let text = std::str::from_utf8(payload).map_err(|error| {
        let at = error.valid_up_to();
        detail::invalid_json(format!("not UTF-8: byte {at} begins no character"))
    })?;
    let draft = arena.alloc_with(Draft::new);
    if scan::scan(text, hints, arena, draft).is_none() {
        return strict::decode(text, arena);
    }
    match validate(draft) {
        Ok(()) => Ok(&draft.event),
        Err(problem) => Err(detail::rejection(problem, draft.event.event_type, None)),
    }
}

impl Rejection {
    pub(super) fn new(reason: Reason, field: Option<Field>, detail: String) -> Self {
        Rejection { reason, field: field.map(Field::name), detail }
    }
}
