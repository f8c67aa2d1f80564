//! The counters of decided events as CSV (RFC 4180): a header, and a line for each event.

use super::{encode, put};
use crate::{decision::Decision, window::spec::Counter};

/// Appends the header: the names of what a [`line()`] holds.
pub fn header(counters: &[Counter], out: &mut Vec<u8>) {
    put::raw("event_id,", out);
    for counter in counters {
        put::raw(&counter.name, out);
        out.push(b',');
    }
    put::raw("action\n", out);
}

/// Appends the event, the value of each counter, nothing for one that has none, and the action.
pub fn line(decision: &Decision<'_>, out: &mut Vec<u8>) {
    field(decision.event.id(), out);
    for reading in decision.readings {
        match *reading {
            Some(reading) => encode::reading(b',', reading, out),
            None => out.push(b','),
        }
    }
    out.push(b',');
    put::raw(decision.action.name(), out);
    out.push(b'\n');
}

/// A field, in quotes where it must be.
fn field(text: &str, out: &mut Vec<u8>) {
    use put::equal;
    let quotes = |eight| equal(b',', eight) | equal(b'"', eight);
    let ends = |eight| equal(b'\r', eight) | equal(b'\n', eight);
    if !put::has(text.as_bytes(), |eight| quotes(eight) | ends(eight)) {
        return put::raw(text, out);
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let csv = |text: &str| {
            let mut out = Vec::new();
            super::field(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(csv("e-1"), "e-1");
        assert_eq!(csv("a,b"), "\"a,b\"");
        assert_eq!(csv("q\"\n"), "\"q\"\"\n\"");
        assert_eq!(csv("a\r"), "\"a\r\"");
        assert_eq!(csv("a long one, in short"), "\"a long one, in short\"");
    }
}
