//! A database: keys with typed values, and every operation on them as a plain
//! method.
//!
//! [`Database`] is what the commands call, and what a test or a benchmark may
//! call directly. This file has what all operations have in common; the
//! operations are in one file for each type under `database/`.
//!
//! # Time
//!
//! A database is told the time ([`Database::advance_to`]) and keeps it until it
//! is told again. A key whose time has come is gone: removed when the time is
//! told, with its `expired` event, whether anybody looks or not. Times to live
//! are milliseconds of the Unix epoch, as in Redis, counted from
//! [`WORLD_EPOCH`](crate::WORLD_EPOCH).
//!
//! # Rules that every operation keeps
//!
//! - A value is looked up through one of six doors: `stored` takes it even after its
//!   time has come, `peek` leaves no trace, `inspect` counts as a hit or a miss,
//!   `look` also raises the event of a miss, `read` is a use as well (`OBJECT
//!   IDLETIME`), and `write` is a use that may change it.
//! - Who has changed a key says so once, through `changed`: that is what `WATCH`,
//!   the events and the count of changes for save points hear of.
//! - A collection that becomes empty goes, with a `del` event after that of the
//!   operation (`remove_emptied`).

mod bitmap;
pub(crate) mod calendar;
mod check;
mod clock;
pub(crate) mod digest;
mod disk;
pub(crate) mod draw;
mod expiry;
pub(crate) mod glob;
mod hash;
mod key;
pub(crate) mod keyspace;
mod lcs;
mod list;
pub(crate) mod memory;
pub(crate) mod notify;
mod scan;
mod set;
pub(crate) mod sha1;
mod slot_table;
mod sort;
mod sorted_set;
mod sorted_set_algebra;
mod string;
pub(crate) mod undo;

pub use bitmap::{BitRange, BitUnit, FieldAction, FieldOperation, FieldType, Overflow};
pub(crate) use disk::Loaded;
pub use expiry::{ExpireCondition, Ttl};
pub use lcs::{Lcs, LcsMatch};
pub use list::{Inserted, LposOptions};
pub use notify::{EventClasses, KeyEvent};

pub use crate::redis::value::Limits;
pub use scan::Page;
pub(crate) use scan::{PageSize, hash_page, set_page, sorted_set_page};
pub use sort::{SortBy, SortOptions};
pub use sorted_set::{
    ZRange, ZRangeOptions, ZaddComparison, ZaddCondition, ZaddOptions, ZaddOutcome,
};
pub use sorted_set_algebra::{Aggregate, Combination, ZSources};
pub use string::{Expiry, SetCondition, SetOptions, SetOutcome};

use crate::redis::error::CommandError;
use crate::redis::id::ClientId;
use crate::redis::value::{Kind, Sds, Value};
use crate::time::Instant;
use calendar::calendar_ms;
use indexmap::IndexMap;
use keyspace::{Entry, Keyspace, NEVER, Slot};
use rustc_hash::FxBuildHasher;
use std::collections::VecDeque;
use undo::Undo;

/// What a server counts of its databases for `INFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys whose time ran out.
    pub expired: u64,
    /// Changes, as save points count them.
    pub changes: u64,
}

/// Whom the changes of a database concern beside the caller. Empty, and free,
/// as long as nobody has asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers {
    /// Which events to collect.
    pub(crate) classes: EventClasses,
    /// Those that came, in order.
    pub(crate) events: Vec<KeyEvent>,
    /// Keys under `WATCH`.
    pub(crate) watched: IndexMap<Sds, Watched, FxBuildHasher>,
    /// Keys that blocked clients wait for, and who does, in order.
    pub(crate) awaited: IndexMap<Sds, VecDeque<ClientId>, FxBuildHasher>,
    /// Awaited keys that have come to be, in order, each once.
    pub(crate) ready: Vec<Sds>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watched {
    /// How often it was changed.
    pub(crate) version: u64,
    /// How often it was removed because its time had come. That changes nothing for a
    /// client that began to watch it after its time.
    pub(crate) expiries: u64,
    /// What is there had expired when `SWAPDB` brought it to where nothing was: to those
    /// who watch, there still is nothing.
    pub(crate) brought_expired: bool,
    /// How many clients watch it.
    pub(crate) watchers: usize,
}

