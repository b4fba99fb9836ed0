//! The time of servers on sockets: the machine's own calendar, or a clock that only the test moves.

use crate::time::{Instant, WORLD_EPOCH};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// What it showed when it began, and everything that it was advanced by.
    base: Instant,
    /// The real moment at which it began, if it follows the real clock.
    began: Option<std::time::Instant>,
}

impl Clock {
    /// Returns a clock whose calendar is the machine's, so that `EXPIREAT` and `TIME` mean what
    /// they say.
    #[expect(clippy::disallowed_methods, reason = "a real socket wants the real clock")]
    pub(super) fn real() -> Clock {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(WORLD_EPOCH);
        let base = Instant::ZERO + since_epoch.saturating_sub(WORLD_EPOCH);
        Clock { base, began: Some(std::time::Instant::now()) }
    }

    /// Returns a clock that stands at the beginning of every world.
    pub(super) fn manual() -> Clock {
        Clock { base: Instant::ZERO, began: None }
    }

    pub(super) fn now(&self) -> Instant {
        self.base + self.began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.base += by;
    }

    /// Returns how long to wait for a moment. `None` is forever.
    pub(super) fn until(&self, at: Instant) -> Option<Duration> {
        self.began.map(|_| at - self.now())
    }
}
