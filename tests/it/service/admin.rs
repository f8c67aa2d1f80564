//! The admin port: what it says is what the engine has, and its documentation says what it says.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{REST, turn};
use crate::support::{
    binary::repository,
    kafka::{
        feed::{Event, produce},
        shared,
    },
    process::within,
    service::{Deployment, Instance},
};

const RULESET: &str = r#"[input]
ticks = false

[output]
emit = "all"

[[counter]]
name = "account_1h"
key = ["account_id"]
count = true
window = "1h"

[[counter]]
name = "card_spent_24h"
key = ["card_id"]
sum = "amount_minor"
currency = "EUR"
window = "24h"

[[counter]]
name = "device_first_seen"
key = ["account_id", "device_id"]
min = "event_time"
window = "30d"

[[rule]]
id = "many"
when = "counter.account_1h >= 3"
action = "verify"
reason = "Three payments within the hour"
expires = "30m"
"#;

const TIME_MS: i64 = 1_767_657_600_000;

fn authorization(account: &str, card: &str, id: &str, at_ms: i64) -> Event {
    #[expect(clippy::disallowed_methods, reason = "a broker removes old records")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let event = json!({
        "event_id": id, "event_time": TIME_MS + at_ms, "account_id": account, "card_id": card,
        "device_id": "phone", "amount_minor": 1500, "currency": "EUR",
    });
    Event {
        key: Some(account.as_bytes().to_vec()),
        payload: Some(event.to_string().into_bytes()),
        timestamp_ms: now.as_millis() as i64,
    }
}

fn asked(instance: &Instance, path: &str) -> (u16, Value) {
    let (status, body) = instance.admin(path).expect("an answer");
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path}: {body}")))
}

#[track_caller]
fn good(instance: &Instance, path: &str) -> Value {
    let (status, body) = asked(instance, path);
    assert_eq!(status, 200, "{path}: {body:#}");
    body
}

#[track_caller]
fn problem(instance: &Instance, path: &str, status: u16, name: &str) -> Value {
    let (found, body) = asked(instance, path);
    assert_eq!((found, body["status"].as_u64()), (status, Some(status.into())), "{path}: {body}");
    assert_eq!(body["type"], format!("urn:holdfast:problem:{name}"), "{path}: {body}");
    described(instance, "Problem", &body);
    body
}

/// An answer is of its schema.
#[track_caller]
fn described(instance: &Instance, schema: &str, body: &Value) {
    let document = good(instance, "/openapi.json");
    let schemas = &document["components"]["schemas"];
    let faults = faults(schemas, &schemas[schema], schema, body);
    assert!(schemas[schema].is_object() && faults.is_empty(), "{faults:#?} in {body:#}");
}

/// Where a value is not as its schema has it. A member that is not described is a fault too, unless
/// its object says that it has others.
fn faults(schemas: &Value, schema: &Value, at: &str, value: &Value) -> Vec<String> {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.strip_prefix("#/components/schemas/").expect(path);
        return faults(schemas, &schemas[name], at, value);
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(|one| one.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap_or("any")],
    };
    let is = |of: &&str| match *of {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        "any" => true,
        other => panic!("{at}: the type {other}"),
    };
    let mut found = Vec::new();
    if !types.iter().any(is) {
        found.push(format!("{at} is {value}, and no {types:?}"));
    }
    let allowed = schema["enum"].as_array().cloned();
    let allowed = allowed.or_else(|| schema.get("const").map(|one| vec![one.clone()]));
    if allowed.is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{at} is {value}"));
    }
    for one in value.as_array().into_iter().flatten() {
        found.extend(faults(schemas, &schema["items"], &format!("{at}[]"), one));
    }
    let Some(members) = value.as_object() else { return found };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            found.push(format!("{at} has no {name}"));
        }
    }
    for (name, value) in members {
        let (member, others) = (&schema["properties"][name], &schema["additionalProperties"]);
        let at = format!("{at}.{name}");
        match (member, others) {
            (Value::Object(_), _) => found.extend(faults(schemas, member, &at, value)),
            (_, Value::Object(_)) => found.extend(faults(schemas, others, &at, value)),
            (_, Value::Bool(true)) => {}
            _ => found.push(format!("{at} is not described")),
        }
    }
    found
}

