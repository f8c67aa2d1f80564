//! `holdfast demo`: generated traffic through the engine at a watchable pace, and what was decided
//! and why, and what became of it. It decides as everywhere; only the pace and the words are for
//! people.

mod show;

use std::{
    thread,
    time::{Duration, Instant},
};

use bumpalo::Bump;

use crate::{
    config::Settings,
    decision::Fate,
    engine::Engine,
    pipeline,
    traffic::{self, Traffic},
    wire::decode::Hints,
};

use super::Exit;
use show::Show;

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
/// Two days: both stories are told in it, to the call that ends a suspension.
const EVENTS: u64 = 16_000;
const SPAN_MS: i64 = 48 * 3_600_000;

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
        let (_, event) = pipeline::admit(line.as_bytes(), input, &mut hints, &arena);
        let fate = event.and_then(|event| {
            show.now(event.time);
            engine.process(event, &mut show)
        });
        show.fate(fate.unwrap_or(Fate::DeadLetter));
        show.written()?;
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
