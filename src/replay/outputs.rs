//! What a replay writes: decisions, features and dead letters, each where it was asked for.

use std::io::{self, BufWriter, Write};

use crate::{
    config::Emit,
    decision::{Action, Decision, Outbox},
    window::spec::Counter,
    wire::{
        dead_letter::{self, DeadLetter},
        encode,
    },
};

type Writer = BufWriter<Box<dyn Write + Send>>;

/// The outputs of a run.
pub struct Outputs {
    emit: Emit,
    decisions: Option<Writer>,
    features: Option<Writer>,
    dead_letters: Option<Writer>,
    buffer: Vec<u8>,
    error: Option<io::Error>,
    /// The action of the decision since it was last taken.
    pub(super) action: Option<Action>,
}

const BUFFER_BYTES: usize = 1 << 18;

impl Outputs {
    /// Writes those decisions that `emit` names.
    pub fn new(emit: Emit) -> Outputs {
        Outputs {
            emit,
            decisions: None,
            features: None,
            dead_letters: None,
            buffer: Vec::new(),
            error: None,
            action: None,
        }
    }

    /// Decisions go here.
    pub fn decisions_to(mut self, writer: Box<dyn Write + Send>) -> Outputs {
        self.decisions = Some(BufWriter::with_capacity(BUFFER_BYTES, writer));
        self
    }

    /// The counters of every decided event go here, as CSV.
    pub fn features_to(mut self, writer: Box<dyn Write + Send>) -> Outputs {
        self.features = Some(BufWriter::with_capacity(BUFFER_BYTES, writer));
        self
    }

    /// Dead letters go here.
    pub fn dead_letters_to(mut self, writer: Box<dyn Write + Send>) -> Outputs {
        self.dead_letters = Some(BufWriter::with_capacity(BUFFER_BYTES, writer));
        self
    }

    pub(super) fn features_header(&mut self, counters: &[Counter]) -> io::Result<()> {
        let Some(writer) = &mut self.features else { return Ok(()) };
        let names: Vec<&str> = counters.iter().map(|counter| counter.name.as_str()).collect();
        let comma = if names.is_empty() { "" } else { "," };
        writeln!(writer, "event_id,{}{comma}action", names.join(","))
    }

    pub(super) fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> io::Result<()> {
        let Some(writer) = &mut self.dead_letters else { return Ok(()) };
        self.buffer.clear();
        dead_letter::encode(letter, &mut self.buffer);
        self.buffer.push(b'\n');
        writer.write_all(&self.buffer)
    }

    /// An error that came up while a decision was written.
    pub(super) fn check(&mut self) -> io::Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        for writer in [&mut self.decisions, &mut self.features, &mut self.dead_letters] {
            writer.as_mut().map_or(Ok(()), Write::flush)?;
        }
        Ok(())
    }

    fn write(&mut self, decision: &Decision<'_>) -> io::Result<()> {
        if let Some(writer) = &mut self.features {
            self.buffer.clear();
            csv_field(decision.event.id(), &mut self.buffer);
            for reading in decision.readings {
                self.buffer.push(b',');
                if let Some(reading) = reading {
                    encode::reading(*reading, &mut self.buffer);
                }
            }
            self.buffer.push(b',');
            self.buffer.extend_from_slice(decision.action.name().as_bytes());
            self.buffer.push(b'\n');
            writer.write_all(&self.buffer)?;
        }
        let wanted = match self.emit {
            Emit::All => true,
            Emit::Findings => decision.action != Action::Allow || decision.has_findings(),
            Emit::Actions => decision.action != Action::Allow,
        };
        if let Some(writer) = self.decisions.as_mut().filter(|_| wanted) {
            self.buffer.clear();
            encode::decision(decision, &mut self.buffer);
            self.buffer.push(b'\n');
            writer.write_all(&self.buffer)?;
        }
        Ok(())
    }
}

impl Outbox for Outputs {
    fn decision(&mut self, decision: &Decision<'_>) {
        self.action = Some(decision.action);
        if let Err(error) = self.write(decision) {
            self.error.get_or_insert(error);
        }
    }
}

/// A field of RFC 4180.
fn csv_field(text: &str, out: &mut Vec<u8>) {
    if !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        return out.extend_from_slice(text.as_bytes());
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
    fn csv_fields_are_quoted_where_they_must_be() {
        let csv = |text: &str| {
            let mut out = Vec::new();
            super::csv_field(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(csv("e-1"), "e-1");
        assert_eq!(csv("a,b"), "\"a,b\"");
        assert_eq!(csv("q\"\n"), "\"q\"\"\n\"");
    }
}
