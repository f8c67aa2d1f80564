//! What matters of a client's own statistics.

use std::collections::BTreeMap;

use rdkafka::Statistics;

/// What a client of librdkafka last said of itself; counts are since it was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Brokers that it is connected to,
    pub up: usize,
    /// and others that it knows.
    pub down: usize,
    /// By broker, the median and the 99th percentile of the round trip, in seconds.
    pub round_trips: BTreeMap<i32, [f64; 2]>,
    /// Requests that could not be sent.
    pub transmit_errors: u64,
    /// Answers that could not be received.
    pub receive_errors: u64,
    /// Requests that were not answered in time.
    pub timeouts: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Connections that ended.
    pub disconnects: u64,
    /// Bytes sent.
    pub transmit_bytes: u64,
    /// Bytes received.
    pub receive_bytes: u64,
    /// Records that wait in it, and their bytes: fetched, or to be sent.
    pub queued: (usize, usize),
}

impl Figures {
    /// Out of the statistics of a client.
    pub fn of(statistics: &Statistics) -> Figures {
        let mut figures = Figures {
            transmit_bytes: statistics.tx_bytes.max(0) as u64,
            receive_bytes: statistics.rx_bytes.max(0) as u64,
            queued: (statistics.msg_cnt as usize, statistics.msg_size as usize),
            ..Figures::default()
        };
        for broker in statistics.brokers.values() {
            figures.transmit_errors += broker.txerrs;
            figures.receive_errors += broker.rxerrs;
            figures.timeouts += broker.req_timeouts;
            figures.retries += broker.txretries;
            figures.disconnects += broker.disconnects.unwrap_or(0).max(0) as u64;
            // Others are names that it began with, and places held for a coordinator.
            if broker.nodeid < 0 || broker.source == "logical" {
                continue;
            }
            match broker.state.as_str() {
                "UP" => figures.up += 1,
                // Never needed so far.
                "INIT" => {}
                _ => figures.down += 1,
            }
            if let Some(rtt) = broker.rtt.as_ref().filter(|rtt| rtt.cnt > 0) {
                let seconds = [rtt.p50, rtt.p99].map(|us| us as f64 / 1e6);
                figures.round_trips.insert(broker.nodeid, seconds);
            }
        }
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        for partition in partitions {
            figures.queued.0 += partition.fetchq_cnt.max(0) as usize;
            figures.queued.1 += partition.fetchq_size as usize;
        }
        figures
    }
}
