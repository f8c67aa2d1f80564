//! Bytes to domain: records out of lines, events out of payloads, dead letters out of refusals.
//!
//! What is checked here is form alone, and one event at a time: is this text an event, and which?
//! It deliberately knows no log and no configuration. Whether an event repeats another, comes too
//! late or lies in the future is decided further in.

pub mod csv;
pub mod dead_letter;
pub mod decode;
mod detail;
pub mod encode;
pub mod pan;
mod partition;
mod put;
pub mod record;
mod scan;
mod strict;
mod validate;

#[cfg(test)]
mod tests;
