//! Operations on the consumer groups of streams.
//!
//! `WATCH` sees none of their changes. A consumer is created when it first reads or claims
//! something.
//!
//! Source: `t_stream.c`.

use super::Database;
use super::notify::EventClasses;
use crate::redis::error::CommandError;
use crate::redis::value::{
    AutoClaim, AutoClaimed, Claim, Claimed, Delivery, Group, Stream, StreamId,
};

/// Where a group begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupStart {
    /// `$`: after the last entry of the stream.
    End,
    /// After this id.
    After(StreamId),
}

/// Where a consumer begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupRead {
    /// `>`: entries that its group has not read.
    New,
    /// Entries after this id that are pending for it.
    PendingAfter(StreamId),
}

/// Options of `XREADGROUP`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XreadgroupOptions {
    /// `COUNT`: the greatest number of entries of each stream; 0 is unlimited.
    pub count: usize,
    /// `NOACK`: new entries do not become pending.
    pub no_ack: bool,
    /// `CLAIM`: before what is new, entries that are pending for anybody and were not acknowledged
    /// for so many milliseconds.
    pub claim: Option<i64>,
}

/// Returns bytes as errors show them: as text that ends at a NUL.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// Returns the error of a command that names a group, or a key, that does not exist.
fn no_group(key: &[u8], group: &[u8], place: &str) -> CommandError {
    let (key, group) = (shown(key), shown(group));
    CommandError::format(format!("NOGROUP No such key '{key}' or consumer group '{group}'{place}"))
}

fn no_group_of(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (shown(key), shown(group));
    CommandError::format(format!("NOGROUP No such consumer group '{group}' for key name '{key}'"))
}

const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE \
                         you may want to use the MKSTREAM option to create an empty stream \
                         automatically.";

const IN_XREADGROUP: &str = " in XREADGROUP with GROUP option";

/// Returns how many entries a group is said to have read, at most as many as were added where the
/// version caps it.
fn capped(entries_read: Option<i64>, stream: &Stream, caps: bool) -> Option<i64> {
    let added = i64::try_from(stream.counters().entries_added).unwrap_or(i64::MAX);
    if caps { entries_read.map(|read| read.min(added)) } else { entries_read }
}

impl Database {
    /// `XGROUP CREATE`: adds a group. With `make` (`MKSTREAM`) it creates the stream if necessary.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key is missing or the group exists
    /// (`BUSYGROUP`).
    pub fn xgroup_create(
        &mut self,
        key: &[u8],
        group: &[u8],
        start: GroupStart,
        entries_read: Option<i64>,
        make: bool,
    ) -> Result<(), CommandError> {
        if self.write::<Stream>(key)?.is_none() {
            if !make {
                return Err(CommandError::text(NO_STREAM));
            }
            let limits = self.limits.producers;
            self.write_or_insert_with(key, || Stream::with_limits(limits))?;
            self.touch(key);
        }
        let caps = self.profile.groups.cap_entries_read;
        let stream = self.again::<Stream>(key)?.ok_or(CommandError::text(NO_STREAM))?;
        let last_id = start.resolve(stream);
        let entries_read = capped(entries_read, stream, caps);
        if !stream.add_group(group, last_id, entries_read) {
            return Err(CommandError::text("BUSYGROUP Consumer Group name already exists"));
        }
        self.changed_unwatched(key, EventClasses::STREAM, "xgroup-create", 1);
        Ok(())
    }

    /// Returns a stream of which `XGROUP` changes groups.
    pub(crate) fn grouped(&mut self, key: &[u8]) -> Result<&mut Stream, CommandError> {
        self.write::<Stream>(key)?.ok_or(CommandError::text(NO_STREAM))
    }

    /// Returns an error if a group is missing. It is no use of the key: the change that follows is.
    pub(crate) fn check_group(&mut self, key: &[u8], group: &[u8]) -> Result<(), CommandError> {
        let stream = self.again::<Stream>(key)?.ok_or(CommandError::text(NO_STREAM))?;
        stream.group_mut(group).map(|_| ()).ok_or_else(|| no_group_of(key, group))
    }

    /// Returns a group that `XGROUP` changes.
    pub(crate) fn existing_group(
        &mut self,
        key: &[u8],
        group: &[u8],
    ) -> Result<&mut Group, CommandError> {
        let found = self.grouped(key)?.group_mut(group);
        found.ok_or_else(|| no_group_of(key, group))
    }

