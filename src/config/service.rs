//! What only the service goes by: topics, state, ports. None of it decides anything.

use std::{net::SocketAddr, path::PathBuf};

use super::{
    document::{Document, Node, Table, Value},
    duration, keys,
    problem::Problem,
    secrets::is_secret,
};

/// The service's settings.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its topics.
    pub kafka: Kafka,
    /// Its snapshots.
    pub state: State,
    /// Does it put ticks into quiet partitions in which a deadline is due?
    pub ticks: bool,
    /// Where metrics and health are read.
    pub metrics: SocketAddr,
    /// Where its state can be looked into.
    pub admin: SocketAddr,
    /// How long it may take to end, in ms.
    pub shutdown_timeout_ms: u64,
    /// Does it log as JSON?
    pub logs_json: bool,
}

/// The service's topics.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// `host:port`, separated by commas.
    pub brokers: Option<String>,
    /// The topic of events.
    pub input: String,
    /// The topic of decisions.
    pub output: String,
    /// The topic of dead letters.
    pub dead_letters: String,
    /// The consumer group.
    pub group: String,
    /// The name of this instance.
    pub instance: Option<String>,
    /// Where a group begins that has never read a partition.
    pub start: Start,
    /// Outputs and offsets in one transaction?
    pub exactly_once: bool,
    /// How long at least between two commits, in ms.
    pub commit_interval_ms: u64,
    /// Are missing topics made?
    pub create_topics: bool,
    /// What librdkafka is told beside.
    pub properties: Vec<(String, Property)>,
}

/// Where a group begins that has never decided a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first record that is left.
    Earliest,
    /// With the next one that comes.
    Latest,
    /// With the first that is not older than this, in epoch ms.
    At(i64),
}

/// The value of a property of librdkafka.
#[derive(Clone, PartialEq, Eq)]
pub enum Property {
    /// As it was written.
    Plain(String),
    /// From the environment, and not to be shown.
    Hidden(String),
    /// A secret that stands in the configuration, where nobody should look for one: not used.
    Exposed,
    /// What a file holds, without the line end behind it.
    File(String),
    /// What a variable of the environment holds.
    Environment(String),
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Property::Plain(value) => f.debug_tuple("Plain").field(value).finish(),
            Property::Hidden(_) => f.write_str("Hidden"),
            Property::Exposed => f.write_str("Exposed"),
            Property::File(path) => f.debug_tuple("File").field(path).finish(),
            Property::Environment(name) => f.debug_tuple("Environment").field(name).finish(),
        }
    }
}

/// The service's snapshots.
#[derive(Debug, Clone)]
pub struct State {
    /// Where they are kept.
    pub dir: String,
    /// Where they are kept beside, for all instances.
    pub shared: Option<Shared>,
    /// How often one is taken, in ms.
    pub snapshot_interval_ms: u64,
    /// How many of a partition are kept.
    pub snapshots: usize,
    /// May a partition go on whose log no longer holds all that it depends on?
    pub may_warm: bool,
}

/// A place that all instances share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shared {
    /// A directory.
    Directory(PathBuf),
    /// A bucket of an object store that speaks S3, and what names in it begin with.
    Bucket {
        /// Its name.
        bucket: String,
        /// Directories, divided by `/`; may be empty.
        prefix: String,
    },
}

impl Shared {
    /// What a URL says.
    fn read(url: &str) -> Option<Shared> {
        if let Some(path) = url.strip_prefix("file://") {
            return path.starts_with('/').then(|| Shared::Directory(path.into()));
        }
        let path = url.strip_prefix("s3://")?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let named = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let plain = |c: char| named(c) || "/=".contains(c);
        let valid = !bucket.is_empty() && bucket.chars().all(named) && prefix.chars().all(plain);
        let prefix = prefix.trim_end_matches('/').to_owned();
        valid.then(|| Shared::Bucket { bucket: bucket.to_owned(), prefix })
    }
}

/// Reads the settings of a document whose values have the right shapes, or will be refused.
pub fn build(document: &Document) -> (Service, Vec<Problem>) {
    let mut problems = Vec::new();
    let section = |name: &str| document.root.get(name).and_then(Node::table);
    let mut reader = Reader { document, problems: &mut problems };
    let kafka = Kafka {
        brokers: reader.given(section("kafka"), "brokers"),
        input: reader.text(section("kafka"), "kafka", "input"),
        output: reader.text(section("kafka"), "kafka", "output"),
        dead_letters: reader.text(section("kafka"), "kafka", "dead_letters"),
        group: reader.text(section("kafka"), "kafka", "group"),
        instance: reader.given(section("kafka"), "instance"),
        start: reader.start(section("kafka")),
        exactly_once: reader.text(section("kafka"), "kafka", "delivery") == keys::DELIVERIES[0],
        commit_interval_ms: reader.duration(section("kafka"), "kafka", "commit_interval"),
        create_topics: reader.text(section("kafka"), "kafka", "create_topics") == "true",
        properties: reader.properties(section("kafka")),
    };
    reader.refuse_one_topic_for_two(&kafka, section("kafka"));
    let state = State {
        dir: reader.text(section("state"), "state", "dir"),
        shared: reader.shared(section("state")),
        snapshot_interval_ms: reader.duration(section("state"), "state", "snapshot_interval"),
        snapshots: reader.text(section("state"), "state", "snapshots").parse().unwrap_or(1),
        may_warm: reader.text(section("state"), "state", "on_short_log") == keys::SHORT_LOGS[1],
    };
    let service = Service {
        kafka,
        state,
        ticks: reader.text(section("input"), "input", "ticks") == "true",
        metrics: reader.address(section("metrics"), "metrics"),
        admin: reader.address(section("admin"), "admin"),
        shutdown_timeout_ms: reader.duration(section("service"), "service", "shutdown_timeout"),
        logs_json: reader.text(section("service"), "service", "log") == keys::LOGS[1],
    };
    (service, problems)
}

