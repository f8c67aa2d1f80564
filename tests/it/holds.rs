//! The life of a hold, over random rulesets and logs: what must be true of any of them, whatever
//! they say.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use holdfast::{decision::Fate, engine::Engine};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::partition::{engine, process, restarted};

const START_MS: i64 = 1_767_571_200_000;
const MINUTE_MS: i64 = 60_000;

/// A ruleset of chance, each part by its place among what it may be.
#[derive(Debug, Clone)]
struct Rules {
    rules: Vec<Rule>,
    standing: bool,
    pending_per_account: usize,
    linked_events: usize,
    grace: usize,
}

#[derive(Debug, Clone)]
struct Rule {
    when: usize,
    action: usize,
    target: usize,
    reach: usize,
    expires: usize,
    answer_by: usize,
    releases: bool,
    holds: bool,
}

const WHENS: [&str; 7] = [
    "card_1h >= 3",
    "device_1h >= 3",
    "account_1h > 9000",
    "amount_minor % 7 == 3",
    "amount_minor % 5 == 1 && card_1h >= 2",
    "has(event.device_id) && device_id == 'd1'",
    "card_1h >= 2 && account_1h > 3000",
];
const ACTIONS: [&str; 5] = ["review", "verify", "hold", "hold", "decline"];
const TARGETS: [&str; 5] =
    ["\"event\"", "\"card\"", "\"account\"", "[\"device_id\"]", "[\"card_id\", \"device_id\"]"];
const REACHES: [&str; 4] =
    ["[]", "[\"card_1h\"]", "[\"account_1h\", \"device_1h\"]", "[\"day\", \"card_1h\"]"];
const EXPIRES: [&str; 4] = ["5m", "30m", "2h", "6h"];
const ANSWER_BY: [&str; 3] =
    ["", "answer_by = [\"analyst\"]\n", "answer_by = [\"customer\", \"issuer\"]\n"];
const GRACES: [&str; 3] = ["10m", "4h", "1d"];
const VERDICTS: [&str; 5] = ["legitimate", "fraud", "policy_breach", "no_answer", "restored"];
const SOURCES: [&str; 4] = ["customer", "analyst", "issuer", "chargeback"];

impl Rules {
    fn text(&self) -> String {
        let Rules { standing, pending_per_account, linked_events, grace, .. } = self;
        let mut text = format!(
            "[cases]\nexpires = \"6h\"\nmemory = \"1d\"\ngrace = \"{}\"\n\
             [limits]\npending_per_account = {pending_per_account}\nlinked_events = {linked_events}\n",
            GRACES[*grace]
        );
        let counters = [
            ("card_1h", "[\"card_id\"]", "count = true", "1h", false),
            (
                "account_1h",
                "[\"account_id\"]",
                "sum = \"amount_minor\"\ncurrency = \"any\"",
                "1h",
                *standing,
            ),
            (
                "device_1h",
                "[\"account_id\", \"device_id\"]",
                "missing = \"group\"\ncount = true",
                "1h",
                false,
            ),
            ("day", "[\"account_id\"]", "count = true", "day", *standing),
        ];
        for (name, key, measure, window, standing) in counters {
            let standing = if standing { "standing = true\n" } else { "" };
            write!(
                text,
                "[[counter]]\nname = \"{name}\"\nkey = {key}\n{measure}\nwindow = \"{window}\"\n{standing}"
            )
            .unwrap();
        }
        for (n, rule) in self.rules.iter().enumerate() {
            let (on_expiry, while_suspended) = (
                if rule.releases { "release" } else { "cancel" },
                if rule.holds { "hold" } else { "decline" },
            );
            write!(
                text,
                "[[rule]]\nid = \"r{n}\"\nwhen = \"\"\"{}\"\"\"\naction = \"{}\"\n",
                WHENS[rule.when], ACTIONS[rule.action]
            )
            .unwrap();
            if ACTIONS[rule.action] != "decline" {
                write!(
                    text,
                    "target = {}\nreach = {}\nexpires = \"{}\"\non_expiry = \"{on_expiry}\"\n\
                     while_suspended = \"{while_suspended}\"\n{}",
                    TARGETS[rule.target],
                    REACHES[rule.reach],
                    EXPIRES[rule.expires],
                    ANSWER_BY[rule.answer_by]
                )
                .unwrap();
            }
        }
        text
    }

