//! Deadlines of a hash's fields: the operations that set, read and remove them.
//!
//! A field ends in the millisecond of its deadline (`field_expiry`), and a hash goes with its last
//! field. A deadline that is over already ends the field at once. Setting a field removes its
//! deadline; computing its value from the former one does not. Versions without such deadlines
//! have no command for them, so that their hashes never have any.
//!
//! An operation that has changed fields tells their names to the stream of effects, because
//! replicas are sent these alone.
//!
//! Source: <https://redis.io/commands/hexpire/>, `t_hash.c`, and experiments with Redis 8 and
//! Valkey 9.

use super::keyspace::NEVER;
use super::notify::EventClasses;
use super::{Database, ExpireCondition, Ttl};
use crate::redis::error::CommandError;
use crate::redis::value::{Hash, Sds};
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

/// Fields, each once, in the order in which a command names them.
type Names = IndexSet<Sds, FxBuildHasher>;

/// The outcome of `HEXPIRE` for a field. As an integer, it is the command's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldExpiry {
    /// There is no such field.
    NoField = -2,
    /// The condition does not hold.
    Refused = 0,
    /// The field has the deadline.
    Set = 1,
    /// The deadline is over, and the field is gone.
    Ended = 2,
}

/// The change of a field's deadline, as its value is read or set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldDeadline {
    /// `HGETEX` without options, and `KEEPTTL` of `HSETEX`: it stays.
    #[default]
    Kept,
    /// `PERSIST` of `HGETEX`, and `HSETEX` without options: it is removed.
    Removed,
    /// It is this time, in milliseconds since the Unix epoch.
    At(i64),
}

/// The conditions of `HSETEX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HsetexCondition {
    /// `FNX`: only if no field exists. `FXX`: only if all of them do.
    pub fields_exist: Option<bool>,
    /// `NX` and `XX` of Valkey, for the key.
    pub key_exists: Option<bool>,
}

impl ExpireCondition {
    /// Returns whether a time may replace another.
    pub(super) fn allows(&self, before: Option<i64>, at: i64) -> bool {
        let time = before.unwrap_or(NEVER);
        (!self.if_none || before.is_none())
            && (!self.if_some || before.is_some())
            && (!self.if_later || (before.is_some() && at > time))
            && (!self.if_sooner || before.is_none() || at < time)
    }
}

