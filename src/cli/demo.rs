//! `holdfast demo`: generated traffic through the engine at a watchable pace, and what was decided
//! and why. It decides as everywhere; only the pace and the words are for people.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    thread,
    time::{Duration, Instant},
};

use bumpalo::Bump;
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    config::Settings,
    decision::{Action, Decision, Effect, Fate, Outbox},
    decision::{CaseRecord, FollowUp},
    engine::Engine,
    pipeline,
    traffic::{self, Traffic},
    wire::{decode::Hints, encode},
};

use super::Exit;

/// Run generated traffic through the engine at a watchable pace, and show what is decided and why.
///
/// It needs nothing, ends by itself with a summary, and decides by the ruleset in
/// config/holdfast.toml as it was when the program was built.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long it takes, about, in seconds
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=3600))]
    seconds: u64,
    /// Another seed gives other traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The default ruleset, so that there is nothing to install.
const RULESET: &str = include_str!("../../config/holdfast.toml");
/// A little more than a day: both stories are told in it.
const EVENTS: u64 = 12_000;
const SPAN_MS: i64 = 36 * 3_600_000;
/// Decisions of one account in a row that are shown in full; those after them are counted.
const SHOWN_IN_A_ROW: u32 = 6;

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let settings = Settings::read("config/holdfast.toml", RULESET.to_owned(), &[])
        .map_err(|problems| Exit::Configuration(problems.to_string()))?;
    let mut traffic = Traffic::new(traffic::Settings {
        seed: args.seed,
        ..traffic::Settings::natural(EVENTS, SPAN_MS)
    });
    let mut engine = Engine::new(settings.ruleset.clone());
    let mut show = Show::new(settings.ruleset.timezone.clone());
    let (mut hints, mut arena, mut line) = (Hints::default(), Bump::new(), String::new());
    let pace = Pace::new(Duration::from_secs(args.seconds), EVENTS);

    show.opening(&settings)?;
    let mut number = 0;
    loop {
        line.clear();
        if traffic.next_into(&mut line).is_none() {
            break;
        }
        let input = &settings.ruleset.input;
        let (_, event) = pipeline::admit::line(line.as_bytes(), input, &mut hints, &arena);
        let fate =
            event.and_then(|event| engine.process(event, &mut show)).unwrap_or(Fate::DeadLetter);
        *show.fates.entry(fate.name()).or_default() += 1;
        if let Some(error) = show.error.take() {
            return Err(error.into());
        }
        arena.reset();
        number += 1;
        pace.wait(number);
    }
    Ok(show.closing(&settings, number)?)
}

/// So many events in so much time.
struct Pace {
    began: Instant,
    length: Duration,
    events: u64,
}

impl Pace {
    #[expect(
        clippy::disallowed_methods,
        reason = "a pace for people; nothing decided depends on it"
    )]
    fn new(length: Duration, events: u64) -> Pace {
        Pace { began: Instant::now(), length, events }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a pace for people; nothing decided depends on it"
    )]
    fn wait(&self, number: u64) {
        let due = self.length.mul_f64(number as f64 / self.events as f64);
        if let Some(early) = due.checked_sub(self.began.elapsed())
            && early > Duration::from_millis(20)
        {
            thread::sleep(early);
        }
    }
}

/// What the demo says on the terminal.
struct Show {
    zone: TimeZone,
    colors: bool,
    fates: BTreeMap<&'static str, u64>,
    actions: BTreeMap<Action, u64>,
    rules: BTreeMap<String, u64>,
    stopped: Labels,
    passed: Labels,
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
    fn new(zone: TimeZone) -> Show {
        Show {
            zone,
            colors: io::stdout().is_terminal(),
            fates: BTreeMap::new(),
            actions: BTreeMap::new(),
            rules: BTreeMap::new(),
            stopped: Labels::default(),
            passed: Labels::default(),
            in_a_row: (String::new(), 0),
            error: None,
        }
    }

