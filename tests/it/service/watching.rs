//! What an operator sees: metrics as their reference has them, and why a service is not ready.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use holdfast::metrics::{
    self,
    family::{Family, Kind, Values},
};
use serde_json::{Value, json};

use super::{REST, seeded, size, turn};
use crate::support::{
    binary::{blessing, repository},
    kafka::{
        feed::{Event, Stream, produce, traffic},
        shared,
    },
    names::{ids, must_name_nobody},
    process::{pause, within},
    scrape::{Sample, Scrape},
    service::{Deployment, Instance, shipped_ruleset},
};

/// Shown only while something goes on that is over once the service is ready.
const PASSING: [&str; 1] = ["holdfast_restore_records"];

fn families() -> impl Iterator<Item = &'static Family> {
    metrics::ALL.iter().map(|(_, family)| *family)
}

fn scrape(instance: &Instance) -> Scrape {
    let (status, text) = instance.get("/metrics").expect("it answers");
    assert_eq!(status, 200);
    Scrape::read(&text)
}

#[test]
fn the_reference_of_metrics_is_made_from_the_code() {
    let path = repository("docs/metrics.md");
    if blessing() {
        std::fs::write(&path, metrics::markdown()).unwrap();
    }
    let reference = std::fs::read_to_string(path).unwrap_or_default();
    assert!(reference == metrics::markdown(), "docs/metrics.md: HOLDFAST_BLESS=1 writes it anew");
}

/// What `promtool check metrics` finds fault with, and what else the conventions say.
#[test]
fn metrics_are_named_by_the_conventions() {
    let mut names = BTreeSet::new();
    for family in families() {
        let Family { name, kind, help, labels, .. } = *family;
        assert!(names.insert(name), "{name} is there twice");
        assert!(help.ends_with('.') && help.len() > 10, "{name}: {help}");
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(is_plain), "{name}");
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        assert!(!name.ends_with("_info") || kind == Kind::Gauge, "{name}");
        for ending in ["_count", "_sum", "_bucket", "_ms", "_milliseconds", "_minutes", "_kb"] {
            assert!(!name.ends_with(ending), "{name}");
        }
        let types = ["counter", "gauge", "histogram", "summary", "untyped"];
        assert!(!name.split('_').any(|word| types.contains(&word)), "{name}");
        assert_eq!(kind == Kind::Histogram, !family.buckets.is_empty(), "{name}");
        assert!(family.buckets.is_sorted_by(|a, b| a < b), "{name}");
        for label in labels {
            assert!(label.name.chars().all(is_plain) && label.name != "le", "{name}");
            assert!(!["card", "account", "event"].contains(&label.name), "{name}");
            assert!(!name.contains(&format!("_by_{}", label.name)), "{name}");
        }
    }
}

