//! Limits on clients: how many may connect, how long they may be idle, and how much memory they may
//! use together.
//!
//! A client's memory is what the real server counts for one that has been idle for some seconds:
//! its structure, what it has sent ahead, what it has queued, and what it watches and listens to.
//! Replies are not counted, as they leave at once. If the clients together exceed the limit
//! (`maxmemory-clients`), those that use most are closed, by powers of two, and within such a class
//! the oldest first.
//!
//! Source: `networking.c` (`acceptCommonHandler`, `getClientMemoryUsage`, `evictClients`),
//! `timeout.c` (`clientsCronHandleTimeout`).

use super::pubsub::Kind;
use super::session::QueueSize;
use super::{ClientId, Server, Session};
use crate::redis::database::calendar::{calendar_ms, instant_of_ms};
use crate::redis::database::memory;
use crate::redis::error::CommandError;
use crate::redis::reply::Protocol;
use crate::time::Instant;
use std::time::Duration;

/// Greatest memory that all clients may use together (`maxmemory-clients`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientMemory {
    Unlimited,
    Bytes(u64),
    /// A percentage of `maxmemory`.
    Percent(u64),
}

/// The least limit: with less, nobody could talk to the server.
const LEAST: u64 = 128 * 1_024;

/// The classes of clients by powers of two begin and end with these.
const CLASSES: (u32, u32) = (15, 33);

/// Bytes of a client that has nothing, of a watched key, of a pattern, of a queued command, and of
/// each of its words beside the text.
const CLIENT: usize = 1_800;
const WATCH: usize = 56;
const PATTERN: usize = 24;
const QUEUED: usize = 24;
const QUEUED_WORD: usize = 8;

/// Returns the class of a client that uses this much memory.
fn class(bytes: usize) -> u32 {
    (usize::BITS - bytes.leading_zeros()).clamp(CLASSES.0, CLASSES.1)
}

impl QueueSize {
    /// Returns the memory of the words alone.
    pub(crate) fn memory_of_words(self) -> usize {
        self.bytes + QUEUED_WORD * self.words
    }
}

impl Session {
    /// Returns the size of what was queued since `MULTI`, or is run by `EXEC`.
    pub(crate) fn queue_size(&self) -> Option<QueueSize> {
        self.multi.as_ref().map(|multi| multi.size()).or(self.executing.as_deref().copied())
    }

    /// Returns the size of the requests that wait until the client is released.
    pub(crate) fn sent_ahead(&self) -> usize {
        self.pending.iter().flatten().map(|word| word.len()).sum()
    }
}

impl Server {
    /// Returns the memory of a client (`tot-mem` in `CLIENT LIST`).
    pub(crate) fn client_memory(&self, client: ClientId, session: &Session) -> usize {
        let count = |kind| self.pubsub.count(client, kind);
        let channels =
            memory::expiries(count(Kind::Channel)) + memory::expiries(count(Kind::Shard));
        let queued = session.queue_size().unwrap_or_default();
        CLIENT
            + session.sent_ahead()
            + queued.memory_of_words()
            + QUEUED * queued.commands
            + WATCH * session.watches.len()
            + PATTERN * count(Kind::Pattern)
            + channels
    }

    /// Returns the number of clients, without replicas and without those that stand for a script or
    /// the operator.
    pub(crate) fn connected_clients(&self) -> usize {
        let replicas = &self.replication.replicas;
        let counts = |(client, session): &(&ClientId, &Session)| {
            session.id != 0 && !replicas.contains_key(*client)
        };
        self.sessions.iter().filter(counts).count()
    }

    /// Returns the memory of all clients but replicas.
    pub(crate) fn memory_of_clients(&self) -> usize {
        self.sizes_of_clients().map(|(_, bytes, _)| bytes).sum()
    }

    /// Returns the clients that count against the limit, with their memory and whether they are
    /// kept.
    fn sizes_of_clients(&self) -> impl Iterator<Item = (ClientId, usize, bool)> {
        let replicas = &self.replication.replicas;
        let sessions = self.sessions.iter().filter(|(client, _)| !replicas.contains_key(*client));
        sessions.map(|(client, session)| {
            (*client, self.client_memory(*client, session), session.no_evict())
        })
    }

