//! Why brokers refuse a client, told with what to do about it: the client library itself only tries
//! again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};
use tracing::debug;

/// What the client library says of a connection, and what has to be looked at then.
const REMEDIES: [(&str, &str); 7] = [
    (
        "SASL authentication error",
        "the name, the password or the mechanism is wrong: see sasl.username, sasl.password and \
         sasl.mechanism in [kafka.properties]",
    ),
    (
        "certificate verify failed",
        "the brokers' certificate is signed by nobody who is trusted here, or is of another host: \
         see ssl.ca.location in [kafka.properties], and the addresses in [kafka] brokers",
    ),
    ("certificate required", CERTIFICATE),
    ("bad certificate", CERTIFICATE),
    ("alert unknown ca", CERTIFICATE),
    ("SSL handshake failed", TLS),
    ("SSL alert", TLS),
];
const CERTIFICATE: &str = "the brokers ask for a certificate, signed by somebody whom they trust: see \
     ssl.certificate.location and ssl.key.location in [kafka.properties]";
const TLS: &str = "see security.protocol, ssl.ca.location, ssl.certificate.location and \
     ssl.key.location in [kafka.properties]";

/// A broker that ends has this said of it too: a hint, and no reason to give up.
const HUNG_UP: &str = "in state APIVERSION_QUERY";
const PROTOCOL: &str = "they hang up at the first word, as brokers do that speak another protocol on \
     this port: see security.protocol in [kafka.properties], and the port in [kafka] brokers";

/// What to do where the client library says this of a connection, if waiting is of no use.
pub(super) fn remedy(said: &str) -> Option<&'static str> {
    let found = REMEDIES.iter().find(|(cause, _)| said.contains(cause));
    found.map(|(_, remedy)| *remedy)
}

/// Hears what the client library says of its connections, once somebody polls the client.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    refusal: Option<String>,
    hint: Option<&'static str>,
}

impl Heard {
    /// Why this client is refused, and what to do, if that is what has been heard.
    pub(super) fn refusal(&self) -> Option<String> {
        self.words().refusal.clone()
    }

    /// What may be the cause, if brokers only do not answer.
    pub(super) fn hint(&self) -> Option<&'static str> {
        self.words().hint
    }

    fn words(&self) -> MutexGuard<'_, Words> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, said: &str) {
        if said.contains(HUNG_UP) {
            self.words().hint = Some(PROTOCOL);
        }
        if let Some(remedy) = remedy(said) {
            // The first cause: what follows from it says less.
            self.words().refusal.get_or_insert_with(|| {
                format!("the brokers refuse this client ({said}): {remedy}")
            });
        }
    }
}

impl ClientContext for Heard {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, said: &str) {
        debug!(facility, said, "librdkafka");
        self.hear(said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "librdkafka");
        self.hear(reason);
    }
}

impl ConsumerContext for Heard {}
