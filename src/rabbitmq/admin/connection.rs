//! `list_connections`.

use super::cell::Cell;
use super::ctl::Column;
use crate::rabbitmq::broker::Broker;
use crate::rabbitmq::id::ConnectionId;
use smol_str::SmolStr;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// `running`: it is read from.
    Running,
    /// `blocking`: an alarm is on, and it is blocked as soon as it publishes.
    Blocking,
    /// `blocked`: an alarm is on, and nothing is read from it.
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

/// A connection that is open, as `list_connections` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionRow {
    /// Which it is.
    pub id: ConnectionId,
    /// The user it opened as.
    pub user: SmolStr,
    /// The vhost it opened.
    pub vhost: SmolStr,
    /// How many channels it has open.
    pub channels: usize,
    /// How many it may have.
    pub channel_max: u16,
    /// The heartbeat timeout agreed on, in seconds; 0 is none.
    pub timeout: u16,
    /// What it is at.
    pub state: ConnectionState,
}

impl Broker {
    /// The connections that are open, by id.
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
                timeout: connection.options.heartbeat,
                state,
            })
        };
        let mut rows: Vec<ConnectionRow> =
            self.connections.keys().filter_map(|id| row(*id)).collect();
        rows.sort_unstable_by_key(|row| row.id);
        rows
    }
}

impl ConnectionRow {
    /// The port of its client's end. There are no sockets here: every client is on 127.0.0.1, and
    /// has a port of its own in the range that Linux gives to clients.
    #[must_use]
    pub fn peer_port(&self) -> u16 {
        const FIRST: u64 = 32_768;
        const COUNT: u64 = 28_232;
        u16::try_from(FIRST + self.id.0 % COUNT).expect("the range ends below 2^16")
    }
}

/// A connection's `name` is its id.
pub(super) const COLUMNS: &[Column<ConnectionRow>] = &[
    ("pid", |row| Cell::text(row.id)),
    ("name", |row| Cell::text(row.id)),
    ("user", |row| Cell::text(&row.user)),
    ("vhost", |row| Cell::text(&row.vhost)),
    ("channels", |row| Cell::number(row.channels)),
    ("channel_max", |row| Cell::number(row.channel_max)),
    ("timeout", |row| Cell::number(row.timeout)),
    ("protocol", |_| Cell::Numbers("{0,9,1}", &[0, 9, 1])),
    ("peer_host", |_| Cell::Numbers("127.0.0.1", &[127, 0, 0, 1])),
    ("peer_port", |row| Cell::number(row.peer_port())),
    ("state", |row| Cell::text(row.state.name())),
];
