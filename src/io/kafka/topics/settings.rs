//! How topics and brokers are set up, as far as they tell.

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier},
    client::DefaultClientContext,
};

use super::{Client, Cluster, Report};

/// The settings of one topic or broker.
struct Set(ConfigResource);

impl Set {
    fn text(&self, name: &str) -> String {
        let value = self.0.entry_map().get(name).and_then(|entry| entry.value.clone());
        value.unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }
}

/// Looks at the settings of all topics, and at the limits of a broker.
pub(super) async fn check(
    admin: &AdminClient<DefaultClientContext>,
    client: &Client,
    cluster: &Cluster,
    longest_ms: i64,
    report: &mut Report,
) {
    let kafka = &client.kafka;
    match of(admin, ResourceSpecifier::Topic(&kafka.input)).await {
        Some(set) => input(&kafka.input, &set, longest_ms, report),
        None => report.warnings.push(format!(
            "the settings of {} cannot be read (the right to describe them may be missing): \
             retention, cleanup policy and timestamps have not been checked",
            kafka.input
        )),
    }
    for topic in [&kafka.output, &kafka.dead_letters] {
        let set = of(admin, ResourceSpecifier::Topic(topic)).await;
        if cluster.partitions.contains_key(topic) && set.is_some_and(|set| is_compacted(&set)) {
            report.errors.push(format!(
                "{topic} is compacted: all but the last record of an account would be removed. Set \
                 its cleanup.policy to delete"
            ));
        }
    }
    times(client, report);
    if let Some(broker) = cluster.brokers.first() {
        // Who may not describe brokers hears of their limits when they are met.
        if let Some(set) = of(admin, ResourceSpecifier::Broker(*broker)).await {
            limits(client, &set, report);
        }
    }
}

async fn of(
    admin: &AdminClient<DefaultClientContext>,
    resource: ResourceSpecifier<'_>,
) -> Option<Set> {
    let found = admin.describe_configs(&[resource], &AdminOptions::new()).await;
    found.ok()?.pop()?.ok().map(Set)
}

fn is_compacted(set: &Set) -> bool {
    set.text("cleanup.policy").contains("compact")
}

fn input(topic: &str, set: &Set, longest_ms: i64, report: &mut Report) {
    if is_compacted(set) {
        report.errors.push(format!(
            "{topic} is compacted: all but the last event of a key would be removed. Set its \
             cleanup.policy to delete"
        ));
    }
    let retention_ms = set.number("retention.ms").unwrap_or(-1);
    if (0..longest_ms).contains(&retention_ms) {
        report.warnings.push(format!(
            "{topic} keeps records for {retention_ms} ms, and decisions reach back {longest_ms} ms: \
             without a snapshot, a state cannot be made again"
        ));
    }
    if set.number("retention.bytes").is_some_and(|bytes| bytes >= 0) {
        report.warnings.push(format!(
            "{topic} has retention.bytes: a busy day can remove what a restart needs"
        ));
    }
    if set.text("message.timestamp.type") == "LogAppendTime" {
        report.warnings.push(format!(
            "{topic} stamps records when they are appended: max_future is measured from then"
        ));
    }
}

/// A transaction that outlives its session keeps whoever takes over waiting.
fn times(client: &Client, report: &mut Report) {
    let (transaction_ms, session_ms) = (client.transaction_ms(), client.session_ms());
    if client.kafka.exactly_once && transaction_ms > session_ms {
        report.warnings.push(format!(
            "transaction.timeout.ms ({transaction_ms}) is longer than session.timeout.ms \
             ({session_ms}): what an instance left open that died holds up whoever takes over, and \
             the readers of the output, for so long"
        ));
    }
}

fn limits(client: &Client, broker: &Set, report: &mut Report) {
    let (transaction_ms, session_ms) = (client.transaction_ms(), client.session_ms());
    let mut most = |name: &str, ms: u64, limit: &str, applies: bool| {
        if let Some(most) = broker.number(limit).filter(|most| applies && ms as i64 > *most) {
            report.errors.push(format!(
                "{name} is {ms}, and the brokers take no more than {limit} = {most}: lower it in \
                 [kafka.properties]"
            ));
        }
    };
    let transacts = client.kafka.exactly_once;
    most("transaction.timeout.ms", transaction_ms, "transaction.max.timeout.ms", transacts);
    most("session.timeout.ms", session_ms, "group.max.session.timeout.ms", true);
    if let Some(least) = broker.number("group.min.session.timeout.ms")
        && (session_ms as i64) < least
    {
        report.errors.push(format!(
            "session.timeout.ms is {session_ms}, and the brokers take no less than \
             group.min.session.timeout.ms = {least}: raise it in [kafka.properties]"
        ));
    }
}
