//! A line of a log: an event by itself, or in an envelope that brings its place along.
//!
//! An envelope is what `kcat -J` writes. Only it is looked at here, never the event in it: whatever
//! is no envelope is bare, and decoding will say what it is worth.

use std::sync::LazyLock;

use bumpalo::Bump;
use memchr::memmem::Finder;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

pub use super::partition::partition_of;

/// What a line carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The partition that its envelope names; `None` if it is bare.
    pub partition: Option<i32>,
    /// The offset that its envelope names; `None` if it is bare.
    pub offset: Option<i64>,
    /// The record's own time in epoch milliseconds, if its envelope has one.
    pub timestamp_ms: Option<i64>,
    /// The event as text, or what stands in its place.
    pub payload: &'a [u8],
}

/// Has the line nothing in it? It is no event then.
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

impl<'a> Record<'a> {
    /// A line that stands without its `\n` as an event by itself; one `\r` at its end is no part
    /// of it.
    #[inline]
    pub fn bare(line: &'a [u8]) -> Record<'a> {
        let payload = line.strip_suffix(b"\r").unwrap_or(line);
        Record { partition: None, offset: None, timestamp_ms: None, payload }
    }
}

/// Does a line begin as the envelopes of `kcat` do? An envelope may begin otherwise.
#[inline]
pub fn begins_as_envelope(line: &[u8]) -> bool {
    line.starts_with(b"{\"topic\":")
}

/// Opens a line that stands without its `\n`; one `\r` at its end is no part of it.
pub fn open<'a>(line: &'a [u8], arena: &'a Bump) -> Record<'a> {
    static PAYLOAD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"payload\""));
    let bare = Record::bare(line);
    match PAYLOAD.find(bare.payload) {
        Some(_) => envelope(bare.payload, arena).unwrap_or(bare),
        None => bare,
    }
}

/// The `account_id` of a payload, however wrong it is in all else (too large, say, or given twice:
/// the last one counts), as long as it is JSON. A rejected line without a partition of its own is
/// spread by it.
pub fn account_of(payload: &[u8]) -> Option<String> {
    let payload = payload.strip_prefix("\u{feff}".as_bytes()).unwrap_or(payload);
    std::str::from_utf8(payload).ok().filter(|_| is_strict_in_controls(payload))?;
    let arena = Bump::new();
    let mut json = serde_json::Deserializer::from_slice(payload);
    let account = json.deserialize_map(Account(&arena)).ok()?;
    json.end().ok()?;
    String::from_utf8(account?.to_vec()).ok()
}

/// Text that is read as bytes may hold raw control characters, which is no JSON. They are rare even
/// as blanks, so that reading a text that has one twice costs nothing.
fn is_strict_in_controls(json: &[u8]) -> bool {
    let has_controls = json.iter().fold(false, |found, byte| found | (*byte < b' '));
    !has_controls || serde_json::from_slice::<IgnoredAny>(json).is_ok()
}

fn envelope<'a>(line: &'a [u8], arena: &'a Bump) -> Option<Record<'a>> {
    if !is_strict_in_controls(line) {
        return None;
    }
    let mut json = serde_json::Deserializer::from_slice(line);
    let envelope = json.deserialize_map(EnvelopeVisitor(arena)).ok()?;
    json.end().ok()?;
    let integer = |written: &RawValue| written.get().parse::<i64>().ok();
    let is_unknown = |tstype: &RawValue| {
        serde_json::from_str::<std::borrow::Cow<'_, str>>(tstype.get())
            .is_ok_and(|tstype| tstype == "unknown")
    };
    if !envelope.topic {
        return None;
    }
    let partition = i32::try_from(integer(envelope.partition?)?).ok().filter(|p| *p >= 0)?;
    let timestamp_ms = match envelope.tstype {
        Some(tstype) if is_unknown(tstype) => None,
        _ => envelope.ts.and_then(integer).filter(|ts| *ts >= 0),
    };
    Some(Record {
        partition: Some(partition),
        offset: Some(integer(envelope.offset?)?),
        timestamp_ms,
        payload: envelope.payload?,
    })
}

/// The members of an envelope, each as given last.
#[derive(Default)]
struct Envelope<'a> {
    topic: bool,
    partition: Option<&'a RawValue>,
    offset: Option<&'a RawValue>,
    tstype: Option<&'a RawValue>,
    ts: Option<&'a RawValue>,
    payload: Option<&'a [u8]>,
}

struct EnvelopeVisitor<'a>(&'a Bump);

impl<'de> Visitor<'de> for EnvelopeVisitor<'de> {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(name) = map.next_key_seed(Bytes(self.0))? {
            match name {
                b"topic" => {
                    map.next_value::<IgnoredAny>()?;
                    envelope.topic = true;
                }
                b"partition" => envelope.partition = Some(map.next_value()?),
                b"offset" => envelope.offset = Some(map.next_value()?),
                b"tstype" => envelope.tstype = Some(map.next_value()?),
                b"ts" => envelope.ts = Some(map.next_value()?),
                b"payload" => {
                    let payload = map.next_value_seed(NullableBytes(self.0))?;
                    envelope.payload = Some(payload.unwrap_or_default());
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(envelope)
    }
}

struct Account<'a>(&'a Bump);

impl<'de: 'a, 'a> Visitor<'de> for Account<'a> {
    type Value = Option<&'a [u8]>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut account = None;
        while let Some(name) = map.next_key_seed(Bytes(self.0))? {
            if name != b"account_id" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let written = map.next_value::<&'de RawValue>()?.get();
            account =
                Bytes(self.0).deserialize(&mut serde_json::Deserializer::from_str(written)).ok();
        }
        Ok(account)
    }
}

/// Text as the bytes that it stands for. What is no Unicode, raw or escaped, stays in it.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a Bump);

impl<'de: 'a, 'a> DeserializeSeed<'de> for Bytes<'a> {
    type Value = &'a [u8];
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_bytes(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Bytes<'a> {
    type Value = &'a [u8];
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("text")
    }
    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(bytes)
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.alloc_slice_copy(bytes))
    }
}

/// The same, or null.
struct NullableBytes<'a>(&'a Bump);

impl<'de: 'a, 'a> DeserializeSeed<'de> for NullableBytes<'a> {
    type Value = Option<&'a [u8]>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for NullableBytes<'a> {
    type Value = Option<&'a [u8]>;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("text or null")
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        Bytes(self.0).deserialize(json).map(Some)
    }
}
