//! The topics, looked at before anything is decided: what would go wrong later is said now, all of
//! it at once.

mod settings;

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    types::RDKafkaErrorCode,
};
use tokio::{task::spawn_blocking, time::sleep};

use super::{
    client::{Client, Role},
    log::committed,
    refusal::Heard,
};
use crate::io::clock::Clock;

const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// A broker that has just started may not know of every topic yet: so long it is asked again.
const UNKNOWN_MAX: Duration = Duration::from_secs(5);
const UNKNOWN_PAUSE: Duration = Duration::from_millis(500);
/// What the group has committed may be told late; it is looked at for a warning only.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(3);

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
    let kafka = &client.kafka;
    let cluster = match ask_for_topics(client).await {
        Ok(cluster) => cluster,
        Err(Unanswered::Refused(why)) => {
            report.errors.push(why);
            return report;
        }
        Err(Unanswered::ForNow(why)) => {
            report.unreachable = Some(why);
            return report;
        }
    };
    let input_count = cluster.partitions.get(&kafka.input).copied();
    for topic in cluster.missing(client) {
        if kafka.create_topics {
            let like_input = input_count.filter(|_| *topic != kafka.input);
            make(&admin, topic, like_input, &mut report).await;
        } else {
            report.errors.push(format!(
                "the topic {topic} does not exist: make it, or let it be made: [kafka] \
                 create_topics = true"
            ));
        }
    }
    report.partitions = input_count.unwrap_or_default();
    if report.errors.is_empty() && report.partitions > 0 {
        settings::check(&admin, client, &cluster, longest_ms, &mut report).await;
        look_at_the_group(client, report.partitions, &mut report).await;
    }
    report
}

/// What brokers there are, and what they know.
#[derive(Debug, Default)]
struct Cluster {
    brokers: Vec<i32>,
    /// By topic, how many it has.
    partitions: BTreeMap<String, usize>,
}

impl Cluster {
    fn missing<'c>(&self, client: &'c Client) -> impl Iterator<Item = &'c String> {
        let kafka = &client.kafka;
        let topics = [&kafka.input, &kafka.output, &kafka.dead_letters];
        topics.into_iter().filter(|topic| !self.partitions.contains_key(*topic))
    }
}

/// Why brokers do not answer.
enum Unanswered {
    /// They will not, whoever waits.
    Refused(String),
    /// They may yet.
    ForNow(String),
}

/// Asks for all topics, again and again for a while where one is missing that nobody is to make.
async fn ask_for_topics(client: &Client) -> Result<Cluster, Unanswered> {
    let begin = Clock::new();
    loop {
        let asking = client.clone();
        let asked = spawn_blocking(move || ask(&asking)).await;
        let cluster = asked.unwrap_or_else(|error| Err(Unanswered::ForNow(error.to_string())))?;
        let complete = cluster.missing(client).next().is_none();
        if complete || client.kafka.create_topics || begin.elapsed() > UNKNOWN_MAX {
            return Ok(cluster);
        }
        sleep(UNKNOWN_PAUSE).await;
    }
}

/// Asks for all topics.
fn ask(client: &Client) -> Result<Cluster, Unanswered> {
    let heard = Heard::default();
    // A client that is polled: only then does the library say what its connections fail with.
    let asking: BaseConsumer<Heard> = client
        .config(Role::Admin)
        .create_with_context(heard.clone())
        .map_err(|error| Unanswered::Refused(error.to_string()))?;
    let metadata = asking.fetch_metadata(None, ASK_TIMEOUT).map_err(|error| {
        let mut left = ERRORS_MAX;
        while left > 0 && heard.refusal().is_none() && asking.poll(POLL_TIMEOUT).is_some() {
            left -= 1;
        }
        let hint = heard.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
        let for_now = Unanswered::ForNow(format!("{error}{hint}"));
        heard.refusal().map_or(for_now, Unanswered::Refused)
    })?;
    let there = metadata.topics().iter().filter(|topic| topic.error().is_none());
    let partitions = there.map(|topic| (topic.name().to_owned(), topic.partitions().len()));
    Ok(Cluster {
        brokers: metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect(),
        partitions: partitions.filter(|(_, count)| *count > 0).collect(),
    })
}

/// Makes a topic, with as many partitions as another one or as the brokers think fit.
async fn make(
    admin: &AdminClient<DefaultClientContext>,
    topic: &str,
    partitions: Option<usize>,
    report: &mut Report,
) {
    let count = partitions.map_or(-1, |count| count as i32);
    let new = NewTopic::new(topic, count, TopicReplication::Fixed(-1));
    match admin.create_topics([&new], &AdminOptions::new()).await {
        Ok(results) => report.errors.extend(results.into_iter().filter_map(|one| match one {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => None,
            Err((topic, code)) => Some(format!("the topic {topic} cannot be made: {code}")),
        })),
        Err(error) => report.errors.push(format!("a topic cannot be made: {error}")),
    }
}

/// Partitions that came after those that the group knows: accounts have moved into them.
async fn look_at_the_group(client: &Client, count: usize, report: &mut Report) {
    let asking = client.clone();
    let asked = spawn_blocking(move || {
        // Whatever transaction is open: who began what is known all the same.
        let mut config = asking.config(Role::Reader);
        config.set("isolation.level", "read_uncommitted");
        let reader: BaseConsumer = config.create().ok()?;
        committed(&reader, &asking.kafka.input, 0..count as i32, COMMITTED_TIMEOUT).ok()
    });
    let Ok(Some(committed)) = asked.await else { return };
    let Some(known) = committed.keys().last().map(|last| *last as usize + 1) else { return };
    if known < count {
        let (topic, group) = (&client.kafka.input, &client.kafka.group);
        report.warnings.push(format!(
            "{topic} has {count} partitions, and the group {group} has decided {known} of them so \
             far: if it was given more, accounts have moved to other partitions and left their \
             counters and cases behind. Make a new topic instead, and replay into it"
        ));
    }
}
