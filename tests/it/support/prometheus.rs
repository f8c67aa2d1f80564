//! A real Prometheus, with the project's rules at sixty times their pace: what they call a minute is
//! a second here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    binary::repository,
    process::{Leashed, free_port, within},
    web::{self, encoded},
};

/// `prometheus` or `promtool`, as the project's own script brings them.
pub(crate) fn program(name: &str) -> PathBuf {
    let script = repository(".ci/tools");
    let done = Command::new(script).arg("prometheus").stderr(Stdio::inherit()).output();
    let done = done.expect("bash runs");
    assert!(done.status.success(), "Prometheus cannot be had: see above");
    Path::new(String::from_utf8_lossy(&done.stdout).trim()).join(name)
}

/// A file of rules in which minutes are seconds.
pub(crate) fn sixtyfold(rules: &str) -> String {
    let length = Regex::new(r"\b(\d+)([mhd])\b").expect("it is one");
    let faster = length.replace_all(rules, |found: &regex::Captures<'_>| {
        let number: u32 = found[1].parse().expect("digits");
        match &found[2] {
            "m" => format!("{number}s"),
            "h" => format!("{number}m"),
            _ => format!("{}m", number * 24),
        }
    });
    faster.replace("* 60", "* 1")
}

/// One that scrapes what it is told to, each second.
#[derive(Debug)]
pub(crate) struct Prometheus {
    _process: Leashed,
    port: u16,
    folder: TempDir,
}

const CONFIGURATION: &str = r#"
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: holdfast
    file_sd_configs:
      - files: [targets.json]
        refresh_interval: 1s
"#;

impl Prometheus {
    /// With the rules that are deployed.
    pub(crate) fn start() -> Prometheus {
        let folder = tempfile::Builder::new().prefix("holdfast-prometheus-").tempdir();
        let folder = folder.expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("rules")).expect("a folder");
        for name in ["recording.yml", "alerts.yml"] {
            let rules = fs::read_to_string(repository("deploy/prometheus").join(name));
            let rules = sixtyfold(&rules.expect("it is there"));
            fs::write(path("rules").join(name), rules).expect("a file");
        }
        fs::write(path("prometheus.yml"), CONFIGURATION).expect("a file");
        fs::write(path("targets.json"), "[]").expect("a file");
        let port = free_port();
        let mut command = Command::new(program("prometheus"));
        command.arg(format!("--config.file={}", path("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", path("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.args(["--log.level=error"]).stdout(Stdio::null());
        let process = Leashed::start(&mut command, Some(folder.path()));
        let up = || web::get(port, "/-/ready").filter(|(status, _)| *status == 200);
        within(Duration::from_secs(30), up).expect("Prometheus gets ready");
        Prometheus { _process: process, port, folder }
    }

    /// From now on these ports are scraped, and no others.
    pub(crate) fn scrape(&self, ports: &[u16]) {
        let targets: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let list = serde_json::json!([{ "targets": targets }]).to_string();
        let new = self.folder.path().join("targets.new");
        fs::write(&new, list).expect("a file");
        fs::rename(new, self.folder.path().join("targets.json")).expect("a file is renamed");
    }

    #[track_caller]
    fn ask(&self, path: &str) -> Value {
        let (status, body) = web::get(self.port, path).expect("Prometheus answers");
        assert_eq!(status, 200, "{path}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["data"].clone()
    }

    /// What a query gives now: labels and value of each sample that is a number.
    #[track_caller]
    pub(crate) fn query(&self, expr: &str) -> Vec<(Value, f64)> {
        let data = self.ask(&format!("/api/v1/query?query={}", encoded(expr)));
        let samples = data["result"].as_array().expect("a vector");
        let number = |sample: &Value| sample["value"][1].as_str()?.parse::<f64>().ok();
        let all = samples.iter().filter_map(|one| Some((one["metric"].clone(), number(one)?)));
        all.filter(|(_, value)| !value.is_nan()).collect()
    }

    /// The values of a label of these series.
    pub(crate) fn label_values(&self, selector: &str, label: &str) -> Vec<String> {
        let (selector, label) = (encoded(selector), encoded(label));
        let data = self.ask(&format!("/api/v1/label/{label}/values?match[]={selector}"));
        let values = data.as_array().expect("a list").iter();
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// The rules that it evaluates.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let data = self.ask("/api/v1/rules");
        let groups = data["groups"].as_array().expect("a list");
        groups.iter().flat_map(|group| group["rules"].as_array().expect("a list").clone()).collect()
    }

    /// The alerts that fire, each with its labels and annotations.
    pub(crate) fn firing(&self) -> Vec<Value> {
        let data = self.ask("/api/v1/alerts");
        let alerts = data["alerts"].as_array().expect("a list");
        alerts.iter().filter(|alert| alert["state"] == "firing").cloned().collect()
    }
}
