//! Memory and disk alarms, and the connections they block.
//!
//! A connection is blocked when an alarm is on and it publishes: from then on
//! the broker reads nothing from it, so that everything it sends waits, the
//! body of that publish included. What is read is what [`Broker::handle_input`]
//! is given; the typed methods are behind that door and are not held up.
//!
//! Source: <https://www.rabbitmq.com/docs/alarms>, and the server's behaviour.

use super::Broker;
use crate::Instant;
use crate::rabbitmq::protocol::id::{ChannelNumber, ConnectionId};
use crate::rabbitmq::protocol::method::{Event, Method, Output};
use smol_str::SmolStr;
use std::collections::{BTreeSet, VecDeque};

/// What a broker can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alarm {
    /// `vm_memory_high_watermark` was passed.
    Memory,
    /// Less than `disk_free_limit` is free.
    Disk,
}

impl Alarm {
    /// What blocked connections are told: `memory`, `disk`.
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

/// What alarms do to one connection.
#[derive(Debug, Default)]
pub(super) enum Block {
    #[default]
    None,
    /// It has published: nothing more is read; this waits.
    Blocked(VecDeque<(ChannelNumber, Method)>),
}

impl Broker {
    /// Sets an alarm on or off. When the last goes off, connections that were
    /// blocked are told, and what they have sent meanwhile is done.
    pub fn set_alarm(&mut self, now: Instant, alarm: Alarm, on: bool) {
        if on {
            self.alarms.insert(alarm);
        } else if self.alarms.remove(&alarm) && self.alarms.is_empty() {
            let mut all: Vec<ConnectionId> = self.connections.keys().copied().collect();
            all.sort_unstable();
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

    /// Whether a connection is blocked by an alarm.
    #[must_use]
    pub fn is_blocked(&self, connection: ConnectionId) -> bool {
        let connection = self.connections.get(&connection);
        connection.is_some_and(|connection| matches!(connection.block, Block::Blocked(_)))
    }

    /// What a connection sends: given back if it is to be done now, kept if the
    /// connection is blocked, or is blocked by it.
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
