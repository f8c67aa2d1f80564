//! One process of the service, as its operators have it: a signal, an exit code, two pages, a log.

use std::{path::PathBuf, time::Duration};

use serde_json::Value;

use crate::support::{
    process::{Leashed, last_lines, within},
    web,
};

const READY: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(60);

/// One process of the service.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(super) process: Leashed,
    /// Of its metrics and its health.
    pub(super) port: u16,
    /// Of its state.
    pub(super) admin: u16,
    pub(super) log: PathBuf,
    pub(super) name: String,
}

impl Instance {
    /// The status and the body that its metrics port gives.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        ask(self.port, "GET", path)
    }

    /// The status and the body that its admin port gives.
    pub(crate) fn admin(&self, path: &str) -> Option<(u16, String)> {
        ask(self.admin, "GET", path)
    }

    /// The status and the body that its admin port gives to another method.
    pub(crate) fn admin_by(&self, method: &str, path: &str) -> Option<(u16, String)> {
        ask(self.admin, method, path)
    }

    /// All of its log.
    pub(crate) fn whole_log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where its log is.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.log.clone()
    }

    /// Where its metrics and its health are.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// What it says stands in the way of being ready.
    pub(crate) fn obstacles(&self) -> Vec<String> {
        let body = self.get("/readyz").map(|(_, body)| body).unwrap_or_default();
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let reasons = body["reasons"].as_array().into_iter().flatten();
        reasons.filter_map(|one| one["reason"].as_str().map(str::to_owned)).collect()
    }

    /// Does this stand in the way?
    pub(crate) fn is_held_by(&self, obstacle: &str) -> bool {
        self.obstacles().iter().any(|one| one == obstacle)
    }

    /// Waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        let ready = within(READY, || {
            let ended = self.process.ended().map(|_| false);
            ended.or_else(|| self.is_ready().then_some(true))
        });
        assert!(ready == Some(true), "{} does not get ready:\n{}", self.name, self.said());
    }

    /// The code that it has ended with, or -1 if it was killed.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.process.ended().map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> i32 {
        let status = self.process.wait(END);
        let status = status.unwrap_or_else(|| panic!("{} goes on:\n{}", self.name, self.said()));
        status.code().unwrap_or(-1)
    }

    /// Asks it to end, and waits for that.
    #[track_caller]
    pub(crate) fn terminate(mut self) {
        self.process.signal("TERM");
        let code = self.wait_for_end();
        // Asked before it could hear it, it has begun nothing.
        let unheard = code == -1 && self.whole_log().is_empty();
        assert!(code == 0 || unheard, "{} ends with {code}:\n{}", self.name, self.said());
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// It is no longer given any time, as on a machine that swaps.
    pub(crate) fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// It goes on, and does not know that it was gone.
    pub(crate) fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// The end of its log.
    pub(crate) fn said(&self) -> String {
        last_lines(&self.log, 40)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- {} said last:\n{}", self.name, self.said());
        }
    }
}

fn ask(port: u16, method: &str, path: &str) -> Option<(u16, String)> {
    web::ask(port, method, path, Duration::from_secs(5))
}
