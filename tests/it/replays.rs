//! Decisions are a function of the log and the ruleset: run twice, cut anywhere, spread over
//! partitions, wrapped, packed or joined, the bytes stay the same.

use std::{collections::BTreeMap, io::Write as _};

use bumpalo::Bump;
use holdfast::{
    config::{Emit, Settings},
    engine::Engine,
    replay::Outputs,
    traffic::{self, Traffic},
    wire::{
        decode::{Hints, decode},
        record::partition_of,
    },
};
use serde_json::{Value, json};

use crate::support::{
    binary::{Folder, repository},
    dice::{Dice, for_seeds},
    partition::restarted,
    run::{
        Bytes, Written, authorization, envelope, is_decision, json_lines, run, run_in_batches,
        run_spread, settings,
    },
};

/// The configuration that is shipped.
fn shipped() -> Settings {
    let path = repository("config/holdfast.toml");
    settings(&std::fs::read_to_string(path).expect("config/holdfast.toml"))
}

/// Lines of traffic, some of them broken or blank, and ticks.
fn log(seed: u64, events: u64) -> Vec<String> {
    let settings = traffic::Settings { events, accounts: 200, seed, ..Default::default() };
    let mut dice = Dice::new(seed);
    let mut lines = Vec::new();
    for line in Traffic::new(settings) {
        match dice.below(200) {
            0 => lines.push("{\"event_id\":".into()),
            1 => lines.push(String::new()),
            2 => lines.push(tick(line.stamp.time_ms)),
            _ => {}
        }
        lines.push(line.text);
    }
    lines
}

fn tick(time: i64) -> String {
    format!("{{\"type\":\"tick\",\"event_time\":{time}}}")
}

/// Decisions and features of a log that is cut at these places: each time the engine is taken down
/// and set up again from its snapshot.
fn run_cut(settings: &Settings, lines: &[String], cuts: &[usize]) -> (Vec<u8>, Vec<u8>) {
    let (decisions, features) = (Bytes::default(), Bytes::default());
    let mut outputs =
        Outputs::new(Emit::All).decisions_to(decisions.writer()).features_to(features.writer());
    let mut engine = Engine::new(settings.ruleset.clone());
    for (at, line) in lines.iter().enumerate() {
        if cuts.contains(&at) {
            engine = restarted(&engine);
        }
        let arena = Bump::new();
        if let Ok(event) = decode(line.as_bytes(), &mut Hints::default(), &arena) {
            // What is refused leaves no trace in decisions and features.
            let _ = engine.process(event, &mut outputs);
        }
    }
    drop(outputs);
    (decisions.take(), features.take())
}

fn without_header(csv: &[u8]) -> &[u8] {
    let end = csv.iter().position(|byte| *byte == b'\n').expect("a header");
    &csv[end + 1..]
}

#[test]
fn two_runs_say_the_same() {
    let (settings, lines) = (shipped(), log(11, 6000));
    let first = run(&settings, &lines);
    assert!(first.decisions.len() > 100_000 && first.features.len() > 100_000);
    assert!(!first.dead_letters.is_empty());
    assert!(first == run(&shipped(), &lines), "the second run differs");
}

#[test]
fn cutting_the_log_anywhere_changes_no_decision() {
    let settings = shipped();
    let lines = log(12, 2500);
    let whole = run(&settings, &lines);
    for_seeds("cutting_the_log_anywhere_changes_no_decision", 24, |seed| {
        let mut dice = Dice::new(seed);
        let count = dice.pick(&[1, 1, 1, 5, 60]);
        let cuts: Vec<usize> = (0..count).map(|_| dice.below(lines.len())).collect();
        let (decisions, features) = run_cut(&settings, &lines, &cuts);
        assert!(decisions == whole.decisions, "other decisions, cut at {cuts:?}");
        assert!(features == without_header(&whole.features), "other features, cut at {cuts:?}");
    });
}

