//! Consumers that wait for entries that others do not acknowledge (`XREADGROUP … BLOCK … CLAIM`).
//!
//! Beside its deadline, such a client has the time at which the next pending entry of its group
//! will have been idle for long enough, as far as that was known when it began to wait. Then its
//! command runs again, and may wait again until the same deadline. What became pending meanwhile is
//! seen then.
//!
//! Source: experiments with the server.

use super::Server;
use super::propagate::Sent;
use crate::redis::command::{Args, Caller};
use crate::redis::database::calendar::instant_of_ms;
use crate::redis::id::ClientId;
use crate::redis::value::{Kind, Stream};
use crate::time::Instant;
use std::collections::BTreeSet;

/// When the commands of blocked clients run again. A client is here once at most, and is blocked.
#[derive(Debug, Default)]
pub(crate) struct IdleWaits(BTreeSet<(Instant, ClientId)>);

impl IdleWaits {
    /// Returns when the first command runs again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Forgets a client that waits no longer.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.0.retain(|(_, waiting)| *waiting != client);
    }

    /// Moves every time, because the clock was set.
    pub(super) fn move_all(&mut self, to: impl Fn(Instant) -> Instant) {
        self.0 = self.0.iter().map(|(at, client)| (to(*at), *client)).collect();
    }

    /// Returns the clients that wait.
    pub(super) fn clients(&self) -> impl Iterator<Item = ClientId> {
        self.0.iter().map(|(_, client)| *client)
    }

    fn due(&self, now: Instant) -> Vec<ClientId> {
        self.0.range(..=(now, ClientId(u64::MAX))).map(|(_, client)| *client).collect()
    }
}

impl Server {
    /// Notes when a client that is blocked now may have entries that are idle for so many
    /// milliseconds.
    pub(super) fn wait_for_idle(
        &mut self,
        caller: Caller,
        keys: Args<'_>,
        group: &[u8],
        min_idle: i64,
    ) {
        let db = &self.databases[caller.database];
        let now = db.now_ms();
        let idle = |key: &&[u8]| {
            let stream = Stream::of(&db.stored(key)?.value)?;
            stream.next_idle(group, min_idle, now)
        };
        if let Some(at) = keys.iter().filter_map(idle).min() {
            let at = instant_of_ms(at, self.ahead);
            self.blocking.idle_waits.0.insert((at, caller.client));
        }
    }

    /// Runs the commands again whose entries have been idle for long enough.
    pub(super) fn run_idle_waits(&mut self) {
        for client in self.blocking.idle_waits.due(self.now) {
            self.run_blocked_again(client);
            self.publish_events();
            if self.replication.feeds {
                self.send_effects(Sent::Together);
            }
        }
    }
}
