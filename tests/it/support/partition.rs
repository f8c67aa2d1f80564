//! One partition's engine, fed line by line, with what goes out as lines.

use bumpalo::Bump;
use holdfast::{
    config::Settings,
    decision::{CaseRecord, Decision, Fate, FollowUp, Outbox},
    engine::{Engine, EngineState},
    pipeline::snapshot::{self, Header, SCHEMA},
    wire::{
        decode::{Hints, decode},
        encode,
    },
};

/// Everything that goes out, as lines.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut line = Vec::new();
        encode(&mut line);
        self.0.push(String::from_utf8(line).unwrap());
    }
}

impl Outbox for Lines {
    fn decision(&mut self, decision: &Decision<'_>) {
        self.push(|line| encode::decision(decision, line));
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        self.push(|line| encode::follow_up(follow_up, line));
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        self.push(|line| encode::case_record(record, line));
    }
}

/// A partition of which nothing is known yet.
#[track_caller]
pub(crate) fn engine(rules: &str) -> Engine {
    match Settings::read("test.toml", rules.to_owned(), &[]) {
        Ok(settings) => Engine::new(settings.ruleset),
        Err(problems) => panic!("{problems}\n{rules}"),
    }
}

/// The next event: its fate, and what goes out.
#[track_caller]
pub(crate) fn process(engine: &mut Engine, line: &str) -> (Fate, Vec<String>) {
    let arena = Bump::new();
    let event = decode(line.as_bytes(), &mut Hints::default(), &arena).expect(line);
    let mut lines = Lines::default();
    let fate = engine.process(event, &mut lines).expect(line);
    (fate, lines.0)
}

/// The same partition in another process: out of its snapshot, and the same as out of plain data.
pub(crate) fn restarted(engine: &Engine) -> Engine {
    let header = Header {
        schema: SCHEMA.to_owned(),
        partition: 0,
        offset: 0,
        origin: 0,
        since: 0,
        before: Vec::new(),
        clock_ms: None,
        ruleset: engine.ruleset().identity.to_string(),
        configuration: String::new(),
    };
    let bytes = snapshot::encode(&header, engine, &mut || ()).unwrap();
    let ruleset = engine.ruleset().clone();
    let read = snapshot::decode(&bytes).unwrap().engine(ruleset, &mut || ()).unwrap();
    let copied = snapshot::copy(engine).unwrap();
    assert!(snapshot::encode_copy(&header, &copied, &mut || ()).unwrap() == bytes);
    assert_eq!(in_order(read.snapshot()), in_order(engine.snapshot()));
    read
}

fn in_order(mut state: EngineState) -> EngineState {
    let groups = &mut state.windows.groups;
    groups.iter_mut().for_each(|owners| owners.sort_by(|one, other| one.0.cmp(&other.0)));
    state
}
