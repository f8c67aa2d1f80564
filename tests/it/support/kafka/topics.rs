//! Topics of a test's own, and how far a group is in them.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
};

use super::{process, read};

/// A broker that answers at all answers within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// A topic.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) partitions: i32,
}

/// A client that only asks.
pub(super) fn asking(address: &str, more: &[(&str, &str)]) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("log_level", "0");
    config.set("reconnect.backoff.max.ms", "500");
    for (key, value) in more {
        config.set(*key, *value);
    }
    config.create().expect("a client")
}

/// A client that changes things.
fn administering(address: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", address).create().expect("a client")
}

impl Topic {
    /// A new one, kept for ever: events of generated traffic are of another year.
    pub(crate) fn create(address: &str, name: &str, partitions: i32) -> Topic {
        Topic::create_with(address, name, partitions, &[("retention.ms", "-1")])
    }

    /// The same with settings.
    pub(crate) fn create_with(
        address: &str,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Topic {
        let topic = Topic { address: address.to_owned(), name: unique(name), partitions };
        let admin = administering(address);
        // As many copies as the brokers make by themselves.
        let mut new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(-1));
        for (key, value) in settings {
            new = new.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = waited(admin.create_topics([&new], &options)).expect("the broker answers");
        made.into_iter().for_each(|one| drop(one.expect("a topic is made")));
        // A broker tells of a topic a little later than it makes it.
        let asking = asking(address, &[]);
        let led = || {
            let metadata = asking.fetch_metadata(Some(&topic.name), PATIENCE).ok()?;
            let there = metadata.topics().first()?.partitions();
            let led = there.iter().filter(|partition| partition.leader() >= 0).count();
            (led == partitions as usize).then_some(())
        };
        process::within(PATIENCE, led).expect("a topic has leaders");
        topic
    }

    /// Gives it more partitions.
    pub(crate) fn grow(&self, partitions: usize) {
        let more = NewPartitions::new(&self.name, partitions);
        let grown =
            waited(administering(&self.address).create_partitions([&more], &AdminOptions::new()));
        grown.expect("the broker answers").into_iter().for_each(|one| drop(one.expect("it grows")));
    }

    /// Removes what stands before these offsets, as retention does sooner or later.
    pub(crate) fn remove_before(&self, offsets: &[i64]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            let offset = Offset::Offset(*offset);
            list.add_partition_offset(&self.name, partition, offset).expect("a place");
        }
        let admin = administering(&self.address);
        let removed = waited(admin.delete_records(&list, &AdminOptions::new()));
        for one in removed.expect("the broker answers").elements() {
            one.error().expect("records are removed");
        }
    }

    /// The offsets behind the last record or mark of each partition.
    pub(crate) fn ends(&self) -> Vec<i64> {
        self.ask_ends("read_uncommitted").expect("the broker answers")
    }

    /// Those ends, once no transaction is open any more.
    pub(crate) fn settled_ends(&self) -> Vec<i64> {
        let settled = || {
            let ends = self.ask_ends("read_uncommitted")?;
            (self.ask_ends("read_committed")? == ends).then_some(ends)
        };
        process::within(Duration::from_secs(90), settled).expect("every transaction ends")
    }

    fn ask_ends(&self, isolation: &str) -> Option<Vec<i64>> {
        let asking = asking(&self.address, &[("isolation.level", isolation)]);
        let end = |partition| asking.fetch_watermarks(&self.name, partition, PATIENCE);
        (0..self.partitions).map(|partition| end(partition).ok().map(|(_, end)| end)).collect()
    }

    /// How far a group is in each partition, if the broker answers. Offsets of transactions that
    /// are still open are not waited for.
    pub(crate) fn committed(&self, group: &str) -> Option<Vec<Option<i64>>> {
        let settings = [("group.id", group), ("isolation.level", "read_uncommitted")];
        let asking = asking(&self.address, &settings);
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, self.partitions - 1);
        let list = asking.committed_offsets(list, PATIENCE).ok()?;
        let offset = |of: Offset| match of {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        Some(list.elements().iter().map(|element| offset(element.offset())).collect())
    }

    /// Moves a group that nobody is a member of to these offsets, as its operators do.
    pub(crate) fn commit(&self, group: &str, offsets: &[i64]) {
        let asking = asking(&self.address, &[("group.id", group)]);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            let offset = Offset::Offset(*offset);
            list.add_partition_offset(&self.name, partition, offset).expect("a place");
        }
        // Those who were members may not be forgotten yet.
        let taken = || asking.commit(&list, CommitMode::Sync).ok();
        process::within(Duration::from_secs(60), taken).expect("the broker takes it");
    }

    /// Has a group got behind the last record of each partition? Marks of transactions come behind
    /// the last record, and no group ever commits them.
    pub(crate) fn is_done(&self, group: &str) -> Option<bool> {
        let committed = self.committed(group)?;
        let ends = self.ask_ends("read_uncommitted")?;
        let mut done = true;
        for (partition, (committed, end)) in (0..).zip(committed.into_iter().zip(ends)) {
            let next = committed.unwrap_or(0);
            done = done && (next >= end || !read::has_record(self, partition, next));
        }
        Some(done)
    }
}

/// Runs what a client does to its end.
fn waited<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

/// A name that nobody else has, on a broker that may be older than this run.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let bits = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{number}-{:06x}", std::process::id(), bits & 0xff_ffff)
}
