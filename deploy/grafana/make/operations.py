"""Operations: is it up, in time, keeping up; does what it decides stand; can it come back?"""

from parts import bars, dashboard, heatmap, mean, quantile, row, series, stat, table

LATE = (
    '1 - sum(rate(holdfast_end_to_end_seconds_bucket{, le="0.2"}[]))'
    " / sum(rate(holdfast_end_to_end_seconds_count{}[]))"
)
# Of each deployment that is looked at; one of which nobody answers has no say.
PARTITIONS = "sum(max by (cluster, namespace, job) (holdfast_input_partitions{}))"
DECIDING = '(sum(holdfast_partitions{, state="deciding"}) or vector(0))'
ERRORS = "transmit_errors receive_errors request_timeouts retries disconnects".split()

IS_IT_UP = row(
    "Is it up?",
    stat("Instances", "That answer.", "sum(up{}) or vector(0)", limits=[1, 0.5], runbook="HoldfastAllDown"),
    stat("Instances that do not answer", "Prometheus knows them, and cannot reach them.", "count(up{} == 0) or vector(0)", limits=[1], runbook="HoldfastDown"),
    stat("Ready", "The share of all instances that is ready: decides, or waits for events.", "(sum(holdfast_ready{}) or vector(0)) / clamp_min(count(up{}) or vector(0), 1)", "percentunit", limits=[1, 0.99], runbook="HoldfastNotReady"),
    stat("Partitions undecided", "Partitions of the input that no instance decides now: nobody has them, or they are restored.", f"clamp_min({PARTITIONS} - {DECIDING}, 0)", limits=[1], runbook="HoldfastPartitionsUndecided"),
    stat("Youngest", "How long ago the last instance started.", "time() - max(process_start_time_seconds{})", "s", runbook="HoldfastRestarting"),
    stat("Memory, fullest", "The share of its limit that the fullest instance uses.", "max(process_resident_memory_bytes{} / holdfast_memory_limit_bytes{})", "percentunit", limits=[0.8, 0.9], runbook="HoldfastMemoryNearLimit"),
    series("What stands in the way", "Obstacles to being ready, by instance: 1 while they last. /readyz says more.", [("holdfast_obstacles{} > 0 or 0 * max by (instance) (holdfast_ready{})", "{{instance}} {{reason}}")], "none", 12, runbook="HoldfastNotReady", most=1),
    table("Who runs what", "Program, group and ruleset of each instance. Different rulesets for long are an upgrade that has stopped.", [('holdfast_build_info{} * on (job, instance) group_left (ruleset) holdfast_ruleset_info{} * on (job, instance) group_left (member, group, input, delivery) holdfast_instance_info{}', "")], {"instance": "Instance", "member": "Member", "version": "Version", "group": "Group", "input": "Input", "delivery": "Delivery", "ruleset": "Ruleset"}, "none", hidden=["job", "Value", "librdkafka", "cluster", "namespace", "pod", "container", "endpoint", "service"], runbook="HoldfastRulesetsDiffer"),
)

IN_TIME = row(
    "Does it decide in time?",
    series("From record to decision", "Seconds from a record's timestamp until its decision is committed. Records that waited for an outage to end count with all their wait.", [(quantile(q, "holdfast_end_to_end_seconds"), name) for q, name in [(0.5, "median"), (0.99, "99 %"), (0.999, "99.9 %")]], "s", limits=[0.2], runbook="HoldfastDecisionsLate"),
    series("Later than 0.2 s", "The share of decisions that come later. The objective allows 0.1 % over a month.", [(LATE, "late")], "percentunit", limits=[0.001], runbook="HoldfastDecisionsLate"),
    heatmap("How long decisions take", "Decisions by the time from their record to their commit.", "holdfast_end_to_end_seconds", "s"),
)

KEEPING_UP = row(
    "Does it keep up?",
    series("Events", "Events by what became of them.", [("sum by (fate) (rate(holdfast_events_total{}[]))", "{{fate}}")], "cps", stacked=True),
    series("Records that wait", "Records of each partition that are not decided yet. The line is where the alert begins, for all of them together.", [("sum by (partition) (holdfast_lag_records{})", "partition {{partition}}")], "short", limits=[1000], runbook="HoldfastLagGrowing"),
    series("Age of what waits", "How old the last decided record of a partition is while others wait behind it.", [("max by (partition) (holdfast_lag_seconds{})", "partition {{partition}}")], "s", limits=[1, 60], runbook="HoldfastLagGrowing"),
    series("Share of a core that deciding takes", "The scoring loop is one thread: near 1 it cannot take more, and only more instances help.", [("sum by (instance) (rate(holdfast_batch_seconds_sum{}[]))", "{{instance}}")], "percentunit", limits=[0.6, 0.8], runbook="HoldfastLagGrowing"),
    series("Queues", "Records fetched and not decided, decided and not sent, on their way, and within librdkafka.", [("sum by (queue) (holdfast_queue_records{})", "{{queue}}")], "short", stacked=True),
    series("Bytes in queues", "The same in bytes.", [("sum by (queue) (holdfast_queue_bytes{})", "{{queue}}")], "bytes", stacked=True),
)

