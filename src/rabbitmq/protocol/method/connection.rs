//! Options of the class connection.

use smol_str::SmolStr;
use std::fmt;
use std::time::Duration;

/// How to open a connection.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// The vhost.
    pub virtual_host: SmolStr,
    /// The user. Its permissions apply, and a message's `user-id` must be this name.
    pub user: SmolStr,
    /// The user's password.
    pub password: SmolStr,
    /// Whether the client wants to be told when a queue it consumes from is deleted (the capability
    /// `consumer_cancel_notify`). Most clients do.
    pub consumer_cancel_notify: bool,
    /// Whether the client wants to be told when the broker stops reading from it because of an
    /// alarm (the capability `connection.blocked`). Most clients do.
    pub connection_blocked: bool,
    /// Maximum number of channels; 0 means the server's limit, which is 2,047.
    pub channel_max: u16,
    /// Heartbeat timeout; zero, the default here, turns heartbeats off. AMQP carries whole seconds,
    /// so a fraction is rounded up. Without traffic, the client considers the broker dead after
    /// twice this time, and the broker considers the client dead after two to three times this
    /// time. A client in a world answers heartbeats by itself unless its node is paused. When it
    /// misses the broker's, its connection ends as
    /// [`Disconnected::TimedOut`](crate::sim::Disconnected::TimedOut).
    pub heartbeat: Duration,
}

/// Shows the heartbeat in whole seconds, as AMQP carries it. The digest of a run depends on this
/// text.
impl fmt::Debug for ConnectionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionOptions")
            .field("virtual_host", &self.virtual_host)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("consumer_cancel_notify", &self.consumer_cancel_notify)
            .field("connection_blocked", &self.connection_blocked)
            .field("channel_max", &self.channel_max)
            .field("heartbeat", &self.heartbeat_seconds())
            .finish()
    }
}

/// Vhost `/`, user `guest` with password `guest`, both notifications, no heartbeats.
impl Default for ConnectionOptions {
    fn default() -> ConnectionOptions {
        ConnectionOptions {
            virtual_host: SmolStr::new_static("/"),
            user: SmolStr::new_static("guest"),
            password: SmolStr::new_static("guest"),
            consumer_cancel_notify: true,
            connection_blocked: true,
            channel_max: 0,
            heartbeat: Duration::ZERO,
        }
    }
}

impl ConnectionOptions {
    /// The heartbeat timeout as AMQP carries it.
    pub(crate) fn heartbeat_seconds(&self) -> u16 {
        let fraction = u64::from(self.heartbeat.subsec_nanos() > 0);
        let seconds = self.heartbeat.as_secs().saturating_add(fraction);
        u16::try_from(seconds).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_options_stays_as_digests_know_it() {
        let options =
            ConnectionOptions { heartbeat: Duration::from_millis(1_500), ..Default::default() };
        assert_eq!(
            format!("{options:?}"),
            "ConnectionOptions { virtual_host: \"/\", user: \"guest\", password: \"guest\", \
             consumer_cancel_notify: true, connection_blocked: true, channel_max: 0, heartbeat: 2 }"
        );
    }
}
