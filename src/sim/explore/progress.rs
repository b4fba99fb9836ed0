//! The progress of a long sweep, on a terminal.
//!
//! Nothing is written to a pipe or a file, and nothing during the first seconds.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The time before the first line, and between two.
const FIRST: Duration = Duration::from_secs(2);
const BETWEEN: Duration = Duration::from_millis(500);

pub(super) struct Progress {
    began: Instant,
    is_terminal: bool,
    /// When the next line is due, in milliseconds from the beginning.
    next: AtomicU64,
    has_written: AtomicBool,
}

impl Progress {
    #[expect(clippy::disallowed_methods, reason = "it is told to people only")]
    pub(super) fn begin() -> Progress {
        let next = AtomicU64::new(FIRST.as_millis() as u64);
        let is_terminal = std::io::stderr().is_terminal();
        Progress { began: Instant::now(), is_terminal, next, has_written: AtomicBool::new(false) }
    }

    /// Returns the wall time since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes a line, if one is due. `ran` of `count` seeds have run.
    pub(super) fn tell(&self, ran: u64, count: u64, limit: Option<Duration>, failures: usize) {
        if !self.is_terminal {
            return;
        }
        let elapsed = self.elapsed();
        let (now, due) = (elapsed.as_millis() as u64, self.next.load(Relaxed));
        let next = now + BETWEEN.as_millis() as u64;
        if now < due || self.next.compare_exchange(due, next, Relaxed, Relaxed).is_err() {
            return;
        }
        self.has_written.store(true, Relaxed);
        write(&line(elapsed, ran, count, limit, failures));
    }
}

/// Clears the line.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.has_written.load(Relaxed) {
            write("");
        }
    }
}

fn write(line: &str) {
    // Not being able to write is no reason to fail.
    let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
}

fn line(
    elapsed: Duration,
    ran: u64,
    count: u64,
    limit: Option<Duration>,
    failures: usize,
) -> String {
    let rate = ran as f64 / elapsed.as_secs_f64().max(1e-9);
    let left = match limit {
        Some(limit) => limit.saturating_sub(elapsed).as_secs(),
        None => (count.saturating_sub(ran) as f64 / rate.max(1e-9)) as u64,
    };
    let of = if limit.is_some() { String::new() } else { format!(" of {count}") };
    format!("{ran}{of} seeds, {rate:.0} a second, {left} s left, {failures} failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let ten = Duration::from_secs(10);
        let told = line(ten, 500, 2_000, None, 1);
        assert_eq!(told, "500 of 2000 seeds, 50 a second, 30 s left, 1 failed");
        let told = line(ten, 500, u64::MAX, Some(Duration::from_secs(600)), 0);
        assert_eq!(told, "500 seeds, 50 a second, 590 s left, 0 failed");
    }
}
