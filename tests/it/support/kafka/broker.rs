//! One broker: started, stopped, started again on the same data, frozen and thawed; gone when it is
//! dropped.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use tempfile::TempDir;

use super::{
    install::{Installed, copy_folder, install},
    process::{self, Leashed, free_port},
};

/// The first compiler and the serial collector: on few cores the others take the time themselves.
pub(super) const JVM: [&str; 4] =
    ["-Xms512m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
const START: Duration = Duration::from_secs(90);

/// A further way into a broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door {
    name: &'static str,
    protocol: &'static str,
    port: u16,
}

impl Door {
    /// One of this name, behind which this protocol is spoken.
    pub(crate) fn new(name: &'static str, protocol: &'static str) -> Door {
        Door { name, protocol, port: free_port() }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A place in a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    id: u32,
    port: u16,
    controller_port: u16,
}

impl Node {
    pub(crate) fn new(id: u32) -> Node {
        Node { id, port: free_port(), controller_port: free_port() }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where its clients come in, and its peers: all doors, and those of clients.
    fn listeners(self, doors: &[Door]) -> (String, String) {
        let door = |door: &Door| format!(",{}://{}", door.name, door.address());
        let doors: String = doors.iter().map(door).collect();
        let clients = format!("PLAINTEXT://{}{doors}", self.address());
        (format!("{clients},CONTROLLER://127.0.0.1:{}", self.controller_port), clients)
    }

    /// Its settings in a cluster of these nodes, itself among them; `more` wins.
    pub(super) fn properties(
        self,
        all: &[Node],
        logs: &Path,
        doors: &[Door],
        more: &[(&str, &str)],
    ) -> String {
        let copies = all.len().min(3).to_string();
        let in_sync = if all.len() < 3 { "1" } else { "2" };
        let voter = |node: &Node| format!("{}@127.0.0.1:{}", node.id, node.controller_port);
        let voters = all.iter().map(voter).collect::<Vec<_>>().join(",");
        let (id, logs) = (self.id.to_string(), logs.display().to_string());
        let (listeners, clients) = self.listeners(doors);
        let protocol = |door: &Door| format!(",{}:{}", door.name, door.protocol);
        let protocols: String = doors.iter().map(protocol).collect();
        let protocols = format!("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}");
        let settings = [
            ("process.roles", "broker,controller"),
            ("node.id", &id),
            ("controller.quorum.voters", &voters),
            ("listeners", &listeners),
            ("advertised.listeners", &clients),
            ("controller.listener.names", "CONTROLLER"),
            ("inter.broker.listener.name", "PLAINTEXT"),
            ("listener.security.protocol.map", &protocols),
            ("log.dirs", &logs),
            ("auto.create.topics.enable", "false"),
            ("offsets.topic.replication.factor", &copies),
            ("offsets.topic.num.partitions", "4"),
            ("transaction.state.log.replication.factor", &copies),
            ("transaction.state.log.min.isr", in_sync),
            ("transaction.state.log.num.partitions", "4"),
            ("share.coordinator.state.topic.replication.factor", &copies),
            ("share.coordinator.state.topic.min.isr", in_sync),
            ("share.coordinator.state.topic.num.partitions", "4"),
            ("default.replication.factor", &copies),
            ("min.insync.replicas", in_sync),
            ("group.initial.rebalance.delay.ms", "0"),
            // So that a session can end within a test.
            ("group.min.session.timeout.ms", "1000"),
            ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
            ("message.max.bytes", "2097152"),
        ];
        let mut text = String::new();
        for (key, value) in settings.iter().chain(more) {
            writeln!(text, "{key}={value}").expect("text takes text");
        }
        text
    }
}

/// A broker of its own, with its own data.
#[derive(Debug)]
pub(crate) struct Broker {
    kafka: Installed,
    node: Node,
    process: Option<Leashed>,
    folder: TempDir,
}

impl Broker {
    /// One that takes requests.
    pub(crate) fn start() -> Broker {
        Broker::start_with(&[])
    }