/// A database: keys with typed values, and every operation on them as a plain
/// method, named after its command.
///
/// It is told the time ([`Database::advance_to`]) and keeps it until it is told
/// again. A key whose time has come is gone, whether anybody looks or not. Times to
/// live are milliseconds of the Unix epoch, as in Redis, counted from
/// [`WORLD_EPOCH`](crate::WORLD_EPOCH).
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
    /// Its number.
    pub(crate) index: usize,
    /// The latest time that it was told, and how many nanoseconds the calendar is ahead of that.
    told: Instant,
    ahead: i64,
    /// What the calendar shows, in milliseconds since the Unix epoch.
    now: i64,
    /// Keys expire as of this time: `now`, but while a transaction sleeps, its start.
    expired_by: i64,
    /// When the first of the keys got a time to live that have one.
    expiring_since: i64,
    /// The same in seconds, which every use of a key notes.
    now_secs: u32,
    pub(crate) limits: Limits,
    /// How many places a call of a scan looks at is drawn.
    pub(crate) uneven_pages: bool,
    pub(crate) usage: Usage,
    pub(crate) observers: Observers,
    /// What a crash would undo, while it would not lose everything.
    pub(crate) undo: Undo,
    /// Off: what has expired is removed only when it is looked up
    /// (`DEBUG SET-ACTIVE-EXPIRE 0`).
    active_expire: bool,
    /// Off: nothing is removed by itself (`DEBUG PAUSE-CRON 1`).
    cron: bool,
    /// What has expired is not there, but stays until this ends (`CLIENT PAUSE`).
    expiry_held: bool,
}

impl Default for Database {
    fn default() -> Database {
        Database::new()
    }
}

