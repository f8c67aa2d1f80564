//! Every metric, documented where it is defined. Names and units follow the conventions of
//! Prometheus. `docs/metrics.md` is made from this ([`super::reference`]), and a test holds it
//! against what a running service shows.

use crate::{
    cases::{ANSWERS, case::Status},
    decision::{Action, Answer, Category, Fate, Reason, State},
    event::{SOURCES, VERDICTS},
    pipeline::{
        statistics::{SCORES, TRIGGERS},
        timing::{self, Stage},
    },
};

use super::family::{
    Family, Label,
    Values::{Named, Of},
};

macro_rules! label {
    ($name:literal, $values:expr) => {
        Label { name: $name, values: $values }
    };
}

const FATE: Label = label!("fate", Of(|| Fate::ALL.map(Fate::name).to_vec()));
const REASON: Label = label!("reason", Of(|| Reason::ALL.map(Reason::name).to_vec()));
const ACTION: Label = label!("action", Of(|| [actions(), answers()].concat()));
const ANSWER: Label = label!("action", Of(answers));
const TRIGGER: Label = label!("trigger", Of(|| TRIGGERS.to_vec()));
const RULE: Label = label!("rule", Named("the id of a rule of the ruleset"));
const MODE: Label = label!("mode", Of(|| vec!["live", "shadow"]));
const ANSWERED: Label = label!("verdict", Of(|| ANSWERS.to_vec()));
const VERDICT: Label = label!("verdict", Of(|| VERDICTS.to_vec()));
const SOURCE: Label = label!("source", Of(|| SOURCES.to_vec()));
const STATE: Label = label!("state", Of(|| State::ALL.map(State::name).to_vec()));
const COUNTER: Label = label!("counter", Named("the name of a counter of the ruleset"));
const STATUS: Label = label!("status", Of(|| Status::ALL.map(Status::name).to_vec()));
const ALIVE: Label = label!("status", Of(|| Status::ALIVE.map(Status::name).to_vec()));
const STAGE: Label = label!("stage", Of(|| Stage::ALL.map(Stage::name).to_vec()));
const TOPIC: Label = label!("topic", Of(|| vec!["decisions", "dead_letters", "input"]));
const PARTITION: Label = label!("partition", Named("the number of a partition of the input"));
const SHARE: Label = label!("state", Of(|| vec!["deciding", "restoring"]));
const CHANGE: Label = label!("change", Of(|| vec!["assigned", "revoked", "lost"]));
const OWNER: Label = label!(
    "owner",
    Named("the fields that name who owns keys, joined by `+`: `account_id`, `terminal_id`")
);
const KEY: Label = label!("key", Named("the fields of the counter's key, joined by `+`"));
const QUEUE: Label = label!("queue", Of(|| QUEUES.to_vec()));
const CLIENT: Label = label!("client", Of(|| vec!["consumer", "producer"]));
const REACH: Label = label!("state", Of(|| vec!["up", "down"]));
const BROKER: Label = label!("broker", Named("the number of a broker"));
// Not `quantile`: that is a label of summaries alone.
const PERCENTILE: Label = label!("percentile", Of(|| vec!["50", "99"]));
const OBSTACLE: Label = label!("reason", Of(|| OBSTACLES.to_vec()));
const PATH: Label = label!("path", Of(|| PATHS.to_vec()));
const HTTP: Label = label!("status", Of(|| vec!["200", "400", "404", "405", "500", "503"]));
const VERSION: Label = label!("version", Named("the version of the program"));
const LIBRDKAFKA: Label = label!("librdkafka", Named("the version of the client library"));
const RULESET_LABEL: Label = label!("ruleset", Named("`sha256:` and a hash"));
const EFFECT: Label = label!("action", Of(|| [actions(), vec!["points"]].concat()));
const CATEGORY: Label =
    label!("category", Of(|| [Category::ALL.map(Category::name).to_vec(), vec![""]].concat()));
// Not `instance`: that is what a scrape calls where it was.
const MEMBER: Label =
    label!("member", Named("the name of this instance, in its group and in logs"));
const GROUP: Label = label!("group", Named("its consumer group"));
const INPUT: Label = label!("input", Named("its input topic"));
const DELIVERY: Label = label!("delivery", Of(|| vec!["exactly_once", "at_least_once"]));

/// Where records and outputs wait.
pub const QUEUES: [&str; 4] = ["fetched", "decided", "delivering", "producing"];
/// What can stand in the way of being ready.
pub const OBSTACLES: [&str; 8] =
    ["starting", "brokers", "group", "fenced", "restoring", "delivery", "stopping", "silent"];
/// The paths of the admin port, as they are counted.
pub const PATHS: [&str; 6] =
    ["/v1/accounts/{id}", "/v1/cards/{id}", "/v1/cases", "/v1/ruleset", "/v1/partitions", "other"];