    /// Does an answer of this source count, whichever rule asked?
    fn hears(&self, source: &str) -> bool {
        let hears = |rule: &Rule| rule.answer_by == 0 || ANSWER_BY[rule.answer_by].contains(source);
        self.rules.iter().all(hears)
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let rule = (
        (0..WHENS.len(), 0..ACTIONS.len(), 0..TARGETS.len(), 0..REACHES.len()),
        (0..EXPIRES.len(), 0..ANSWER_BY.len(), any::<bool>(), any::<bool>()),
    );
    let rule =
        rule.prop_map(|((when, action, target, reach), (expires, answer_by, releases, holds))| {
            Rule { when, action, target, reach, expires, answer_by, releases, holds }
        });
    let bounds = (any::<bool>(), 1..6usize, 1..5usize, 0..GRACES.len());
    (prop::collection::vec(rule, 1..5), bounds).prop_map(
        |(rules, (standing, pending_per_account, linked_events, grace))| Rules {
            rules,
            standing,
            pending_per_account,
            linked_events,
            grace,
        },
    )
}

/// One line of a log: the number names the event, the time is in minutes.
fn line(n: usize, at: i64, kind: u8, [a, b, c, d]: [u8; 4]) -> String {
    let time = START_MS + at * MINUTE_MS;
    let base = format!("\"event_id\":\"e{n}\",\"event_time\":{time},\"account_id\":\"a{}\"", a % 2);
    let earlier = n.saturating_sub(1 + usize::from(c % 8));
    match kind {
        0..=64 => {
            let maybe = |field: &str, at: u8, of: u8| match at.is_multiple_of(of) {
                true => String::new(),
                false => format!(",\"{field}\":\"{}{}\"", &field[..1], at % of),
            };
            let tender = if d.is_multiple_of(4) { ",\"tender\":\"gift_card\"" } else { "" };
            format!(
                "{{{base}{}{}{tender},\"amount_minor\":{},\"currency\":\"JPY\"}}",
                maybe("card_id", b, 4),
                maybe("device_id", d, 3),
                u32::from(c) * 10 + u32::from(d % 10),
            )
        }
        65..=71 => format!("{{{base},\"type\":\"reversal\",\"ref_event_id\":\"e{earlier}\"}}"),
        72..=76 => format!("{{\"type\":\"tick\",\"event_time\":{time}}}"),
        _ => {
            let verdict = VERDICTS[usize::from(b) % VERDICTS.len()];
            let source = SOURCES[usize::from(b / 16) % SOURCES.len()];
            let scope = match c % 5 {
                0 => format!("\"case_id\":\"e{earlier}\""),
                1 => format!("\"event_ids\":[\"e{earlier}\",\"e{}\"]", earlier / 2),
                2 | 3 => format!("\"card_id\":\"c{}\"", 1 + d % 3),
                _ => "\"scope\":\"account\"".to_owned(),
            };
            let except = match d % 5 {
                0 => format!(",\"except_event_ids\":[\"e{earlier}\",\"e{}\"]", n.saturating_sub(2)),
                1 => ",\"except_event_ids\":[]".to_owned(),
                _ => String::new(),
            };
            let near = |minutes: u8| time - i64::from(minutes % 40) * MINUTE_MS;
            let narrow = match a / 2 % 8 {
                0 => format!(",\"from\":{}", near(d)),
                1 => format!(",\"to\":{}", near(d)),
                2 => format!(",\"from\":{},\"to\":{}", near(d) - 20 * MINUTE_MS, near(c)),
                _ => String::new(),
            };
            let suspend = match (verdict, a / 16 % 4) {
                ("fraud", 0) => ",\"suspend\":\"account\"",
                ("fraud", 1) if scope.contains("card_id") => ",\"suspend\":\"card\"",
                _ => "",
            };
            format!(
                "{{{base},\"type\":\"feedback\",\"verdict\":\"{verdict}\",\"source\":\"{source}\",\
                 {scope}{except}{narrow}{suspend}}}"
            )
        }
    }
}

type Step = (i64, u8, [u8; 4]);

fn log(steps: &[Step]) -> Vec<String> {
    let mut at = 0;
    let each = |(n, (after, kind, dice)): (usize, &Step)| {
        at += after;
        line(n, at, *kind, *dice)
    };
    steps.iter().enumerate().map(each).collect()
}

/// On whole minutes, like what rules make due: an answer often comes with a deadline.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![6 => 0..6i64, 2 => Just(5i64), 1 => Just(30i64), 1 => 60..600i64];
    prop::collection::vec((after, 0..100u8, any::<[u8; 4]>()), 1..160)
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// A case, as its newest record has it.
struct Case {
    /// In which place among all it was opened.
    place: usize,
    account: String,
    target: Value,
    status: String,
}

impl Case {
    fn suspends(&self, event: &Value) -> bool {
        let fields = self.target.as_object().unwrap();
        matches!(&*self.status, "suspended" | "confirmed")
            && fields.iter().all(|(field, value)| event[field] == *value)
    }
}

/// What has been seen to happen to events and cases.
#[derive(Default)]
struct Seen {
    /// By event: what was decided, then what followed.
    answers: HashMap<String, Vec<String>>,
    /// By the id of the event that opened it.
    cases: BTreeMap<String, Case>,
    /// What waits, of which account, and until when.
    waiting: BTreeMap<String, (Value, i64)>,
    clock_ms: i64,
}

impl Seen {
    /// An event, and all that went out because of it.
    fn note(&mut self, event: &Value, out: &[String]) {
        self.clock_ms = self.clock_ms.max(event["event_time"].as_i64().unwrap());
        let mut deadlines_over = false;
        let waited: Vec<String> = self.waiting.keys().cloned().collect();
        for line in out.iter().map(|line| parse(line)) {
            // Deadlines go before whatever the event itself does.
            let by_deadline = line["trigger"]["type"] == "expiry";
            assert!(!(by_deadline && deadlines_over), "a deadline comes late: {line}");
            deadlines_over |= !by_deadline;
            if line["schema"] == "holdfast.case/1" {
                self.case(&line);
            } else if line["trigger"].is_null() {
                self.decision(event, &line);
            } else {
                self.follow_up(&line);
            }
        }
        if event["type"] == "reversal" {
            let reference = event["ref_event_id"].as_str().unwrap();
            self.waiting.retain(|id, (of, _)| id != reference || *of != event["account_id"]);
        }
        for id in waited {
            let due = self.waiting.get(&id).is_some_and(|(_, until_ms)| *until_ms <= self.clock_ms);
            assert!(!due, "{id} waits beyond its deadline at {event}");
        }
    }

