//! The end of fields: those whose deadline has come are removed.
//!
//! Like keys, fields end when the database is given the time, in their millisecond, so that a field
//! that is due and still stored is seen only where expiry is off or held back: while
//! `DEBUG SET-ACTIVE-EXPIRE 0` is in effect, on a replica, and while clients are paused. Such a
//! field is hidden. Redis removes it when it is looked up by its name; Valkey when it is
//! overwritten.
//!
//! Source: `t_hash.c` (`hashTypeExpire`, `hashTypeGetValue`), and experiments.

use super::keyspace::Slot;
use super::notify::EventClasses;
use super::{Database, Removed};
use crate::redis::value::{Hash, Sds, Value};

/// The key, or the fields, that end next.
pub(super) enum Due {
    Key(Slot),
    /// Fields of the hash in this slot, which end at this time.
    Fields(Slot, i64),
}

impl Database {
    /// Returns what ends next, if it is due. At the same time, fields end before keys.
    pub(super) fn next_due(&self) -> Option<Due> {
        let key = self.keyspace.next_expiry();
        if let Some((at, slot)) = self.keyspace.next_field()
            && at <= self.expired_by
            && key.is_none_or(|(key_at, _)| at <= key_at)
        {
            return Some(Due::Fields(slot, at));
        }
        key.filter(|(at, _)| *at <= self.expired_by).map(|(_, slot)| Due::Key(slot))
    }

    /// Number of hashes with fields that have deadlines.
    #[must_use]
    pub fn hashes_with_deadlines(&self) -> usize {
        self.keyspace.hashes_with_deadlines()
    }

    /// Removes the fields of the hash in a slot that end up to this time.
    pub(super) fn end_fields(&mut self, slot: Slot, by: i64) {
        let due = |hash: &Hash| hash.due(by);
        self.remove_ended(slot, due);
    }

    /// Removes fields that are due from a hash, if a look-up by name does that.
    pub(super) fn reap(&mut self, key: &[u8], fields: &[&[u8]]) {
        if self.keyspace.knows_deadlines() && !self.profile.fields.due_are_gone {
            self.reap_due(key, |hash, now| due_of(hash, fields.iter().copied(), now));
        }
    }

    /// Removes all fields that are due from a hash, before fields are drawn from it.
    pub(super) fn reap_all(&mut self, key: &[u8]) {
        if self.keyspace.knows_deadlines() && !self.profile.fields.due_are_gone {
            self.reap_due(key, Hash::due);
        }
    }

    fn reap_due(&mut self, key: &[u8], due: impl FnOnce(&Hash, i64) -> Vec<Sds>) {
        let now = self.expired_by;
        if let Some(slot) = self.find(key)
            && !self.keeps_expired()
        {
            self.remove_ended(slot, |hash| due(hash, now));
        }
    }

    /// Notes that fields are overwritten, of which some may be due: where these are as good as
    /// gone, they expire first.
    pub(super) fn reap_overwritten(
        &mut self,
        key: &[u8],
        fields: impl Iterator<Item: AsRef<[u8]>>,
    ) {
        if !self.keyspace.knows_deadlines() || !self.profile.fields.due_are_gone {
            return;
        }
        let now = self.expired_by;
        let Ok(Some(hash)) = self.again::<Hash>(key) else { return };
        let due = due_of(hash, fields, now);
        if due.is_empty() {
            return;
        }
        due.iter().for_each(|field| drop(hash.remove(field)));
        self.usage.expired_fields += due.len() as u64;
        self.notify(EventClasses::HASH, "hexpired", key);
    }

    /// Removes fields that have ended, and the hash if none is left.
    fn remove_ended(&mut self, slot: Slot, ended: impl FnOnce(&Hash) -> Vec<Sds>) {
        let Value::Hash(hash) = &self.keyspace.entry(slot).value else { return };
        let fields = ended(hash);
        if fields.is_empty() {
            return;
        }
        self.remember(slot);
        let entry = self.keyspace.entry_mut(slot);
        let key = entry.key.clone();
        let Value::Hash(hash) = &mut entry.value else { return };
        fields.iter().for_each(|field| drop(hash.remove(field)));
        let emptied = hash.is_empty();
        self.keyspace.reschedule(slot);
        self.usage.expired_fields += fields.len() as u64;
        if self.observers.feeds {
            self.observers.removed.push(Removed::Fields { key: key.clone(), fields, emptied });
        }
        self.touch(&key);
        self.notify(EventClasses::HASH, "hexpired", &key);
        if emptied {
            self.remove_slot(slot);
            self.notify(EventClasses::GENERIC, "del", &key);
        }
    }

    /// Notes that the deadlines of a hash may have changed.
    pub(super) fn reschedule(&mut self, key: &[u8]) {
        if let Some(slot) = self.keyspace.find(key) {
            self.keyspace.reschedule(slot);
        }
    }

    /// Notes that fields of a hash were set or removed, which may have had deadlines.
    #[inline]
    pub(super) fn reschedule_known(&mut self, key: &[u8]) {
        if self.keyspace.knows_deadlines() {
            self.reschedule(key);
        }
    }
}

/// Returns those of some fields that are due, each once.
fn due_of(hash: &Hash, fields: impl Iterator<Item: AsRef<[u8]>>, now: i64) -> Vec<Sds> {
    let mut due: Vec<Sds> = Vec::new();
    for field in fields.filter(|field| hash.is_due(field.as_ref(), now)) {
        if !due.iter().any(|known| known.as_slice() == field.as_ref()) {
            due.push(Sds::new(field.as_ref()));
        }
    }
    due
}
