//! What is due of one partition of the input: its replay, each stretch under its own ruleset.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
};

use serde::Deserialize;

use super::{
    identity,
    input::{Input, file_name},
};
use crate::support::binary::Folder;

/// From this offset on, another ruleset decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Change {
    offset: i64,
    former: String,
    ruleset: String,
}

impl Change {
    pub(super) fn of(payload: &[u8]) -> Change {
        serde_json::from_slice(payload).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(payload));
        })
    }
}

/// Outputs in order.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) decisions: Vec<Vec<u8>>,
    pub(super) dead_letters: Vec<Vec<u8>>,
}

impl Due {
    /// Of a partition that these rulesets decided, which took over from one another as told.
    pub(super) fn of(
        partition: i32,
        rulesets: &[String],
        changes: &[Change],
        input: &Input,
        folder: &Folder,
    ) -> Due {
        let configuration = |wanted: &str| {
            let known = rulesets.iter().find(|text| identity(text) == wanted);
            known.unwrap_or_else(|| panic!("nobody started the service with {wanted}"))
        };
        let mut changes = changes.to_vec();
        changes.sort_by_key(|change| change.offset);
        changes.dedup();
        let mut due = Due::default();
        let (mut now, mut decided) = (&rulesets[0], 0);
        for change in &changes {
            assert_eq!(change.former, identity(now), "partition {partition}: {change:?}");
            let until = input.count_before(partition, change.offset);
            due.add(now, partition, decided..until, folder);
            (now, decided) = (configuration(&change.ruleset), until);
        }
        due.add(now, partition, decided..usize::MAX, folder);
        due
    }

    /// What this ruleset puts out for these records, having seen all before them.
    fn add(
        &mut self,
        ruleset: &str,
        partition: i32,
        records: std::ops::Range<usize>,
        folder: &Folder,
    ) {
        let before = match records.start {
            0 => Due::default(),
            count => replay(ruleset, partition, count, folder),
        };
        let all = replay(ruleset, partition, records.end, folder);
        // The outputs for the records before come first, whatever comes after.
        let behind = |all: Vec<Vec<u8>>, before: &[Vec<u8>]| all.into_iter().skip(before.len());
        self.decisions.extend(behind(all.decisions, &before.decisions));
        self.dead_letters.extend(behind(all.dead_letters, &before.dead_letters));
    }
}

/// The outputs for the first so many records of a partition.
fn replay(ruleset: &str, partition: i32, count: usize, folder: &Folder) -> Due {
    let mut input = file_name(partition);
    if count < usize::MAX {
        let whole = BufReader::new(File::open(folder.path(&input)).expect("a file"));
        input = "beginning.jsonl".to_owned();
        let mut beginning = BufWriter::new(File::create(folder.path(&input)).expect("a file"));
        for line in whole.split(b'\n').take(count) {
            let line = [line.expect("a line"), b"\n".to_vec()].concat();
            beginning.write_all(&line).expect("a line is written");
        }
        beginning.flush().expect("a file is written");
    }
    folder.write("replay.toml", ruleset);
    let arguments = ["replay", &input, "-q", "-c", "replay.toml", "-o", "decisions.jsonl"];
    let ended = folder.run(&[&arguments[..], &["--dead-letters", "letters.jsonl"]].concat());
    ended.with(0);
    Due {
        decisions: lines(folder, "decisions.jsonl"),
        dead_letters: lines(folder, "letters.jsonl"),
    }
}

fn lines(folder: &Folder, name: &str) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> =
        folder.read(name).split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    assert_eq!(lines.pop(), Some(Vec::new()), "{name} ends with a line");
    lines
}
