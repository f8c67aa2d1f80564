//! Holdfast: exact, explainable stream-processing fraud detection for card authorizations.
//!
//! Read the modules in this order; each knows only those above it (see ARCHITECTURE.md).

pub mod event;

pub mod decision;

pub mod window;

pub mod rules;

pub mod wire;
