//! `DUMP` and `RESTORE`: values as bytes. Their format is in [`rdb`](crate::redis::rdb).
//!
//! Source: `cluster.c`.

use super::Database;
use super::keyspace::{Entry, Keyspace, NEVER};
use super::notify::EventClasses;
use crate::redis::error::CommandError;
use crate::redis::rdb::{self, PayloadError, RdbError, Record};
use crate::redis::value::{StringValue, Value};

/// The options of `RESTORE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// `REPLACE`: an existing key is replaced.
    pub replace: bool,
    /// The key expires at this time, in milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
    /// `IDLETIME`: the key was not used for this many seconds. It has no effect under a policy that
    /// evicts by frequency.
    pub idle: Option<u64>,
    /// `FREQ`: the counter of the key's uses. It has an effect only under such a policy.
    pub frequency: Option<u8>,
}

impl Database {
    /// `DUMP`: returns a key's value as bytes, with a checksum.
    pub fn dump(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let profile = self.profile;
        self.read_any(key).map(|value| rdb::dump(value, profile))
    }

    /// `RESTORE`: sets a key to a value that `DUMP` returned, also of an older server. A key that
    /// has already expired is not set.
    ///
    /// # Errors
    ///
    /// `BUSYKEY` if the key exists; an error for bytes that are damaged, of a later version or of
    /// an unknown type.
    pub fn restore(
        &mut self,
        key: &[u8],
        payload: &[u8],
        options: RestoreOptions,
    ) -> Result<(), CommandError> {
        if !options.replace {
            self.check_not_busy(key)?;
        }
        let mut value = rdb::restore(payload, &self.limits, self.profile, !self.skips_checksums)
            .map_err(|error| match error {
                PayloadError::Footer => {
                    CommandError::text("ERR DUMP payload version or checksum are wrong")
                }
                PayloadError::Value => CommandError::text("ERR Bad data format"),
            })?;
        if let Value::String(string) = &mut value {
            *string = StringValue::within(string, self.longest_embedded());
        }
        let deleted = options.replace && self.take(key).is_some();
        if options.expires_at.is_some_and(|at| self.is_past(at)) {
            if deleted {
                self.changed(key, EventClasses::GENERIC, "del", 1);
            }
            return Ok(());
        }
        let slot = self.insert(key, value);
        self.set_expiry(slot, options.expires_at.map_or(NEVER, |at| at.min(NEVER - 1)));
        self.set_age(slot, options.idle, options.frequency);
        self.changed(key, EventClasses::GENERIC, "restore", 1);
        Ok(())
    }

    /// Returns an error if a key exists.
    pub(crate) fn check_not_busy(&mut self, key: &[u8]) -> Result<(), CommandError> {
        match self.peek(key) {
            Some(_) => Err(CommandError::text("BUSYKEY Target key name already exists.")),
            None => Ok(()),
        }
    }

    /// Returns all keys as records of a file, in stored order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let record = |entry: &Entry| Record {
            database: self.index,
            key: entry.key.clone(),
            value: entry.value.clone(),
            expires_at: entry.expiry(),
            idle: None,
            frequency: None,
        };
        self.keyspace.iter().map(record)
    }
}

/// Puts records of a file into keyspaces, one for each database.
pub(crate) fn keyspaces(records: Vec<Record>, databases: usize) -> Result<Vec<Keyspace>, RdbError> {
    let mut keyspaces = vec![Keyspace::default(); databases];
    for record in records {
        let Some(keyspace) = keyspaces.get_mut(record.database) else {
            return Err(RdbError::new(0, format!("there is no database {}", record.database)));
        };
        if keyspace.find(&record.key).is_some() {
            return Err(RdbError::new(0, format!("key {} is there twice", record.key)));
        }
        let slot = keyspace.insert(&record.key, record.value, 0);
        keyspace.set_expiry(slot, record.expires_at.map_or(NEVER, |at| at.min(NEVER - 1)));
    }
    Ok(keyspaces)
}
