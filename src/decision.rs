//! What goes out: decisions and dead letters, and the names of everything that can happen to an
//! event. The bytes are made in [`crate::wire`].

use std::{fmt, ops::Deref};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::{event::Event, window::spec::Reading};

/// Which ruleset decides: `sha256:` and the hash of its canonical form.
#[derive(Debug, Clone)]
pub struct RulesetId {
    name: Box<str>,
    /// The hash of every decision begins with it.
    hash: Sha256,
}

impl RulesetId {
    /// The one of this name.
    pub fn new(name: String) -> RulesetId {
        let digits = name.strip_prefix("sha256:").unwrap_or(&name);
        RulesetId { hash: Sha256::new_with_prefix(digits), name: name.into() }
    }

    /// A hash that has taken in its digits, which are one block.
    pub fn hash(&self) -> Sha256 {
        self.hash.clone()
    }
}

impl PartialEq for RulesetId {
    fn eq(&self, other: &RulesetId) -> bool {
        self.name == other.name
    }
}

impl Eq for RulesetId {}

impl fmt::Display for RulesetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Deref for RulesetId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

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
    /// The state was made again from less of the log than it may depend on.
    Warming,
    /// A window begins before an event that `events_per_key` drove out.
    Degraded,
}

impl State {
    /// Every state.
    pub const ALL: [State; 4] = [State::Complete, State::Late, State::Warming, State::Degraded];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            State::Complete => "complete",
            State::Late => "late",
            State::Warming => "warming",
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

/// An authorization that was decided earlier, as far as the output names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `event_id`
    pub event_id: &'a str,
    /// `event_time`, in epoch ms
    pub time_ms: i64,
    /// The clock just after it was accepted, in epoch ms.
    pub clock_ms: i64,
    /// `account_id`
    pub account_id: &'a str,
    /// `card_id`
    pub card_id: Option<&'a str>,
    /// `order_id`
    pub order_id: Option<&'a str>,
    /// `tender`
    pub tender: &'a str,
    /// `amount_minor`
    pub amount_minor: i64,
    /// `currency`
    pub currency: &'a str,
}

/// An earlier authorization of a burst, and how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked<'a> {
    /// The authorization.
    pub subject: Subject<'a>,
    /// How it stands at this moment.
    pub standing: &'static str,
}

/// What a decision has to do with a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filed<'a> {
    /// The case.
    pub case_id: Option<&'a str>,
    /// The earlier authorizations that it links, in the order of the log.
    pub linked: Vec<Linked<'a>>,
    /// Were there more?
    pub truncated: bool,
    /// Until when an answer is waited for, in the clock's epoch ms.
    pub expires_ms: Option<i64>,
}

/// What becomes of an earlier authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A pending one may go its way.
    Release,
    /// A pending one is refused.
    Cancel,
    /// One that had passed is taken back.
    Reverse,
}

impl Answer {
    /// Every answer, in the order of the statistics.
    pub const ALL: [Answer; 3] = [Answer::Release, Answer::Cancel, Answer::Reverse];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Release => "release",
            Answer::Cancel => "cancel",
            Answer::Reverse => "reverse",
        }
    }
}

/// What made something happen to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger<'a> {
    /// The decision of this event.
    Decision(&'a str),
    /// An answer.
    Feedback {
        /// The feedback's `event_id`
        event_id: &'a str,
        /// `verdict`
        verdict: &'a str,
        /// `source`
        source: &'a str,
    },
    /// A deadline, in epoch ms.
    Expiry(i64),
    /// The reversal of this id.
    Reversal(&'a str),
}

/// A decision about an earlier authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp<'a> {
    /// The authorization.
    pub subject: Subject<'a>,
    /// What becomes of it.
    pub answer: Answer,
    /// Its case.
    pub case_id: &'a str,
    /// Why now.
    pub trigger: Trigger<'a>,
    /// The identity of the ruleset.
    pub ruleset: &'a RulesetId,
}

/// What a case is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseTarget<'a> {
    /// One event.
    Event(&'a str),
    /// What has these values in common, by field; of an absent field, none.
    Fields(Vec<(String, Option<FieldValue<'a>>)>),
}

/// A value of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// Text.
    Text(&'a str),
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
}

/// The amounts of a case's members of one tender and currency, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseTotal<'a> {
    /// `tender`
    pub tender: &'a str,
    /// `currency`
    pub currency: &'a str,
    /// Waiting.
    pub pending: i64,
    /// Passed by their decisions,
    pub passed: i64,
    /// or by an answer or a deadline.
    pub released: i64,
    /// Refused by an answer or a deadline.
    pub cancelled: i64,
    /// Taken back by an answer,
    pub reversed: i64,
    /// or by the acceptor.
    pub withdrawn: i64,
}

/// Where a case stands after something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRecord<'a> {
    /// The `event_id` of what opened it.
    pub case_id: &'a str,
    /// `account_id`
    pub account_id: &'a str,
    /// What it is about.
    pub target: CaseTarget<'a>,
    /// `open`, `suspended`, `confirmed` or `closed`
    pub status: &'static str,
    /// What changed it.
    pub trigger: Trigger<'a>,
    /// In the order of first membership.
    pub totals: SmallVec<[CaseTotal<'a>; 1]>,
    /// The identity of the ruleset.
    pub ruleset: &'a RulesetId,
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
    /// What it has to do with a case.
    pub filed: Filed<'a>,
    /// How much the counters can be relied on.
    pub state: State,
    /// The identity of the ruleset.
    pub ruleset: &'a RulesetId,
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
    /// The event is counted; what is decided of it comes next. For whoever times the stages.
    fn counted(&mut self) {}

    /// A decision.
    fn decision(&mut self, decision: &Decision<'_>);

    /// A decision about an earlier event.
    fn follow_up(&mut self, follow_up: &FollowUp<'_>);

    /// Where a case stands now.
    fn case_record(&mut self, record: &CaseRecord<'_>);
}
