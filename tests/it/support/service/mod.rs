//! The service as its operators have it: processes on topics, with folders and ports of their own,
//! started, killed, frozen and ended from outside.

mod instance;

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    binary::repository,
    checker::{Audit, Report},
    kafka::topics::{Topic, unique},
    process::{self, Leashed, free_port, within},
};
pub(crate) use instance::Instance;

/// Topics, a group and a configuration: what instances of the service have in common.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) input: Topic,
    pub(crate) output: Topic,
    pub(crate) dead_letters: Topic,
    pub(crate) group: String,
    /// Those that decided so far; the last one decides now.
    rulesets: Vec<String>,
    /// Keys of `[kafka]`, as TOML.
    kafka: BTreeMap<String, String>,
    /// Keys of `[state]`, as TOML.
    state: BTreeMap<String, String>,
    /// What is passed to librdkafka, as TOML.
    properties: BTreeMap<String, String>,
    one_folder: bool,
    /// Where the service finds the brokers, if not where the tests do.
    brokers: Option<String>,
    /// A place of snapshots for all instances.
    shared: Option<String>,
    environment: Vec<(&'static str, String)>,
    pub(crate) began: BTreeMap<i32, i64>,
    folder: TempDir,
}

/// The shipped ruleset with every decision written.
pub(crate) fn shipped_ruleset() -> String {
    let text = std::fs::read_to_string(repository("config/holdfast.toml")).expect("it is there");
    let all = text.replace("emit = \"actions\"", "emit = \"all\"");
    assert_ne!(all, text);
    all
}

impl Deployment {
    /// New topics for a ruleset that writes every decision.
    pub(crate) fn new(address: &str, partitions: i32, ruleset: &str) -> Deployment {
        let text = |text: &str| format!("\"{text}\"");
        let kafka = [("commit_interval", text("20ms")), ("start", text("earliest"))];
        // Sessions end within a test, and transactions before the sessions.
        let properties = [("session.timeout.ms", 6000), ("transaction.timeout.ms", 5000)];
        Deployment {
            input: Topic::create(address, "events", partitions),
            output: Topic::create(address, "decisions", 4),
            dead_letters: Topic::create(address, "dead-letters", 2),
            group: unique("holdfast"),
            rulesets: vec![ruleset.to_owned()],
            kafka: kafka.map(|(key, value)| (key.to_owned(), value)).into(),
            properties: properties.map(|(key, ms)| (key.to_owned(), text(&ms.to_string()))).into(),
            state: BTreeMap::from([("snapshot_interval".to_owned(), text("1s"))]),
            one_folder: false,
            brokers: None,
            shared: None,
            environment: Vec::new(),
            began: BTreeMap::new(),
            folder: TempDir::new().expect("a folder"),
        }
    }