    /// `XGROUP SETID`: sets how far a group has read.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key or the group (`NOGROUP`) is missing.
    pub fn xgroup_setid(
        &mut self,
        key: &[u8],
        group: &[u8],
        start: GroupStart,
        entries_read: Option<i64>,
    ) -> Result<(), CommandError> {
        let caps = self.profile.groups.cap_entries_read;
        let stream = self.again::<Stream>(key)?.ok_or(CommandError::text(NO_STREAM))?;
        let last_id = start.resolve(stream);
        let entries_read = capped(entries_read, stream, caps);
        self.existing_group(key, group)?.set_position(last_id, entries_read);
        self.changed_unwatched(key, EventClasses::STREAM, "xgroup-setid", 1);
        Ok(())
    }

    /// `XGROUP DESTROY`: removes a group. Returns whether it existed.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key is missing.
    pub fn xgroup_destroy(&mut self, key: &[u8], group: &[u8]) -> Result<bool, CommandError> {
        let removed = self.grouped(key)?.remove_group(group);
        if removed {
            self.changed_unwatched(key, EventClasses::STREAM, "xgroup-destroy", 1);
            self.fed(key);
        }
        Ok(removed)
    }

    /// `XGROUP CREATECONSUMER`: adds a consumer to a group. Returns whether it is new.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key or the group (`NOGROUP`) is missing.
    pub fn xgroup_createconsumer(
        &mut self,
        key: &[u8],
        group: &[u8],
        consumer: &[u8],
    ) -> Result<bool, CommandError> {
        let now = self.now_ms();
        let is_new = self.existing_group(key, group)?.add_consumer(consumer, now);
        self.consumer_added(key, is_new);
        Ok(is_new)
    }

    /// `XGROUP DELCONSUMER`: removes a consumer, and what was pending for it. Returns how many
    /// entries that were.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key or the group (`NOGROUP`) is missing.
    pub fn xgroup_delconsumer(
        &mut self,
        key: &[u8],
        group: &[u8],
        consumer: &[u8],
    ) -> Result<usize, CommandError> {
        let removed = self.existing_group(key, group)?.remove_consumer(consumer);
        if removed.is_some() {
            self.changed_unwatched(key, EventClasses::STREAM, "xgroup-delconsumer", 1);
        }
        Ok(removed.unwrap_or(0))
    }

    fn consumer_added(&mut self, key: &[u8], is_new: bool) {
        if is_new {
            self.changed_unwatched(key, EventClasses::STREAM, "xgroup-createconsumer", 1);
        }
    }

    /// Returns a group to be read.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key or the group (`NOGROUP`) is missing.
    pub fn group(&mut self, key: &[u8], group: &[u8]) -> Result<&Group, CommandError> {
        let found = self.read::<Stream>(key)?.and_then(|stream| stream.group(group));
        found.ok_or_else(|| no_group(key, group, ""))
    }

    /// `XREADGROUP` of one stream: gives a consumer new entries, or again those that are pending
    /// for it.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key or the group (`NOGROUP`) is missing.
    pub fn xreadgroup(
        &mut self,
        key: &[u8],
        group: &[u8],
        consumer: &[u8],
        read: GroupRead,
        options: XreadgroupOptions,
    ) -> Result<Delivery, CommandError> {
        self.check_readable(key, group)?;
        Ok(self.serve_consumer(key, group, consumer, read, options)?.unwrap_or_default())
    }

    /// Returns an error if a group that `XREADGROUP` names does not exist.
    pub(crate) fn check_readable(&mut self, key: &[u8], group: &[u8]) -> Result<(), CommandError> {
        match self.read::<Stream>(key)?.and_then(|stream| stream.group(group)) {
            Some(_) => Ok(()),
            None => Err(no_group(key, group, IN_XREADGROUP)),
        }
    }

