//! Times to live: setting, taking away and reading them.
//!
//! Source: <https://redis.io/commands/expire/>, `expire.c`.

use super::Database;
use super::keyspace::NEVER;
use super::notify::EventClasses;
use std::time::Duration;

/// When `EXPIRE` does anything. A key without a time to live counts as one that
/// lives for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpireCondition {
    /// `NX`: only if it has no time to live.
    pub if_none: bool,
    /// `XX`: only if it has one.
    pub if_some: bool,
    /// `GT`: only if it lives longer then.
    pub if_later: bool,
    /// `LT`: only if it lives shorter then.
    pub if_sooner: bool,
}

/// What is known of a key's time to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// There is no such key.
    NoKey,
    /// The key has none.
    Persistent,
    /// It is gone at this time, in milliseconds since the Unix epoch.
    At(i64),
}

impl Database {
    /// `PEXPIREAT`: sets when a key is gone, in milliseconds since the Unix
    /// epoch; whether there is such a key and the condition held. A time that is
    /// past removes it at once, with a `del` event.
    pub fn pexpireat(&mut self, key: &[u8], at: i64, condition: ExpireCondition) -> bool {
        let Some(entry) = self.peek(key) else { return false };
        let before = entry.expires_at();
        let holds = (!condition.if_none || before == NEVER)
            && (!condition.if_some || before != NEVER)
            && (!condition.if_later || at > before)
            && (!condition.if_sooner || at < before);
        if !holds {
            return false;
        }
        if at <= self.now_ms() {
            self.take(key);
            self.changed(key, EventClasses::GENERIC, "del", 1);
        } else {
            self.put_expiry(key, at.min(NEVER - 1));
            self.changed(key, EventClasses::GENERIC, "expire", 1);
        }
        true
    }

    /// `PEXPIRE`: as [`Database::pexpireat`] without a condition, counted in
    /// whole milliseconds from now.
    pub fn pexpire(&mut self, key: &[u8], after: Duration) -> bool {
        let millis = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let at = self.now_ms().saturating_add(millis);
        self.pexpireat(key, at, ExpireCondition::default())
    }

    /// `PERSIST`: takes a key's time to live away; whether it had one.
    pub fn persist(&mut self, key: &[u8]) -> bool {
        let had_one = self.peek(key).is_some_and(|entry| entry.expiry().is_some());
        if had_one {
            self.put_expiry(key, NEVER);
            self.changed(key, EventClasses::GENERIC, "persist", 1);
        }
        had_one
    }

    /// A key's time to live, for `TTL` and its like.
    pub fn ttl(&mut self, key: &[u8]) -> Ttl {
        match self.look(key).map(|entry| entry.expiry()) {
            None => Ttl::NoKey,
            Some(None) => Ttl::Persistent,
            Some(Some(at)) => Ttl::At(at),
        }
    }
}
