//! Times to live: setting, removing and reading them.
//!
//! Source: <https://redis.io/commands/expire/>, `expire.c`.

use crate::redis::database::Database;
use crate::redis::database::keyspace::NEVER;
use crate::redis::database::notify::EventClasses;
use std::time::Duration;

/// The conditions of `EXPIRE`. A key without a time to live counts as living forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireCondition {
    /// `NX`: only if it has no time to live.
    pub if_none: bool,
    /// `XX`: only if it has a time to live.
    pub if_some: bool,
    /// `GT`: only if the new time is later.
    pub if_later: bool,
    /// `LT`: only if the new time is earlier.
    pub if_sooner: bool,
}

/// A key's time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The key does not exist.
    NoKey,
    /// The key has no time to live.
    Persistent,
    /// The key expires at this time, in milliseconds since the Unix epoch.
    At(i64),
}

impl Database {
    /// `PEXPIREAT`: sets when a key expires, in milliseconds since the Unix epoch. Returns whether
    /// the key exists and the condition held. A time in the past removes the key at once, with a
    /// `del` event.
    pub fn pexpireat(&mut self, key: &[u8], at: i64, condition: ExpireCondition) -> bool {
        let Some(entry) = self.seek(key) else { return false };
        let before = entry.expires_at();
        if !condition.allows((before != NEVER).then_some(before), at) {
            return false;
        }
        if self.is_past(at) {
            self.remove_past(key);
        } else {
            self.put_expiry(key, at.min(NEVER - 1));
            self.changed(key, EventClasses::GENERIC, "expire", 1);
        }
        true
    }

    /// Removes a key whose time to live is over already, if it exists.
    pub(super) fn remove_past(&mut self, key: &[u8]) {
        if self.take(key).is_none() {
            return;
        }
        if self.profile.past.expires {
            self.usage.expired += 1;
            self.changed(key, EventClasses::EXPIRED, "expired", 1);
        } else {
            self.changed(key, EventClasses::GENERIC, "del", 1);
        }
    }

    /// `PEXPIRE`: sets when a key expires, in whole milliseconds from now. Returns whether the key
    /// exists.
    pub fn pexpire(&mut self, key: &[u8], after: Duration) -> bool {
        let millis = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let at = self.now_ms().saturating_add(millis);
        self.pexpireat(key, at, ExpireCondition::default())
    }

    /// `PERSIST`: removes a key's time to live. Returns whether it had one.
    pub fn persist(&mut self, key: &[u8]) -> bool {
        self.seek(key);
        self.persist_unused(key)
    }

    /// Removes a key's time to live, where looking the key up was no further use.
    pub(super) fn persist_unused(&mut self, key: &[u8]) -> bool {
        let had_one = self.peek(key).is_some_and(|entry| entry.expiry().is_some());
        if had_one {
            self.put_expiry(key, NEVER);
            self.changed(key, EventClasses::GENERIC, "persist", 1);
        }
        had_one
    }

    /// `TTL`, `PTTL` and similar commands: returns a key's time to live.
    pub fn ttl(&mut self, key: &[u8]) -> Ttl {
        match self.look(key).map(|entry| entry.expiry()) {
            None => Ttl::NoKey,
            Some(None) => Ttl::Persistent,
            Some(Some(at)) => Ttl::At(at),
        }
    }
}
