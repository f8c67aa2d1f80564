//! What the documentation promises, told in small cases: events in, and what must come out.

use holdfast::config::Settings;
use serde_json::Value;

use crate::support::run::{run, settings};

mod answers;
mod identity;
mod input;
mod letters;
mod output;
mod rules;
mod stories;
mod windows;

/// Epoch milliseconds of an instant: `2026-09-06T04:00:00Z`.
fn utc(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

/// The counters of each decided event, as they stand in the CSV.
fn readings(config: &str, lines: &[String]) -> Vec<String> {
    run(&settings(config), lines).readings()
}

/// Every decision.
fn decisions(config: &str, lines: &[String]) -> Vec<Value> {
    run(&settings(config), lines).decisions()
}

/// Reason and field of each dead letter.
fn refusals(lines: &[String]) -> Vec<String> {
    run(&settings(""), lines).refusals()
}

/// A configuration of one counter of account `a`'s events.
fn counter(lines: &str) -> String {
    format!("[[counter]]\nname = \"n\"\nkey = [\"account_id\"]\n{lines}\n")
}

fn identity_of(config: &str) -> String {
    let Settings { ruleset, .. } = settings(config);
    ruleset.identity.to_string()
}
