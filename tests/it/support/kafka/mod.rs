//! A real Apache Kafka for the tests: nothing that only resembles one has its transactions.
//!
//! [`install`] fetches it once, [`broker`] runs it, [`cluster`] three of them, [`topics`] asks and changes it, [`feed`] writes
//! events as producers upstream do, [`read`] reads as consumers downstream do. Tests that only need
//! a broker share one, each with topics of its own; `HOLDFAST_TEST_KAFKA=host:port` is used instead
//! if it is set. Tests that stop a broker start their own.

pub(crate) mod broker;
pub(crate) mod cluster;
pub(crate) mod feed;
pub(crate) mod install;
pub(crate) mod read;
pub(crate) mod secure;
pub(crate) mod topics;

use std::sync::OnceLock;

use super::process;
use broker::Broker;

/// The address of the broker that tests share.
pub(crate) fn shared() -> String {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    match process::setting("HOLDFAST_TEST_KAFKA") {
        Some(address) => address,
        None => SHARED.get_or_init(Broker::start).address(),
    }
}
