//! Synthetic traffic: a seeded log of card authorizations, account events and answers, with
//! labelled fraud in it, to try the detector on.
//!
//! A pure function of its [`Settings`]: the same seed gives the same bytes on every machine.
//! `ordinary` visits follow the rhythm of a week; `stories` are told beside them: honest but
//! heavy buyers, and four kinds of fraud. Lines come in order of arrival, some of them late, out of
//! order or twice, as a network delivers them.
//!
//! It is not a model of any real population: shares and prices are plausible, not measured. What
//! is found in it says that a rule does what was meant, not how it fares in production.

mod chance;
mod line;
mod ordinary;
mod people;
mod rhythm;
mod shops;
mod stage;
mod stories;
mod tape;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use line::account_id;
use rhythm::{DAY_MS, Rhythm};
use stage::Stage;
use stories::Cast;
pub use tape::Stamp;

/// Midnight in Tokyo before Monday, 5 January 2026.
const MONDAY_MS: i64 = 1_767_538_800_000;
/// Lines an account and day, in [`Settings::natural`]: about what a card sees.
const LINES_A_DAY: f64 = 4.0;
/// The fewest accounts that the stories can be told with.
const ACCOUNTS_MIN: u32 = 20;

/// What to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Another seed gives another log of the same kind.
    pub seed: u64,
    /// The first event time, in epoch ms. The rhythm of day and week is Tokyo's.
    pub start_ms: i64,
    /// How many lines, repeated ones included: exactly so many.
    pub events: u64,
    /// The number in the first event's id: two logs of one stream must not share ids.
    pub first_id: u64,
    /// How many accounts (at least 20); a few more are opened by people who test cards.
    pub accounts: u32,
    /// How much event time the lines cover, about, in ms (at least an hour).
    pub span_ms: i64,
    /// The share of labelled fraud among the lines, about: 0 to 0.5.
    pub fraud_share: f64,
    /// Whether lines are delayed, disordered and repeated. Without, they come in order of time.
    pub delays: bool,
}

impl Default for Settings {
    /// Three days of 2,000 accounts.
    fn default() -> Settings {
        Settings {
            seed: 1,
            start_ms: MONDAY_MS,
            events: 24_000,
            first_id: 0,
            accounts: 2000,
            span_ms: 3 * DAY_MS,
            fraud_share: 0.02,
            delays: true,
        }
    }
}

impl Settings {
    /// The default, with so many lines and as many accounts as would make them in that time.
    pub fn natural(events: u64, span_ms: i64) -> Settings {
        let days = span_ms as f64 / DAY_MS as f64;
        let accounts = events as f64 / (LINES_A_DAY * days.max(0.01));
        let accounts = (accounts as u32).clamp(ACCOUNTS_MIN, 10_000_000);
        Settings { events, accounts, span_ms, ..Settings::default() }
    }

    /// The nearest settings that can be generated.
    fn within_limits(self) -> Settings {
        Settings {
            accounts: self.accounts.max(ACCOUNTS_MIN),
            span_ms: self.span_ms.max(rhythm::HOUR_MS),
            fraud_share: self.fraud_share.clamp(0.0, 0.5),
            ..self
        }
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// One JSON object, without a line break.
    pub text: String,
    /// When it happened, when it arrived, whose it is.
    pub stamp: Stamp,
}

/// The log, line by line, in order of arrival.
pub struct Traffic {
    settings: Settings,
    rhythm: Rhythm,
    stage: Stage,
    cast: Cast,
    /// Who is next on the stage, ordinary visits apart.
    stories: BinaryHeap<Reverse<(i64, stories::Actor)>>,
    visit_ms: i64,
    /// Weighted time left to the end, and what is due of a millisecond begun.
    weight_left: f64,
    owed: f64,
    visits: u64,
    visit_lines: u64,
    /// Lines handed out.
    told: u64,
}

impl Traffic {
    /// A log as these settings say; values beyond their limits count as the nearest limit.
    pub fn new(settings: Settings) -> Traffic {
        let settings = settings.within_limits();
        let cast = Cast::new(&settings);
        let mut stage = Stage::new(&settings, cast.reserved());
        let stories = cast.entrances(&mut stage.dice).into_iter().map(Reverse).collect();
        let rhythm = Rhythm::new();
        let end_ms = settings.start_ms + settings.span_ms;
        let mut traffic = Traffic {
            visit_ms: settings.start_ms,
            weight_left: rhythm.between(settings.start_ms, end_ms),
            owed: 0.0,
            settings,
            rhythm,
            stage,
            cast,
            stories,
            visits: 0,
            visit_lines: 0,
            told: 0,
        };
        traffic.visit_ms = traffic.next_visit_ms();
        traffic
    }

    /// Replaces `text` by the next line, without a line break; `None` when all have been told.
    pub fn next_into(&mut self, text: &mut String) -> Option<Stamp> {
        if self.told == self.settings.events {
            return None;
        }
        loop {
            let story_ms = self.stories.peek().map_or(i64::MAX, |next| next.0.0);
            if let Some(stamp) = self.stage.tape.take(self.visit_ms.min(story_ms), text) {
                self.told += 1;
                return Some(stamp);
            }
            if story_ms < self.visit_ms {
                self.tell();
            } else {
                let before = self.stage.tape.written();
                ordinary::visit(&mut self.stage, self.visit_ms);
                self.visits += 1;
                self.visit_lines += self.stage.tape.written() - before;
                self.visit_ms = self.next_visit_ms();
            }
        }
    }

    fn tell(&mut self) {
        let Some(Reverse((time_ms, actor))) = self.stories.pop() else { return };
        if let Some(next_ms) = self.cast.play(actor, time_ms, &mut self.stage) {
            self.stories.push(Reverse((next_ms, actor)));
        }
    }

    /// The next visit, at the pace that spends the lines left over the time left: whatever the
    /// stories take, the log ends about when it should.
    fn next_visit_ms(&mut self) -> i64 {
        let written = self.stage.tape.written();
        let lines_left = self.settings.events.saturating_sub(self.stage.tape.in_time()) as f64;
        // Measured so far, with a guess that counts as a hundred visits.
        let lines_a_visit = (self.visit_lines as f64 + 170.0) / (self.visits as f64 + 100.0);
        let of_visits = (self.visit_lines as f64 + 170.0) / (written as f64 + 190.0);
        let visits_left = (lines_left * of_visits.min(1.0) / lines_a_visit).max(1.0);
        let weight_left = self.weight_left.max(self.settings.span_ms as f64 / 10_000.0);
        let gap = self.stage.dice.exponential() * weight_left / visits_left;
        self.weight_left -= gap;
        self.owed += gap;
        let next_ms = self.rhythm.after(self.visit_ms, self.owed);
        self.owed = (self.owed - self.rhythm.between(self.visit_ms, next_ms)).max(0.0);
        next_ms
    }
}

impl Iterator for Traffic {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let mut text = String::new();
        let stamp = self.next_into(&mut text)?;
        Some(Line { text, stamp })
    }
}
