//! What the other tests stand on: the broker, and the auditor on topics that are as they should be
//! and on topics that are not.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
};

use super::{REST, size, turn};
use crate::support::{
    checker::Findings,
    kafka::{
        broker::Broker,
        feed::{Event, produce, traffic},
        read, shared,
        topics::Topic,
    },
    process::pause,
    run::{Bytes, settings},
    service::{Deployment, Instance, shipped_ruleset},
};

#[test]
fn a_broker_keeps_its_records_over_stop_kill_and_freeze() {
    let _turn = turn();
    let mut broker = Broker::start();
    let topic = Topic::create(&broker.address(), "kept", 2);
    produce(&topic, traffic(1, 500));
    broker.stop();
    broker.start_again();
    produce(&topic, traffic(2, 500));
    broker.kill();
    broker.start_again();
    broker.freeze();
    let thawing = std::thread::spawn(move || {
        pause(1000);
        broker.thaw();
        broker
    });
    let records = read::all(&topic);
    drop(thawing.join());
    assert_eq!(records.len(), 1000);
    let keys: BTreeMap<_, _> = records.iter().map(|r| (r.key.clone(), r.partition)).collect();
    assert!(records.iter().all(|record| keys[&record.key] == record.partition));
}

/// Puts out what a service would, without one: the decisions of a replay by the library, with their
/// headers, in transactions of which some are aborted.
fn put_out(deployment: &Deployment, breaking: impl Fn(i64, &mut Vec<Vec<u8>>)) {
    let producer: ThreadedProducer<_> = ClientConfig::new()
        .set("bootstrap.servers", &deployment.input.address)
        .set("transactional.id", &deployment.group)
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    producer.init_transactions(Duration::from_secs(20)).unwrap();
    let settings = settings(&shipped_ruleset());
    let mut engines: BTreeMap<i32, (holdfast::replay::Replay<'_>, Bytes, Bytes)> = BTreeMap::new();
    let mut count = 0;
    producer.begin_transaction().unwrap();
    for record in read::all(&deployment.input) {
        let (engine, decisions, letters) = engines.entry(record.partition).or_insert_with(|| {
            let (decisions, letters) = (Bytes::default(), Bytes::default());
            let outputs = holdfast::replay::Outputs::new(holdfast::config::Emit::All)
                .decisions_to(decisions.writer())
                .dead_letters_to(letters.writer());
            let engine = holdfast::replay::Replay::new(&settings, 1, outputs);
            (engine.unwrap_or_else(|_| panic!("a run begins")), decisions, letters)
        });
        let payload = record.payload.clone().unwrap();
        let line = crate::support::run::envelope(
            record.partition,
            record.offset,
            record.timestamp_ms,
            std::str::from_utf8(&payload).unwrap(),
        );
        let mut batch = holdfast::io::files::Batch::default();
        batch.push(0, line.as_bytes());
        assert!(engine.lines(&batch, &mut bumpalo::Bump::new()).is_ok());
        assert!(engine.finish().is_ok());
        for (topic, bytes) in
            [(&deployment.output, decisions.take()), (&deployment.dead_letters, letters.take())]
        {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
            for line in lines.clone() {
                count += 1;
                if count % 1000 == 999 {
                    // What is aborted is no output.
                    producer.flush(Duration::from_secs(20)).unwrap();
                    producer.commit_transaction(Duration::from_secs(20)).unwrap();
                    producer.begin_transaction().unwrap();
                    send(&producer, &topic.name, &record, &deployment.input.name, &line);
                    producer.flush(Duration::from_secs(20)).unwrap();
                    producer.abort_transaction(Duration::from_secs(20)).unwrap();
                    producer.begin_transaction().unwrap();
                }
                breaking(count, &mut lines);
            }
            for line in lines {
                send(&producer, &topic.name, &record, &deployment.input.name, &line);
            }
        }
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    producer.commit_transaction(Duration::from_secs(20)).unwrap();
}

fn send(
    producer: &ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
    topic: &str,
    record: &read::Record,
    input: &str,
    line: &[u8],
) {
    let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
    let headers = [
        ("input_topic", input),
        ("input_partition", &partition),
        ("input_offset", &offset),
        ("instance", "test"),
        ("version", "0"),
    ];
    let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(*value) })
    });
    let said: serde_json::Value = serde_json::from_slice(line).unwrap();
    let key = said["account_id"].as_str().unwrap_or_default();
    let record = BaseRecord::to(topic).key(key).payload(line).headers(headers);
    assert!(producer.send(record).is_ok());
}

fn audited(breaking: impl Fn(i64, &mut Vec<Vec<u8>>)) -> (Findings, usize) {
    let deployment = Deployment::new(&shared(), 3, &shipped_ruleset());
    produce(&deployment.input, traffic(3, size(2000, 20_000)));
    let broken = Event { key: Some(b"x".to_vec()), payload: Some(b"{".to_vec()), timestamp_ms: 1 };
    produce(&deployment.input, [broken]);
    put_out(&deployment, breaking);
    let report = deployment.audit().report();
    assert_eq!(report.records, size(2001, 20_001));
    // Generated traffic has events that come too late, too.
    assert!(report.dead_letters >= 1);
    (report.findings, report.decisions)
}

#[test]
fn the_auditor_finds_nothing_in_what_is_right() {
    let _turn = turn();
    let (findings, decisions) = audited(|_, _| ());
    assert!(findings.are_none(), "{findings}");
    assert!(decisions > 1000);
}

#[test]
fn the_auditor_finds_one_that_was_dropped_doubled_or_altered() {
    let _turn = turn();
    let (findings, _) = audited(|count, lines| match count {
        100 => drop(lines.remove(0)),
        200 => lines.insert(0, lines[0].clone()),
        300 => {
            let text = String::from_utf8(lines[0].clone()).unwrap();
            lines[0] = text.replace("\"schema\":", "\"more\":1,\"schema\":").into_bytes();
        }
        _ => {}
    });
    let Findings { missing, doubled, different, out_of_order, misplaced } = &findings;
    let counts = [missing, doubled, different, out_of_order, misplaced].map(Vec::len);
    assert_eq!(counts, [1, 1, 1, 0, 0], "{findings}");
}

#[test]
fn the_auditor_finds_what_a_broken_service_drops_doubles_or_alters() {
    let _turn = turn();
    for (broken, due) in
        [("drop_output", [1, 0, 0]), ("double_output", [0, 1, 0]), ("alter_output", [0, 0, 1])]
    {
        let deployment = Deployment::new(&shared(), 3, &shipped_ruleset());
        produce(&deployment.input, traffic(3, 2000));
        let mut instances = [deployment.start_to_crash(0, broken, 700)];
        deployment.wait_until_done(REST, &mut instances);
        instances.into_iter().for_each(Instance::terminate);
        let findings = deployment.audit().report().findings;
        let Findings { missing, doubled, different, out_of_order, misplaced } = &findings;
        assert_eq!([missing, doubled, different].map(Vec::len), due, "{broken}: {findings}");
        assert_eq!([out_of_order, misplaced].map(Vec::len), [0, 0], "{broken}: {findings}");
    }
}