WHERE_TIME_GOES = row(
    "Where does the time go?",
    series("A record by stage", "Mean time of a record in each stage of the scoring loop; one batch in 32 is timed.", [(mean("holdfast_stage_seconds", "stage"), "{{stage}}")], "s", stacked=True),
    series("A record through the loop", "All stages together. Above the line it is no longer small beside the objective of 0.2 s.", [(quantile(q, "holdfast_service_seconds"), name) for q, name in [(0.5, "median"), (0.99, "99 %"), (0.999, "99.9 %")]], "s", limits=[0.001]),
    series("Batches", "Time of a batch of records, from its arrival until all of it is decided.", [(quantile(0.99, "holdfast_batch_seconds"), "99 %")], "s"),
    series("Records a batch", "More at once is more work at once: under load batches grow.", [("sum(rate(holdfast_batch_records_total{}[])) / sum(rate(holdfast_batch_seconds_count{}[]))", "records")], "short"),
    series("Transactions", "Seconds from a transaction's beginning until it stands, and its last step alone.", [(quantile(0.99, "holdfast_transaction_seconds"), "all, 99 %"), (quantile(0.99, "holdfast_commit_seconds"), "commit, 99 %")], "s", limits=[0.1], runbook="HoldfastTransactionsFailing"),
    series("Round trips to brokers", "Round trip of requests, 99 %. A consumer's fetches wait for records: up to 0.1 s is idleness.", [('max by (client, broker) (holdfast_kafka_rtt_seconds{, percentile="99"})', "{{client}} to {{broker}}")], "s"),
)

DOES_IT_STAND = row(
    "Does what it decides stand?",
    series("Outputs", "Records that stand, by topic; into the input go ticks.", [("sum by (topic) (rate(holdfast_outputs_total{}[]))", "{{topic}}")], "cps"),
    series("Transactions and failures", "Transactions that stand, and those that did not and were sent again.", [("sum(rate(holdfast_transaction_seconds_count{}[]))", "stand"), ("sum(rate(holdfast_commit_failures_total{}[]))", "failed")], "cps", runbook="HoldfastTransactionsFailing"),
    series("Changes of the shares", "Partitions given, taken back in order, or lost.", [("sum by (change) (increase(holdfast_rebalances_total{}[]))", "{{change}}")], "short", runbook="HoldfastRebalancing"),
)

COME_BACK = row(
    "Can it come back?",
    series("Age of the last snapshot", "Of each partition. Old and with records behind it, the next start takes longer.", [("time() - max by (partition) (holdfast_snapshot_timestamp_seconds{})", "partition {{partition}}")], "s", limits=[900], runbook="HoldfastSnapshotOld"),
    series("What a restart would read again", "Records decided since the last snapshot.", [("max by (partition) (holdfast_snapshot_lag_records{})", "partition {{partition}}")], "short", runbook="HoldfastSnapshotOld"),
    series("Size of snapshots", "The last one of each partition, compressed.", [("max by (partition) (holdfast_snapshot_bytes{})", "partition {{partition}}")], "bytes"),
    series("Time of a snapshot", "From the state to the disk, beside decisions; and what they wait for it.", [(quantile(0.99, "holdfast_snapshot_seconds"), "99 %"), (mean("holdfast_snapshot_seconds"), "mean"), (quantile(0.99, "holdfast_snapshot_pause_seconds"), "decisions wait, 99 %")], "s", runbook="HoldfastSnapshotOld"),
    series("Snapshots and failures", "Kept, and not kept.", [("sum(rate(holdfast_snapshots_total{}[])) * 60", "kept a minute"), ("sum(rate(holdfast_snapshot_failures_total{}[])) * 60", "failed a minute")], "short", runbook="HoldfastSnapshotsFailing"),
    series("Restores", "Records that are still to be read again.", [("sum by (instance) (holdfast_restore_records{}) or 0 * sum by (instance) (holdfast_ready{})", "{{instance}}")], "short", runbook="HoldfastNotReady"),
    stat("Nine restores in ten", "Took less than this, of all since the instances started.", "histogram_quantile(0.9, sum by (le) (holdfast_restore_seconds_bucket{}))", "s", width=8),
)

