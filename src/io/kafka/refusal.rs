//! Why brokers refuse a client, told with what to do about it: the client library itself only tries
//! again.
//!
//! A port that speaks another protocol hangs up, and so does a proxy whose broker is away: that is a
//! hint, and no reason to give up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};
use tracing::debug;

/// What the client library says of a connection, and what has to be looked at then.
const REMEDIES: [(&str, &str); 8] = [
    (
        "SASL authentication error",
        "the name, the password or the mechanism is wrong: see sasl.username, sasl.password and \
         sasl.mechanism in [kafka.properties]",
    ),
    (
        "mechanism handshake failed",
        "the brokers do not know this mechanism at this port, or ask for no password there: see \
         sasl.mechanism and security.protocol in [kafka.properties], and the ports in [kafka] brokers",
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

/// What the client library files a failed connection under.
const FAILED: &str = "FAIL";
/// How a connection ends at which the brokers hang up, and in which states that is the first word.
const HUNG_UP: &str = "Disconnected";
const AT_FIRST: [&str; 3] = ["in state APIVERSION_QUERY", "in state SSL_HANDSHAKE", "in state UP"];
const PROTOCOL: &str = "they hang up at the first word, as a port does that expects another protocol: \
     see security.protocol in [kafka.properties], and the ports in [kafka] brokers (a proxy whose \
     broker is away does so too)";

/// What to do where the client library says this of a connection, if waiting is of no use.
pub(super) fn remedy(said: &str) -> Option<&'static str> {
    if hint(said).is_some() {
        return None;
    }
    let found = REMEDIES.iter().find(|(cause, _)| said.contains(cause));
    found.map(|(_, remedy)| *remedy)
}

/// What may be the cause where it says this, though waiting may help.
fn hint(said: &str) -> Option<&'static str> {
    let at_first = AT_FIRST.iter().any(|state| said.contains(state));
    (at_first && said.contains(HUNG_UP)).then_some(PROTOCOL)
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

    /// Of a connection that failed. The last one counts: a broker that has ended is not there at all.
    fn hear_failure(&self, said: &str) {
        self.words().hint = hint(said);
        self.hear(said);
    }

    fn hear(&self, said: &str) {
        let mut words = self.words();
        if let Some(remedy) = remedy(said) {
            // The first cause: what follows from it says less.
            words.refusal.get_or_insert_with(|| {
                format!("the brokers refuse this client ({said}): {remedy}")
            });
        }
    }
}

impl ClientContext for Heard {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, said: &str) {
        debug!(facility, said, "librdkafka");
        if facility == FAILED {
            self.hear_failure(said);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "librdkafka");
        self.hear(reason);
    }
}

impl ConsumerContext for Heard {}

#[cfg(test)]
mod tests {
    use super::{Heard, hint, remedy};

    /// As librdkafka 2.12 and Apache Kafka 4.3 say it.
    const PLAIN_INTO_TLS: &str = "127.0.0.1:9094/bootstrap: Disconnected: connection closed by peer: \
         receive 0 after POLLIN (after 34ms in state APIVERSION_QUERY)";
    const TLS_INTO_PLAIN: &str = "ssl://127.0.0.1:9092/bootstrap: SSL handshake failed: Disconnected: \
         SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 6ms in state \
         SSL_HANDSHAKE)";
    const PLAIN_INTO_SASL: &str = "127.0.0.1:9095/bootstrap: Disconnected: connection closed by peer: \
         receive 0 after POLLIN (after 1ms in state UP)";
    const SASL_INTO_PLAIN: &str = "sasl_plaintext://127.0.0.1:9092/bootstrap: SASL SCRAM-SHA-512 \
         mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported \
         mechanisms:  (after 3ms in state AUTH_HANDSHAKE)";
    const AWAY: &str = "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection \
         refused (after 0ms in state CONNECT)";

    #[test]
    fn a_port_of_another_protocol_is_a_hint_and_not_refused() {
        for said in [PLAIN_INTO_TLS, TLS_INTO_PLAIN, PLAIN_INTO_SASL] {
            assert!(remedy(said).is_none(), "{said}");
            assert!(hint(said).is_some_and(|hint| hint.contains("security.protocol")), "{said}");
        }
    }

    #[test]
    fn a_port_without_passwords_refuses_one() {
        assert!(remedy(SASL_INTO_PLAIN).is_some_and(|remedy| remedy.contains("security.protocol")));
    }

    #[test]
    fn a_broker_that_is_gone_is_only_away() {
        let heard = Heard::default();
        heard.hear_failure(PLAIN_INTO_TLS);
        assert!(heard.hint().is_some());
        heard.hear_failure(AWAY);
        assert_eq!((heard.hint(), heard.refusal()), (None, None));
    }
}
