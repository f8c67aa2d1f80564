//! The topics, looked at before anything is decided: what would go wrong later is said now, all of
//! it at once.

use std::time::Duration;

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
    },
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    metadata::Metadata,
    types::RDKafkaErrorCode,
};

use super::{
    client::{Client, Role},
    refusal::Heard,
};

const ASK_TIMEOUT: Duration = Duration::from_secs(10);

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// So many errors of a client are looked at for their cause.
const ERRORS_MAX: u32 = 100;

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// The brokers do not answer: to be tried again.
    pub unreachable: Option<String>,
    /// With these it does not start.
    pub errors: Vec<String>,
    /// Of these somebody should know.
    pub warnings: Vec<String>,
    /// How many partitions the input has.
    pub partitions: usize,
}

/// Looks at the topics, and makes those that are missing if that is asked for. `longest_ms` is how
/// far back a decision may reach.
pub async fn check(client: &Client, longest_ms: i64) -> Report {
    let mut report = Report::default();
    let admin: AdminClient<DefaultClientContext> = match client.config(Role::Admin).create() {
        Ok(admin) => admin,
        Err(error) => {
            report.errors.push(error.to_string());
            return report;
        }
    };
    let metadata = match ask(client) {
        Ok(metadata) => metadata,
        Err(Unanswered::Refused(why)) => {
            report.errors.push(why);
            return report;
        }
        Err(Unanswered::ForNow(why)) => {
            report.unreachable = Some(why);
            return report;
        }
    };
    let kafka = &client.kafka;
    let topics = [(&kafka.input, true), (&kafka.output, false), (&kafka.dead_letters, false)];
    let input_count = partition_count(&metadata, &kafka.input);
    for (topic, is_input) in topics {
        if partition_count(&metadata, topic).is_some() {
            continue;
        }
        if !kafka.create_topics {
            report.errors.push(format!(
                "the topic {topic} does not exist: make it, or let it be made: [kafka] \
                 create_topics = true"
            ));
            continue;
        }
        let partitions = match input_count {
            Some(count) if !is_input => count as i32,
            _ => -1,
        };
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        match admin.create_topics([&topic], &AdminOptions::new()).await {
            Ok(results) => report.errors.extend(results.into_iter().filter_map(|one| match one {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => None,
                Err((topic, code)) => Some(format!("the topic {topic} cannot be made: {code}")),
            })),
            Err(error) => report.errors.push(format!("a topic cannot be made: {error}")),
        }
    }
    report.partitions = input_count.unwrap_or_default();
    if report.errors.is_empty() {
        look_at_the_input(&admin, &kafka.input, longest_ms, &mut report).await;
    }
    report
}

/// Why brokers do not answer.
enum Unanswered {
    /// They will not, whoever waits.
    Refused(String),
    /// They may yet.
    ForNow(String),
}

/// Asks for all topics.
fn ask(client: &Client) -> Result<Metadata, Unanswered> {
    let heard = Heard::default();
    // A client that is polled: only then does the library say what its connections fail with.
    let asking: BaseConsumer<Heard> = client
        .config(Role::Admin)
        .create_with_context(heard.clone())
        .map_err(|error| Unanswered::Refused(error.to_string()))?;
    asking.fetch_metadata(None, ASK_TIMEOUT).map_err(|error| {
        let mut left = ERRORS_MAX;
        while left > 0 && heard.refusal().is_none() && asking.poll(POLL_TIMEOUT).is_some() {
            left -= 1;
        }
        let hint = heard.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
        let for_now = Unanswered::ForNow(format!("{error}{hint}"));
        heard.refusal().map_or(for_now, Unanswered::Refused)
    })
}

fn partition_count(metadata: &Metadata, name: &str) -> Option<usize> {
    let topic = metadata.topics().iter().find(|topic| topic.name() == name)?;
    (topic.error().is_none() && !topic.partitions().is_empty()).then(|| topic.partitions().len())
}

async fn look_at_the_input(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
    longest_ms: i64,
    report: &mut Report,
) {
    let resource = [ResourceSpecifier::Topic(topic)];
    let found = admin.describe_configs(&resource, &AdminOptions::new()).await;
    let config: ConfigResource = match found.map(|mut all| all.pop()) {
        Ok(Some(Ok(config))) => config,
        _ => {
            report.warnings.push(format!(
                "the settings of {topic} cannot be read (the right to describe them may be \
                 missing): retention, cleanup policy and timestamps have not been checked"
            ));
            return;
        }
    };
    let setting = |name: &str| {
        config.entry_map().get(name).and_then(|entry| entry.value.clone()).unwrap_or_default()
    };
    if setting("cleanup.policy").contains("compact") {
        report.errors.push(format!(
            "{topic} is compacted: all but the last event of a key would be removed. Set its \
             cleanup.policy to delete"
        ));
    }
    let retention_ms = setting("retention.ms").parse::<i64>().unwrap_or(-1);
    if (0..longest_ms).contains(&retention_ms) {
        report.warnings.push(format!(
            "{topic} keeps records for {retention_ms} ms, and decisions reach back {longest_ms} ms: \
             without a snapshot, a state cannot be made again"
        ));
    }
    if setting("retention.bytes").parse::<i64>().is_ok_and(|bytes| bytes >= 0) {
        report.warnings.push(format!(
            "{topic} has retention.bytes: a busy day can remove what a restart needs"
        ));
    }
    if setting("message.timestamp.type") == "LogAppendTime" {
        report.warnings.push(format!(
            "{topic} stamps records when they are appended: max_future is measured from then"
        ));
    }
}
