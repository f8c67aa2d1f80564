//! Card numbers: which are seen as such, and that no dead letter shows one.

use serde_json::{Value, json};

use super::{refusals, run, settings};
use crate::support::run::{authorization, envelope};

/// A number that begins so, is so long, and passes the check of Luhn.
fn number(prefix: &str, digits: usize) -> String {
    let mut number = format!("{prefix}{}", "7".repeat(digits - 1 - prefix.len()));
    for last in '0'..='9' {
        number.push(last);
        let doubled = |(at, digit): (usize, char)| {
            let digit = digit.to_digit(10).unwrap();
            let twice = if at % 2 == 1 { digit * 2 } else { digit };
            twice / 10 + twice % 10
        };
        if number.chars().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0 {
            return number;
        }
        number.pop();
    }
    unreachable!("one of ten digits fits")
}

fn is_refused(card: &str) -> bool {
    refusals(&[authorization("e", 1, json!({"card_id": card}))]) == ["pan_like card_id"]
}

#[test]
fn card_numbers_of_every_network_are_refused() {
    let networks: &[(&[&str], &[usize])] = &[
        (&["4"], &[13, 16, 19]),
        (&["51", "55", "2221", "2720"], &[16]),
        (&["34", "37"], &[15]),
        (&["6011", "644", "649", "65"], &[16, 17, 18, 19]),
        (&["300", "305", "3095", "36", "38", "39"], &[14, 15, 16, 17, 18, 19]),
        (&["3528", "3589"], &[16, 17, 18, 19]),
        (&["62", "81"], &[16, 17, 18, 19]),
        (&["50", "56", "58", "6304", "6759"], &[13, 14, 15, 16, 17, 18, 19]),
        (&["2200", "2204"], &[16, 17, 18, 19]),
    ];
    for (prefixes, lengths) in networks {
        for (prefix, length) in prefixes.iter().flat_map(|p| (13..=19).map(move |n| (p, n))) {
            let number = number(prefix, length);
            assert_eq!(is_refused(&number), lengths.contains(&length), "{number}");
        }
    }
    for prefix in ["1", "2199", "2205", "2220", "2721", "306", "35270", "35900", "60", "6012", "9"]
    {
        let number = number(prefix, 16);
        assert!(!is_refused(&number), "{number}");
    }
}

#[test]
fn what_only_resembles_a_card_number_passes() {
    let number = number("4", 16);
    let last = number.chars().last().unwrap();
    let wrong = format!("{}{}", &number[..15], if last == '9' { '0' } else { '9' });
    for card in [&wrong, &format!("{} {}", &number[..8], &number[8..]), &format!("x{number}")] {
        assert!(!is_refused(card), "{card}");
    }
    // Other fields are looked at if the configuration says so.
    let line = authorization("e", 1, json!({"device_id": number}));
    assert_eq!(refusals(std::slice::from_ref(&line)), [""; 0]);
    let checked = settings("[input]\npan_check = [\"card_id\", \"device_id\"]");
    assert_eq!(run(&checked, &[line]).refusals(), ["pan_like device_id"]);
    let unchecked = settings("[input]\npan_check = []");
    let line = authorization("e", 1, json!({"card_id": number}));
    assert_eq!(run(&unchecked, &[line]).refusals(), [""; 0]);
}

#[test]
fn no_dead_letter_shows_a_card_number() {
    let number = number("4", 16);
    let masked = format!("************{}", &number[12..]);
    let escaped = format!("\\u003{}{}", &number[..1], &number[1..]);
    let longer = format!("{number}5555");
    for (line, due) in [
        (format!("{{\"card_id\":\"{number}\""), format!("{{\"card_id\":\"{masked}\"")),
        (format!("x{number}y {number}"), format!("x{masked}y {masked}")),
        // More digits than a card number has are another number.
        (longer.clone(), longer),
    ] {
        let letter = &run(&settings(""), &[line]).dead_letters()[0];
        assert_eq!(letter["payload"], due);
    }
    let with = |card: &str| authorization("e", 1, json!({"card_id": "CARD"})).replace("CARD", card);
    for card in [&number, &escaped] {
        for line in [with(card), envelope(0, 0, None, &with(card))] {
            let written = run(&settings(""), &[&line]);
            assert_eq!(written.refusals(), ["pan_like card_id"], "{line}");
            assert_eq!(written.dead_letters()[0]["payload"], with(&masked), "{line}");
            assert!(!String::from_utf8_lossy(&written.dead_letters).contains(&number[..12]));
        }
    }
}

#[test]
fn a_dead_letter_says_what_where_and_why() {
    let written = run(&settings(""), &["", "{\"event_id\":5}"]);
    let text = String::from_utf8(written.dead_letters.clone()).unwrap();
    let detail = written.dead_letters()[0]["detail"].clone();
    assert!(!detail.as_str().unwrap().is_empty());
    assert_eq!(
        text,
        format!(
            "{{\"schema\":\"holdfast.dead_letter/1\",\"reason\":\"invalid_field\",\
             \"field\":\"event_id\",\"detail\":{detail},\"partition\":0,\"offset\":1,\
             \"payload\":\"{{\\\"event_id\\\":5}}\"}}\n"
        )
    );
    // A field is named only where one is to blame.
    let letters = run(&settings(""), &["{"]).dead_letters();
    assert_eq!(letters[0].get("field"), None);
}

#[test]
fn bytes_that_are_no_text_stand_in_base64() {
    let letters = run(&settings(""), &[b"{\"event_id\":\"\xff\"}"]).dead_letters();
    assert_eq!(letters[0]["payload_base64"], "eyJldmVudF9pZCI6Iv8ifQ==");
    assert_eq!((letters[0].get("payload"), &letters[0]["reason"]), (None, &json!("invalid_json")));
}

#[test]
fn what_is_too_large_is_cut_at_a_character() {
    let letter = |line: &str| run(&settings(""), &[line]).dead_letters().pop();
    let line = format!("x{}", "é".repeat(40_000));
    let cut = letter(&line).unwrap();
    assert_eq!((&cut["reason"], &cut["truncated"]), (&json!("too_large"), &json!(true)));
    assert_eq!(cut["payload"].as_str().map(str::len), Some(65_535));
    let short = letter("x").unwrap();
    assert_eq!(short.get("truncated"), None::<&Value>);
}
