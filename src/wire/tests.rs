//! The two ways to read an event against each other, against a plain reading, and against tables
//! of hand-made cases.

use bumpalo::Bump;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::decode::{Hints, NESTING_MAX, PAYLOAD_BYTES_MAX, decode, usual};
use super::record::{Record, account_of, is_blank, open};
use super::validate::{Draft, validate};
use super::{pan, scan, strict};
use crate::decision::Reason;
use crate::event::{EventType, Field, Scalar};

const GOOD: &str = concat!(
    r#"{"event_id":"e","event_time":5,"account_id":"a","card_id":"c","#,
    r#""amount_minor":7,"currency":"JPY"}"#
);
const FEEDBACK: &str = concat!(
    r#"{"type":"feedback","event_id":"e","event_time":5,"account_id":"a","#,
    r#""verdict":"fraud","source":"customer","scope":"account"}"#
);

/// What becomes of a payload: the reason and field of its refusal, if it is refused.
fn refusal(payload: &[u8]) -> Option<(Reason, Option<&'static str>)> {
    let arena = Bump::new();
    let rejection = decode(payload, &mut Hints::default(), &arena).err()?;
    assert!(!rejection.detail.is_empty());
    assert_eq!(pan::mask(rejection.detail.as_bytes()), rejection.detail.as_bytes());
    Some((rejection.reason, rejection.field))
}

