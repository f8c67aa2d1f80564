//! What is written, to the byte.

use holdfast::{
    config::Emit,
    decision::{Action, Fate},
};
use serde_json::json;

use super::{identity_of, run, settings};
use crate::support::run::{authorization, envelope, event, run_spread};

const CONFIG: &str = r#"
[[counter]]
name = "orders"
key = ["account_id"]
distinct = "order_id"
window = "1h"
[[counter]]
name = "mean"
key = ["card_id"]
mean = "amount_minor"
currency = "JPY"
window = "1h"
delay = "1ms"
[[rule]]
id = "many"
when = "orders >= 2 && mean > 0.0"
action = "hold"
category = "takeover"
reason = "Orders \"again\"\n☂"
[[rule]]
id = "some"
when = "orders >= 1"
points = 40
[[rule]]
id = "quiet"
when = "true"
action = "decline"
mode = "shadow"
[score]
verify_at = 40
"#;

#[test]
fn a_decision_is_written_to_the_byte() {
    let lines = [
        authorization("e-1", 1_767_571_200_000, json!({"order_id": "o-1", "amount_minor": 10})),
        authorization(
            "e \"2\"\u{1}",
            1_767_571_260_000,
            json!({"order_id": "o-2", "amount_minor": 12_000, "card_id": "c", "channel": "ecom"}),
        ),
        authorization("e-3", 1_767_571_260_000, json!({"card_id": null, "tender": "points"})),
    ];
    let written = run(&settings(CONFIG), &lines);
    let ids: Vec<String> = written
        .decisions()
        .iter()
        .map(|decision| decision["decision_id"].as_str().unwrap().to_owned())
        .collect();
    for id in &ids {
        assert!(id.len() >= 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    }
    let ruleset = identity_of(CONFIG);
    let due = [
        format!(
            r#"{{"schema":"holdfast.decision/1","decision_id":"{}","event_id":"e-1","event_time":1767571200000,"account_id":"a","card_id":"c","order_id":"o-1","tender":"card","amount_minor":10,"currency":"JPY","action":"verify","score":40,"reasons":[{{"rule":"some","points":40,"counters":{{"orders":1}}}},{{"rule":"score","action":"verify"}}],"shadow":["quiet"],"suppressed":[],"case_id":"e-1","expires_at":1767830400000,"state":"complete","ruleset":"{ruleset}"}}"#,
            ids[0]
        ),
        format!(
            r#"{{"schema":"holdfast.decision/1","decision_id":"{}","event_id":"e \"2\"\u0001","event_time":1767571260000,"account_id":"a","card_id":"c","order_id":"o-2","tender":"card","amount_minor":12000,"currency":"JPY","action":"hold","score":40,"reasons":[{{"rule":"many","category":"takeover","action":"hold","reason":"Orders \"again\"\n☂","counters":{{"orders":2,"mean":10.0}}}},{{"rule":"some","points":40,"counters":{{"orders":2}}}},{{"rule":"score","action":"verify"}}],"shadow":["quiet"],"suppressed":[],"case_id":"e \"2\"\u0001","expires_at":1767830460000,"state":"complete","ruleset":"{ruleset}"}}"#,
            ids[1]
        ),
        format!(
            r#"{{"schema":"holdfast.decision/1","decision_id":"{}","event_id":"e-3","event_time":1767571260000,"account_id":"a","tender":"points","amount_minor":100,"currency":"JPY","action":"verify","score":40,"reasons":[{{"rule":"some","points":40,"counters":{{"orders":2}}}},{{"rule":"score","action":"verify"}}],"shadow":["quiet"],"suppressed":[],"case_id":"e-3","expires_at":1767830460000,"state":"complete","ruleset":"{ruleset}"}}"#,
            ids[2]
        ),
    ];
    let text = String::from_utf8(written.decisions).unwrap();
    let decisions: Vec<&str> = text.lines().filter(|line| line.contains("\"score\":")).collect();
    assert_eq!(decisions, due);
    assert!(text.ends_with('\n'));
    assert_eq!(
        String::from_utf8(written.features).unwrap(),
        "event_id,orders,mean,action\ne-1,1,,verify\n\"e \"\"2\"\"\u{1}\",2,10.0,hold\ne-3,2,,verify\n"
    );
}

#[test]
fn the_id_of_a_decision_depends_on_what_it_says() {
    let id = |config: &str, lines: &[String]| {
        let decisions = run(&settings(config), lines).decisions();
        decisions.last().unwrap()["decision_id"].as_str().unwrap().to_owned()
    };
    let line = |fields| [authorization("e", 5, fields)];
    let first = id(CONFIG, &line(json!({})));
    assert_eq!(first, id(CONFIG, &line(json!({}))));
    assert_eq!(first, id(CONFIG, &line(json!({"channel": "pos"}))));
    for other in [
        id(CONFIG, &line(json!({"account_id": "b"}))),
        id(CONFIG, &line(json!({"event_time": 6}))),
        id(CONFIG, &line(json!({"order_id": "o"}))),
        id(&CONFIG.replace("mean > 0.0", "mean > 1.0"), &line(json!({}))),
        id(CONFIG, &[authorization("x", 9, json!({})), authorization("e", 5, json!({}))]),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn statistics_are_the_sum_of_the_fates() {
    let lines = [
        authorization("e1", 1, json!({})),
        authorization("e1", 1, json!({})),
        String::new(),
        "{".into(),
        event("login", "l", 2, json!({})),
        event("reversal", "r", 2, json!({"ref_event_id": "e1"})),
        event("feedback", "f", 2, json!({"verdict": "fraud", "source": "analyst", "case_id": "x"})),
        "{\"type\":\"tick\",\"event_time\":3}".into(),
        authorization("e2", 1, json!({"order_id": "o"})),
    ];
    let statistics = run_spread(&settings(CONFIG), 1, Emit::Actions, &lines).statistics;
    let fates = [Fate::Decided, Fate::Counted, Fate::Ignored, Fate::Duplicate, Fate::DeadLetter];
    assert_eq!(fates.map(|fate| statistics.of_fate(fate)), [2, 3, 1, 1, 1]);
    assert_eq!(statistics.events(), 8);
    let actions = [Action::Allow, Action::Verify].map(|action| statistics.of_action(action));
    assert_eq!(actions, [1, 1]);
    assert_eq!(
        statistics.closing_line(1.5),
        "{\"events\":8,\"decided\":2,\"counted\":3,\"applied\":0,\"ignored\":1,\"duplicate\":1,\
         \"dead_letter\":1,\"actions\":{\"allow\":1,\"verify\":1},\"seconds\":1.500}"
    );
}

#[test]
fn output_stands_in_the_order_of_the_input() {
    let line = |n: usize| {
        let fields = json!({"account_id": format!("a{}", n % 5)});
        let line = authorization(&format!("e{n}"), n as i64, fields);
        if n.is_multiple_of(3) { envelope(n as i32 % 4, n as i64, None, &line) } else { line }
    };
    let lines: Vec<String> = (0..60).map(line).collect();
    let decisions = run_spread(&settings(""), 3, Emit::All, &lines).decisions();
    let found: Vec<&str> = decisions.iter().map(|d| d["event_id"].as_str().unwrap()).collect();
    let due: Vec<String> = (0..60).map(|n| format!("e{n}")).collect();
    assert_eq!(found, due);
}
