//! The clock of a database, and the keys that are removed without a command: those that expire,
//! and those that are evicted.
//!
//! Expired keys are removed when the database is given the time, unless that is switched off or
//! suspended, and when they are looked up, unless that is suspended. Within a transaction that
//! sleeps the time advances, but keys expire as of its beginning.
//!
//! Source: `expire.c`, `db.c` (`expireIfNeeded`), `multi.c` (`touchWatchedKey`).

use crate::redis::database::calendar::calendar_ms;
use crate::redis::database::field_expiry::Due;
use crate::redis::database::keyspace::{Entry, Slot};
use crate::redis::database::notify::EventClasses;
use crate::redis::database::{Database, Modified, Removed, in_seconds};
use crate::redis::value::Sds;
use crate::time::Instant;

impl Database {
    /// Gives the database the time. Keys that are due are removed in order of their times, each in
    /// O(log n).
    pub fn advance_to(&mut self, now: Instant) {
        self.tell(now);
        self.expire_due();
    }

    /// Sets the calendar clock this many nanoseconds ahead of the world's.
    pub(crate) fn set_ahead(&mut self, ahead: i64) {
        self.ahead = ahead;
        self.advance_to(self.told);
    }

    /// Removes expired keys, unless they stay until they are looked up.
    pub(super) fn expire_due(&mut self) {
        while !self.keyspace.nothing_ends()
            && self.expires_by_itself()
            && let Some(due) = self.next_due()
        {
            match due {
                Due::Key(slot) => self.expire_slot(slot),
                Due::Fields(slot, at) => self.end_fields(slot, at),
            }
        }
    }

    /// Gives the database the time within a transaction, in which keys expire as of its start.
    pub(crate) fn advance_within_transaction(&mut self, now: Instant) {
        let expired_by = self.expired_by;
        self.tell(now);
        self.expired_by = expired_by;
    }

    /// Lets no key expire until the database is given the time, as while a file is read.
    pub(crate) fn suspend_expiry(&mut self) {
        self.expired_by = i64::MIN;
    }

    /// Sets whether expired keys are removed without being looked up.
    pub(crate) fn set_active_expiry(&mut self, on: bool) {
        self.active_expire = on;
        self.expire_due();
    }

    /// Sets whether anything happens by itself.
    pub(crate) fn set_cron(&mut self, runs: bool) {
        self.cron = runs;
        self.expire_due();
    }

    /// Returns whether expired keys are removed now.
    pub(super) fn expires_by_itself(&self) -> bool {
        self.active_expire && self.cron && !self.keeps_expired()
    }

    /// Returns whether expired keys stay, although they are invisible.
    pub(super) fn keeps_expired(&self) -> bool {
        self.expiry_held || self.follows
    }

    /// Returns whether a key that gets this expiry time is removed at once. On a replica, and while
    /// a file is read, the command that gave it the time may come late: the key stays.
    pub(super) fn is_past(&self, at: i64) -> bool {
        at <= self.now && !self.follows && self.expired_by > i64::MIN
    }

    /// Begins or ends to keep expired keys: because clients are paused (`CLIENT PAUSE`), or because
    /// the server is a replica.
    pub(crate) fn hold_expiry(&mut self, paused: bool, follows: bool) {
        (self.expiry_held, self.follows) = (paused, follows);
        self.expire_due();
    }

    /// Returns the time that it was last given, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now
    }

    /// Returns when the next key expires, or the next field of a hash ends, in milliseconds since
    /// the Unix epoch.
    #[must_use]
    #[inline]
    pub fn next_expiry_ms(&self) -> Option<i64> {
        // Most databases of a server are empty, and each is asked after every request.
        if self.keyspace.nothing_ends() { None } else { self.next_end() }
    }

    fn next_end(&self) -> Option<i64> {
        let key = self.keyspace.next_expiry().map(|(at, _)| at);
        let field = self.keyspace.next_field().map(|(at, _)| at);
        let next = key.into_iter().chain(field).min();
        next.filter(|_| self.expires_by_itself())
    }

    pub(super) fn tell(&mut self, now: Instant) {
        self.told = self.told.max(now);
        self.now = calendar_ms(self.told, self.ahead);
        self.expired_by = self.now;
        self.lru_clock = in_seconds(self.now);
    }

    /// Removes the expired key in this slot.
    pub(super) fn expire_slot(&mut self, slot: Slot) {
        let entry = self.remove_slot(slot);
        self.usage.expired += 1;
        if self.observers.feeds {
            self.observers.removed.push(Removed::Expired(entry.key.clone()));
        }
        self.touch_expired(&entry.key);
        self.notify(EventClasses::EXPIRED, "expired", &entry.key);
    }

    /// Removes a key to make room.
    pub(crate) fn evict(&mut self, key: &[u8]) {
        let Some(slot) = self.keyspace.find(key) else { return };
        let entry = self.remove_slot(slot);
        self.usage.evicted += 1;
        if self.observers.feeds {
            self.observers.removed.push(Removed::Evicted(entry.key.clone()));
        }
        self.touch(&entry.key);
        self.notify(EventClasses::EVICTED, "evicted", &entry.key);
    }

    /// Returns whether a key has expired and was still there, and removes it unless that is
    /// suspended.
    pub(super) fn expire_if_needed(&mut self, key: &[u8]) -> bool {
        self.keyspace.find(key).is_some() && self.find(key).is_none()
    }

    /// Returns whether an expired key is still there, which only happens without active expiry.
    pub(crate) fn is_expired_unnoticed(&self, key: &[u8]) -> bool {
        self.stored(key).is_some_and(|entry| entry.expires_at() <= self.expired_by)
    }

    /// Notes the removal of an entry by a flush, for `WATCH`.
    pub(super) fn touch_flushed(&mut self, entry: &Entry) {
        let tracked = std::mem::take(&mut self.observers.tracked);
        if entry.expires_at() <= self.expired_by {
            self.touch_expired(&entry.key);
        } else {
            self.touch(&entry.key);
        }
        self.observers.tracked = tracked;
    }

    /// Notes the expiry of a key, for `WATCH`.
    pub(super) fn touch_expired(&mut self, key: &[u8]) {
        if self.observers.tracked {
            self.observers.modified.push(Modified::Key(Sds::new(key)));
        }
        if !self.observers.watched.is_empty()
            && let Some(watched) = self.observers.watched.get_mut(key)
        {
            watched.expiries += u64::from(!std::mem::take(&mut watched.brought_expired));
        }
    }
}