    fn case(&mut self, record: &Value) {
        let amounts = record["totals"].as_array().unwrap().iter().flat_map(|row| {
            row.as_object().unwrap().values().filter_map(Value::as_i64).collect::<Vec<_>>()
        });
        assert!(amounts.clone().all(|amount| amount >= 0), "{record}");
        let text = |name: &str| record[name].as_str().unwrap().to_owned();
        let place = self.cases.len();
        let case = self.cases.entry(text("case_id")).or_insert_with(|| Case {
            place,
            account: text("account_id"),
            target: record["target"].clone(),
            status: "new".to_owned(),
        });
        assert!(case.status != "closed" || text("status") == "closed", "reopened: {record}");
        assert!(case.target["event_id"].is_null() || text("status") != "suspended", "{record}");
        case.status = text("status");
        let on_target = self
            .cases
            .values()
            .filter(|case| case.status != "closed" && case.target == record["target"]);
        assert!(on_target.count() <= 1, "two alive on one target: {record}");
    }

    /// A suspension is met by whatever matches its target, and by nothing else.
    fn decision(&mut self, event: &Value, decision: &Value) {
        let meets = self
            .cases
            .iter()
            .filter(|(_, case)| case.account == event["account_id"] && case.suspends(event));
        let met = meets.min_by_key(|(_, case)| (case.status != "confirmed", case.place));
        let says = |rule: &str| {
            decision["reasons"].as_array().unwrap().iter().any(|reason| reason["rule"] == rule)
        };
        let (suspended, confirmed) = (says("suspended"), says("confirmed_fraud"));
        let due = met.map(|(_, case)| &*case.status);
        assert_eq!(
            (suspended, confirmed),
            (due == Some("suspended"), due == Some("confirmed")),
            "{decision}"
        );
        if let Some((id, _)) = met {
            let action = decision["action"].as_str().unwrap();
            assert!(action == "decline" || action == "hold" && suspended, "{decision}");
            // The limit of pending events leaves the case out.
            assert!(says("limit") || decision["case_id"] == **id, "{decision}");
        }
        let id = event["event_id"].as_str().unwrap().to_owned();
        let action = decision["action"].as_str().unwrap().to_owned();
        if matches!(&*action, "verify" | "hold") {
            let until_ms = decision["expires_at"].as_i64().unwrap();
            self.waiting.insert(id.clone(), (event["account_id"].clone(), until_ms));
        }
        assert!(self.answers.insert(id, vec![action]).is_none(), "decided twice: {decision}");
    }

