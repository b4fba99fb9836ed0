//! Operations on HyperLogLogs, which are strings. Their bytes are in
//! [`value::hyperloglog`](crate::redis::value::hyperloglog).
//!
//! Every operation changes the value's encoding to `raw`, as `APPEND` does, even one that only
//! reads: the server writes in place.
//!
//! Source: <https://redis.io/commands/?group=hyperloglog>, `hyperloglog.c`.

use super::Database;
use super::notify::EventClasses;
use crate::redis::error::CommandError;
use crate::redis::value::hyperloglog::{self, Corrupt, Encoding, REGISTERS, Registers};
use crate::redis::value::{StringValue, Value};

impl From<Corrupt> for CommandError {
    fn from(_: Corrupt) -> CommandError {
        CommandError::text("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// Returns the encoding, or the error of a string that is no HyperLogLog.
fn encoding(string: &[u8]) -> Result<Encoding, CommandError> {
    hyperloglog::encoding(string)
        .ok_or(CommandError::text("WRONGTYPE Key is not a valid HyperLogLog string value."))
}

impl Database {
    /// Returns the bytes of an existing HyperLogLog, to be changed.
    fn hyperloglog(&mut self, key: &[u8]) -> Result<Option<&mut Vec<u8>>, CommandError> {
        let Some(string) = self.write::<StringValue>(key)? else { return Ok(None) };
        encoding(string)?;
        Ok(Some(string.make_raw()))
    }

    /// Returns the bytes of a HyperLogLog that the same operation has looked up before.
    fn hyperloglog_again(&mut self, key: &[u8]) -> Result<Option<&mut Vec<u8>>, CommandError> {
        let Some(string) = self.again::<StringValue>(key)? else { return Ok(None) };
        encoding(string)?;
        Ok(Some(string.make_raw()))
    }

    /// Returns the bytes of a HyperLogLog, to be changed, and whether it is new.
    fn hyperloglog_or_new(&mut self, key: &[u8]) -> Result<(&mut Vec<u8>, bool), CommandError> {
        let is_new = self.hyperloglog(key)?.is_none();
        if is_new {
            self.insert(key, Value::String(StringValue::raw(hyperloglog::new())));
        }
        let bytes = self.hyperloglog_again(key)?.expect("the key exists or was just added");
        Ok((bytes, is_new))
    }

    /// `PFADD`: adds elements. Returns whether a register has changed, or the key is new.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; another error for a string that is no HyperLogLog or a corrupt
    /// one.
    pub fn pfadd(&mut self, key: &[u8], elements: &[&[u8]]) -> Result<bool, CommandError> {
        let max_sparse = self.limits.hll_sparse;
        let (bytes, is_new) = self.hyperloglog_or_new(key)?;
        let mut changes = u64::from(is_new);
        for element in elements {
            changes += u64::from(hyperloglog::add(bytes, element, max_sparse)?);
        }
        if changes > 0 {
            hyperloglog::outdate(bytes);
            self.changed(key, EventClasses::STRING, "pfadd", changes);
        }
        Ok(changes > 0)
    }

    /// `PFCOUNT` of one key: estimates the number of elements. The estimate is kept in the string,
    /// so this is a change if the last one is outdated.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; another error for a string that is no HyperLogLog or a corrupt
    /// one.
    pub fn pfcount(&mut self, key: &[u8]) -> Result<u64, CommandError> {
        let Some(string) = self.read::<StringValue>(key)? else { return Ok(0) };
        encoding(string)?;
        let bytes = self.hyperloglog_again(key)?.expect("the key was just read");
        if let Some(estimate) = hyperloglog::cached(bytes) {
            return Ok(estimate);
        }
        let estimate = hyperloglog::refresh(bytes)?;
        // It is a change without an event.
        self.touch(key);
        self.usage.changes += 1;
        Ok(estimate)
    }

    /// `PFCOUNT` of several keys: estimates the number of distinct elements of all of them. Nothing
    /// is kept.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; another error for a string that is no HyperLogLog or a corrupt
    /// one.
    pub fn pfcount_union(&mut self, keys: &[&[u8]]) -> Result<u64, CommandError> {
        Ok(hyperloglog::estimate(&self.union(keys)?.0))
    }

    /// Returns the registers of several HyperLogLogs together, and whether one of them is dense.
    fn union(&mut self, keys: &[&[u8]]) -> Result<(Box<Registers>, bool), CommandError> {
        let mut registers = Box::new([0; REGISTERS]);
        let mut dense = false;
        for key in keys {
            if let Some(string) = self.read::<StringValue>(key)? {
                dense |= encoding(string)? == Encoding::Dense;
                hyperloglog::merge_into(&mut registers, string)?;
            }
        }
        Ok((registers, dense))
    }

    /// `PFMERGE`: adds the elements of the sources to a HyperLogLog, which is created if missing.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; another error for a string that is no HyperLogLog or a corrupt
    /// one.
    pub fn pfmerge(&mut self, destination: &[u8], sources: &[&[u8]]) -> Result<(), CommandError> {
        let mut keys = vec![destination];
        keys.extend_from_slice(sources);
        let (registers, dense) = self.union(&keys)?;
        let max_sparse = self.limits.hll_sparse;
        let (bytes, _) = self.hyperloglog_or_new(destination)?;
        if dense {
            hyperloglog::make_dense(bytes)?;
        }
        hyperloglog::merge_from(bytes, &registers, max_sparse)?;
        self.changed(destination, EventClasses::STRING, "pfadd", 1);
        Ok(())
    }

    /// Makes a HyperLogLog dense (`PFDEBUG TODENSE`). Returns whether it was sparse.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; another error for a missing key, or for a string that is no
    /// HyperLogLog or a corrupt one.
    pub fn pf_make_dense(&mut self, key: &[u8]) -> Result<bool, CommandError> {
        let made = hyperloglog::make_dense(self.existing_hyperloglog(key)?)?;
        self.usage.changes += u64::from(made);
        Ok(made)
    }

    /// Returns the bytes of a HyperLogLog (`PFDEBUG`).
    pub(crate) fn existing_hyperloglog(
        &mut self,
        key: &[u8],
    ) -> Result<&mut Vec<u8>, CommandError> {
        let missing = CommandError::text("ERR The specified key does not exist");
        self.hyperloglog(key)?.ok_or(missing)
    }
}
