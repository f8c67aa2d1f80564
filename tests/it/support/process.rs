//! Other processes: signals to them, ports for them, and that none outlives the tests.

#![allow(clippy::disallowed_methods, reason = "tests of processes wait for them")]

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// Waits until nobody holds the other end of its input. A signal to all of a terminal's processes is
/// not for it, and a folder may be written to until the process is gone.
const WATCH: &str = r#"
trap '' HUP INT TERM
cat > /dev/null
kill -KILL "$0" 2> /dev/null
[ -z "$1" ] || for _ in 1 2 3 4 5; do rm -rf "$1" && break; sleep 1; done
"#;

/// A process that ends with whoever holds this: when it is dropped, and also when the tests
/// themselves are killed, because a shell waits at the other end of a pipe for them to be gone.
#[derive(Debug)]
pub(crate) struct Leashed {
    child: Child,
    watch: Child,
}

impl Leashed {
    /// Starts a command. `folder` is removed if the tests are killed.
    pub(crate) fn start(command: &mut Command, folder: Option<&Path>) -> Leashed {
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
            panic!("{} cannot be started: {error}", command.get_program().display())
        });
        let mut watch = Command::new("sh");
        watch.arg("-c").arg(WATCH).arg(child.id().to_string());
        watch.arg(folder.unwrap_or(Path::new("")));
        let watch = watch.stdin(Stdio::piped()).spawn().expect("a shell");
        Leashed { child, watch }
    }

    /// Sends a signal: `TERM`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -$0 $1", name, &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "SIG{name} cannot be sent to {id}");
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its end, if it has come.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, longest: Duration) -> Option<ExitStatus> {
        within(longest, || self.ended())
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        // The watch first: a process id is used again.
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        self.kill();
    }
}

/// Asks again and again until there is an answer.
pub(crate) fn within<T>(longest: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if began.elapsed() > longest {
            return None;
        }
        pause(20);
    }
}

/// Waits for so many ms.
pub(crate) fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// A setting of the tests, from the environment.
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// A port that nobody listens on. It lies below those that systems give to outgoing connections:
/// a client that tries to reach a dead broker there would, once in a while, reach itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let tried = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + (std::process::id().wrapping_mul(97) + tried) % 20_000;
        if TcpListener::bind(("127.0.0.1", port as u16)).is_ok() {
            return port as u16;
        }
    }
}

/// The end of a file, for whoever reads of a failure.
pub(crate) fn last_lines(path: &Path, count: usize) -> String {
    let Ok(file) = std::fs::File::open(path) else { return String::new() };
    let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