USABLE = row(
    "Is what comes in usable?",
    series("Dead letters", "Events that are refused, by reason. Each is in the topic of dead letters.", [("sum by (reason) (rate(holdfast_dead_letters_total{}[]))", "{{reason}}")], "cps", stacked=True, runbook="HoldfastDeadLetters"),
    series("Share refused", "Of all events.", [("sum(rate(holdfast_dead_letters_total{}[])) / sum(rate(holdfast_events_total{}[]))", "refused")], "percentunit", limits=[0.001], runbook="HoldfastDeadLetters"),
    series("Clocks of the partitions", "How far a partition's clock is ahead of the time of day. Behind is a log of the past; ahead is a producer whose clock is wrong.", [("max by (partition) (holdfast_clock_timestamp_seconds{}) - time()", "partition {{partition}}")], "s", limits=[600], runbook="HoldfastClockAhead", low=None),
    series("Values that a counter can do nothing with", "Text where a number is due, by counter.", [("sum by (counter) (rate(holdfast_unusable_values_total{}[]))", "{{counter}}")], "cps"),
    stat("What looks like a card number", "Events refused for it in the range that is looked at. The input topic has them in the clear.", 'sum(increase(holdfast_dead_letters_total{, reason="pan_like"}[$__range]))', width=8, limits=[1], runbook="HoldfastCardNumbers"),
)

MEMORY = row(
    "How much does it remember?",
    series("Owners", "Accounts, and other keys that own themselves, of which something is kept.", [("sum by (owner) (holdfast_owners{})", "{{owner}}")]),
    series("Keys", "Keys kept for them; an estimate.", [("sum by (owner) (holdfast_keys{})", "{{owner}}")]),
    series("Events kept", "Within the windows and cases that need them; an estimate.", [("sum by (owner) (holdfast_kept_events{})", "{{owner}}"), ("sum(holdfast_seen_events{})", "to tell repeats")]),
    series("Bytes", "What that takes; an estimate.", [("sum by (owner) (holdfast_kept_bytes{})", "{{owner}}"), ("sum(holdfast_seen_bytes{})", "to tell repeats")], "bytes", stacked=True, runbook="HoldfastMemoryNearLimit"),
    series("Driven out", "Events that events_per_key drove out before their time: decisions that needed them say degraded.", [("sum by (owner) (rate(holdfast_evicted_events_total{}[]))", "{{owner}}")], "cps", runbook="HoldfastDecisionsUncertain"),
    bars("Counters by owner", "How many counters each owner keeps.", "count by (owner) (holdfast_feature_info{})", "{{owner}}", "short"),
)

RESOURCES = row(
    "Has it what it needs?",
    series("Memory", "In use, and the least limit of an instance.", [("process_resident_memory_bytes{}", "{{instance}}"), ("min(holdfast_memory_limit_bytes{})", "limit")], "bytes", runbook="HoldfastMemoryNearLimit"),
    series("Processors", "Cores in use. Deciding takes one at most; the rest is delivery, snapshots, librdkafka.", [("rate(process_cpu_seconds_total{}[])", "{{instance}}")], "short"),
    series("Open files", "The share of what it may open.", [("process_open_fds{} / process_max_fds{}", "{{instance}}")], "percentunit", limits=[0.8]),
    series("Threads", "Of the process.", [("process_threads{}", "{{instance}}")], "short", width=12),
    series("Address space", "Reserved, most of it not in use.", [("process_virtual_memory_bytes{}", "{{instance}}")], "bytes", width=12),
)

KAFKA = row(
    "And Kafka?",
    series("Brokers that are away", "That a client of any instance knows, and is not connected to. It connects to those that it needs: one that is needed and away shows beside this too.", [('max by (client) (holdfast_kafka_brokers{, state="down"})', "{{client}}")], "short", limits=[1], runbook="HoldfastCutOff"),
    series("What goes wrong", "Requests that could not be sent, answered, or in time; sent again; connections lost.", [(f"sum by (client) (rate(holdfast_kafka_{kind}_total{{}}[]))", "{{client}} " + kind.replace("_", " ")) for kind in ERRORS], "cps", runbook="HoldfastCutOff"),
    series("Traffic with brokers", "Bytes to and from them.", [("sum by (client) (rate(holdfast_kafka_receive_bytes_total{}[]))", "{{client}} received"), ("sum by (client) (rate(holdfast_kafka_transmit_bytes_total{}[]))", "{{client}} sent")], "Bps"),
)

LOOKING = row(
    "Who looks into it?",
    series("Questions on the admin port", "By what was asked and how it was answered.", [("sum by (path, status) (rate(holdfast_admin_requests_total{}[]))", "{{path}} {{status}}")], "reqps", width=12),
    series("Time to answer them", "Looking never stops the scoring loop.", [(quantile(0.99, "holdfast_admin_seconds"), "99 %")], "s", width=12),
)

DASHBOARD = dashboard(
    "operations",
    "Operations",
    "Is it up, in time, keeping up, restoring, committing? And what does it need?",
    [IS_IT_UP, IN_TIME, KEEPING_UP, WHERE_TIME_GOES, DOES_IT_STAND, COME_BACK, USABLE, MEMORY, RESOURCES, KAFKA, LOOKING],
)
