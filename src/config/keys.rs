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
        key("service", Shape::Section(&SERVICE), "How the service lives (operational)."),
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
        or(
            "true",
            key(
                "ticks",
                Shape::Bool,
                "Does the service put ticks into a quiet partition in which a deadline is due? \
                 (operational)",
            ),
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
        or("\"auth.decisions\"", key("output", TEXT, "The topic of decisions.")),
        or("\"auth.dead_letters\"", key("dead_letters", TEXT, "The topic of dead letters.")),
        or(
            "\"holdfast\"",
            key("group", TEXT, "The consumer group: its instances share the partitions."),
        ),
        key(
            "instance",
            TEXT,
            "The name of this instance, unlike all others of its group and the same after a \
             restart; else one is kept in the state directory.",
        ),
        or(
            "\"earliest\"",
            key(
                "start",
                TEXT,
                "Where a group begins that has never read a partition: `earliest`, `latest`, or a \
                 time such as 2026-01-31T00:00:00Z.",
            ),
        ),
        or(
            "\"exactly_once\"",
            key(
                "delivery",
                Shape::Choice(DELIVERIES),
                "`exactly_once`: outputs and offsets in one transaction; `at_least_once`: outputs \
                 before offsets, so that a failure can repeat them, byte for byte.",
            ),
        ),
        or(
            "\"10ms\"",
            key("commit_interval", Shape::Duration, "How long at least between two commits."),
        ),
        or(
            "false",
            key(
                "create_topics",
                Shape::Bool,
                "Makes topics that are missing, with the broker's defaults; the output topics with \
                 as many partitions as the input.",
            ),
        ),
        key(
            "properties",
            Shape::Properties,
            "Passed to librdkafka; a secret as `{ file = \"...\" }` or `{ env = \"...\" }`.",
        ),
    ],
};

/// What is promised of delivery.
pub const DELIVERIES: &[&str] = &["exactly_once", "at_least_once"];
/// What to do where the log is too short to make a state again.
pub const SHORT_LOGS: &[&str] = &["refuse", "warm"];

static STATE: Section = Section {
    name: "[state]",
    about: "The service's snapshots.",
    keys: &[
        or("\"state\"", key("dir", TEXT, "The directory where they are kept.")),
        key(
            "url",
            TEXT,
            "A place that all instances share, where they are kept beside: `file:///path` or \
             `s3://bucket/prefix`.",
        ),
        or(
            "\"1m\"",
            key("snapshot_interval", Shape::Duration, "How often one of a partition is taken."),
        ),
        or("3", key("snapshots", Shape::Integer(1, 1000), "How many of a partition are kept.")),
        or(
            "\"refuse\"",
            key(
                "on_short_log",
                Shape::Choice(SHORT_LOGS),
                "Without a snapshot, and with a log that no longer holds all of a partition: \
                 `refuse` to decide it, or `warm` up with decisions that say so.",
            ),
        ),
    ],
};

static ADMIN: Section = Section {
    name: "[admin]",
    about: "The service's look into its state.",
    keys: &[or("\"127.0.0.1:9465\"", key("listen", TEXT, "address:port"))],
};

static METRICS: Section = Section {
    name: "[metrics]",
    about: "The service's metrics and health.",
    keys: &[or("\"0.0.0.0:9464\"", key("listen", TEXT, "address:port"))],
};

static SERVICE: Section = Section {
    name: "[service]",
    about: "How the service lives.",
    keys: &[
        or(
            "\"20s\"",
            key(
                "shutdown_timeout",
                Shape::Duration,
                "How long it may take to end: to deliver what is decided, and to take snapshots.",
            ),
        ),
        or(
            "\"text\"",
            key("log", Shape::Choice(LOGS), "How it logs to standard error: `text` or `json`."),
        ),
    ],
};

/// How the service logs.
pub const LOGS: &[&str] = &["text", "json"];

/// Sections that decide nothing.
pub const OPERATIONAL: &[&str] = &["kafka", "state", "admin", "metrics", "service"];

/// The default of a key of a section, without quotes; empty if it has none.
pub fn default_of(section: &str, key: &str) -> String {
    let sections = ROOT.keys.iter().filter(|one| one.name == section);
    let inner = sections.filter_map(|one| match one.shape {
        Shape::Section(inner) => inner.keys.iter().find(|one| one.name == key),
        _ => None,
    });
    inner.map(|key| key.default.trim_matches('"').to_owned()).next().unwrap_or_default()
}
