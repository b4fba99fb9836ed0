//! Memory and disk alarms, and the connections that they block.
//!
//! A connection is blocked when an alarm is on and the connection publishes. From then on the
//! broker reads nothing from it, so everything that it sends waits, including the body of that
//! publish. This applies to [`Broker::handle_input`] only; the typed methods are not held up.
//!
//! Source: <https://www.rabbitmq.com/docs/alarms>, and the server's behaviour.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Method, Output};
use crate::sort::sort_by;
use smol_str::SmolStr;
use std::collections::{BTreeSet, VecDeque};

/// A resource that a broker can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alarm {
    /// Memory use is above `vm_memory_high_watermark`.
    Memory,
    /// Free disk space is below `disk_free_limit`.
    Disk,
}

impl Alarm {
    /// The name in the message to blocked connections: `memory`, `disk`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Alarm::Memory => "memory",
            Alarm::Disk => "disk",
        }
    }
}

/// The alarms that are on.
pub(super) type Alarms = BTreeSet<Alarm>;

/// The effect of alarms on one connection.
#[derive(Debug, Default)]
pub(super) enum Block {
    #[default]
    None,
    /// It has published: the broker reads nothing more, and these methods wait.
    Blocked(VecDeque<(ChannelNumber, Method)>),
}

impl Broker {
    /// Sets an alarm on or off. When the last alarm goes off, blocked connections are told, and
    /// everything that they have sent in the meantime is processed.
    pub fn set_alarm(&mut self, now: Instant, alarm: Alarm, on: bool) {
        if on {
            self.alarms.insert(alarm);
        } else if self.alarms.remove(&alarm) && self.alarms.is_empty() {
            let mut all: Vec<ConnectionId> = self.connections.keys().copied().collect();
            sort_by(&mut all, Ord::cmp);
            for id in all {
                self.unblock_connection(now, id);
            }
        }
    }

    /// The alarms that are on.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.alarms.iter().copied().collect()
    }

    /// Returns whether an alarm blocks a connection.
    #[must_use]
    pub fn is_blocked(&self, connection: ConnectionId) -> bool {
        let connection = self.connections.get(&connection);
        connection.is_some_and(|connection| matches!(connection.block, Block::Blocked(_)))
    }

    /// Returns a client's method if it is to run now. Keeps it if the connection is blocked, or
    /// becomes blocked by it.
    pub(super) fn read(
        &mut self,
        id: ConnectionId,
        channel: ChannelNumber,
        method: Method,
    ) -> Option<Method> {
        if self.alarms.is_empty() {
            return Some(method);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return Some(method) };
        if let Block::Blocked(waiting) = &mut connection.block {
            waiting.push_back((channel, method));
            return None;
        }
        let Method::BasicPublish(publish) = &method else { return Some(method) };
        let is_whole = publish.body.is_empty();
        let waiting = if is_whole { None } else { Some((channel, method.clone())) };
        connection.block = Block::Blocked(waiting.into_iter().collect());
        if connection.options.connection_blocked {
            let names: Vec<&str> = self.alarms.iter().map(|alarm| alarm.name()).collect();
            let reason = SmolStr::from(format!("low on {}", names.join(" & ")));
            let event = Event::ConnectionBlocked { reason };
            self.outputs.push(Output { connection: id, channel: ChannelNumber(0), event });
        }
        is_whole.then_some(method)
    }

    fn unblock_connection(&mut self, now: Instant, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Block::Blocked(waiting) = std::mem::take(&mut connection.block) else { return };
        if connection.options.connection_blocked {
            let event = Event::ConnectionUnblocked;
            self.outputs.push(Output { connection: id, channel: ChannelNumber(0), event });
        }
        for (channel, method) in waiting {
            self.handle_input(now, id, channel, method);
        }
    }
}