#[test]
fn how_many_lines_are_read_at_once_changes_nothing() {
    let (settings, lines) = (shipped(), log(18, 3000));
    let one_by_one = run_in_batches(&settings, 3, Emit::All, &lines, 1);
    for lines_a_batch in [2, 7, 333, lines.len()] {
        let written = run_in_batches(&settings, 3, Emit::All, &lines, lines_a_batch);
        assert!(written == one_by_one, "{lines_a_batch} lines at once change something");
    }
}

#[test]
fn partitions_say_what_their_logs_run_apart_say() {
    const PARTITIONS: u32 = 7;
    let (settings, lines) = (shipped(), log(13, 5000));
    let together = run_spread(&settings, PARTITIONS, Emit::All, &lines);

    let partition_of_line = |line: &str| {
        let event: Value = serde_json::from_str(line).ok()?;
        let account = event.get("account_id")?.as_str()?.to_owned();
        Some(partition_of(&account, PARTITIONS))
    };
    let mut logs: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
    let mut order = Vec::new();
    for line in &lines {
        if line.contains("\"tick\"") {
            logs.values_mut().for_each(|log| log.push(line));
        } else {
            let partition = partition_of_line(line).unwrap_or(0);
            logs.entry(partition).or_default().push(line);
            order.push(partition);
        }
    }
    assert_eq!(logs.len(), PARTITIONS as usize);
    let apart: BTreeMap<i32, Written> =
        logs.iter().map(|(partition, log)| (*partition, run(&settings, log))).collect();

    // By the account of each decision, the partitions are told apart again.
    let mut split: BTreeMap<i32, Vec<u8>> = BTreeMap::new();
    for line in together.decisions.split_inclusive(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(line).unwrap();
        let partition = partition_of_line(text).expect("an account");
        split.entry(partition).or_default().extend_from_slice(line);
    }
    for (partition, apart) in &apart {
        assert!(split[partition] == apart.decisions, "partition {partition} differs");
    }
    let mut rows: BTreeMap<i32, Vec<&[u8]>> = apart
        .iter()
        .map(|(partition, run)| {
            let rows = without_header(&run.features).split_inclusive(|byte| *byte == b'\n');
            (*partition, rows.rev().collect())
        })
        .collect();
    let mut expected = 0;
    for (row, line) in without_header(&together.features)
        .split_inclusive(|byte| *byte == b'\n')
        .zip(together.decisions())
    {
        let partition = partition_of(line["account_id"].as_str().unwrap(), PARTITIONS);
        assert_eq!(rows.get_mut(&partition).unwrap().pop(), Some(row));
        expected += 1;
    }
    assert!(expected > 3000 && rows.values().all(Vec::is_empty));
}

#[test]
fn envelopes_say_what_bare_lines_say() {
    let settings = shipped();
    let lines = log(14, 3000);
    let wrapped: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| match line.is_empty() {
            true => String::new(),
            false => envelope(0, at as i64, None, line),
        })
        .collect();
    // A tick in an envelope is a record of its partition; here there is only the one.
    assert!(run(&settings, &lines) == run(&settings, &wrapped), "envelopes change something");
    // Of several partitions: each counts for itself, wherever its lines stand.
    let partition = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        event["account_id"].as_str().map_or(0, |account| partition_of(account, 3))
    };
    let lines: Vec<&String> = lines.iter().filter(|line| !line.contains("\"tick\"")).collect();
    let spread: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| match line.is_empty() {
            true => String::new(),
            false => envelope(partition(line), at as i64, None, line),
        })
        .collect();
    let bare = run_spread(&settings, 3, Emit::All, &lines);
    assert!(bare == run(&settings, &spread), "an envelope's partition is another");
}

