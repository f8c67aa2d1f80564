//! Exact sliding windows over the events of one partition.
//!
//! [`spec`] says what is counted, `plan` how counters share what is kept. [`store`] takes an event
//! through them: `walk` reads the windows over few rows, `series` those of a key with many. Time is
//! an argument; nothing here decides.

mod bytes;
pub mod calendar;
pub mod carry;
mod facts;
mod group;
mod keys;
mod mark;
mod owner;
mod plan;
mod rows;
mod series;
mod slab;
pub mod spec;
pub mod store;
mod totals;
mod values;
mod walk;
mod wheel;

/// Ids are chosen by strangers: maps are seeded at random. No order of a map reaches the output.
pub type Hasher = foldhash::fast::RandomState;
