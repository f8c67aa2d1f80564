//! How far a run is: a bar on a terminal, a plain line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at the clock, in lines.
const LOOK_EVERY: u64 = 8192;

/// The progress of a run.
pub struct Progress {
    began: Instant,
    bar: Option<ProgressBar>,
    said: Instant,
    total_bytes: Option<u64>,
    lines: u64,
    quiet: bool,
}

impl Progress {
    /// Of a run over so many bytes, if that is known. `quiet`: says nothing.
    pub fn new(total_bytes: Option<u64>, quiet: bool) -> Progress {
        let terminal = console_is_terminal() && !quiet;
        let bar = terminal.then(|| {
            let bar = match total_bytes {
                Some(total) => ProgressBar::new(total),
                None => ProgressBar::new_spinner(),
            };
            let style = match total_bytes {
                Some(_) => "{bar:30} {percent:>3} %  {msg}  {eta} left",
                None => "{spinner} {bytes} read  {msg}",
            };
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.with_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        Progress { began: now(), bar, said: now(), total_bytes, lines: 0, quiet }
    }

    /// So many lines more have been done, and so many bytes read in all.
    pub fn at(&mut self, lines: usize, bytes: u64) {
        let before = self.lines;
        self.lines += lines as u64;
        if self.lines / LOOK_EVERY == before / LOOK_EVERY {
            return;
        }
        let events = self.lines;
        let rate = events as f64 / self.seconds().max(1e-3);
        let message = format!("{events} events, {rate:.0} a second");
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(message);
        } else if !self.quiet && self.said.elapsed() >= PLAIN_EVERY {
            self.said = now();
            match self.total_bytes {
                Some(total) => {
                    let percent = 100.0 * bytes as f64 / total.max(1) as f64;
                    eprintln!("{percent:.0} % of the input: {message}");
                }
                None => eprintln!("{message}"),
            }
        }
    }

    /// The time since the beginning, in seconds.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Takes the bar away.
    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn console_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

#[expect(clippy::disallowed_methods, reason = "how long a run takes is for people")]
fn now() -> Instant {
    Instant::now()
}
