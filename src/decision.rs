//! What goes out: decisions and dead letters, and the names of everything that can happen to an
//! event. Borrowed data only; the bytes are made in [`crate::wire`].

use crate::{event::Event, window::spec::Reading};

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

/// What a decision says, in the order of severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Let it pass.
    #[default]
    Allow,
    /// Let it pass, and ask somebody to look.
    Review,
    /// Let it wait, and ask the customer (step-up).
    Verify,
    /// Let it wait, and ask somebody to decide.
    Hold,
    /// Refuse it.
    Decline,
}

impl Action {
    /// Every action, the mildest first.
    pub const ALL: [Action; 5] =
        [Action::Allow, Action::Review, Action::Verify, Action::Hold, Action::Decline];

    /// Its name in configuration and output.
    pub fn name(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Review => "review",
            Action::Verify => "verify",
            Action::Hold => "hold",
            Action::Decline => "decline",
        }
    }
}

/// What a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Somebody else pays with the instrument.
    Fraud,
    /// Somebody else uses the account.
    Takeover,
    /// The customer breaks the terms.
    Policy,
}

impl Category {
    /// Every category.
    pub const ALL: [Category; 3] = [Category::Fraud, Category::Takeover, Category::Policy];

    /// Its name in configuration and output.
    pub fn name(self) -> &'static str {
        match self {
            Category::Fraud => "fraud",
            Category::Takeover => "takeover",
            Category::Policy => "policy",
        }
    }
}

/// How a rule that holds takes part in the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It asks for this action.
    Act(Action),
    /// It adds these points to the score.
    Points(i64),
}

/// How much the counters of a decision can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// They are exact.
    Complete,
    /// The event came later than `allowed_lateness`: its counters are absent.
    Late,
    /// A window begins before an event that `events_per_key` drove out.
    Degraded,
}

impl State {
    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            State::Complete => "complete",
            State::Late => "late",
            State::Degraded => "degraded",
        }
    }
}

/// A live rule, or the score, that had a say.
#[derive(Debug, Clone, PartialEq)]
pub struct Because<'a> {
    /// The rule's id, or `score`.
    pub rule: &'a str,
    /// What it speaks of.
    pub category: Option<Category>,
    /// What it asks for.
    pub effect: Effect,
    /// In words.
    pub reason: Option<&'a str>,
    /// The counters that it names and their values, absent ones left out; `None` of the score.
    pub counters: Option<Vec<(&'a str, Reading)>>,
}

/// What was decided of an authorization, and why.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// The authorization.
    pub event: &'a Event<'a>,
    /// The clock of its partition just after it was accepted, in epoch ms.
    pub clock_ms: i64,
    /// The most severe of what was asked for.
    pub action: Action,
    /// The sum of the points of the live rules that hold.
    pub score: i64,
    /// Each live rule that holds and is not suppressed, in the order of the configuration, then
    /// the score.
    pub reasons: Vec<Because<'a>>,
    /// Shadow rules that hold.
    pub shadow: Vec<&'a str>,
    /// Live rules that hold and were kept from acting; last the score.
    pub suppressed: Vec<&'a str>,
    /// How much the counters can be relied on.
    pub state: State,
    /// The identity of the ruleset.
    pub ruleset: &'a str,
    /// Every counter's value, in the order of the configuration.
    pub readings: &'a [Option<Reading>],
}

impl Decision<'_> {
    /// Is there more to it than a plain allow?
    pub fn has_findings(&self) -> bool {
        !(self.reasons.is_empty() && self.shadow.is_empty() && self.suppressed.is_empty())
    }
}

/// Takes what the engine puts out, in order.
pub trait Outbox {
    /// A decision.
    fn decision(&mut self, decision: &Decision<'_>);
}