    /// The same with further settings.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Broker {
        let template = |kafka: &Installed, logs: &Path, _: &Path| {
            copy_folder(&kafka.template(), logs);
        };
        Broker::start_in(&[], settings, template)
    }

    /// One with further doors, of which some know this user.
    pub(crate) fn start_with_doors(
        doors: &[Door],
        settings: &[(&str, &str)],
        user: &str,
    ) -> Broker {
        Broker::start_in(doors, settings, |kafka, _, properties| {
            kafka.format(properties, &["--add-scram", user]);
        })
    }

    fn start_in(
        doors: &[Door],
        settings: &[(&str, &str)],
        format: impl FnOnce(&Installed, &Path, &Path),
    ) -> Broker {
        let node = Node::new(1);
        let mut broker = Broker::prepare(node, &[node], doors, settings, format);
        broker.start_again();
        broker
    }

    /// The one at this place in a cluster of these nodes, with its log directory made and not started.
    pub(super) fn prepare(
        node: Node,
        all: &[Node],
        doors: &[Door],
        settings: &[(&str, &str)],
        format: impl FnOnce(&Installed, &Path, &Path),
    ) -> Broker {
        let kafka = install();
        let folder =
            tempfile::Builder::new().prefix("holdfast-kafka-").tempdir().expect("a folder");
        let (logs, path) = (folder.path().join("logs"), folder.path().join("server.properties"));
        fs::write(&path, node.properties(all, &logs, doors, settings)).expect("a file");
        format(&kafka, &logs, &path);
        Broker { kafka, node, process: None, folder }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        self.node.address()
    }

    /// Starts it, on the data that it has, and waits for it.
    pub(crate) fn start_again(&mut self) {
        self.spawn();
        self.wait_until_up();
    }

    /// Starts it, on the data that it has.
    pub(super) fn spawn(&mut self) {
        let file = File::options().append(true).create(true).open(self.log()).expect("a file");
        let mut java = Command::new("java");
        java.args(JVM);
        java.arg(format!("-XX:SharedArchiveFile={}", self.kafka.class_archive().display()));
        java.args(["-Xshare:auto", "-cp", &self.kafka.class_path(), "kafka.Kafka"]);
        java.arg(self.folder.path().join("server.properties"));
        java.stdout(file.try_clone().expect("a file")).stderr(file);
        self.process = Some(Leashed::start(&mut java, Some(self.folder.path())));
    }

    /// Waits until it answers.
    pub(super) fn wait_until_up(&mut self) {
        let (log, process) = (self.log(), self.process.as_mut().expect("it has been started"));
        let up = process::within(START, || {
            let ended = process.ended().map(|_| false);
            ended.or_else(|| ready(&self.node.address()).map(|()| true))
        });
        let said = || process::last_lines(&log, 40);
        assert!(up == Some(true), "the broker does not start:\n{}", said());
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.signal("TERM");
        process.wait(Duration::from_secs(30));
    }

    /// Ends it as a loss of power would, but for what the system has yet to write.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// It keeps its connections and says nothing.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// How often the members of a group have shared its partitions out anew, as its log tells.
    pub(crate) fn rebalances(&self, group: &str) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let stable = format!("Stabilized group {group} generation");
        log.lines().filter(|line| line.contains(&stable)).count()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("broker.log")
    }

    fn signal(&self, name: &str) {
        self.process.as_ref().expect("the broker runs").signal(name);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the broker said last:\n{}", process::last_lines(&self.log(), 40));
        }
    }
}

/// Does a broker answer? Its port opens earlier.
pub(super) fn ready(address: &str) -> Option<()> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("log_level", "0")
        .create()
        .ok()?;
    let metadata = client.fetch_metadata(None, Duration::from_secs(1)).ok()?;
    (!metadata.brokers().is_empty()).then_some(())
}