struct Reader<'d> {
    document: &'d Document,
    problems: &'d mut Vec<Problem>,
}

impl Reader<'_> {
    fn given(&self, table: Option<&Table>, key: &str) -> Option<String> {
        table.and_then(|table| table.get(key)).and_then(written)
    }

    /// What was written, or else the default.
    fn text(&self, table: Option<&Table>, section: &str, key: &str) -> String {
        self.given(table, key).unwrap_or_else(|| keys::default_of(section, key))
    }

    fn duration(&self, table: Option<&Table>, section: &str, key: &str) -> u64 {
        // What is none has been told of where its shape was checked.
        let ms = duration::parse_ms(&self.text(table, section, key));
        ms.ok().and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default()
    }

    fn address(&mut self, table: Option<&Table>, section: &str) -> SocketAddr {
        let text = self.text(table, section, "listen");
        text.parse().unwrap_or_else(|_| {
            let message = format!("`{text}` is no address and port");
            self.wrong(table, "listen", message, "listen = \"127.0.0.1:9464\"");
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    fn start(&mut self, table: Option<&Table>) -> Start {
        let text = self.text(table, "kafka", "start");
        match (text.as_str(), text.parse::<jiff::Timestamp>()) {
            ("earliest", _) => Start::Earliest,
            ("latest", _) => Start::Latest,
            (_, Ok(time)) => Start::At(time.as_millisecond()),
            (_, Err(_)) => {
                let message = format!("`{text}` is no place in a log to start from");
                let hint = "\"earliest\", \"latest\", or a time: \"2026-01-31T00:00:00Z\"";
                self.wrong(table, "start", message, hint);
                Start::Earliest
            }
        }
    }

    fn shared(&mut self, table: Option<&Table>) -> Option<Shared> {
        let url = self.given(table, "url")?;
        let shared = Shared::read(&url);
        if shared.is_none() {
            // It may hold a password, so it is not repeated.
            let message = "`url` is no place for snapshots".to_owned();
            let hint = "\"file:///path\" or \"s3://bucket/prefix\"; who may write there stands in \
                        the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, \
                        AWS_ENDPOINT_URL";
            self.wrong(table, "url", message, hint);
        }
        shared
    }

    fn wrong(&mut self, table: Option<&Table>, key: &str, message: String, hint: &str) {
        let node = table.and_then(|table| table.get(key));
        let place = node.map_or(self.document.top.clone(), |node| node.place.clone());
        self.problems.push(Problem::new(place, message).hint(hint));
    }

    fn refuse_one_topic_for_two(&mut self, kafka: &Kafka, table: Option<&Table>) {
        let Kafka { input, output, dead_letters, .. } = kafka;
        for (key, others) in [("output", &[input][..]), ("dead_letters", &[input, output][..])] {
            let topic = if key == "output" { output } else { dead_letters };
            if others.contains(&topic) {
                let message = format!("the topic `{topic}` has another use already");
                self.wrong(table, key, message, "input, output and dead_letters are three topics");
            }
        }
    }

    fn properties(&mut self, kafka: Option<&Table>) -> Vec<(String, Property)> {
        let mut all = Vec::new();
        if let Some(table) = kafka.and_then(|k| k.get("properties")).and_then(Node::table) {
            self.properties_of(table, "", &mut all);
        }
        all
    }

    /// A dotted name reads as tables within tables.
    fn properties_of(&mut self, table: &Table, within: &str, all: &mut Vec<(String, Property)>) {
        for entry in &table.0 {
            let name = format!("{within}{}", entry.key);
            let place = entry.node.place.clone();
            let property = match &entry.node.value {
                Value::Table(inner) => match &inner.0[..] {
                    [one] if one.key == "file" => {
                        Property::File(written(&one.node).unwrap_or_default())
                    }
                    [one] if one.key == "env" => {
                        Property::Environment(written(&one.node).unwrap_or_default())
                    }
                    _ => {
                        self.properties_of(inner, &format!("{name}."), all);
                        continue;
                    }
                },
                _ => {
                    let value = written(&entry.node).unwrap_or_default();
                    match (is_secret(&name), place.source) {
                        (true, 0) => Property::Exposed,
                        (true, _) => Property::Hidden(value),
                        (false, _) => Property::Plain(value),
                    }
                }
            };
            all.push((name, property));
        }
    }
}

fn written(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(integer) => Some(integer.to_string()),
        Value::Float(float) => Some(float.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;

    #[test]
    fn a_url_names_a_directory_or_a_bucket_and_nothing_else() {
        let bucket = |bucket: &str, prefix: &str| {
            Some(Shared::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };
        assert_eq!(Shared::read("file:///a/b"), Some(Shared::Directory("/a/b".into())));
        assert_eq!(Shared::read("s3://a.b-c"), bucket("a.b-c", ""));
        assert_eq!(Shared::read("s3://a/b/c/"), bucket("a", "b/c"));
        for wrong in
            ["/a", "file://a", "s3://", "s3:///a", "s3://who:secret@a/b", "gs://a", "s3://a/b?c"]
        {
            assert_eq!(Shared::read(wrong), None, "{wrong}");
        }
    }
}
