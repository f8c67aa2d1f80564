//! Holdfast: exact, explainable stream-processing fraud detection for card authorizations.
//!
//! Read the modules in this order; each knows only those above it (see ARCHITECTURE.md).

// The core: a pure function of the log and the ruleset. No clock, no chance, no I/O.
mod ahead;
pub mod decision;
pub mod event;
mod places;
pub mod stream;
pub mod window;

pub mod cases;
pub mod rules;

pub mod engine;

// The shell.
pub mod config;
pub mod wire;

pub mod pipeline;

pub mod io;

pub mod replay;
pub mod testing;

pub mod incident;

pub mod metrics;
pub mod service;

pub mod traffic;

pub mod cli;
