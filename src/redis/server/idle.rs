//! Consumers that wait for entries that others do not acknowledge (`XREADGROUP … BLOCK … CLAIM`).
//!
//! Each key that such clients wait for has one time: when an entry may have been idle for long
//! enough, as far as that was known when a client began to wait. If nothing was pending then, it is
//! the time at which what became pending in that moment would be idle. Once that time is over, the
//! key counts as fed: the commands of all clients that wait for it run again, in the order in which
//! the clients were blocked, and may wait again until the same deadline. What became pending
//! meanwhile is seen then.
//!
//! Invariant: a key with a time has clients that wait for it. Each key has one time at most.
//!
//! Source: Redis 8.6 (`blockedBeforeSleep`, which hears of a key only when its time has passed),
//! and experiments with the server.

use super::Server;
use crate::redis::command::{Args, Caller};
use crate::redis::database::calendar::{calendar_ms, instant_of_ms};
use crate::redis::value::{Kind, Sds, Stream};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// When keys count as fed because entries of their streams are idle, in milliseconds of the
/// calendar.
#[derive(Debug, Default)]
pub(crate) struct IdleWaits {
    times: BTreeMap<(usize, Sds), i64>,
    in_order: BTreeSet<(i64, usize, Sds)>,
}

impl IdleWaits {
    /// Returns the first of the times.
    fn next(&self) -> Option<i64> {
        self.in_order.first().map(|(at, ..)| *at)
    }

    /// Notes a time of a key of a database. An earlier one stays.
    fn note(&mut self, database: usize, key: &[u8], at: i64) {
        let key = Sds::new(key);
        if self.times.get(&(database, key.clone())).is_some_and(|known| *known <= at) {
            return;
        }
        self.forget(database, &key);
        self.times.insert((database, key.clone()), at);
        self.in_order.insert((at, database, key));
    }

    /// Forgets a key for which nobody waits.
    pub(super) fn forget(&mut self, database: usize, key: &Sds) {
        if self.times.is_empty() {
            return;
        }
        if let Some(at) = self.times.remove(&(database, key.clone())) {
            self.in_order.remove(&(at, database, key.clone()));
        }
    }

    /// Removes and returns the first key whose time has passed.
    fn pop_passed(&mut self, now_ms: i64) -> Option<(usize, Sds)> {
        self.next().filter(|at| *at < now_ms)?;
        let (_, database, key) = self.in_order.pop_first()?;
        self.times.remove(&(database, key.clone()));
        Some((database, key))
    }

    /// Returns the keys that have a time.
    pub(super) fn keys(&self) -> impl Iterator<Item = &(usize, Sds)> {
        self.times.keys()
    }
}

impl Server {
    /// Notes when the entries of these keys may have been idle for so many milliseconds, for a
    /// client that is blocked now.
    pub(super) fn wait_for_idle(
        &mut self,
        caller: Caller,
        keys: Args<'_>,
        group: &[u8],
        min_idle: i64,
    ) {
        let db = &self.databases[caller.database];
        let now = db.now_ms();
        let next = |key: &&[u8]| {
            Stream::of(&db.stored(key)?.value)?.group(group)?.next_idle(min_idle, now)
        };
        let at = keys.iter().filter_map(next).min().unwrap_or(now.saturating_add(min_idle));
        for key in keys {
            self.blocking.idle_waits.note(caller.database, key, at);
        }
    }

    /// Returns when the first key counts as fed: in the millisecond after its time.
    pub(super) fn next_idle_entry(&self) -> Option<Instant> {
        let at = self.blocking.idle_waits.next()?;
        Some(instant_of_ms(at.saturating_add(1), self.ahead))
    }

    /// Serves the clients that wait for keys whose time has passed.
    pub(super) fn serve_idle_waits(&mut self) {
        let now = calendar_ms(self.now, self.ahead);
        while let Some((database, key)) = self.blocking.idle_waits.pop_passed(now) {
            self.databases[database].fed(&key);
        }
        while !self.is_asleep() && self.serve_ready() {}
    }
}