    /// What waits gets one answer; what has passed is taken back once.
    fn follow_up(&mut self, line: &Value) {
        let id = line["event_id"].as_str().unwrap();
        let answer = line["action"].as_str().unwrap();
        let answers = self.answers.get_mut(id).expect("it was decided");
        match (answer, answers.last().map(String::as_str)) {
            ("release" | "cancel", before) => {
                assert!(self.waiting.remove(id).is_some(), "not pending: {before:?} {line}");
            }
            (_, before) => assert!(
                matches!(before, Some("release" | "allow" | "review")),
                "had not passed: {before:?} {line}"
            ),
        }
        answers.push(answer.to_owned());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_answered_was_asked_and_what_is_suspended_has_a_case(rules in rules(), steps in steps()) {
        let (mut engine, mut seen) = (engine(&rules.text()), Seen::default());
        for line in log(&steps) {
            let (_, out) = process(&mut engine, &line);
            seen.note(&parse(&line), &out);
        }
    }

    #[test]
    fn cut_anywhere_and_restored_the_same_bytes(
        rules in rules(),
        steps in steps(),
        cut in any::<prop::sample::Index>(),
    ) {
        let lines = log(&steps);
        let cut = cut.index(lines.len());
        let text = rules.text();
        let (mut whole, mut other) = (engine(&text), engine(&text));
        for (at, line) in lines.iter().enumerate() {
            if at == cut {
                other = restarted(&other);
            }
            prop_assert_eq!(process(&mut whole, line), process(&mut other, line), "{} {}", at, line);
        }
        prop_assert_eq!(whole.snapshot().cases, other.snapshot().cases);
    }

    #[test]
    fn a_repeated_answer_is_ignored(rules in rules(), steps in steps()) {
        let mut engine = engine(&rules.text());
        for (n, line) in log(&steps).iter().enumerate() {
            let (_, _) = process(&mut engine, line);
            let event = parse(line);
            if event["type"] != "feedback" || event["verdict"] == "no_answer" {
                continue;
            }
            // The same answer once more, as another event at the same moment. One that does not
            // count is applied each time: it goes into the timeline.
            let again = line.replacen(&format!("\"e{n}\""), &format!("\"again{n}\""), 1);
            let (fate, out) = process(&mut engine, &again);
            prop_assert_eq!(&out, &[""; 0], "{}", again);
            if event["verdict"] == "fraud" || rules.hears(event["source"].as_str().unwrap()) {
                prop_assert_eq!(fate, Fate::Ignored, "{}", again);
            }
        }
    }

    #[test]
    fn nothing_of_a_case_stays_after_its_end(rules in rules(), steps in steps()) {
        let mut engine = engine(&rules.text());
        let lines = log(&steps);
        for line in &lines {
            process(&mut engine, line);
        }
        let minutes: i64 = steps.iter().map(|step| step.0).sum();
        // No confirmed case is left alone: the accounts are safe again, whoever must say it.
        for (source, account) in SOURCES.iter().flat_map(|source| [(source, 0), (source, 1)]) {
            let time = START_MS + (minutes + 1) * MINUTE_MS;
            process(&mut engine, &format!(
                "{{\"event_id\":\"{source}{account}\",\"event_time\":{time},\"account_id\":\"a{account}\",\
                 \"type\":\"feedback\",\"verdict\":\"restored\",\"source\":\"{source}\",\"scope\":\"account\"}}"
            ));
        }
        // With events of somebody else: first every deadline comes, and days later all is forgotten.
        for n in 0..60 {
            let days = if n == 0 { 5 } else { 10 };
            let time = START_MS + (minutes + 2 + days * 1_440 + n) * MINUTE_MS;
            process(&mut engine, &format!(
                "{{\"event_id\":\"l{n}\",\"event_time\":{time},\"account_id\":\"other\",\"type\":\"login\"}}"
            ));
        }
        let state = engine.snapshot().cases;
        let none = state.cases.is_empty() && state.members.is_empty() && state.graces.is_empty();
        let named = state.accounts.names.iter().any(|name| !name.is_empty());
        prop_assert!(none && !named, "{:?}", state);
    }
}

const BURST: &str = r#"
[[counter]]
name = "card_1h"
key = ["card_id"]
count = true
window = "1h"
[[rule]]
id = "burst"
when = "card_1h >= 3"
action = "hold"
target = "card"
expires = "2h"
"#;

/// Three authorizations of one card, of which the third is held.
fn held() -> Engine {
    let mut engine = engine(BURST);
    let mut out = Vec::new();
    for n in 0..3 {
        out = process(&mut engine, &line(n, 0, 0, [0, 1, 10, 1])).1;
    }
    assert!(out[0].contains("\"action\":\"hold\""), "{out:?}");
    engine
}

#[test]
fn a_deadline_goes_before_an_answer_of_the_same_millisecond() {
    let answer = |at_ms: i64| {
        format!(
            "{{\"event_id\":\"f\",\"event_time\":{at_ms},\"account_id\":\"a0\",\"type\":\"feedback\",\
             \"verdict\":\"legitimate\",\"source\":\"customer\",\"case_id\":\"e2\"}}"
        )
    };
    let deadline_ms = START_MS + 120 * MINUTE_MS;
    for (at_ms, action, trigger) in
        [(deadline_ms - 1, "release", "feedback"), (deadline_ms, "cancel", "expiry")]
    {
        let (_, out) = process(&mut held(), &answer(at_ms));
        let first = parse(&out[0]);
        assert_eq!(
            (&first["action"], &first["trigger"]["type"]),
            (&action.into(), &trigger.into())
        );
    }
}
