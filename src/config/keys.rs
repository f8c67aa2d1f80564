//! Every key of the configuration, with what it means.

use crate::event::{SOURCES, TYPES};

use super::shape::{Key, Section, Shape};

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, required: false, default: "", about }
}

const fn or(default: &'static str, key: Key) -> Key {
    Key { default, ..key }
}

const fn needed(key: Key) -> Key {
    Key { required: true, ..key }
}

const TEXT: Shape = Shape::Text;
const TEXTS: Shape = Shape::List(&Shape::Text, true);
const POINTS: Shape = Shape::Integer(-1_000_000_000, 1_000_000_000);

/// The event types that a counter may count: all but a tick, which moves time and nothing else.
const COUNTED_TYPES: &[&str] = TYPES.split_at(TYPES.len() - 1).0;

/// The whole file.
pub static ROOT: Section = Section {
    name: "the configuration",
    about: "What Holdfast counts, decides and writes.",
    keys: &[
        or("\"UTC\"", key("timezone", TEXT, "The time zone of `day` and `month` windows (IANA).")),
        key("input", Shape::Section(&INPUT), "How events are admitted."),
        key("counter", Shape::Sections(&COUNTER), "Exact sliding windows."),
        key("table", Shape::Tables, "Look-ups usable in rules as `table.NAME[field]`."),
        key("list", Shape::Lists, "Sets usable in rules as `x in list.NAME`."),
        key("rule", Shape::Sections(&RULE), "Conditions and what they ask for."),
        key("score", Shape::Section(&SCORE), "What the sum of points asks for."),
        key("cases", Shape::Section(&CASES), "How holds live, where a rule does not say."),
        key("limits", Shape::Section(&LIMITS), "Bounds on memory, in entries of the log."),
        key("output", Shape::Section(&OUTPUT), "What is written."),
        key("kafka", Shape::Section(&KAFKA), "The service's topics (operational)."),
        key("state", Shape::Section(&STATE), "The service's snapshots (operational)."),
        key("admin", Shape::Section(&ADMIN), "The service's look into its state (operational)."),
        key("metrics", Shape::Section(&METRICS), "The service's metrics (operational)."),
    ],
};

static INPUT: Section = Section {
    name: "[input]",
    about: "How events are admitted.",
    keys: &[
        or(
            "\"1h\"",
            key(
                "allowed_lateness",
                Shape::Duration,
                "An event further behind the clock than this is decided without its counters; at \
                 most `dedupe_horizon`.",
            ),
        ),
        or(
            "\"24h\"",
            key(
                "dedupe_horizon",
                Shape::Duration,
                "How long a repeat of an event is known, and how old an event may be.",
            ),
        ),
        or(
            "\"5m\"",
            key(
                "max_future",
                Shape::Duration,
                "How far an event may be ahead of its record's own timestamp.",
            ),
        ),
        or(
            "[\"card_id\"]",
            key(
                "account_fields",
                TEXTS,
                "Fields that belong to an account: in a key they mean that field within its \
                 account.",
            ),
        ),
        or(
            "[\"card_id\"]",
            key("pan_check", TEXTS, "Fields that must not look like a primary account number."),
        ),
    ],
};

static COUNTER: Section = Section {
    name: "counter",
    about: "An exact sliding window over the events that share a key.",
    keys: &[
        needed(key("name", Shape::Name, "Its name in rules.")),
        needed(key(
            "key",
            Shape::List(&Shape::Text, false),
            "The fields whose values an event shares with those that count for it.",
        )),
        or(
            "[\"authorization\"]",
            key("types", Shape::List(&Shape::Choice(COUNTED_TYPES), false), "Which events count."),
        ),
        key("count", Shape::True, "Measure: how many."),
        key("sum", TEXT, "Measure: the sum of an integer field; beyond 64 bits the largest."),
        key("mean", TEXT, "Measure: its mean, a double; absent over nothing."),
        key("max", TEXT, "Measure: its greatest value; absent over nothing."),
        key("min", TEXT, "Measure: its least value; absent over nothing."),
        key("distinct", TEXT, "Measure: how many values of a field there are."),
        needed(key(
            "window",
            Shape::Window,
            "How far back: a duration, or `day` or `month` to date in `timezone`.",
        )),
        or("\"0ms\"", key("delay", Shape::Duration, "How long before the event it ends.")),
        key(
            "currency",
            TEXT,
            "Money: only this currency counts, or \"any\"; needed where `currency` is not in the \
             key.",
        ),
        key("where", Shape::Expression, "Only events count for which this holds."),
        key(
            "scope",
            Shape::Choice(&["partition"]),
            "Says that a key beyond the account is counted within its partition.",
        ),
        or(
            "false",
            key(
                "standing",
                Shape::Bool,
                "Counts an authorization only while it stands: not declined, cancelled, reversed \
                 or withdrawn.",
            ),
        ),
        key(
            "missing",
            Shape::Choice(&["group"]),
            "Makes an absent key field a value of its own; else the counter is absent.",
        ),
    ],
};

/// What a rule may ask for.
pub const ACTIONS: &[&str] = &["allow", "review", "verify", "hold", "decline"];

/// What becomes of a pending event without an answer.
pub const ON_EXPIRY: &[&str] = &["cancel", "release"];
const ON_EXPIRY_ABOUT: &str = "What becomes of a pending event without an answer in time.";
const EXPIRES_ABOUT: &str = "How long an answer is waited for, in the clock of the log.";
const GRACE_ABOUT: &str = "How long the rules that asked stay quiet on a target after an answer.";

