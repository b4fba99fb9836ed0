//! Operations on streams: their entries and counters. Those on groups are in `stream_group`.
//!
//! A stream stays when its last entry is deleted. Every addition may serve blocked clients, not
//! only the first.
//!
//! Source: <https://redis.io/commands/?group=stream>, `t_stream.c`.

use super::Database;
use super::notify::EventClasses;
use super::producers::Named;
use crate::redis::error::CommandError;
use crate::redis::value::{Deletion, References, Stream, StreamEntry, StreamId, Trim};

/// The id that an entry is added with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XaddId {
    /// `*`: the current time, or the id after the last one if that is greater.
    Auto,
    /// `ms-*`: this time, with the next sequence number.
    AutoSeq(u64),
    /// This id.
    Exact(StreamId),
}

/// Options of `XADD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XaddOptions {
    /// `NOMKSTREAM`: does nothing if the stream does not exist.
    pub existing: bool,
    /// `MAXLEN` or `MINID`: trims the stream after the addition.
    pub trim: Option<Trim>,
}

const TOO_SMALL: &str =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";
const TOO_LARGE: &str = "ERR Elements are too large to be stored";
const ZERO: &str = "ERR The ID specified in XADD must be greater than 0-0";
const EXHAUSTED: &str =
    "ERR The stream has exhausted the last possible ID, unable to add more items";

impl XaddId {
    /// Returns the id of the next entry of a stream.
    fn resolve(self, stream: &Stream, now_ms: i64) -> Result<StreamId, CommandError> {
        let last = stream.counters().last_id;
        let id = match self {
            XaddId::Auto => stream.next_id(now_ms),
            XaddId::AutoSeq(ms) if ms == last.ms => {
                // The real server shows the error that came before, whatever that was.
                last.seq.checked_add(1).map(|seq| StreamId { ms, seq })
            }
            XaddId::AutoSeq(ms) => Some(StreamId::new(ms, 0)),
            XaddId::Exact(id) => Some(id),
        };
        let id = id.ok_or(CommandError::text(TOO_LARGE))?;
        if id > last { Ok(id) } else { Err(CommandError::text(TOO_SMALL)) }
    }
}

