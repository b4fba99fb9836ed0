//! Eviction: the server removes keys to keep its memory below `maxmemory`.
//!
//! Before each command, keys are removed until the memory is within the limit. If that does not
//! help, commands that may need memory are refused. The memory is that of our model of the server
//! (`database/memory.rs`): an empty server's, and that of all keys. Clients, scripts and buffers
//! are not counted.
//!
//! As in the real server, the best key is not searched for but guessed: a few keys of each database
//! are drawn, and those that are better than the ones known so far enter a pool of sixteen, of
//! which the best is removed. A key in the pool may be gone by then. Eviction takes no virtual
//! time, so it is never cut short (`maxmemory-eviction-tenacity`).
//!
//! The invariant: the pool has at most sixteen candidates, the best last.
//!
//! Source: `evict.c`, `server.c` (`processCommand`).

use super::command::Row;
use super::propagate::Sent;
use super::refusal::Refusal;
use super::{ClientId, Server};
use crate::choice::Stream;
use crate::invariant::ensure;
use crate::redis::command::{Args, flag};
use crate::redis::database::Database;
use crate::redis::database::draw;
use crate::redis::error::CommandError;
use crate::redis::value::Sds;
use crate::time::Instant;
use std::time::Duration;

/// Greatest number of candidates.
const POOL: usize = 16;

/// Commands that a full server does not refuse within `MULTI`.
const MAY_END_MULTI: [&str; 4] = ["exec", "discard", "quit", "reset"];

/// A key that may be evicted.
#[derive(Debug)]
struct Candidate {
    /// The greater, the better.
    score: u64,
    database: usize,
    key: Sds,
}

/// The state of eviction.
#[derive(Debug, Default)]
pub(crate) struct Eviction {
    pool: Vec<Candidate>,
    /// The database that lost the last key at random.
    last_database: usize,
    /// The limit was changed, so that keys may have to go without a further command.
    due: bool,
    /// The memory was beyond the limit when the last command began, and stayed there.
    pub(crate) out_of_memory: bool,
    exceeded_since: Option<Instant>,
    exceeded: Duration,
    /// The most memory that was found to be used.
    peak: u64,
}

/// The memory of the server, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryUse {
    pub(crate) used: usize,
    pub(crate) peak: usize,
    /// The part of the server itself and of its tables.
    pub(crate) overhead: usize,
    pub(crate) keys: usize,
}

impl MemoryUse {
    /// Measures the memory. O(n).
    pub(crate) fn of(server: &Server) -> MemoryUse {
        let used = server.measured_memory();
        let peak = used.max(server.eviction.peak as usize);
        let keys = server.databases.iter().map(|db| db.len()).sum();
        let tables = server.databases.iter().map(|db| db.keyspace.overhead());
        let overhead = server.profile().memory.at_start
            + tables.map(|(main, expires)| main + expires).sum::<usize>();
        MemoryUse { used, peak, overhead, keys }
    }
}

impl Eviction {
    /// Notes that the limit was changed.
    pub(crate) fn limit_changed(&mut self) {
        self.due = true;
    }

    /// Adds a candidate, unless the pool is full of better ones.
    fn consider(&mut self, score: u64, database: usize, key: &Sds) {
        let at = self.pool.partition_point(|candidate| candidate.score < score);
        let candidate = Candidate { score, database, key: key.clone() };
        if self.pool.len() < POOL {
            self.pool.insert(at, candidate);
        } else if at > 0 {
            self.pool.remove(0);
            self.pool.insert(at - 1, candidate);
        }
    }

    fn note(&mut self, now: Instant, exceeded: bool) {
        match (exceeded, self.exceeded_since) {
            (true, None) => self.exceeded_since = Some(now),
            (false, Some(since)) => {
                self.exceeded += now - since;
                self.exceeded_since = None;
            }
            _ => {}
        }
    }

    /// Returns for how long the memory was beyond the limit, in all and until now.
    pub(crate) fn exceeded(&self, now: Instant) -> (Duration, Duration) {
        let current = self.exceeded_since.map_or(Duration::ZERO, |since| now - since);
        (self.exceeded + current, current)
    }

    /// Begins to count anew how long the memory is beyond the limit.
    pub(crate) fn reset_stats(&mut self) {
        self.exceeded = Duration::ZERO;
        self.exceeded_since = None;
        self.peak = 0;
    }

    pub(crate) fn check_invariants(&self) -> Result<(), String> {
        let len = self.pool.len();
        ensure(len <= POOL, || format!("{len} candidates for eviction"))?;
        let ordered = self.pool.is_sorted_by_key(|candidate| candidate.score);
        ensure(ordered, || "the candidates for eviction are out of order".to_owned())
    }
}

impl Server {
    /// Returns the memory that counts against the limit.
    fn counted_memory(&mut self) -> u64 {
        let keys: u64 = self.databases.iter_mut().map(|db| db.keyspace.memory()).sum();
        let used = self.profile().memory.at_start as u64 + keys;
        self.eviction.peak = self.eviction.peak.max(used);
        used
    }

    /// Returns the memory that counts against the limit. O(n).
    fn measured_memory(&self) -> usize {
        let keys: u64 = self.databases.iter().map(|db| db.keyspace.measured()).sum();
        self.profile().memory.at_start + keys as usize
    }

    /// Makes room for a command, or refuses it if there is none.
    #[cold]
    #[inline]
    pub(super) fn check_memory(
        &mut self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        if self.config.max_memory == 0 {
            return Ok(());
        }
        self.check_limited_memory(client, command, args)
    }

