//! Runs through the library: a configuration and lines in, everything written out.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use bumpalo::Bump;
use holdfast::{
    config::{Emit, Settings},
    io::files::Batch,
    replay::{Outputs, Replay, Statistics},
};
use serde_json::{Map, Value, json};

/// Bytes that somebody else writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    pub(crate) fn writer(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }

    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A configuration that must be right.
#[track_caller]
pub(crate) fn settings(text: &str) -> Settings {
    match Settings::read("test.toml", text.to_owned(), &[]) {
        Ok(settings) => settings,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

/// What a run wrote.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    pub(crate) decisions: Vec<u8>,
    pub(crate) features: Vec<u8>,
    pub(crate) dead_letters: Vec<u8>,
    pub(crate) statistics: Statistics,
}

/// Runs these lines, every decision written.
pub(crate) fn run<L: AsRef<[u8]>>(settings: &Settings, lines: &[L]) -> Written {
    run_spread(settings, 1, Emit::All, lines)
}

/// Runs these lines, spread over partitions.
pub(crate) fn run_spread<L: AsRef<[u8]>>(
    settings: &Settings,
    partitions: u32,
    emit: Emit,
    lines: &[L],
) -> Written {
    run_in_batches(settings, partitions, emit, lines, LINES_A_BATCH)
}

const LINES_A_BATCH: usize = 50;

/// Runs these lines, so many of them read at once.
pub(crate) fn run_in_batches<L: AsRef<[u8]>>(
    settings: &Settings,
    partitions: u32,
    emit: Emit,
    lines: &[L],
    lines_a_batch: usize,
) -> Written {
    let (decisions, features, dead_letters) =
        (Bytes::default(), Bytes::default(), Bytes::default());
    let outputs = Outputs::new(emit)
        .decisions_to(decisions.writer())
        .features_to(features.writer())
        .dead_letters_to(dead_letters.writer());
    let mut replay = Replay::new(settings, partitions, outputs).expect("a run can begin");
    let mut arena = Bump::new();
    let lines: Vec<(usize, &L)> = lines.iter().enumerate().collect();
    for chunk in lines.chunks(lines_a_batch) {
        let mut batch = Batch::default();
        chunk.iter().for_each(|(number, line)| batch.push(*number as u64, line.as_ref()));
        replay.lines(&batch, &mut arena).expect("a run can go on");
    }
    replay.finish().expect("bytes can be written");
    Written {
        decisions: decisions.take(),
        features: features.take(),
        dead_letters: dead_letters.take(),
        statistics: replay.statistics().clone(),
    }
}

/// One JSON value a line.
pub(crate) fn json_lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Is it about an event when it comes, neither a follow-up nor a case record?
pub(crate) fn is_decision(line: &Value) -> bool {
    line["schema"] == "holdfast.decision/1" && line["trigger"].is_null()
}

impl Written {
    /// The decisions, without follow-ups and case records.
    pub(crate) fn decisions(&self) -> Vec<Value> {
        json_lines(&self.decisions).into_iter().filter(is_decision).collect()
    }

    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        json_lines(&self.dead_letters)
    }

    /// Reason and field of each dead letter: `invalid_field tender`.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let word = |letter: &Value, key: &str| letter[key].as_str().unwrap_or("").to_owned();
        let letters = self.dead_letters();
        let both = letters.iter().map(|l| format!("{} {}", word(l, "reason"), word(l, "field")));
        both.map(|both| both.trim_end().to_owned()).collect()
    }

    /// The counters of each decided event as they stand in the CSV, without its id and action.
    pub(crate) fn readings(&self) -> Vec<String> {
        let text = std::str::from_utf8(&self.features).expect("UTF-8");
        let inner = |row: &str| {
            let (_, rest) = row.split_once(',').expect("an id");
            rest.rsplit_once(',').map_or_else(String::new, |(inner, _)| inner.to_owned())
        };
        text.lines().skip(1).map(inner).collect()
    }
}

/// An authorization of account `a` with card `c` over 100 JPY, with these fields besides or
/// instead; null takes one away.
pub(crate) fn authorization(id: &str, time: i64, fields: Value) -> String {
    let given = json!({
        "event_id": id, "event_time": time, "account_id": "a", "card_id": "c",
        "amount_minor": 100, "currency": "JPY",
    });
    changed(given, fields)
}

/// An event of another type.
pub(crate) fn event(event_type: &str, id: &str, time: i64, fields: Value) -> String {
    let given = json!({"event_id": id, "event_time": time, "type": event_type, "account_id": "a"});
    changed(given, fields)
}

fn changed(given: Value, fields: Value) -> String {
    let (Value::Object(mut event), Value::Object(fields)) = (given, fields) else {
        panic!("an event is an object")
    };
    for (name, value) in fields {
        match value {
            Value::Null => drop(event.remove(&name)),
            value => drop(event.insert(name, value)),
        }
    }
    text(event)
}

fn text(event: Map<String, Value>) -> String {
    Value::Object(event).to_string()
}

/// An envelope around a payload.
pub(crate) fn envelope(partition: i32, offset: i64, ts: Option<i64>, payload: &str) -> String {
    let ts = ts.map_or(String::new(), |ts| format!("\"tstype\":\"create\",\"ts\":{ts},"));
    let payload = Value::from(payload);
    format!(
        "{{\"topic\":\"auth.events\",\"partition\":{partition},\"offset\":{offset},{ts}\
         \"broker\":1,\"key\":\"a\",\"payload\":{payload}}}"
    )
}
