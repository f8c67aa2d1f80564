//! What goes out: decisions and dead letters, and the names of everything that can happen to an
//! event. Borrowed data only; the bytes are made in [`crate::wire`].

/// What became of an event. Every event has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// An authorization: it has a decision.
    Decided,
    /// A reversal, an account event or a tick: it counts for what comes after it.
    Counted,
    /// Feedback that changed something.
    Applied,
    /// Feedback that changed nothing.
    Ignored,
    /// A repeat of an accepted event: it changed nothing.
    Duplicate,
    /// Refused, with a [`Reason`].
    DeadLetter,
}

impl Fate {
    /// Every fate, in the order of the statistics.
    pub const ALL: [Fate; 6] = [
        Fate::Decided,
        Fate::Counted,
        Fate::Applied,
        Fate::Ignored,
        Fate::Duplicate,
        Fate::DeadLetter,
    ];

    /// Its name in statistics and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Decided => "decided",
            Fate::Counted => "counted",
            Fate::Applied => "applied",
            Fate::Ignored => "ignored",
            Fate::Duplicate => "duplicate",
            Fate::DeadLetter => "dead_letter",
        }
    }
}

/// Why an event was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Over 64 KiB.
    TooLarge,
    /// Not one JSON object in UTF-8, or a field given twice.
    InvalidJson,
    /// A field that this type of event needs is absent.
    MissingField,
    /// A field holds what it may not hold.
    InvalidField,
    /// A token looks like a primary account number.
    PanLike,
    /// It is further in the future of its record than `max_future`.
    FutureTime,
    /// It is further behind the clock than `dedupe_horizon`, and no known event.
    TooOld,
    /// The program failed on it before any state changed.
    Internal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 8] = [
        Reason::TooLarge,
        Reason::InvalidJson,
        Reason::MissingField,
        Reason::InvalidField,
        Reason::PanLike,
        Reason::FutureTime,
        Reason::TooOld,
        Reason::Internal,
    ];

    /// Its name in dead letters and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Reason::TooLarge => "too_large",
            Reason::InvalidJson => "invalid_json",
            Reason::MissingField => "missing_field",
            Reason::InvalidField => "invalid_field",
            Reason::PanLike => "pan_like",
            Reason::FutureTime => "future_time",
            Reason::TooOld => "too_old",
            Reason::Internal => "internal",
        }
    }
}

/// A refusal: why, which field, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// The field that is missing or wrong, where it is one.
    pub field: Option<&'static str>,
    /// What was found, for people; empty if the reason says it all.
    pub detail: String,
}
