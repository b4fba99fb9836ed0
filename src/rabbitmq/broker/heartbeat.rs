//! Heartbeats: how the broker tells a silent connection from a dead one.
//!
//! With a timeout of T, the broker checks every T/2 whether it has sent anything, and sends a
//! heartbeat if it has not; at its first check it always sends one. Every T it checks whether it
//! has received anything. If it has received nothing at two such checks in a row, it considers the
//! connection dead: between two and three T after the last traffic.
//!
//! Source: <https://www.rabbitmq.com/docs/heartbeats>, and the server's module `rabbit_heartbeat`.

use super::Broker;
use super::timer::Timer;
use crate::Instant;
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Output};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Heartbeats {
    timeout: Duration,
    /// The next checks: whether anything was sent, and whether anything was received.
    next_send: Instant,
    next_check: Instant,
    /// Since the last check.
    has_sent: bool,
    has_heard: bool,
    /// Whether the first check for sent traffic has happened.
    has_looked: bool,
    /// Number of checks in a row at which nothing had been received.
    silent: u32,
}

impl Heartbeats {
    fn new(now: Instant, timeout: Duration) -> Heartbeats {
        Heartbeats {
            timeout,
            next_send: now.saturating_add(timeout / 2),
            next_check: now.saturating_add(timeout),
            has_sent: false,
            has_heard: false,
            has_looked: false,
            silent: 0,
        }
    }

    fn next(&self) -> Instant {
        self.next_send.min(self.next_check)
    }
}

impl Broker {
    /// Starts the heartbeats of a connection, if it wants any.
    pub(super) fn start_heartbeats(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let seconds = connection.options.heartbeat_seconds();
        if seconds > 0 {
            let heartbeats = Heartbeats::new(now, Duration::from_secs(seconds.into()));
            self.timers.set(heartbeats.next(), Timer::Connection(id));
            connection.heartbeats = Some(Box::new(heartbeats));
            self.has_heartbeats = true;
        }
    }

    /// Notes that bytes of a connection have arrived, even if they are no complete method.
    /// [`Broker::handle_input`] does this itself.
    pub fn heard(&mut self, connection: ConnectionId) {
        if self.has_heartbeats
            && let Some(connection) = self.connections.get_mut(&connection)
            && let Some(heartbeats) = &mut connection.heartbeats
        {
            heartbeats.has_heard = true;
        }
    }

    /// Notes that something is sent to a connection.
    pub(super) fn sent(&mut self, connection: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&connection)
            && let Some(heartbeats) = &mut connection.heartbeats
        {
            heartbeats.has_sent = true;
        }
    }

    pub(super) fn check_heartbeats(&mut self, now: Instant, at: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(heartbeats) = connection.heartbeats.as_mut().filter(|h| h.next() == at) else {
            return;
        };
        let mut is_due = false;
        if heartbeats.next_send <= now {
            let has_looked = std::mem::replace(&mut heartbeats.has_looked, true);
            is_due = !std::mem::take(&mut heartbeats.has_sent) || !has_looked;
            heartbeats.next_send = heartbeats.next_send.saturating_add(heartbeats.timeout / 2);
        }
        if heartbeats.next_check <= now {
            let has_heard = std::mem::take(&mut heartbeats.has_heard);
            heartbeats.silent = if has_heard { 0 } else { heartbeats.silent + 1 };
            heartbeats.next_check = heartbeats.next_check.saturating_add(heartbeats.timeout);
        }
        let is_dead = heartbeats.silent >= 2;
        self.timers.set(heartbeats.next(), Timer::Connection(id));
        let say = |event| Output { connection: id, channel: ChannelNumber(0), event };
        if is_dead {
            self.connection_lost(now, id);
            self.outputs.push(say(Event::ConnectionLost));
        } else if is_due {
            self.outputs.push(say(Event::Heartbeat));
        }
    }
}
