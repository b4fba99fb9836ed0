//! The pulse of a connection of bytes: heartbeats that the world sends for a client library.
//!
//! A library's own heartbeats read the real clock. So the library is told that there are none, and
//! the world sends them in its place and listens for those of the server. It looks after each half
//! of the heartbeats' time: if it has written nothing since the last look, it sends a heartbeat; if
//! it has received nothing for twice that time, it gives the connection up. Looks are background
//! timers, as those of `watch.rs`.

use crate::time::Instant;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Pulse {
    beat: &'static [u8],
    time: Duration,
    last_written: Instant,
    last_heard: Instant,
    next_look: Instant,
}

/// What to do after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing.
    Fine,
    /// Send these bytes.
    Beat(&'static [u8]),
    /// The server has been silent for too long.
    Dead,
}

impl Pulse {
    /// A pulse that starts now. `beat` is a heartbeat of the protocol, `time` the time that client
    /// and server have agreed upon.
    pub(crate) fn new(now: Instant, beat: &'static [u8], time: Duration) -> Pulse {
        let next_look = now.saturating_add(time / 2);
        Pulse { beat, time, last_written: now, last_heard: now, next_look }
    }

    pub(crate) fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Notes that the client has written something.
    pub(crate) fn wrote(&mut self, now: Instant) {
        self.last_written = now;
    }

    /// Notes that something has arrived from the server.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// The time of the next look has come.
    pub(crate) fn look(&mut self, now: Instant) -> Look {
        if now > self.last_heard.saturating_add(self.time.saturating_mul(2)) {
            return Look::Dead;
        }
        let due = self.last_written.saturating_add(self.time / 2);
        if now < due {
            self.next_look = due;
            return Look::Fine;
        }
        self.last_written = now;
        self.next_look = now.saturating_add(self.time / 2);
        Look::Beat(self.beat)
    }
}
