//! The settings of the clients: what the program needs, then what the user says, then what must not
//! be otherwise.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU32},
};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError};

use super::context::Shaken;
use crate::config::{
    secrets::is_secret,
    service::{Kafka, Property},
};

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A member of the group, which reads the input.
    Member,
    /// Reads the log again, beside the group.
    Reader,
    /// Writes the outputs.
    Producer,
    /// Looks at topics.
    Admin,
}

/// How to reach the brokers, and as whom.
#[derive(Clone)]
pub struct Client {
    /// The topics.
    pub kafka: Kafka,
    /// The name of this instance.
    pub instance: String,
    properties: Vec<(String, String)>,
    /// When brokers last went away or came back.
    pub(super) shaken: Shaken,
    /// How often in a row another producer has taken the place of this instance's.
    pub(super) fenced: Arc<AtomicU32>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Properties hold secrets.
        f.debug_struct("Client").field("instance", &self.instance).finish_non_exhaustive()
    }
}

const SESSION_MS: u64 = 10_000;
/// So long before a session a transaction ends that is left open.
const TRANSACTION_SOONER_MS: u64 = 5000;

/// What the user must not set: exactness, or what the service sees of its clients, rests on it. The
/// client library knows some of it by two names.
const FIXED: [&str; 16] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "transactional.id",
    "enable.idempotence",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "isolation.level",
    "enable.partition.eof",
    "partition.assignment.strategy",
    "partitioner",
    "statistics.interval.ms",
];

/// Are these properties ones that may be set, and does the client library know them? Reads no secret.
///
/// # Errors
/// What is wrong with which one.
pub fn check_properties(kafka: &Kafka) -> Result<(), String> {
    let shown = |property: &Property| match property {
        Property::Plain(value) => value.clone(),
        // Whatever it is, it is some text.
        _ => "x".to_owned(),
    };
    let properties = kafka.properties.iter().map(|(name, of)| (name.clone(), shown(of))).collect();
    Client::of(kafka, "holdfast".to_owned(), properties).check(|_| false)
}

impl Client {
    /// Of these topics, under this name. Reads the files and variables that hold secrets.
    ///
    /// # Errors
    /// No brokers are given; a secret cannot be read; a property is not the user's to set.
    pub fn new(kafka: &Kafka, instance: String) -> Result<Client, String> {
        if kafka.brokers.is_none() {
            return Err("no brokers are given: [kafka] brokers = \"host:9092\"".to_owned());
        }
        check_properties(kafka)?;
        let properties = kafka.properties.iter().map(|(n, of)| Ok((n.clone(), value(n, of)?)));
        let client = Client::of(kafka, instance, properties.collect::<Result<_, String>>()?);
        client.check(is_secret)?;
        Ok(client)
    }

    fn of(kafka: &Kafka, instance: String, properties: Vec<(String, String)>) -> Client {
        let (shaken, fenced) = (Shaken::default(), Arc::default());
        Client { kafka: kafka.clone(), instance, properties, shaken, fenced }
    }

    /// May all of it be set, and does the client library know it, in every role? Of what is hidden it
    /// is not said why it is refused.
    fn check(&self, is_hidden: impl Fn(&str) -> bool) -> Result<(), String> {
        for (name, _) in &self.properties {
            if FIXED.contains(&name.as_str()) {
                return Err(format!(
                    "[kafka.properties] `{name}` is set by the program itself, and exactness rests \
                     on it: remove it"
                ));
            }
        }
        for role in [Role::Member, Role::Reader, Role::Producer, Role::Admin] {
            self.config(role).create_native_config().map_err(|error| match error {
                // What it says may quote the value.
                KafkaError::ClientConfig(_, _, name, _) if is_hidden(&name) => {
                    format!("[kafka.properties] `{name}`: its value is refused")
                }
                KafkaError::ClientConfig(_, why, name, _) => {
                    format!("[kafka.properties] `{name}`: {why}")
                }
                error => format!("[kafka.properties]: {error}"),
            })?;
        }
        Ok(())
    }

    /// A property as it is set, if it is a number.
    fn number(&self, name: &str) -> Option<u64> {
        let (_, value) = self.properties.iter().find(|(known, _)| known == name)?;
        value.parse().ok()
    }

    /// How long a session lasts that nobody renews, in ms.
    pub(super) fn session_ms(&self) -> u64 {
        self.number("session.timeout.ms").unwrap_or(SESSION_MS)
    }

    /// How long a transaction lasts that nobody ends, in ms: what an instance left open that died is
    /// ended before its session is, so that whoever takes over does not wait for it on top.
    pub(super) fn transaction_ms(&self) -> u64 {
        let session_ms = self.session_ms();
        let before_it = session_ms.saturating_sub(TRANSACTION_SOONER_MS).max(session_ms / 2);
        self.number("transaction.timeout.ms").unwrap_or(before_it)
    }

