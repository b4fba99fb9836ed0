//! Consumers that wait for entries that others do not acknowledge (`XREADGROUP … BLOCK … CLAIM`).
//!
//! Each key that such clients wait for has one time: when an entry may have been idle for long
//! enough, as far as that was known when a client began to wait. If nothing was pending then, it is
//! the time at which what became pending in that moment would be idle. Once that time is over, the
//! key counts as fed: the commands of all clients that wait for it run again, in the order in which
//! the clients were blocked, and may wait again until the same deadline. What became pending
//! meanwhile is seen then.
//!
//! While nothing can become idle, because no entry is pending that exists, the real server runs the
//! commands again and again. Here such a key is *dormant* until an entry is delivered, so that a
//! client that waits in vain is known to do so. Then it has the time that it would have had.
//!
//! Invariant: a key with a time, or a dormant one, has clients that wait for it.
//!
//! Source: Redis 8.6 (`blockedBeforeSleep`, which hears of a key only when its time has passed),
//! and experiments with the server.

use super::Server;
use crate::redis::command::{Args, Caller};
use crate::redis::database::Database;
use crate::redis::database::calendar::{calendar_ms, instant_of_ms};
use crate::redis::value::{Group, Kind, Sds, Stream};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// When keys count as fed because entries of their streams are idle, in milliseconds of the
/// calendar.
#[derive(Debug, Default)]
pub(crate) struct IdleWaits {
    times: BTreeMap<(usize, Sds), i64>,
    in_order: BTreeSet<(i64, usize, Sds)>,
    dormant: BTreeMap<(usize, Sds), Dormant>,
}

/// A key of whose entries none can become idle. All times are in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Dormant {
    /// Its first time, after which there is one in each period.
    at: i64,
    period: i64,
    /// The deliveries that the stream had.
    deliveries: u64,
}

impl Dormant {
    /// Returns the first time that had not passed before now.
    fn time(self, now_ms: i64) -> i64 {
        let behind = now_ms.saturating_sub(1).saturating_sub(self.at).max(0);
        let periods = behind / self.period + i64::from(behind % self.period > 0);
        self.at.saturating_add(periods.saturating_mul(self.period))
    }
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
        self.forget_time(database, &key);
        self.times.insert((database, key.clone()), at);
        self.in_order.insert((at, database, key));
    }

    /// Notes that a key is dormant.
    fn rest(&mut self, database: usize, key: &[u8], new: Dormant) {
        let known = self.dormant.entry((database, Sds::new(key))).or_insert(new);
        let (at, period) = (known.at.min(new.at), known.period.min(new.period));
        *known = Dormant { at, period, ..new };
    }

    /// Forgets a key for which nobody waits.
    pub(super) fn forget(&mut self, database: usize, key: &Sds) {
        if !self.dormant.is_empty() {
            self.dormant.remove(&(database, key.clone()));
        }
        if !self.times.is_empty() {
            self.forget_time(database, key);
        }
    }

    fn forget_time(&mut self, database: usize, key: &Sds) {
        if let Some(at) = self.times.remove(&(database, key.clone())) {
            self.in_order.remove(&(at, database, key.clone()));
        }
    }

    /// Removes and returns the first key whose time has passed.
    fn pop_passed(&mut self, now_ms: i64) -> Option<(usize, Sds)> {
        self.next().filter(|at| *at < now_ms)?;
        let (_, database, key) = self.in_order.pop_first()?;
        self.times.remove(&(database, key.clone()));
        self.dormant.remove(&(database, key.clone()));
        Some((database, key))
    }

    /// Returns the time of a key, if it has one.
    #[cfg(any(feature = "redis-rs", feature = "redis-rs-2"))]
    pub(super) fn time(&self, database: usize, key: &Sds) -> Option<i64> {
        self.times.get(&(database, key.clone())).copied()
    }

    /// Returns the keys that have a time or are dormant.
    pub(super) fn keys(&self) -> impl Iterator<Item = &(usize, Sds)> {
        self.times.keys().chain(self.dormant.keys())
    }
}

/// Number of deliveries of a stream's entries.
fn deliveries(db: &Database, key: &[u8]) -> u64 {
    let stream = db.stored(key).and_then(|entry| Stream::of(&entry.value));
    let groups = stream.into_iter().flat_map(|stream| stream.groups().values());
    groups.map(Group::deliveries).sum()
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
        let at = keys.iter().filter_map(next).min();
        for key in keys {
            let waits = &mut self.blocking.idle_waits;
            if let Some(at) = at {
                waits.note(caller.database, key, at);
            } else {
                let (at, period) = (now.saturating_add(min_idle), min_idle.saturating_add(1));
                let deliveries = deliveries(db, key);
                waits.rest(caller.database, key, Dormant { at, period, deliveries });
            }
        }
    }

    /// Gives a time to the dormant keys of whose streams entries were delivered.
    pub(super) fn note_deliveries(&mut self) {
        let Server { blocking, databases, .. } = self;
        let waits = &mut blocking.idle_waits;
        if waits.dormant.is_empty() {
            return;
        }
        let woken = waits.dormant.iter().filter(|((database, key), dormant)| {
            deliveries(&databases[*database], key) != dormant.deliveries
        });
        let woken: Vec<_> = woken.map(|(of, dormant)| (of.clone(), *dormant)).collect();
        let now = calendar_ms(self.now, self.ahead);
        for ((database, key), dormant) in woken {
            waits.dormant.remove(&(database, key.clone()));
            waits.note(database, &key, dormant.time(now));
        }
    }

    /// Returns when the first key counts as fed.
    pub(super) fn next_idle_entry(&self) -> Option<Instant> {
        Some(self.passed(self.blocking.idle_waits.next()?))
    }

    /// Returns when a time has passed: a millisecond later.
    pub(super) fn passed(&self, at: i64) -> Instant {
        instant_of_ms(at.saturating_add(1), self.ahead)
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
