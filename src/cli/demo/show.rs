//! What the demo says on the terminal: decisions with their reasons, what became of them, which
//! cases suspend whom, and a summary.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IsTerminal, Write},
};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    config::Settings,
    decision::{
        Action, Answer, Because, CaseRecord, CaseTarget, Decision, Effect, Fate, FieldValue,
        FollowUp, Outbox, Trigger,
    },
    event::{Field, Scalar},
    wire::encode,
};

/// What is said of one account in a row in full; what comes after it is counted.
const SHOWN_IN_A_ROW: u32 = 6;
const INDENT: &str = "               ";

pub(super) struct Show {
    zone: TimeZone,
    colors: bool,
    now_ms: i64,
    fates: BTreeMap<&'static str, u64>,
    actions: BTreeMap<Action, u64>,
    answers: BTreeMap<&'static str, u64>,
    rules: BTreeMap<String, u64>,
    stopped: Labels,
    passed: Labels,
    /// The honest ones that waited and were released.
    released: u64,
    waiting: BTreeSet<(String, String)>,
    /// Cases that suspend somebody, by id.
    suspending: BTreeMap<String, &'static str>,
    in_a_row: (String, u32),
    error: Option<io::Error>,
}

/// Authorizations by what the generator says of them.
#[derive(Debug, Default)]
struct Labels {
    fraud: u64,
    honest: u64,
}

impl Show {
    pub(super) fn new(zone: TimeZone) -> Show {
        Show {
            zone,
            colors: io::stdout().is_terminal(),
            now_ms: 0,
            fates: BTreeMap::new(),
            actions: BTreeMap::new(),
            answers: BTreeMap::new(),
            rules: BTreeMap::new(),
            stopped: Labels::default(),
            passed: Labels::default(),
            released: 0,
            waiting: BTreeSet::new(),
            suspending: BTreeMap::new(),
            in_a_row: (String::new(), 0),
            error: None,
        }
    }

    /// The time of the event that comes now.
    pub(super) fn now(&mut self, time_ms: i64) {
        self.now_ms = time_ms;
    }

    pub(super) fn fate(&mut self, fate: Fate) {
        *self.fates.entry(fate.name()).or_default() += 1;
    }