#[test]
fn a_running_service_shows_every_metric_and_names_nobody() {
    let _turn = turn();
    let (seed, _) = seeded("a_running_service_shows_every_metric");
    let deployment = Deployment::new(&shared(), 2, &shipped_ruleset());
    let mut events: Vec<Event> = traffic(seed, size(6000, 60_000)).collect();
    let ids = ids(events.iter().cloned());
    let poison = json!({"event_id": "poison-1", "account_id": "poisoned", "event_time": "?"});
    events.push(Event {
        key: Some(b"poisoned".to_vec()),
        payload: Some(poison.to_string().into_bytes()),
        timestamp_ms: events[0].timestamp_ms,
    });
    let count = events.len() as f64;
    // On a slow machine it would be quiet long enough for ticks, which are events too.
    let mut instances = [deployment.start_with(0, &[("HOLDFAST__INPUT__TICKS", "false")])];
    instances[0].wait_until_ready();
    // In parts, because snapshots are taken while there is something to decide.
    for part in events.chunks(events.len() / 3) {
        produce(&deployment.input, part.to_vec());
        deployment.wait_until_done(REST, &mut instances);
        pause(1200);
    }
    // Snapshots, and the statistics of the clients.
    pause(3000);
    for id in ids.iter().take(20) {
        instances[0].admin(&format!("/v1/accounts/{id}"));
        instances[0].admin(&format!("/v1/cards/{id}?account={id}"));
    }
    pause(500);
    let (_, text) = instances[0].get("/metrics").expect("it answers");
    let scrape = Scrape::read(&text);

    let shown: BTreeSet<&str> = scrape.types.keys().map(String::as_str).collect();
    let documented: BTreeSet<&str> = families().map(|family| family.name).collect();
    let missing: Vec<_> = documented.difference(&shown).filter(|n| !PASSING.contains(n)).collect();
    let unknown: Vec<_> = shown.difference(&documented).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
    scrape.samples.iter().for_each(|sample| check(&scrape, sample));

    assert_eq!(scrape.sum("holdfast_events_total", &[]), count);
    assert_eq!(scrape.sum("holdfast_end_to_end_seconds_count", &[]), count);
    assert_eq!(scrape.sum("holdfast_batch_records_total", &[]), count);
    let decided = scrape.sum("holdfast_events_total", &[("fate", "decided")]);
    assert_eq!(scrape.sum("holdfast_decision_states_total", &[]), decided);
    assert_eq!(scrape.sum("holdfast_score_count", &[]), decided);
    let decode = scrape.sum("holdfast_stage_seconds_count", &[("stage", "decode")]);
    assert_eq!(scrape.sum("holdfast_service_seconds_count", &[]), decode);
    assert!(decode >= 1.0 && decode < count / 4.0, "{decode}");
    assert_eq!(scrape.sum("holdfast_lag_records", &[]), 0.0);
    assert_eq!(scrape.sum("holdfast_input_partitions", &[]), 2.0);
    assert_eq!(scrape.sum("holdfast_partitions", &[("state", "deciding")]), 2.0);
    assert_eq!(scrape.sum("holdfast_dead_letters_total", &[("reason", "invalid_field")]), 1.0);
    assert!(scrape.sum("holdfast_rule_hits_total", &[]) > 0.0);
    assert!(scrape.sum("holdfast_rule_answers_total", &[]) > 0.0);
    assert!(scrape.sum("holdfast_outputs_total", &[("topic", "decisions")]) >= decided);
    assert!(scrape.sum("holdfast_kept_events", &[]) > 0.0);
    assert!(scrape.sum("holdfast_commit_seconds_count", &[]) >= 1.0);
    assert!(scrape.sum("holdfast_kafka_brokers", &[("state", "up")]) >= 2.0);
    assert!(scrape.sum("holdfast_snapshots_total", &[]) >= 1.0);

    let log = instances[0].whole_log();
    instances.into_iter().for_each(Instance::terminate);
    for (place, text) in [("a scrape", text), ("the log", log)] {
        must_name_nobody(place, &text, &ids);
        assert!(!text.contains("/v1/accounts/a") && !text.contains("poisoned"), "{place}");
    }
}

/// A series is of the family, and its labels are from the sets that are documented.
fn check(scrape: &Scrape, sample: &Sample) {
    let name = scrape.family(sample);
    let family = families().find(|family| family.name == name).expect(&name);
    assert_eq!(scrape.types[&name], family.kind.name(), "{name}");
    assert_eq!(scrape.helps.get(&name).map(String::as_str), Some(family.help), "{name}");
    let labels = sample.labels.iter().filter(|(label, _)| *label != "le");
    let found: BTreeSet<&str> = labels.clone().map(|(label, _)| label.as_str()).collect();
    let due: BTreeSet<&str> = family.labels.iter().map(|label| label.name).collect();
    assert_eq!(found, due, "{name}");
    for (label, value) in labels {
        let label = family.labels.iter().find(|one| one.name == label).unwrap();
        if let Values::Of(values) = label.values {
            assert!(values().contains(&value.as_str()), "{name}: {} is {value}", label.name);
        }
    }
}

