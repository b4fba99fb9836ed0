//! `list_connections`.

use super::cell::{Cell, Column};
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::protocol::id::ConnectionId;
use crate::sort::sort_by_key;
use smol_str::SmolStr;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// `running`: the broker reads from it.
    Running,
    /// `blocking`: an alarm is on, and the connection is blocked when it publishes.
    Blocking,
    /// `blocked`: an alarm is on, and the broker reads nothing from it.
    Blocked,
}

impl ConnectionState {
    /// Its name: `running`, `blocking` or `blocked`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ConnectionState::Running => "running",
            ConnectionState::Blocking => "blocking",
            ConnectionState::Blocked => "blocked",
        }
    }
}

/// An open connection, as `list_connections` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionRow {
    /// Its id.
    pub id: ConnectionId,
    /// Its user.
    pub user: SmolStr,
    /// Its vhost.
    pub vhost: SmolStr,
    /// Number of its open channels.
    pub channels: usize,
    /// Maximum number of its channels.
    pub channel_max: u16,
    /// The negotiated heartbeat timeout in seconds; 0 means no heartbeats.
    pub timeout: u16,
    /// Its state.
    pub state: ConnectionState,
}

impl Broker {
    /// Returns the open connections, sorted by id.
    #[must_use]
    pub fn list_connections(&self) -> Vec<ConnectionRow> {
        let has_alarm = !self.alarms().is_empty();
        let row = |id: ConnectionId| {
            let connection = self.connections.get(&id)?;
            let state = match self.is_blocked(id) {
                true => ConnectionState::Blocked,
                false if has_alarm => ConnectionState::Blocking,
                false => ConnectionState::Running,
            };
            Some(ConnectionRow {
                id,
                user: connection.options.user.clone(),
                vhost: connection.options.virtual_host.clone(),
                channels: connection.channels.len(),
                channel_max: connection.channel_max,
                timeout: connection.options.heartbeat_seconds(),
                state,
            })
        };
        let mut rows: Vec<ConnectionRow> =
            self.connections.keys().filter_map(|id| row(*id)).collect();
        sort_by_key(&mut rows, |row| row.id);
        rows
    }
}

/// The real command shows properties of sockets, which do not exist here. The `name` of a
/// connection is its id, which is also its client's port on loopback.
pub(super) const COLUMNS: &[Column<ConnectionRow>] = &[
    ("pid", |row| row.id.into()),
    ("name", |row| row.id.into()),
    ("user", |row| (&row.user).into()),
    ("vhost", |row| (&row.vhost).into()),
    ("channels", |row| row.channels.into()),
    ("channel_max", |row| row.channel_max.into()),
    ("timeout", |row| row.timeout.into()),
    ("protocol", |_| Cell::Tuple(&[0, 9, 1])),
    ("peer_host", |_| Cell::Address([127, 0, 0, 1])),
    ("peer_port", |row| row.id.0.into()),
    ("state", |row| row.state.name().into()),
];
