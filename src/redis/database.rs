//! A database: keys with typed values, and every operation on them as a plain method.
//!
//! [`Database`] is what the commands call, and what a test or a benchmark may call directly. This
//! file has what all operations share: start with `read`, `write` and `changed`. The operations are
//! in one file for each type. `keyspace` stores the entries, `clock` and `expiry` deal with time,
//! `notify` has the events, and `undo` records what a crash would take back.
//!
//! # Time
//!
//! A database is given the time ([`Database::advance_to`]) and keeps it until it is given another.
//! Keys that are due are removed then, with their `expired` event, whether anything looks them up
//! or not. Expiry times are milliseconds since the Unix epoch, as in Redis, counted from
//! [`WORLD_EPOCH`](crate::WORLD_EPOCH).
//!
//! # Rules that every operation keeps
//!
//! - There are eight ways to look a value up. `stored` returns it even if it has expired. `peek`
//!   has no side effect. `inspect` counts a hit or a miss. `look` also raises the event of a miss.
//!   `read` also is a use of the key (`aging`). `seek` is only that. `write` is that and allows
//!   changes. `again` only allows changes.
//! - Every operation that changes a key calls `changed` exactly once. `WATCH`, the events and the
//!   save points depend on it.
//! - A collection that becomes empty is removed, with a `del` event after the operation's own
//!   (`remove_emptied`).

pub(crate) mod aging;
mod bitmap;
pub(crate) mod calendar;
mod check;
mod comparison;
pub(crate) mod digest;
mod disk;
pub(crate) mod draw;
mod dump;
mod embedded;
mod expiry;
mod field_deadline;
mod field_expiry;
pub(crate) mod field_index;
mod geo;
pub(crate) mod glob;
mod hash;
mod hyperloglog;
mod key;
pub(crate) mod keyspace;
mod lcs;
mod ledger;
mod list;
pub(crate) mod memory;
pub(crate) mod notify;
mod observers;
mod producers;
mod scan;
mod set;
pub(crate) mod sha1;
pub(crate) mod sha256;
mod slot_table;
mod sort;
mod sorted_set;
mod sorted_set_algebra;
mod stream;
mod stream_group;
mod string;
mod ttl;
pub(crate) mod undo;
mod watch;

pub use bitmap::{BitRange, BitUnit, FieldAction, FieldOperation, FieldType, Overflow};
pub use comparison::{Comparison, string_digest};
pub(crate) use disk::Loaded;
pub use dump::RestoreOptions;
pub(crate) use dump::keyspaces;
pub use field_deadline::{FieldDeadline, FieldExpiry, HsetexCondition};
pub use geo::GeoScores;
pub use lcs::{Lcs, LcsMatch};
pub use list::{Inserted, LposOptions};
pub use notify::{EventClasses, KeyEvent};
pub(crate) use observers::{Observers, Removed, Replaced};
pub use ttl::{ExpireCondition, Ttl};
pub(crate) use watch::{Modified, Watched};

pub use crate::redis::value::Limits;
pub use producers::Named;
pub use scan::Page;
pub(crate) use scan::{PageSize, hash_page, set_page, sorted_set_page};
pub use sort::{SortBy, SortOptions};
pub use sorted_set::{
    ZRange, ZRangeOptions, ZaddComparison, ZaddCondition, ZaddOptions, ZaddOutcome,
};
pub use sorted_set_algebra::{Aggregate, Combination, ZSources};
pub use stream::{XaddId, XaddOptions};
pub use stream_group::{GroupRead, GroupStart, XreadgroupOptions};
pub use string::{Expiry, SetCondition, SetOptions, SetOutcome};

use crate::redis::error::CommandError;
use crate::redis::value::{Kind, Value};
use crate::redis::version::{Profile, Version};
use crate::time::Instant;
use calendar::calendar_ms;
use keyspace::{Entry, Keyspace, NEVER, Slot};
use undo::Undo;

/// Counters for `INFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not find their key.
    pub misses: u64,
    /// Keys that expired.
    pub expired: u64,
    /// Keys that were evicted.
    pub evicted: u64,
    /// Fields of hashes that have ended.
    pub expired_fields: u64,
    /// Changes, as save points count them.
    pub changes: u64,
}

