//! Three brokers: what one of them takes stands on two, so that one may be lost at any moment.

use super::broker::{Broker, Node};

/// The brokers; gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    brokers: Vec<Broker>,
}

impl Cluster {
    /// One that takes requests.
    pub(crate) fn start() -> Cluster {
        let nodes = [1, 2, 3].map(Node::new);
        let prepare = |node: &Node| {
            Broker::prepare(*node, &nodes, &[], &[], |kafka, _, properties| {
                kafka.format(properties, &[]);
            })
        };
        let mut brokers: Vec<Broker> = nodes.iter().map(prepare).collect();
        // None of them answers before most are there.
        brokers.iter_mut().for_each(Broker::spawn);
        brokers.iter_mut().for_each(Broker::wait_until_up);
        Cluster { brokers }
    }

    /// `host:port` of each.
    pub(crate) fn addresses(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }

    /// One of them, by its place.
    pub(crate) fn broker(&mut self, at: usize) -> &mut Broker {
        &mut self.brokers[at]
    }

    /// How many there are.
    pub(crate) fn size(&self) -> usize {
        self.brokers.len()
    }
}