fn actions() -> Vec<&'static str> {
    Action::ALL.map(Action::name).to_vec()
}

fn answers() -> Vec<&'static str> {
    Answer::ALL.map(Answer::name).to_vec()
}

/// From a millisecond to a minute.
const DELIVERY_TIMES: &[f64] = &[
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0,
    2.0, 5.0, 10.0, 60.0,
];
/// From ten milliseconds to ten minutes.
const LONG: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];
/// From a tenth of a millisecond to five seconds.
const ANSWER_TIMES: &[f64] =
    &[1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

macro_rules! families {
    ($($(# $group:literal)? $name:ident = $family:expr;)*) => {
        $(pub const $name: Family = $family;)*

        /// All of them, in the order of the reference; where a group of them begins, its heading.
        pub const ALL: &[(Option<&str>, &Family)] = &[
            $((families!(@heading $($group)?), &$name)),*
        ];
    };
    (@heading) => { None };
    (@heading $group:literal) => { Some($group) };
}

families! {
    # "What is decided"
    EVENTS = Family::counter("holdfast_events_total", "Events by fate.").by(&[FATE]);
    DEAD_LETTERS = Family::counter(
        "holdfast_dead_letters_total", "Refused events by reason.",
    ).by(&[REASON]);
    DECISIONS = Family::counter(
        "holdfast_decisions_total", "Decisions and follow-ups by action; release, cancel and reverse are follow-ups.",
    ).by(&[ACTION]);
    DECISION_STATES = Family::counter(
        "holdfast_decision_states_total", "Decisions by how far their counters can be relied on.",
    ).by(&[STATE]);
    SCORE = Family::histogram("holdfast_score", "Scores of decisions, in points.", SCORES);
    FOLLOW_UPS = Family::counter(
        "holdfast_follow_ups_total", "Follow-ups by action and by what made them.",
    ).by(&[ANSWER, TRIGGER]);
    FEEDBACK = Family::counter(
        "holdfast_feedback_total", "Accepted feedback by verdict and source.",
    ).by(&[VERDICT, SOURCE]);

    # "Rules"
    RULE_HITS = Family::counter(
        "holdfast_rule_hits_total", "How often a rule held, by rule and mode.",
    ).by(&[RULE, MODE]);
    RULE_ERRORS = Family::counter(
        "holdfast_rule_errors_total", "How often a rule failed, and so did not hold: a division by zero, an overflow, unlike types.",
    ).by(&[RULE]);
    RULE_ANSWERS = Family::counter(
        "holdfast_rule_answers_total",
        "Answers to authorizations that waited, by each rule that had a say in their decision. The false positives of a rule are its legitimate answers over all.",
    ).by(&[RULE, ANSWERED]);
    SHADOW_STRICTER = Family::counter(
        "holdfast_shadow_stricter_total",
        "Authorizations for which a rule in the shadow held and asked for more than was decided.",
    ).by(&[RULE]);
    UNUSABLE_VALUES = Family::counter(
        "holdfast_unusable_values_total", "Values of events that a counter can do nothing with.",
    ).by(&[COUNTER]);

    LIMITED = Family::counter(
        "holdfast_limited_authorizations_total",
        "Authorizations that would have waited, and were declined because as many as pending_per_account wait of their account.",
    );
    TRUNCATED_LINKS = Family::counter(
        "holdfast_truncated_links_total",
        "Decisions whose case reached back to more than linked_events authorizations, and linked the newest of them.",
    );

    # "Cases"
    CASES = Family::gauge("holdfast_cases", "Cases that are not closed, by status.").by(&[ALIVE]);
    CASE_AGE = Family::gauge(
        "holdfast_case_oldest_age_seconds",
        "Age of the oldest case by status: from the clock at its opening to the time of day. 0 without one.",
    ).by(&[ALIVE]);
    CASE_CHANGES = Family::counter(
        "holdfast_case_changes_total", "Case records written, by the status that they say.",
    ).by(&[STATUS]);
    SUSPENDED_TARGETS = Family::gauge(
        "holdfast_suspended_targets", "Targets that are suspended now, because of a suspended or a confirmed case.",
    );

    # "Time"
    SERVICE_TIME = Family::histogram(
        "holdfast_service_seconds",
        "Seconds of the scoring loop for a record, all stages together. One batch of up to 32 records in 32 is timed, record by record.",
        timing::BUCKETS,
    );
    STAGE_TIME = Family::histogram(
        "holdfast_stage_seconds",
        "Seconds of the scoring loop for a record by stage, of the same sample. A record has no time for a stage that it does not come to.",
        timing::BUCKETS,
    ).by(&[STAGE]);
    BATCH_TIME = Family::histogram(
        "holdfast_batch_seconds",
        "Seconds from the arrival of a batch of records until all of them are decided; every batch. The rate of its sum is the share of a core that deciding takes.",
        timing::BATCH_BUCKETS,
    );
    BATCH_RECORDS = Family::counter("holdfast_batch_records_total", "Records in these batches.");
    END_TO_END = Family::histogram(
        "holdfast_end_to_end_seconds",
        "Seconds from the timestamp of a record until what was decided of it stands; every record.",
        DELIVERY_TIMES,
    );
    TRANSACTION_TIME = Family::histogram(
        "holdfast_transaction_seconds",
        "Seconds from the beginning of a transaction until it stands.",
        DELIVERY_TIMES,
    );
    COMMIT_TIME = Family::histogram(
        "holdfast_commit_seconds",
        "Seconds that the last step of a transaction took: its offsets and its commit.",
        DELIVERY_TIMES,
    );
    COMMIT_FAILURES = Family::counter(
        "holdfast_commit_failures_total", "Transactions that did not stand and were sent again.",
    );
    OUTPUTS = Family::counter(
        "holdfast_outputs_total", "Records that stand, by topic; those of the input are ticks.",
    ).by(&[TOPIC]);

    # "The share of the input"
    LAG_RECORDS = Family::gauge(
        "holdfast_lag_records",
        "Records of a partition that are not decided yet; of one that is restored, not committed yet. Absent where the brokers have not told.",
    ).by(&[PARTITION]);
    LAG_SECONDS = Family::gauge(
        "holdfast_lag_seconds",
        "How old the oldest record of a partition that is not decided yet can be, in seconds: younger than the last one that was decided, and come since there was none. 0 where there is none; absent where that is not known, and while the partition is restored.",
    ).by(&[PARTITION]);
    CLOCK = Family::gauge(
        "holdfast_clock_timestamp_seconds",
        "The clock of a partition: the greatest event_time that it has accepted, in seconds since the epoch.",
    ).by(&[PARTITION]);
    PARTITIONS = Family::gauge(
        "holdfast_partitions", "Partitions of this instance by what is done with them.",
    ).by(&[SHARE]);
    INPUT_PARTITIONS = Family::gauge(
        "holdfast_input_partitions",
        "Partitions that the input topic had at the start; there once the start-up checks are through. As many are decided if the instances of the group miss none.",
    );
    REBALANCES = Family::counter(
        "holdfast_rebalances_total", "Changes of this instance's share of the input.",
    ).by(&[CHANGE]);
    RESTORE_RECORDS = Family::gauge(
        "holdfast_restore_records", "Records that a partition still has to read again to be restored; there while it is restored.",
    ).by(&[PARTITION]);
    RESTORE_TIME = Family::histogram(
        "holdfast_restore_seconds", "Seconds that restoring a partition took.", LONG,
    );

    # "Snapshots"
    SNAPSHOTS = Family::counter("holdfast_snapshots_total", "Snapshots that were kept.");
    SNAPSHOT_FAILURES = Family::counter(
        "holdfast_snapshot_failures_total", "Snapshots that could not be kept.",
    );
    SNAPSHOT_TIME = Family::histogram(
        "holdfast_snapshot_seconds", "Seconds that keeping a snapshot took, from the state to the disk.", LONG,
    );
    SNAPSHOT_PAUSE = Family::histogram(
        "holdfast_snapshot_pause_seconds",
        "Seconds that the scoring loop spent on taking a snapshot, while decisions waited; every one that an interval asked for.",
        timing::BATCH_BUCKETS,
    );
    SNAPSHOT_BYTES = Family::gauge(
        "holdfast_snapshot_bytes", "Size of the last snapshot of a partition, in bytes; there once one was kept.",
    ).by(&[PARTITION]);
    SNAPSHOT_TIMESTAMP = Family::gauge(
        "holdfast_snapshot_timestamp_seconds",
        "When the last snapshot of a partition was kept, by whomever, in seconds since the epoch; without one, when the partition was restored.",
    ).by(&[PARTITION]);
    SNAPSHOT_LAG = Family::gauge(
        "holdfast_snapshot_lag_records",
        "Records of a partition that were decided since its last snapshot: what a restart has to read again.",
    ).by(&[PARTITION]);

    # "What is kept"
    OWNERS = Family::gauge(
        "holdfast_owners", "Accounts, and values of other keys, of whom counters keep something.",
    ).by(&[OWNER]);
    KEYS = Family::gauge(
        "holdfast_keys", "Keys that counters keep for them; an estimate from a sample where owners are many.",
    ).by(&[OWNER]);
    KEPT_EVENTS = Family::gauge(
        "holdfast_kept_events", "Events that counters keep for them; the same estimate.",
    ).by(&[OWNER]);
    KEPT_BYTES = Family::gauge(
        "holdfast_kept_bytes", "Memory that they take, in bytes; the same estimate.",
    ).by(&[OWNER]);
    FEATURE_INFO = Family::gauge(
        "holdfast_feature_info",
        "Counters of the ruleset; always 1. Counters of one owner share what is kept for it.",
    ).by(&[COUNTER, OWNER, KEY]);
    EVICTED = Family::counter(
        "holdfast_evicted_events_total", "Events that the bound events_per_key drove out.",
    ).by(&[OWNER]);
    SEEN_EVENTS = Family::gauge("holdfast_seen_events", "Events by which repeats are told.");
    SEEN_BYTES = Family::gauge("holdfast_seen_bytes", "Memory that they take, in bytes.");
    QUEUE_RECORDS = Family::gauge(
        "holdfast_queue_records",
        "What waits, by where: records fetched by the client library, outputs decided, outputs in the transaction on its way, records in the producer.",
    ).by(&[QUEUE]);
    QUEUE_BYTES = Family::gauge("holdfast_queue_bytes", "The same, in bytes.").by(&[QUEUE]);

    # "Kafka, by the statistics of librdkafka"
    KAFKA_BROKERS = Family::gauge(
        "holdfast_kafka_brokers", "Brokers that a client knows, by whether it is connected.",
    ).by(&[CLIENT, REACH]);
    KAFKA_RTT = Family::gauge(
        "holdfast_kafka_rtt_seconds",
        "Round trip of requests over the last second or so, in seconds. A fetch waits at the broker for up to 0.1 s.",
    ).by(&[CLIENT, BROKER, PERCENTILE]);
    KAFKA_TRANSMIT_ERRORS = Family::counter(
        "holdfast_kafka_transmit_errors_total", "Requests that could not be sent.",
    ).by(&[CLIENT]);
    KAFKA_RECEIVE_ERRORS = Family::counter(
        "holdfast_kafka_receive_errors_total", "Answers that could not be received.",
    ).by(&[CLIENT]);
    KAFKA_TIMEOUTS = Family::counter(
        "holdfast_kafka_request_timeouts_total", "Requests that were not answered in time.",
    ).by(&[CLIENT]);
    KAFKA_RETRIES = Family::counter(
        "holdfast_kafka_retries_total", "Requests that were sent again.",
    ).by(&[CLIENT]);
    KAFKA_DISCONNECTS = Family::counter(
        "holdfast_kafka_disconnects_total", "Connections that ended.",
    ).by(&[CLIENT]);
    KAFKA_TRANSMIT_BYTES = Family::counter(
        "holdfast_kafka_transmit_bytes_total", "Bytes sent.",
    ).by(&[CLIENT]);
    KAFKA_RECEIVE_BYTES = Family::counter(
        "holdfast_kafka_receive_bytes_total", "Bytes received.",
    ).by(&[CLIENT]);

    # "The instance"
    READY = Family::gauge("holdfast_ready", "1 if the service is ready, else 0.");
    OBSTACLE_GAUGE = Family::gauge(
        "holdfast_obstacles", "1 while this stands in the way of being ready, else 0.",
    ).by(&[OBSTACLE]);
    ADMIN_REQUESTS = Family::counter(
        "holdfast_admin_requests_total", "Questions on the admin port, by path and status of the answer.",
    ).by(&[PATH, HTTP]);
    ADMIN_TIME = Family::histogram(
        "holdfast_admin_seconds", "Seconds until a question on the admin port was answered.", ANSWER_TIMES,
    );
    BUILD = Family::gauge("holdfast_build_info", "The program; always 1.").by(&[VERSION, LIBRDKAFKA]);
    RULESET = Family::gauge(
        "holdfast_ruleset_info", "The identity of the ruleset that decides; always 1.",
    ).by(&[RULESET_LABEL]);
    RULE_INFO = Family::gauge(
        "holdfast_rule_info", "Rules of the ruleset; always 1.",
    ).by(&[RULE, MODE, EFFECT, CATEGORY]);
    INSTANCE_INFO = Family::gauge(
        "holdfast_instance_info", "As whom it works; always 1.",
    ).by(&[MEMBER, GROUP, INPUT, DELIVERY]);
    MEMORY_LIMIT = Family::gauge(
        "holdfast_memory_limit_bytes", "Memory that it may take, in bytes: the least limit of its control groups, or what the machine has if that is less. Absent where the system tells neither.",
    );
    PROCESS_CPU = Family::counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
    PROCESS_RESIDENT = Family::gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
    PROCESS_VIRTUAL = Family::gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
    PROCESS_FDS = Family::gauge("process_open_fds", "Number of open file descriptors.");
    PROCESS_MAX_FDS = Family::gauge("process_max_fds", "Maximum number of open file descriptors.");
    PROCESS_START = Family::gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
    PROCESS_THREADS = Family::gauge("process_threads", "Number of OS threads in the process.");
}
