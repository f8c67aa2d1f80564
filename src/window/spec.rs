//! What a counter counts: data only. How it is counted stands in [`super::series`].

/// The value of a counter at an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// Of `count`, `sum`, `max`, `min`, `distinct`; a sum beyond 64 bits reads as the largest.
    Int(i64),
    /// Of `mean`: the double nearest to the exact quotient.
    Double(f64),
}
