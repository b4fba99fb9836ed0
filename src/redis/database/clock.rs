//! The clock of a database, and what expires by it.
//!
//! What has expired is removed when the time is told, unless that is switched off or held up;
//! and when it is looked up, unless that is held up, too. Within a transaction that sleeps
//! the time goes on, but keys expire as of its beginning.
//!
//! Source: `expire.c`, `db.c` (`expireIfNeeded`), `multi.c` (`touchWatchedKey`).

use super::calendar::calendar_ms;
use super::keyspace::{Entry, Slot};
use super::notify::EventClasses;
use super::{Database, in_seconds};
use crate::time::Instant;

impl Database {
    /// Tells the database the time: keys that have expired by then are removed,
    /// in order of their times. Each is O(log n).
    pub fn advance_to(&mut self, now: Instant) {
        self.tell(now);
        self.expire_due();
    }

    /// The calendar clock is set to be this many nanoseconds ahead of the world's.
    pub(crate) fn set_ahead(&mut self, ahead: i64) {
        self.ahead = ahead;
        self.advance_to(self.told);
    }

    /// Removes what has expired, unless it is to stay until it is looked up.
    pub(super) fn expire_due(&mut self) {
        while self.expires_by_itself()
            && let Some((at, slot)) = self.keyspace.next_expiry()
            && at <= self.expired_by
        {
            self.expire_slot(slot);
        }
    }

    /// Tells the database the time within a transaction, where keys expire as of its
    /// start.
    pub(crate) fn advance_within_transaction(&mut self, now: Instant) {
        let expired_by = self.expired_by;
        self.tell(now);
        self.expired_by = expired_by;
    }

    /// Whether what has expired is removed though nobody looks it up.
    pub(crate) fn set_active_expiry(&mut self, on: bool) {
        self.active_expire = on;
        self.expire_due();
    }

    /// Whether anything happens by itself.
    pub(crate) fn set_cron(&mut self, runs: bool) {
        self.cron = runs;
        self.expire_due();
    }

    /// Whether what has expired is removed now.
    pub(super) fn expires_by_itself(&self) -> bool {
        self.active_expire && self.cron && !self.expiry_held
    }

    /// Begins or ends to keep what has expired (`CLIENT PAUSE`).
    pub(crate) fn hold_expiry(&mut self, held: bool) {
        self.expiry_held = held;
        self.expire_due();
    }

    /// The time it was last told, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now
    }

    /// When the next key expires, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<i64> {
        let next = self.keyspace.next_expiry().map(|(at, _)| at);
        next.filter(|_| self.expires_by_itself())
    }

    pub(super) fn now_secs(&self) -> u32 {
        self.now_secs
    }

    pub(super) fn tell(&mut self, now: Instant) {
        self.told = self.told.max(now);
        self.now = calendar_ms(self.told, self.ahead);
        self.expired_by = self.now;
        self.now_secs = in_seconds(self.now);
    }

    /// The time of the key in this slot has come.
    pub(super) fn expire_slot(&mut self, slot: Slot) {
        let entry = self.remove_slot(slot);
        self.usage.expired += 1;
        self.touch_expired(&entry.key);
        self.notify(EventClasses::EXPIRED, "expired", &entry.key);
    }

    /// Returns whether a key is there whose time has come, and removes it, unless that
    /// is held up.
    pub(super) fn expire_if_needed(&mut self, key: &[u8]) -> bool {
        self.keyspace.find(key).is_some() && self.find(key).is_none()
    }

    /// Whether a key is still there although its time has come: only without
    /// active expiry.
    pub(crate) fn is_expired_unnoticed(&self, key: &[u8]) -> bool {
        self.stored(key).is_some_and(|entry| entry.expires_at() <= self.expired_by)
    }

    /// For `WATCH`, an entry was removed with everything else.
    pub(super) fn touch_flushed(&mut self, entry: &Entry) {
        if entry.expires_at() <= self.expired_by {
            self.touch_expired(&entry.key);
        } else {
            self.touch(&entry.key);
        }
    }

    /// For `WATCH`, a key is gone whose time had come.
    pub(super) fn touch_expired(&mut self, key: &[u8]) {
        if !self.observers.watched.is_empty()
            && let Some(watched) = self.observers.watched.get_mut(key)
        {
            watched.expiries += u64::from(!std::mem::take(&mut watched.brought_expired));
        }
    }
}