/// `GOOD` with other values of some fields (an empty one takes the field away), and with more.
fn changed(base: &str, fields: &[(&str, &str)]) -> String {
    let base: serde_json::Map<String, Value> = serde_json::from_str(base).unwrap();
    let mut members: Vec<(String, String)> =
        base.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    for (name, value) in fields {
        members.retain(|(n, _)| n != name);
        if !value.is_empty() {
            members.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    let members: Vec<String> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
    format!("{{{}}}", members.join(","))
}

type Case<'a> = (&'a [(&'a str, &'a str)], Option<(Reason, &'static str)>);

#[track_caller]
fn check_fields(base: &str, cases: &[Case<'_>]) {
    for (fields, due) in cases {
        let event = changed(base, fields);
        let due = due.map(|(reason, field)| (reason, Some(field)));
        assert_eq!(refusal(event.as_bytes()), due, "{event}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let deep = |levels: usize| {
        let levels = levels - 1;
        GOOD.replace('}', &format!(",\"x\":{}{}}}", "[".repeat(levels), "]".repeat(levels)))
    };
    let twice = |more: &str| GOOD.replace('}', &format!(",{more}}}"));
    for text in [
        "",
        " ",
        "[1]",
        "5",
        "\"x\"",
        "null",
        "\u{feff}{}",
        "{} {}",
        "{'a':1}",
        "{",
        "{\"a\"",
        "{,}",
        "{\"event_id\":NaN}",
        "{\"event_id\":-Infinity}",
        "{\"event_id\":\"\u{1}\"}",
        "{\"a\":01}",
        "{\"a\":1,}",
        "{\"a\":\"\\x\"}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":tru}",
        "{\"a\":\"\\u12\"}",
        r#"{"event_id":"\ud800"}"#,
        r#"{"x":"\udc00"}"#,
        r#"{"\ud800":1}"#,
        r#"{"x":[{"y":"\ud800\ud800"}]}"#,
        r#"{"x":{"\udfffy":1}}"#,
        r#"{"x":"\ud800\n"}"#,
        r#"{"type":"tick","event_time":5,"x":["\udc00"]}"#,
        &twice(r#""event_id":"again""#),
        &twice(r#""card_id":null"#),
        &twice(r#""card\u005fid":1"#),
        &twice(r#""to":1,"to":1"#),
        &twice(r#""tender":null,"tender":null"#),
        &twice(r#""attributes":{"s":1,"s":2}"#),
        &twice(r#""attributes":{"s":null,"\u0073":[]}"#),
        r#"{"type":"tick","event_time":5,"attributes":{"s":1,"s":1}}"#,
        r#"{"type":"tick","event_time":5,"event_time":6}"#,
        &deep(NESTING_MAX + 1),
        &deep(30_000),
        &"[".repeat(60_000),
        &"{\"a\":".repeat(10_000),
    ] {
        assert_eq!(refusal(text.as_bytes()), Some((Reason::InvalidJson, None)), "{text:.200}");
    }
    assert_eq!(refusal(b"{\"event_id\":\"\xff\xfe\"}"), Some((Reason::InvalidJson, None)));
    assert_eq!(refusal(b"{\"event_id\":\"\xed\xa0\x80\"}"), Some((Reason::InvalidJson, None)));
    for text in [
        &deep(NESTING_MAX),
        &format!(" \t\r\n{GOOD}\r\n "),
        &twice(r#""x":1e999,"x":null,"y":[1e999]"#),
        &twice(r#""x":"\ud83d\ude00\\ud800""#),
        &twice("\"x\":\"\u{7f}\""),
        &twice(r#""attributes":{"a":1,"A":1,"":null}"#),
        &twice(r#""x":{"y":1,"y":2}"#),
    ] {
        assert_eq!(refusal(text.as_bytes()), None, "{text:.200}");
    }
}

#[test]
fn the_payload_has_a_largest_size() {
    let filled = |bytes: usize| format!("{GOOD}{}", " ".repeat(bytes - GOOD.len()));
    assert_eq!(refusal(filled(PAYLOAD_BYTES_MAX).as_bytes()), None);
    let over = [filled(PAYLOAD_BYTES_MAX + 1).into_bytes(), vec![0xff; PAYLOAD_BYTES_MAX + 1]];
    for payload in over {
        assert_eq!(refusal(&payload), Some((Reason::TooLarge, None)));
    }
}

#[test]
fn the_first_bad_field_of_the_table_is_named() {
    use Reason::{InvalidField as Invalid, MissingField as Missing};
    let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    let wide = format!("\"{}\"", "é".repeat(65));
    check_fields(
        GOOD,
        &[
            (&[], None),
            (&[("event_id", "")], Some((Missing, "event_id"))),
            (&[("event_id", "\"\"")], Some((Invalid, "event_id"))),
            (&[("event_id", &long(128))], None),
            (&[("event_id", &long(129))], Some((Invalid, "event_id"))),
            (&[("event_id", &wide)], Some((Invalid, "event_id"))),
            (&[("event_id", "[\"a\"]")], Some((Invalid, "event_id"))),
            (&[("event_id", "true")], Some((Invalid, "event_id"))),
            (&[("event_time", "-0")], None),
            (&[("event_time", "253370764799999")], None),
            (&[("event_time", "253370764800000")], Some((Invalid, "event_time"))),
            (&[("event_time", "-1"), ("account_id", "")], Some((Invalid, "event_time"))),
            (&[("event_time", "1.0")], Some((Invalid, "event_time"))),
            (&[("event_time", "1e3")], Some((Invalid, "event_time"))),
            (&[("event_time", "\"5\"")], Some((Invalid, "event_time"))),
            (&[("event_time", "10000000000000000000000000")], Some((Invalid, "event_time"))),
            (&[("type", "\"Authorization\""), ("account_id", "")], Some((Invalid, "type"))),
            (&[("type", "1"), ("amount_minor", "")], Some((Invalid, "type"))),
            (&[("type", "1"), ("event_time", "null")], Some((Missing, "event_time"))),
            (&[("type", "\"login\""), ("amount_minor", ""), ("currency", "")], None),
            (&[("type", "\"login\""), ("amount_minor", "-1")], Some((Invalid, "amount_minor"))),
            (&[("type", "\"bogus\""), ("order_id", "5")], Some((Invalid, "type"))),
            (&[("account_id", "7")], Some((Invalid, "account_id"))),
            (&[("card_id", "\"\""), ("currency", "")], Some((Invalid, "card_id"))),
            (&[("amount_minor", "1000000000000000")], None),
            (&[("amount_minor", "1000000000000001")], Some((Invalid, "amount_minor"))),
            (&[("amount_minor", "null"), ("currency", "null")], Some((Missing, "amount_minor"))),
            (&[("currency", "")], Some((Missing, "currency"))),
            (&[("currency", "\"jpy\"")], Some((Invalid, "currency"))),
            (&[("currency", "\"ＪＰＹ\"")], Some((Invalid, "currency"))),
            (&[("tender", "\"cash\"")], Some((Invalid, "tender"))),
            (&[("mcc", "\"\"")], None),
            (&[("mcc", &long(256))], None),
            (&[("mcc", &long(257))], Some((Invalid, "mcc"))),
            (&[("response", "{}")], Some((Invalid, "response"))),
            (&[("item_seq", "9223372036854775807")], None),
            (&[("item_seq", "-9223372036854775808")], None),
            (&[("item_seq", "9223372036854775808")], Some((Invalid, "item_seq"))),
            (&[("attributes", "5")], Some((Invalid, "attributes"))),
            (&[("attributes", "[]")], Some((Invalid, "attributes"))),
            (&[("attributes", r#"{"a":[]}"#)], Some((Invalid, "attributes"))),
            (&[("attributes", r#"{"a":{"b":1,"b":1}}"#)], Some((Invalid, "attributes"))),
            (&[("attributes", r#"{"z":9223372036854775808}"#)], Some((Invalid, "attributes"))),
            (&[("attributes", r#"{"z":1e999}"#)], Some((Invalid, "attributes"))),
            (&[("attributes", r#"{"z":1e308,"n":null}"#)], None),
            (&[("ref_event_id", "5"), ("verdict", "5"), ("to", "\"x\"")], None),
            (&[("type", "\"reversal\""), ("ref_event_id", "5")], Some((Invalid, "ref_event_id"))),
            (&[("type", "\"reversal\""), ("verdict", "5"), ("suspend", "5")], None),
        ],
    );
}

#[test]
fn feedback_needs_a_verdict_a_source_and_a_scope_after_all_else() {
    use Reason::{InvalidField as Invalid, MissingField as Missing};
    let (no_scope, by_ids) = (("scope", ""), ("event_ids", "[\"e-1\"]"));
    check_fields(
        FEEDBACK,
        &[
            (&[], None),
            (&[("verdict", ""), ("source", ""), no_scope], Some((Missing, "verdict"))),
            (&[("source", ""), no_scope], Some((Missing, "source"))),
            (&[no_scope, ("to", "\"x\"")], Some((Missing, "scope"))),
            (&[no_scope, ("note", "5")], Some((Invalid, "note"))),
            (&[("scope", "null"), ("event_ids", "null")], Some((Missing, "scope"))),
            (&[no_scope, ("event_ids", "[]")], None),
            (&[no_scope, ("case_id", "\"\"")], None),
            (&[no_scope, ("card_id", "\"c\"")], None),
            (&[no_scope, ("card_id", "5"), ("verdict", "")], Some((Invalid, "card_id"))),
            (&[no_scope, ("case_id", "5")], Some((Invalid, "case_id"))),
            (&[("scope", "\"card\"")], Some((Invalid, "scope"))),
            (&[("verdict", "\"Fraud\"")], Some((Invalid, "verdict"))),
            (&[("source", "\"bank\"")], Some((Invalid, "source"))),
            (&[("event_ids", "\"e-1\"")], Some((Invalid, "event_ids"))),
            (&[("event_ids", "[1]")], Some((Invalid, "event_ids"))),
            (&[by_ids, ("except_event_ids", "[\"\"]")], Some((Invalid, "except_event_ids"))),
            (&[("from", "1.5")], Some((Invalid, "from"))),
            (&[("from", "-9223372036854775808"), ("to", "9223372036854775807")], None),
            (&[("ref_event_id", "5"), ("amount_minor", "")], None),
            (&[("suspend", "\"account\"")], None),
            (&[("suspend", "\"device\"")], Some((Invalid, "suspend"))),
            (&[("suspend", "\"card\"")], Some((Missing, "card_id"))),
            (&[("suspend", "\"card\""), ("card_id", "\"c\"")], None),
            (&[("suspend", "\"card\""), ("to", "1.5")], Some((Invalid, "to"))),
            (&[("suspend", "\"card\""), ("verdict", "\"restored\"")], Some((Invalid, "suspend"))),
            (
                &[("suspend", "\"account\""), ("verdict", "\"no_answer\"")],
                Some((Invalid, "suspend")),
            ),
            (&[("suspend", "null"), ("verdict", "\"no_answer\"")], None),
        ],
    );
}

#[test]
fn a_tick_needs_its_time_alone() {
    use Reason::{InvalidField as Invalid, MissingField as Missing};
    check_fields(
        r#"{"type":"tick","event_time":5}"#,
        &[
            (&[], None),
            (&[("event_time", "")], Some((Missing, "event_time"))),
            (&[("event_time", "1.0")], Some((Invalid, "event_time"))),
            (&[("event_id", "\"\""), ("amount_minor", "-1"), ("attributes", "5")], None),
            (&[("type", "\"Tick\"")], Some((Missing, "event_id"))),
        ],
    );
    let arena = Bump::new();
    let tick = br#"{"type":"tick","event_time":5,"event_id":"e","card_id":"c","to":1,"attributes":{"a":1}}"#;
    let event = decode(tick, &mut Hints::default(), &arena).unwrap();
    assert_eq!(format!("{event:?}"), format!("{:?}", crate::event::Event::new(EventType::Tick, 5)));
}

#[test]
fn what_a_type_does_not_read_is_absent() {
    let arena = Bump::new();
    let of_feedback = r#""verdict":"fraud","case_id":"k","event_ids":["a"],"except_event_ids":["b"],"from":1,"to":2,"ref_event_id":"r""#;
    for (event_type, feedback, reversal) in
        [("login", false, false), ("reversal", false, true), ("feedback", true, false)]
    {
        let more = format!(r#","type":"{event_type}","source":"analyst",{of_feedback}}}"#);
        let text = GOOD.replace('}', &more);
        let event = decode(text.as_bytes(), &mut Hints::default(), &arena).unwrap();
        assert_eq!(event.text(Field::Verdict).is_some(), feedback);
        assert_eq!(event.text(Field::CaseId).is_some(), feedback);
        assert_eq!(event.event_ids.is_some(), feedback);
        assert_eq!(event.except_event_ids.is_some(), feedback);
        assert_eq!((event.from.is_some(), event.to.is_some()), (feedback, feedback));
        assert_eq!(event.text(Field::RefEventId).is_some(), reversal);
        assert_eq!(event.text(Field::Type), Some(event_type));
        assert_eq!(event.text(Field::Tender), Some("card"));
    }
}

#[test]
fn values_are_read_as_written() {
    let arena = Bump::new();
    let attributes =
        r#"{"s":"x\ny","i":-0,"d":-0.0,"e":1E2,"b":false,"n":null,"big":9223372036854775807}"#;
    let text = changed(GOOD, &[("attributes", attributes), ("mcc", r#""\u00e9\ud83d\ude00/\/""#)]);
    let event = decode(text.as_bytes(), &mut Hints::default(), &arena).unwrap();
    assert_eq!(event.text(Field::Mcc), Some("é😀//"));
    let due = [
        ("s", Scalar::Text("x\ny")),
        ("i", Scalar::Int(0)),
        ("d", Scalar::Double(-0.0)),
        ("e", Scalar::Double(100.0)),
        ("b", Scalar::Bool(false)),
        ("big", Scalar::Int(i64::MAX)),
    ];
    assert_eq!(format!("{:?}", event.attributes), format!("{due:?}"));
}

#[test]
fn details_say_what_was_found_and_what_is_right() {
    let arena = Bump::new();
    for (field, value, due) in [
        ("amount_minor", "1.5", "amount_minor: 1.5 has a fraction; minor units are whole"),
        (
            "amount_minor",
            "4111111111111111",
            "amount_minor: ************1111 is out of range; 0 to 1000000000000000 is due",
        ),
        (
            "event_time",
            "1e3",
            "event_time: 1e3 has an exponent; an integer is written with all its digits",
        ),
        ("event_id", "5", "event_id: 5 is no text; an id is text"),
        ("currency", "\"jpy\"", "currency: jpy; three capital letters are due"),
        (
            "currency",
            "\"\\u0034111111111111111\"",
            "currency: ************1111; three capital letters are due",
        ),
        // Cut to 40 bytes, the digits would be a card number.
        (
            "currency",
            "\"xxxxxxxxxxxxxxxxxxxxxxxx41111111111111110000\"",
            "currency: xxxxxxxxxxxxxxxxxxxxxxxx************1111...; three capital letters are due",
        ),
        ("attributes", r#"{"a":1,"z":1e999}"#, "attributes.z: 1e999 does not fit 64 bits"),
        ("attributes", "7", "attributes: 7 is no object of text, numbers and booleans"),
    ] {
        let event = changed(GOOD, &[(field, value)]);
        let rejection = decode(event.as_bytes(), &mut Hints::default(), &arena).unwrap_err();
        assert_eq!(rejection.detail, due);
    }
}

#[test]
fn the_scanner_reads_the_common_form() {
    let arena = Bump::new();
    let ids = changed(FEEDBACK, &[("event_ids", r#"["a", "b"]"#), ("except_event_ids", "[ ]")]);
    let attributes = changed(
        GOOD,
        &[
            ("attributes", r#"{ "a" : "x" , "i":-12,"d":1.5e-3,"t":true,"f":false,"n":null}"#),
            ("unknown", "1.5"),
            ("other", "null"),
            ("mcc", "\"é日\""),
            ("network", "null"),
        ],
    );
    let spread = GOOD.replace(',', " ,\r\n\t").replace(':', " : ");
    for text in [GOOD, FEEDBACK, &ids, &attributes, &spread, r#"{"type":"tick","event_time":0}"#] {
        let mut hints = Hints::default();
        for _ in 0..2 {
            let mut draft = Draft::new();
            assert!(scan::scan(text, &mut hints, &arena, &mut draft).is_some(), "{text}");
        }
    }
}

#[test]
fn text_of_any_length_ends_at_its_quote_wherever_it_stands() {
    let arena = Bump::new();
    let mut hints = Hints::default();
    for length in 0..80 {
        for rest in ["", " ", r#","ip":"""#, r#","order_id":"1","ip":"0123456789abcdef0123456789""#]
        {
            for after in ["\"", "", "\\n\"", "\u{1}\"", "\u{7f}é\""] {
                let note = "x".repeat(length);
                let event = GOOD.replace('}', &format!(r#","mcc":"{note}{after}{rest}}}"#));
                check_agreement(event.as_bytes(), &mut hints);
                let read = usual(event.as_bytes(), &mut hints, &arena);
                let read = read.transpose().unwrap();
                assert_eq!(read.is_some(), matches!(after, "\"" | "\u{7f}é\""), "{event}");
            }
        }
    }
}

#[test]
fn envelopes_are_opened_and_all_else_is_bare() {
    let arena = Bump::new();
    let sealed = |members: &str| format!(r#"{{"topic":"t","partition":2,"offset":9,{members}}}"#);
    let opened = |timestamp_ms: Option<i64>, payload: &'static [u8]| Record {
        partition: Some(2),
        offset: Some(9),
        timestamp_ms,
        payload,
    };
    for (members, due) in [
        (r#""payload":"{\"a\":\"\u00e9\"}""#, opened(None, "{\"a\":\"é\"}".as_bytes())),
        (r#""payload":null,"ts":5"#, opened(Some(5), b"")),
        (r#""tstype":"create","ts":5,"payload":"""#, opened(Some(5), b"")),
        (r#""tstype":"unkn\u006fwn","ts":5,"payload":"x""#, opened(None, b"x")),
        (r#""tstype":5,"ts":-1,"payload":"x""#, opened(None, b"x")),
        (r#""ts":5.0,"payload":"x""#, opened(None, b"x")),
        (r#""ts":"5","payload":"x""#, opened(None, b"x")),
        (r#""payload":"x","payload":"y","offset":8,"offset":9"#, opened(None, b"y")),
        (
            r#""payload":"\ud800","key":"\ud800","headers":[{"payload":1}]"#,
            opened(None, b"\xed\xa0\x80"),
        ),
    ] {
        let line = sealed(members);
        for line in [line.clone(), line.clone() + "\r", format!(" {line} ")] {
            assert_eq!(open(line.as_bytes(), &arena), due, "{line}");
        }
    }
    let raw = [
        b"{\"payload\":\"\xff\",\"partition\":2,\"key\":\"\xfe\",".as_slice(),
        b"\"offset\":9,\"topic\":null}",
    ];
    assert_eq!(open(&raw.concat(), &arena), opened(None, b"\xff"));

    for line in [
        GOOD.to_owned(),
        "x".to_owned(),
        "\"payload\"".to_owned(),
        "[\"payload\"]".to_owned(),
        sealed("\"payload\":5"),
        sealed("\"payload\":[1]"),
        sealed("\"load\":\"x\""),
        sealed("\"payload\":\"x\"") + "x",
        sealed("\"payload\":\"x\",\"partition\":-1"),
        sealed("\"payload\":\"x\",\"partition\":2147483648"),
        sealed("\"payload\":\"x\",\"offset\":1.0"),
        sealed("\"payload\":\"x\",\"offset\":null"),
        sealed("\"payload\":\"x\"").replace("topic", "topics"),
        sealed("\"payload\":\"x"),
        "{\"payload\":\"x\"}".to_owned(),
        sealed("\"payload\":\"\t\""),
    ] {
        let bare =
            Record { partition: None, offset: None, timestamp_ms: None, payload: line.as_bytes() };
        assert_eq!(open(line.as_bytes(), &arena), bare);
        assert_eq!(open((line.clone() + "\r").as_bytes(), &arena), bare);
    }
    assert_eq!(open(b"x\r\r", &arena).payload, b"x\r");
}

#[test]
fn what_may_be_an_envelope_is_not_read_as_usual() {
    let arena = Bump::new();
    let mut hints = Hints::default();
    for place in [r#""topic":1,"partition":2,"offset":9,"payload":null,"#, r#""payload":"x","#] {
        let line = GOOD.replace('{', &format!("{{{place}"));
        assert!(decode(line.as_bytes(), &mut hints, &arena).is_ok());
        assert!(usual(line.as_bytes(), &mut hints, &arena).is_none());
        assert_eq!(open(line.as_bytes(), &arena).partition.is_some(), place.contains("topic"));
    }
    assert!(usual(GOOD.as_bytes(), &mut hints, &arena).is_some());
}

#[test]
fn blank_lines_hold_blanks_alone() {
    assert!([&b""[..], b" \t\r", b"\r"].into_iter().all(is_blank));
    assert!(![&b"{"[..], b"\x0b", "\u{a0}".as_bytes(), b" 0"].into_iter().any(is_blank));
}

#[test]
fn the_account_is_read_out_of_wrong_payloads() {
    let filled = format!(r#"{{"x":"{}","account_id":"a"}}"#, "x".repeat(2 * PAYLOAD_BYTES_MAX));
    for (payload, due) in [
        (r#"{"account_id":"a","account_id":"b"}"#, Some("b")),
        (r#"{"account_id":"a","account_id":5}"#, None),
        (r#"{"account\u005fid":"\u00e9","event_time":"x"}"#, Some("é")),
        (r#"{"account_id":"","x":"\ud800","\ud800":[[{}]]}"#, Some("")),
        (r#"{"account_id":"\ud800"}"#, None),
        (r#"{"x":{"account_id":"a"}}"#, None),
        ("\u{feff}{\"account_id\":\"a\"}", Some("a")),
        (r#"{"account_id":"a"} x"#, None),
        ("{\"account_id\":\"a\",\"x\ty\":1}", None),
        ("{\"account_id\":\t\"a\"}", Some("a")),
        (r#"{"account_id":"a""#, None),
        ("[]", None),
        (&filled, Some("a")),
    ] {
        assert_eq!(account_of(payload.as_bytes()).as_deref(), due, "{payload:.100}");
    }
    assert_eq!(account_of(b"{\"account_id\":\"a\",\"x\":\"\xff\"}"), None);
}

/// Both ways agree on what the scanner accepts, whatever it remembers; neither panics.
fn check_agreement(payload: &[u8], hints: &mut Hints) {
    let arena = Bump::new();
    for _ in 0..2 {
        let decoded = decode(payload, hints, &arena);
        let Ok(text) = std::str::from_utf8(payload) else { continue };
        let due = strict::decode(text, &arena);
        let mut draft = Draft::new();
        if scan::scan(text, hints, &arena, &mut draft).is_some() {
            match validate(&mut draft) {
                Ok(()) => {
                    assert_eq!(format!("{:?}", draft.event), format!("{:?}", due.as_ref().unwrap()))
                }
                Err(_) => assert_eq!(decoded.as_ref().unwrap_err(), due.as_ref().unwrap_err()),
            }
        }
        assert_eq!(format!("{decoded:?}"), format!("{due:?}"));
    }
    _ = account_of(payload);
    let (record, bare) = (open(payload, &arena), Record::bare(payload));
    if usual(bare.payload, hints, &arena).is_some() {
        assert_eq!(record, bare);
    }
}

/// An integer of a plain reading, which takes `-0` for a double.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|v| *v == 0.0).map(|_| 0))
}

/// The event says what a plain reading of the JSON says, in every field that has no other rule.
fn check_against_value(payload: &str) {
    let arena = Bump::new();
    let (Ok(event), Ok(Value::Object(plain))) =
        (strict::decode(payload, &arena), serde_json::from_str(payload))
    else {
        return;
    };
    if event.event_type == EventType::Tick {
        return;
    }
    for field in Field::ALL.iter().copied().take_while(|field| *field < Field::Attributes) {
        let value = plain.get(field.name()).filter(|value| !value.is_null());
        if value.is_some() || !matches!(field, Field::Type | Field::Tender) {
            assert_eq!(event.text(field), value.and_then(Value::as_str), "{field:?} {payload}");
        }
        assert_eq!(event.int(field), value.and_then(integer), "{field:?} {payload}");
    }
    let attributes = plain.get("attributes").and_then(Value::as_object);
    let given = attributes.map_or(0, |a| a.values().filter(|value| !value.is_null()).count());
    assert_eq!(event.attributes.len(), given);
    for (name, value) in event.attributes {
        let plain = &attributes.unwrap()[*name];
        match value {
            Scalar::Text(text) => assert_eq!(Some(*text), plain.as_str()),
            Scalar::Int(value) => assert_eq!(Some(*value), integer(plain)),
            Scalar::Double(value) => assert_eq!(Some(*value), plain.as_f64()),
            Scalar::Bool(value) => assert_eq!(Some(*value), plain.as_bool()),
        }
    }
}

/// Values that are good somewhere, or nearly so.
fn values() -> impl Strategy<Value = String> {
    let good = select(vec![
        "\"e\"",
        "\"JPY\"",
        "5",
        "0",
        "-0",
        "\"login\"",
        "\"feedback\"",
        "\"reversal\"",
        "\"tick\"",
        "\"card\"",
        "\"fraud\"",
        "\"customer\"",
        "\"account\"",
        "{}",
        "{\"a\":1}",
        "[\"e\"]",
        "[]",
        "null",
        "{\"a\":\"x\",\"b\":-1.5e3,\"c\":true,\"d\":null}",
        "[ \"e\" , \"f\" ]",
        "\"é\"",
        "1767571200000",
    ]);
    let nasty = select(vec![
        "\"\"",
        "true",
        "false",
        "1.5",
        "1.0",
        "1e3",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "1e999",
        "01",
        "-",
        "1.",
        "1e",
        "NaN",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\\u0034111111111111111\"",
        "\"4111111111111111\"",
        "\"\\n\"",
        "\"\n\"",
        "\"\u{7f}\"",
        "\"x",
        "[1]",
        "[\"\"]",
        "[null]",
        "[\"a\",]",
        "[\"\\u0061\"]",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":null}",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":1e999}",
        "{\"z\":9223372036854775808}",
        "{\"a\":1,}",
        "{\"\":0}",
        "nul",
        "truee",
        "{\"a\":0.1,\"b\":123456789012345678}",
        "\"jpy\"",
        "\"ＪＰＹ\"",
    ]);
    let long = (120..135_usize, 250..262_usize, any::<bool>())
        .prop_map(|(id, text, short)| format!("\"{}\"", "x".repeat(if short { id } else { text })));
    prop_oneof![8 => good.prop_map(str::to_owned), 4 => nasty.prop_map(str::to_owned), 1 => long]
}

/// An event with some fields changed, added or taken away, in some order and spacing.
fn events() -> impl Strategy<Value = String> {
    let names: Vec<String> = Field::ALL
        .iter()
        .map(|field| field.name().to_owned())
        .chain(["unknown", "card\\u005fid", "", "\\ud800", "event_i", "é"].map(str::to_owned))
        .chain(["topic", "partition", "offset", "payload"].map(str::to_owned))
        .collect();
    let blanks = select(vec!["", "", "", " ", "\r\n", "\t", "\u{a0}"]);
    let changes = prop::collection::vec((select(names), values()), 0..5);
    (select(vec![GOOD, FEEDBACK]), changes, any::<Index>(), blanks, 0..4).prop_map(
        |(base, changes, turn, blanks, repeat)| {
            let base: serde_json::Map<String, Value> = serde_json::from_str(base).unwrap();
            let mut members: Vec<(String, String)> =
                base.into_iter().map(|(name, value)| (name, value.to_string())).collect();
            for (name, value) in changes {
                if repeat > 0 {
                    members.retain(|(n, _)| *n != name);
                }
                members.push((name, value));
            }
            let turn = turn.index(members.len());
            members.rotate_left(turn);
            let members: Vec<String> =
                members.iter().map(|(n, v)| format!("{blanks}\"{n}\"{blanks}:{v}")).collect();
            format!("{{{}}}", members.join(","))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn both_ways_agree_on_events(texts in prop::collection::vec(events(), 1..4)) {
        let mut hints = Hints::default();
        for text in &texts {
            check_agreement(text.as_bytes(), &mut hints);
            check_against_value(text);
        }
    }

    #[test]
    fn both_ways_agree_on_mutilated_text(
        text in events(),
        wounds in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut payload = text.into_bytes();
        for (at, byte, how) in wounds {
            let at = at.index(payload.len());
            match how {
                0 => payload[at] = byte,
                1 => payload.insert(at, b"\"\\{}[],:0.e \n"[usize::from(byte) % 13]),
                2 if payload.len() > 1 => _ = payload.remove(at),
                _ => payload.truncate(at.max(1)),
            }
        }
        check_agreement(&payload, &mut Hints::default());
    }
}
