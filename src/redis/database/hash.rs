//! Operations on hashes.
//!
//! Source: <https://redis.io/commands/?group=hash>, `t_hash.c`.

use super::notify::EventClasses;
use super::{Database, draw};
use crate::choice::Stream;
use crate::redis::error::CommandError;
use crate::redis::value::{Hash, LongDouble, Sds, number};

impl Database {
    /// Returns a hash to be read, or `None` if the key does not exist.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hash(&mut self, key: &[u8]) -> Result<Option<&Hash>, CommandError> {
        self.read::<Hash>(key)
    }

    /// Returns a hash to be read, and the time up to which its fields count as gone. `named` are
    /// the fields that are looked up.
    pub(crate) fn live_hash(
        &mut self,
        key: &[u8],
        named: &[&[u8]],
    ) -> Result<(i64, Option<&Hash>), CommandError> {
        self.reap(key, named);
        let now = self.expired_by;
        Ok((now, self.hash(key)?))
    }

    /// `HGET`: returns the value of a field.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hget(&mut self, key: &[u8], field: &[u8]) -> Result<Option<&[u8]>, CommandError> {
        self.reap(key, &[field]);
        let now = self.expired_by;
        Ok(self.hash(key)?.and_then(|hash| hash.get_live(field, now)).map(Sds::as_slice))
    }

    /// `HSET`: sets fields. Returns the number of new ones.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hset(&mut self, key: &[u8], fields: &[(&[u8], &[u8])]) -> Result<usize, CommandError> {
        if fields.is_empty() {
            return self.check_type::<Hash>(key).map(|()| 0);
        }
        let limits = self.limits.hash;
        self.reap_overwritten(key, fields.iter().map(|(field, _)| *field));
        let hash = self.write_or_insert::<Hash>(key)?;
        for (field, value) in fields {
            hash.limit_value(field.len().max(value.len()), limits);
        }
        let mut new = 0;
        for (field, value) in fields {
            new += usize::from(hash.insert(*field, *value).is_none());
            hash.limit_entries(limits);
        }
        self.reschedule_known(key);
        self.changed(key, EventClasses::HASH, "hset", fields.len() as u64);
        Ok(new)
    }

    /// `HSETNX`: sets a field that does not exist. Returns whether the field was set.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hsetnx(&mut self, key: &[u8], field: &[u8], value: &[u8]) -> Result<bool, CommandError> {
        self.reap(key, &[field]);
        let now = self.expired_by;
        if self.write::<Hash>(key)?.is_some_and(|hash| hash.get_live(field, now).is_some()) {
            return Ok(false);
        }
        self.hset(key, &[(field, value)])?;
        Ok(true)
    }

    /// `HDEL`: removes fields. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn hdel(&mut self, key: &[u8], fields: &[&[u8]]) -> Result<usize, CommandError> {
        let gone = self.profile.fields.due_are_gone;
        let now = if gone { self.expired_by } else { i64::MIN };
        let Some(hash) = self.write::<Hash>(key)? else { return Ok(0) };
        let mut remove = |field: &&&[u8]| !hash.is_due(field, now) && hash.remove(field).is_some();
        let removed = fields.iter().filter(|field| remove(field)).count();
        let emptied = hash.is_empty();
        if removed > 0 {
            self.reschedule_known(key);
            self.changed(key, EventClasses::HASH, "hdel", removed as u64);
            self.remove_emptied(emptied, key);
        }
        Ok(removed)
    }

    /// `HINCRBY`: adds to a field's integer, which is 0 if missing. Returns the sum.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::HashNotAnInteger`], [`CommandError::Overflow`].
    pub fn hincrby(&mut self, key: &[u8], field: &[u8], by: i64) -> Result<i64, CommandError> {
        self.reap(key, &[field]);
        self.reap_overwritten(key, std::iter::once(field));
        let n = match self.write::<Hash>(key)?.and_then(|hash| hash.get(field)) {
            Some(value) => number::parse_i64(value).ok_or(CommandError::HashNotAnInteger)?,
            None => 0,
        };
        let sum = n.checked_add(by).ok_or(CommandError::Overflow)?;
        self.hset_as(key, field, &number::format_i64(sum), "hincrby")?;
        Ok(sum)
    }

    /// `HINCRBYFLOAT`: adds to a field's number, in the server's 80-bit arithmetic. Returns the
    /// sum's text.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`], [`CommandError::NotAFloat`], [`CommandError::HashNotAFloat`],
    /// [`CommandError::NotFinite`], and [`CommandError::Other`] for an infinite increment.
    pub fn hincrbyfloat(
        &mut self,
        key: &[u8],
        field: &[u8],
        by: &[u8],
    ) -> Result<String, CommandError> {
        let by = LongDouble::parse(by).ok_or(CommandError::NotAFloat)?;
        if by.is_nan_or_infinite() {
            return Err(CommandError::text("ERR value is NaN or Infinity"));
        }
        self.reap(key, &[field]);
        self.reap_overwritten(key, std::iter::once(field));
        let sum = match self.write::<Hash>(key)?.and_then(|hash| hash.get(field)) {
            Some(value) => LongDouble::parse(value).ok_or(CommandError::HashNotAFloat)? + by,
            None => by,
        };
        if sum.is_nan_or_infinite() {
            return Err(CommandError::NotFinite);
        }
        let text = sum.format_human();
        self.hset_as(key, field, text.as_bytes(), "hincrbyfloat")?;
        Ok(text)
    }

    /// Sets a field to a value computed from it. The field keeps its deadline.
    fn hset_as(
        &mut self,
        key: &[u8],
        field: &[u8],
        value: &[u8],
        event: &'static str,
    ) -> Result<(), CommandError> {
        let limits = self.limits.hash;
        let hash = self.again_or_insert::<Hash>(key)?;
        hash.limit_value(field.len().max(value.len()), limits);
        hash.insert_keeping(field, value);
        hash.limit_entries(limits);
        self.reschedule_known(key);
        self.changed(key, EventClasses::HASH, event, 1);
        Ok(())
    }

    /// `HRANDFIELD`: draws fields at random, with their values: up to `count` distinct ones, or
    /// exactly `-count`, which may repeat.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; [`CommandError::OutOfRange`] for more draws than fit into
    /// memory.
    pub fn hrandfield(
        &mut self,
        key: &[u8],
        count: i64,
        random: &mut Stream,
    ) -> Result<Vec<(Sds, Sds)>, CommandError> {
        self.reap_all(key);
        let now = self.expired_by;
        let Some(hash) = self.hash(key)? else { return Ok(Vec::new()) };
        if hash.has_due(now) {
            let live: Vec<_> = hash.live(now).collect();
            let drawn = draw::by_count(random, live.len(), count)?.into_iter();
            let pairs = drawn.filter_map(|index| live.get(index).copied());
            return Ok(pairs.map(|(field, value)| (field.clone(), value.clone())).collect());
        }
        let drawn = draw::by_count(random, hash.len(), count)?.into_iter();
        let fields = drawn.filter_map(|index| hash.get_index(index));
        Ok(fields.map(|(field, value)| (field.clone(), value.clone())).collect())
    }
}