const TARGET: Key = or(
    "\"event\"",
    key(
        "target",
        Shape::Either(&["event", "card", "account"], &Shape::List(&Shape::Text, true)),
        "What its cases are about: the event, its card, its account, or what shares these fields \
         within the account.",
    ),
);
const EXPIRES: Key = key("expires", Shape::Duration, EXPIRES_ABOUT);
const EXPIRY: Key = key("on_expiry", Shape::Choice(ON_EXPIRY), ON_EXPIRY_ABOUT);
const WHILE_SUSPENDED: Key = or(
    "\"decline\"",
    key(
        "while_suspended",
        Shape::Choice(&["decline", "hold"]),
        "What happens to further authorizations of a suspended target.",
    ),
);
const ANSWER_BY: Key = key(
    "answer_by",
    Shape::List(&Shape::Choice(SOURCES), true),
    "The sources whose `legitimate`, `policy_breach` and `restored` count; else all.",
);
const GRACE: Key = key("grace", Shape::Duration, GRACE_ABOUT);

static RULE: Section = Section {
    name: "rule",
    about: "A condition and what it asks for.",
    keys: &[
        needed(key("id", TEXT, "Its name in decisions.")),
        needed(key("when", Shape::Expression, "Its condition.")),
        key("action", Shape::Choice(ACTIONS), "What it asks for; or `points`."),
        key("points", POINTS, "What it adds to the score; or `action`."),
        or(
            "\"live\"",
            key("mode", Shape::Choice(&["live", "shadow"]), "A shadow rule never acts."),
        ),
        key("category", Shape::Choice(&["fraud", "takeover", "policy"]), "What it speaks of."),
        key("reason", TEXT, "In words, for whoever reads the decision."),
        TARGET,
        key(
            "reach",
            TEXTS,
            "Counters over whose events a case of the rule reaches back: they are linked to it.",
        ),
        EXPIRES,
        EXPIRY,
        WHILE_SUSPENDED,
        ANSWER_BY,
        GRACE,
    ],
};

static SCORE: Section = Section {
    name: "[score]",
    about: "What the sum of the points of the live rules that hold asks for.",
    keys: &[
        key("review_at", POINTS, "Review from this score on."),
        key("verify_at", POINTS, "Verify from this score on."),
        key("hold_at", POINTS, "Hold from this score on."),
        key("decline_at", POINTS, "Decline from this score on."),
        TARGET,
        EXPIRES,
        EXPIRY,
        WHILE_SUSPENDED,
        ANSWER_BY,
        GRACE,
    ],
};

static CASES: Section = Section {
    name: "[cases]",
    about: "How holds live, where a rule does not say.",
    keys: &[
        or("\"72h\"", EXPIRES),
        or("\"cancel\"", EXPIRY),
        or("\"30d\"", GRACE),
        or(
            "\"30d\"",
            key("memory", Shape::Duration, "How long a closed case can still be answered."),
        ),
    ],
};

static LIMITS: Section = Section {
    name: "[limits]",
    about: "Bounds on memory, in entries of the log. They belong to the ruleset.",
    keys: &[
        or(
            "1000000",
            key(
                "events_per_key",
                Shape::Integer(1, 1_000_000_000),
                "The most events kept for a key, the newest by time; a window that reaches \
                 further back makes a decision `degraded`.",
            ),
        ),
        or(
            "256",
            key(
                "linked_events",
                Shape::Integer(0, 1_000_000),
                "The most events that a decision links, the newest in the log.",
            ),
        ),
        or(
            "10000",
            key(
                "pending_per_account",
                Shape::Integer(0, 1_000_000_000),
                "The most authorizations of an account that wait; beyond it, what would wait is \
                 declined.",
            ),
        ),
    ],
};

/// Which decisions are written.
pub const EMITS: &[&str] = &["actions", "findings", "all"];

static OUTPUT: Section = Section {
    name: "[output]",
    about: "What is written.",
    keys: &[or(
        "\"actions\"",
        key(
            "emit",
            Shape::Choice(EMITS),
            "`actions`: all but allow; `findings`: an allow too, if a rule held; `all`: every one.",
        ),
    )],
};

static KAFKA: Section = Section {
    name: "[kafka]",
    about: "The service's topics.",
    keys: &[
        key("brokers", TEXT, "host:port, separated by commas."),
        or("\"auth.events\"", key("input", TEXT, "The topic of events, keyed by account.")),
        key("output", TEXT, "The topic of decisions."),
        key("dead_letters", TEXT, "The topic of dead letters."),
        key("group", TEXT, "The consumer group."),
        or(
            "\"exactly_once\"",
            key("delivery", Shape::Choice(&["exactly_once", "at_least_once"]), "What is promised."),
        ),
        key("commit_interval", Shape::Duration, "How often offsets are committed."),
        key("properties", Shape::Properties, "Passed to librdkafka."),
    ],
};

static STATE: Section = Section {
    name: "[state]",
    about: "The service's snapshots.",
    keys: &[
        key("dir", TEXT, "Where they are kept."),
        key("snapshot_interval", Shape::Duration, "How often one is taken."),
    ],
};

static ADMIN: Section = Section {
    name: "[admin]",
    about: "The service's look into its state.",
    keys: &[key("listen", TEXT, "address:port")],
};

static METRICS: Section = Section {
    name: "[metrics]",
    about: "The service's metrics.",
    keys: &[key("listen", TEXT, "address:port")],
};