/// The reasons that a page gives.
fn reasons(instance: &Instance, path: &str) -> Option<(u16, Vec<String>)> {
    let (status, body) = instance.get(path)?;
    let body: Value = serde_json::from_str(&body).ok()?;
    let reasons = body["reasons"].as_array().map_or(&[][..], Vec::as_slice);
    let reason = |of: &Value| {
        assert!(of["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
        of["reason"].as_str().unwrap().to_owned()
    };
    Some((status, reasons.iter().map(reason).collect()))
}

#[test]
fn one_that_cannot_reach_its_brokers_says_so() {
    let _turn = turn();
    let deployment = Deployment::new(&shared(), 2, &shipped_ruleset());
    let nobody = ("HOLDFAST__KAFKA__BROKERS", "127.0.0.1:1");
    let before = now_seconds();
    let instance = deployment.start_with(0, &[nobody]);
    let due = (503, vec!["starting".to_owned(), "brokers".to_owned()]);
    let patience = Duration::from_secs(60);
    let said = |path| within(patience, || reasons(&instance, path).filter(|found| *found == due));
    assert_eq!(said("/readyz").as_ref(), Some(&due));
    assert_eq!(said("/startupz").as_ref(), Some(&due));
    assert_eq!(reasons(&instance, "/livez"), Some((200, vec![])));
    let scrape = scrape(&instance);
    assert_eq!(scrape.sum("holdfast_obstacles", &[("reason", "brokers")]), 1.0);
    assert_eq!(scrape.sum("holdfast_ready", &[]), 0.0);
    let started = scrape.sum("process_start_time_seconds", &[]);
    assert!((before..=now_seconds()).contains(&started), "{started}, and not after {before}");
    // Of topics that nobody has looked at nothing is said.
    assert!(!scrape.types.contains_key("holdfast_input_partitions"));
    // The state cannot be asked for, and the answer says so.
    let (status, body) = instance.admin("/v1/partitions").expect("an answer");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("/readyz"), "{body}");
    instance.kill();
}

#[expect(clippy::disallowed_methods, reason = "metrics tell the time of day")]
fn now_seconds() -> f64 {
    // They have it by the millisecond.
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    ms as f64 / 1e3
}

#[test]
fn one_that_reads_its_log_again_says_so() {
    let _turn = turn();
    let (seed, _) = seeded("one_that_reads_its_log_again_says_so");
    let deployment = Deployment::new(&shared(), 2, &shipped_ruleset());
    produce(&deployment.input, traffic(seed, size(60_000, 600_000)));
    let mut instances = [deployment.start(0)];
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    std::fs::remove_dir_all(deployment.state_folder(0)).unwrap();
    let mut instance = deployment.start(0);
    let restoring = || {
        let (status, body) = instance.get("/readyz")?;
        (status == 503 && body.contains("\"restoring\"")).then_some(body)
    };
    let said = within(REST, restoring).expect("it is ready at once");
    assert!(said.contains("being restored"), "{said}");
    instance.wait_until_ready();
    instance.terminate();
    deployment.must_be_exact();
}

#[test]
fn a_thread_that_panics_ends_the_program_and_quotes_nothing() {
    let _turn = turn();
    let (seed, _) = seeded("a_thread_that_panics_ends_the_program_and_quotes_nothing");
    for (point, does) in [("before_commit!", "delivers"), ("amid_snapshot!", "keeps snapshots")] {
        let deployment = Deployment::new(&shared(), 2, &shipped_ruleset());
        let environment = [("HOLDFAST_CRASH_AT", point), ("HOLDFAST__SERVICE__LOG", "json")];
        let mut instance = deployment.start_with(0, &environment);
        let events = traffic(seed, size(20_000, 20_000));
        let stream = Stream::start(&deployment.input, 2000, events);
        assert_eq!(instance.wait_for_end(), 69, "{}", instance.said());
        stream.stop();
        let log = instance.whole_log();
        let reason = format!("the thread that {does} has failed: see the panic above");
        assert!(log.contains(&reason), "{log}");
        let lines = log.lines().filter(|line| line.starts_with('{'));
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect(line));
        let places = lines.filter_map(|line| line["place"].as_str().map(str::to_owned));
        let places: Vec<String> = places.collect();
        assert!(matches!(&places[..], [place] if place.contains("crash.rs:")), "{places:?}");
        assert!(!log.contains("a test wants") && !log.contains("panicked at"), "{log}");
    }
}