    /// With a key of `[kafka]`.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Deployment {
        self.kafka.insert(key.to_owned(), format!("\"{value}\""));
        self
    }

    /// With a key of `[kafka]`, as TOML.
    pub(crate) fn with_written(mut self, key: &str, value: &str) -> Deployment {
        self.kafka.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With a key of `[state]`.
    pub(crate) fn with_state(mut self, key: &str, value: &str) -> Deployment {
        self.state.insert(key.to_owned(), format!("\"{value}\""));
        self
    }

    /// With a property of librdkafka.
    pub(crate) fn with_property(mut self, key: &str, value: &str) -> Deployment {
        self.properties.insert(key.to_owned(), format!("\"{value}\""));
        self
    }

    /// With a property of librdkafka, as TOML.
    pub(crate) fn with_written_property(mut self, key: &str, value: &str) -> Deployment {
        self.properties.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The service finds its brokers here.
    pub(crate) fn reached_at(mut self, address: &str) -> Deployment {
        self.brokers = Some(address.to_owned());
        self
    }

    /// All instances have this place for their snapshots, beside a folder each; what they need to
    /// get there stands in their environment.
    pub(crate) fn sharing(
        mut self,
        url: &str,
        environment: Vec<(&'static str, String)>,
    ) -> Deployment {
        self.shared = Some(url.to_owned());
        self.in_environment(environment)
    }

    /// All instances have this in their environment.
    pub(crate) fn in_environment(mut self, environment: Vec<(&'static str, String)>) -> Deployment {
        self.environment = environment;
        self
    }

    /// All instances keep their snapshots in the same folder.
    pub(crate) fn with_one_folder(mut self) -> Deployment {
        self.one_folder = true;
        self
    }

    /// Instances that start from now on decide by this.
    pub(crate) fn change_ruleset(&mut self, ruleset: &str) {
        self.rulesets.push(ruleset.to_owned());
    }

    /// Where the instance of this number keeps its snapshots.
    pub(crate) fn state_folder(&self, number: usize) -> PathBuf {
        let number = if self.one_folder { 0 } else { number };
        self.folder.path().join(format!("state-{number}"))
    }

    /// Starts the instance of this number; does not wait for it.
    pub(crate) fn start(&self, number: usize) -> Instance {
        self.start_with(number, &[])
    }

    /// Starts one that dies at this point of its work, the nth time that it gets there.
    pub(crate) fn start_to_crash(&self, number: usize, point: &str, nth: usize) -> Instance {
        self.start_with(number, &[("HOLDFAST_CRASH_AT", &format!("{point}:{nth}"))])
    }

    /// Starts one whose files may not grow: what it writes breaks off, as on a full disk.
    pub(crate) fn start_without_room(&self, number: usize) -> Instance {
        let mut shell = Command::new("sh");
        let limited = "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"";
        shell.args(["-c", limited, env!("CARGO_BIN_EXE_holdfast")]);
        self.spawn(number, shell, Some(Stdio::null()))
    }

    /// Starts one in this environment.
    pub(crate) fn start_with(&self, number: usize, environment: &[(&str, &str)]) -> Instance {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.envs(environment.iter().copied());
        self.spawn(number, command, None)
    }

    /// Its log goes into a file, unless it is to go elsewhere.
    fn spawn(&self, number: usize, mut command: Command, elsewhere: Option<Stdio>) -> Instance {
        command.envs(self.environment.iter().cloned());
        let (port, admin) = (free_port(), free_port());
        let name = unique(&format!("instance-{number}"));
        let path = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        std::fs::write(path("toml"), self.configuration(number, port, admin)).expect("a file");
        let log = File::create(path("log")).expect("a file");
        command.args(["run", "-c"]).arg(path("toml")).current_dir(self.folder.path());
        command.stdout(Stdio::null()).stderr(elsewhere.unwrap_or(log.into()));
        let (process, log) = (Leashed::start(&mut command, None), path("log"));
        Instance { process, port, admin, log, name }
    }

    /// A configuration for the commands that only write to its topics.
    pub(crate) fn write_configuration(&self) -> PathBuf {
        let path = self.folder.path().join("commands.toml");
        std::fs::write(&path, self.configuration(0, 0, 0)).expect("a file");
        path
    }

    /// The configuration of an instance: the ruleset, and the sections that only a service has.
    fn configuration(&self, number: usize, port: u16, admin: u16) -> String {
        let Deployment { input, output, dead_letters, group, .. } = self;
        let section = |of: &BTreeMap<String, String>| {
            of.iter().map(|(key, value)| format!("\"{key}\" = {value}\n")).collect::<String>()
        };
        format!(
            "{}\n[kafka]\nbrokers = \"{}\"\ninput = \"{}\"\noutput = \"{}\"\n\
             dead_letters = \"{}\"\ngroup = \"{group}\"\n{}\n[kafka.properties]\n{}\n\
             [state]\ndir = \"{}\"\n{}{}\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n",
            self.rulesets.last().expect("there is one"),
            self.brokers.as_ref().unwrap_or(&input.address),
            input.name,
            output.name,
            dead_letters.name,
            section(&self.kafka),
            section(&self.properties),
            self.state_folder(number).display(),
            self.shared.iter().map(|url| format!("url = \"{url}\"\n")).collect::<String>(),
            section(&self.state),
        )
    }

    /// Waits until the whole input has been decided.
    #[track_caller]
    pub(crate) fn wait_until_done(&self, longest: Duration, instances: &mut [Instance]) {
        let done = within(longest, || {
            for instance in instances.iter_mut() {
                assert!(
                    instance.ended().is_none(),
                    "{} has ended:\n{}",
                    instance.name,
                    instance.said()
                );
            }
            process::pause(200);
            self.input.is_done(&self.group).filter(|done| *done)
        });
        let (ends, committed) = (self.input.ends(), self.input.committed(&self.group));
        assert!(done.is_some(), "not done in {longest:?}: {committed:?} of {ends:?}");
    }

    /// What is to be audited.
    pub(crate) fn audit(&self) -> Audit {
        let committed = self.input.committed(&self.group).expect("the broker answers");
        let decided = (0..).zip(committed).filter_map(|(number, at)| Some((number, at?)));
        Audit {
            decided: decided.collect(),
            warms: false,
            input: self.input.clone(),
            output: self.output.clone(),
            dead_letters: self.dead_letters.clone(),
            rulesets: self.rulesets.clone(),
            began: self.began.clone(),
        }
    }

    /// The output is what a replay gives.
    #[track_caller]
    pub(crate) fn must_be_exact(&self) -> Report {
        self.audit().must_be_clean()
    }
}
