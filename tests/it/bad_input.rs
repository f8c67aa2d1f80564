//! Whatever stands in a log, it is decided or becomes a dead letter, and the stream goes on.

use serde_json::json;

use crate::support::{
    binary::Folder,
    dice::{Dice, for_seeds},
    run::{authorization, envelope, run, settings},
};

/// Lines that are refused, with the reason and field.
fn bad_lines() -> Vec<(Vec<u8>, &'static str)> {
    let payment = authorization("bad", 5, json!({}));
    let with = |members: &str| payment.replace('}', &format!(",{members}}}"));
    let without = |name: &str, written: &str| {
        let event = authorization("bad", 5, json!({ name: null }));
        event.replace('}', &format!(",\"{name}\":{written}}}"))
    };
    let padded = |bytes: usize| format!("{payment}{}", " ".repeat(bytes - payment.len()));
    let deep = |levels: usize| with(&format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    let open = |levels: usize| with(&format!("\"x\":{}", "{\"y\":".repeat(levels)));
    let texts = [
        (padded(65_537), "too_large"),
        (deep(600), "invalid_json"),
        (deep(30_000), "invalid_json"),
        (deep(100_000), "too_large"),
        (open(10_000), "invalid_json"),
        ("[".repeat(65_536), "invalid_json"),
        ("{\"a\":".repeat(13_000), "invalid_json"),
        ("\"".repeat(65_536), "invalid_json"),
        ("\\".repeat(65_536), "invalid_json"),
        (without("amount_minor", "\"100\""), "invalid_field amount_minor"),
        (without("amount_minor", "-1"), "invalid_field amount_minor"),
        (without("amount_minor", "1000000000000001"), "invalid_field amount_minor"),
        (without("amount_minor", &"9".repeat(60_000)), "invalid_field amount_minor"),
        (without("amount_minor", "1e15"), "invalid_field amount_minor"),
        (without("amount_minor", "0x10"), "invalid_json"),
        (without("event_time", "\"5\""), "invalid_field event_time"),
        (without("event_time", "-5"), "invalid_field event_time"),
        (with("\"card_id\":\"d\""), "invalid_json"),
        (with("\"card\\u005fid\":\"d\""), "invalid_json"),
        (with("\"\\u0063ard_id\":null"), "invalid_json"),
        (payment.replace('c', "\\c"), "invalid_json"),
        (payment.replace("\"c\"", "\"\u{0}\""), "invalid_json"),
        ("\u{0}".into(), "invalid_json"),
        (format!("\u{0}{payment}"), "invalid_json"),
        (format!("{payment}\u{0}"), "invalid_json"),
        ("\u{feff}".to_owned() + &payment, "invalid_json"),
        (with("\"attributes\":{\"x\":{\"y\":1}}"), "invalid_field attributes"),
        (with("\"attributes\":{\"x\":1,\"\\u0078\":1}"), "invalid_json"),
        (envelope(0, 0, None, ""), "invalid_json"),
        (envelope(0, 0, None, &envelope(0, 0, None, &payment)), "missing_field event_id"),
        (envelope(-1, 0, None, &payment), "missing_field event_id"),
        (envelope(0, 0, Some(i64::MAX), "{"), "invalid_json"),
    ];
    let mut lines: Vec<(Vec<u8>, &str)> =
        texts.into_iter().map(|(text, due)| (text.into_bytes(), due)).collect();
    for bytes in
        [&b"\xff"[..], b"{\"event_id\":\"\xc3\x28\"}", b"\xed\xa0\x80", b"\xf8\x88\x80\x80"]
    {
        lines.push((bytes.to_vec(), "invalid_json"));
    }
    let cut = envelope(0, 0, None, "?").into_bytes();
    let raw = cut.iter().flat_map(|b| if *b == b'?' { vec![0xff, 0xfe] } else { vec![*b] });
    lines.push((raw.collect(), "invalid_json"));
    lines
}

#[test]
fn after_every_bad_line_the_next_good_one_is_decided() {
    let bad = bad_lines();
    let mut lines = Vec::new();
    for (n, (line, _)) in bad.iter().enumerate() {
        lines.push(line.clone());
        lines.push(authorization(&format!("good{n}"), 5, json!({})).into_bytes());
    }
    let written = run(&settings(""), &lines);
    let due: Vec<&str> = bad.iter().map(|(_, due)| *due).collect();
    for ((found, due), (line, _)) in written.refusals().iter().zip(&due).zip(&bad) {
        let shown = String::from_utf8_lossy(&line[..line.len().min(200)]);
        assert_eq!(found, due, "{shown}");
    }
    assert_eq!(written.refusals().len(), due.len());
    assert_eq!(written.decisions().len(), bad.len());
}

#[test]
fn what_is_unusual_and_right_is_decided() {
    let payment = authorization("e", 5, json!({}));
    let with = |members: &str| payment.replace('}', &format!(",{members}}}"));
    let padded = format!("{payment}{}", " ".repeat(65_536 - payment.len()));
    let nested = |levels: usize| format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels));
    for line in [
        padded,
        with(&nested(500)),
        with("\"x\":1e999,\"x\":{\"y\":1,\"y\":2}"),
        payment.replace("card_id", "\\u0063ard_id"),
        payment.replace("\"c\"", "\"\\u0000\\\"\\/\u{7f}\u{2028}\\ud83d\\ude00\""),
        payment.replace("\"amount_minor\":100", "\"amount_minor\":1000000000000000"),
        format!(" \t{payment}\t \r"),
    ] {
        let written = run(&settings(""), &[&line]);
        assert_eq!(written.refusals(), [""; 0], "{:.200}", line);
        assert_eq!(written.decisions().len(), 1);
    }
}

