//! The loop around a hold, on real brokers: asked, answered from the command line, or not answered
//! until a tick says that the time is over.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::turn;
use crate::support::{
    binary::Folder,
    kafka::{
        feed::{Event, produce},
        read, shared,
    },
    process::within,
    service::Deployment,
};

const RULESET: &str = "[output]\nemit = \"all\"\n\
    [[rule]]\nid = \"large\"\nwhen = \"amount_minor >= 1000\"\naction = \"verify\"\n\
    expires = \"3s\"\n";

fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a deadline by the time of day")]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

fn authorization(account: &str, id: &str, time_ms: i64) -> Event {
    let event = json!({
        "event_id": id, "event_time": time_ms, "account_id": account,
        "amount_minor": 5000, "currency": "EUR",
    });
    Event {
        key: Some(account.as_bytes().to_vec()),
        payload: Some(event.to_string().into_bytes()),
        timestamp_ms: time_ms,
    }
}

/// What became of an authorization, once something did.
fn follow_up(deployment: &Deployment, event: &str) -> Option<Value> {
    let all = read::all(&deployment.output);
    all.iter()
        .filter_map(|record| serde_json::from_slice::<Value>(record.payload.as_ref()?).ok())
        .find(|record| record["event_id"] == event && record["trigger"].is_object())
}

#[test]
fn an_answer_releases_and_a_tick_ends_what_nobody_answers() {
    let _turn = turn();
    let ruleset = RULESET.replace("3s", "1h");
    let answered = Deployment::new(&shared(), 3, &ruleset);
    let unanswered = Deployment::new(&shared(), 3, RULESET);
    let mut instances = [answered.start(0), unanswered.start(1)];
    instances.iter_mut().for_each(|instance| instance.wait_until_ready());
    produce(&answered.input, [authorization("a-1", "e-1", now_ms())]);
    produce(&unanswered.input, [authorization("a-2", "e-2", now_ms())]);

    let path = answered.write_configuration();
    let arguments = ["answer", "-c", path.to_str().unwrap(), "--account", "a-1"];
    let said = ["--case", "e-1", "--verdict", "legitimate", "--source", "customer"];
    let ended = Folder::new().run(&[&arguments[..], &said[..]].concat());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let patience = Duration::from_secs(60);
    let release = within(patience, || follow_up(&answered, "e-1")).expect("an answer");
    assert_eq!(release["action"], "release");
    assert_eq!(release["trigger"]["source"], "customer");

    // Nothing more comes: only a tick tells that the time is over.
    let cancel = within(patience, || follow_up(&unanswered, "e-2")).expect("an end");
    assert_eq!(cancel["action"], "cancel");
    assert_eq!(cancel["trigger"]["type"], "expiry");
    instances.into_iter().for_each(|instance| instance.terminate());
    answered.must_be_exact();
    unanswered.must_be_exact();
}