    /// Could everything be written so far?
    pub(super) fn written(&mut self) -> io::Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }

    pub(super) fn opening(&self, settings: &Settings) -> io::Result<()> {
        writeln!(
            io::stdout(),
            "Two days of generated card traffic, with fraud in it, through {} exact \
             counters and {} rules.\nShown: what is not simply allowed and why, whom a case \
             suspends, and what became of what waited. Times are local ({}).\n",
            settings.ruleset.counters.len(),
            settings.ruleset.rules.len(),
            self.zone.iana_name().unwrap_or("UTC")
        )
    }

    /// Shall this be said? Of many things in a row about one account the later ones are counted.
    fn turn_to(&mut self, account: &str) -> io::Result<bool> {
        if self.in_a_row.0 == account {
            self.in_a_row.1 += 1;
        } else {
            let more = self.in_a_row.1.saturating_sub(SHOWN_IN_A_ROW);
            if more > 0 {
                writeln!(io::stdout(), "{INDENT}... and {more} more of {}", self.in_a_row.0)?;
            }
            self.in_a_row = (account.to_owned(), 1);
        }
        Ok(self.in_a_row.1 <= SHOWN_IN_A_ROW)
    }

    fn tell(&mut self, decision: &Decision<'_>) -> io::Result<()> {
        let event = decision.event;
        if !self.turn_to(event.account())? {
            return Ok(());
        }
        let mut out = io::stdout();
        let word = |field| event.text(field).unwrap_or("");
        writeln!(
            out,
            "{}  {}  {} {} {} by {} at {}",
            self.time(event.time),
            self.paint(decision.action.name(), color(decision.action)),
            event.account(),
            event.amount_minor.unwrap_or(0),
            word(Field::Currency),
            word(Field::Tender),
            word(Field::MerchantId),
        )?;
        decision
            .reasons
            .iter()
            .try_for_each(|because| writeln!(out, "{INDENT}{}", why(because)))?;
        if !decision.filed.linked.is_empty() {
            let linked = decision.filed.linked.len();
            writeln!(out, "{INDENT}reaches back over {linked} before it")?;
        }
        Ok(())
    }

    fn tell_follow_up(&mut self, follow_up: &FollowUp<'_>) -> io::Result<()> {
        let subject = &follow_up.subject;
        if !self.turn_to(subject.account_id)? {
            return Ok(());
        }
        let why = match follow_up.trigger {
            Trigger::Feedback { verdict, source, .. } => format!("{verdict}, says the {source}"),
            Trigger::Expiry(_) => "nobody answered in time".to_owned(),
            Trigger::Decision(_) | Trigger::Reversal(_) => String::new(),
        };
        let color = if follow_up.answer == Answer::Release { 32 } else { 31 };
        writeln!(
            io::stdout(),
            "{}  {}  {} {} {} by {} of {}: {why}",
            self.time(self.now_ms),
            self.paint(follow_up.answer.name(), color),
            subject.account_id,
            subject.amount_minor,
            subject.currency,
            subject.tender,
            self.time(subject.time_ms),
        )
    }

    /// Tells of a case when it begins to suspend its target, and when that ends.
    fn tell_case(&mut self, record: &CaseRecord<'_>) -> io::Result<()> {
        let suspends = matches!(record.status, "suspended" | "confirmed");
        let before = match suspends {
            true => self.suspending.insert(record.case_id.to_owned(), record.status),
            false => self.suspending.remove(record.case_id),
        };
        let says = match (before, suspends) {
            (before, true) if before == Some(record.status) => return Ok(()),
            (None, false) => return Ok(()),
            (_, true) => record.status,
            (Some(_), false) => "suspension ends",
        };
        let CaseTarget::Fields(fields) = &record.target else { return Ok(()) };
        let told = |(name, value): &(String, Option<FieldValue<'_>>)| match value {
            Some(FieldValue::Text(value)) => format!(", {name} {value}"),
            Some(FieldValue::Int(value)) => format!(", {name} {value}"),
            Some(FieldValue::Bool(value)) => format!(", {name} {value}"),
            None => format!(", no {name}"),
        };
        let of: String = fields.iter().filter(|(name, _)| name != "account_id").map(told).collect();
        let mut sums = String::new();
        for total in &record.totals {
            for (column, amount) in total.amounts.iter().filter(|(_, amount)| *amount > 0) {
                let (currency, tender) = (total.currency, total.tender);
                sums.push_str(&format!("  {column} {amount} {currency} by {tender}"));
            }
        }
        writeln!(
            io::stdout(),
            "{}  {}  {}{of}: {says}{sums}",
            self.time(self.now_ms),
            self.paint("case", 36),
            record.account_id,
        )
    }

    fn time(&self, time_ms: i64) -> String {
        let time = Timestamp::from_millisecond(time_ms).unwrap_or_default();
        self.zone.to_datetime(time).strftime("%a %H:%M:%S").to_string()
    }

    fn paint(&self, word: &str, color: u8) -> String {
        let word = format!("{word:<7}");
        if self.colors { format!("\x1b[1;{color}m{word}\x1b[0m") } else { word }
    }

    pub(super) fn closing(&self, settings: &Settings, events: u64) -> io::Result<()> {
        let mut out = io::stdout();
        let list = |all: Vec<String>| all.join(", ");
        let fates = self.fates.iter().map(|(fate, n)| format!("{n} {fate}")).collect();
        let actions = self.actions.iter().map(|(action, n)| format!("{n} {}", action.name()));
        let answers = self.answers.iter().map(|(answer, n)| format!("{n} {answer}"));
        writeln!(out, "\n{events} events: {}", list(fates))?;
        writeln!(out, "decisions: {}", list(actions.collect()))?;
        writeln!(out, "what became of them: {}", list(answers.collect()))?;
        let fraud = self.stopped.fraud + self.passed.fraud;
        let honest = self.stopped.honest + self.passed.honest;
        writeln!(
            out,
            "stopped (verify, hold, decline): {} of {fraud} authorizations that are labelled \
             fraud, {} of {honest} honest ones ({} of them released by an answer)",
            self.stopped.fraud, self.stopped.honest, self.released
        )?;
        writeln!(out, "rules that spoke:")?;
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
        for (rule, count) in rules {
            writeln!(out, "  {count:>5}  {rule}")?;
        }
        writeln!(
            out,
            "\nruleset {}\nNext: holdfast generate -o log.jsonl; holdfast replay log.jsonl -c \
             config/holdfast.toml",
            settings.ruleset.identity
        )
    }

    /// Keeps the first error of what is said.
    fn say(&mut self, said: io::Result<()>) {
        if let Err(error) = said {
            self.error.get_or_insert(error);
        }
    }
}

/// A reason in a line: the rule, what it asks for, its words, its counters.
fn why(because: &Because<'_>) -> String {
    let mut counters = Vec::new();
    for (name, value) in because.counters.iter().flatten() {
        counters.extend_from_slice(format!("  {name}").as_bytes());
        encode::reading(b'=', *value, &mut counters);
    }
    let effect = match because.effect {
        Effect::Act(action) => action.name().to_owned(),
        Effect::Points(points) => format!("{points:+} points"),
    };
    let reason = because.reason.map_or(String::new(), |reason| format!(": {reason}"));
    format!("{} ({effect}){reason}{}", because.rule, String::from_utf8_lossy(&counters))
}

fn color(action: Action) -> u8 {
    match action {
        Action::Allow | Action::Review => 36,
        Action::Verify => 33,
        Action::Hold => 35,
        Action::Decline => 31,
    }
}

impl Outbox for Show {
    fn decision(&mut self, decision: &Decision<'_>) {
        let event = decision.event;
        *self.actions.entry(decision.action).or_default() += 1;
        let fraud = event.attribute("is_fraud") == Some(Scalar::Bool(true));
        let stopped = decision.action >= Action::Verify;
        let labels = if stopped { &mut self.stopped } else { &mut self.passed };
        *(if fraud { &mut labels.fraud } else { &mut labels.honest }) += 1;
        if stopped && !fraud {
            self.waiting.insert((event.account().to_owned(), event.id().to_owned()));
        }
        for because in &decision.reasons {
            *self.rules.entry(because.rule.to_owned()).or_default() += 1;
        }
        if decision.action != Action::Allow {
            let said = self.tell(decision);
            self.say(said);
        }
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        let FollowUp { subject, answer, .. } = follow_up;
        *self.answers.entry(answer.name()).or_default() += 1;
        let key = (subject.account_id.to_owned(), subject.event_id.to_owned());
        self.released += u64::from(*answer == Answer::Release && self.waiting.remove(&key));
        let said = self.tell_follow_up(follow_up);
        self.say(said);
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        let said = self.tell_case(record);
        self.say(said);
    }
}
