//! A log that goes through Kafka, is exported as `kcat -J` does, and replayed from the file: the same
//! bytes, partition by partition.
//!
//! The log is one that `holdfast generate` makes. `HOLDFAST_TEST_LOG=FILE` is another one: an event a
//! line, plain.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use holdfast::wire::record::partition_of;
use serde::Deserialize;

use super::{REST, size, turn};
use crate::support::{
    binary::Folder,
    checker::envelope,
    kafka::{
        feed::{Event, produce},
        read, shared,
        topics::Topic,
    },
    process::setting,
    service::{Deployment, Instance, shipped_ruleset},
};

const PARTITIONS: i32 = 4;

#[derive(Deserialize)]
struct Said {
    account_id: String,
    #[serde(default)]
    event_time: i64,
}

fn said(line: &[u8]) -> Said {
    let text = || String::from_utf8_lossy(line).into_owned();
    serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error}: {}", text()))
}

/// The log as records, each of the time of its event.
fn records(log: &Path) -> impl Iterator<Item = Event> {
    let file = File::open(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    BufReader::new(file).split(b'\n').map(|line| {
        let line = line.expect("a line");
        let Said { account_id, event_time } = said(&line);
        Event { key: Some(account_id.into_bytes()), payload: Some(line), timestamp_ms: event_time }
    })
}

/// Writes what is in a topic before these offsets into a file; how many records that are.
fn export(topic: &Topic, before: &[Option<i64>], file: &Path) -> usize {
    let (mut file, mut line) = (BufWriter::new(File::create(file).expect("a file")), Vec::new());
    let mut count = 0;
    read::each(topic, |record| {
        let end = before.get(record.partition as usize).copied().flatten();
        if end.is_none_or(|end| record.offset < end) {
            line.clear();
            envelope(&topic.name, &record, &mut line);
            file.write_all(&line).expect("a line is written");
            count += 1;
        }
    });
    file.flush().expect("a file is written");
    count
}

/// The payloads of an exported file, one a line, by partition.
fn payloads(file: &Path) -> BTreeMap<i32, Vec<u8>> {
    #[derive(Deserialize)]
    struct Exported {
        partition: i32,
        payload: String,
    }
    let mut by_partition: BTreeMap<i32, Vec<u8>> = BTreeMap::new();
    for line in BufReader::new(File::open(file).expect("a file")).split(b'\n') {
        let one: Exported = serde_json::from_slice(&line.expect("a line")).expect("an envelope");
        let bytes = by_partition.entry(one.partition).or_default();
        bytes.extend_from_slice(one.payload.as_bytes());
        bytes.push(b'\n');
    }
    by_partition
}

/// The lines of a file of outputs, by the partition in which their account's are.
fn lines(file: PathBuf) -> BTreeMap<i32, Vec<u8>> {
    let mut by_partition: BTreeMap<i32, Vec<u8>> = BTreeMap::new();
    for line in BufReader::new(File::open(file).expect("a file")).split(b'\n') {
        let line = line.expect("a line");
        let partition = partition_of(&said(&line).account_id, PARTITIONS as u32);
        let bytes = by_partition.entry(partition).or_default();
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
    }
    by_partition
}

#[test]
fn what_is_exported_from_kafka_replays_to_the_same_bytes() {
    let _turn = turn();
    let folder = Folder::new();
    let log = setting("HOLDFAST_TEST_LOG").map_or_else(
        || {
            let events = size(50_000, 1_000_000).to_string();
            folder.run(&["generate", "-n", &events, "--fraud", "0.05", "-o", "log.jsonl"]).with(0);
            folder.path("log.jsonl")
        },
        PathBuf::from,
    );
    // With as many partitions as the input, outputs of a partition stand in the one of that number.
    let mut deployment = Deployment::new(&shared(), PARTITIONS, &shipped_ruleset());
    deployment.output = Topic::create(&shared(), "decisions", PARTITIONS);
    produce(&deployment.input, records(&log));
    let mut instances = [deployment.start(0), deployment.start(1)];
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);

    let committed = deployment.input.committed(&deployment.group).expect("the broker answers");
    let input = export(&deployment.input, &committed, &folder.path("input.jsonl"));
    let output = export(&deployment.output, &[], &folder.path("output.jsonl"));
    folder.write("replay.toml", shipped_ruleset());
    let replay = ["replay", "input.jsonl", "-q", "-c", "replay.toml", "-o", "decisions.jsonl"];
    folder.run(&replay).with(0);
    let (live, replayed) =
        (payloads(&folder.path("output.jsonl")), lines(folder.path("decisions.jsonl")));
    assert_eq!(live.keys().collect::<Vec<_>>(), replayed.keys().collect::<Vec<_>>());
    for (partition, live) in &live {
        let same = *live == replayed[partition];
        eprintln!("partition {partition}: {} bytes, the same: {same}", live.len());
        assert!(same, "partition {partition} is replayed to something else");
    }
    eprintln!("{input} records in {PARTITIONS} partitions, {output} outputs");
    assert!(output > input / 2, "{output}");
}
