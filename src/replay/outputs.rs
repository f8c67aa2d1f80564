//! What a replay writes: decisions, features and dead letters, each where it was asked for.

use std::io::{self, Write};

use crate::{
    config::Emit,
    decision::{Action, Answer, CaseRecord, Decision, FollowUp, Outbox},
    window::spec::Counter,
    wire::{
        csv,
        dead_letter::{self, DeadLetter},
        encode,
    },
};

/// The outputs of a run.
pub struct Outputs {
    emit: Emit,
    decisions: Option<Output>,
    features: Option<Output>,
    dead_letters: Option<Output>,
    /// The action of the decision since it was last taken.
    pub(super) action: Option<Action>,
    /// Follow-ups since they were last taken.
    pub(super) answers: [u64; Answer::ALL.len()],
}

/// One output: lines are made where they wait to be written.
struct Output {
    waiting: Vec<u8>,
    writer: Box<dyn Write + Send>,
}

/// So many bytes are written at once, or a few more.
const WAITING_BYTES: usize = 1 << 18;

impl Output {
    fn new(writer: Box<dyn Write + Send>) -> Output {
        Output { waiting: Vec::with_capacity(WAITING_BYTES), writer }
    }

    /// What failed is not tried again.
    fn write(&mut self) -> io::Result<()> {
        let written = self.writer.write_all(&self.waiting);
        self.waiting.clear();
        written
    }
}

impl Drop for Output {
    /// A run that stops has written what came before.
    fn drop(&mut self) {
        // Who wants to know of an error calls `flush`.
        let _ = self.write();
    }
}

impl Outputs {
    /// Writes those decisions that `emit` names.
    pub fn new(emit: Emit) -> Outputs {
        Outputs {
            emit,
            decisions: None,
            features: None,
            dead_letters: None,
            action: None,
            answers: [0; Answer::ALL.len()],
        }
    }

    /// Decisions go here.
    pub fn decisions_to(mut self, writer: Box<dyn Write + Send>) -> Outputs {
        self.decisions = Some(Output::new(writer));
        self
    }

    /// The counters of every decided event go here, as CSV.
    pub fn features_to(mut self, writer: Box<dyn Write + Send>) -> Outputs {
        self.features = Some(Output::new(writer));
        self
    }

    /// Dead letters go here.
    pub fn dead_letters_to(mut self, writer: Box<dyn Write + Send>) -> Outputs {
        self.dead_letters = Some(Output::new(writer));
        self
    }

    pub(super) fn features_header(&mut self, counters: &[Counter]) {
        if let Some(Output { waiting, .. }) = &mut self.features {
            csv::header(counters, waiting);
        }
    }

    pub(super) fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        if let Some(Output { waiting, .. }) = &mut self.dead_letters {
            dead_letter::encode(letter, waiting);
            waiting.push(b'\n');
        }
    }

    /// Writes what has become much. Nothing is written in between, so that one place sees errors.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let much = |output: &&mut Output| output.waiting.len() >= WAITING_BYTES;
        self.all().filter(much).try_for_each(Output::write)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.all().try_for_each(|output| {
            output.write()?;
            output.writer.flush()
        })
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Output> {
        [&mut self.decisions, &mut self.features, &mut self.dead_letters].into_iter().flatten()
    }
}

impl Outbox for Outputs {
    fn decision(&mut self, decision: &Decision<'_>) {
        self.action = Some(decision.action);
        if let Some(Output { waiting, .. }) = &mut self.features {
            csv::line(decision, waiting);
        }
        let wanted = self.emit.wants(decision);
        if let Some(Output { waiting, .. }) = self.decisions.as_mut().filter(|_| wanted) {
            encode::decision(decision, waiting);
            waiting.push(b'\n');
        }
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        self.answers[follow_up.answer as usize] += 1;
        if let Some(Output { waiting, .. }) = &mut self.decisions {
            encode::follow_up(follow_up, waiting);
            waiting.push(b'\n');
        }
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        if let Some(Output { waiting, .. }) = &mut self.decisions {
            encode::case_record(record, waiting);
            waiting.push(b'\n');
        }
    }
}
