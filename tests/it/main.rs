//! What must hold of Holdfast as a whole, seen from outside: through the library's public names and
//! through the binary. What one module promises to another is tested beside its code.
//!
//! Random cases print their seed when they fail; `HOLDFAST_SEED=n` repeats that one alone, and
//! `HOLDFAST_CASES=n` runs more of them or fewer.
//!
//! `service` runs on a real Kafka, which the tests fetch and start themselves; they need Java and
//! Maven for that, and say so. `HOLDFAST_LONG=1` runs the long forms: hundreds of kills, millions of
//! events. `watched` has a Prometheus beside it, which `.ci/tools` brings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

mod bad_configurations;
mod bad_input;
mod cases;
mod commands;
mod contract;
mod exact;
mod fuzzed;
mod holds;
mod incident;
mod limits;
mod loops;
mod naive;
mod replays;
mod service;
mod shipped;
mod simulation;
mod watched;
