//! The calendar clock of the server's machine, which can be set.
//!
//! Redis uses it (`mstime`) to expire keys, to time out blocked clients and to end a `CLIENT
//! PAUSE`. Expiry times of keys are kept as calendar times, so a jump brings them nearer or
//! farther. Deadlines are kept as instants of the monotonic clock that drives the server, so a jump
//! moves them by the same amount in the other direction. Saves, syncs and `DEBUG SLEEP` do not
//! follow the calendar.
//!
//! Source: Redis 7.0's `server.c` (`mstime`), `timeout.c`.

use super::Server;
use crate::redis::command::arguments::Timeouts;
use crate::redis::database::calendar::{calendar, calendar_ms, moved};
use crate::time::Instant;
use std::time::Duration;

impl Server {
    /// Sets the calendar clock of the server's machine ahead of [`Instant::since_unix_epoch`] by
    /// this much from now on. After a jump ahead, keys expire, blocked clients time out and a
    /// `CLIENT PAUSE` ends that much sooner, as with the real server.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stunt_double::redis::ServerOptions;
    /// use stunt_double::redis::server::Server;
    /// use stunt_double::{Instant, Site, Stream};
    ///
    /// let mut server = Server::new(ServerOptions::default(), Stream::calm(Site::new("redis"), 0));
    /// let leases = server.database(0).unwrap();
    /// leases.set(b"lease", b"mine", Default::default())?;
    /// leases.pexpire(b"lease", Duration::from_secs(30));
    /// server.set_clock_ahead(Instant::ZERO, Duration::from_secs(60));
    /// assert!(!server.database(0).unwrap().exists(b"lease"));
    /// # Ok::<(), stunt_double::redis::CommandError>(())
    /// ```
    pub fn set_clock_ahead(&mut self, now: Instant, by: Duration) {
        self.set_clock_offset(now, offset(by));
    }

    /// Sets the calendar clock of the server's machine behind [`Instant::since_unix_epoch`] by this
    /// much from now on; see [`Server::set_clock_ahead`]. After a jump back, everything that
    /// depends on the calendar happens that much later.
    pub fn set_clock_behind(&mut self, now: Instant, by: Duration) {
        self.set_clock_offset(now, -offset(by));
    }

    /// Sets the calendar clock this many nanoseconds ahead; behind, if negative.
    pub(crate) fn set_clock_offset(&mut self, now: Instant, ahead: i64) {
        self.advance(now);
        if let Some(session) = &mut self.watchers.hot_keys {
            session.clock_jumps(calendar_ms(now, self.ahead), calendar_ms(now, ahead));
        }
        let back = self.ahead.saturating_sub(ahead);
        self.ahead = ahead;
        self.blocking.move_deadlines(|at| moved(at, back));
        if let Some(pause) = &mut self.paused {
            pause.until = moved(pause.until, back);
        }
        for database in &mut self.databases {
            database.set_ahead(ahead);
        }
        self.handle_timeout(now);
    }

    /// Returns the calendar time at an instant.
    pub(crate) fn calendar(&self, at: Instant) -> Duration {
        calendar(at, self.ahead)
    }

    /// Returns the rules for times to wait, from now on.
    pub(crate) fn timeouts(&self) -> Timeouts {
        Timeouts::new(self.now, self.calendar(self.now), &self.profile().arguments)
    }
}

/// Returns a clock's offset in nanoseconds, at most 292 years.
fn offset(by: Duration) -> i64 {
    i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)
}
