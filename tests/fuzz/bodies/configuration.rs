//! Configurations and expressions, whatever they are: see the README beside this.

use bumpalo::Bump;
use holdfast::{
    config::{Emit, Settings},
    io::files::Batch,
    replay::{Outputs, Replay},
    rules::{self, Constant, Facts, List, Place, Schema, Table, Type},
    window::spec::Reading,
    wire::decode::{Hints, decode},
};

const EVENTS: [&str; 3] = [
    r#"{"event_id":"e1","event_time":1767571200000,"account_id":"a","card_id":"c","amount_minor":100,"currency":"JPY","merchant_id":"M-1","channel":"ecom","card_tier":"gold","order_id":"o","item_seq":-3,"attributes":{"k":"x","n":7,"d":0.5,"b":true}}"#,
    r#"{"event_id":"l","event_time":1767571260000,"type":"login","account_id":"a","device_id":"d"}"#,
    r#"{"event_id":"e2","event_time":1767571320000,"account_id":"a","amount_minor":0,"currency":"USD"}"#,
];

/// The bytes are a configuration, and an expression.
pub(crate) fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    configuration(&text);
    for place in [Place::Rule, Place::Filter] {
        expression(&text, place);
    }
}

fn configuration(text: &str) {
    let settings = match Settings::read("fuzz.toml", text.to_owned(), &[]) {
        Ok(settings) => settings,
        Err(problems) => {
            assert!(!problems.problems.is_empty());
            assert!(problems.to_string().contains("problem"));
            return;
        }
    };
    decide(&settings);
    let again = Settings::read("again.toml", settings.resolved.clone(), &[]);
    let again = again.unwrap_or_else(|problems| panic!("{problems}\n{}", settings.resolved));
    assert_eq!(again.ruleset.identity, settings.ruleset.identity, "{}", settings.resolved);
    assert_eq!(again.resolved, settings.resolved);
}

fn decide(settings: &Settings) {
    let outputs = Outputs::new(Emit::All)
        .decisions_to(Box::new(std::io::sink()))
        .features_to(Box::new(std::io::sink()));
    let mut replay = match Replay::new(settings, 1, outputs) {
        Ok(replay) => replay,
        Err(stop) => panic!("{stop:?}"),
    };
    let mut batch = Batch::default();
    for (number, line) in EVENTS.iter().enumerate() {
        batch.push(number as u64, line.as_bytes());
    }
    if let Err(stop) = replay.lines(&batch, &mut Bump::new()) {
        panic!("{stop:?}");
    }
    assert_eq!(replay.statistics().events(), EVENTS.len() as u64);
}

fn expression(text: &str, place: Place) {
    let schema = schema();
    match rules::compile(text, &schema, place) {
        Ok(program) => {
            let canonical = program.canonical().to_owned();
            let again = rules::compile(text, &schema, place).expect("it compiled");
            assert_eq!(again.canonical(), canonical);
            for line in EVENTS {
                let arena = Bump::new();
                let event =
                    decode(line.as_bytes(), &mut Hints::default(), &arena).expect("an event");
                let some = [Some(Reading::Int(4)), Some(Reading::Double(2.5)), None];
                let extreme = [Some(Reading::Int(i64::MIN)), Some(Reading::Double(-0.0)), None];
                for counters in [&some, &extreme, &[None; 3]] {
                    for late in [false, true] {
                        let facts = Facts { event, counters, late };
                        assert_eq!(program.holds(&facts), again.holds(&facts));
                    }
                }
            }
        }
        Err(issues) => {
            assert!(!issues.is_empty());
            for issue in issues {
                let within = issue.span.start <= issue.span.end && issue.span.end <= text.len();
                assert!(within, "{:?} of {} bytes: {}", issue.span, text.len(), issue.message);
                assert!(!issue.message.is_empty());
            }
        }
    }
}

fn schema() -> Schema {
    let text = |text: &str| Constant::Text(text.to_owned());
    Schema {
        counters: vec![
            ("n".to_owned(), Type::Int),
            ("usual".to_owned(), Type::Double),
            ("none".to_owned(), Type::Int),
        ],
        tables: vec![
            Table::new("t", Constant::Int(5), [("gold".to_owned(), Constant::Int(8))]),
            Table::new("rate", Constant::Double(0.5), []),
        ],
        lists: vec![
            List::new("l", [text("M-1"), text("x")]),
            List::new("mixed", [text("1"), Constant::Int(1)]),
        ],
    }
}
