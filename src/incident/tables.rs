//! What a story adds up to: its opening sentences and its tables, which text and page share.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Change, Incident, Payment, Row, RuleStory, Standing,
    money::{amount, money},
    text,
    words::{Words, clock, instrument, is_call, sum_by, target},
};
use crate::event::Field;

/// A table of words and numbers.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) title: &'static str,
    /// What its columns mean, where that is not plain.
    pub(super) about: &'static str,
    /// Names of the columns, and whether they hold numbers.
    pub(super) columns: Vec<(&'static str, bool)>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The story in a few sentences.
pub(super) fn in_short(incident: &Incident) -> Vec<String> {
    let mut lines = Vec::new();
    for row in &incident.instruments {
        let money = |minor| money(minor, &row.currency);
        let by = instrument(&row.tender, row.card_id.as_deref());
        let mut line = format!("{}: ", capitalized(&by));
        line += &match (row.paid, row.still_out) {
            (0, _) => "nothing was paid".to_owned(),
            (paid, 0) => format!("{} was paid, and all of it came back", money(paid)),
            (paid, _) if row.returned == 0 => {
                format!("{} was paid, and none came back", money(paid))
            }
            (paid, out) => format!("{} was paid, {} is still out", money(paid), money(out)),
        };
        for (minor, words) in [
            (row.called_back, "of that was called back, and is awaited"),
            (row.pending, "waits for an answer"),
            (row.not_paid, "was asked for and never paid"),
        ] {
            if minor > 0 {
                line += &format!("; {} {words}", money(minor));
            }
        }
        lines.push(line + ".");
    }
    if lines.is_empty() {
        lines.push("Nothing was to be paid.".to_owned());
    }
    for case in &incident.cases {
        let heavy = |change: &Change| matches!(&*change.status, "suspended" | "confirmed");
        if case.history.iter().any(heavy) {
            let about = target(&case.target);
            let history: Vec<String> = case.history.iter().map(came).collect();
            lines.push(format!("Case {}, {about}: {}.", case.case_id, history.join("; ")));
        }
    }
    lines.extend(answers(incident));
    if !incident.spared.is_empty() {
        let ids: Vec<&str> = incident.spared.iter().map(|spared| &*spared.event_id).collect();
        let more = ids.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(format!("Left alone: {}{more}.", ids[..ids.len().min(5)].join(", ")));
    }
    lines
}

/// How often somebody was called in vain, and what was answered.
fn answers(incident: &Incident) -> Option<String> {
    let feedback = || incident.timeline.iter().filter(|entry| entry.kind == "feedback");
    let calls = feedback().filter(|entry| is_call(entry)).count();
    let mut answers: BTreeMap<(&str, &str, bool), u64> = BTreeMap::new();
    for answer in feedback().filter(|entry| !is_call(entry) && entry.is_accepted()) {
        let word = |field| answer.text(field).unwrap_or("");
        let said = (word(Field::Source), word(Field::Verdict), answer.counts == Some(false));
        *answers.entry(said).or_default() += 1;
    }
    let answers: Vec<String> = answers
        .iter()
        .map(|((source, verdict, is_unheard), times)| {
            let times = if *times == 1 { String::new() } else { format!("{times} times ") };
            let unheard = if *is_unheard { ", does not count" } else { "" };
            format!("{times}{verdict} ({source}{unheard})")
        })
        .collect();
    let said = if answers.is_empty() { "none".to_owned() } else { answers.join(", ") };
    (calls > 0 || !answers.is_empty())
        .then(|| format!("Calls and mails without an answer: {calls}. Answers: {said}."))
}

/// When a case came to a status, and by whom.
fn came(change: &Change) -> String {
    let word = |name| text(&change.trigger, name).unwrap_or("");
    let by = match word("type") {
        "feedback" => format!(" by {} ({})", word("source"), word("verdict")),
        "expiry" => " by its deadline".to_owned(),
        "reversal" => " by a reversal".to_owned(),
        _ => String::new(),
    };
    format!("{} {}{by}", moment(&change.local_time), change.status)
}

/// The tables, in the order in which they are shown; without those that have no rows.
pub(super) fn tables(incident: &Incident) -> Vec<Table> {
    let words = Words::of(incident);
    let mut tables = vec![
        ledger("What each instrument paid", LEDGER, &incident.instruments),
        ledger("By tender", "", &incident.tenders),
        payments(incident),
        spared(incident),
        cases(incident),
        rules(incident, &words),
    ];
    if incident.tenders.len() == incident.instruments.len() {
        tables.remove(1);
    }
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// What the columns of a ledger mean.
const LEDGER: &str = "Asked is paid, pending and not paid together; paid is returned and still out. \
    Returned counts what reversals took back. Called back is the part of what is still out that was \
    ordered back, and of which no reversal tells yet. Not paid was declined, here or by the issuer, \
    cancelled or withdrawn.";

fn ledger(title: &'static str, about: &'static str, rows: &[Row]) -> Table {
    let row = |row: &Row| {
        let sums = [
            row.asked,
            row.paid,
            row.returned,
            row.still_out,
            row.called_back,
            row.pending,
            row.not_paid,
        ];
        let mut cells = vec![instrument(&row.tender, row.card_id.as_deref())];
        if let Some(network) = &row.network {
            cells[0] += &format!(" ({network})");
        }
        cells.push(row.currency.clone());
        cells.extend(sums.map(|sum| amount(sum, &row.currency)));
        cells
    };
    Table {
        title,
        about,
        columns: vec![
            ("instrument", false),
            ("currency", false),
            ("asked", true),
            ("paid", true),
            ("returned", true),
            ("still out", true),
            ("called back", true),
            ("pending", true),
            ("not paid", true),
        ],
        rows: rows.iter().map(row).collect(),
    }
}

fn payments(incident: &Incident) -> Table {
    let row = |payment: &Payment| {
        vec![
            moment(&payment.local_time),
            payment.event_id.clone(),
            payment.order_id.clone().unwrap_or_default(),
            instrument(&payment.tender, payment.card_id.as_deref()),
            money(payment.amount_minor, &payment.currency),
            payment.action.clone(),
            stands(payment),
        ]
    };
    Table {
        title: "Every authorization, and how it stands at the end of the log",
        about: "",
        columns: vec![
            ("time", false),
            ("event", false),
            ("order", false),
            ("instrument", false),
            ("amount", true),
            ("decided", false),
            ("stands", false),
        ],
        rows: incident.payments.iter().map(row).collect(),
    }
}

/// How a payment stands, and by what.
fn stands(payment: &Payment) -> String {
    let words = match payment.standing {
        Standing::Paid if payment.answered_by.is_some() => "released, paid",
        Standing::Paid => "paid",
        Standing::CalledBack => "called back, still out",
        Standing::Returned => "returned",
        Standing::Pending => "pending",
        Standing::Withdrawn => "withdrawn",
        Standing::Cancelled => "cancelled",
        Standing::Declined => "declined",
        Standing::IssuerDeclined => "declined by the issuer",
    };
    match payment.reversed_by.as_ref().or(payment.answered_by.as_ref()) {
        Some(by) if by == "expiry" => format!("{words} (deadline)"),
        Some(by) => format!("{words} ({by})"),
        None => words.to_owned(),
    }
}

fn spared(incident: &Incident) -> Table {
    let row = |spared: &super::Spared| {
        let payment = incident.payments.iter().rev().find(|p| p.event_id == spared.event_id)?;
        let by = spared.by.as_deref().unwrap_or("");
        let why = match &*spared.why {
            "excepted" => format!("the answer {by} excepts it"),
            "linked" => format!("linked to case {by}, and not called back"),
            "asked" => "asked about, and not called back".to_owned(),
            "during" => "at the time of the burst, and no part of it".to_owned(),
            _ => "on the day before the burst".to_owned(),
        };
        Some(vec![
            moment(&payment.local_time),
            spared.event_id.clone(),
            payment.order_id.clone().unwrap_or_default(),
            sum_by(payment),
            why,
        ])
    };
    Table {
        title: "What was spared",
        about: "",
        columns: ["time", "event", "order", "payment", "why"].map(|name| (name, false)).to_vec(),
        rows: incident.spared.iter().filter_map(row).collect(),
    }
}

fn cases(incident: &Incident) -> Table {
    let row = |case: &super::CaseStory| {
        let history: Vec<String> = case.history.iter().map(came).collect();
        vec![case.case_id.clone(), target(&case.target), case.rules.join(", "), history.join("\n")]
    };
    Table {
        title: "Cases",
        about: "",
        columns: ["case", "about", "opened by", "status"].map(|name| (name, false)).to_vec(),
        rows: incident.cases.iter().map(row).collect(),
    }
}

fn rules(incident: &Incident, words: &Words<'_>) -> Table {
    let row = |rule: &RuleStory| {
        let mut values: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for (name, value) in rule.fired.iter().flat_map(|firing| &firing.counters) {
            values.entry(name).or_default().push(value);
        }
        let range = |(name, values): (&&str, &Vec<&Value>)| {
            let number = |value: &&&Value| value.as_f64().unwrap_or(0.0);
            let by = |a: &&&Value, b: &&&Value| number(a).total_cmp(&number(b));
            let (least, most) = (values.iter().min_by(by), values.iter().max_by(by));
            let (Some(least), Some(most)) = (least, most) else { return (*name).to_owned() };
            let (least, most) = (words.counter(name, least), words.counter(name, most));
            if least == most {
                format!("{name} = {least}")
            } else {
                format!("{name} = {least} to {most}")
            }
        };
        let ranges: Vec<String> = values.iter().map(range).collect();
        let effect = match (&rule.action, rule.points) {
            (Some(action), _) => action.clone(),
            (None, Some(points)) => format!("{points:+} points"),
            (None, None) => String::new(),
        };
        let mut times = Vec::new();
        for (count, words) in [
            (rule.fired.len(), ""),
            (rule.shadow.len(), " watched"),
            (rule.suppressed.len(), " kept quiet"),
        ] {
            if count > 0 {
                times.push(format!("{count}{words}"));
            }
        }
        let mut said = vec![rule.reason.clone().unwrap_or_default()];
        said.extend(ranges);
        said.retain(|line| !line.is_empty());
        vec![rule.rule.clone(), effect, times.join("\n"), said.join("\n")]
    };
    Table {
        title: "Rules that held, and the values they saw",
        about: "",
        columns: vec![("rule", false), ("asks", false), ("times", false), ("why", false)],
        rows: incident.rules.iter().map(row).collect(),
    }
}

/// Date and time of day of a local time.
fn moment(local_time: &str) -> String {
    format!("{} {}", local_time.get(..10).unwrap_or(""), clock(local_time))
}

fn capitalized(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