    /// Returns the memory and the number of the clients of each class that may be evicted, if there
    /// is a limit.
    pub(crate) fn client_classes(&self) -> Option<Vec<(usize, usize)>> {
        if self.config.client_memory == ClientMemory::Unlimited {
            return None;
        }
        let mut classes = vec![(0, 0); (CLASSES.1 - CLASSES.0 + 1) as usize];
        for (_, bytes, kept) in self.sizes_of_clients() {
            if !kept {
                let (sum, clients) = &mut classes[(class(bytes) - CLASSES.0) as usize];
                *sum += bytes;
                *clients += 1;
            }
        }
        Some(classes)
    }

    fn client_memory_limit(&self) -> Option<u64> {
        let limit = match self.config.client_memory {
            ClientMemory::Unlimited => return None,
            ClientMemory::Bytes(bytes) => bytes,
            ClientMemory::Percent(_) if self.config.max_memory == 0 => return None,
            ClientMemory::Percent(percent) => {
                u64::try_from(u128::from(self.config.max_memory) * u128::from(percent) / 100)
                    .unwrap_or(u64::MAX)
            }
        };
        Some(limit.max(LEAST))
    }

    /// Closes the clients that use most memory, until the others are within the limit.
    #[inline]
    pub(super) fn evict_clients(&mut self) {
        if self.config.client_memory != ClientMemory::Unlimited {
            self.evict_largest_clients();
        }
    }

    #[cold]
    fn evict_largest_clients(&mut self) {
        let Some(limit) = self.client_memory_limit() else { return };
        let sizes: Vec<(ClientId, usize, bool)> = self.sizes_of_clients().collect();
        let mut used: u64 = sizes.iter().map(|(_, bytes, _)| *bytes as u64).sum();
        let mut evictable: Vec<(ClientId, usize)> = sizes
            .into_iter()
            .filter(|(.., kept)| !kept)
            .map(|(id, bytes, _)| (id, bytes))
            .collect();
        // The sort is stable, so that the oldest client of a class comes first.
        evictable.sort_by_key(|(_, bytes)| std::cmp::Reverse(class(*bytes)));
        for (client, bytes) in evictable {
            if used < limit {
                return;
            }
            used -= bytes as u64;
            self.stats.evicted_clients += 1;
            self.close(client);
        }
    }

    /// Refuses a connection if there are too many. Returns whether it did.
    pub(super) fn is_full_for(&mut self, client: ClientId) -> bool {
        let full = self.sessions.len() as u64 >= self.config.max_clients;
        if full {
            let error = CommandError::text("ERR max number of clients reached");
            self.stats.rejected_connections += 1;
            self.outbox.reply(client, Protocol::Resp2, error.into());
            self.outbox.close(client);
        }
        full
    }

    /// Returns whether a client may be closed because it is idle. Those that wait for something
    /// may not.
    fn may_idle_out(&self, client: ClientId, session: &Session) -> bool {
        !session.postponed
            && !self.blocking.is_blocked(client)
            && !self.pubsub.is_subscriber(client)
            && !self.watchers.monitors.contains(&client)
            && !self.replication.replicas.contains_key(&client)
    }

    /// Returns when a client has been idle for too long. The server counts whole seconds of its
    /// calendar.
    fn idles_out_at(&self, session: &Session) -> Instant {
        let since = calendar_ms(session.last_used, self.ahead).div_euclid(1_000);
        let secs = since.saturating_add(self.config.timeout).saturating_add(1);
        instant_of_ms(secs.saturating_mul(1_000), self.ahead)
    }

    /// Returns when the next idle client is closed, if any will be.
    pub(super) fn next_idle_timeout(&self) -> Option<Instant> {
        if self.config.timeout == 0 || self.cron_paused {
            return None;
        }
        let idle = self
            .sessions
            .iter()
            .filter(|(client, session)| !session.closing && self.may_idle_out(**client, session));
        let next = idle.map(|(_, session)| self.idles_out_at(session)).min();
        // A client whose time has come while it waited is closed a little later.
        next.map(|at| at.max(self.now))
    }

    /// Closes the clients that have been idle for too long.
    pub(super) fn close_idle_clients(&mut self) {
        if self.config.timeout == 0 || self.cron_paused {
            return;
        }
        let now = self.now;
        let idle = self.sessions.iter().filter(|(client, session)| {
            !session.closing
                && self.may_idle_out(**client, session)
                && self.idles_out_at(session) <= now
        });
        let idle: Vec<ClientId> = idle.map(|(client, _)| *client).collect();
        idle.into_iter().for_each(|client| self.close(client));
    }
}

/// Returns a time-out in whole seconds, as the configuration has it.
pub(crate) fn whole_seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX).min(i32::MAX.into())
}