impl Database {
    /// `HPEXPIREAT`: sets when fields end, in milliseconds since the Unix epoch. A time in the past
    /// removes them.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hpexpireat(
        &mut self,
        key: &[u8],
        at: i64,
        condition: ExpireCondition,
        fields: &[&[u8]],
    ) -> Result<Vec<FieldExpiry>, CommandError> {
        let (past, now) = (self.is_past(at), self.expired_by);
        let compact = self.profile.encodings.hash_listpackex;
        let due_are_gone = self.profile.fields.due_are_gone;
        let Some(hash) = self.write::<Hash>(key)? else {
            return Ok(vec![FieldExpiry::NoField; fields.len()]);
        };
        if compact {
            hash.allow_deadlines(true);
        }
        let mut changed = Vec::new();
        let mut expire = |field: &&[u8]| {
            if !hash.contains(field) || (due_are_gone && hash.is_due(field, now)) {
                return FieldExpiry::NoField;
            }
            if !condition.allows(hash.deadline(field), at) {
                return FieldExpiry::Refused;
            }
            changed.push(Sds::new(field));
            if past {
                hash.remove(field);
                return FieldExpiry::Ended;
            }
            hash.allow_deadlines(compact);
            hash.set_deadline(field, at);
            FieldExpiry::Set
        };
        let outcomes = fields.iter().map(&mut expire).collect();
        if past {
            self.fields_ended(key, changed);
        } else {
            self.fields_changed(key, changed, "hexpire");
        }
        Ok(outcomes)
    }

    /// `HPEXPIRETIME`, `HTTL` and similar commands: returns when fields end. [`Ttl::NoKey`] is a
    /// field that does not exist.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hpexpiretime(&mut self, key: &[u8], fields: &[&[u8]]) -> Result<Vec<Ttl>, CommandError> {
        let now = self.expired_by;
        let Some(hash) = self.hash(key)? else { return Ok(vec![Ttl::NoKey; fields.len()]) };
        Ok(fields.iter().map(|field| ttl_of(hash, field, now)).collect())
    }

    /// `HPERSIST`: removes the deadlines of fields. Returns those that they had.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hpersist(&mut self, key: &[u8], fields: &[&[u8]]) -> Result<Vec<Ttl>, CommandError> {
        let now = self.expired_by;
        let Some(hash) = self.write::<Hash>(key)? else {
            return Ok(vec![Ttl::NoKey; fields.len()]);
        };
        let mut changed = Vec::new();
        let mut persist = |field: &&[u8]| {
            let before = ttl_of(hash, field, now);
            if let Ttl::At(_) = before {
                hash.clear_deadline(field);
                changed.push(Sds::new(field));
            }
            before
        };
        let outcomes = fields.iter().map(&mut persist).collect();
        if !changed.is_empty() {
            let each = self.profile.fields.persisted_are_changes;
            let changes = if each { changed.len() as u64 } else { 1 };
            self.reschedule(key);
            self.note_fields(changed);
            self.changed(key, EventClasses::HASH, "hpersist", changes);
        }
        Ok(outcomes)
    }

    /// `HGETEX`: returns the values of fields, and changes their deadlines.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hgetex(
        &mut self,
        key: &[u8],
        fields: &[&[u8]],
        deadline: FieldDeadline,
    ) -> Result<Vec<Option<Sds>>, CommandError> {
        self.reap(key, fields);
        let now = self.expired_by;
        let past = matches!(deadline, FieldDeadline::At(at) if self.is_past(at));
        let compact = self.profile.encodings.hash_listpackex;
        let found = if self.profile.fields.getex_reads {
            self.read_mut::<Hash>(key)?
        } else {
            self.write::<Hash>(key)?
        };
        let Some(hash) = found else { return Ok(vec![None; fields.len()]) };
        if compact && deadline != FieldDeadline::Kept {
            hash.allow_deadlines(true);
        }
        let mut changed = Vec::new();
        let mut get = |field: &&[u8]| {
            let value = hash.get_live(field, now)?.clone();
            let has_changed = match deadline {
                FieldDeadline::Kept => false,
                FieldDeadline::Removed => hash.clear_deadline(field),
                FieldDeadline::At(_) if past => hash.remove(field).is_some(),
                FieldDeadline::At(at) => {
                    hash.allow_deadlines(compact);
                    hash.set_deadline(field, at);
                    true
                }
            };
            if has_changed {
                changed.push(Sds::new(field));
            }
            Some(value)
        };
        let values = fields.iter().map(&mut get).collect();
        match deadline {
            FieldDeadline::Kept => {}
            FieldDeadline::Removed => self.fields_changed(key, changed, "hpersist"),
            FieldDeadline::At(_) if past => self.fields_ended(key, changed),
            FieldDeadline::At(_) => self.fields_changed(key, changed, "hexpire"),
        }
        Ok(values)
    }

    /// `HSETEX`: sets fields and their deadlines, if the condition holds. Returns whether it did.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hsetex(
        &mut self,
        key: &[u8],
        fields: &[(&[u8], &[u8])],
        condition: HsetexCondition,
        deadline: FieldDeadline,
    ) -> Result<bool, CommandError> {
        self.check_type::<Hash>(key)?;
        if !self.may_hsetex(key, fields, condition)? {
            return Ok(false);
        }
        self.reap_overwritten(key, fields.iter().map(|(field, _)| *field));
        let past = matches!(deadline, FieldDeadline::At(at) if self.is_past(at));
        let before = self.write::<Hash>(key)?.filter(|_| past);
        let existed = before.map_or_else(Names::default, |hash| {
            let known = fields.iter().map(|(field, _)| *field).filter(|field| hash.contains(field));
            known.map(Sds::new).collect()
        });
        let (limits, compact) = (self.limits.hash, self.profile.encodings.hash_listpackex);
        let hash = self.again_or_insert::<Hash>(key)?;
        for (field, value) in fields.iter().filter(|_| compact || !past) {
            hash.limit_value(field.len().max(value.len()), limits);
        }
        for (field, value) in fields {
            match deadline {
                FieldDeadline::Removed => hash.insert(*field, *value),
                FieldDeadline::Kept | FieldDeadline::At(_) => hash.insert_keeping(*field, *value),
            };
            if past && !compact {
                continue;
            }
            hash.limit_entries(limits);
            if let FieldDeadline::At(at) = deadline {
                hash.allow_deadlines(compact);
                hash.set_deadline(field, at);
            }
            if past {
                // Each goes before the next one is set, so that fewer of them count at once.
                hash.remove(field);
            }
        }
        if past {
            self.fields_set_and_ended(key, fields, existed);
            return Ok(true);
        }
        self.reschedule(key);
        self.changed(key, EventClasses::HASH, "hset", fields.len() as u64);
        if let FieldDeadline::At(_) = deadline {
            self.notify(EventClasses::HASH, "hexpire", key);
        }
        Ok(true)
    }

    fn may_hsetex(
        &mut self,
        key: &[u8],
        fields: &[(&[u8], &[u8])],
        condition: HsetexCondition,
    ) -> Result<bool, CommandError> {
        let exists = self.peek(key).is_some();
        if condition.key_exists.is_some_and(|wanted| wanted != exists) {
            return Ok(false);
        }
        let Some(wanted) = condition.fields_exist else { return Ok(true) };
        for (field, _) in fields {
            self.reap(key, &[field]);
            let now = self.expired_by;
            let hash = self.write::<Hash>(key)?;
            if hash.is_some_and(|hash| hash.get_live(field, now).is_some()) != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes fields that were set with a deadline that is over. Those that existed before are
    /// known to replicas.
    fn fields_set_and_ended(&mut self, key: &[u8], fields: &[(&[u8], &[u8])], existed: Names) {
        let Ok(Some(hash)) = self.again::<Hash>(key) else { return };
        fields.iter().for_each(|(field, _)| drop(hash.remove(field)));
        let emptied = hash.is_empty();
        let expires = self.profile.fields.past_expires;
        self.usage.expired_fields += fields.len() as u64;
        self.reschedule(key);
        let ended: Vec<Sds> = match expires {
            true => existed.into_iter().collect(),
            false => fields.iter().map(|(field, _)| Sds::new(field)).collect(),
        };
        let changes = ended.len() as u64;
        self.note_fields(ended);
        self.changed(key, EventClasses::HASH, "hset", changes);
        if expires {
            self.notify(EventClasses::HASH, "hexpire", key);
        }
        self.notify(EventClasses::HASH, if expires { "hexpired" } else { "hdel" }, key);
        self.remove_emptied(emptied, key);
    }

    /// `HGETDEL`: removes fields. Returns their values.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hgetdel(
        &mut self,
        key: &[u8],
        fields: &[&[u8]],
    ) -> Result<Vec<Option<Sds>>, CommandError> {
        self.reap(key, fields);
        let now = self.expired_by;
        let Some(hash) = self.write::<Hash>(key)? else { return Ok(vec![None; fields.len()]) };
        let mut take = |field: &&[u8]| {
            hash.get_live(field, now)?;
            hash.remove(field)
        };
        let values: Vec<Option<Sds>> = fields.iter().map(&mut take).collect();
        let emptied = hash.is_empty();
        let removed = values.iter().flatten().count();
        if removed > 0 {
            self.reschedule(key);
            self.changed(key, EventClasses::HASH, "hdel", removed as u64);
            self.remove_emptied(emptied, key);
        }
        Ok(values)
    }

    /// Notes that the deadlines of fields have changed.
    fn fields_changed(&mut self, key: &[u8], changed: Vec<Sds>, event: &'static str) {
        if changed.is_empty() {
            return;
        }
        let changes = changed.len() as u64;
        self.reschedule(key);
        self.note_fields(changed);
        self.changed(key, EventClasses::HASH, event, changes);
    }

    /// Notes that fields were removed because they got a deadline that is over.
    fn fields_ended(&mut self, key: &[u8], ended: Vec<Sds>) {
        if ended.is_empty() {
            return;
        }
        let emptied = matches!(self.again::<Hash>(key), Ok(Some(hash)) if hash.is_empty());
        self.usage.expired_fields += ended.len() as u64;
        let event = if self.profile.fields.past_expires { "hexpired" } else { "hdel" };
        self.fields_changed(key, ended, event);
        self.remove_emptied(emptied, key);
    }

    /// Tells the stream of effects which fields an operation has changed.
    fn note_fields(&mut self, fields: Vec<Sds>) {
        if self.observers.feeds {
            self.observers.fields = fields;
        }
    }
}

fn ttl_of(hash: &Hash, field: &[u8], now: i64) -> Ttl {
    match hash.get_live(field, now).map(|_| hash.deadline(field)) {
        None => Ttl::NoKey,
        Some(None) => Ttl::Persistent,
        Some(Some(at)) => Ttl::At(at),
    }
}
