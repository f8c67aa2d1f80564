//! Exact sliding windows over the events of one partition.

pub mod spec;