#[test]
fn what_it_says_is_what_a_rule_would_read() {
    let _turn = turn();
    let deployment = Deployment::new(&shared(), 3, RULESET);
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    let events = [
        authorization("a-1", "c-1", "e-1", 0),
        authorization("a-1", "c-2", "e-2", 60_000),
        authorization("a-1", "c-1", "e-3", 120_000),
        authorization("a-1", "c-1", "e-4", 3_630_000),
    ];
    produce(&deployment.input, events);
    deployment.wait_until_done(REST, &mut instances);
    let [instance] = instances;
    let card = good(&instance, "/v1/cards/c-1?account=a-1");
    described(&instance, "Account", &card);
    assert_eq!(good(&instance, "/v1/cards/c-1"), card, "the last outputs name its account");
    let cards: Vec<&Value> = card["counters"].as_array().unwrap().iter().collect();
    assert_eq!(cards.len(), 1, "{card:#}");
    assert_eq!(cards[0]["key"], json!({"account_id": "a-1", "card_id": "c-1"}));
    assert_eq!(cards[0]["values"], json!({"card_spent_24h": 4500}));
    // Three decisions, and the end of what nobody answered.
    assert_eq!(card["decisions"].as_array().unwrap().len(), 4);
    let account = good(&instance, "/v1/accounts/a-1");
    described(&instance, "Account", &account);
    // At the clock, which is that of the last event: e-1 is out of the hour.
    assert_eq!(account["clock"], TIME_MS + 3_630_000);
    let values = |key: Value| {
        let all = account["counters"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).map(|one| one["values"].clone())
    };
    assert_eq!(values(json!({"account_id": "a-1"})), Some(json!({"account_1h": 3})));
    let device = json!({"account_id": "a-1", "device_id": "phone"});
    assert_eq!(values(device), Some(json!({"device_first_seen": TIME_MS})));
    // As its last decision has it.
    let last = &account["decisions"][0];
    assert_eq!(last["output"]["event_id"], "e-4", "{last:#}");
    assert_eq!(last["output"]["reasons"][0]["counters"]["account_1h"], 3, "{last:#}");
    assert_eq!(account["cases"].as_array().unwrap().len(), 1, "{account:#}");
    documented(&account);

    let cases = good(&instance, "/v1/cases?state=open");
    described(&instance, "Cases", &cases);
    let names: Vec<&Value> =
        cases["cases"].as_array().unwrap().iter().map(|c| &c["rule"]).collect();
    assert_eq!(names, ["many"], "{cases:#}");
    let cases = good(&instance, "/v1/cases?limit=1");
    let next = cases["next"].as_str().unwrap();
    let behind = good(&instance, &format!("/v1/cases?limit=1&after={next}"));
    assert_eq!(behind["cases"], json!([]));
    assert_eq!(good(&instance, "/v1/cases?state=confirmed")["cases"], json!([]));
    let ruleset = good(&instance, "/v1/ruleset");
    described(&instance, "Ruleset", &ruleset);
    assert_eq!(ruleset["ruleset"], account["ruleset"]);
    let partitions = good(&instance, "/v1/partitions");
    described(&instance, "Partitions", &partitions);
    assert_eq!(partitions["count"], 3);
    assert_eq!(partitions["partitions"].as_array().unwrap().len(), 3);

    problem(&instance, "/v1/accounts/nobody", 404, "unknown");
    problem(&instance, "/v1/cards/c-9", 404, "card_of_no_account");
    problem(&instance, "/v1/accounts/%FF", 400, "bad_question");
    problem(&instance, "/v1/cards/%FF", 400, "bad_question");
    problem(&instance, "/v1/cases?state=closed", 400, "bad_question");
    problem(&instance, "/v1/cases?after=x", 400, "bad_question");
    problem(&instance, "/v1/accounts/a-1?limit=0", 400, "bad_question");
    problem(&instance, "/v1/accounts/a-1?most=3", 400, "bad_question");
    problem(&instance, "/v2", 404, "no_page");
    let (status, _) = instance.admin_by("POST", "/v1/cases").expect("an answer");
    assert_eq!(status, 405);
    let (status, page) = instance.admin("/").expect("a page");
    assert!(status == 200 && page.contains("GET /v1/cards/{id}"), "{page}");
    instance.terminate();
}

/// A cardholder calls whose payments have all been allowed: nothing of them is in the output.
#[test]
fn a_card_is_found_of_which_nothing_was_put_out() {
    let _turn = turn();
    let ruleset = RULESET.replace("emit = \"all\"", "emit = \"actions\"");
    let deployment = Deployment::new(&shared(), 3, &ruleset);
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    produce(
        &deployment.input,
        (0..50).map(|number| {
            let (account, card) = (format!("a-{number}"), format!("c-{number}"));
            authorization(&account, &card, &format!("e-{number}"), number * 1000)
        }),
    );
    deployment.wait_until_done(REST, &mut instances);
    let [instance] = instances;
    for number in [0, 17, 49] {
        let card = good(&instance, &format!("/v1/cards/c-{number}"));
        described(&instance, "Account", &card);
        assert_eq!(card["account_id"], format!("a-{number}"));
        assert_eq!(card["counters"][0]["values"], json!({"card_spent_24h": 1500}));
        assert_eq!(card["decisions"], json!([]));
    }
    problem(&instance, "/v1/cards/a-17", 404, "card_of_no_account");
    instance.terminate();
}

/// The example of the documentation is this very answer.
fn documented(account: &Value) {
    let text = std::fs::read_to_string(repository("docs/admin.md")).unwrap();
    let example = text.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    let example: Value = serde_json::from_str(example.expect("an example")).unwrap();
    assert!(example == *account, "docs/admin.md, whose example should be\n{account:#}");
}

#[test]
fn an_account_of_another_instance_is_not_here() {
    let _turn = turn();
    let deployment = Deployment::new(&shared(), 2, RULESET);
    let mut instances = [deployment.start(0), deployment.start(1)];
    let shares = |instances: &[Instance]| {
        let share = |instance: &Instance| {
            let (status, body) = instance.admin("/v1/partitions")?;
            let body: Value = serde_json::from_str(&body).ok().filter(|_| status == 200)?;
            let all = body["partitions"].as_array()?;
            (all.len() == 1 && all[0]["state"] == "deciding").then(|| all[0]["partition"].clone())
        };
        instances.iter().map(share).collect::<Option<Vec<Value>>>()
    };
    let shares = within(Duration::from_secs(60), || shares(&instances)).expect("one each");
    produce(
        &deployment.input,
        (0..20).map(|number| {
            authorization(&format!("a-{number}"), "c", &format!("e-{number}"), number)
        }),
    );
    deployment.wait_until_done(REST, &mut instances);
    for number in 0..20 {
        let path = format!("/v1/accounts/a-{number}");
        let here = instances.iter().position(|one| asked(one, &path).0 == 200).expect(&path);
        let elsewhere = problem(&instances[1 - here], &path, 404, "not_here");
        assert_eq!(elsewhere["partition"], shares[here]);
        assert_eq!(good(&instances[here], &path)["partition"], shares[here]);
    }
    instances.into_iter().for_each(Instance::terminate);
}