/// Garbage of all kinds: random bytes, and events with some of their bytes changed.
#[test]
fn garbage_is_refused_line_by_line() {
    for_seeds("garbage_is_refused_line_by_line", 3, |seed| {
        let mut dice = Dice::new(seed);
        let mut bytes: Vec<u8> =
            (0..1_000_000 / 8).flat_map(|_| dice.bits().to_le_bytes()).collect();
        if seed == 1 {
            // As text, with the marks of JSON among it.
            let marks = b"{}[]\":,\\ 0123456789eE+-.\n\nnulltruefalse\xc3\xa9";
            bytes.iter_mut().for_each(|byte| *byte = marks[usize::from(*byte) % marks.len()]);
        }
        let mut lines: Vec<Vec<u8>> =
            bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if seed == 2 {
            lines = (0..4000)
                .map(|n| {
                    let fields = json!({"attributes": {"x": n, "y": "é"}, "order_id": "\"o\""});
                    let mut line = authorization(&format!("e{n}"), n, fields).into_bytes();
                    for _ in 0..1 + dice.below(3) {
                        let at = dice.below(line.len());
                        line[at] = dice.pick(&[b'"', b'\\', b'{', b'}', 0, 0xff, b'0', b',']);
                    }
                    line
                })
                .collect();
        }
        lines.push(authorization("good", 5, json!({"account_id": "z"})).into_bytes());
        let blank = |line: &&Vec<u8>| !line.iter().all(|byte| b" \t\r".contains(byte));
        let events = lines.iter().filter(blank).count() as u64;
        let written = run(&settings(""), &lines);
        assert_eq!(written.statistics.events(), events);
        let decisions = written.decisions();
        assert_eq!(decisions.last().unwrap()["event_id"], "good");
        let letters = written.dead_letters();
        assert!(letters.iter().all(|letter| letter["reason"] != "internal"));
        assert!(letters.len() > 500, "{}", letters.len());
    });
}

#[test]
fn files_of_nothing_of_garbage_and_of_one_endless_line_are_read_through() {
    let folder = Folder::new();
    let good = |id: &str| authorization(id, 5, json!({})) + "\n";
    let mut dice = Dice::new(4);
    let garbage: Vec<u8> = (0..130_000).flat_map(|_| dice.bits().to_le_bytes()).collect();
    folder.write("config.toml", "");
    folder.write("empty.jsonl", "");
    folder.write("lines.jsonl", "\n\n\r\n");
    folder.write("garbage.jsonl", &garbage);
    folder.write("zeros.jsonl", [0; 100_000]);
    folder.write("long.jsonl", format!("{}\n{}", "x".repeat(20_000_000), good("e2")));
    folder
        .write("event.jsonl", format!("{{\"x\":\"{}\"}}\n{}", "y".repeat(20_000_000), good("e3")));
    folder.write("good.jsonl", good("e1"));
    let files = ["empty", "good", "lines", "zeros", "long", "event", "garbage", "good"];
    let files: Vec<String> = files.iter().map(|name| format!("{name}.jsonl")).collect();
    let mut arguments = vec!["replay", "-c", "config.toml", "--emit", "all"];
    arguments.extend(["--dead-letters", "dead.jsonl"]);
    arguments.extend(files.iter().map(String::as_str));
    let ended = folder.run(&arguments).with(0);
    let statistics = ended.statistics();
    assert_eq!(statistics["decided"], 3, "{statistics}");
    assert_eq!(statistics["duplicate"], 1, "{statistics}");
    let dead = crate::support::run::json_lines(&folder.read("dead.jsonl"));
    assert_eq!(statistics["dead_letter"], dead.len());
    let large: Vec<&serde_json::Value> =
        dead.iter().filter(|letter| letter["truncated"] == true).collect();
    assert!(
        large.iter().all(|letter| letter["payload"].as_str().is_none_or(|p| p.len() == 65_536))
    );
    assert!(large.len() >= 3, "{}", large.len());
}