    fn opening(&self, settings: &Settings) -> io::Result<()> {
        let mut out = io::stdout();
        writeln!(
            out,
            "A day and a half of generated card traffic, with fraud in it, through {} exact \
             counters and {} rules.\nShown: what is not simply allowed, and why. Times are local \
             ({}).\n",
            settings.ruleset.counters.len(),
            settings.ruleset.rules.len(),
            self.zone.iana_name().unwrap_or("UTC")
        )
    }

    fn tell(&mut self, decision: &Decision<'_>) -> io::Result<()> {
        let mut out = io::stdout();
        let event = decision.event;
        if self.in_a_row.0 == event.account() {
            self.in_a_row.1 += 1;
        } else {
            let more = self.in_a_row.1.saturating_sub(SHOWN_IN_A_ROW);
            if more > 0 {
                writeln!(out, "               ... and {more} more of {}", self.in_a_row.0)?;
            }
            self.in_a_row = (event.account().to_owned(), 1);
        }
        if self.in_a_row.1 > SHOWN_IN_A_ROW {
            return Ok(());
        }
        let time = Timestamp::from_millisecond(event.time).unwrap_or_default();
        let time = self.zone.to_datetime(time).strftime("%a %H:%M:%S").to_string();
        let word = |field| event.text(field).unwrap_or("");
        use crate::event::Field::{Currency, MerchantId, Tender};
        writeln!(
            out,
            "{time}  {}  {} {} {} by {} at {}",
            self.paint(decision.action),
            event.account(),
            event.amount_minor.unwrap_or(0),
            word(Currency),
            word(Tender),
            word(MerchantId),
        )?;
        for because in &decision.reasons {
            let mut counters = Vec::new();
            for (name, value) in because.counters.iter().flatten() {
                counters.extend_from_slice(format!("  {name}").as_bytes());
                encode::reading(b'=', *value, &mut counters);
            }
            let effect = match because.effect {
                Effect::Act(action) => action.name().to_owned(),
                Effect::Points(points) => format!("{points:+} points"),
            };
            writeln!(
                out,
                "               {} ({effect}){}{}",
                because.rule,
                because.reason.map_or(String::new(), |reason| format!(": {reason}")),
                String::from_utf8_lossy(&counters)
            )?;
        }
        Ok(())
    }

    fn paint(&self, action: Action) -> String {
        let color = match action {
            Action::Allow | Action::Review => 36,
            Action::Verify => 33,
            Action::Hold => 35,
            Action::Decline => 31,
        };
        let name = format!("{:<7}", action.name());
        if self.colors { format!("\x1b[1;{color}m{name}\x1b[0m") } else { name }
    }

    fn closing(&self, settings: &Settings, events: u64) -> io::Result<()> {
        let mut out = io::stdout();
        let list = |all: Vec<String>| all.join(", ");
        let fates = self.fates.iter().map(|(fate, n)| format!("{n} {fate}")).collect();
        let actions = self.actions.iter().map(|(action, n)| format!("{n} {}", action.name()));
        writeln!(out, "\n{events} events: {}", list(fates))?;
        writeln!(out, "decisions: {}", list(actions.collect()))?;
        let fraud = self.stopped.fraud + self.passed.fraud;
        let honest = self.stopped.honest + self.passed.honest;
        writeln!(
            out,
            "stopped (verify, hold, decline): {} of {fraud} authorizations that are labelled \
             fraud, {} of {honest} honest ones",
            self.stopped.fraud, self.stopped.honest
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
}

impl Outbox for Show {
    fn decision(&mut self, decision: &Decision<'_>) {
        *self.actions.entry(decision.action).or_default() += 1;
        let fraud = decision.event.attribute("is_fraud") == Some(crate::event::Scalar::Bool(true));
        let stopped = decision.action >= Action::Verify;
        let labels = if stopped { &mut self.stopped } else { &mut self.passed };
        *(if fraud { &mut labels.fraud } else { &mut labels.honest }) += 1;
        for because in &decision.reasons {
            *self.rules.entry(because.rule.to_owned()).or_default() += 1;
        }
        if decision.action != Action::Allow
            && let Err(error) = self.tell(decision)
        {
            self.error.get_or_insert(error);
        }
    }

    fn follow_up(&mut self, _: &FollowUp<'_>) {}

    fn case_record(&mut self, _: &CaseRecord<'_>) {}
}
