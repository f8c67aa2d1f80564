//! What an entry of the timeline says to people, in the words that text and page share.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::Value;

use super::{Entry, Incident, Payment, integer, list, money, text, texts};
use crate::event::Field;

/// How an entry is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// It happened.
    Plain,
    /// It passed.
    Good,
    /// Somebody was asked.
    Asks,
    /// It was stopped or taken back.
    Bad,
    /// Somebody was called, or answered.
    Voice,
    /// It changed nothing.
    Faint,
}

/// An entry as it is told.
#[derive(Debug)]
pub(super) struct Told {
    /// One or two words: the action, who spoke, what happened.
    pub(super) tag: String,
    pub(super) tone: Tone,
    /// What happened, in one line.
    pub(super) what: String,
    /// The id of its event.
    pub(super) id: Option<String>,
    /// Why, and what came of it, a line each.
    pub(super) details: Vec<String>,
}

/// The words for one story.
pub(super) struct Words<'i> {
    incident: &'i Incident,
    zone: TimeZone,
}

impl<'i> Words<'i> {
    pub(super) fn of(incident: &'i Incident) -> Words<'i> {
        let zone = TimeZone::get(&incident.timezone).unwrap_or(TimeZone::UTC);
        Words { incident, zone }
    }

    /// A time that is only known in ms.
    pub(super) fn time(&self, time_ms: i64) -> String {
        let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
        self.zone.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The same to the millisecond where it is not a whole second: a bound is meant exactly.
    fn moment(&self, time_ms: i64) -> String {
        let millis = time_ms.rem_euclid(1000);
        let millis = if millis == 0 { String::new() } else { format!(".{millis:03}") };
        self.time(time_ms) + &millis
    }

    /// A timeline entry in words.
    pub(super) fn tell(&self, entry: &Entry) -> Told {
        let mut told = self.headline(entry);
        let id = entry.text(Field::EventId).map(str::to_owned);
        told.id = id;
        if let Some(decision) = &entry.decision {
            self.decided(decision, &mut told.details);
        }
        for follow_up in &entry.follow_ups {
            let verb = match text(follow_up, "action") {
                Some("release") => "released",
                Some("cancel") => "cancelled",
                _ => "called back",
            };
            told.details.push(format!("{verb}: {}", named(follow_up)));
        }
        if entry.counts == Some(false) {
            let source = entry.text(Field::Source).unwrap_or("");
            told.details
                .push(format!("it does not count: a rule that asked takes none from {source}"));
        } else if may_release(entry) && entry.follow_ups.is_empty() {
            told.details.push("released nothing, took nothing back".to_owned());
        }
        for record in &entry.case_records {
            let (case, status) = (text(record, "case_id"), text(record, "status"));
            let stories = &self.incident.cases;
            let came = stories.iter().filter(|story| Some(&*story.case_id) == case).any(|story| {
                let same = |change: &super::Change| {
                    Some(&*change.status) == status
                        && Some(change.time) == entry.time
                        && change.trigger == record["trigger"]
                };
                story.history.iter().any(same)
            });
            if came {
                let (case, status) = (case.unwrap_or(""), status.unwrap_or(""));
                told.details
                    .push(format!("case {case} ({}) is {status}", target(&record["target"])));
            }
        }
        told
    }

    fn headline(&self, entry: &Entry) -> Told {
        let fate = entry.fate.as_deref();
        let (tag, tone, what) = match (&*entry.kind, fate) {
            (kind, Some("dead_letter")) => {
                let why = entry.refusal.as_ref().map_or(&Value::Null, |refusal| refusal);
                let why = [text(why, "reason"), text(why, "detail")];
                let why: Vec<&str> =
                    why.into_iter().flatten().filter(|said| !said.is_empty()).collect();
                let asks = entry.event.as_ref().is_some_and(|event| {
                    integer(event, "amount_minor").is_some() && text(event, "currency").is_some()
                });
                let what = match kind {
                    "authorization" if asks => payment_line(entry),
                    _ => kind_words(kind).to_owned(),
                };
                ("refused line", Tone::Faint, format!("{what}; {}", why.join(": ")))
            }
            (kind, Some("duplicate")) => {
                ("repeat", Tone::Faint, format!("{} again; changes nothing", kind_words(kind)))
            }
            ("authorization", _) => {
                let action = entry.decision.as_ref().and_then(|d| text(d, "action"));
                let action = action.unwrap_or("authorization");
                let tone = match action {
                    "allow" => Tone::Good,
                    "review" | "verify" => Tone::Asks,
                    _ => Tone::Bad,
                };
                (action, tone, payment_line(entry))
            }
            ("reversal", _) => {
                let named = entry.text(Field::RefEventId).unwrap_or("nothing");
                let of = self.payment(named).map_or_else(
                    || format!("{named}, which is not in this story"),
                    |payment| format!("{named}: {}", sum_by(payment)),
                );
                ("reversal", Tone::Good, format!("takes back {of}"))
            }
            ("feedback", fate) => {
                let source = entry.text(Field::Source).unwrap_or("feedback");
                (source, Tone::Voice, self.feedback(entry, fate == Some("ignored")))
            }
            ("expiry", _) => ("deadline", Tone::Asks, "nobody had answered by then".to_owned()),
            (kind, _) => {
                let context = context(entry, &[Field::CardId, Field::Channel]);
                (kind_words(kind), Tone::Plain, context)
            }
        };
        Told { tag: tag.to_owned(), tone, what, id: None, details: Vec::new() }
    }

    /// Who said what, and of whom.
    fn feedback(&self, entry: &Entry, ignored: bool) -> String {
        let Some(event) = &entry.event else { return String::new() };
        let verdict = match entry.text(Field::Verdict) {
            Some("legitimate") => "legitimate",
            Some("fraud") => "fraud",
            Some("policy_breach") => "a breach of terms, no fraud",
            Some("no_answer") => "no answer",
            Some("restored") => "the account is safe again",
            _ => "",
        };
        let ids = |name: &str| texts(event, name).collect::<Vec<_>>().join(", ");
        let scope = if let Some(case) = entry.text(Field::CaseId) {
            format!("case {case}")
        } else if event.get("event_ids").is_some() {
            format!("events {}", ids("event_ids"))
        } else if let Some(card) = entry.text(Field::CardId) {
            format!("card {card}")
        } else {
            "the account".to_owned()
        };
        let mut line = format!("{verdict} ({scope}");
        let time = |name: &str| integer(event, name).map(|time| self.moment(time));
        line += &match (time("from"), time("to")) {
            (Some(from), Some(to)) => format!(", {from} to {to}"),
            (Some(from), None) => format!(", from {from} on"),
            (None, Some(to)) => format!(", up to {to}"),
            (None, None) => String::new(),
        };
        if event.get("except_event_ids").is_some() {
            line += &format!(", but not {}", ids("except_event_ids"));
        }
        line += ")";
        if let Some(note) = entry.text(Field::Note) {
            line += &format!(" \u{201c}{note}\u{201d}");
        }
        if let Some(what) = entry.text(Field::Suspend) {
            line += &format!("; blocks the {what}");
        }
        if ignored {
            line += "; changes nothing";
        }
        line
    }

    fn payment(&self, id: &str) -> Option<&Payment> {
        self.incident.payments.iter().rev().find(|payment| payment.event_id == id)
    }

    /// Why a decision was taken, and what it has to do with a case.
    fn decided(&self, decision: &Value, details: &mut Vec<String>) {
        for reason in list(decision, "reasons") {
            let rule = text(reason, "rule").unwrap_or("");
            let effect = match (text(reason, "action"), integer(reason, "points")) {
                (Some(action), _) => action.to_owned(),
                (None, points) => format!("{:+} points", points.unwrap_or(0)),
            };
            let mut line = format!("{rule} ({effect})");
            if let Some(words) = text(reason, "reason") {
                line += &format!(": {words}");
            }
            let counters = reason.get("counters").and_then(Value::as_object);
            for (at, (name, value)) in counters.into_iter().flatten().enumerate() {
                line += if at == 0 { " | " } else { ", " };
                line += &format!("{name} = {}", self.counter(name, value));
            }
            details.push(line);
        }
        let mut rules = |name: &str, words: &str| {
            let rules: Vec<&str> = texts(decision, name).collect();
            if !rules.is_empty() {
                details.push(format!("{words}: {}", rules.join(", ")));
            }
        };
        rules("shadow", "held, and was only watched");
        rules("suppressed", "held, and was kept quiet");
        match text(decision, "state") {
            Some("late") => details.push("it came too late for its counters".to_owned()),
            Some("degraded") => details.push("a limit on memory cut its counters".to_owned()),
            _ => {}
        }
        if let Some(case) = text(decision, "case_id") {
            let until = integer(decision, "expires_at").map(|time| self.time(time));
            let until = until.map_or(String::new(), |time| format!(", answer due by {time}"));
            details.push(format!("case {case}{until}"));
        }
        let linked = list(decision, "linked_events");
        if !linked.is_empty() {
            let linked: Vec<String> = linked.iter().map(named).collect();
            let more = decision.get("linked_truncated").is_some();
            let more = if more { "; and more" } else { "" };
            details.push(format!("reaches back to {}{more}", linked.join("; ")));
        }
    }

    /// The value of a counter: a time and money as such.
    pub(super) fn counter(&self, name: &str, value: &Value) -> String {
        match (self.incident.units.get(name).map(String::as_str), value.as_i64()) {
            (Some("time"), Some(time)) => self.time(time),
            (Some(currency), Some(minor)) => money::money(minor, currency),
            _ => value.to_string(),
        }
    }
}

/// A tender and its card: `gift card`, `card c-1`.
pub(super) fn instrument(tender: &str, card: Option<&str>) -> String {
    let tender = tender.replace('_', " ");
    card.map_or(tender.clone(), |card| format!("{tender} {card}"))
}

/// What is paid, and by what.
pub(super) fn sum_by(payment: &Payment) -> String {
    let by = instrument(&payment.tender, payment.card_id.as_deref());
    format!("{} by {by}", money::money(payment.amount_minor, &payment.currency))
}

/// An authorization as decisions name it.
fn named(object: &Value) -> String {
    let by = instrument(text(object, "tender").unwrap_or("card"), text(object, "card_id"));
    let amount = integer(object, "amount_minor").unwrap_or(0);
    let money = money::money(amount, text(object, "currency").unwrap_or(""));
    format!("{} {money} by {by}", text(object, "event_id").unwrap_or(""))
}

/// What a case is about.
pub(super) fn target(target: &Value) -> String {
    let fields = target.as_object().into_iter().flatten();
    let fields: Vec<String> = fields
        .filter(|(name, _)| *name != "account_id")
        .map(|(name, value)| {
            let name = name.strip_suffix("_id").unwrap_or(name).replace('_', " ");
            match value {
                Value::Null => format!("no {name}"),
                Value::String(text) => format!("{name} {text}"),
                other => format!("{name} {other}"),
            }
        })
        .collect();
    if fields.is_empty() { "the account".to_owned() } else { fields.join(", ") }
}

/// `Mon 2026-01-05 (+09:00)` of a local time.
pub(super) fn day(local_time: &str) -> String {
    let date = local_time.get(..10).unwrap_or("");
    let weekday = date.parse::<Date>().map(|date| date.strftime("%a ").to_string());
    let offset = local_time.get(local_time.len().saturating_sub(6)..).unwrap_or("");
    format!("{}{date} ({offset})", weekday.unwrap_or_default())
}

/// `10:02:00` of a local time.
pub(super) fn clock(local_time: &str) -> &str {
    local_time.get(11..19).unwrap_or("")
}

/// Was it a call or a mail, and no answer?
pub(super) fn is_call(entry: &Entry) -> bool {
    entry.text(Field::Verdict) == Some("no_answer")
}

/// Is it an answer that lets payments pass or takes them back, where there are any?
fn may_release(entry: &Entry) -> bool {
    let verdict = entry.text(Field::Verdict);
    entry.kind == "feedback" && matches!(verdict, Some("legitimate" | "fraud" | "policy_breach"))
}

fn kind_words(kind: &str) -> &str {
    match kind {
        "login" => "log-in",
        "login_failed" => "failed log-in",
        "password_reset" => "password reset",
        "mfa_change" => "mfa change",
        "address_change" => "address change",
        "instrument_added" => "new instrument",
        "unreadable" => "something",
        other => other,
    }
}

fn payment_line(entry: &Entry) -> String {
    let by = instrument(entry.text(Field::Tender).unwrap_or("card"), entry.text(Field::CardId));
    let amount = entry.event.as_ref().and_then(|event| integer(event, "amount_minor"));
    let money = money::money(amount.unwrap_or(0), entry.text(Field::Currency).unwrap_or(""));
    let shop = entry.text(Field::MerchantId).map_or(String::new(), |shop| format!(" at {shop}"));
    let context = context(entry, &[Field::OrderId, Field::Delivery, Field::Response]);
    let comma = if context.is_empty() { "" } else { ", " };
    format!("{money} by {by}{shop}{comma}{context}")
}

/// Where something came from: these fields, then the device and the address.
fn context(entry: &Entry, first: &[Field]) -> String {
    let always = [Field::DeviceId, Field::Ip, Field::Country];
    let fields = first.iter().copied().chain(always);
    let words = fields.filter_map(|field| {
        let name = field.name().strip_suffix("_id").unwrap_or(field.name()).replace('_', " ");
        Some(format!("{name} {}", entry.text(field)?))
    });
    words.collect::<Vec<_>>().join(", ")
}