    /// Gives a consumer of an existing group what it reads. Returns `None` if there is no new
    /// entry; the consumer is not created then.
    pub(crate) fn serve_consumer(
        &mut self,
        key: &[u8],
        group: &[u8],
        consumer: &[u8],
        read: GroupRead,
        options: XreadgroupOptions,
    ) -> Result<Option<Delivery>, CommandError> {
        let now = self.now_ms();
        let XreadgroupOptions { count, no_ack, claim } = options;
        let groups = &self.profile.groups;
        let (at_once, counting) = (groups.create_consumers_at_once, groups.counting);
        let Some(stream) = self.read_mut::<Stream>(key)? else { return Ok(None) };
        let delivery = match read {
            GroupRead::PendingAfter(after) => stream.redeliver(group, consumer, after, count, now),
            GroupRead::New => match claim {
                Some(min_idle) => {
                    stream.claim_and_deliver(group, consumer, (count, min_idle), no_ack, now)
                }
                None => stream.deliver_by(counting, group, consumer, count, (no_ack, at_once), now),
            },
        };
        if self.observers.feeds {
            let claimed = delivery.iter().flat_map(|delivery| &delivery.claimed);
            self.observers.claimed.push(claimed.map(|claim| claim.entry.id).collect());
        }
        if let Some(delivery) = &delivery {
            self.consumer_added(key, delivery.new_consumer);
            if read != GroupRead::New || !delivery.is_empty() {
                self.usage.changes += 1;
            }
        }
        let is_new = read == GroupRead::New;
        Ok(delivery.filter(|delivery| !is_new || !delivery.is_empty()))
    }

    /// Gives a consumer new entries for which it has waited. Returns `None` if there is nothing
    /// new. The new entries may have been deleted already.
    pub(crate) fn serve_waiting_consumer(
        &mut self,
        key: &[u8],
        group: &[u8],
        consumer: &[u8],
        options: XreadgroupOptions,
    ) -> Result<Option<Delivery>, CommandError> {
        let now = self.now_ms();
        let XreadgroupOptions { count, no_ack, .. } = options;
        let counting = self.profile.groups.counting;
        let Some(stream) = self.write::<Stream>(key)? else { return Ok(None) };
        let last_id = stream.counters().last_id;
        let read = stream.group(group).map(Group::last_id).ok_or(CommandError::text(
            "NOGROUP the consumer group this client was blocked on no longer exists",
        ))?;
        if last_id <= read {
            return Ok(None);
        }
        let delivery = stream.deliver_by(counting, group, consumer, count, (no_ack, true), now);
        self.consumer_added(key, delivery.as_ref().is_some_and(|delivery| delivery.new_consumer));
        Ok(delivery)
    }

    /// `XACK`: acknowledges entries of a group. Returns how many were pending, 0 if the key or the
    /// group is missing.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn xack(
        &mut self,
        key: &[u8],
        group: &[u8],
        ids: &[StreamId],
    ) -> Result<usize, CommandError> {
        let Some(stream) = self.read_mut::<Stream>(key)? else { return Ok(0) };
        let Some(group) = stream.group_mut(group) else { return Ok(0) };
        let acknowledged = ids.iter().filter(|id| group.acknowledge(**id)).count();
        self.usage.changes += acknowledged as u64;
        Ok(acknowledged)
    }

    /// `XCLAIM`: gives pending entries to a consumer.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key or the group (`NOGROUP`) is missing.
    pub fn xclaim(
        &mut self,
        key: &[u8],
        group: &[u8],
        consumer: &[u8],
        claim: Claim<'_>,
    ) -> Result<Claimed, CommandError> {
        let now = self.now_ms();
        let at_once = self.profile.groups.create_consumers_at_once;
        let stream = self.read_mut::<Stream>(key)?;
        let claimed = stream.and_then(|stream| stream.claim(group, consumer, claim, now, at_once));
        let claimed = claimed.ok_or_else(|| no_group(key, group, ""))?;
        self.claimed(key, &claimed);
        Ok(claimed)
    }

    /// `XAUTOCLAIM`: gives a consumer entries that were not acknowledged in time.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], and an error if the key or the group (`NOGROUP`) is missing.
    pub fn xautoclaim(
        &mut self,
        key: &[u8],
        group: &[u8],
        consumer: &[u8],
        claim: AutoClaim,
    ) -> Result<AutoClaimed, CommandError> {
        let now = self.now_ms();
        let at_once = self.profile.groups.create_consumers_at_once;
        let stream = self.read_mut::<Stream>(key)?;
        let claimed =
            stream.and_then(|stream| stream.auto_claim(group, consumer, claim, now, at_once));
        let claimed = claimed.ok_or_else(|| no_group(key, group, ""))?;
        self.claimed(key, &claimed.claimed);
        Ok(claimed)
    }

    fn claimed(&mut self, key: &[u8], claimed: &Claimed) {
        self.consumer_added(key, claimed.new_consumer);
        let entries = claimed.entries.len() + claimed.deleted.len();
        self.usage.changes += entries as u64 + u64::from(claimed.only_last_id);
    }
}

impl GroupStart {
    fn resolve(self, stream: &Stream) -> StreamId {
        match self {
            GroupStart::End => stream.counters().last_id,
            GroupStart::After(id) => id,
        }
    }
}