impl Database {
    /// Returns a stream to be read, or `None` if the key does not exist.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn stream(&mut self, key: &[u8]) -> Result<Option<&Stream>, CommandError> {
        self.read::<Stream>(key)
    }

    /// `XLEN`: returns the number of entries, 0 if the key is missing.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xlen(&mut self, key: &[u8]) -> Result<usize, CommandError> {
        Ok(self.stream(key)?.map_or(0, Stream::len))
    }

    /// `XADD`: adds an entry with these fields. Returns its id, or `None` if the stream does not
    /// exist and was not to be created.
    ///
    /// ```
    /// use stunt_double::redis::database::{Database, XaddId};
    /// use stunt_double::redis::value::StreamId;
    ///
    /// let mut db = Database::new();
    /// let id = XaddId::Exact(StreamId::new(5, 1));
    /// db.xadd(b"events", id, &[(b"type", b"click")], Default::default())?;
    /// let entries = db.xrange(b"events", StreamId::MIN, StreamId::MAX, 0)?;
    /// assert_eq!(entries[0].fields, [("type".into(), "click".into())]);
    /// # Ok::<(), stunt_double::redis::CommandError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the id is not greater than the last one of the
    /// stream, or if the entry is larger than 1 GB.
    pub fn xadd(
        &mut self,
        key: &[u8],
        id: XaddId,
        fields: &[(&[u8], &[u8])],
        options: XaddOptions,
    ) -> Result<Option<StreamId>, CommandError> {
        self.add_entry(key, id, fields, options, None)
    }

    /// Adds an entry, which a producer may name. Under a name that is known, nothing is added, and
    /// the id is that of the known entry.
    pub(super) fn add_entry(
        &mut self,
        key: &[u8],
        id: XaddId,
        fields: &[(&[u8], &[u8])],
        options: XaddOptions,
        named: Option<Named<'_>>,
    ) -> Result<Option<StreamId>, CommandError> {
        if id == XaddId::Exact(StreamId::MIN) {
            return Err(CommandError::text(ZERO));
        }
        let (now, limits, new) = (self.now_ms(), self.limits.stream, self.limits.producers);
        // A message from a master is as old as it was there.
        let aged = (!self.obeys).then_some(now);
        let stream = if options.existing {
            let Some(stream) = self.write::<Stream>(key)? else { return Ok(None) };
            stream
        } else {
            self.write_or_insert_with(key, || Stream::with_limits(new))?
        };
        if let (Some(named), XaddId::Auto) = (named, id)
            && let Some(known) = stream.producers().find(named.producer, named.name, aged)
        {
            let duplicates = &mut stream.producers_mut().duplicates;
            *duplicates = duplicates.wrapping_add(1);
            self.usage.changes += 1;
            self.observers.found_again = true;
            return Ok(Some(known));
        }
        if stream.counters().last_id == StreamId::MAX {
            return Err(CommandError::text(EXHAUSTED));
        }
        let id = id.resolve(stream, now)?;
        if !stream.append(id, fields, limits) {
            return Err(CommandError::text(TOO_LARGE));
        }
        if let Some(Named { producer, name }) = named {
            stream.producers_mut().add(producer, name, id, aged);
        }
        let trimmed = options.trim.map_or(0, |trim| stream.trim(trim));
        if named.is_some() {
            self.observers.found_again = false;
        }
        self.changed(key, EventClasses::STREAM, "xadd", 1);
        if trimmed > 0 {
            self.notify(EventClasses::STREAM, "xtrim", key);
        }
        self.fed(key);
        Ok(Some(id))
    }

    /// `XRANGE`: returns up to this many entries from an id to another, both included. 0 is
    /// unlimited.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xrange(
        &mut self,
        key: &[u8],
        from: StreamId,
        to: StreamId,
        count: usize,
    ) -> Result<Vec<StreamEntry>, CommandError> {
        let entries = self.stream(key)?.map(|stream| stream.range(from, to));
        let entries = entries.into_iter().flatten().take(unlimited(count));
        Ok(entries.map(|entry| entry.to_owned()).collect())
    }

    /// `XREVRANGE`: returns up to this many entries from an id to another, both included, the last
    /// one first. 0 is unlimited.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xrevrange(
        &mut self,
        key: &[u8],
        from: StreamId,
        to: StreamId,
        count: usize,
    ) -> Result<Vec<StreamEntry>, CommandError> {
        let entries = self.stream(key)?.map(|stream| stream.range_back(from, to));
        let entries = entries.into_iter().flatten().take(unlimited(count));
        Ok(entries.map(|entry| entry.to_owned()).collect())
    }

    /// `XREAD` of one stream: returns up to this many entries after an id. 0 is unlimited.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xread(
        &mut self,
        key: &[u8],
        after: StreamId,
        count: usize,
    ) -> Result<Vec<StreamEntry>, CommandError> {
        match after.next() {
            Some(from) => self.xrange(key, from, StreamId::MAX, count),
            None => self.stream(key).map(|_| Vec::new()),
        }
    }

    /// Returns what a client is given that has waited for entries after an id, or `None` if there
    /// is nothing new. The new entries may have been deleted already. This is not a use.
    pub(crate) fn xread_waiting(
        &mut self,
        key: &[u8],
        after: StreamId,
        count: usize,
    ) -> Option<Vec<StreamEntry>> {
        let Some(super::Value::Stream(stream)) = self.value(key) else { return None };
        if stream.counters().last_id <= after {
            return None;
        }
        let entries = stream.range(after.next()?, StreamId::MAX).take(unlimited(count));
        Some(entries.map(|entry| entry.to_owned()).collect())
    }

    /// `XDEL`: deletes entries. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xdel(&mut self, key: &[u8], ids: &[StreamId]) -> Result<usize, CommandError> {
        let Some(stream) = self.write::<Stream>(key)? else { return Ok(0) };
        let deleted = stream.delete(ids);
        if deleted > 0 {
            self.changed(key, EventClasses::STREAM, "xdel", deleted as u64);
        }
        Ok(deleted)
    }

    /// `XDELEX`: deletes entries, with regard to the groups that know them. Returns what became of
    /// each.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xdelex(
        &mut self,
        key: &[u8],
        ids: &[StreamId],
        references: References,
    ) -> Result<Vec<Deletion>, CommandError> {
        let Some(stream) = self.write::<Stream>(key)? else {
            return Ok(vec![Deletion::Missing; ids.len()]);
        };
        let became = stream.delete_referenced(ids, references);
        let became: Vec<Deletion> = became.into_iter().map(|(_, became)| became).collect();
        let deleted = became.iter().filter(|became| **became == Deletion::Deleted).count();
        if deleted > 0 {
            self.changed(key, EventClasses::STREAM, "xdel", deleted as u64);
        }
        Ok(became)
    }

    /// `XACKDEL`: acknowledges entries of a group, and deletes them with regard to other groups.
    /// Returns what became of each; all are missing if the group is.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xackdel(
        &mut self,
        key: &[u8],
        group: &[u8],
        ids: &[StreamId],
        references: References,
    ) -> Result<Vec<Deletion>, CommandError> {
        let stream = self.read_mut::<Stream>(key)?;
        let found = stream.and_then(|stream| stream.acknowledge_and_delete(group, ids, references));
        let Some((became, lost)) = found else { return Ok(vec![Deletion::Missing; ids.len()]) };
        if lost > 0 {
            self.changed(key, EventClasses::STREAM, "xdel", 0);
        }
        let acknowledged = became.iter().filter(|became| **became != Deletion::Missing).count();
        self.usage.changes += acknowledged as u64;
        Ok(became)
    }

    /// `XTRIM`: removes the oldest entries. Returns how many.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xtrim(&mut self, key: &[u8], trim: Trim) -> Result<u64, CommandError> {
        let Some(stream) = self.write::<Stream>(key)? else { return Ok(0) };
        let removed = stream.trim(trim);
        if removed > 0 {
            self.changed(key, EventClasses::STREAM, "xtrim", removed);
        }
        Ok(removed)
    }

    /// `XSETID`: sets the last id, and on request the other counters.
    ///
    /// # Errors
    ///
    /// [`CommandError::NoSuchKey`], [`CommandError::WrongType`], and an error if the values
    /// contradict the stream's entries.
    pub fn xsetid(
        &mut self,
        key: &[u8],
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), CommandError> {
        let minds_deleted = self.profile.streams.xsetid_minds_deleted;
        let stream = self.write::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
        if minds_deleted && last_id < stream.counters().max_deleted_id {
            return Err(CommandError::text(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        if !stream.is_empty() {
            if last_id < stream.last_entry_id() {
                return Err(CommandError::text(
                    "ERR The ID specified in XSETID is smaller than the target stream top item",
                ));
            }
            if entries_added.is_some_and(|added| added < stream.counters().length) {
                return Err(CommandError::text(
                    "ERR The entries_added specified in XSETID is smaller than the target stream \
                     length",
                ));
            }
        }
        stream.set_id(last_id, entries_added, max_deleted_id);
        self.changed_unwatched(key, EventClasses::STREAM, "xsetid", 1);
        Ok(())
    }
}

/// Returns a limit, of which 0 is none.
pub(super) fn unlimited(count: usize) -> usize {
    if count == 0 { usize::MAX } else { count }
}
