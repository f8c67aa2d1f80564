//! Apache Kafka from Maven Central, once for a machine: its libraries, a formatted log directory to
//! copy, and an archive of loaded classes, with which it starts in half the time.
//!
//! It is kept in `$XDG_CACHE_HOME/holdfast` or `~/.cache/holdfast`. Without Java or Maven the tests
//! fail and say what to install; as root on Debian they install it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    broker::{JVM, Node, ready},
    process::{self, Leashed},
};

const KAFKA: &str = "4.3.1";
/// Of the form of what is kept: another one is kept beside.
const FORM: &str = "1";
const PACKAGES: [&str; 2] = ["openjdk-17-jre-headless", "maven"];
/// Any will do: each log directory is a cluster of its own.
const CLUSTER_ID: &str = "aG9sZGZhc3QtdGVzdHMtMQ";

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>holdfast.tests</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>KAFKA</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"#;

/// Where Kafka stands on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Installed(PathBuf);

impl Installed {
    pub(crate) fn class_path(&self) -> String {
        format!("{}/*", self.0.join("libs").display())
    }

    /// A formatted log directory of node 1.
    pub(crate) fn template(&self) -> PathBuf {
        self.0.join("template")
    }

    pub(crate) fn class_archive(&self) -> PathBuf {
        self.0.join("classes.jsa")
    }
}

/// Installs it, unless that has been done.
pub(crate) fn install() -> Installed {
    need_java_and_maven();
    let parent = cache();
    fs::create_dir_all(&parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
    // Another process of the tests may be at it.
    let lock = File::create(parent.join("kafka.lock")).expect("a lock file");
    lock.lock().expect("a lock");
    let done = Installed(parent.join(format!("kafka-{KAFKA}-{FORM}")));
    if done.0.is_dir() {
        return done;
    }
    eprintln!("Apache Kafka {KAFKA} is being fetched from Maven Central, once");
    let unfinished = Installed(parent.join("kafka.unfinished"));
    let _ = fs::remove_dir_all(&unfinished.0);
    fs::create_dir_all(&unfinished.0).expect("a folder");
    unfinished.fetch();
    unfinished.format_template();
    fs::rename(&unfinished.0, &done.0).expect("a folder is renamed");
    // After it has its name: an archive is good for one class path only.
    done.archive_classes();
    done
}

impl Installed {
    fn fetch(&self) {
        fs::write(self.0.join("pom.xml"), POM.replace("KAFKA", KAFKA)).expect("a file");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy-dependencies"]);
        maven.args(["-DoutputDirectory=libs", "-DincludeScope=runtime"]);
        must(maven.current_dir(&self.0), "Kafka cannot be fetched from Maven Central");
    }

    fn format_template(&self) {
        let node = Node::new(1);
        let properties = self.0.join("format.properties");
        let text = node.properties(&[node], &self.template(), &[], &[]);
        fs::write(&properties, text).expect("a file");
        self.format(&properties, &[]);
    }

    /// Formats the log directory that these settings name.
    pub(super) fn format(&self, properties: &Path, more: &[&str]) {
        let mut format = Command::new("java");
        format.args(["-XX:TieredStopAtLevel=1", "-cp", &self.class_path()]);
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
        must(format.arg(properties).args(more), "a log directory cannot be formatted");
    }

    /// Without it, brokers start more slowly; so nothing fails here.
    fn archive_classes(&self) {
        let folder = tempfile::tempdir().expect("a folder");
        let node = Node::new(1);
        let logs = folder.path().join("logs");
        copy_folder(&self.template(), &logs);
        let properties = folder.path().join("server.properties");
        fs::write(&properties, node.properties(&[node], &logs, &[], &[])).expect("a file");
        let mut broker = Command::new("java");
        broker
            .args(JVM)
            .arg(format!("-XX:ArchiveClassesAtExit={}", self.class_archive().display()));
        broker.args(["-cp", &self.class_path(), "kafka.Kafka"]).arg(&properties);
        broker.stdout(Stdio::null()).stderr(Stdio::null());
        let mut broker = Leashed::start(&mut broker, Some(folder.path()));
        if process::within(Duration::from_secs(60), || ready(&node.address())).is_some() {
            broker.signal("TERM");
            broker.wait(Duration::from_secs(60));
        }
    }
}

/// Copies the files of a folder, which has no folders in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a file is copied");
    }
}

fn cache() -> PathBuf {
    let parent = process::setting("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(process::setting("HOME").expect("HOME is set")).join(".cache");
    parent.unwrap_or_else(home).join("holdfast")
}

fn need_java_and_maven() {
    let missing = || !(runs("java", "-version") && runs("mvn", "-version"));
    if !missing() {
        return;
    }
    if runs("apt-get", "--version") && said("id", &["-u"]).trim() == "0" {
        let install = |arguments: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-y"]).args(arguments);
            apt.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let all = [&["install", "--no-install-recommends"][..], &PACKAGES].concat();
        let _ = install(&all) || install(&["update"]) && install(&all);
    }
    assert!(
        !missing(),
        "these tests run on Apache Kafka, which needs Java 17 and Maven. On Debian: apt-get install \
         {}. Or set HOLDFAST_TEST_KAFKA=host:port for those that do not stop their broker.",
        PACKAGES.join(" ")
    );
}

fn runs(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn must(command: &mut Command, otherwise: &str) {
    let output = command.stdin(Stdio::null()).output().expect("a program that was found runs");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{otherwise}:\n{}", String::from_utf8_lossy(&said));
}
