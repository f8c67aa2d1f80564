//! The sums of a story, over random logs: they add up, and agree with what was decided.

use std::collections::BTreeMap;

use holdfast::incident::{Incident, Row, Standing};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::story;
use crate::support::run::{authorization, event, run, settings};

const RULES: &str = r#"
timezone = "Asia/Tokyo"
[[counter]]
name = "card_1h"
key = ["card_id"]
count = true
window = "1h"
[[counter]]
name = "by_terminal"
key = ["terminal_id"]
count = true
window = "1h"
[[rule]]
id = "burst"
when = "card_1h >= 3"
action = "hold"
target = "card"
reach = ["card_1h"]
expires = "2h"
[[rule]]
id = "shared"
when = "by_terminal >= 6"
action = "verify"
on_expiry = "release"
expires = "1h"
[[rule]]
id = "odd"
when = "amount_minor % 7 == 3"
action = "review"
[[rule]]
id = "never"
when = "amount_minor % 11 == 5"
action = "decline"
"#;

/// A line of some account, at some minutes past the one before, about some earlier event.
fn line(step: (u8, u8, u8, u8, i64), at: usize, time: i64) -> String {
    let (what, who, card, about, amount) = step;
    let account = ["a", "a", "b"][usize::from(who % 3)];
    let earlier = format!("e{}", at.saturating_sub(usize::from(about % 6) + 1));
    let id = format!("e{at}");
    match what % 10 {
        0..=5 => {
            let tender = ["card", "card", "gift_card", "points"][usize::from(card % 4)];
            let currency = ["JPY", "EUR"][usize::from(who / 3 % 2)];
            let card = (tender == "card").then(|| format!("c-{}", about % 2));
            let fields = json!({"account_id": account, "tender": tender, "card_id": card,
                "amount_minor": amount, "currency": currency,
                "response": (card.is_some() && what == 5).then_some("declined_funds"),
                "terminal_id": "t"});
            authorization(&id, time, fields)
        }
        6 => event("reversal", &id, time, json!({"account_id": account, "ref_event_id": earlier})),
        7 => {
            let verdict = ["legitimate", "fraud", "policy_breach", "no_answer", "restored"]
                [usize::from(about % 5)];
            let fields = json!({"account_id": account, "verdict": verdict, "source": "analyst",
                "scope": "account", "except_event_ids": [earlier]});
            event("feedback", &id, time, fields)
        }
        8 => authorization(&earlier, time, json!({"account_id": account})),
        _ => json!({"type": "tick", "event_time": time}).to_string(),
    }
}

fn log() -> impl Strategy<Value = Vec<String>> {
    let step = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), 0..100_000_i64);
    proptest::collection::vec((step, 0..40_i64), 1..80).prop_map(|steps| {
        let mut time = 1_767_571_200_000;
        let lines = steps.into_iter().enumerate().map(|(at, (step, minutes))| {
            time += minutes * 60_000;
            line(step, at, time)
        });
        lines.collect()
    })
}

fn sums(rows: &[Row]) -> BTreeMap<(String, String), Vec<i64>> {
    let mut sums: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for row in rows {
        let all = [
            row.payments as i64,
            row.asked,
            row.paid,
            row.returned,
            row.still_out,
            row.called_back,
            row.pending,
            row.not_paid,
        ];
        let sum = sums.entry((row.tender.clone(), row.currency.clone())).or_insert(vec![0; 8]);
        sum.iter_mut().zip(all).for_each(|(sum, more)| *sum += more);
    }
    sums
}

/// All that went out for the account, as the stream has it.
fn in_stream(told: &Incident) -> Vec<&Value> {
    let entries = told.timeline.iter();
    let of = entries.flat_map(|e| e.decision.iter().chain(&e.follow_ups).chain(&e.case_records));
    of.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_sum_adds_up(lines in log()) {
        let told = story(&settings(RULES), &lines);
        for row in &told.instruments {
            prop_assert_eq!(row.asked, row.paid + row.pending + row.not_paid);
            prop_assert_eq!(row.paid, row.returned + row.still_out);
            prop_assert!(row.called_back <= row.still_out);
        }
        prop_assert_eq!(sums(&told.instruments), sums(&told.tenders));
        let asked: i64 = told.payments.iter().map(|payment| payment.amount_minor).sum();
        prop_assert_eq!(asked, told.instruments.iter().map(|row| row.asked).sum::<i64>());
    }

    /// What is told is what a replay of the same log puts out for the account, all of it.
    #[test]
    fn a_story_is_what_the_stream_says(lines in log()) {
        let settings = settings(RULES);
        let told = story(&settings, &lines);
        let written = run(&settings, &lines);
        let text = String::from_utf8(written.decisions).unwrap();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut due: Vec<String> =
            all.filter(|line| line["account_id"] == "a").map(|line| line.to_string()).collect();
        let mut found: Vec<String> = in_stream(&told).iter().map(ToString::to_string).collect();
        due.sort();
        found.sort();
        prop_assert_eq!(found, due);
    }

    /// A payment waits as long as nobody released, cancelled or reversed it; what a case has still
    /// pending, the story calls waiting.
    #[test]
    fn what_waits_is_what_cases_have_pending(lines in log()) {
        let told = story(&settings(RULES), &lines);
        let waiting = told.payments.iter().any(|p| p.standing == Standing::Pending);
        let mut pending = false;
        for case in &told.cases {
            for total in case.totals.as_array().unwrap() {
                pending |= total["pending"].as_i64().unwrap() > 0;
            }
        }
        let nothing_asked = told.payments.iter().filter(|p| p.standing == Standing::Pending)
            .all(|p| p.amount_minor == 0);
        prop_assert!(pending == waiting || nothing_asked, "pending {} waiting {}", pending, waiting);
    }
}