/// A database: keys with typed values, and every operation on them as a plain method named after
/// its command.
///
/// It is given the time ([`Database::advance_to`]) and keeps it until it is given another. A key
/// that is due is gone, whether anything looks it up or not. Expiry times are milliseconds since
/// the Unix epoch, as in Redis, counted from [`WORLD_EPOCH`](crate::WORLD_EPOCH).
///
/// ```
/// use std::time::Duration;
/// use stunt_double::Instant;
/// use stunt_double::redis::database::{Database, SetOptions};
///
/// let mut db = Database::new();
/// db.set(b"letters", b"foo", SetOptions::default())?;
/// db.set_bit(b"letters", 7, true)?;
/// assert_eq!(db.get(b"letters")?, Some(&b"goo"[..]));
///
/// db.pexpire(b"letters", Duration::from_millis(1_500));
/// db.advance_to(Instant::ZERO + Duration::from_millis(1_500));
/// assert_eq!(db.get(b"letters")?, None);
/// # Ok::<(), stunt_double::redis::CommandError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) keyspace: Keyspace,
    /// The number of the database.
    pub(crate) index: usize,
    /// The latest time that it was given, and the nanoseconds by which the calendar is ahead of it.
    told: Instant,
    ahead: i64,
    /// The calendar time, in milliseconds since the Unix epoch.
    now: i64,
    /// Keys expire as of this time: `now`, but the start of a transaction while that sleeps.
    expired_by: i64,
    /// When the first of the keys that have a time to live got it.
    expiring_since: i64,
    /// The 24 bits of `now` in seconds, noted with every use of a key.
    lru_clock: u32,
    /// Uses of keys are counted instead, for a policy that evicts by frequency.
    frequencies: Option<Box<aging::Frequencies>>,
    pub(crate) limits: Limits,
    /// The facts of the version that is imitated.
    pub(crate) profile: &'static Profile,
    /// Keys share the objects of small integers, as long as no policy needs a clock for each.
    pub(crate) shares_integers: bool,
    /// `RESTORE` takes payloads with any version and checksum (`DEBUG`).
    pub(crate) skips_checksums: bool,
    /// The number of places that a scan walks is drawn at random.
    pub(crate) uneven_pages: bool,
    pub(crate) usage: Usage,
    pub(crate) observers: Observers,
    /// The changes that a crash would undo. Empty if a crash would lose everything.
    pub(crate) undo: Undo,
    /// If off, expired keys are only removed when they are looked up (`DEBUG SET-ACTIVE-EXPIRE 0`).
    active_expire: bool,
    /// If off, nothing is removed by itself (`DEBUG PAUSE-CRON 1`).
    cron: bool,
    /// Expired keys are invisible, but stay until this ends (`CLIENT PAUSE`).
    expiry_held: bool,
    /// The server is a replica. Its master decides which keys have expired, so they stay, and a key
    /// may get an expiry time in the past.
    follows: bool,
    /// The command that runs comes from a master or from a file, which may say what a client may
    /// not.
    pub(crate) obeys: bool,
}

impl Default for Database {
    fn default() -> Database {
        Database::new()
    }
}

impl Database {
    /// Returns an empty database at the beginning of the world.
    #[must_use]
    pub fn new() -> Database {
        Database {
            keyspace: Keyspace::default(),
            index: 0,
            told: Instant::ZERO,
            ahead: 0,
            now: unix_ms(Instant::ZERO),
            expired_by: unix_ms(Instant::ZERO),
            expiring_since: unix_ms(Instant::ZERO),
            lru_clock: in_seconds(unix_ms(Instant::ZERO)),
            frequencies: None,
            limits: Limits::default(),
            profile: Version::default().profile(),
            shares_integers: true,
            skips_checksums: false,
            uneven_pages: false,
            usage: Usage::default(),
            observers: Observers::default(),
            undo: Undo::default(),
            active_expire: true,
            cron: true,
            expiry_held: false,
            follows: false,
            obeys: false,
        }
    }

    /// Returns an empty database with this number.
    pub(crate) fn numbered(index: usize) -> Database {
        Database { index, ..Database::new() }
    }

    /// Returns whether it pays to look ahead; see [`Keyspace::look_ahead`].
    pub(crate) fn looks_ahead(&self) -> bool {
        self.keyspace.is_large()
    }

    /// Reads what operations on these keys will read.
    pub(crate) fn look_ahead(&self, keys: &[&[u8]]) {
        self.keyspace.look_ahead(keys);
    }

    /// Number of keys (`DBSIZE`).
    #[must_use]
    pub fn len(&self) -> usize {
        self.keyspace.len()
    }

    /// Returns whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the counters.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Sets the sizes up to which values keep their compact encodings. Existing values keep theirs.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Returns the slot of a key that has not expired.
    fn find(&mut self, key: &[u8]) -> Option<Slot> {
        let slot = self.keyspace.find(key)?;
        if self.keyspace.entry(slot).expires_at() <= self.expired_by {
            if !self.keeps_expired() {
                self.expire_slot(slot);
            }
            return None;
        }
        Some(slot)
    }

    /// Returns the entry of a key, even if it has expired.
    pub(crate) fn stored(&self, key: &[u8]) -> Option<&Entry> {
        self.keyspace.get(key)
    }