    fn check_limited_memory(
        &mut self,
        client: ClientId,
        command: &'static Row,
        args: Args<'_>,
    ) -> Result<(), CommandError> {
        if self.is_busy() {
            return Ok(());
        }
        let exceeded = self.exceeds_memory();
        self.send_invalidations();
        if !exceeded {
            self.eviction.out_of_memory = false;
            return Ok(());
        }
        let multi = self.sessions.get(&client).and_then(|session| session.multi.as_ref());
        let queued = multi.filter(|_| command.name == "exec").map_or(0, |multi| multi.flags);
        let needs = (self.flags_of(command, args) | queued) & flag::DENYOOM != 0;
        // A transaction's queue needs memory, too.
        let queues = multi.is_some()
            && self.profile().full_refuses_queueing
            && !MAY_END_MULTI.contains(&command.name);
        if needs || queues {
            return Err(CommandError::format(&Refusal::out_of_memory().error().0));
        }
        self.eviction.out_of_memory = true;
        Ok(())
    }

    /// Returns whether the memory is beyond the limit, as of the beginning of the client's command.
    #[cfg(feature = "lua")]
    pub(super) fn is_out_of_memory(&self) -> bool {
        self.eviction.out_of_memory && self.config.max_memory > 0
    }

    /// Removes keys after the limit was changed.
    #[inline]
    pub(super) fn evict_if_due(&mut self) {
        if self.eviction.due {
            self.eviction.due = false;
            self.exceeds_memory();
            self.send_invalidations();
        }
    }

    /// Removes keys until the memory is within the limit. Returns whether it still exceeds it.
    fn exceeds_memory(&mut self) -> bool {
        // Nothing changes by itself while clients are paused, or before the keys are loaded.
        let loads = self.loading_until.is_some_and(|until| until > self.now);
        if self.paused.is_some() || loads || self.config.max_memory == 0 {
            return false;
        }
        // A replica's master tells it what to remove.
        let ignores = self.config.word("replica-ignore-maxmemory") != Some("no");
        if self.replication.is_replica() && ignores {
            return false;
        }
        let mut exceeded = false;
        while !exceeded && self.counted_memory() > self.config.max_memory {
            exceeded = !self.evict_one();
        }
        if self.replication.feeds {
            self.send_effects(Sent::OneByOne);
        }
        self.eviction.note(self.now, exceeded);
        exceeded
    }

    /// Removes a key. Returns whether there was one to remove.
    fn evict_one(&mut self) -> bool {
        let policy = self.config.policy;
        let victim = if policy == super::EvictionPolicy::NoEviction {
            None
        } else if policy.is_random() {
            self.random_victim()
        } else {
            self.best_victim()
        };
        let Some((database, key)) = victim else { return false };
        self.databases[database].evict(&key);
        // Each in turn, since the keys may be in different databases.
        self.publish_events();
        true
    }

    /// Returns a random key. The databases take turns.
    fn random_victim(&mut self) -> Option<(usize, Sds)> {
        let volatile = self.config.policy.is_volatile();
        for _ in 0..self.databases.len() {
            let index = (self.eviction.last_database + 1) % self.databases.len();
            self.eviction.last_database = index;
            let keyspace = &mut self.databases[index].keyspace;
            let slot = match (volatile, keyspace.len()) {
                (_, 0) => None,
                (true, _) => keyspace.sample(true, 1, &mut self.random).first().copied(),
                (false, len) => Some(draw::one(&mut self.random, len) as u32),
            };
            if let Some(slot) = slot {
                return Some((index, keyspace.entry(slot).key.clone()));
            }
        }
        None
    }

    /// Returns the best key of the pool, after it was filled up.
    fn best_victim(&mut self) -> Option<(usize, Sds)> {
        let volatile = self.config.policy.is_volatile();
        loop {
            let mut drawn = false;
            for index in 0..self.databases.len() {
                let samples = self.config.eviction_samples;
                let keyspace = &mut self.databases[index].keyspace;
                let slots = keyspace.sample(volatile, samples, &mut self.random);
                for slot in slots {
                    drawn = true;
                    let score = self.score(&self.databases[index], slot);
                    let key = &self.databases[index].keyspace.entry(slot).key;
                    self.eviction.consider(score, index, key);
                }
            }
            if !drawn {
                return None;
            }
            while let Some(Candidate { database, key, .. }) = self.eviction.pool.pop() {
                let entry = self.databases[database].keyspace.get(&key);
                if entry.is_some_and(|entry| !volatile || entry.expiry().is_some()) {
                    return Some((database, key));
                }
            }
        }
    }

    /// Returns how good it is to remove a key.
    fn score(&self, database: &Database, slot: u32) -> u64 {
        let entry = database.keyspace.entry(slot);
        if self.config.policy == super::EvictionPolicy::VolatileTtl {
            return u64::MAX.wrapping_sub(entry.expires_at() as u64);
        }
        match database.frequency_of(entry) {
            Some(frequency) => u64::from(255_u32.saturating_sub(frequency)),
            None => u64::from(database.idle_secs(entry)),
        }
    }

    /// Counts the uses of keys by a command that has run.
    #[inline]
    pub(super) fn count_uses(&mut self) {
        if self.config.policy.counts_uses() {
            self.count_uses_of_all();
        }
    }

    /// Begins or ends to ignore uses of keys: a client does not touch them.
    #[cold]
    pub(super) fn hold_uses(&mut self, held: bool) {
        self.databases.iter_mut().for_each(|database| database.hold_uses(held));
    }

    #[cold]
    fn count_uses_of_all(&mut self) {
        let random: &mut Stream = &mut self.random;
        self.databases.iter_mut().for_each(|database| database.count_uses(random));
    }
}