impl Database {
    /// An empty database at the beginning of the world.
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
            now_secs: in_seconds(unix_ms(Instant::ZERO)),
            limits: Limits::default(),
            uneven_pages: false,
            usage: Usage::default(),
            observers: Observers::default(),
            undo: Undo::default(),
            active_expire: true,
            cron: true,
            expiry_held: false,
        }
    }

    /// An empty database of this number.
    pub(crate) fn numbered(index: usize) -> Database {
        Database { index, ..Database::new() }
    }

    /// How many keys there are (`DBSIZE`).
    #[must_use]
    pub fn len(&self) -> usize {
        self.keyspace.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it has counted so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Sets the sizes up to which values keep their compact encodings. Values
    /// that are there keep theirs.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Where a key lies that has not expired.
    fn find(&mut self, key: &[u8]) -> Option<Slot> {
        let slot = self.keyspace.find(key)?;
        if self.keyspace.entry(slot).expires_at() <= self.expired_by {
            if !self.expiry_held {
                self.expire_slot(slot);
            }
            return None;
        }
        Some(slot)
    }

    /// What is stored under a key, even if its time has come.
    pub(crate) fn stored(&self, key: &[u8]) -> Option<&Entry> {
        self.keyspace.get(key)
    }

    /// Looks at a value without leaving a trace.
    pub(crate) fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        let slot = self.find(key)?;
        Some(self.keyspace.entry(slot))
    }

    /// Looks at an entry: a hit or a miss, but no use, and no event.
    pub(crate) fn inspect(&mut self, key: &[u8]) -> Option<&Entry> {
        let slot = self.find(key);
        *if slot.is_some() { &mut self.usage.hits } else { &mut self.usage.misses } += 1;
        slot.map(|slot| self.keyspace.entry(slot))
    }

    /// Looks at an entry: a hit or a miss, but no use.
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

    /// Looks a value up to be read.
    pub(crate) fn read_any(&mut self, key: &[u8]) -> Option<&Value> {
        let accessed = self.now_secs();
        match self.find(key) {
            Some(slot) => {
                self.usage.hits += 1;
                let entry = self.keyspace.entry_mut(slot);
                entry.accessed = accessed;
                Some(&entry.value)
            }
            None => {
                self.missed(key);
                None
            }
        }
    }

    /// Looks a value of a type up to be read.
    pub(crate) fn read<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        match self.read_any(key) {
            Some(value) => T::of(value).map(Some).ok_or(CommandError::WrongType),
            None => Ok(None),
        }
    }

    /// Whether a key, if it is there, is of this type.
    pub(crate) fn check_type<T: Kind>(&mut self, key: &[u8]) -> Result<(), CommandError> {
        match self.peek(key) {
            Some(entry) if T::of(&entry.value).is_none() => Err(CommandError::WrongType),
            Some(_) | None => Ok(()),
        }
    }

    /// Looks a value of a type up to be changed.
    pub(crate) fn write<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut T>, CommandError> {
        let accessed = self.now_secs();
        let Some(slot) = self.find(key) else { return Ok(None) };
        self.undo.remember(self.keyspace.entry(slot));
        let entry = self.keyspace.entry_mut(slot);
        entry.accessed = accessed;
        T::of_mut(&mut entry.value).map(Some).ok_or(CommandError::WrongType)
    }

    /// As [`Database::write`], but where there is no such key it comes to be,
    /// with an empty value, which must not stay so.
    pub(crate) fn write_or_insert<T: Kind + Default>(
        &mut self,
        key: &[u8],
    ) -> Result<&mut T, CommandError> {
        let slot = match self.find(key) {
            Some(slot) => {
                self.undo.remember(self.keyspace.entry(slot));
                slot
            }
            None => self.insert(key, T::default().wrap()),
        };
        let accessed = self.now_secs();
        let entry = self.keyspace.entry_mut(slot);
        entry.accessed = accessed;
        T::of_mut(&mut entry.value).ok_or(CommandError::WrongType)
    }

    /// Adds a key that is not there.
    pub(crate) fn insert(&mut self, key: &[u8], value: Value) -> Slot {
        // What stays although its time has come makes room.
        if self.expiry_held
            && let Some(slot) = self.keyspace.find(key)
        {
            self.expire_slot(slot);
        }
        self.undo.remember_absent(key);
        let feeds = value.feeds_blocked_clients();
        let slot = self.keyspace.insert(key, value, self.now_secs());
        self.notify(EventClasses::NEW, "new", key);
        if feeds {
            self.fed(key);
        }
        slot
    }

    /// Sets a key whatever it held, without a time to live.
    pub(crate) fn put(&mut self, key: &[u8], value: Value) {
        self.put_keeping(key, value, NEVER);
    }

    /// Sets a key whatever it held, with this time to live.
    pub(crate) fn put_keeping(&mut self, key: &[u8], value: Value, expires_at: i64) {
        let slot = match self.find(key) {
            Some(slot) => {
                self.undo.remember(self.keyspace.entry(slot));
                let accessed = self.now_secs();
                let entry = self.keyspace.entry_mut(slot);
                entry.value = value;
                entry.accessed = accessed;
                slot
            }
            None => self.insert(key, value),
        };
        self.set_expiry(slot, expires_at);
    }

    /// Sets or, with [`NEVER`], takes away a time to live.
    fn set_expiry(&mut self, slot: Slot, expires_at: i64) {
        if self.keyspace.expiring() == 0 {
            self.expiring_since = self.now;
        }
        self.keyspace.set_expiry(slot, expires_at);
    }

    /// Sets a key's time to live; it must be there.
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
        entry
    }

    /// Removes a key whose collection was emptied, if it was, with its `del` event.
    pub(crate) fn remove_emptied(&mut self, emptied: bool, key: &[u8]) {
        if emptied && self.take(key).is_some() {
            self.notify(EventClasses::GENERIC, "del", key);
        }
    }

    /// A key was changed, in so many ways: `WATCH`, save points and those who
    /// listen for this event hear of it.
    pub(crate) fn changed(
        &mut self,
        key: &[u8],
        class: EventClasses,
        event: &'static str,
        changes: u64,
    ) {
        self.touch(key);
        self.notify(class, event, key);
        self.usage.changes += changes;
    }

    /// For `WATCH`, a key was changed.
    pub(crate) fn touch(&mut self, key: &[u8]) {
        if !self.observers.watched.is_empty()
            && let Some(watched) = self.observers.watched.get_mut(key)
        {
            watched.version += 1;
        }
    }

    /// Raises an event.
    pub(crate) fn notify(&mut self, class: EventClasses, event: &'static str, key: &[u8]) {
        if self.observers.classes.intersects(class) {
            let database = self.index;
            self.observers.events.push(KeyEvent { event, key: Sds::new(key), database });
        }
    }

    /// A write has given a key something that blocked clients may be waiting for: they are served
    /// when the command, or the transaction, ends. Every operation that makes a list or a sorted set
    /// come to be calls this; one whose type clients wait for anew (a stream) would call it for every
    /// write that adds to the value.
    pub(crate) fn fed(&mut self, key: &[u8]) {
        if !self.observers.awaited.is_empty()
            && self.observers.awaited.contains_key(key)
            && !self.observers.ready.iter().any(|ready| ready.as_slice() == key)
        {
            self.observers.ready.push(Sds::new(key));
        }
    }
}

fn in_seconds(ms: i64) -> u32 {
    u32::try_from(ms / 1_000).unwrap_or(u32::MAX)
}

/// A moment as Redis counts time: milliseconds since the Unix epoch.
fn unix_ms(now: Instant) -> i64 {
    calendar_ms(now, 0)
}