    /// Returns the entry of a key, without side effects.
    pub(crate) fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        let slot = self.find(key)?;
        Some(self.keyspace.entry(slot))
    }

    /// Returns the entry of a key that a command looks up to change the key. It is a use, but
    /// neither a hit nor a miss.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Option<&Entry> {
        let slot = self.find(key)?;
        Some(self.used(slot))
    }

    /// Notes that the value in a slot is about to change.
    #[inline]
    fn remember(&mut self, slot: Slot) {
        self.undo.remember(self.keyspace.entry(slot));
        self.keyspace.resized(slot);
    }

    /// Returns the entry of a key, and counts a hit or a miss. It is not a use, and raises no
    /// event.
    pub(crate) fn inspect(&mut self, key: &[u8]) -> Option<&Entry> {
        let slot = self.find(key);
        *if slot.is_some() { &mut self.usage.hits } else { &mut self.usage.misses } += 1;
        slot.map(|slot| self.keyspace.entry(slot))
    }

    /// Returns the entry of a key, counts a hit or a miss, and raises the event of a miss. It is
    /// not a use.
    pub(crate) fn look(&mut self, key: &[u8]) -> Option<&Entry> {
        match self.find(key) {
            Some(slot) => {
                self.usage.hits += 1;
                Some(self.keyspace.entry(slot))
            }
            None => {
                self.missed(key);
                None
            }
        }
    }

    fn missed(&mut self, key: &[u8]) {
        self.usage.misses += 1;
        self.notify(EventClasses::KEY_MISS, "keymiss", key);
    }

    /// Returns a value to be read.
    pub(crate) fn read_any(&mut self, key: &[u8]) -> Option<&Value> {
        match self.find(key) {
            Some(slot) => {
                self.usage.hits += 1;
                Some(&self.used(slot).value)
            }
            None => {
                self.missed(key);
                None
            }
        }
    }

    /// Returns a value of a type, to be read.
    pub(crate) fn read<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        match self.read_any(key) {
            Some(value) => T::of(value).map(Some).ok_or(CommandError::WrongType),
            None => Ok(None),
        }
    }

    /// Returns an error if a key has a value of another type.
    pub(crate) fn check_type<T: Kind>(&mut self, key: &[u8]) -> Result<(), CommandError> {
        match self.peek(key) {
            Some(entry) if T::of(&entry.value).is_none() => Err(CommandError::WrongType),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns a value of a type, to be changed.
    pub(crate) fn write<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut T>, CommandError> {
        let Some(slot) = self.find(key) else { return Ok(None) };
        self.remember(slot);
        T::of_mut(&mut self.used(slot).value).map(Some).ok_or(CommandError::WrongType)
    }

    /// Returns a value of a type, to be changed, that the same operation has looked up before, so
    /// that it is no further use.
    pub(crate) fn again<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut T>, CommandError> {
        let Some(slot) = self.find(key) else { return Ok(None) };
        self.remember(slot);
        T::of_mut(&mut self.keyspace.entry_mut(slot).value).map(Some).ok_or(CommandError::WrongType)
    }

    /// Returns a value as [`Database::again`] does. A missing key is added as
    /// [`Database::write_or_insert`] does.
    pub(crate) fn again_or_insert<T: Kind + Default>(
        &mut self,
        key: &[u8],
    ) -> Result<&mut T, CommandError> {
        self.again_or_insert_with(key, T::default)
    }

    /// As [`Database::again_or_insert`], with another value than the default.
    pub(crate) fn again_or_insert_with<T: Kind>(
        &mut self,
        key: &[u8],
        make: impl FnOnce() -> T,
    ) -> Result<&mut T, CommandError> {
        let slot = match self.find(key) {
            Some(slot) => {
                self.remember(slot);
                slot
            }
            None => self.insert(key, make().wrap()),
        };
        T::of_mut(&mut self.keyspace.entry_mut(slot).value).ok_or(CommandError::WrongType)
    }

    /// Returns a value of a type, to be changed by a command that looks it up as if to read it.
    pub(crate) fn read_mut<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut T>, CommandError> {
        let Some(slot) = self.find(key) else {
            self.missed(key);
            return Ok(None);
        };
        self.usage.hits += 1;
        self.remember(slot);
        T::of_mut(&mut self.used(slot).value).map(Some).ok_or(CommandError::WrongType)
    }

    /// Returns a value of a type, to be changed. A missing key is added with an empty value, which
    /// the caller must not leave empty, unless it is a stream.
    #[inline]
    pub(crate) fn write_or_insert<T: Kind + Default>(
        &mut self,
        key: &[u8],
    ) -> Result<&mut T, CommandError> {
        self.write_or_insert_with(key, T::default)
    }

    /// As [`Database::write_or_insert`], with another value than the default.
    pub(crate) fn write_or_insert_with<T: Kind>(
        &mut self,
        key: &[u8],
        make: impl FnOnce() -> T,
    ) -> Result<&mut T, CommandError> {
        let entry = match self.find(key) {
            Some(slot) => {
                self.remember(slot);
                self.used(slot)
            }
            None => {
                let slot = self.insert(key, make().wrap());
                self.keyspace.entry_mut(slot)
            }
        };
        T::of_mut(&mut entry.value).ok_or(CommandError::WrongType)
    }

    /// Adds a key that does not exist.
    pub(crate) fn insert(&mut self, key: &[u8], value: Value) -> Slot {
        // An expired key that is kept makes room.
        if self.keeps_expired()
            && let Some(slot) = self.keyspace.find(key)
        {
            self.expire_slot(slot);
        }
        self.undo.remember_absent(key);
        let feeds = value.feeds_blocked_clients();
        let slot = self.keyspace.insert(key, value, self.clock_of_new());
        self.settle_embedding(slot, false);
        self.notify(EventClasses::NEW, "new", key);
        if feeds {
            self.fed(key);
        }
        slot
    }

    /// Sets a key, whatever it held, without a time to live.
    pub(crate) fn put(&mut self, key: &[u8], value: Value) {
        self.put_keeping(key, value, NEVER);
    }

    /// Sets a key, whatever it held, with this expiry time.
    pub(crate) fn put_keeping(&mut self, key: &[u8], value: Value, expires_at: i64) {
        if let Some(replaced) = self.replace(key, value, expires_at) {
            self.notify_replaced(key, replaced);
        }
    }

    /// Sets a key as [`Database::put_keeping`], without an event. Returns what was replaced, if
    /// somebody listens to that.
    pub(crate) fn replace(
        &mut self,
        key: &[u8],
        value: Value,
        expires_at: i64,
    ) -> Option<Replaced> {
        let listens = self.observers.hears_replacements();
        let mut replaced = None;
        let may_not_embed = self.may_not_embed(key, &value);
        let mut expired_before = false;
        let slot = match self.find(key) {
            Some(slot) => {
                self.remember(slot);
                let entry = self.used(slot);
                expired_before = entry.expires_at() != NEVER;
                if listens {
                    replaced = Some(Replaced::new(&entry.value, &value));
                }
                let missed = entry.value.is_missed_by_blocked_clients();
                entry.value = value;
                if missed {
                    self.fed(key);
                }
                self.keyspace.reschedule(slot);
                slot
            }
            None => self.insert(key, value),
        };
        self.set_expiry(slot, expires_at);
        if may_not_embed {
            self.embed_beside_key(slot, expired_before);
        }
        replaced
    }

    /// Sets an expiry time, or removes it with [`NEVER`].
    fn set_expiry(&mut self, slot: Slot, expires_at: i64) {
        let is_new = self.keyspace.entry(slot).expires_at() == NEVER;
        if is_new && expires_at == NEVER {
            return;
        }
        if self.keyspace.expiring() == 0 {
            self.expiring_since = self.now;
        }
        self.keyspace.set_expiry(slot, expires_at);
        if is_new && expires_at != NEVER {
            self.settle_embedding(slot, false);
        }
    }

    /// Sets the expiry time of an existing key.
    pub(crate) fn put_expiry(&mut self, key: &[u8], expires_at: i64) {
        if let Some(slot) = self.keyspace.find(key) {
            self.undo.remember(self.keyspace.entry(slot));
            self.set_expiry(slot, expires_at);
        }
    }

    /// Removes a key, without an event.
    pub(crate) fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let slot = self.find(key)?;
        Some(self.remove_slot(slot))
    }

    fn remove_slot(&mut self, slot: Slot) -> Entry {
        let entry = self.keyspace.remove(slot);
        self.undo.remember(&entry);
        self.forget_uses(&entry.key);
        if entry.value.is_missed_by_blocked_clients() {
            self.fed(&entry.key);
        }
        entry
    }

    /// Removes a key whose collection was emptied, with a `del` event.
    pub(crate) fn remove_emptied(&mut self, emptied: bool, key: &[u8]) {
        if emptied && self.take(key).is_some() {
            self.notify(EventClasses::GENERIC, "del", key);
        }
    }
}

/// Returns a time as the clock of keys, which has 24 bits.
fn in_seconds(ms: i64) -> u32 {
    (ms / 1_000) as u32 & aging::CLOCK_MAX
}

/// Returns an instant as Redis counts time: in milliseconds since the Unix epoch.
fn unix_ms(now: Instant) -> i64 {
    calendar_ms(now, 0)
}
