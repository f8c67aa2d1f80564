//! The input topic as files, one for each partition, as `kcat -J` writes it.

use std::{
    collections::BTreeMap,
    fs::File,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{BufWriter, Write as _},
};

use serde::Deserialize;

use super::Audit;
use crate::support::{
    binary::Folder,
    kafka::read::{self, Record},
};

/// What was read of the input.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// By partition: offset and the hash of the event's id, in order.
    records: BTreeMap<i32, Vec<(i64, u64)>>,
}

impl Input {
    /// Writes each partition to its file, from where it began to be decided to where that ends.
    pub(super) fn read(audit: &Audit, folder: &Folder) -> Input {
        let Audit { input: topic, began, decided, .. } = audit;
        let file = |partition| {
            let file = File::create(folder.path(&file_name(partition))).expect("a file");
            (partition, BufWriter::new(file))
        };
        let mut files: BTreeMap<i32, _> = (0..topic.partitions).map(file).collect();
        let mut input = Input::default();
        let mut line = Vec::new();
        read::each(topic, |record| {
            let Record { partition, offset, .. } = record;
            if began.get(&partition).is_some_and(|began| offset < *began)
                || decided.get(&partition).is_some_and(|decided| offset >= *decided)
            {
                return;
            }
            line.clear();
            envelope(&topic.name, &record, &mut line);
            let file = files.get_mut(&record.partition).expect("a partition of the topic");
            file.write_all(&line).expect("a line is written");
            let event: Event = serde_json::from_slice(record.payload.as_deref().unwrap_or(b""))
                .unwrap_or_default();
            let hash = event.event_id.map_or(0, |id| hash(&id));
            input.records.entry(record.partition).or_default().push((record.offset, hash));
        });
        files.into_values().for_each(|mut file| file.flush().expect("a file is written"));
        input
    }

    pub(super) fn len(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }

    /// How many records of a partition stand before an offset.
    pub(super) fn count_before(&self, partition: i32, offset: i64) -> usize {
        let records = self.records.get(&partition).map(Vec::as_slice).unwrap_or_default();
        records.partition_point(|(at, _)| *at < offset)
    }

    /// Is this the event of that record?
    pub(super) fn is_event(&self, partition: i32, offset: i64, event_id: &str) -> bool {
        let records = self.records.get(&partition).map(Vec::as_slice).unwrap_or_default();
        let at = records.binary_search_by_key(&offset, |(at, _)| *at);
        at.is_ok_and(|at| records[at].1 == hash(event_id))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Event {
    event_id: Option<String>,
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The name of the file of a partition.
pub(super) fn file_name(partition: i32) -> String {
    format!("input-{partition}.jsonl")
}

/// A record as a line, as `kcat -J` writes it. Like that one, it passes bytes on that are no text.
pub(crate) fn envelope(topic: &str, record: &Record, line: &mut Vec<u8>) {
    let Record { partition, offset, timestamp_ms, key, payload, .. } = record;
    let time = match timestamp_ms {
        Some(ms) => format!("\"tstype\":\"create\",\"ts\":{ms}"),
        None => "\"tstype\":\"unknown\"".to_owned(),
    };
    let head = format!(
        "{{\"topic\":\"{topic}\",\"partition\":{partition},\"offset\":{offset},{time},\
         \"broker\":1"
    );
    line.extend_from_slice(head.as_bytes());
    for (name, value) in [("key", key), ("payload", payload)] {
        line.extend_from_slice(format!(",\"{name}\":").as_bytes());
        match value {
            None => line.extend_from_slice(b"null"),
            Some(value) => quoted(value, line),
        }
    }
    line.extend_from_slice(b"}\n");
}

fn quoted(bytes: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            0..0x20 => line.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => line.push(*byte),
        }
    }
    line.push(b'"');
}

#[test]
fn an_envelope_passes_every_byte_on() {
    use holdfast::wire::record;

    let all: Vec<u8> = (0..=255).collect();
    for payload in [Some(&all[..]), Some(b""), Some(b"{\"a\":\"\\u0041\"}"), None] {
        let payload = payload.map(<[u8]>::to_vec);
        let record = Record {
            partition: 3,
            offset: 17,
            timestamp_ms: Some(5),
            key: payload.clone(),
            payload: payload.clone(),
            headers: Vec::new(),
        };
        let mut line = Vec::new();
        envelope("auth.events", &record, &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        let arena = bumpalo::Bump::new();
        let opened = record::open(&line, &arena);
        let place = (opened.partition, opened.offset, opened.timestamp_ms);
        assert_eq!(place, (Some(3), Some(17), Some(5)));
        assert_eq!(opened.payload, payload.unwrap_or_default());
    }
}
