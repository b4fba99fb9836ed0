//! How long a part waits before it connects again: longer each time, until it has been connected.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff(FIRST)
    }

    /// The part is connected: the next failure is a new one.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST;
    }

    /// Returns how long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(LONGEST);
        now
    }
}