    /// The settings of a client of this role.
    pub fn config(&self, role: Role) -> ClientConfig {
        let (session_ms, transaction_ms) =
            (SESSION_MS.to_string(), self.transaction_ms().to_string());
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        let mut set = |settings: &[(&str, &str)]| {
            settings.iter().for_each(|(name, value)| {
                config.set(*name, *value);
            });
        };
        set(&[
            ("client.id", "holdfast"),
            ("socket.nagle.disable", "true"),
            ("reconnect.backoff.max.ms", "2000"),
            ("retry.backoff.ms", "10"),
            ("allow.auto.create.topics", "false"),
            // Brokers that came back under other addresses are looked for by those that were given.
            ("metadata.recovery.rebootstrap.trigger.ms", "30000"),
        ]);
        match role {
            Role::Member | Role::Reader => set(&[
                ("fetch.wait.max.ms", "100"),
                ("fetch.min.bytes", "1"),
                // The default waits a second once the prefetch is full.
                ("fetch.queue.backoff.ms", "5"),
                ("queued.min.messages", "20000"),
                ("queued.max.messages.kbytes", "32768"),
                ("session.timeout.ms", &session_ms),
                ("heartbeat.interval.ms", "500"),
                ("statistics.interval.ms", "1000"),
            ]),
            Role::Producer => set(&[
                ("linger.ms", "1"),
                ("compression.type", "lz4"),
                // As the clients on the JVM do, so that who joins topics finds equal partitions.
                ("partitioner", "murmur2_random"),
                ("delivery.report.only.error", "true"),
                ("transaction.timeout.ms", &transaction_ms),
                ("queue.buffering.max.messages", "200000"),
                ("queue.buffering.max.kbytes", "131072"),
                ("statistics.interval.ms", "1000"),
            ]),
            // It is asked why it cannot connect.
            Role::Admin => {
                config.set_log_level(RDKafkaLogLevel::Info);
            }
        }
        // A property of consumers is none of producers, and librdkafka would say so each time.
        let of_producers = |name: &str| {
            ["linger.ms", "batch.", "compression.", "transaction.", "acks", "queue."]
                .iter()
                .any(|begin| name.starts_with(begin))
        };
        let of_consumers = |name: &str| {
            ["fetch.", "session.", "heartbeat.", "max.poll", "queued."]
                .iter()
                .any(|begin| name.starts_with(begin))
        };
        for (name, value) in &self.properties {
            let fits = match role {
                Role::Member | Role::Reader => !of_producers(name),
                Role::Producer => !of_consumers(name),
                Role::Admin => !of_producers(name) && !of_consumers(name),
            };
            if fits {
                config.set(name, value);
            }
        }
        let mut fix = |settings: &[(&str, &str)]| {
            settings.iter().for_each(|(name, value)| {
                config.set(*name, *value);
            });
        };
        let brokers = self.kafka.brokers.as_deref().unwrap_or_default();
        fix(&[("bootstrap.servers", brokers)]);
        match role {
            Role::Member | Role::Reader => fix(&[
                ("group.id", &self.kafka.group),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("isolation.level", "read_committed"),
                // Not the cooperative one: a static member that dies between its two rounds comes
                // back to the first one's assignment, and nobody is given what was to move.
                ("partition.assignment.strategy", "range"),
            ]),
            Role::Producer => fix(&[("enable.idempotence", "true")]),
            Role::Admin => {}
        }
        if role == Role::Member {
            fix(&[("group.instance.id", &self.instance)]);
        }
        if role == Role::Member || role == Role::Reader {
            // Behind the last record there may be marks of transactions: only this tells the end.
            fix(&[("enable.partition.eof", "true")]);
        }
        if role == Role::Reader {
            fix(&[("statistics.interval.ms", "0")]);
        }
        if role == Role::Producer && self.kafka.exactly_once {
            let id = format!("{}-{}", self.kafka.group, self.instance);
            fix(&[("transactional.id", &id)]);
        }
        config
    }
}

#[expect(clippy::disallowed_methods, reason = "the configuration names the variable")]
fn value(name: &str, property: &Property) -> Result<String, String> {
    match property {
        Property::Plain(value) | Property::Hidden(value) => Ok(value.clone()),
        Property::Exposed => Err(format!(
            "[kafka.properties] `{name}` is a secret, and the configuration is no place for one: \
             \"{name}\" = {{ file = \"/run/secrets/...\" }} or {{ env = \"...\" }}"
        )),
        Property::File(path) => std::fs::read_to_string(Path::new(path))
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| {
                format!("[kafka.properties] `{name}`: {path} cannot be read: {error}")
            }),
        Property::Environment(variable) => std::env::var(variable).map_err(|error| {
            format!("[kafka.properties] `{name}`: the variable {variable}: {error}")
        }),
    }
}