#[test]
fn a_log_is_the_same_plain_packed_joined_or_piped() {
    let folder = Folder::new();
    let lines = log(15, 1500);
    let (first, rest) = lines.split_at(400);
    let (second, third) = rest.split_at(500);
    let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let gz = |text: &str| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    };
    let zst = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    let whole = text(&lines);
    folder.write("whole.jsonl", &whole);
    folder.write("whole.jsonl.gz", gz(&whole));
    folder.write("whole.jsonl.zst", zst(&whole));
    folder.write("open.jsonl", whole.strip_suffix('\n').unwrap());
    folder.write("crlf.jsonl", whole.replace('\n', "\r\n"));
    folder.write("1.jsonl", text(first).strip_suffix('\n').unwrap());
    folder.write("2.jsonl.gz", [gz(&text(&second[..100])), gz(&text(&second[100..]))].concat());
    folder.write("3.jsonl.zst", zst(&text(third)));
    let config = repository("config/holdfast.toml");
    let config = config.to_str().unwrap();
    let run = |inputs: &[&str], stdin: &[u8]| {
        let outputs = ["-c", config, "--features", "f.csv", "--dead-letters", "d.jsonl"];
        let arguments: Vec<&str> = ["replay", "--emit", "all"]
            .into_iter()
            .chain(inputs.iter().copied())
            .chain(outputs)
            .collect();
        let ended = folder.run_with(&arguments, &[], stdin).with(0);
        let mut statistics = ended.statistics();
        statistics["seconds"].take();
        (ended.out, folder.read("f.csv"), folder.read("d.jsonl"), statistics)
    };
    let plain = run(&["whole.jsonl"], b"");
    let decided = plain.3["decided"].as_u64().unwrap();
    let decisions = json_lines(&plain.0).into_iter().filter(is_decision).count() as u64;
    assert!(decided > 900 && decisions == decided);
    for (inputs, stdin) in [
        (&["whole.jsonl.gz"][..], ""),
        (&["whole.jsonl.zst"], ""),
        (&["open.jsonl"], ""),
        (&["crlf.jsonl"], ""),
        (&["-"], whole.as_str()),
        (&["1.jsonl", "2.jsonl.gz", "3.jsonl.zst"], ""),
        (&["1.jsonl", "-", "3.jsonl.zst"], &text(second)),
    ] {
        assert!(run(inputs, stdin.as_bytes()) == plain, "{inputs:?} differ");
    }
}

#[test]
fn emit_chooses_lines_and_changes_none() {
    let (settings, lines) = (shipped(), log(16, 4000));
    let all = run_spread(&settings, 1, Emit::All, &lines);
    let keeping = |keep: &dyn Fn(&Value) -> bool| -> Vec<u8> {
        let lines = all.decisions.split_inclusive(|byte| *byte == b'\n');
        lines
            .zip(json_lines(&all.decisions))
            .filter(|(_, d)| keep(d))
            .flat_map(|(l, _)| l.to_vec())
            .collect()
    };
    let acts = |decision: &Value| decision["action"] != "allow";
    let empty = |list: &Value| list.as_array().unwrap().is_empty();
    let tells = |decision: &Value| {
        acts(decision)
            || ["reasons", "shadow", "suppressed"].iter().any(|name| !empty(&decision[*name]))
    };
    for (emit, due) in [(Emit::Actions, keeping(&acts)), (Emit::Findings, keeping(&tells))] {
        let some = run_spread(&settings, 1, emit, &lines);
        assert!(!due.is_empty() && due.len() < all.decisions.len());
        assert!(some.decisions == due, "{emit:?}");
        assert!((&some.features, &some.statistics) == (&all.features, &all.statistics));
    }
}

#[test]
fn a_decision_has_an_id_of_its_own() {
    let lines = log(17, 6000);
    let mut seen = std::collections::HashSet::new();
    for decision in run(&shipped(), &lines).decisions() {
        assert!(seen.insert(decision["decision_id"].to_string()), "{decision}");
    }
    // An event of the same name, accepted again after the horizon, has another.
    let payment = |id: &str, time: i64| authorization(id, time, json!({}));
    let again = [payment("e", 0), payment("f", 100_000_000_000), payment("e", 100_000_000_000)];
    let decisions = run(&settings("[output]\nemit = \"all\""), &again).decisions();
    assert_eq!([&decisions[0]["event_id"], &decisions[2]["event_id"]], ["e", "e"]);
    assert_ne!(decisions[0]["decision_id"], decisions[2]["decision_id"]);
}
