//! Why brokers refuse a client, told with what to do about it: the client library itself only tries
//! again.

use std::sync::{Arc, Mutex, PoisonError};

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

/// What to do where the client library says this of a connection, if waiting is of no use.
pub(super) fn remedy(said: &str) -> Option<&'static str> {
    let found = REMEDIES.iter().find(|(cause, _)| said.contains(cause));
    found.map(|(_, remedy)| *remedy)
}

/// Hears what the client library says of its connections, once somebody polls the client.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Option<String>>>);

impl Heard {
    /// Why this client is refused, and what to do, if that is what has been heard.
    pub(super) fn refusal(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hear(&self, said: &str) {
        if let Some(remedy) = remedy(said) {
            let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // The first cause: what follows from it says less.
            heard.get_or_insert_with(|| {
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
