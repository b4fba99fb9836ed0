//! Operations on keys of any type.
//!
//! Source: <https://redis.io/commands/?group=generic>, `db.c`.

use super::Replaced;
use super::keyspace::{Entry, Keyspace, NEVER};
use super::notify::EventClasses;
use super::{Database, Modified, draw, glob};
use crate::choice::Stream;
use crate::redis::error::CommandError;
use crate::redis::value::{Sds, Value};
use std::time::Duration;

impl Database {
    /// `EXISTS`: returns whether a key exists.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.look(key).is_some()
    }

    /// `TYPE`: returns a key's type, such as `string` or `zset`.
    pub fn type_of(&mut self, key: &[u8]) -> Option<&'static str> {
        self.look(key).map(|entry| entry.value.type_name())
    }

    /// `TOUCH`: counts as a use of a key. Returns whether it exists.
    pub fn touch_key(&mut self, key: &[u8]) -> bool {
        self.read_any(key).is_some()
    }

    /// Returns the value of a key, without side effects.
    pub fn value(&mut self, key: &[u8]) -> Option<&Value> {
        self.peek(key).map(|entry| &entry.value)
    }

    /// `OBJECT ENCODING`: returns the encoding that Redis would use for a key's value.
    pub fn object_encoding(&mut self, key: &[u8]) -> Option<&'static str> {
        self.inspect(key).map(|entry| entry.value.encoding_name())
    }

    /// `OBJECT IDLETIME`: returns the time since a key was last used, in whole seconds. It means
    /// nothing under a policy that evicts by frequency.
    pub fn object_idletime(&mut self, key: &[u8]) -> Option<Duration> {
        self.inspect(key)?;
        let entry = self.stored(key)?;
        Some(Duration::from_secs(self.idle_secs(entry).into()))
    }

    /// `OBJECT FREQ`: returns the counter of a key's uses, or `None` if the key is missing, or if
    /// uses are not counted because the policy evicts otherwise.
    pub fn object_freq(&mut self, key: &[u8]) -> Option<u8> {
        self.inspect(key)?;
        let entry = self.stored(key)?;
        self.frequency_of(entry).and_then(|frequency| u8::try_from(frequency).ok())
    }

    /// Returns whether uses are counted, for a policy that evicts by frequency.
    pub(crate) fn counts_uses(&self) -> bool {
        self.counting().is_some()
    }

    /// `DEL`, `UNLINK`: removes a key. Returns whether it existed.
    pub fn del(&mut self, key: &[u8]) -> bool {
        let deleted = self.take(key).is_some();
        if deleted {
            self.changed(key, EventClasses::GENERIC, "del", 1);
        }
        deleted
    }

    /// `KEYS`: returns the keys that match a pattern. O(n).
    pub fn keys(&mut self, pattern: &[u8]) -> Vec<Sds> {
        let now = self.expired_by;
        // A star alone also matches the empty key.
        let passes = |key: &[u8]| pattern == b"*" || glob::matches(pattern, key, false);
        let matching = |entry: &&Entry| entry.expires_at() > now && passes(&entry.key);
        self.keyspace.iter().filter(matching).map(|entry| entry.key.clone()).collect()
    }

    /// `RANDOMKEY`: draws a key at random.
    pub fn random_key(&mut self, random: &mut Stream) -> Option<Sds> {
        if self.keeps_expired() {
            // Expired keys stay, so drawing one that has not expired could take long.
            let now = self.expired_by;
            let live = self.keyspace.iter().filter(|entry| entry.expires_at() > now);
            let mut live: Vec<&Sds> = live.map(|entry| &entry.key).collect();
            // A replica gives up and returns a key that has expired.
            if live.is_empty() && self.follows {
                live = self.keyspace.iter().map(|entry| &entry.key).collect();
            }
            return (!live.is_empty()).then(|| live[draw::one(random, live.len())].clone());
        }
        while !self.is_empty() {
            let slot = draw::one(random, self.len());
            let key = self.keyspace.entry(slot as u32).key.clone();
            if self.peek(&key).is_some() {
                return Some(key);
            }
        }
        None
    }

    /// Number of keys with a time to live.
    #[must_use]
    pub fn expiring(&self) -> usize {
        self.keyspace.expiring()
    }

    /// Returns the average time that keys with a time to live have left, in whole milliseconds. The
    /// average is sampled ten times a second, and zero before the first sample. O(n).
    #[must_use]
    pub fn average_ttl(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.average_ttl_ms()).unwrap_or(0))
    }

    /// Returns the average time to live in milliseconds of the keys that have not expired. A
    /// replica does not measure it.
    pub(crate) fn average_ttl_ms(&self) -> i64 {
        if self.follows || self.now_ms() / 100 == self.expiring_since / 100 {
            return 0;
        }
        let left = self.keyspace.iter().filter_map(Entry::expiry).map(|at| at - self.now_ms());
        let left = left.filter(|ms| *ms > 0);
        let (sum, count) = left.fold((0_i128, 0), |(sum, n), ms| (sum + i128::from(ms), n + 1));
        if count == 0 { 0 } else { (sum / count) as i64 }
    }

    /// `RENAME`: renames a key, and removes any key with the new name.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoSuchKey`].
    pub fn rename(&mut self, key: &[u8], to: &[u8]) -> Result<(), CommandError> {
        self.rename_if(key, to, true).map(|_| ())
    }

    /// `RENAMENX`: renames a key, unless the new name exists. Returns whether the key was renamed.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoSuchKey`].
    pub fn renamenx(&mut self, key: &[u8], to: &[u8]) -> Result<bool, CommandError> {
        self.rename_if(key, to, false)
    }

    fn rename_if(&mut self, key: &[u8], to: &[u8], replace: bool) -> Result<bool, CommandError> {
        if self.seek(key).is_none() {
            return Err(CommandError::NoSuchKey);
        }
        if key == to {
            return Ok(replace);
        }
        if !replace && self.seek(to).is_some() {
            return Ok(false);
        }
        let entry = self.take(key).ok_or(CommandError::NoSuchKey)?;
        let expires_at = entry.expires_at();
        let replaced = self.add_or_replace(to, entry.value, expires_at);
        self.keep_clock(to, entry.clock, self.profile.renames_are_uses);
        self.touch(key);
        self.notify(EventClasses::GENERIC, "rename_from", key);
        self.changed(to, EventClasses::GENERIC, "rename_to", 1);
        if let Some(replaced) = replaced {
            self.notify_replaced(to, replaced);
        }
        Ok(true)
    }

    /// Gives a key that was renamed or moved the clock that it had. The move may be a use.
    fn keep_clock(&mut self, key: &[u8], clock: u32, is_use: bool) {
        if let Some(slot) = self.keyspace.find(key) {
            self.keyspace.entry_mut(slot).clock = clock;
            if is_use {
                self.used(slot);
            }
        }
    }

    /// Adds a key that does not exist, with its expiry time.
    fn add(&mut self, key: &[u8], value: Value, expires_at: i64) {
        let slot = self.insert(key, value);
        self.set_expiry(slot, expires_at);
    }

    /// Adds a key, replacing an existing one. A replaced key keeps its slot, so that a scan does
    /// not miss it.
    fn add_or_replace(&mut self, key: &[u8], value: Value, expires_at: i64) -> Option<Replaced> {
        if self.peek(key).is_none() {
            self.add(key, value, expires_at);
            return None;
        }
        let feeds = value.feeds_blocked_clients();
        let replaced = self.replace(key, value, expires_at);
        self.forget_uses(key);
        let clock = self.clock_of_new();
        if let Some(slot) = self.keyspace.find(key) {
            self.keyspace.entry_mut(slot).clock = clock;
        }
        self.notify(EventClasses::NEW, "new", key);
        if feeds {
            self.fed(key);
        }
        replaced
    }

    /// `COPY` within a database. Returns whether the key was copied.
    ///
    /// # Errors
    ///
    /// [`CommandError::SameObject`].
    pub fn copy(&mut self, key: &[u8], to: &[u8], replace: bool) -> Result<bool, CommandError> {
        if key == to {
            return Err(CommandError::SameObject);
        }
        let Some((value, expires_at)) = self.copied(key) else { return Ok(false) };
        Ok(self.paste(to, value, expires_at, replace))
    }

    /// Returns what `COPY` copies: the value and its expiry time.
    pub(crate) fn copied(&mut self, key: &[u8]) -> Option<(Value, i64)> {
        let mut value = self.read_any(key)?.clone();
        if let Value::Stream(stream) = &mut value {
            stream.shrink();
        }
        let expires_at = self.peek(key).map_or(NEVER, Entry::expires_at);
        Some((value, expires_at))
    }

    /// Adds a copied value under a name. Returns whether it did.
    pub(crate) fn paste(
        &mut self,
        to: &[u8],
        value: Value,
        expires_at: i64,
        replace: bool,
    ) -> bool {
        if !replace && self.seek(to).is_some() {
            return false;
        }
        let replaced = self.add_or_replace(to, value, expires_at);
        self.changed(to, EventClasses::GENERIC, "copy_to", 1);
        if let Some(replaced) = replaced {
            self.notify_replaced(to, replaced);
        }
        true
    }

    /// `MOVE`: moves a key to another database, unless the name exists there. Returns whether the
    /// key was moved.
    pub fn move_to(&mut self, key: &[u8], other: &mut Database) -> bool {
        if self.seek(key).is_none() || other.seek(key).is_some() {
            return false;
        }
        let Some(entry) = self.take(key) else { return false };
        let expires_at = entry.expires_at();
        other.add(key, entry.value, expires_at);
        other.keep_clock(key, entry.clock, true);
        self.observers.events.append(&mut other.observers.events);
        self.touch(key);
        self.notify(EventClasses::GENERIC, "move_from", key);
        other.changed(key, EventClasses::GENERIC, "move_to", 1);
        self.observers.events.append(&mut other.observers.events);
        true
    }

    /// `FLUSHDB`: removes all keys, without an event for each. Returns how many there were.
    pub fn flush(&mut self) -> usize {
        let gone = std::mem::take(&mut self.keyspace);
        for entry in gone.iter() {
            self.undo.remember(entry);
            self.touch_flushed(entry);
            if entry.value.is_missed_by_blocked_clients() {
                self.fed(&entry.key);
            }
        }
        if self.observers.tracked {
            self.observers.modified.push(Modified::All);
        }
        self.usage.changes += gone.len() as u64;
        gone.len()
    }

    /// `SWAPDB`: exchanges all keys with another database. Clients that watch or wait for a key
    /// continue to do so by its name and database.
    pub fn swap(&mut self, other: &mut Database) {
        std::mem::swap(&mut self.keyspace, &mut other.keyspace);
        std::mem::swap(&mut self.undo, &mut other.undo);
        self.swapped(&other.keyspace);
        other.swapped(&self.keyspace);
        self.usage.changes += 1;
    }

    /// Notes for watchers and blocked clients that this database now has other keys.
    fn swapped(&mut self, before: &Keyspace) {
        let Database { keyspace, observers, expired_by, .. } = self;
        // Whether a key exists, and whether it has expired.
        let state =
            |keys: &Keyspace, key: &Sds| keys.get(key).map(|e| e.expires_at() <= *expired_by);
        for (key, watched) in &mut observers.watched {
            match (state(before, key), state(keyspace, key)) {
                (None, None) | (Some(true), Some(true)) => {}
                (None, Some(true)) => watched.brought_expired = true,
                (Some(true), None) => {
                    watched.expiries += u64::from(!std::mem::take(&mut watched.brought_expired));
                }
                (Some(false), _) | (_, Some(false)) => watched.version += 1,
            }
        }
        let fed = |key: &&Sds| {
            let missed = |entry: &Entry| entry.value.is_missed_by_blocked_clients();
            match keyspace.get(key) {
                Some(entry) if entry.value.feeds_blocked_clients() => true,
                Some(_) | None => before.get(key).is_some_and(missed),
            }
        };
        let ready: Vec<Sds> = observers.awaited.keys().filter(fed).cloned().collect();
        for key in ready {
            self.fed(&key);
        }
    }
}
